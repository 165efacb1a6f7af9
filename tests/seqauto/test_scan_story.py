"""A scan from its start to its end: stages, lists, counts, and that a second one changes nothing."""

import os
from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from scanning import fastq, file_states, open_codes, run_of, said, scan_disks, scan_well, whole_database

from seqauto import scans
from seqauto.models import Scan, SequencingRun
from seqauto.models.runs import RunState
from seqauto.models.scans import ScanSource, ScanStatus
from seqauto.scan_lists import ListReader, names_and_sizes, read_changes
from sequencing.demo import write_demo_archive

pytestmark = pytest.mark.django_db

# A run that is still sequencing is looked at by every scan.
LOOKED_AT = ("last_scan", "updated_at")


def test_a_scan_passes_its_stages_in_order_with_the_time_of_each(archive, write_run):
    write_run(archive / "exome")
    seen = []
    scan = scans.create_scan(ScanSource.BUTTON)
    assert scans.run_scan(scan, lambda scan: seen.append(scan.status))
    scan.refresh_from_db()
    assert scan.status == ScanStatus.FINISHED
    assert scan.created_at < scan.scanning_files_at < scan.create_models_at < scan.finished_at
    assert (scan.scripts_and_jobs_at, scan.error_at, scan.is_running) == (None, None, False)
    assert list(dict.fromkeys(seen)) == [ScanStatus.SCANNING_FILES, ScanStatus.CREATE_MODELS]
    assert (scan.runs_done, scan.runs_total, scan.runs_found) == (1, 1, 1)
    assert not scans.run_scan(scan)  # a scan that has ended never runs again


def test_scripts_and_jobs_follow_where_they_are_switched_on(archive, write_run, settings, monkeypatch):
    settings.SEQAUTO_SCRIPTS_AND_JOBS_ENABLED = True
    done = []
    monkeypatch.setitem(scans.SCRIPTS_AND_JOBS, "count runs", lambda scan: done.append(scan.pk))
    scan = scan_well()
    assert done == [scan.pk]
    assert scan.create_models_at < scan.scripts_and_jobs_at < scan.finished_at


def test_the_demo_archive_shows_everything_a_scan_can_meet(archive):
    write_demo_archive(archive)
    scan = scan_well()
    assert Counter(SequencingRun.objects.values_list("state", flat=True)) == {
        RunState.COMPLETE: 6,
        RunState.INCOMPLETE: 1,
        RunState.ERROR: 2,
        RunState.SKIPPED: 2,
        RunState.RUNNING: 1,
    }
    assert (scan.runs_found, scan.runs_changed, scan.runs_skipped) == (12, 12, 2)
    assert open_codes(None) == {"folder_without_run"}


def test_every_run_has_the_facts_of_its_instrument(archive, write_run):
    run = run_of_scanned(write_run(archive / "exome" / "v8", instrument="NovaSeq X", number=44, samples=2))
    assert (run.name, run.group, run.root) == (run.folder.name, "exome/v8", str(archive))
    assert (run.sequencer.serial, run.sequencer.model) == ("LH00217", "NovaSeq X")
    assert (run.run_number, run.experiment.name, str(run.date)) == (44, "Panel_0044", "2026-03-02")
    assert (run.reads_summary, run.lane_count) == ("151 + 10 + 10 + 151", 2)
    assert run.control_software == "NovaSeqXSeries Control Software 4.0.2.7"
    assert (run.files_expected, run.files_found, run.files_total) == (8, 8, 12)
    sizes = [path.stat().st_size for path in run.folder.rglob("*.fastq.gz")]
    assert run.bytes_total == sum(sizes)
    assert (run.first_scan, run.last_scan) == (Scan.objects.get(), Scan.objects.get())


def run_of_scanned(folder):
    scan_well()
    return run_of(folder)


def test_files_have_their_sample_lane_read_size_and_time(archive, write_run):
    run = write_run(archive / "exome", instrument="HiSeq 2500", samples=1)
    scan_well()
    path = fastq(run, "*-01_*_L002_R2_*")
    file = run_of(run).files.get(path=f"0_fastq/{path.name}")
    assert (file.sample.sample_id, file.lane, file.read) == ("26W0031-01", 2, "R2")
    assert (file.size, file.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    assert (file.is_expected, file.data_state, file.path) == (True, "complete", f"0_fastq/{path.name}")
    stranger = run_of(run).files.filter(path__contains="Undetermined").first()
    assert (stranger.sample, stranger.is_expected, stranger.data_state) == (None, False, "complete")


# ---- again ----


def test_promise_43_scanning_twice_changes_nothing(archive):
    write_demo_archive(archive)
    scan_well()
    before = whole_database(leave_out=LOOKED_AT)
    second = scan_well()
    assert whole_database(leave_out=LOOKED_AT) == before
    assert second.runs_changed == second.files_appeared == second.files_vanished == second.files_changed == 0


def test_promise_43_reading_every_run_anew_changes_nothing_but_who_looked(archive):
    write_demo_archive(archive)
    scan_well()
    before = whole_database(leave_out=LOOKED_AT)
    for run in SequencingRun.objects.all():
        scans.request_rescan(run)
    again = scan_well()
    assert whole_database(leave_out=LOOKED_AT) == before
    assert again.runs_changed == 0
    assert set(SequencingRun.objects.values_list("last_scan", flat=True)) == {again.pk}


def test_unchanged_runs_cost_no_query_of_their_own(archive, write_run, monkeypatch):
    monkeypatch.setattr(scans, "PROGRESS_SECONDS", 3600)

    def queries_of_a_scan() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert scan_well().runs_changed == 0
        return len(queries)

    for number in range(3):
        write_run(archive / "exome", number=number, samples=1)
    scan_well()
    few = queries_of_a_scan()
    for number in range(3, 30):
        write_run(archive / "exome", number=number, samples=1)
    scan_well()
    assert SequencingRun.objects.filter(state=RunState.COMPLETE).count() == 30
    assert queries_of_a_scan() == few


# ---- what changes between two scans ----


def test_promise_42_a_file_overwritten_in_place_is_noticed(archive, write_run):
    run = write_run(archive / "exome", samples=2)
    scan_well()
    path = fastq(run, "*-01_*_R1_*")
    before = path.stat()
    path.write_bytes(path.read_bytes()[::-1])  # of the same size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    scan = scan_well()
    assert (scan.files_changed, scan.files_appeared, scan.files_vanished, scan.runs_changed) == (1, 0, 0, 1)
    file = run_of(run).files.get(path=f"0_fastq/{path.name}")
    assert (file.mtime_ns, file.data_state) == (before.st_mtime_ns + 1, "complete")
    assert read_changes(scans.lists_folder(scan), "changed", 0, 9) == [(str(run), f"0_fastq/{path.name}")]


def test_a_missing_file_that_arrives_is_complete_and_its_message_closes(archive, write_run):
    run = write_run(archive / "exome", samples=2, missing=("*-02_*_R2_*",))
    first = scan_well()
    assert said("files_missing", run).text == "1 of 4 expected files are not there."
    write_run(archive / "exome", samples=2)
    second = scan_well()
    assert run_of(run).state == RunState.COMPLETE
    message = said("files_missing", run)
    assert (message.scan, message.closed_by_scan) == (first, second)
    assert second.files_appeared == 1


def test_a_deleted_run_that_comes_back_is_whole_again(archive, write_run):
    run, *_others = [write_run(archive / "exome", number=n) for n in range(3)]
    scan_well()
    known = run_of(run)
    run.rename(archive.parent / "aside")
    scan_well()
    assert run_of(run).state == RunState.DELETED
    (archive.parent / "aside").rename(run)
    scan_well()
    assert (run_of(run).pk, run_of(run).state) == (known.pk, RunState.COMPLETE)
    assert set(file_states(run).values()) == {"complete"}
    assert open_codes(run) == set()


# ---- lists ----


def test_a_scan_leaves_lists_of_what_it_found_that_can_be_read_with_grep(archive, write_run):
    run = write_run(archive / "exome", samples=1)
    folder = scans.lists_folder(scan_well())
    assert [name for name, _size in names_and_sizes(folder)] == [
        "appeared.tsv", "changed.tsv", "fastq.tsv", "marker.tsv", "roots.json", "run_info.tsv",
        "run_parameters.tsv", "runs.jsonl", "sample_sheet.tsv", "vanished.tsv",
    ]  # fmt: skip
    paths = [line.split("\t") for line in (folder / "fastq.tsv").read_text().splitlines()]
    found = sorted(run.rglob("*.fastq.gz"))
    assert paths == [[str(p), str(p.stat().st_size), str(p.stat().st_mtime_ns)] for p in found]
    assert len(read_changes(folder, "appeared", 0, 99)) == len(found)


def test_lists_of_old_scans_are_removed(archive, settings):
    settings.SEQAUTO_KEEP_SCAN_LISTS = 2
    (settings.SEQAUTO_SCAN_RESOURCES_DIR / "scan_notes").mkdir(parents=True)
    kept = [scan_well().pk for _ in range(4)][-2:]
    left = {path.name for path in settings.SEQAUTO_SCAN_RESOURCES_DIR.iterdir()}
    assert left == {f"scan_{pk}" for pk in kept} | {"scan_notes"}


def test_files_are_read_from_the_lists_run_by_run_and_not_held_in_memory(archive, write_run):
    runs = [write_run(archive / "exome", number=n, samples=1) for n in range(3)]
    lists = ListReader(scans.lists_folder(scan_well()))
    entries = lists.runs()
    assert iter(entries) is entries  # one line at a time
    second = list(entries)[1]
    assert second.folder == str(runs[1])
    assert [file.path for file in lists.files(second, "run_info")] == ["4_QC/sequencing_stats/RunInfo.xml"]
    assert second.file_count == 4
    assert lists.files(second, "no such kind") == []


# ---- asking for a scan ----


def test_a_scan_says_which_setting_keeps_it_from_running(archive, settings):
    settings.SEQAUTO_ENABLED = False
    with pytest.raises(scans.ScanProblem, match="SEQAUTO_ENABLED is false"):
        scans.create_scan(ScanSource.BUTTON)
    assert not Scan.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_scan_of_no_disk_ends_in_error_with_the_remedy_and_no_stack_trace(archive, settings):
    settings.SEQAUTO_SCAN_ROOTS = []
    scan = scan_disks()
    assert (scan.status, scan.error) == (ScanStatus.ERROR, "No archive disk is named.")
    assert "SEQAUTO_SCAN_ROOTS" in scan.remedy
    assert (scan.traceback, scan.is_running) == ("", False)


@pytest.mark.django_db(transaction=True)
def test_a_scan_that_fails_by_itself_ends_in_error_with_its_stack_trace(archive, monkeypatch):
    def break_down():
        raise ZeroDivisionError("by the test")

    monkeypatch.setattr(scans, "known_runs", break_down)
    scan = scan_disks()
    assert (scan.status, scan.error) == (ScanStatus.ERROR, "ZeroDivisionError: by the test")
    assert "break_down" in scan.traceback
    assert scan.error_at


def test_an_empty_archive_is_scanned_well(archive):
    scan = scan_well()
    assert (scan.runs_found, scan.runs_total, scan.files_seen) == (0, 0, 0)


def test_several_disks_are_scanned_and_each_run_knows_its_own(archive, write_run, settings):
    settings.SEQAUTO_SCAN_ROOTS = [archive / "disk_b", archive / "disk_a"]
    runs = [write_run(archive / disk / "exome", number=n) for n, disk in enumerate(["disk_a", "disk_b"])]
    scan_well()
    assert [run_of(run).root for run in runs] == [str(archive / "disk_a"), str(archive / "disk_b")]

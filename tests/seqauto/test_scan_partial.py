"""What could not be read is told, and of its files nothing is concluded."""

import os

import pytest
from ordinary_user import unreadable
from scanning import fastq, file_states, open_codes, run_of, said, scan_well

from seqauto.models import SequencingRun
from seqauto.models.runs import RunState

pytestmark = pytest.mark.django_db


def test_promise_37_files_in_a_folder_that_became_unreadable_stay_as_they_were(archive, write_run):
    run = write_run(archive / "exome", samples=2, missing=("*-02_*_R2_*",))
    scan_well()
    before = list(run_of(run).files.order_by("pk").values_list())
    with unreadable(run / "0_fastq"):
        scan = scan_well()
    assert list(run_of(run).files.order_by("pk").values_list()) == before
    assert (scan.files_vanished, scan.files_changed) == (0, 0)
    text = said("unreadable_folder", run).text
    assert text == "0_fastq could not be read; the files there were not checked."
    scan_well()
    assert list(run_of(run).files.order_by("pk").values_list()) == before
    assert open_codes(run) == {"files_missing"}


def test_promise_37_files_never_seen_are_not_called_missing_while_a_folder_is_unreadable(archive, write_run):
    run = write_run(archive / "exome", samples=2)
    with unreadable(run / "0_fastq"):
        scan_well()
    assert file_states(run) == {}
    assert open_codes(run) == {"unreadable_folder"}
    assert run_of(run).state == RunState.ERROR
    scan_well()
    assert (run_of(run).state, set(file_states(run).values())) == (RunState.COMPLETE, {"complete"})


def test_promise_37_a_run_folder_that_became_unreadable_keeps_its_files(archive, write_run):
    run, *_others = [write_run(archive / "exome", number=n) for n in range(3)]
    scan_well()
    before = file_states(run)
    with unreadable(run):
        scan_well()
    assert file_states(run) == before
    assert (run_of(run).state, open_codes(run)) == (RunState.ERROR, {"unreadable_run"})
    scan_well()
    assert (run_of(run).state, open_codes(run)) == (RunState.COMPLETE, set())


def test_promise_37_runs_in_a_group_that_became_unreadable_stay_as_they_were(archive, write_run):
    hidden = [write_run(archive / "exome", number=n) for n in range(2)]
    write_run(archive / "cardio", number=3)
    scan_well()
    with unreadable(archive / "exome"):
        scan_well()
    assert {run_of(run).state for run in hidden} == {RunState.COMPLETE}
    assert said("unreadable_folder").place == f"{archive}/exome"
    scan_well()
    assert open_codes(None) == set()


def test_promise_37_a_run_in_an_unreadable_group_has_not_moved_to_where_its_copy_lies(archive, write_run):
    original = write_run(archive / "exome")
    write_run(archive / "exome", number=5)
    scan_well()
    copy = write_run(archive / "genomes")
    with unreadable(archive / "exome"):
        scan_well()
    assert (run_of(original).state, run_of(original).path) == (RunState.COMPLETE, str(original))
    assert open_codes(copy) == {"run_twice"}


def test_promise_37_unreadable_metadata_is_told_and_read_as_soon_as_it_may_be(archive, write_run):
    run = write_run(archive / "exome")
    with unreadable(run / "4_QC/sequencing_stats/RunInfo.xml"):
        scan_well()
    assert said("unreadable_file", run).place == "4_QC/sequencing_stats/RunInfo.xml"
    assert set(file_states(run).values()) == {"complete"}
    scan_well()  # permission changes neither size nor time of a file
    assert open_codes(run) == set()
    assert run_of(run).lane_count == 1


def test_promise_37_an_unreadable_sheet_changes_no_file_and_is_read_as_soon_as_it_may_be(archive, write_run):
    run = write_run(archive / "exome", missing=("*R2*",))
    scan_well()
    before = file_states(run)
    with unreadable(run / "SampleSheet.csv"):
        scan_well()
    assert file_states(run) == before
    assert run_of(run).state_reason == "The sample sheet cannot be read."
    assert run_of(run).sample_sheets.count() == 1
    scan_well()
    assert (run_of(run).state, open_codes(run)) == (RunState.INCOMPLETE, {"files_missing"})


def test_a_sheet_on_a_failing_sector_is_told(archive, write_run):
    run = write_run(archive / "exome")
    (run / "SampleSheet.csv").unlink()
    (run / "SampleSheet.csv").symlink_to("/proc/self/mem")  # whose first byte is a real I/O error
    scan_well()
    assert said("unreadable_file", run).text == "The file cannot be read: Input/output error."
    assert run_of(run).state == RunState.ERROR


@pytest.mark.parametrize("odd", [b"copy\xff_R2.fastq.gz", b"copy\n_R2.fastq.gz", b"copy\t1\t1_R2.fastq.gz"])
def test_promise_37_a_name_that_no_list_can_hold_is_told_and_no_file_called_missing(archive, write_run, odd):
    run = write_run(archive / "exome", samples=1)
    os.rename(fastq(run, "*-01_*_R2_*"), os.fsencode(run) + b"/0_fastq/" + odd)
    scan_well()
    assert file_states(run) == {"26W0031-01_S1_L001_R1_001.fastq.gz": "complete"}
    assert open_codes(run) == {"passed_over"}
    text = said("passed_over", run).text
    assert text.isprintable()
    assert text.endswith("has a name that cannot be written in a list; rename it.")


def test_promise_37_an_undecodable_folder_of_a_run_is_told_and_no_file_called_missing(archive, write_run):
    run = write_run(archive / "exome", samples=1)
    os.rename(run / "0_fastq", os.fsencode(run) + b"/0_fastq\xff")
    scan_well()
    assert file_states(run) == {}
    assert open_codes(run) == {"passed_over"}
    assert run_of(run).state == RunState.ERROR


def test_promise_37_an_undecodable_run_folder_is_told_and_others_are_recorded(archive, write_run):
    run = write_run(archive / "exome", number=1)
    other = write_run(archive / "exome", number=2)
    os.rename(run, os.fsencode(run) + b"\xff")
    scan_well()
    assert [known.path for known in SequencingRun.objects.all()] == [str(other)]
    assert said("passed_over").text.isprintable()


def test_a_fastq_that_is_a_link_counts_as_what_it_leads_to(archive, write_run, tmp_path):
    run = write_run(archive / "exome", samples=1)
    path = fastq(run, "*-01_*_R1_*")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    scan_well()
    assert file_states(run)[path.name] == "complete"
    (tmp_path / "elsewhere").unlink()  # or its disk is not mounted: who knows
    scan_well()
    assert file_states(run)[path.name] == "complete"
    assert said("passed_over", run).text == f"0_fastq/{path.name} is a link that leads nowhere."


def test_promise_37_a_linked_folder_of_fastqs_is_told_and_its_files_stay_as_they_were(
    archive, write_run, tmp_path
):
    run = write_run(archive / "exome", samples=1)
    scan_well()
    (run / "0_fastq").rename(tmp_path / "elsewhere")
    (run / "0_fastq").symlink_to(tmp_path / "elsewhere")
    scan_well()
    assert set(file_states(run).values()) == {"complete"}
    assert said("passed_over", run).text == "0_fastq is a link to a folder; links are not followed."

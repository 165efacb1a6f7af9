"""Ten ways in which scanners of sequencing disks are known to go wrong; this one must not."""

import shutil

import pytest
from scanning import fastq, file_states, open_codes, run_of, said, scan_disks, scan_well

from seqauto import recording
from seqauto.models import Message, SequencingRun
from seqauto.models.runs import RunState

pytestmark = pytest.mark.django_db

BAD_SHEET = "[Header]\n[Data]\nSample_ID,index\n../a,ACGT\n,ACGA\n"


def test_fault_1_a_bad_sheet_stays_an_error_and_never_becomes_a_run_of_0_samples(archive, write_run):
    bad = write_run(archive / "exome", sheet_text=BAD_SHEET)
    for _ in range(3):
        scan_well()
        assert run_of(bad).state == RunState.ERROR
        assert run_of(bad).state_reason == "The sample sheet has 2 errors."
        assert open_codes(bad) == {"hostile_name", "no_sample_id"}
    assert Message.objects.filter(run=run_of(bad), severity="error").count() == 2


def test_fault_2_a_run_without_run_parameters_stops_nothing(archive, write_run):
    without = write_run(archive / "exome", number=1, parameters=False)
    after = write_run(archive / "exome", number=2)
    scan_well()
    assert run_of(without).state == run_of(after).state == RunState.COMPLETE
    assert run_of(without).experiment is None
    assert run_of(after).experiment.name == "Panel_0002"
    assert said("no_run_parameters", without).severity == "info"


def test_fault_3_a_deleted_run_folder_turns_deleted_with_its_files(archive, write_run):
    gone, *others = [write_run(archive / "exome", number=n, samples=2) for n in range(3)]
    scan_well()
    shutil.rmtree(gone)
    scan = scan_well()
    assert run_of(gone).state == RunState.DELETED
    assert set(file_states(gone).values()) == {"deleted"}
    assert (run_of(gone).files_found, run_of(gone).files_total, run_of(gone).bytes_total) == (0, 0, 0)
    assert said("run_deleted", gone).is_open
    assert {run_of(run).state for run in others} == {RunState.COMPLETE}
    assert (scan.files_vanished, scan.runs_changed) == (6, 1)


def test_fault_4_deleted_fastqs_turn_deleted_and_no_r1_answers_for_its_r2(archive, write_run):
    run = write_run(archive / "exome", samples=3, missing=("*-02_*_R2_*",))
    scan_well()
    assert file_states(run)["26W0031-02_S2_L001_R1_001.fastq.gz"] == "complete"
    assert file_states(run)["26W0031-02_S2_L001_R2_001.fastq.gz"] == "non_existent"
    fastq(run, "*-01_*_R2_*").unlink()
    scan = scan_well()
    states = file_states(run)
    assert states["26W0031-01_S1_L001_R1_001.fastq.gz"] == "complete"
    assert states["26W0031-01_S1_L001_R2_001.fastq.gz"] == "deleted"
    assert (run_of(run).state, run_of(run).files_found) == (RunState.INCOMPLETE, 4)
    assert scan.files_vanished == 1


@pytest.mark.django_db(transaction=True)  # the end of an interrupted scan takes a connection of its own
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_fault_5_a_scan_interrupted_between_the_samples_leaves_nothing_half(
    archive, write_run, monkeypatch, interruption
):
    run = write_run(archive / "exome", samples=48)

    def stop(*_args):
        assert SequencingRun.objects.get().samples.count() == 48  # they are written, and not yet for good
        raise interruption

    with monkeypatch.context() as patch:
        patch.setattr(recording, "save_files", stop)
        if interruption is KeyboardInterrupt:
            with pytest.raises(KeyboardInterrupt):
                scan_disks()
        else:
            scan_disks()
    assert [known.samples.count() for known in SequencingRun.objects.all()] in ([], [0])
    scan_well()
    assert run_of(run).samples.count() == run_of(run).sample_count == 48
    assert run_of(run).state == RunState.COMPLETE
    assert set(file_states(run).values()) == {"complete"}


def test_fault_6_a_run_moved_to_another_group_is_recognised_and_keeps_all_its_rows(archive, write_run):
    run = write_run(archive / "exome", samples=2)
    scan_well()
    before = run_of(run)
    files = dict(before.files.values_list("pk", "path"))
    (archive / "genomes").mkdir()
    moved = run.rename(archive / "genomes" / run.name)
    scan = scan_well()
    after = SequencingRun.objects.get()
    assert (after.pk, after.path, after.group) == (before.pk, str(moved), "genomes")
    assert dict(after.files.values_list("pk", "path")) == files
    assert after.state == RunState.COMPLETE
    assert said("run_moved", moved).text == f"The run was moved here from {run}."
    assert (scan.files_appeared, scan.files_vanished) == (0, 0)


@pytest.mark.parametrize(("old", "new"), [("disk_a", "disk_b"), ("disk_b", "disk_a")])
def test_fault_6_a_run_moved_to_another_disk_is_recognised_whichever_is_scanned_first(
    archive, write_run, settings, old, new
):
    settings.SEQAUTO_SCAN_ROOTS = [archive / "disk_a", archive / "disk_b"]
    (archive / new / "exome").mkdir(parents=True)
    run = write_run(archive / old / "exome")
    scan_well()
    known = run_of(run)
    moved = run.rename(archive / new / "exome" / run.name)
    scan_well()
    after = SequencingRun.objects.get()
    assert (after.pk, after.path, after.root) == (known.pk, str(moved), str(archive / new))
    assert after.state == RunState.COMPLETE


def test_fault_7_an_edited_index_and_a_changed_description_keep_samples_and_files(archive, write_run):
    run = write_run(archive / "exome", samples=4)
    scan_well()
    samples, files = _rows(run)
    sheet = run / "SampleSheet.csv"
    text = sheet.read_text()
    index = run_of(run).samples.get(number=2).indexes.partition("+")[0]
    sheet.write_text(text.replace(index, "AAAAAAAAAA"))
    scan_well()
    edited, files_after = _rows(run)
    assert files_after == files
    assert [pk for pk, _indexes in edited] == [pk for pk, _indexes in samples]
    assert sum(one != other for one, other in zip(samples, edited, strict=True)) == 1
    sheet.write_text(text.replace(index, "AAAAAAAAAA").replace(",Panel,", ",Panel,bone marrow"))
    scan_well()
    assert _rows(run) == (edited, files)
    assert run_of(run).sample_sheets.count() == 3


def _rows(run):
    known = run_of(run)
    return list(known.samples.values_list("pk", "indexes")), list(known.files.values_list())


@pytest.mark.parametrize("layout", ["archive", "native", "bclconvert"])
def test_fault_8_illuminas_own_names_are_found_in_every_layout(archive, write_run, layout):
    run = write_run(archive / "exome", instrument="NextSeq 500", layout=layout, samples=2)
    scan_well()
    assert len(file_states(run)) == 2 * 4 * 2
    assert set(file_states(run).values()) == {"complete"}
    assert "26W0031-01_S1_L004_R2_001.fastq.gz" in file_states(run)


def test_fault_9_a_message_that_still_holds_is_not_said_again(archive, write_run):
    write_run(archive / "exome", number=1, sheet_text=BAD_SHEET, parameters=False)
    write_run(archive / "exome", number=2, missing=("*R2*",))
    (archive / "letters").mkdir()
    first = scan_well()
    said_first = list(Message.objects.order_by("pk").values())
    assert {row["code"] for row in said_first} > {"files_missing", "folder_without_run", "no_run_parameters"}
    SequencingRun.objects.update(fingerprint="")  # so that every run is read again, not passed over
    scan_well()
    scan_well()
    assert list(Message.objects.order_by("pk").values()) == said_first
    assert {row["scan_id"] for row in said_first} == {first.pk}


def test_fault_10_runs_are_processed_in_the_order_of_their_paths(archive, write_run, settings):
    settings.SEQAUTO_SCAN_ROOTS = [archive / "disk_a", archive / "disk_b"]
    groups = ["disk_b/exome", "disk_a/zoo", "disk_a/exome", "disk_b/cardio", "disk_a/a"]
    for number, group in enumerate(groups):
        write_run(archive / group, number=number)
    scan_well()
    in_order = list(SequencingRun.objects.order_by("pk").values_list("path", flat=True))
    assert len(in_order) == 5
    assert in_order == sorted(in_order)

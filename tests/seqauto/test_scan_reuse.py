"""A scan that starts from the lists of an earlier one instead of walking."""

import shutil

import pytest
from scanning import file_states, run_of, scan_disks, scan_well, whole_database

from seqauto import scans
from seqauto.models import SequencingRun
from seqauto.models.runs import RunState
from seqauto.models.scans import ScanSource, ScanStatus
from sequencing.disk import walkers

pytestmark = pytest.mark.django_db


def test_a_scan_from_earlier_lists_goes_straight_to_create_models(archive, write_run, monkeypatch):
    run = write_run(archive / "exome", samples=1)
    first = scan_well()
    leave_out = ("id", "run", "sample", "changed_at")
    before = whole_database(leave_out)["SequencingFile"]
    SequencingRun.objects.all().delete()
    monkeypatch.setattr(walkers, "_PROGRAM", "raise SystemExit('nothing is walked')")
    second = scan_disks(reused_scan=first)
    assert second.status == ScanStatus.FINISHED
    assert (second.scanning_files_at, second.reused_scan) == (None, first)
    assert second.create_models_at
    assert run_of(run).state == RunState.COMPLETE
    assert whole_database(leave_out)["SequencingFile"] == before


def test_earlier_lists_stand_for_the_disk_as_it_was(archive, write_run):
    run = write_run(archive / "exome", samples=2)
    first = scan_well()
    next(run.rglob("*-01_*_R1_*")).unlink()
    scan_well()
    assert file_states(run)["26W0031-01_S1_L001_R1_001.fastq.gz"] == "deleted"
    scan_disks(reused_scan=first)
    assert file_states(run)["26W0031-01_S1_L001_R1_001.fastq.gz"] == "complete"


def test_promise_41_earlier_lists_of_a_disk_that_is_gone_turn_nothing_to_deleted(archive, write_run):
    run = write_run(archive / "exome")
    first = scan_well()
    archive.rename(archive.parent / "aside")
    SequencingRun.objects.update(fingerprint="")
    scan_disks(reused_scan=first)
    assert set(file_states(run).values()) == {"complete"}
    assert run_of(run).state == RunState.COMPLETE
    (archive.parent / "aside").rename(archive)
    scan_well()
    assert run_of(run).state == RunState.COMPLETE


def test_earlier_lists_of_a_failed_root_are_no_more_believed_than_then(archive, write_run):
    write_run(archive / "exome")
    scan_well()
    archive.rename(archive.parent / "aside")
    failed = scan_disks()
    (archive.parent / "aside").rename(archive)
    before = whole_database()
    again = scan_disks(reused_scan=failed)
    assert (again.status, again.error) == (ScanStatus.ERROR, failed.error)
    assert whole_database() == before


def test_a_scan_without_lists_cannot_be_started_from(archive):
    first = scan_well()
    shutil.rmtree(scans.lists_folder(first))
    with pytest.raises(scans.ScanProblem, match=f"SeqAuto Run {first.pk} has no file lists to start from"):
        scans.create_scan(ScanSource.COMMAND_LINE, reused_scan=first)

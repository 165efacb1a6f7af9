"""A disk that is not there, or not the one it was, is never taken for one whose files were deleted."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from ordinary_user import unreadable
from scanning import open_codes, run_of, said, scan_disks, scan_well, whole_database

from seqauto.models import ScanRoot, SequencingFile, SequencingRun
from seqauto.models.runs import RunState
from seqauto.models.scans import ScanStatus
from sequencing.disk import walkers

pytestmark = pytest.mark.django_db


@pytest.fixture
def scanned(archive, write_run) -> Path:
    """An archive of four runs that was scanned well."""
    for number in range(4):
        write_run(archive / "exome", number=number, samples=2)
    scan_well()
    return archive


def refuse(why: str) -> None:
    """A scan ends in Error for this reason, and changes nothing."""
    before = whole_database()
    scan = scan_disks()
    assert scan.status == ScanStatus.ERROR
    assert why in scan.error
    assert scan.remedy
    assert not scan.traceback
    assert whole_database() == before
    assert said("root_not_scanned").is_open


def test_promise_41_a_root_that_vanished_changes_nothing_and_is_well_when_it_is_back(scanned):
    scanned.rename(scanned.parent / "aside")
    refuse("No such file or directory")
    (scanned.parent / "aside").rename(scanned)
    before = whole_database()
    scan_well()
    assert whole_database() == before
    assert not said("root_not_scanned").is_open


def test_promise_41_an_empty_mount_point_changes_nothing(scanned):
    scanned.rename(scanned.parent / "aside")
    scanned.mkdir()
    refuse(f"{scanned}: 28 of 28 known runs and files are missing; nothing was changed for it.")


def test_promise_41_a_file_in_the_place_of_a_root_changes_nothing(scanned):
    scanned.rename(scanned.parent / "aside")
    scanned.touch()
    refuse("Not a directory")


def test_promise_41_an_unreadable_root_changes_nothing(scanned):
    with unreadable(scanned):
        refuse("Permission denied")


def test_promise_41_a_root_that_lost_most_of_its_runs_changes_nothing(scanned):
    for run in sorted((scanned / "exome").iterdir())[:3]:
        shutil.rmtree(run)
    refuse("21 of 28 known runs and files are missing")


def test_promise_41_a_root_whose_runs_lost_most_of_their_fastqs_changes_nothing(scanned):
    for path in list(scanned.rglob("*.fastq.gz"))[:20]:
        path.unlink()
    refuse("20 of 28 known runs and files are missing")


def test_promise_41_what_is_really_gone_is_accepted_when_a_person_says_so(scanned):
    shutil.rmtree(scanned / "exome")
    refuse("28 of 28")
    scan_well(accept_missing=True)
    assert set(SequencingRun.objects.values_list("state", flat=True)) == {RunState.DELETED}
    assert open_codes(None) == set()
    scan_well()  # what is deleted is not missed again


def test_nobody_can_accept_a_root_that_cannot_be_read(scanned):
    scanned.rename(scanned.parent / "aside")
    before = whole_database()
    assert scan_disks(accept_missing=True).status == ScanStatus.ERROR
    assert whole_database() == before


def test_promise_41_a_few_deleted_runs_are_believed(scanned):
    shutil.rmtree(next((scanned / "exome").iterdir()))
    scan_well()
    assert SequencingRun.objects.filter(state=RunState.DELETED).count() == 1


def test_promise_41_the_share_that_may_be_lost_is_a_setting(scanned, settings):
    settings.SEQAUTO_MAX_LOST_SHARE = 0.1
    shutil.rmtree(next((scanned / "exome").iterdir()))
    refuse("7 of 28 known runs and files are missing")


def test_promise_41_a_disk_without_its_sentinel_is_not_the_disk(archive, write_run):
    (archive / ".seqauto_root").touch()
    write_run(archive / "exome")
    scan_well()
    (archive / ".seqauto_root").unlink()
    refuse(".seqauto_root that marks this disk is not there")


@pytest.fixture
def two_disks(archive, write_run, settings):
    """A root that led to one real device when it was scanned, and to another now; a run of the second."""
    second = Path(tempfile.mkdtemp(dir="/dev/shm"))
    try:
        assert os.stat(second).st_dev != os.stat(archive).st_dev
        runs = [write_run(archive / "exome", number=n) for n in range(4)]
        root = archive.parent / "mount"
        root.symlink_to(archive)
        settings.SEQAUTO_SCAN_ROOTS = [root]
        scan_well()
        shutil.copytree(archive, second, dirs_exist_ok=True)
        root.unlink()
        root.symlink_to(second)
        yield second / "exome" / runs[0].name
    finally:
        shutil.rmtree(second)


def test_promise_41_another_disk_that_lacks_known_files_changes_nothing(two_disks):
    shutil.rmtree(two_disks)
    refuse("another disk stands here than at the last scan, and 11 of 44 known runs and files are missing")


def test_another_disk_with_all_known_files_is_the_archive_moved(two_disks):
    known = ScanRoot.objects.get().device
    scan_well()
    assert ScanRoot.objects.get().device != known
    shutil.rmtree(two_disks)
    scan_well()  # now this is the disk
    assert SequencingRun.objects.filter(state=RunState.DELETED).count() == 1


def test_one_bad_root_does_not_keep_the_others_from_being_recorded(archive, write_run, settings):
    settings.SEQAUTO_SCAN_ROOTS = [archive / "good", archive / "bad", archive / "fine"]
    (archive / "fine").mkdir()
    gone = write_run(archive / "bad" / "exome", number=1)
    here = write_run(archive / "good" / "exome", number=2)
    scan_well()
    shutil.rmtree(archive / "bad")
    new = write_run(archive / "fine" / "exome", number=3)
    next(here.rglob("*-01_*_R1_*")).unlink()
    scan = scan_disks()
    assert scan.status == ScanStatus.ERROR
    assert scan.error == f"Archive root {archive}/bad: No such file or directory"
    assert run_of(gone).state == RunState.COMPLETE
    assert run_of(here).state == RunState.INCOMPLETE
    assert run_of(new).state == RunState.COMPLETE
    assert open_codes(None) == {"root_not_scanned"}
    assert (scan.runs_found, scan.runs_changed) == (2, 2)


def test_promise_5_a_disk_that_fails_in_the_middle_of_a_walk_changes_nothing(scanned, monkeypatch):
    failing = (
        "import errno, os\n"
        "really_open = os.open\n"
        "def open_or_fail(path, *args, **options):\n"
        "    if '_0002_' in str(path): raise OSError(errno.EIO, os.strerror(errno.EIO))\n"
        "    return really_open(path, *args, **options)\n"
        "os.open = open_or_fail\n"
    )
    next(scanned.rglob("*_0000_*/0_fastq/*-01_*_R1_*")).unlink()
    monkeypatch.setattr(walkers, "_PROGRAM", failing + walkers._PROGRAM)
    refuse("Input/output error")


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("raise SystemExit(1)", "the process that reads the disk died"),
        ("import time; time.sleep(600)", "the disk has not answered for 0.2 seconds"),
    ],
)
def test_promise_5_a_walker_that_dies_or_hangs_changes_nothing(scanned, monkeypatch, program, why):
    shutil.rmtree(next((scanned / "exome").iterdir()))
    monkeypatch.setattr(walkers, "_PROGRAM", program)
    monkeypatch.setattr(walkers, "SILENCE_SECONDS", 0.2 if "sleep" in program else 60)
    refuse(why)


def test_promise_5_a_disk_that_is_exchanged_during_the_walk_changes_nothing(scanned, write_run, monkeypatch):
    from seqauto import walking

    really_walk = walking.walk_runs

    def walk_and_unmount(runs, **options):
        yield from really_walk(runs, **options)
        scanned.rename(scanned.parent / "aside")
        scanned.symlink_to("/dev/shm")

    write_run(scanned / "exome", number=9)
    monkeypatch.setattr(walking, "walk_runs", walk_and_unmount)
    refuse("another disk stood here when the walk ended")


def test_the_runs_of_a_root_that_is_no_longer_scanned_are_set_aside_until_it_is_again(
    scanned, settings, tmp_path
):
    (tmp_path / "new disk").mkdir()
    roots, files = settings.SEQAUTO_SCAN_ROOTS, set(SequencingFile.objects.values_list("pk", "data_state"))
    settings.SEQAUTO_SCAN_ROOTS = [tmp_path / "new disk"]
    scan_well()
    assert set(SequencingRun.objects.values_list("state", flat=True)) == {RunState.NOT_SCANNED}
    assert set(SequencingFile.objects.values_list("pk", "data_state")) == files
    assert scan_well().runs_changed == 0
    settings.SEQAUTO_SCAN_ROOTS = roots
    scan_well()
    assert set(SequencingRun.objects.values_list("state", flat=True)) == {RunState.COMPLETE}
    assert set(SequencingFile.objects.values_list("pk", "data_state")) == files


def test_an_archive_with_a_new_mount_point_keeps_its_runs_rows_flags_and_files(scanned, settings):
    SequencingRun.objects.update(is_gold_standard=True)
    before = set(SequencingRun.objects.values_list("pk", "identity", "is_gold_standard"))
    files = set(SequencingFile.objects.values_list("pk", "data_state"))
    settings.SEQAUTO_SCAN_ROOTS = [scanned.rename(scanned.with_name("mounted elsewhere"))]
    scan_well()
    assert set(SequencingRun.objects.values_list("pk", "identity", "is_gold_standard")) == before
    assert set(SequencingRun.objects.values_list("state", flat=True)) == {RunState.COMPLETE}
    assert set(SequencingFile.objects.values_list("pk", "data_state")) == files


def test_promise_41_a_mirror_on_another_disk_does_not_excuse_an_empty_one(scanned, settings, tmp_path):
    mirror = tmp_path / "mirror"
    shutil.copytree(scanned, mirror)
    settings.SEQAUTO_SCAN_ROOTS = [scanned, mirror]
    scan_well()
    shutil.rmtree(scanned)
    scanned.mkdir()
    before = set(SequencingFile.objects.values_list("pk", "data_state"))
    assert scan_disks().status == ScanStatus.ERROR
    assert set(SequencingFile.objects.values_list("pk", "data_state")) == before

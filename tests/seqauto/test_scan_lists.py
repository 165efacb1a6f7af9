"""The lists of earlier scans: which are kept, and that no two scans' lists mix."""

import os
from pathlib import Path

import pytest
from scanning import file_states, scan_disks, scan_well

from seqauto.models.scans import ScanStatus
from seqauto.scan_lists import ListReader, folder_of, names_and_sizes, remove_oldest
from seqauto.scans import lists_folder


def make_lists(resources: Path, scan_id: int, age: int) -> Path:
    folder = folder_of(resources, scan_id)
    folder.mkdir(parents=True)
    (folder / "fastq.tsv").write_text("left over")
    os.utime(folder, (1_700_000_000 - age, 1_700_000_000 - age))
    return folder


def test_the_lists_that_are_oldest_by_their_date_go_whatever_their_numbers(tmp_path):
    older, newer, newest = (make_lists(tmp_path, *one) for one in ((900, 30), (2, 20), (1, 10)))
    (tmp_path / "scan_notes").mkdir()
    remove_oldest(tmp_path, keep=2)
    assert (older.exists(), newer.exists(), newest.exists()) == (False, True, True)
    assert (tmp_path / "scan_notes").exists()


def test_lists_in_use_are_spared_however_old_and_none_else_beyond_those_to_keep(tmp_path):
    in_use, older, newest = (make_lists(tmp_path, *one) for one in ((1, 30), (2, 20), (3, 10)))
    remove_oldest(tmp_path, keep=2, spare=[in_use])
    assert (in_use.exists(), older.exists(), newest.exists()) == (True, False, True)
    remove_oldest(tmp_path, keep=0, spare=[in_use])
    assert (in_use.exists(), newest.exists()) == (True, False)


def test_lists_just_written_are_never_removed(tmp_path):
    just_written = make_lists(tmp_path, 1, 0)
    remove_oldest(tmp_path, keep=0)
    assert just_written.exists()


@pytest.mark.django_db
def test_a_scan_keeps_its_lists_beside_those_that_another_database_left(archive, write_run, settings):
    settings.SEQAUTO_KEEP_SCAN_LISTS = 2
    write_run(archive / "exome")
    for number in (9001, 9002, 9003):
        make_lists(settings.SEQAUTO_SCAN_RESOURCES_DIR, number, number)
    scan = scan_well()
    assert len(list(ListReader(lists_folder(scan)).runs())) == 1


@pytest.mark.django_db
def test_a_scan_leaves_nothing_of_an_earlier_scan_of_its_number_among_its_lists(archive, write_run, settings):
    write_run(archive / "exome", fastqs=False)
    following = scan_well().pk + 1
    make_lists(settings.SEQAUTO_SCAN_RESOURCES_DIR, following, 0)
    scan = scan_well()
    assert scan.pk == following
    assert "fastq.tsv" not in dict(names_and_sizes(lists_folder(scan)))


@pytest.mark.django_db(transaction=True)  # a scan that fails takes a new connection
def test_lists_that_cannot_be_written_end_the_scan_and_name_the_place_and_the_remedy(
    archive, write_run, settings
):
    """A device in the place of the folder, where nothing can be written."""
    run = write_run(archive / "exome")
    folder = settings.SEQAUTO_SCAN_RESOURCES_DIR
    folder.parent.mkdir(exist_ok=True)
    folder.symlink_to("/dev/full")
    scan = scan_disks()
    assert scan.status == ScanStatus.ERROR
    assert f"A file list under {folder} could not be written" in scan.error
    assert "has room" in scan.remedy
    folder.unlink()
    scan_well()
    assert set(file_states(run).values()) == {"complete"}

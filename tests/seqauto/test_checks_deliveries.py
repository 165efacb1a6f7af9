"""Settings of deliveries that cannot work are named at start; a disk that is away stops nothing."""

from pathlib import Path

import pytest
from mounting import mount_small
from test_checks import ids

from seqauto import checks

FOLDERS = {
    "INCOMING_DIRS": [Path("/data/incoming")],
    "BACKUP_DIR": Path("/data/backup"),
    "FASTQ_DIR": Path("/data/fastq"),
}


def test_folders_that_are_not_there_are_no_reason_not_to_start(settings):
    assert ids(settings, **FOLDERS) == []
    assert ids(settings, INCOMING_DIRS=[], BACKUP_DIR=None, FASTQ_DIR=None) == []


def test_incoming_folders_may_lie_in_an_archive_that_is_scanned(settings):
    assert ids(settings, **FOLDERS, SCAN_ROOTS=[Path("/data")]) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"INCOMING_DIRS": [Path("/data/incoming"), Path("/data/incoming")]},
        {"INCOMING_DIRS": [Path("/data/incoming"), Path("/data/incoming/nextseq")]},
        {"BACKUP_DIR": Path("/data/incoming")},
        {"BACKUP_DIR": Path("/data/incoming/backup")},
        {"FASTQ_DIR": Path("/data/incoming/fastq")},
        {"FASTQ_DIR": Path("/data/backup")},
        {"FASTQ_DIR": Path("/data/backup/fastq")},
        {"BACKUP_DIR": Path("/data/fastq/backup")},
        {"BACKUP_DIR": None, "FASTQ_DIR": Path("/data/incoming")},
    ],
)
def test_no_folder_of_a_delivery_lies_in_another(settings, changed):
    assert ids(settings, **{**FOLDERS, **changed}) == ["seqauto.E012"]


@pytest.mark.parametrize("name", ["", "../x", "no project", "-rf", "none"])
def test_promise_49_the_name_for_no_project_can_stand_in_a_key(settings, name):
    assert ids(settings, NO_PROJECT=name) == ["seqauto.E013"]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("", []), ("lab", []), ("/lab/runs/", []), ("lab/../x", ["seqauto.E014"]), ("a b", ["seqauto.E014"])],
)
def test_promise_49_the_prefix_can_stand_in_a_key(settings, prefix, expected):
    assert ids(settings, S3_FASTQ_PREFIX=prefix) == expected


@pytest.mark.parametrize(
    ("owner", "expected"),
    [("", []), ("123456789012", []), ("12345678901", ["seqauto.E015"]), ("our-lab", ["seqauto.E015"])],
)
def test_promise_55_the_owner_of_a_bucket_is_an_account(settings, owner, expected):
    assert ids(settings, S3_BUCKET_OWNER=owner) == expected


@pytest.mark.parametrize(
    ("converters", "expected"), [(["picard", "bcl2fastq"], []), (["picard", "bclconvert"], ["seqauto.E016"])]
)
def test_converters_are_known_ones(settings, converters, expected):
    assert ids(settings, CONVERTERS=converters) == expected


@pytest.mark.parametrize(
    ("programs", "expected"),
    [
        ({"bcl-convert": "/opt/bcl-convert"}, []),
        ({"bclconvert": "/opt/bcl-convert"}, ["seqauto.E017"]),
        ({"picard": ["java", "-jar"]}, ["seqauto.E017"]),
    ],
)
def test_programs_are_of_known_converters(settings, programs, expected):
    assert ids(settings, CONVERTER_PROGRAMS=programs) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"sources": {"days": 1}},
        {"source": 21},
        {"source": {"days": "21"}},
        {"source": {"days": -1}},
        {"backup": {"enabled": 1}},
        {"fastqs": {"version": "2"}},
    ],
)
def test_rules_of_the_clean_up_that_mean_nothing_are_named(settings, wrong):
    assert ids(settings, CLEAN_UP_RULES=wrong) == ["seqauto.E030"]


def test_rules_of_the_clean_up_may_say_what_is_otherwise(settings):
    rules = {"source": {"days": 42, "proof_days": 10}, "backup": {"enabled": True}}
    assert ids(settings, CLEAN_UP_RULES=rules) == []


def test_backups_on_the_disk_of_the_runs_are_warned_of(settings, tmp_path, mount):
    settings.SEQAUTO_INCOMING_DIRS = [tmp_path, Path("/data/away")]
    settings.SEQAUTO_BACKUP_DIR = tmp_path / "backup"
    assert checks.check_disks() == []  # it is away
    settings.SEQAUTO_BACKUP_DIR.mkdir()
    (warning,) = checks.check_disks()
    assert warning.id == "seqauto.W002"
    assert str(tmp_path / "backup") in warning.msg
    settings.SEQAUTO_BACKUP_DIR = mount_small(tmp_path / "other", "1m")
    assert checks.check_disks() == []

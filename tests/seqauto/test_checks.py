"""Settings that cannot work are named at start, each with what to do."""

import pytest
from django.core.checks import run_checks

from seqauto.checks import check_settings


def ids(settings, **changed) -> list[str]:
    """Ids of the complaints about these settings."""
    for name, value in changed.items():
        setattr(settings, f"SEQAUTO_{name}", value)
    complaints = check_settings()
    assert all(complaint.msg.startswith("SEQAUTO_") for complaint in complaints)
    return [complaint.id for complaint in complaints]


def test_the_settings_as_they_come_are_in_order(settings):
    assert ids(settings) == []


def test_the_checks_are_a_part_of_djangos_own(settings):
    settings.SEQAUTO_SCAN_TIMES = ["noon"]
    assert "seqauto.E005" in [complaint.id for complaint in run_checks()]


@pytest.mark.parametrize(
    ("roots", "expected"),
    [
        (["/data"], []),
        (["/data", "/data2"], []),
        (["data/runs"], ["seqauto.E001"]),
        (["/data\n/runs"], ["seqauto.E001"]),
        (["/data", "/data/runs"], ["seqauto.E002"]),
        (["/data", "/data"], ["seqauto.E002", "seqauto.E002"]),
        (["/"], ["seqauto.E011"]),
        (["/data/.."], ["seqauto.E001"]),
    ],
)
def test_roots_are_full_paths_and_none_lies_in_another(settings, roots, expected):
    assert ids(settings, SCAN_ROOTS=roots) == expected


@pytest.mark.parametrize("name", ["SKIP_PATTERNS", "CONTROL_SAMPLE_PATTERN"])
def test_patterns_are_regular_expressions(settings, name):
    wrong = "(" if name.startswith("CONTROL") else ["fine", "("]
    assert ids(settings, **{name: wrong}) == ["seqauto.E003"]


@pytest.mark.parametrize(
    "pattern", ["{sample}.fastq.gz", "{sample_id", "../{sample_id}.gz", "/x/{sample_id}.gz", "x.gz"]
)
def test_patterns_of_fastqs_name_a_sample_and_stay_inside_the_run(settings, pattern):
    assert ids(settings, FASTQ_PATTERNS=["{sample_id}_{read}.fastq.gz", pattern]) == ["seqauto.E004"]


@pytest.mark.parametrize(
    ("time", "is_right"), [("06:00", True), ("6:05", True), ("23:59", True), ("24:00", False), ("6", False)]
)
def test_times_are_times_of_day(settings, time, is_right):
    assert ids(settings, SCAN_TIMES=[time]) == ([] if is_right else ["seqauto.E005"])


def test_a_heartbeat_comes_at_least_twice_a_lease(settings):
    assert ids(settings, LEASE_SECONDS=60, HEARTBEAT_SECONDS=30) == []
    assert ids(settings, LEASE_SECONDS=60, HEARTBEAT_SECONDS=31) == ["seqauto.E006"]


@pytest.mark.parametrize(
    ("scripts", "expected"),
    [
        ({"fastq": "/bin/sh -c 'find \"$0\"'"}, []),
        ({"fastq": "find"}, []),  # of the PATH
        ({"fastq": "/nowhere/find.sh"}, ["seqauto.W001"]),
        ({"vinyl": "/bin/sh"}, ["seqauto.E007"]),
        ({"fastq": ""}, ["seqauto.E008"]),
        ({"fastq": "/bin/sh 'half a quote"}, ["seqauto.E008"]),
        ({"fastq": ["/bin/sh"]}, ["seqauto.E008"]),
    ],
)
def test_find_scripts_are_commands_for_known_types(settings, scripts, expected):
    assert ids(settings, FIND_SCRIPTS=scripts) == expected


@pytest.mark.parametrize(
    ("markers", "expected"),
    [
        ({"MiSeq": ["RTAComplete.txt"]}, []),
        ({"NextSeq 500": ["RTAComplete.txt"]}, ["seqauto.E009"]),  # it is "NextSeq 500/550"
        ({"MiSeq": "RTAComplete.txt"}, ["seqauto.E010"]),
        ({"MiSeq": [1]}, ["seqauto.E010"]),
    ],
)
def test_markers_are_lists_of_names_for_known_models(settings, markers, expected):
    assert ids(settings, MARKERS=markers) == expected

"""Runs that the lab wants passed over, and what happens when it changes its mind."""

import pytest
from scanning import file_states, open_codes, run_of, scan_well

from seqauto.models.runs import RunState

pytestmark = pytest.mark.django_db

MARKER = ".variantgrid_skip_flowcell"


def test_a_marker_in_a_group_folder_skips_every_run_below_it_with_the_reason(archive, write_run):
    runs = [write_run(archive / "pilot", number=1), write_run(archive / "pilot" / "2026", number=2)]
    other = write_run(archive / "exome", number=3)
    (archive / "pilot" / MARKER).touch()
    scan = scan_well()
    for run in runs:
        assert run_of(run).state == RunState.SKIPPED
        assert run_of(run).state_reason == f"{MARKER} in {archive}/pilot"
        assert (file_states(run), open_codes(run)) == ({}, set())
    assert run_of(other).state == RunState.COMPLETE
    assert (scan.runs_found, scan.runs_skipped) == (3, 2)


def test_a_marker_in_a_run_folder_skips_that_run_with_the_reason(archive, write_run):
    skipped, other = [write_run(archive / "exome", number=n) for n in range(2)]
    (skipped / MARKER).touch()
    scan_well()
    assert (run_of(skipped).state, run_of(skipped).state_reason) == (
        RunState.SKIPPED, f"{MARKER} in the run folder"
    )  # fmt: skip
    assert run_of(other).state == RunState.COMPLETE


def test_the_markers_name_is_a_setting(archive, write_run, settings):
    settings.SEQAUTO_SKIP_MARKER = "do_not_scan"
    run, other = [write_run(archive / "exome", number=n) for n in range(2)]
    (run / "do_not_scan").touch()
    (other / MARKER).touch()
    scan_well()
    assert [run_of(run).state, run_of(other).state] == [RunState.SKIPPED, RunState.COMPLETE]


def test_a_skip_pattern_skips_the_runs_whose_path_it_matches(archive, write_run, settings):
    settings.SEQAUTO_SKIP_PATTERNS = ["^test/", "_repeat$"]
    skipped = [write_run(archive / "test", number=1), write_run(archive / "exome", number=2, suffix="repeat")]
    other = write_run(archive / "latest", number=3)
    scan_well()
    assert [run_of(run).state_reason for run in skipped] == [
        "its path matches the skip pattern ^test/",
        "its path matches the skip pattern _repeat$",
    ]
    assert run_of(other).state == RunState.COMPLETE


def test_a_run_that_is_skipped_no_more_is_recorded(archive, write_run):
    run = write_run(archive / "exome")
    (archive / MARKER).touch()
    scan_well()
    (archive / MARKER).unlink()
    scan = scan_well()
    assert (run_of(run).state, run_of(run).state_reason) == (RunState.COMPLETE, "")
    assert set(file_states(run).values()) == {"complete"}
    assert scan.runs_changed == 1


def test_a_known_run_that_gets_skipped_keeps_what_is_known_of_it_and_says_nothing_more(archive, write_run):
    run = write_run(archive / "exome", missing=("*R2*",))
    scan_well()
    before = file_states(run)
    assert open_codes(run) == {"files_missing"}
    (run / MARKER).touch()
    scan_well()
    assert (run_of(run).state, file_states(run), open_codes(run)) == (RunState.SKIPPED, before, set())
    assert scan_well().runs_changed == 0
    (run / MARKER).unlink()
    scan_well()
    assert (run_of(run).state, open_codes(run)) == (RunState.INCOMPLETE, {"files_missing"})


def test_skipping_every_run_is_not_losing_them(archive, write_run):
    runs = [write_run(archive / "exome", number=n) for n in range(3)]
    scan_well()
    (archive / MARKER).touch()
    scan_well()
    assert {run_of(run).state for run in runs} == {RunState.SKIPPED}


def test_a_skipped_run_whose_folder_is_gone_is_deleted(archive, write_run):
    runs = [write_run(archive / "exome", number=n) for n in range(3)]
    (runs[0] / MARKER).touch()
    scan_well()
    runs[0].rename(archive.parent / "aside")
    scan_well()
    assert run_of(runs[0]).state == RunState.DELETED

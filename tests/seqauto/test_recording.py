"""One run is recorded in one short transaction, and what goes wrong with it stays with it."""

import shutil

import pytest
from django.db import OperationalError
from scanning import file_states, open_codes, run_of, said, scan_disks, scan_well

from seqauto import recording
from seqauto.models import Experiment, Message, Sequencer, SequencingRun
from seqauto.models.runs import RunState
from seqauto.models.scans import ScanStatus

pytestmark = pytest.mark.django_db


@pytest.fixture
def fail_at(monkeypatch):
    """Makes the last write of one run fail, by a part of its name."""

    def fail(part: str, error: Exception) -> None:
        really_save = recording.save_files

        def save(run, *args):
            if part in run.name:
                raise error
            return really_save(run, *args)

        monkeypatch.setattr(recording, "save_files", save)

    return fail


@pytest.mark.django_db(transaction=True)
def test_promise_40_a_run_that_cannot_be_recorded_is_an_error_there_and_nowhere_else(
    archive, write_run, fail_at
):
    broken, *others = [write_run(archive / "exome", number=n) for n in range(1, 4)]
    fail_at("_0001_", ValueError("by the test\nrow 17 of a table"))
    scan_well()
    assert run_of(broken).state == RunState.ERROR
    assert said("unexpected_error", broken).text == (
        "This run could not be recorded: ValueError: by the test"
    )
    assert (run_of(broken).samples.count(), run_of(broken).files.count()) == (0, 0)
    # Its sequencer was made with it and went with it; the runs after it make it anew.
    assert {run_of(run).state for run in others} == {RunState.COMPLETE}
    assert {run_of(run).sequencer for run in others} == {Sequencer.objects.get()}
    assert Experiment.objects.count() == 2


def test_a_failed_run_is_tried_again_by_the_next_scan_and_said_once(archive, write_run, fail_at, monkeypatch):
    run = write_run(archive / "exome")
    fail_at("_0031_", ValueError("by the test"))
    scan_well()
    scan_well()
    assert Message.objects.count() == 1
    monkeypatch.undo()
    scan_well()
    assert (run_of(run).state, open_codes(run)) == (RunState.COMPLETE, set())


def test_a_known_run_that_fails_keeps_what_was_known(archive, write_run, fail_at):
    run = write_run(archive / "exome", samples=2)
    scan_well()
    before = file_states(run)
    next(run.rglob("*-01_*_R1_*")).unlink()
    fail_at("_0031_", ValueError("by the test"))
    scan_well()
    assert (run_of(run).state, file_states(run)) == (RunState.ERROR, before)


def test_a_moved_run_that_fails_is_not_lost(archive, write_run, fail_at):
    run = write_run(archive / "exome", samples=2)
    write_run(archive / "exome", number=2)
    scan_well()
    known = run_of(run)
    (archive / "old").mkdir()
    moved = run.rename(archive / "old" / run.name)
    fail_at("_0031_", ValueError("by the test"))
    scan_well()
    assert run_of(moved).state == RunState.ERROR
    assert SequencingRun.objects.get(pk=known.pk).state == RunState.DELETED


@pytest.mark.django_db(transaction=True)
def test_a_database_that_fails_ends_the_scan_and_is_no_runs_fault(archive, write_run, fail_at):
    runs = [write_run(archive / "exome", number=n) for n in range(1, 4)]
    fail_at("_0002_", OperationalError("server closed the connection unexpectedly"))
    scan = scan_disks()
    assert scan.status == ScanStatus.ERROR
    assert "server closed the connection" in scan.error
    assert [run.path for run in SequencingRun.objects.all()] == [str(runs[0])]  # what was done is whole
    assert run_of(runs[0]).state == RunState.COMPLETE


def test_runs_of_one_instrument_and_experiment_share_their_rows(archive, write_run):
    for number in range(3):
        write_run(archive / "exome", number=number, experiment_name="Trio 7")
    write_run(archive / "exome", instrument="iSeq 100", experiment_name="")
    scan_well()
    assert sorted(Sequencer.objects.values_list("serial", "model")) == [
        ("FS10001773", "iSeq 100"), ("M00879", "MiSeq")
    ]  # fmt: skip
    assert Experiment.objects.get().runs.count() == 3


def test_an_experiments_name_longer_than_any_name_is_told_and_spoils_nothing(archive, write_run):
    run = write_run(archive / "exome", experiment_name="x" * 3000)
    scan_well()
    assert (run_of(run).state, run_of(run).experiment) == (RunState.COMPLETE, None)
    assert said("too_long", run).severity == "error"


def test_paths_that_trade_places_stay_unique(archive, write_run):
    run = write_run(archive / "exome", samples=2)
    scan_well()
    rows = dict(run_of(run).files.values_list("path", "pk"))
    one, two = (next(run.rglob(f"*-0{n}_*_R1_*")) for n in (1, 2))
    two.write_bytes(two.read_bytes() + b"more")
    aside = one.rename(run / "aside")
    two.rename(one)
    aside.rename(two)
    scan = scan_well()
    assert dict(run_of(run).files.values_list("path", "pk")) == rows
    assert scan.files_changed == 2


def test_files_renumbered_by_a_converter_keep_their_rows(archive, write_run):
    run = write_run(archive / "exome", samples=3)
    scan_well()
    rows = set(run_of(run).files.exclude(sample=None).values_list("pk", "sample__sample_id", "read"))
    for path in run.rglob("*_S[123]_*"):
        number = int(path.name.partition("_S")[2][0])
        path.rename(path.with_name(path.name.replace(f"_S{number}_", f"_S{(number % 3) + 11}_")))
    scan_well()
    assert set(run_of(run).files.exclude(sample=None).values_list("pk", "sample__sample_id", "read")) == rows
    assert set(file_states(run).values()) == {"complete"}
    assert all("_S1" in name for name in file_states(run))


def test_promise_40_a_gone_run_that_cannot_be_recorded_says_so_and_the_others_are_recorded(
    archive, write_run, monkeypatch
):
    runs = [write_run(archive / "exome", number=number) for number in range(4)]
    scan_well()
    for run in runs[:2]:
        shutil.rmtree(run)
    really_record = recording.Recorder._record_deleted

    def record(self, known):
        if known.path == str(runs[0]):
            raise ValueError("of this run only")
        really_record(self, known)

    monkeypatch.setattr(recording.Recorder, "_record_deleted", record)
    scan_well()
    assert (run_of(runs[0]).state, run_of(runs[1]).state) == (RunState.COMPLETE, RunState.DELETED)
    assert open_codes(runs[0]) == {"unexpected_error"}
    monkeypatch.undo()
    scan_well()
    assert run_of(runs[0]).state == RunState.DELETED
    assert open_codes(runs[0]) == {"run_deleted"}

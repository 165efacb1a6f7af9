"""Watching the incoming folders: what lands is found, what is unfinished is left alone."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from delivering import (
    deliver,
    delivery_of,
    events_of,
    folder_row,
    land_run,
    look,
    rules_for,
    snapshot,
    state_of,
    step_of,
    steps_of,
    whole_story,
    work,
    write_cycle,
)
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from ordinary_user import unreadable

from seqauto import decisions, delivery_work, incoming, proving, settling
from seqauto.delivery_rules import ProvingRules, rules_of_settings
from seqauto.models import AuditEntry, Delivery
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from sequencing.demo import INSTRUMENTS
from sequencing.disk import walkers

pytestmark = pytest.mark.django_db

STATUS = "<RunCompletionStatus><CompletionStatus>{}</CompletionStatus></RunCompletionStatus>"


@pytest.fixture
def rules(tmp_path):
    return rules_for(tmp_path)


def settle(rules) -> None:
    look(rules)
    look(rules)


def unfinished(rules, missing: str | None = None, **fields) -> Path:
    """A run without one of its instrument's markers; without any where none is named."""
    all_markers = INSTRUMENTS[fields.get("instrument", "MiSeq")].markers
    markers = [marker for marker in all_markers if missing and marker != missing]
    return land_run(rules, markers=markers, **fields)


def only_delivery() -> Delivery:
    return Delivery.objects.get()


# ---- finding ----


def test_promise_01_a_run_that_landed_while_nobody_watched_is_found_once(rules):
    run = land_run(rules)
    for _ in range(3):
        look(rules)
    assert only_delivery().path == str(run)
    assert [text for text in events_of(run) if text.startswith("Found")] == [f"Found in {rules.roots[0]}"]
    assert step_of(run, StepKind.SETTLE).state == StepState.DONE


def test_promise_02_runs_are_found_without_any_event_and_a_second_look_changes_nothing(rules):
    finished, sequencing = land_run(rules), unfinished(rules, number=32)
    (rules.incoming[0] / "notes").mkdir()
    settle(rules)
    before, files = whole_story(), snapshot(rules.incoming[0])
    look(rules)
    assert whole_story() == before
    assert snapshot(rules.incoming[0]) == files
    assert (state_of(finished), state_of(sequencing)) == (DeliveryState.DELIVERING, DeliveryState.SEQUENCING)


def test_promise_02_an_idle_look_asks_the_database_no_more_for_more_settled_runs(tmp_path):
    rules = rules_for(tmp_path, relist_seconds=3600)
    land_run(rules)
    settle(rules)
    of_one = queries_of_a_look(rules)
    for number in range(40, 44):
        land_run(rules, number=number)
    settle(rules)
    assert queries_of_a_look(rules) == of_one


def queries_of_a_look(rules) -> int:
    with CaptureQueriesContext(connection) as queries:
        look(rules)
    return len(queries)


def test_promise_06_a_run_that_is_copied_into_place_is_found_when_it_is_whole(rules, tmp_path):
    elsewhere = rules_for_other_disk(tmp_path)
    whole = land_run(elsewhere)
    subprocess.run(["cp", "-a", str(whole), str(rules.incoming[0])], check=True)
    run = rules.incoming[0] / whole.name
    settle(rules)
    assert state_of(run) == DeliveryState.DELIVERING


def rules_for_other_disk(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    return rules_for(other)


@pytest.mark.parametrize("looks", [1, 2], ids=["while it settles", "settled"])
def test_promise_06_a_run_that_is_moved_or_renamed_stays_the_same_delivery(rules, looks):
    run = land_run(rules)
    for _ in range(looks):
        look(rules)
    before = delivery_of(run)
    moved = rules.incoming[0] / "exome" / f"Exome_7_{run.name}"
    moved.parent.mkdir()
    run.rename(moved)
    settle(rules)
    after = only_delivery()
    assert (after.pk, after.path, after.name) == (before.pk, str(moved), moved.name)
    assert (after.state, after.gone_at, after.listing) == (DeliveryState.DELIVERING, None, before.listing)
    assert f"Moved from {run} to {moved}" in events_of(moved)
    assert not [text for text in events_of(moved) if "no longer there" in text]


def test_promise_06_a_delivered_run_that_is_moved_stays_delivered(tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    run = land_run(rules)
    deliver(rules)
    before = delivery_of(run)
    moved = rules.incoming[0] / "done" / run.name
    moved.parent.mkdir()
    run.rename(moved)
    assert look(rules) == []
    after = only_delivery()
    assert (after.state, after.delivered_at, after.path) == ("delivered", before.delivered_at, str(moved))


def test_promise_06_a_run_that_comes_back_with_other_files_begins_again(rules):
    run = land_run(rules)
    settle(rules)
    shelf = rules.logs_dir.parent / "shelf"
    run.rename(shelf)
    look(rules)
    assert state_of(run) == DeliveryState.GONE
    shutil.copytree(shelf, run)
    (run / "Data/Intensities/BaseCalls/L001/C10.1/s_1_1101.bcl").unlink()  # half copied
    assert look(rules) == []
    assert state_of(run) == DeliveryState.SETTLING


def test_promise_06_a_run_that_is_moved_under_a_step_begins_it_again_at_its_new_place(tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    run = land_run(rules)
    look(rules)
    (step,) = look(rules)
    at_work = delivery_work.begin(step)
    moved = run.rename(run.with_name(f"Panel_{run.name}"))
    look(rules)
    at_work.fail(delivery_work.StepProblem("source", f"{run} is not there", "Look for it"))
    assert steps_of(moved)["back_up"] == StepState.WAITING
    deliver(rules)
    assert state_of(moved) == DeliveryState.DELIVERED


def test_promise_06_a_step_that_failed_while_its_run_was_away_begins_again(tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    run = land_run(rules)
    look(rules)
    (step,) = look(rules)
    aside = run.rename(tmp_path / "aside")
    work([step], rules)
    assert step_of(run, StepKind.BACK_UP).state == StepState.FAILED
    look(rules)
    aside.rename(run)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED


# ---- ready or not ----

WITH_MARKERS = [
    (model, marker)
    for model, markers in {
        "MiSeq": ["RTAComplete.txt"],
        "MiniSeq": ["RTAComplete.txt", "RunCompletionStatus.xml"],
        "NextSeq 500": ["RTAComplete.txt", "RunCompletionStatus.xml"],
        "NextSeq 2000": ["CopyComplete.txt", "RTAComplete.txt", "RunCompletionStatus.xml"],
        "iSeq 100": ["CopyComplete.txt", "RTAComplete.txt"],
        "HiSeq 2500": ["RTAComplete.txt", "Basecalling_Netcopy_complete.txt"],
        "HiSeq 4000": ["RTAComplete.txt", "SequencingComplete.txt"],
        "NovaSeq 6000": ["CopyComplete.txt", "RTAComplete.txt", "SequenceComplete.txt"],
        "NovaSeq X": ["CopyComplete.txt", "RTAComplete.txt", "RunCompletionStatus.xml"],
    }.items()
    for marker in markers
]


def test_promise_03_no_instrument_is_ready_without_each_of_its_markers(rules):
    runs = {
        unfinished(rules, marker, instrument=model, number=number): marker
        for number, (model, marker) in enumerate(WITH_MARKERS, 1)
    }
    settle(rules)
    for run, marker in runs.items():
        assert state_of(run) == DeliveryState.SEQUENCING, run
        assert marker.removesuffix(".txt") in delivery_of(run).reason
    for run, marker in runs.items():
        (run / marker).write_text(STATUS.format("CompletedAsPlanned") if marker.endswith(".xml") else "")
    settle(rules)
    assert {state_of(run) for run in runs} == {DeliveryState.DELIVERING}


def rules_elsewhere(rules):
    other = rules.logs_dir.parent / "elsewhere"
    other.mkdir(exist_ok=True)
    return rules_for(other)


def test_promise_03_a_lab_may_ask_for_more_markers(rules, tmp_path):
    run = land_run(rules)
    asking = rules_for(tmp_path, markers={"MiSeq": ["RTAComplete.txt", "LabSaysDone.txt"]})
    settle(asking)
    assert (state_of(run), "LabSaysDone.txt" in delivery_of(run).reason) == (DeliveryState.SEQUENCING, True)
    (run / "LabSaysDone.txt").touch()
    settle(asking)
    assert state_of(run) == DeliveryState.DELIVERING


def test_promise_03_a_person_may_begin_without_the_markers_with_a_reason(rules, admin_user):
    run = unfinished(rules)
    settle(rules)
    with pytest.raises(decisions.DecisionRefused, match="reason"):
        decisions.deliver_now(delivery_of(run), admin_user, "  ")
    assert state_of(run) == DeliveryState.SEQUENCING
    decisions.deliver_now(delivery_of(run), admin_user, "The instrument's disk was full at the end")
    assert look(rules) == []  # two equal listings are asked for all the same
    assert state_of(run) == DeliveryState.SETTLING
    look(rules)
    assert state_of(run) == DeliveryState.DELIVERING
    assert step_of(run, StepKind.SETTLE).duration
    forced = delivery_of(run).events.get(user=admin_user)
    assert (forced.text, forced.reason) == (
        "Delivered without its markers", "The instrument's disk was full at the end",
    )  # fmt: skip


def test_a_run_that_the_instrument_ended_as_failed_waits_for_a_person(rules, admin_user):
    run = land_run(rules, instrument="NextSeq 2000")
    (run / "RunCompletionStatus.xml").write_text(STATUS.format("InstrumentError"))
    settle(rules)
    assert state_of(run) == DeliveryState.RUN_FAILED
    assert "InstrumentError" in delivery_of(run).reason
    assert set(steps_of(run).values()) == {StepState.WAITING}
    decisions.deliver_now(delivery_of(run), admin_user, "Read 1 is whole")
    settle(rules)
    assert state_of(run) == DeliveryState.DELIVERING


def test_an_unknown_instrument_waits_for_a_person(rules):
    run = land_run(rules)
    xml = (run / "RunInfo.xml").read_text()
    (run / "RunInfo.xml").write_text(xml.replace("<Instrument>M00879<", "<Instrument>ZZ00879<"))
    settle(rules)
    assert state_of(run) == DeliveryState.WAITING
    assert "No markers of completion are known for this instrument" in delivery_of(run).reason
    assert "by hand" in delivery_of(run).remedy


def test_sequencing_is_followed_by_its_cycles_and_a_run_without_new_ones_has_stalled(rules):
    run = unfinished(rules, calls=3, cycles=5)
    look(rules)
    assert (delivery_of(run).cycles, delivery_of(run).cycles_total) == (3, 5 + 10 + 10 + 5)
    hours_ago = timezone.now() - timedelta(hours=7)
    Delivery.objects.update(progress_at=hours_ago)
    look(rules)
    assert state_of(run) == DeliveryState.STALLED
    assert "No new cycle for 7 hours" in delivery_of(run).reason
    write_cycle(run, 4)
    look(rules)
    assert (state_of(run), delivery_of(run).cycles) == (DeliveryState.SEQUENCING, 4)


def test_a_run_is_what_run_info_says_even_where_that_comes_after_the_folder(rules):
    run = land_run(rules)
    xml = run / "RunInfo.xml"
    text = xml.read_text()
    xml.unlink()
    look(rules)
    assert delivery_of(run).instrument == "M00879"
    xml.write_text(text.replace("<Instrument>M00879<", "<Instrument>M09999<"))
    settle(rules)
    assert delivery_of(run).identity.startswith("M09999_31_")
    assert state_of(run) == DeliveryState.DELIVERING


# ---- two equal listings ----


def test_promise_04_two_equal_listings_are_asked_for(rules):
    run = land_run(rules)
    for cycle in range(11, 14):
        look(rules)
        assert state_of(run) == DeliveryState.SETTLING
        write_cycle(run, cycle)  # the marker came before the last of the data
    look(rules)
    assert state_of(run) == DeliveryState.SETTLING
    look(rules)
    assert (state_of(run), step_of(run, StepKind.SETTLE).figures["files"]) == (
        DeliveryState.DELIVERING, delivery_of(run).files,
    )  # fmt: skip


def test_promise_04_the_listings_must_be_far_enough_apart(tmp_path):
    rules = rules_for(tmp_path, settle_seconds=300)
    run = land_run(rules)
    for _ in range(3):
        look(rules)
    assert state_of(run) == DeliveryState.SETTLING
    Delivery.objects.update(listing_at=timezone.now() - timedelta(seconds=301))
    look(rules)
    assert state_of(run) == DeliveryState.DELIVERING


def test_promise_04_a_file_overwritten_in_place_with_equal_size_is_a_change(rules):
    run = land_run(rules)
    look(rules)
    calls = run / "Data/Intensities/BaseCalls/L001/C1.1/s_1_1101.bcl"
    calls.write_bytes(calls.read_bytes()[:-1] + b"\xff")
    os.utime(calls, ns=(0, 1))
    look(rules)
    assert state_of(run) == DeliveryState.SETTLING


def test_promise_04_a_later_change_reopens_a_delivered_run(tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    run = land_run(rules)
    deliver(rules)
    in_s3, backup = s3_server.objects(), snapshot(rules.backup_dir)
    write_cycle(run, 11)
    look(rules)
    assert (state_of(run), delivery_of(run).delivered_at) == (DeliveryState.SETTLING, None)
    deliver(rules)
    # The old copy is neither overwritten nor taken for a copy of what is there now: the new one has a number.
    assert step_of(run, StepKind.BACK_UP).figures["folder"] == f"{rules.backup_dir / run.name}_2"
    assert list((rules.backup_dir / f"{run.name}_2").rglob("C11.1/*.bcl"))
    assert backup.items() <= snapshot(rules.backup_dir).items()
    # FASTQs of the run as it was are not taken for those of what it is: a person says "convert again".
    assert (state_of(run), step_of(run, StepKind.CONVERT).code) == (DeliveryState.WAITING, "conflict")
    assert s3_server.objects() == in_s3


def test_promise_04_a_changed_sheet_alone_leaves_the_backup_and_the_delivery_as_they_are(tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    run = land_run(rules)
    deliver(rules)
    sheet = run / "SampleSheet.csv"
    sheet.write_bytes(sheet.read_bytes() + b"\n")
    assert look(rules) == []
    assert state_of(run) == DeliveryState.DELIVERED
    assert events_of(run)[-1] == "The sample sheet was changed after the run had settled"
    assert step_of(run, StepKind.BACK_UP).attempts == 1
    assert look(rules) == []
    assert events_of(run).count("The sample sheet was changed after the run had settled") == 1


def test_promise_13_an_empty_folder_never_settles(rules, admin_user):
    run = rules.incoming[0] / "260302_M00879_0031_000000000-A69NA"
    run.mkdir()
    look(rules)
    decisions.deliver_now(delivery_of(run), admin_user, "I am in a hurry")
    for _ in range(3):
        assert look(rules) == []
    assert (state_of(run), delivery_of(run).reason) == (DeliveryState.WAITING, "The run folder is empty.")


def test_promise_13_a_settled_run_whose_files_are_gone_begins_again(rules):
    run = land_run(rules)
    settle(rules)
    shutil.rmtree(run)
    run.mkdir()
    for _ in range(3):
        assert look(rules) == []
    assert state_of(run) != DeliveryState.DELIVERING


# ---- disks that fail ----


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A small disk of its own at a folder."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True)
    if done.returncode:
        pytest.skip("needs the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def deliveries_and_steps() -> dict:
    return {name: rows for name, rows in whole_story().items() if name != "IncomingFolder"}


def test_promise_05_an_unmounted_disk_changes_no_delivery(rules):
    with mounted(rules.incoming[0]):
        land_run(rules)
        unfinished(rules, number=32)
        settle(rules)
        before = deliveries_and_steps()
    look(rules)
    assert deliveries_and_steps() == before
    assert "another disk stands here" in folder_row(rules).error
    assert "mounted" in folder_row(rules).remedy
    assert not Delivery.objects.filter(gone_at__isnull=False).exists()


def test_promise_05_another_disk_in_its_place_changes_no_delivery_until_it_is_marked_as_meant(rules):
    with mounted(rules.incoming[0]):
        run = land_run(rules)
        settle(rules)
    with mounted(rules.incoming[0]), mounted(rules.incoming[0]):  # numbers of disks are used again
        look(rules)
        assert folder_row(rules).error
        assert delivery_of(run).gone_at is None
        (rules.incoming[0] / ".seqauto_root").touch()
        look(rules)
        assert (folder_row(rules).error, state_of(run)) == ("", DeliveryState.GONE)


def test_promise_05_a_disk_that_has_only_another_number_after_a_restart_is_the_same(rules, tmp_path):
    with mounted(rules.incoming[0]):
        run = land_run(rules)
        settle(rules)
        subprocess.run(["cp", "-a", f"{rules.incoming[0]}/.", str(tmp_path / "kept")], check=True)
    with mounted(rules.incoming[0]), mounted(rules.incoming[0]):
        subprocess.run(["cp", "-a", f"{tmp_path / 'kept'}/.", str(rules.incoming[0])], check=True)
        look(rules)
        assert folder_row(rules).error == ""
        assert (state_of(run), len(events_of(run))) == (DeliveryState.DELIVERING, 3)


def test_promise_05_the_disk_of_one_instrument_below_the_incoming_folder_is_told_and_loses_nothing(rules):
    other = land_run(rules, number=32)
    below = rules.incoming[0] / "novaseq"
    below.mkdir()
    with mounted(below):
        land_run(rules, into="novaseq")
        settle(rules)
        before = deliveries_and_steps()
    look(rules)
    assert Delivery.objects.get(path=str(below)).state == DeliveryState.UNRECOGNISED
    Delivery.objects.get(path=str(below)).delete()
    assert deliveries_and_steps() == before
    assert f"{below}: it is empty, as a disk is that is not mounted" in folder_row(rules).error
    assert state_of(other) == DeliveryState.DELIVERING
    below.rmdir()
    look(rules)
    assert folder_row(rules).error == ""
    assert Delivery.objects.filter(state=DeliveryState.GONE).count() == 1


@pytest.mark.parametrize("call", ["scandir", "stat"])
def test_promise_05_an_input_output_error_during_a_walk_is_told_and_changes_nothing(rules, monkeypatch, call):
    run = land_run(rules)
    settle(rules)
    before = deliveries_and_steps()
    shutil.rmtree(run)  # what a dying disk shows of it
    failing = (
        "import os, errno\n"
        "def fail(*args, **options): raise OSError(errno.EIO, 'Input/output error')\n"
        f"os.{call} = fail\n"
    )
    monkeypatch.setattr(walkers, "_PROGRAM", f"{failing}{walkers._PROGRAM}")
    look(rules)
    assert "Input/output error" in folder_row(rules).error
    assert deliveries_and_steps() == before


def test_promise_05_a_missing_incoming_folder_is_told_and_found_again(rules):
    run = land_run(rules)
    settle(rules)
    before = deliveries_and_steps()
    aside = rules.incoming[0].with_name("aside")
    rules.incoming[0].rename(aside)
    look(rules)
    assert "No such file" in folder_row(rules).error
    aside.rename(rules.incoming[0])
    look(rules)
    assert folder_row(rules).error == ""
    assert (state_of(run), deliveries_and_steps()) == (DeliveryState.DELIVERING, before)


def test_promise_05_an_unreadable_incoming_folder_is_told(rules):
    run = land_run(rules)
    settle(rules)
    with unreadable(rules.incoming[0]):
        look(rules)
    assert "Permission denied" in folder_row(rules).error
    assert (state_of(run), delivery_of(run).gone_at) == (DeliveryState.DELIVERING, None)


def test_promise_05_a_group_that_cannot_be_read_hides_its_runs_but_loses_none(rules):
    run = land_run(rules, into="exome")
    other = land_run(rules, number=32)
    settle(rules)
    with unreadable(run.parent):
        look(rules)
        assert (state_of(run.parent), delivery_of(run).gone_at) == (DeliveryState.UNRECOGNISED, None)
        assert "cannot be read" in delivery_of(run.parent).reason
    look(rules)
    assert set(Delivery.objects.values_list("path", flat=True)) == {str(run), str(other)}
    assert state_of(run) == DeliveryState.DELIVERING


def test_a_run_folder_that_cannot_be_read_says_so_and_goes_on_when_it_can(rules):
    run, other = land_run(rules), land_run(rules, number=32)
    with unreadable(run):
        settle(rules)
        assert (state_of(run), delivery_of(run).reason) == (
            DeliveryState.WAITING, "The run folder cannot be read.",
        )  # fmt: skip
        assert state_of(other) == DeliveryState.DELIVERING
    settle(rules)
    assert state_of(run) == DeliveryState.DELIVERING


def test_a_settled_run_of_which_a_part_cannot_be_read_any_more_is_not_called_changed(rules):
    run = land_run(rules)
    settle(rules)
    with unreadable(run / "Data"):
        look(rules)
        assert state_of(run) == DeliveryState.DELIVERING
    look(rules)
    assert "Files changed" not in " ".join(events_of(run))


def test_a_run_of_which_a_part_cannot_be_read_does_not_settle(rules):
    run = land_run(rules)
    with unreadable(run / "Data"):
        settle(rules)
        look(rules)
        assert state_of(run) == DeliveryState.WAITING
        assert "Data could not be read" in delivery_of(run).reason
        assert "leave to read" in delivery_of(run).remedy
        before = events_of(run)
        look(rules)
        assert events_of(run) == before
    settle(rules)
    assert state_of(run) == DeliveryState.DELIVERING


# ---- gone, and back ----


def test_a_run_that_is_taken_away_is_gone_and_goes_on_where_it_was_when_it_is_back(rules):
    run = land_run(rules)
    settle(rules)
    aside = rules.logs_dir.parent / "aside"
    run.rename(aside)
    assert look(rules) == []
    assert (state_of(run), delivery_of(run).gone_at is not None) == (DeliveryState.GONE, True)
    assert StepState.QUEUED not in steps_of(run).values()
    aside.rename(run)
    assert len(look(rules)) == 1
    assert (state_of(run), delivery_of(run).gone_at) == (DeliveryState.DELIVERING, None)
    assert events_of(run)[-4:-2] == ["The folder is no longer there", "The folder is back"]


def test_a_run_that_is_removed_after_its_delivery_stays_delivered(tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    run = land_run(rules, into="exome")
    deliver(rules)
    shutil.rmtree(run)
    assert look(rules) == []
    assert (state_of(run), delivery_of(run).gone_at is not None) == (DeliveryState.DELIVERED, True)
    assert folder_row(rules).error == ""


def damaged_run(rules) -> tuple[Path, bytes]:
    """A delivered run whose backup was found to differ, and what its RunInfo.xml should hold."""
    run = land_run(rules, into="exome")
    deliver(rules)
    file = rules.backup_dir / run.name / "RunInfo.xml"
    good = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(bytes(len(good)))
    proving.prove_due(rules, ProvingRules(gb_a_day=1e6, every_days=0))
    assert (state_of(run), delivery_of(run).needs_a_person) == (DeliveryState.WAITING, True)
    return run, good


def test_a_damaged_backup_needs_a_person_all_the_more_when_the_run_folder_vanishes(tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    run, good = damaged_run(rules)
    before = delivery_of(run)
    shutil.rmtree(run)
    look(rules)
    delivery = delivery_of(run)
    assert delivery.gone_at
    assert delivery.needs_a_person
    assert (delivery.state, delivery.reason, delivery.remedy) == (before.state, before.reason, before.remedy)
    assert folder_row(rules).error == ""  # people may take away what was delivered, the group's last one too
    (rules.backup_dir / run.name / "RunInfo.xml").write_bytes(good)
    for copy in proving.copies([run.name]):
        proving.prove(copy, rules, ProvingRules())
    assert state_of(run) == DeliveryState.DELIVERED


def test_what_the_watcher_does_with_a_known_run_stands_in_the_audit(rules, admin_user):
    run = land_run(rules)
    settle(rules)
    assert not AuditEntry.objects.exists()  # of what goes its way the steps tell
    Delivery.objects.update(overrides=["empty_fastq: A_1"])
    write_cycle(run, 11)
    look(rules)
    moved = run.rename(run.with_name("aside"))
    look(rules)
    shutil.move(moved, rules.logs_dir.parent / "away")
    look(rules)
    shutil.move(rules.logs_dir.parent / "away", moved)
    look(rules)
    entries = list(AuditEntry.objects.order_by("pk"))
    assert [entry.action for entry in entries] == [
        "delivery.reopened",
        "delivery.moved",
        "delivery.gone",
        "delivery.returned",
    ]
    assert {(entry.who, entry.is_person) for entry in entries} == {("watcher", False)}
    assert entries[0].before["overrides"] == ["empty_fastq: A_1"]
    assert (entries[1].before["path"], entries[1].after["path"]) == (str(run), str(moved))
    assert entries[2].after["state"] == "gone"


def test_a_step_that_ends_after_its_run_was_taken_away_queues_no_other(rules):
    run = land_run(rules)
    look(rules)
    (step,) = look(rules)
    at_work = delivery_work.begin(step)
    shutil.rmtree(run)
    look(rules)
    at_work.finish({"files": 1})
    assert state_of(run) == DeliveryState.GONE
    assert look(rules) == []


# ---- conflicts ----


def conflicting(rules, first: Path) -> Path:
    """A second folder that claims the same run, with another byte in it."""
    second = rules.incoming[0] / "copies" / f"Copy_{first.name}"
    shutil.copytree(first, second)
    write_cycle(second, 11)
    return second


def test_promise_07_two_folders_that_claim_one_run_are_a_conflict_for_a_person(rules):
    first = land_run(rules)
    look(rules)
    second = conflicting(rules, first)
    settle(rules)
    assert (state_of(first), state_of(second)) == (DeliveryState.DELIVERING, DeliveryState.CONFLICT)
    assert str(first) in delivery_of(second).reason
    assert "move the other" in delivery_of(second).remedy
    assert set(steps_of(second).values()) == {StepState.WAITING}
    events = len(events_of(second))
    look(rules)
    assert len(events_of(second)) == events  # said once


def test_promise_07_the_conflict_ends_when_the_second_folder_goes(rules):
    first = land_run(rules)
    look(rules)
    second = conflicting(rules, first)
    look(rules)
    shutil.rmtree(second)
    look(rules)
    assert (state_of(first), state_of(second)) == (DeliveryState.DELIVERING, DeliveryState.GONE)


def test_promise_07_the_conflict_ends_when_the_first_folder_goes_and_nothing_is_overwritten(
    tmp_path, s3_server
):
    rules = rules_for(tmp_path, s3_server)
    first = land_run(rules)
    deliver(rules)
    in_s3, backup = s3_server.objects(), snapshot(rules.backup_dir)
    second = conflicting(rules, first)
    deliver(rules)
    assert state_of(second) == DeliveryState.CONFLICT
    shutil.rmtree(first)
    second = second.rename(first.parent / "copies" / first.name)  # even under the first one's name
    deliver(rules)
    run = Delivery.objects.exclude(state=DeliveryState.GONE).get()
    assert (run.path, run.state) == (str(second), DeliveryState.WAITING)
    assert run.steps.get(kind=StepKind.CONVERT).code == "conflict"
    assert s3_server.objects() == in_s3
    assert backup.items() <= snapshot(rules.backup_dir).items()


# ---- what is no run ----


def test_promise_08_a_folder_that_is_no_run_is_listed_and_becomes_one_with_its_run_info(rules):
    run = land_run(rules)
    odd = rules.incoming[0] / "from_the_other_lab"
    odd.mkdir()
    (odd / "notes.txt").write_text("?")
    look(rules)
    assert (state_of(odd), delivery_of(odd).steps.count()) == (DeliveryState.UNRECOGNISED, 0)
    shutil.copytree(run, odd, dirs_exist_ok=True)
    shutil.rmtree(run)
    settle(rules)
    assert (state_of(odd), odd.joinpath("notes.txt").read_text()) == (DeliveryState.DELIVERING, "?")


def test_promise_08_a_folder_that_becomes_a_group_of_runs_is_no_longer_listed(rules):
    group = rules.incoming[0] / "exome"
    group.mkdir()
    look(rules)
    assert state_of(group) == DeliveryState.UNRECOGNISED
    run = land_run(rules, into="exome")
    look(rules)
    assert only_delivery().path == str(run)


def test_promise_08_what_cannot_be_taken_as_it_is_is_listed_with_the_reason(rules, tmp_path):
    elsewhere = land_run(rules_elsewhere(rules))
    link = rules.incoming[0] / elsewhere.name
    link.symlink_to(elsewhere)
    line_break = rules.incoming[0] / "260302_M00879_0032_A\nB"
    line_break.mkdir()
    no_text = os.fsencode(rules.incoming[0]) + b"/" + b"\xff" * 200
    os.mkdir(no_text)
    look(rules)
    told = dict(Delivery.objects.values_list("name", "reason"))
    assert set(Delivery.objects.values_list("state", flat=True)) == {DeliveryState.UNRECOGNISED}
    assert told.pop(link.name) == "It is a link to a folder; links are not followed."
    assert len(told) == 2
    assert all("has a name that cannot be written in a list" in reason for reason in told.values())
    before = whole_story()
    look(rules)
    assert whole_story() == before
    os.rmdir(no_text)
    look(rules)
    assert not Delivery.objects.exclude(state=DeliveryState.GONE).filter(name__contains="udcff").exists()


def test_promise_49_hostile_names_do_no_harm_and_stop_nobody(tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    good = land_run(rules)
    names = ["<img src=x onerror=alert(1)>", "--delete", "a;rm -rf $HOME", "%2e%2e%2f", "x" * 255]
    hostile = [rules.incoming[0] / name for name in names]
    for number, folder in enumerate(hostile, 50):
        land_run(rules, into="new", number=number).rename(folder)
    deep = rules.incoming[0] / ("d" * 250) / ("e" * 250) / ("f" * 250) / ("g" * 250)
    deep.mkdir(parents=True)
    shutil.copytree(good, deep / good.name)
    deliver(rules)
    assert state_of(good) == DeliveryState.DELIVERED
    assert Delivery.objects.filter(reason__contains="is too long").exists()
    told = {folder.name: state_of(folder) for folder in hostile}
    assert told.pop("x" * 255) == DeliveryState.WAITING  # longer than the name of any partial copy may be
    assert set(told.values()) == {DeliveryState.DELIVERED}
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        {"incoming", "backup", "fastq", "converter", "s3", "logs"}
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<Instrument>M00879<", "<Instrument>../../M00879<"),
        ("<Flowcell>000", "<Flowcell>&lt;script&gt;"),
        ('Number="31"', 'Number="99999999999999999999"'),
        ('Number="31"', 'Number="-1"'),
    ],
)
def test_promise_49_hostile_run_info_stops_nobody(rules, old, new):
    run, other = land_run(rules), land_run(rules, number=32)
    xml = (run / "RunInfo.xml").read_text()
    assert old in xml
    (run / "RunInfo.xml").write_text(xml.replace(old, new))
    settle(rules)
    assert state_of(other) == DeliveryState.DELIVERING
    assert ".." not in delivery_of(run).instrument


# ---- people and looks at the same time ----


def test_what_a_person_decides_while_the_folder_is_listed_is_kept(rules, admin_user, monkeypatch):
    run = land_run(rules)
    listed = settling.looks_of

    def listed_while_somebody_presses_hold(path: str) -> settling.Looks:
        if not delivery_of(run).is_held:
            decisions.hold(delivery_of(run), admin_user, "Wait for the second flow cell")
        return listed(path)

    monkeypatch.setattr(settling, "looks_of", listed_while_somebody_presses_hold)
    settle(rules)
    assert look(rules) == []
    assert (state_of(run), delivery_of(run).is_held) == (DeliveryState.HELD, True)


def test_one_look_at_a_folder_at_a_time(rules):
    look(rules)
    row = folder_row(rules)
    row.busy_until = timezone.now() + timedelta(minutes=5)  # another process looks
    row.save()
    run = land_run(rules)
    look(rules)
    assert not Delivery.objects.exists()
    row.busy_until = timezone.now() - timedelta(seconds=1)  # it died
    row.save()
    look(rules)
    assert state_of(run) == DeliveryState.SETTLING


def test_new_runs_are_looked_at_before_old_ones_are_listed_again(rules, monkeypatch):
    old = land_run(rules)
    settle(rules)
    new = land_run(rules, number=2, into="z")
    seen = []
    monkeypatch.setattr(incoming, "look_for_changes", lambda one: seen.append(Delivery.objects.count()))
    look(rules)
    assert seen == [2], (old, new)


def test_a_run_delivered_long_ago_is_listed_ever_more_rarely(rules):
    now = timezone.now()
    rules = replace(rules, relist_seconds=3600)
    delivery = Delivery(listed_at=now - timedelta(hours=2), found_at=now)
    assert incoming._is_due(delivery, rules, now)
    delivery.delivered_at = now - timedelta(days=10)
    assert not incoming._is_due(delivery, rules, now)
    delivery.listed_at = now - timedelta(hours=25)
    assert incoming._is_due(delivery, rules, now)


def test_what_is_wrong_with_one_run_stands_on_it_and_the_others_are_looked_at(rules, monkeypatch):
    bad, good = land_run(rules, number=1), land_run(rules, number=2)
    real = incoming.cycles_written

    def fails_for_one(path):
        if path == str(bad):
            raise ValueError("what nobody thought of")
        return real(path)

    monkeypatch.setattr(incoming, "cycles_written", fails_for_one)
    look(rules)
    assert state_of(good) == DeliveryState.SETTLING
    assert state_of(bad) == DeliveryState.WAITING
    assert "what nobody thought of" in delivery_of(bad).reason
    monkeypatch.undo()
    look(rules)
    assert state_of(bad) == DeliveryState.SETTLING


def test_a_run_that_the_instrument_still_analyses_does_not_settle(rules):
    run = land_run(rules)
    analysis = run / "Analysis" / "1" / "Data" / "BCLConvert" / "fastq"
    analysis.mkdir(parents=True)
    settle(rules)
    assert state_of(run) == DeliveryState.SEQUENCING
    assert "still analyses" in delivery_of(run).reason
    (run / "Analysis" / "1" / "Data" / "Secondary_Analysis_Complete.txt").touch()
    settle(rules)
    assert state_of(run) == DeliveryState.DELIVERING


def test_a_folder_behind_a_link_is_the_folder_it_leads_to(settings, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    settings.SEQAUTO_INCOMING_DIRS = [tmp_path / "link"]
    assert rules_of_settings().roots == [str(tmp_path / "disk")]


def test_a_desktop_that_looked_into_a_run_does_not_reopen_it(rules):
    run = land_run(rules)
    settle(rules)
    (run / "Data" / ".DS_Store").write_bytes(b"x")
    (run / "._SampleSheet.csv").write_bytes(b"x")
    look(rules)
    assert state_of(run) == DeliveryState.DELIVERING

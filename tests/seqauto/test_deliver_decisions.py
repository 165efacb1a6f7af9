"""What people decide about deliveries, and how runs stand beside one another."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from delivering import (
    deliver,
    delivery_of,
    land_run,
    look,
    rules_for,
    snapshot,
    state_of,
    step_of,
    steps_of,
    work,
)
from delivering_faults import fastqs_made
from django.db import connection

from seqauto import decisions, deliveries, delivery_work
from seqauto.decisions import DecisionRefused
from seqauto.models import Delivery, DeliveryEvent
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from sequencing.demo import DemoSample

pytestmark = pytest.mark.django_db


@pytest.fixture
def rules(tmp_path, s3_server):
    return rules_for(tmp_path, s3_server)


def settle(rules) -> list[int]:
    look(rules)
    return look(rules)


def without_fastq_disk(rules):
    """The same lab, with its FASTQ disk not mounted: every conversion fails."""
    return replace(rules, fastq_dir=rules.fastq_dir.with_name("not_mounted"))


def decided(run: Path) -> list[tuple[str, str, str]]:
    """Who decided what and why, oldest first."""
    events = DeliveryEvent.objects.filter(delivery__path=str(run)).exclude(user_name="").order_by("pk")
    return list(events.values_list("user_name", "text", "reason"))


# ---- hold and release ----


def test_a_run_on_hold_while_it_is_sequenced_settles_and_goes_no_further(rules, admin_user):
    run = land_run(rules, markers=())
    look(rules)
    decisions.hold(delivery_of(run), admin_user, "The sheet is not final")
    (run / "RTAComplete.txt").touch()
    assert settle(rules) == []
    assert (state_of(run), step_of(run, StepKind.SETTLE).state) == (DeliveryState.HELD, StepState.DONE)
    assert look(rules) == []
    decisions.release(delivery_of(run), admin_user)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED
    assert decided(run) == [
        ("admin", "Put on hold", "The sheet is not final"), ("admin", "Released from hold", ""),
    ]  # fmt: skip


def test_a_step_that_is_queued_does_not_begin_once_its_run_is_on_hold(rules, admin_user):
    run = land_run(rules)
    (step,) = settle(rules)
    decisions.hold(delivery_of(run), admin_user, "Wait")
    assert deliveries.work_on(step, rules) is False
    assert (state_of(run), list(rules.backup_dir.iterdir())) == (DeliveryState.HELD, [])
    decisions.release(delivery_of(run), admin_user)
    assert look(rules) == [step]


@pytest.mark.parametrize("done", [1, 2], ids=["backed up", "converted"])
def test_between_two_steps_a_hold_stops_the_next(rules, admin_user, done):
    run = land_run(rules)
    steps = settle(rules)
    for _ in range(done):
        deliveries.work_on(steps[0], rules)
        steps = deliveries.next_steps(rules)
    decisions.hold(delivery_of(run), admin_user, "Wait")
    before = steps_of(run)
    work(look(rules), rules)
    assert list(before.values()).count(StepState.DONE) == done + 1
    assert {kind: before[kind] for kind in before if before[kind] == StepState.DONE} == {
        kind: state for kind, state in steps_of(run).items() if state == StepState.DONE
    }
    decisions.release(delivery_of(run), admin_user)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED


def test_a_step_at_work_goes_on_to_its_end_when_its_run_is_put_on_hold(rules, admin_user):
    run = land_run(rules)
    (step,) = settle(rules)
    at_work = delivery_work.begin(step)
    decisions.hold(delivery_of(run), admin_user, "Wait")
    assert state_of(run) == DeliveryState.HELD
    at_work.finish({"files": 3})
    assert (state_of(run), step_of(run, StepKind.BACK_UP).state) == (DeliveryState.HELD, StepState.DONE)
    assert look(rules) == []


def test_a_failed_run_on_hold_may_be_tried_again_when_it_is_released(rules, admin_user):
    run = land_run(rules)
    deliver(without_fastq_disk(rules))
    decisions.hold(delivery_of(run), admin_user, "Wait")
    decisions.retry(delivery_of(run), admin_user)
    deliver(rules)
    assert state_of(run) == DeliveryState.HELD
    decisions.release(delivery_of(run), admin_user)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED


def test_holding_twice_and_releasing_twice_are_refused(rules, admin_user):
    run = land_run(rules)
    look(rules)
    with pytest.raises(DecisionRefused, match="not on hold"):
        decisions.release(delivery_of(run), admin_user)
    decisions.hold(delivery_of(run), admin_user, "Wait")
    with pytest.raises(DecisionRefused, match="on hold already"):
        decisions.hold(delivery_of(run), admin_user, "Wait")
    assert len(decided(run)) == 1


# ---- reasons, and who decided ----


def test_promise_54_what_needs_a_reason_is_refused_without_one_and_changes_nothing(rules, admin_user):
    run = land_run(rules)
    deliver(rules)
    for decide in (decisions.hold, decisions.convert_again, decisions.deliver_now):
        with pytest.raises(DecisionRefused, match="a reason is needed"):
            decide(delivery_of(run), admin_user, " \n")
    with pytest.raises(DecisionRefused, match="a reason is needed"):
        decisions.override(delivery_of(run), admin_user, ["duplicate_index"], "")
    assert (state_of(run), decided(run)) == (DeliveryState.DELIVERED, [])


def test_promise_54_a_decision_and_its_record_are_one(rules, admin_user, monkeypatch):
    run = land_run(rules)
    deliver(without_fastq_disk(rules))

    def broken(*_arguments, **_fields):
        raise OSError("by the test")

    monkeypatch.setattr(decisions, "note", broken)
    for decide in (decisions.hold, decisions.retry, decisions.convert_again):
        with pytest.raises((OSError, DecisionRefused)):
            decide(delivery_of(run), admin_user, "Because")
    delivery = delivery_of(run)
    assert (delivery.state, delivery.is_held, delivery.conversion) == (DeliveryState.WAITING, False, 1)
    assert step_of(run, StepKind.CONVERT).state == StepState.FAILED


def test_promise_54_who_decided_is_known_when_the_account_is_gone(rules, django_user_model):
    run = land_run(rules)
    look(rules)
    anna = django_user_model.objects.create_user("anna")
    decisions.hold(delivery_of(run), anna, "Ask the clinic")
    anna.delete()
    assert decided(run) == [("anna", "Put on hold", "Ask the clinic")]


# ---- retry, convert again ----


def test_a_failed_step_is_tried_again_when_its_cause_is_mended(rules, admin_user):
    run = land_run(rules)
    deliver(without_fastq_disk(rules))
    failed = step_of(run, StepKind.CONVERT)
    assert (state_of(run), failed.state, failed.code) == (
        DeliveryState.WAITING, StepState.FAILED, "no_folder",
    )  # fmt: skip
    assert (delivery_of(run).reason, delivery_of(run).remedy) == (failed.error, failed.remedy)
    deliver(rules)
    assert state_of(run) == DeliveryState.WAITING  # it waits for a person, not for time
    decisions.retry(delivery_of(run), admin_user, "Mounted")
    deliver(rules)
    step = step_of(run, StepKind.CONVERT)
    assert (state_of(run), step.attempts, step.error) == (DeliveryState.DELIVERED, 2, "")
    assert step_of(run, StepKind.BACK_UP).attempts == 1
    assert decided(run) == [("admin", "Convert is tried again", "Mounted")]


def test_nothing_is_tried_again_where_nothing_failed(rules, admin_user):
    run = land_run(rules)
    deliver(rules)
    with pytest.raises(DecisionRefused, match="has failed"):
        decisions.retry(delivery_of(run), admin_user)
    with pytest.raises(DecisionRefused, match="cannot be begun by hand: Delivered"):
        decisions.deliver_now(delivery_of(run), admin_user, "Again")


def test_converting_again_overwrites_nothing_on_disk_and_in_s3(rules, admin_user, s3_server):
    run = land_run(rules)
    deliver(rules)
    on_disk, in_s3 = snapshot(rules.fastq_dir / run.name / "Unaligned"), s3_server.objects()
    decisions.convert_again(delivery_of(run), admin_user, "Index 2 was read the other way round")
    assert (state_of(run), delivery_of(run).delivered_at) == (DeliveryState.DELIVERING, None)
    deliver(rules)
    assert (state_of(run), delivery_of(run).conversion) == (DeliveryState.DELIVERED, 2)
    assert snapshot(rules.fastq_dir / run.name / "Unaligned") == on_disk
    assert (rules.fastq_dir / run.name / "Unaligned_2" / "Panel").is_dir()
    assert in_s3.items() <= s3_server.objects().items()
    new = {key.split("/")[2] for key in s3_server.objects().keys() - in_s3.keys()}
    assert new == {"M00879_31_2"}
    assert step_of(run, StepKind.BACK_UP).attempts == 1


def test_nothing_is_converted_again_before_its_steps_have_ended_or_when_its_folder_is_away(rules, admin_user):
    run = land_run(rules)
    steps = settle(rules)
    with pytest.raises(DecisionRefused, match="no finished conversion"):
        decisions.convert_again(delivery_of(run), admin_user, "Because")
    work(steps, rules)
    run.rename(rules.logs_dir / "aside")
    look(rules)
    with pytest.raises(DecisionRefused, match="no longer there"):
        decisions.convert_again(delivery_of(run), admin_user, "Because")
    assert (state_of(run), delivery_of(run).conversion) == (DeliveryState.DELIVERED, 1)


# ---- several runs ----


def test_two_runs_that_end_together_are_both_delivered(rules, s3_server):
    runs = [land_run(rules, number=number) for number in (31, 32)]
    deliver(rules)
    assert {state_of(run) for run in runs} == {DeliveryState.DELIVERED}
    metas = [json.loads(content) for key, content in s3_server.objects().items() if key.endswith("meta.json")]
    assert sorted(meta["run_id"] for meta in metas) == ["M00879_31", "M00879_32"]


def test_a_run_that_fails_does_not_stop_the_others(rules):
    broken, sound = land_run(rules, sheet="", number=30), land_run(rules)
    deliver(rules)
    assert (state_of(broken), state_of(sound)) == (DeliveryState.WAITING, DeliveryState.DELIVERED)
    assert step_of(broken, StepKind.CONVERT).code == "no_sheet"


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_order_of_runs_is_a_setting(rules, newest_first):
    rules = replace(rules, parallel=1, newest_first=newest_first)
    older = land_run(rules, number=31)
    look(rules)
    newer = land_run(rules, number=32)
    (step,) = look(rules)
    # The older one had settled alone; now both wait for their conversion or backup.
    deliveries.work_on(step, rules)
    (following,) = look(rules)
    first = newer if newest_first else older
    assert delivery_of(first).steps.filter(pk=following).exists()


@pytest.mark.parametrize("parallel", [1, 2])
def test_as_many_steps_as_the_lab_allows_are_at_work_at_once(rules, parallel):
    rules = replace(rules, parallel=parallel)
    for number in (31, 32, 33):
        land_run(rules, number=number)
    steps = settle(rules)
    assert len(steps) == parallel
    assert look(rules) == []  # none more while these are queued
    delivery_work.begin(steps[0])
    assert look(rules) == []
    assert Delivery.objects.filter(steps__state__in=(StepState.QUEUED, StepState.RUNNING)).count() == parallel


def test_a_run_begins_each_step_only_after_the_one_before(rules):
    run = land_run(rules)
    settle(rules)
    seen = []
    while steps := list(delivery_of(run).steps.filter(state=StepState.QUEUED)):
        assert len(steps) == 1
        seen.append(steps[0].kind)
        deliveries.work_on(steps[0].pk, rules)
        deliveries.next_steps(rules)
    assert seen == [StepKind.BACK_UP, StepKind.CONVERT, StepKind.UPLOAD]


# ---- projects ----


def test_samples_without_a_project_go_under_the_labs_name_for_that(rules, s3_server):
    samples = [DemoSample("S1", project=""), DemoSample("S2", project="Panel")]
    run = land_run(rules, samples=samples)
    deliver(replace(rules, s3=replace(rules.s3, no_project="unsorted")))
    assert state_of(run) == DeliveryState.DELIVERED
    projects = {tuple(key.split("/")[1:3]) for key in s3_server.objects()}
    assert projects == {("unsorted", "M00879_31"), ("Panel", "M00879_31")}


@pytest.mark.django_db(transaction=True)
def test_two_people_who_press_convert_again_at_once_make_one_conversion(rules, admin_user):
    run = land_run(rules)
    deliver(rules)
    outcomes = []

    def press() -> None:
        try:
            decisions.convert_again(delivery_of(run), admin_user, "Once is enough")
            outcomes.append("done")
        except DecisionRefused:
            outcomes.append("refused")
        finally:
            connection.close()

    people = [threading.Thread(target=press) for _ in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert (sorted(outcomes), delivery_of(run).conversion) == (["done", "refused"], 2)


def test_an_override_holds_for_what_it_was_said_of_only(rules, admin_user):
    run = land_run(rules)
    next(fastqs_made(rules, run).rglob("*_S1_*_R2_*")).unlink()
    deliver(rules)
    decisions.override(delivery_of(run), admin_user, ["missing_fastq"], "the sample failed in the lab")
    deliver(rules)
    assert step_of(run, StepKind.CONVERT).state == StepState.DONE
    decisions.convert_again(delivery_of(run), admin_user, "another look")
    assert delivery_of(run).overrides == []
    deliver(rules)
    assert step_of(run, StepKind.CONVERT).problems[0]["code"] == "missing_fastq"

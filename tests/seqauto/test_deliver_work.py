"""Who works on a step: one at a time, seen to be alive, and heard only as long as the step is its own."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from child_processes import wait_until
from delivering import deliver, delivery_of, events_of, land_run, look, rules_for, state_of, step_of, work
from delivering_faults import (
    HANG,
    WAIT,
    environment_of,
    hanging,
    instruct_converter,
    is_alive,
    is_asked,
    let_go,
    starts,
)
from django.db import connection
from django.utils import timezone

from seqauto import decisions, deliveries, delivery_work
from seqauto.delivery_work import StepProblem
from seqauto.models import Delivery, DeliveryStep
from seqauto.models.deliveries import DeliveryState, StepState

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rules(tmp_path):
    return rules_for(tmp_path)


def settle(rules) -> list[int]:
    """Look until steps are queued."""
    for _ in range(5):
        if steps := look(rules):
            return steps
    raise AssertionError("nothing settled")


def queue_conversion(rules) -> int:
    """Back the only run up, and return its queued conversion."""
    (back_up,) = settle(rules)
    deliveries.work_on(back_up, rules)
    (convert,) = deliveries.next_steps(rules)
    return convert


def work_on(step: int, rules) -> bool:
    """In a thread, with its own connection."""
    try:
        return deliveries.work_on(step, rules)
    finally:
        connection.close()


@contextmanager
def at_work(step: int, rules):
    """A worker that is at a step while the block runs; yields what it says at the end."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(work_on, step, rules)
        finally:
            let_go(rules)


# ---- one at a time ----


def test_promise_20_a_step_begun_by_three_threads_at_once_is_done_once(rules):
    run = land_run(rules)
    instruct_converter(rules, "")
    step = queue_conversion(rules)
    together = threading.Barrier(3)

    def begin() -> bool:
        together.wait()
        return work_on(step, rules)

    with ThreadPoolExecutor(3) as pool:
        answers = [future.result() for future in [pool.submit(begin) for _ in range(3)]]
    assert sorted(answers) == [False, False, True]
    assert (starts(rules), step_of(run, "convert").attempts) == (1, 1)


def test_promise_20_a_step_begun_by_three_processes_is_done_once(children, rules):
    run = land_run(rules)
    instruct_converter(rules, WAIT)
    step = queue_conversion(rules)
    code = (
        "from seqauto import deliveries; from seqauto.delivery_rules import rules_of_settings; "
        f"print('was mine:', deliveries.work_on({step}, rules_of_settings()))"
    )
    workers = [
        children.manage("shell", "--no-imports", "-c", code, **environment_of(rules)) for _ in range(3)
    ]
    wait_until(lambda: sum("was mine: False" in worker.out for worker in workers) == 2, "two were too late")
    assert step_of(run, "convert").state == StepState.RUNNING
    let_go(rules)
    assert [worker.returncode() for worker in workers] == [0, 0, 0]
    assert sum("was mine: True" in worker.out for worker in workers) == 1
    assert starts(rules) == 1
    assert step_of(run, "convert").state == StepState.DONE


def test_promise_47_a_step_that_is_sent_again_while_it_runs_has_one_effect(rules):
    run = land_run(rules)
    instruct_converter(rules, WAIT)
    step = queue_conversion(rules)
    with at_work(step, rules) as first:
        wait_until(lambda: is_asked(rules), "the converter runs")
        assert not deliveries.work_on(step, rules)
        let_go(rules)
        assert first.result()
    assert not deliveries.work_on(step, rules)
    assert (starts(rules), step_of(run, "convert").attempts) == (1, 1)
    assert events_of(run).count("Convert: Done") == 1


def test_steps_are_queued_once_and_no_more_than_may_work_at_once(rules):
    for number in range(1, 6):
        land_run(rules, number=number)
    look(rules)
    deliveries.look_after(replace(rules, parallel=0))
    together = threading.Barrier(4)

    def queue() -> list[int]:
        together.wait()
        try:
            return deliveries.next_steps(replace(rules, parallel=3))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(queue) for _ in range(4)]
    queued = [step for answer in answers for step in answer.result()]
    assert len(queued) == len(set(queued)) == 3
    assert DeliveryStep.objects.filter(state=StepState.QUEUED).count() == 3


def test_a_step_whose_message_was_lost_is_sent_again(rules):
    land_run(rules)
    (step,) = settle(rules)
    assert deliveries.next_steps(rules) == []
    late = timezone.now() - timedelta(seconds=deliveries.LOST_MESSAGE_SECONDS + 1)
    DeliveryStep.objects.filter(pk=step).update(queued_at=late)
    assert look(rules) == [step]


# ---- leases ----


def let_lease_expire(step: int) -> None:
    DeliveryStep.objects.filter(pk=step).update(lease_until=timezone.now() - timedelta(seconds=1))


def test_a_step_whose_worker_is_silent_waits_again(rules):
    run = land_run(rules)
    (step,) = settle(rules)
    assert delivery_work.begin(step)
    assert delivery_work.take_back_abandoned() == 0
    let_lease_expire(step)
    deliver(rules)
    assert (step_of(run, "back_up").state, step_of(run, "back_up").attempts) == (StepState.DONE, 2)
    assert any("died" in text for text in events_of(run))


def test_a_step_that_kills_three_workers_waits_for_a_person(rules):
    run = land_run(rules)
    (step,) = settle(rules)
    for deaths in range(1, 4):
        assert step_of(run, "back_up").state == StepState.QUEUED
        assert delivery_work.begin(step)
        let_lease_expire(step)
        look(rules)
        assert step_of(run, "back_up").deaths == deaths
    failed = step_of(run, "back_up")
    assert (failed.state, failed.code) == (StepState.FAILED, "worker_died")
    assert "3 times" in failed.error
    assert "memory" in failed.remedy
    assert state_of(run) == DeliveryState.WAITING
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    assert (step_of(run, "back_up").state, step_of(run, "back_up").deaths) == (StepState.DONE, 0)


ENDS = {
    "done": lambda work: work.finish({"files": 7}),
    "failed": lambda work: work.fail(StepProblem("no_space", "The disk is full.", "Make room.")),
    "failed unexpectedly": lambda work: work.fail_unexpectedly(ValueError("odd")),
    "given back": lambda work: work.give_back(),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_worker_that_lost_its_lease_writes_nothing(rules, end):
    run = land_run(rules)
    (step,) = settle(rules)
    slept = delivery_work.begin(step)
    let_lease_expire(step)
    look(rules)
    another = delivery_work.begin(step)
    before, events = DeliveryStep.objects.filter(pk=step).values().get(), events_of(run)
    slept.say("Still here")
    ENDS[end](slept)
    assert slept.must_stop()
    assert DeliveryStep.objects.filter(pk=step).values().get() == before
    assert events_of(run) == events
    another.finish({"files": 8})
    assert step_of(run, "back_up").figures == {"files": 8}


def test_a_worker_notices_that_it_lost_its_lease_and_stops_its_converter(rules, settings):
    settings.SEQAUTO_HEARTBEAT_SECONDS = 0.1
    run = land_run(rules)
    instruct_converter(rules, HANG)
    step = queue_conversion(rules)
    with at_work(step, replace(rules, converter=replace(rules.converter, silence_minutes=0.1))) as worker:
        wait_until(lambda: hanging(rules), "the converter runs")
        DeliveryStep.objects.filter(pk=step).update(state=StepState.WAITING, token=None)
        assert worker.result()
    assert not any(map(is_alive, hanging(rules)))
    assert (step_of(run, "convert").state, step_of(run, "convert").code) == (StepState.WAITING, "")


def test_a_conversion_is_not_begun_where_another_process_is_still_at_it(rules, monkeypatch):
    """It slept, or cannot reach the database: its lease is lost, and its converter may be alive."""
    monkeypatch.setattr(delivery_work, "BUSY_SECONDS", 0.1)
    run = land_run(rules)
    instruct_converter(rules, WAIT)
    step = queue_conversion(rules)
    with at_work(step, rules) as slept:
        wait_until(lambda: is_asked(rules), "the converter runs")
        DeliveryStep.objects.filter(pk=step).update(state=StepState.QUEUED, token=None)
        assert deliveries.work_on(step, rules)
        # It needs no person: it waits, and begins again when the other has left.
        assert (step_of(run, "convert").state, step_of(run, "convert").code) == (StepState.WAITING, "")
        assert starts(rules) == 1
        let_go(rules)
        slept.result()
    deliver(rules)
    # Once more at most: where the first was stopped before its FASTQs had their name.
    assert (starts(rules) <= 2, step_of(run, "convert").state) == (True, StepState.DONE)


# ---- runs that change, and the end of a process ----


@pytest.mark.parametrize("end", ["done", "failed", "failed unexpectedly"])
def test_promise_4_what_a_step_found_of_a_run_that_changed_since_counts_for_nothing(rules, end):
    run = land_run(rules)
    (step,) = settle(rules)
    late = delivery_work.begin(step)
    (run / "late.log").write_text("one more file")
    look(rules)
    assert state_of(run) == DeliveryState.SETTLING
    ENDS[end](late)
    assert (step_of(run, "back_up").state, step_of(run, "back_up").figures) == (StepState.WAITING, {})
    deliver(rules)
    assert (rules.backup_dir / run.name / "late.log").exists()


def test_a_process_that_is_asked_to_end_gives_its_step_back(rules):
    run = land_run(rules)
    instruct_converter(rules, HANG)
    step = queue_conversion(rules)
    patient = replace(rules, converter=replace(rules.converter, silence_minutes=0.2))
    try:
        with at_work(step, patient) as worker:
            wait_until(lambda: hanging(rules), "the converter runs")
            deliveries.stop_working()
            assert worker.result()
    finally:
        deliveries.start_working()
    assert not any(map(is_alive, hanging(rules)))
    assert (step_of(run, "convert").state, step_of(run, "convert").deaths) == (StepState.WAITING, 0)
    assert not (rules.fastq_dir / run.name).exists()


def test_an_unexpected_error_keeps_its_stack_trace_and_stops_no_other_run(rules):
    broken, other = land_run(rules, number=1), land_run(rules, number=2)
    settle(rules)
    hashes = {"1": "no such hash", "2": rules.backup_hash}
    for number, run in (("1", broken), ("2", other)):
        deliveries.work_on(step_of(run, "back_up").pk, replace(rules, backup_hash=hashes[number]))
    step = step_of(broken, "back_up")
    assert (step.state, step.code) == (StepState.FAILED, "unexpected")
    assert "Traceback" in step.traceback
    assert state_of(broken) == DeliveryState.WAITING
    assert step_of(other, "back_up").state == StepState.DONE


def test_nothing_is_begun_where_deliveries_are_switched_off(rules, settings):
    land_run(rules)
    settings.SEQAUTO_ENABLED = False
    assert look(rules) == []
    assert deliveries.next_steps(rules) == []
    assert not Delivery.objects.exists()


def test_a_step_that_was_held_back_before_it_began_does_not_begin(rules):
    run = land_run(rules)
    (step,) = settle(rules)
    decisions.hold(delivery_of(run), None, "wait for the second flow cell")
    work([step], rules)
    assert step_of(run, "back_up").attempts == 0
    decisions.release(delivery_of(run), None)
    deliver(rules)
    assert step_of(run, "back_up").state == StepState.DONE

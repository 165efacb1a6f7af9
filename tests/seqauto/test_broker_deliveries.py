"""Deliveries through a real broker and a real worker: the queue may lose everything, the steps go on."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from child_processes import Child, Children, wait_until
from delivering import events_of, land_run, look, rules_for, state_of, step_of
from delivering_faults import (
    SHORT_LEASE,
    WAIT,
    environment_of,
    instruct_converter,
    is_asked,
    let_go,
    starts,
)
from django.utils import timezone
from test_broker import EmbeddedBroker, embedded  # noqa: F401

from seqauto import deliveries
from seqauto.models import DeliveryStep
from seqauto.models.deliveries import DeliveryState, StepState

pytestmark = [
    pytest.mark.broker,
    pytest.mark.django_db(transaction=True),
]

WORKER = ["--quiet", "worker", "-Q", "seqauto_delivery", "-c", "2", "--loglevel", "info"]
QUIET = ["--without-mingle", "--without-gossip"]
TASKS = "seqauto.tasks.deliveries"


@pytest.fixture
def rules(tmp_path, s3_server):
    return rules_for(tmp_path, s3_server)


@pytest.fixture
def broker(embedded, children, rules) -> Iterator[EmbeddedBroker]:  # noqa: F811
    """The children work in this lab, through this broker."""
    children.environment |= environment_of(rules, CELERY_BROKER_URL=embedded.url, **SHORT_LEASE)
    return embedded


def start_worker(children: Children) -> Child:
    worker = children.celery(*WORKER, *QUIET, "-n", f"deliveries_{len(children.started)}")
    wait_until(lambda: "ready." in worker.err + worker.out, "the worker is ready")
    return worker


def call(children: Children, task: str, *arguments: str) -> None:
    child = children.celery("--quiet", "call", f"{TASKS}.{task}", *arguments)
    assert child.returncode() == 0, child.err


def beat_until_converting(children: Children, rules) -> None:
    """What beat does, as often as it takes to settle and to back up."""
    for _ in range(2):
        call(children, "look_after_deliveries")
    wait_until(lambda: is_asked(rules), "the converter runs")


def beat_until_delivered(children: Children, run) -> None:
    """Beat's looks; steps whose message was lost count as lost at once."""
    late = timezone.now() - timedelta(seconds=deliveries.LOST_MESSAGE_SECONDS + 1)

    def is_delivered() -> bool:
        DeliveryStep.objects.filter(state=StepState.QUEUED).update(queued_at=late)
        call(children, "look_after_deliveries")
        return state_of(run) == DeliveryState.DELIVERED

    wait_until(is_delivered, "the run is delivered")


def flush(broker: EmbeddedBroker) -> None:
    redis.Redis(unix_socket_path=broker.url.removeprefix("redis+socket://")).flushall()


def each_step_was_done_once(run) -> bool:
    return all(events_of(run).count(f"{name}: Done") == 1 for name in ("Back up", "Convert", "Upload"))


def test_a_run_is_delivered_by_beat_and_worker(broker, children, rules):
    run = land_run(rules)
    start_worker(children)
    for _ in range(2):
        call(children, "look_after_deliveries")
    wait_until(lambda: state_of(run) == DeliveryState.DELIVERED, "each step sends the next")
    assert each_step_was_done_once(run)


def test_promise_44_steps_whose_messages_were_flushed_are_sent_again(broker, children, rules):
    """Queued by a look, and gone from the queue before any worker saw them."""
    run = land_run(rules)
    while not look(rules):
        pass
    assert step_of(run, "back_up").state == StepState.QUEUED
    start_worker(children)
    flush(broker)
    beat_until_delivered(children, run)
    assert each_step_was_done_once(run)


def test_promise_44_a_step_at_work_outlives_a_flushed_broker(broker, children, rules):
    run = land_run(rules)
    instruct_converter(rules, WAIT)
    start_worker(children)
    beat_until_converting(children, rules)
    flush(broker)
    let_go(rules)
    beat_until_delivered(children, run)
    assert each_step_was_done_once(run)
    assert starts(rules) == 1


def test_promise_44_a_step_at_work_outlives_a_killed_broker(broker, children, rules):
    run = land_run(rules)
    instruct_converter(rules, WAIT)
    start_worker(children)
    beat_until_converting(children, rules)
    broker.kill()
    let_go(rules)
    wait_until(lambda: step_of(run, "convert").state == StepState.DONE, "the conversion ends all the same")
    broker.start()
    start_worker(children)  # as systemd does: Celery's worker may not survive the loss of its broker
    beat_until_delivered(children, run)
    assert each_step_was_done_once(run)
    assert starts(rules) == 1


def test_promise_47_a_step_that_is_delivered_three_times_is_done_once(broker, children, rules):
    run = land_run(rules)
    instruct_converter(rules, WAIT)
    worker = start_worker(children)
    beat_until_converting(children, rules)
    step = step_of(run, "convert")
    for _ in range(2):
        call(children, "work_on", f"--args=[{step.pk}]")
    wait_until(lambda: worker.err.count(f"Step {step.pk} is in other hands") == 2, "both were turned away")
    let_go(rules)
    wait_until(lambda: state_of(run) == DeliveryState.DELIVERED, "the run is delivered")
    assert each_step_was_done_once(run)
    assert starts(rules) == 1


def test_promise_17_kill_9_of_the_process_that_converts_leaves_a_worker_that_works(broker, children, rules):
    """What the kernel does when memory is short: the worker's child dies, the worker starts another."""
    run = land_run(rules)
    instruct_converter(rules, WAIT)
    start_worker(children)
    beat_until_converting(children, rules)
    os.kill(int(step_of(run, "convert").worker.split()[-1]), signal.SIGKILL)
    let_go(rules)
    beat_until_delivered(children, run)
    assert each_step_was_done_once(run)
    assert step_of(run, "convert").attempts == 2


def test_a_worker_that_is_asked_to_end_gives_its_step_back_at_once(broker, children, rules):
    """Its conversion may take for hours yet; it begins again at the next start, and nobody died."""
    run = land_run(rules)
    instruct_converter(rules, WAIT)
    worker = start_worker(children)
    beat_until_converting(children, rules)
    worker.send(signal.SIGTERM)
    assert worker.returncode() == 0
    step = step_of(run, "convert")
    assert (step.state in (StepState.WAITING, StepState.QUEUED), step.deaths) == (True, 0)
    let_go(rules)
    start_worker(children)
    beat_until_delivered(children, run)

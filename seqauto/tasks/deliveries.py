"""Doors for Celery: a task takes a step's primary key, and may come several times."""

from __future__ import annotations

import multiprocessing

from celery import shared_task
from celery.signals import worker_init, worker_shutting_down

from seqauto import deliveries, delivery_work
from seqauto.delivery_rules import rules_of_settings

LONGEST_LOOK_SECONDS = 3600  # a process that hangs in a dead disk for so long is ended


def queue_ready_steps() -> None:
    """Send the steps whose turn has come. Raises kombu's OperationalError; then the next look sends them."""
    _send(deliveries.next_steps(rules_of_settings()))


def _send(steps: list[int]) -> None:
    for step in steps:
        work_on.delay(step)


@shared_task
def work_on(step_id: int) -> None:
    deliveries.work_on(step_id, rules_of_settings(), on_end=queue_ready_steps)


@shared_task(time_limit=LONGEST_LOOK_SECONDS)
def look_after_deliveries() -> None:
    """By beat, every SEQAUTO_WATCH_SECONDS."""
    _send(deliveries.look_after(rules_of_settings()))


@worker_init.connect
def _share_the_stop(**_kwargs: object) -> None:
    """Before the worker has children: they all see the event that it sets when it is asked to end."""
    delivery_work.STOPPING.event = multiprocessing.Event()


@worker_shutting_down.connect
def _stop_steps(**_kwargs: object) -> None:
    """Steps give themselves back and begin again at the next start, rather than hold the worker for hours."""
    deliveries.stop_working()

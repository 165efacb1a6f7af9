"""Doors for Celery: a task takes a step's primary key, and may come several times."""

from __future__ import annotations

from celery import shared_task

from seqauto import deliveries
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

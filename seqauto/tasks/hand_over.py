"""A door out: sends a task of the lab's own, which follows an upload, to whoever listens on its queue."""

from __future__ import annotations

from celery import current_app
from kombu.exceptions import OperationalError

from seqauto.hooks import SENDERS, Job, NoAnswer


def send_task(job: Job) -> None:
    """Put the task on its queue; its id is the job's. Raises NoAnswer where the broker does not answer."""
    try:
        current_app.send_task(
            job.target["task"], kwargs=dict(job.parameters), queue=job.target["queue"], task_id=job.id
        )
    except OperationalError as error:
        raise NoAnswer(f"The message broker does not answer: {error}") from error


SENDERS["celery"] = send_task

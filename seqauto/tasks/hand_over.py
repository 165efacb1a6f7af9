"""A door out: sends a task of the lab's own, which follows an upload, to whoever listens on its queue."""

from __future__ import annotations

from celery import current_app
from kombu.exceptions import OperationalError

from seqauto.hooks import SENDERS, Job, NoAnswer


def send_task(job: Job) -> None:
    """Put the task on its queue once; its id is the job's. Raises NoAnswer where the broker gives none."""
    try:
        with current_app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1)
    except OperationalError as error:
        raise NoAnswer(f"The message broker does not answer: {error}", sent=False) from error
    task, queue, arguments = job.target["task"], job.target["queue"], dict(job.parameters)
    try:
        current_app.send_task(task, kwargs=arguments, queue=queue, task_id=job.id, retry=False)
    except (OperationalError, OSError) as error:
        raise NoAnswer(f"The message broker has not answered: {error}") from error


SENDERS["celery"] = send_task

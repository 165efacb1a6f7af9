"""Signs of life: every process that works for SeqAuto writes down that it does, and what it is at.

A worker's are written by a thread of its main process, which no task keeps busy, each on a connection of its
own: a database that was restarted, or does not answer, costs some signs and nothing else.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from celery.signals import worker_ready, worker_shutdown
from celery.worker import state
from django.conf import settings
from django.db import Error, connection
from django.db.models.functions import Now

from seqauto.delivery_rules import rules_of_settings
from seqauto.models import Worker
from seqauto.models.workers import WorkerKind
from seqauto.server_status_versions import SOFTWARE
from sequencing.converters import ConversionProblem, find_converter

log = logging.getLogger(__name__)

EVERY_SECONDS = min(15, settings.SEQAUTO_HEARTBEAT_SECONDS)
END_SECONDS = 5
"""So long a worker that ends waits for the database to take its last sign."""
KEPT = timedelta(days=30)
_TOLD = [
    "kind", "host", "pid", "queues", "concurrency", "active", "reserved", "versions", "beat_at", "stopped_at",
]  # fmt: skip


def write_sign(worker: Worker, *, is_first: bool) -> None:
    """Write what a process tells of itself. Raises django.db.Error."""
    worker.started_at = worker.beat_at = Now()
    if is_first:
        Worker.objects.filter(beat_at__lt=Now() - KEPT).delete()
    fields = [*_TOLD, "started_at"] if is_first else _TOLD
    Worker.objects.bulk_create([worker], update_conflicts=True, unique_fields=["name"], update_fields=fields)


def write_end(name: str) -> None:
    """Write that this process ends as it was asked to. Another of its name has a row that is not touched."""
    mine = Worker.objects.filter(name=name, host=socket.gethostname(), pid=os.getpid())
    mine.update(stopped_at=Now(), beat_at=Now(), active=[], reserved=0)


class Signs:
    """The thread that writes a worker's signs, from its start to its end."""

    def __init__(self, worker: Any) -> None:
        self._worker = worker  # Celery's WorkController
        self._versions = dict(SOFTWARE)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, name="signs of life", daemon=True)

    def start(self) -> None:
        self._thread.start()
        if settings.SEQAUTO_DELIVERY_QUEUE in self._queues():
            threading.Thread(target=self._find_converter, daemon=True).start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join(END_SECONDS)

    def _write(self) -> None:
        is_first = True
        while True:
            has_ended = self._ended.is_set()
            try:
                if has_ended:
                    write_end(self._worker.hostname)
                else:
                    write_sign(self._sign(), is_first=is_first)
                is_first = False
            except Error as error:
                log.warning("No sign of life could be written: %s", error)
            finally:
                connection.close()
            if has_ended:
                return
            self._ended.wait(EVERY_SECONDS)

    def _sign(self) -> Worker:
        active = _all_of(state.active_requests)
        return Worker(
            name=self._worker.hostname,
            kind=WorkerKind.WORKER,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=self._queues(),
            concurrency=self._worker.concurrency,
            active=[[request.name, request.time_start] for request in active if request.time_start],
            reserved=max(0, len(state.reserved_requests) - len(active)),
            versions=self._versions,
        )

    def _queues(self) -> list[str]:
        return sorted(self._worker.app.amqp.queues.consume_from)

    def _find_converter(self) -> None:
        """In a thread of its own: a program that hangs must not silence the worker."""
        rules = rules_of_settings().converter
        try:
            found = find_converter(rules.wanted, rules.programs)
            told = f"{found.name} {found.version} ({found.program})" if found else "none found"
        except ConversionProblem as problem:
            told = str(problem)
        self._versions = {**self._versions, "Converter": told}


def _all_of(requests: Any) -> Sequence[Any]:
    """Celery's set of tasks as it stands: its main thread may change it while it is read."""
    for _ in range(10):
        try:
            return tuple(requests)
        except RuntimeError:
            continue
    return ()


_signs: Signs | None = None


@worker_ready.connect
def _begin(sender: Any, **_kwargs: object) -> None:
    """When it has reached the broker."""
    global _signs
    _signs = Signs(sender.controller)
    _signs.start()


@worker_shutdown.connect
def _end(**_kwargs: object) -> None:
    """When its last task is done."""
    if _signs:
        _signs.end()

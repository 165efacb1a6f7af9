"""Beat's scheduler: django-celery-beat's, which besides writes down that it ticks."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import Any

from django.db import Error
from django_celery_beat.schedulers import DatabaseScheduler

from seqauto.models import Worker
from seqauto.models.workers import WorkerKind
from seqauto.server_status_versions import SOFTWARE

from .heartbeats import EVERY_SECONDS, write_end, write_sign

log = logging.getLogger(__name__)


class Scheduler(DatabaseScheduler):
    """A sign follows a tick: beat that hangs, in a broker that is gone, falls silent."""

    _signed_at: float | None = None

    def tick(self, *args: Any, **kwargs: Any) -> float:
        wait = super().tick(*args, **kwargs)
        if self._signed_at is None or time.monotonic() - self._signed_at >= EVERY_SECONDS:
            self._sign()
        return wait

    def close(self) -> None:
        super().close()
        try:
            write_end(self._name())
        except Error as error:
            log.warning("The end could not be written: %s", error)

    def _sign(self) -> None:
        sign = Worker(
            name=self._name(),
            kind=WorkerKind.BEAT,
            host=socket.gethostname(),
            pid=os.getpid(),
            versions=SOFTWARE,
        )
        try:
            write_sign(sign, is_first=self._signed_at is None)
            self._signed_at = time.monotonic()
        except Error as error:
            log.warning("No sign of life could be written: %s", error)

    def _name(self) -> str:
        return f"beat@{socket.gethostname()}"

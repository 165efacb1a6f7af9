"""The lease that lets only one scan work at a time, on whatever machine.

One row, taken by one conditional UPDATE, kept alive by a heartbeat from a thread of its own, and checked
again inside every write transaction: a scan that lost it (a laptop that slept, a database that was away)
writes nothing more. Times are the database's own, so clocks of different machines do not matter.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from django.db import Error, close_old_connections, connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from .models import Scan, ScanLease

log = logging.getLogger(__name__)


# A scan that gives no sign for longer hangs in a disk that is gone; its lease must not live on. Longer than
# any find script may take.
STILL_SECONDS = 75 * 60


class LeaseLost(Exception):
    """Another scan may be at work: stop at once, write nothing."""


class Lease:
    def __init__(self, seconds: int, heartbeat_seconds: int) -> None:
        self.token = uuid.uuid4()
        self.seconds, self.heartbeat_seconds = seconds, heartbeat_seconds
        self.stopped = threading.Event()
        self.last_sign = time.monotonic()
        # Asked once a run of a scan, so the SQL is made once. SQLite locks the whole database anyway.
        mine = ScanLease.objects.select_for_update().filter(pk=1, token=self.token).values("pk").query
        with transaction.atomic():
            self._check = mine.sql_with_params()

    def take(self, scan: Scan, holder: str) -> bool:
        """Take the lease if it is free or has expired."""
        ScanLease.objects.get_or_create(pk=1)
        free = Q(token=None) | Q(expires_at__lt=Now())
        return bool(
            ScanLease.objects.filter(free, pk=1).update(
                token=self.token, scan=scan, holder=holder, expires_at=self._expiry()
            )
        )

    def check(self) -> None:
        """Raise LeaseLost unless this is still the holder. Inside a transaction it stays so until the end."""
        self.last_sign = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute(*self._check)
            still_held = cursor.fetchone()
        if not still_held:
            raise LeaseLost("The lease of this scan expired and may belong to another scan.")

    def renew(self) -> None:
        ScanLease.objects.filter(pk=1, token=self.token).update(expires_at=self._expiry())

    def release(self) -> None:
        ScanLease.objects.filter(pk=1, token=self.token).update(token=None, expires_at=None)

    @contextmanager
    def kept_alive(self) -> Iterator[None]:
        """Renew the lease in the background until the block ends."""
        thread = threading.Thread(target=self._beat, name="scan heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.stopped.set()
            thread.join()

    def _beat(self) -> None:
        try:
            while not self.stopped.wait(self.heartbeat_seconds):
                try:
                    close_old_connections()
                    if time.monotonic() - self.last_sign < STILL_SECONDS:
                        self.renew()
                except Error:
                    # The next beat may do better; if none does, `check` stops the scan.
                    log.exception("The heartbeat of the scan could not be written.")
        finally:
            connection.close()

    def _expiry(self) -> object:
        return Now() + timedelta(seconds=self.seconds)


@contextmanager
def heartbeat(renew: Callable[[], object], seconds: float) -> Iterator[None]:
    """Call `renew` in the background every so many seconds until the block ends.

    One that the database does not answer is left to the next; if none does, the lease runs out.
    """
    ended = threading.Event()

    def beat() -> None:
        try:
            while not ended.wait(seconds):
                with suppress(Error):
                    close_old_connections()
                    renew()
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def process_name() -> str:
    """Who holds a lease: host and process."""
    return f"{socket.gethostname()}, process {os.getpid()}"


def holder() -> str:
    """Who holds the lease now, for people; empty if nobody does."""
    lease = ScanLease.objects.filter(pk=1, expires_at__gte=Now()).exclude(token=None).first()
    return f"SeqAuto Run {lease.scan_id} on {lease.holder}" if lease else ""


def is_held_by(scan: Scan) -> bool:
    return ScanLease.objects.filter(pk=1, scan=scan, expires_at__gte=Now()).exclude(token=None).exists()


def withdraw_expired(scan: Scan) -> bool:
    """Take the lease from a scan that let it expire, so that it cannot come back; say whether it has none.

    Inside a transaction it stays so until the end.
    """
    ScanLease.objects.filter(pk=1, scan=scan, expires_at__lt=Now()).update(token=None, expires_at=None)
    return not is_held_by(scan)

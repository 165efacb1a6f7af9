"""Doors for Celery: a task takes a scan's primary key, may come twice, and leaves the work to scans."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import Task, shared_task
from celery.signals import beat_init
from django.db import IntegrityError, transaction
from django.utils import timezone

from seqauto import scans
from seqauto.models import Scan
from seqauto.models.scans import ScanSource

from . import schedule

log = logging.getLogger(__name__)


def queue_scan(scan: Scan) -> None:
    """Send a waiting scan to the worker. Raises kombu's OperationalError; then `tick` sends it later."""
    scan_run_jobs.delay(scan.pk)


@shared_task(bind=True)
def scan_run_jobs(self: Task, scan_id: int | None = None) -> None:
    """Run a scan that waits; without one, as beat calls it, the scan of the latest slot if nobody has it."""
    scan = Scan.objects.filter(pk=scan_id).first() if scan_id else _scan_of_latest_slot()
    if scan is None:
        return
    scan.task_id = self.request.id or ""
    if not scans.run_scan(scan):
        log.info("%s does not start: another scan is running, or it is no longer waiting.", scan)


def _scan_of_latest_slot() -> Scan | None:
    slot = schedule.latest_slot(timezone.now() + schedule.CLOCK_TOLERANCE)
    if not slot:
        log.warning("No scan: a slot is a time of a crontab, and no crontab for scans is enabled.")
        return None
    try:
        with transaction.atomic():
            return scans.create_scan(ScanSource.SCHEDULE, slot=slot)
    except IntegrityError:
        log.info("The slot %s has its scan.", slot)
    except scans.ScanProblem as problem:
        log.warning("No scan for the slot %s: %s", slot, problem)
    return None


@shared_task
def tick() -> None:
    """Every half minute, by beat: end what a dead worker left, start what waits and got lost on its way."""
    scans.fail_abandoned_scans()
    waiting = scans.waiting_scan()
    if waiting and waiting.created_at < timezone.now() - timedelta(seconds=schedule.TICK_SECONDS):
        queue_scan(waiting)


@beat_init.connect
def _set_up_schedule(**_kwargs: object) -> None:
    schedule.set_up()

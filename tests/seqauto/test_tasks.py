"""The doors for Celery: whatever comes twice, late, or too early, a scan runs once."""

import logging
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from seqauto import scans
from seqauto.models import Scan, SequencingRun
from seqauto.models.scans import ScanSource, ScanStatus
from seqauto.tasks.scan_run_jobs import queue_scan, scan_run_jobs, tick
from seqauto.tasks.schedule import TASK
from settings.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def run(archive, write_run):
    return write_run(archive / "haem")


@pytest.fixture
def queue(settings):
    """The real queue of the broker in memory, empty."""
    with app.connection_for_write() as broker, broker.SimpleQueue(settings.SEQAUTO_QUEUE) as queue:
        queue.clear()
        yield queue
        queue.clear()


def take_all(queue) -> list[tuple[str, list]]:
    """(task, arguments) of all that waits in the queue."""
    messages = [queue.get_nowait() for _ in range(queue.qsize())]
    return [(message.headers["task"], message.payload[0]) for message in messages]


def new_scan(**fields) -> Scan:
    scan = scans.create_scan(ScanSource.BUTTON)
    Scan.objects.filter(pk=scan.pk).update(**fields)
    return scan


def deliver(*arguments, task_id: str = "c0ffee") -> None:
    scan_run_jobs.apply(args=arguments, task_id=task_id).get()


def test_a_delivered_task_runs_its_scan_and_leaves_its_id(run):
    scan = new_scan()
    deliver(scan.pk)
    scan.refresh_from_db()
    assert (scan.status, scan.task_id) == (ScanStatus.FINISHED, "c0ffee")
    assert SequencingRun.objects.get().path == str(run)


def test_promise_47_delivered_again_after_its_end_nothing_happens():
    scan = new_scan()
    deliver(scan.pk)
    before = Scan.objects.values().get()
    deliver(scan.pk, task_id="decaf")
    assert Scan.objects.values().get() == before


@pytest.mark.parametrize("status", [ScanStatus.ERROR, ScanStatus.FINISHED])
def test_promise_47_a_scan_that_has_ended_is_not_run_again(status):
    scan = new_scan(status=status)
    deliver(scan.pk)
    scan.refresh_from_db()
    assert (scan.status, scan.task_id, scan.create_models_at) == (status, "", None)


def test_promise_47_delivered_again_while_it_runs_it_has_one_effect(slow_disk, settings):
    settings.SEQAUTO_FIND_SCRIPTS = slow_disk.scripts
    scan = new_scan()

    def first_delivery() -> None:
        deliver(scan.pk)
        connection.close()

    thread = threading.Thread(target=first_delivery)
    thread.start()
    slow_disk.wait_until_asked()
    slow_disk.hold()  # It would be asked a second time.
    deliver(scan.pk, task_id="decaf")
    assert not slow_disk.asked.exists()
    scan.refresh_from_db()
    assert (scan.status, scan.task_id) == (ScanStatus.SCANNING_FILES, "c0ffee")
    slow_disk.let_go()
    thread.join()
    scan.refresh_from_db()
    assert (scan.status, scan.task_id) == (ScanStatus.FINISHED, "c0ffee")
    assert Scan.objects.count() == 1


def test_promise_47_delivered_before_its_row_is_there_it_is_sent_again(queue):
    """A reader of a replica, a transaction that took long: the message may be quicker than the row."""
    deliver(4711)
    assert not Scan.objects.exists()
    Scan.objects.create(pk=4711, source=ScanSource.BUTTON, created_at=timezone.now() - timedelta(minutes=1))
    tick()
    ((task, arguments),) = take_all(queue)
    assert (task, arguments) == (TASK, [4711])
    deliver(*arguments)
    assert Scan.objects.get().status == ScanStatus.FINISHED


# ---- tick ----


def test_a_scan_is_queued_by_its_primary_key(queue):
    scan = new_scan()
    queue_scan(scan)
    assert take_all(queue) == [(TASK, [scan.pk])]


def test_promise_44_tick_sends_the_longest_waiting_scan_again(queue):
    long_ago = timezone.now() - timedelta(minutes=5)
    first, _second = new_scan(created_at=long_ago), new_scan(created_at=long_ago)
    tick()
    assert take_all(queue) == [(TASK, [first.pk])]


def test_tick_lets_alone_what_is_new_what_has_ended_and_what_a_command_waits_with(queue):
    long_ago = timezone.now() - timedelta(minutes=5)
    new_scan()
    new_scan(created_at=long_ago, status=ScanStatus.ERROR)
    new_scan(created_at=long_ago, source=ScanSource.COMMAND_LINE)
    tick()
    assert take_all(queue) == []


# ---- scheduled scans ----


@pytest.fixture
def hourly():
    crontab = CrontabSchedule.objects.create(minute="0", hour="*")
    return PeriodicTask.objects.create(name="hourly", task=TASK, crontab=crontab)


def test_promise_45_however_often_beat_sends_a_slot_is_filled_once(hourly, monkeypatch):
    moment = timezone.now().replace(minute=20, second=0, microsecond=0)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    for _ in range(3):
        deliver()
    scan = Scan.objects.get()
    assert (scan.source, scan.status) == (ScanSource.SCHEDULE, ScanStatus.FINISHED)
    assert scan.slot == f"{moment:%Y-%m-%d %H}:00 UTC"
    assert scan.task_id == "c0ffee"


def test_promise_45_a_slot_is_claimed_once_by_many_at_the_same_moment(hourly, monkeypatch):
    moment = timezone.now().replace(minute=20)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    start = threading.Barrier(4)

    def fill() -> None:
        start.wait()
        deliver()
        connection.close()

    threads = [threading.Thread(target=fill) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Scan.objects.get().status == ScanStatus.FINISHED


def test_a_worker_whose_clock_is_a_little_late_fills_the_slot_that_beat_means(hourly, monkeypatch):
    beats = timezone.now().replace(minute=0, second=0, microsecond=0)
    monkeypatch.setattr(timezone, "now", lambda: beats - timedelta(seconds=20))
    deliver()
    assert Scan.objects.get().slot == f"{beats:%Y-%m-%d %H}:00 UTC"


def test_a_scheduled_scan_waits_where_another_runs_and_is_sent_again(hourly, slow_disk, children, queue):
    running = children.scan(**slow_disk.environment)
    slow_disk.wait_until_asked()
    deliver()
    scheduled = Scan.objects.get(source=ScanSource.SCHEDULE)
    assert scheduled.status == ScanStatus.CREATED
    slow_disk.let_go()
    assert running.returncode() == 0, running.err
    Scan.objects.filter(pk=scheduled.pk).update(created_at=timezone.now() - timedelta(minutes=1))
    tick()
    assert take_all(queue) == [(TASK, [scheduled.pk])]


def test_without_a_crontab_the_log_says_why_there_is_no_scan(hourly, caplog):
    PeriodicTask.objects.update(enabled=False)
    with caplog.at_level(logging.WARNING, logger="seqauto"):
        deliver()
    assert not Scan.objects.exists()
    assert "no crontab for scans is enabled" in caplog.text


# ---- switched off ----


def test_switched_off_a_scan_that_waits_ends_and_says_which_switch(settings):
    scan = new_scan()
    settings.SEQAUTO_ENABLED = False
    deliver(scan.pk)
    scan.refresh_from_db()
    assert (scan.status, scan.scanning_files_at) == (ScanStatus.ERROR, None)
    assert "SEQAUTO_ENABLED is false" in scan.error
    assert "SEQAUTO_ENABLED" in scan.remedy
    assert not SequencingRun.objects.exists()


def test_switched_off_a_slot_passes_and_the_log_says_which_switch(settings, hourly, caplog):
    settings.SEQAUTO_ENABLED = False
    with caplog.at_level(logging.WARNING, logger="seqauto"):
        deliver()
    assert not Scan.objects.exists()
    assert "SEQAUTO_ENABLED is false" in caplog.text


def test_a_scan_that_fails_is_told_on_the_scan_and_the_task_is_done(archive, settings):
    settings.SEQAUTO_SCAN_ROOTS = []
    scan = new_scan()
    deliver(scan.pk)
    scan.refresh_from_db()
    assert (scan.status, scan.error) == (ScanStatus.ERROR, "No archive disk is named.")

"""Worker, beat and command at once through a real broker, and what of them may die in a scan."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import redis
from child_processes import Child, Children, wait_until
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks
from test_broker import EmbeddedBroker, broker_url, embedded  # noqa: F401

from seqauto.models import Scan, SequencingFile, SequencingRun
from seqauto.models.scans import ScanSource, ScanStatus
from seqauto.tasks.schedule import TASK

pytestmark = [
    pytest.mark.broker,
    pytest.mark.django_db(transaction=True),
    pytest.mark.alone("broker"),
]

WORKER = [
    "--quiet",
    "worker",
    "-Q",
    "seqauto_single_worker",
    "-c",
    "1",
    "--without-mingle",
    "--without-gossip",
]


@pytest.fixture(autouse=True)
def run(archive, write_run) -> Path:
    return write_run(archive / "exome")


def start_worker(children: Children, **environment: str) -> Child:
    number = len(children.started)
    worker = children.celery(*WORKER, "--loglevel", "info", "-n", f"faults_{number}", **environment)
    wait_until(lambda: "ready." in worker.err + worker.out, "the worker is ready")
    return worker


def press_the_button(children: Children) -> Scan:
    """What the page does, in a process that knows the broker."""
    code = (
        "from seqauto import scans; from seqauto.tasks.scan_run_jobs import queue_scan; "
        "from seqauto.models.scans import ScanSource; queue_scan(scans.create_scan(ScanSource.BUTTON))"
    )
    child = children.manage("shell", "--no-imports", "-c", code)
    assert child.returncode() == 0, child.err
    return Scan.objects.latest("pk")


def tick(children: Children) -> None:
    """Beat's look after scans, half a minute of waiting saved."""
    Scan.objects.waiting().update(created_at=timezone.now() - timedelta(minutes=1))
    child = children.celery("--quiet", "call", "seqauto.tasks.scan_run_jobs.tick")
    assert child.returncode() == 0, child.err


def wait_for_success(scan: Scan) -> None:
    ended = (ScanStatus.FINISHED, ScanStatus.ERROR)
    wait_until(lambda: Scan.objects.filter(pk=scan.pk, status__in=ended), f"{scan} has ended")
    scan.refresh_from_db()
    assert scan.status == ScanStatus.FINISHED, scan.error + scan.traceback


def wait_for_the_error(scan: Scan, children: Children) -> None:
    """The worker died, and its lease has to run out."""

    def is_found() -> bool:
        tick(children)
        scan.refresh_from_db()
        return scan.status == ScanStatus.ERROR

    wait_until(is_found, f"{scan} is an Error")
    assert scan.error.startswith("The worker (")


@pytest.fixture
def broker(embedded, children) -> Iterator[EmbeddedBroker]:  # noqa: F811
    children.environment["CELERY_BROKER_URL"] = embedded.url
    return embedded


def an_overdue_entry() -> PeriodicTask:
    """Of an hour that has passed (beat looks at entries of two hours around), last run three days ago."""
    hour = (timezone.now() - timedelta(hours=1)).hour
    crontab = CrontabSchedule.objects.create(minute="0", hour=hour, timezone="UTC")
    return PeriodicTask.objects.create(
        name="overdue", task=TASK, crontab=crontab, last_run_at=timezone.now() - timedelta(days=3)
    )


def start_beat_until_it_sends(children: Children, entry: PeriodicTask) -> None:
    beat = children.celery("--quiet", "beat", "--loglevel", "info")

    def has_sent() -> bool:
        if "Sending due task overdue" in beat.err + beat.out:
            return True
        # Another beat that is at work writes its own last run over this one, whenever it pleases.
        PeriodicTask.objects.filter(pk=entry.pk).update(last_run_at=timezone.now() - timedelta(days=3))
        PeriodicTasks.update_changed()
        time.sleep(1)
        return False

    wait_until(has_sent, "beat sends the scheduled scan")


def test_promises_38_and_45_worker_two_beats_and_commands_at_once(broker, children, slow_disk):
    """One runs, others wait or say who holds the lease; two beats fill one slot; all come to their turn."""
    entry = an_overdue_entry()
    first = children.scan(**slow_disk.environment)
    slow_disk.wait_until_asked()
    running = Scan.objects.get()
    worker = start_worker(children)
    pressed = press_the_button(children)
    for _ in range(2):
        start_beat_until_it_sends(children, entry)
    wait_until(lambda: worker.err.count(f"Task {TASK}[") >= 6, "the worker has answered all three tasks")
    refused = children.scan()
    assert refused.returncode() == 1
    assert f"SeqAuto Run {running.pk} on " in refused.err
    assert list(Scan.objects.running()) == [running]
    scheduled = Scan.objects.get(source=ScanSource.SCHEDULE)
    assert set(Scan.objects.waiting()) == {pressed, scheduled}
    slow_disk.let_go()
    assert first.returncode() == 0, first.err
    for scan in (pressed, scheduled):
        tick(children)
        wait_for_success(scan)
        assert scan.task_id
    by_start = sorted(Scan.objects.all(), key=lambda scan: scan.scanning_files_at)
    assert by_start == [running, pressed, scheduled]
    assert all(one.finished_at <= two.scanning_files_at for one, two in pairwise(by_start))
    assert scheduled.slot.endswith(":00 UTC")


def test_promise_44_a_scan_at_work_outlives_its_broker(broker, children, slow_disk):
    start_worker(children, **slow_disk.environment)
    scan = press_the_button(children)
    slow_disk.wait_until_asked()
    broker.kill()
    slow_disk.let_go()
    wait_for_success(scan)
    before = Scan.objects.filter(pk=scan.pk).values().get()
    broker.start()
    following = press_the_button(children)
    wait_for_success(following)
    # Its message was never acknowledged, and may have come again: with no effect.
    assert Scan.objects.filter(pk=scan.pk).values().get() == before
    assert Scan.objects.count() == 2


def test_promise_39_kill_9_of_a_worker_in_a_scan(broker_url, children, slow_disk):  # noqa: F811
    """The machine is switched off; the next worker may get the dead one's task again, with no effect."""
    children.environment["CELERY_BROKER_URL"] = broker_url
    short = {"SEQAUTO_LEASE_SECONDS": "2", "SEQAUTO_HEARTBEAT_SECONDS": "1"}
    worker = start_worker(children, **short, **slow_disk.environment)
    killed = press_the_button(children)
    slow_disk.wait_until_asked()
    worker.end()
    start_worker(children)
    wait_for_the_error(killed, children)
    assert SequencingRun.objects.count() == 0
    following = press_the_button(children)
    wait_for_success(following)
    assert SequencingFile.objects.count() == 10
    assert Scan.objects.count() == 2


def test_promise_39_kill_9_of_the_process_that_scans_leaves_a_worker_that_works(broker, children, slow_disk):
    """What the kernel does when memory is short: the worker's child dies, the worker starts another."""
    start_worker(children, SEQAUTO_LEASE_SECONDS="2", SEQAUTO_HEARTBEAT_SECONDS="1", **slow_disk.environment)
    killed = press_the_button(children)
    slow_disk.wait_until_asked()
    killed.refresh_from_db()
    os.kill(int(killed.worker.split()[-1]), signal.SIGKILL)
    slow_disk.let_go()
    wait_for_the_error(killed, children)
    following = press_the_button(children)
    wait_for_success(following)
    assert Scan.objects.count() == 2


def test_promise_44_a_broker_flushed_under_a_worker_is_filled_again(broker, children):
    """Also what the worker knew of its queues is gone; it sends and takes all the same."""
    start_worker(children)
    for _ in range(2):
        scan = Scan.objects.create(source=ScanSource.BUTTON)  # Its message was lost.
        tick(children)
        wait_for_success(scan)
        redis.Redis(unix_socket_path=broker.url.removeprefix("redis+socket://")).flushall()

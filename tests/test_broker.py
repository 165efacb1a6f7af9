"""Scans through real brokers and a real worker: none is lost, whatever happens to the queue."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import kombu
import pytest
from django.utils import timezone

from seqauto import scans
from seqauto.models import Scan
from seqauto.models.scans import ScanSource, ScanStatus
from settings.local import broker_socket

ROOT = Path(__file__).resolve().parent.parent
QUEUE = "seqauto_single_worker"
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
RABBITMQ = os.environ.get("TEST_RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//")

pytestmark = [
    pytest.mark.broker,
    pytest.mark.django_db(transaction=True),
    pytest.mark.alone("broker"),  # They share the queue's name on the machine's servers.
]


def answers(url: str) -> bool:
    try:
        with kombu.Connection(url, connect_timeout=3) as connection:
            connection.ensure_connection(max_retries=1, timeout=3)
    except connection.recoverable_connection_errors:
        return False
    return True


def waits_until(condition: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def empty_queue(url: str) -> None:
    with kombu.Connection(url) as connection:
        kombu.Queue(QUEUE, channel=connection.default_channel).declare()
        connection.default_channel.queue_purge(QUEUE)


class EmbeddedBroker:
    """The broker of `make run`, with its state under `var`."""

    def __init__(self, var: Path) -> None:
        self.environment = {
            **os.environ,
            "SEQAUTO_VAR_DIR": str(var),
            "DJANGO_SETTINGS_MODULE": "settings.local",
        }
        self.url = f"redis+socket://{broker_socket(var)}"

    def start(self) -> None:
        self.process = self.spawn()
        assert waits_until(lambda: self.process.poll() is not None or answers(self.url))
        assert self.process.poll() is None

    def spawn(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "scripts" / "broker.py")]
        return subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def embedded(tmp_path) -> Iterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path / "var")
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(params=["embedded", "redis", "rabbitmq"])
def broker_url(request) -> Iterator[str]:
    if request.param == "embedded":
        yield request.getfixturevalue("embedded").url
        return
    url = REDIS if request.param == "redis" else RABBITMQ
    if not answers(url):
        pytest.skip(f"no broker answers at {url}")
    empty_queue(url)
    yield url
    empty_queue(url)


class Processes:
    """Children of the test that work on its database and archive, through the broker at `url`."""

    def __init__(self, manage_py: tuple[list[str], dict[str, str]], url: str) -> None:
        self.command, environment = manage_py
        self.environment = {**environment, "CELERY_BROKER_URL": url}

    def call(self, statement: str) -> subprocess.CompletedProcess[str]:
        code = f"from seqauto.models import Scan; from seqauto.tasks.scan_run_jobs import *; {statement}"
        return subprocess.run(
            [*self.command, "shell", "--no-imports", "-c", code],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=90,
        )

    def queue(self, scan: Scan) -> None:
        result = self.call(f"queue_scan(Scan.objects.get(pk={scan.pk}))")
        assert result.returncode == 0, result.stderr

    @contextmanager
    def worker(self) -> Iterator[None]:
        command = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "settings",
            "--quiet",
            "worker",
            "-Q",
            QUEUE,
            "-c",
            "1",
        ]
        quiet = ["--without-mingle", "--without-gossip", "--loglevel", "warning", "-n", f"test-{os.getpid()}"]
        process = subprocess.Popen(command + quiet, cwd=ROOT, env=self.environment, start_new_session=True)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def run(archive, write_run) -> Path:
    return write_run(archive / "exome")


def has_finished(scan: Scan) -> bool:
    scan.refresh_from_db()
    return scan.status == ScanStatus.FINISHED


def test_a_queued_scan_is_done_by_the_worker(broker_url, run, manage_py):
    processes = Processes(manage_py, broker_url)
    scan = scans.create_scan(ScanSource.BUTTON)
    processes.queue(scan)
    with processes.worker():
        assert waits_until(lambda: has_finished(scan)), scan.error
    assert scan.task_id
    assert scan.runs_found == 1


def test_promise_47_a_task_that_comes_three_times_scans_once(broker_url, run, manage_py):
    processes = Processes(manage_py, broker_url)
    scan = scans.create_scan(ScanSource.BUTTON)
    for _ in range(3):
        processes.queue(scan)
    last = scans.create_scan(ScanSource.BUTTON)
    processes.queue(last)
    with processes.worker():
        assert waits_until(lambda: has_finished(last)), last.error
    assert has_finished(scan)
    assert list(Scan.objects.values_list("pk", flat=True).order_by("pk")) == [scan.pk, last.pk]
    assert (scan.files_appeared, last.files_appeared) == (10, 0)


def test_promise_44_a_scan_outlives_a_killed_broker(embedded, run, manage_py):
    processes = Processes(manage_py, embedded.url)
    scan = scans.create_scan(ScanSource.BUTTON)
    processes.queue(scan)
    embedded.kill()
    embedded.start()
    with processes.worker():
        assert waits_until(lambda: has_finished(scan)), scan.error


def test_promise_44_a_scan_outlives_a_flushed_broker(broker_url, run, manage_py):
    processes = Processes(manage_py, broker_url)
    scan = scans.create_scan(ScanSource.BUTTON)
    processes.queue(scan)
    empty_queue(broker_url)
    Scan.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    assert processes.call("tick()").returncode == 0
    with processes.worker():
        assert waits_until(lambda: has_finished(scan)), scan.error


def test_without_a_broker_queueing_fails_soon_and_the_scan_waits(run, manage_py, tmp_path):
    processes = Processes(manage_py, f"redis+socket://{tmp_path}/none.sock")
    scan = scans.create_scan(ScanSource.BUTTON)
    result = processes.call(f"queue_scan(Scan.objects.get(pk={scan.pk}))")
    assert "kombu.exceptions.OperationalError" in result.stderr
    scan.refresh_from_db()
    assert scan.status == ScanStatus.CREATED


def test_two_brokers_never_share_one_state(embedded):
    second = embedded.spawn()
    _, error = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "SeqAuto is started twice" in error
    assert answers(embedded.url)

"""Server status with real workers, beat and brokers: killed, stopped, cut off from the database."""

import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import kombu
import pytest
import redis
from child_processes import Child, Children, wait_until
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from test_broker import QUEUE, REDIS, answers, broker_url, embedded  # noqa: F401
from test_broker_faults import press_the_button

from seqauto.models import Scan, Worker
from seqauto.models.scans import ScanStatus
from seqauto.server_status import WorkerState, worker_states
from seqauto.server_status_asking import Asked
from seqauto.tasks import broker
from seqauto.views import server_status as views
from settings.celery import app

pytestmark = [
    pytest.mark.broker,
    pytest.mark.django_db(transaction=True),
    pytest.mark.alone("broker"),
]

WORKER = [
    "--quiet",
    "worker",
    "-Q",
    QUEUE,
    "-c",
    "1",
    "--without-mingle",
    "--without-gossip",
    "-n",
    "scans@here",
]


@pytest.fixture(autouse=True)
def run(archive, write_run) -> Path:
    """Before any child is started, which is told where it lies."""
    return write_run(archive / "exome")


@pytest.fixture(autouse=True)
def here(monkeypatch, settings) -> None:
    settings.SEQAUTO_INCOMING_DIRS = []
    monkeypatch.setattr(
        views, "_queue_lengths", Asked(lambda: broker.queue_lengths([QUEUE]), every_seconds=0)
    )
    monkeypatch.setattr(views, "_answering_workers", Asked(broker.answering_workers, every_seconds=0))


@pytest.fixture
def use(monkeypatch, children) -> Callable[[str], None]:
    def use(url: str) -> None:
        monkeypatch.setattr(app.conf, "broker_read_url", url)
        children.environment |= {"CELERY_BROKER_URL": url, "SEQAUTO_HEARTBEAT_SECONDS": "1"}

    return use


@pytest.fixture
def our_broker(embedded, use) -> str:  # noqa: F811
    use(embedded.url)
    return embedded.url


def start_worker(children: Children, **environment: str) -> Child:
    worker = children.celery(*WORKER, "--loglevel", "info", **environment)
    wait_until(lambda: Worker.objects.filter(name="scans@here", stopped_at=None).exists(), "it gave a sign")
    return worker


def state_of(name: str) -> WorkerState:
    (found,) = [one for one in worker_states() if one.name.startswith(name)]
    return found


def four_minutes_pass() -> None:
    Worker.objects.update(beat_at=F("beat_at") - timedelta(minutes=4))


def wait_for_a_sign() -> None:
    before = Worker.objects.get(name="scans@here").beat_at
    wait_until(lambda: Worker.objects.get(name="scans@here").beat_at > before, "a sign is written")


def test_what_waits_is_counted_and_who_works_answers(broker_url, use, children):  # noqa: F811
    use(broker_url)
    with kombu.Connection(broker_url) as sender, sender.Producer() as producer:
        for _ in range(3):
            producer.publish({}, routing_key=QUEUE, declare=[kombu.Queue(QUEUE, routing_key=QUEUE)])
    assert broker.queue_lengths([QUEUE, "never_heard_of"]) == {QUEUE: 3, "never_heard_of": 0}
    assert broker.answering_workers() == {}
    worker = start_worker(children)
    wait_until(lambda: broker.answering_workers() == {"scans@here": [QUEUE]}, "it answers")
    wait_until(lambda: broker.queue_lengths([QUEUE]) == {QUEUE: 0}, "it takes them")
    worker.kill()
    assert broker.answering_workers() == {}


def test_a_killed_worker_falls_silent_and_the_page_says_what_to_do(our_broker, children, client):
    client.force_login(User.objects.create_superuser("head_of_lab"))
    worker = start_worker(children)
    assert state_of("scans@here").word == "alive"
    worker.kill()
    assert state_of("scans@here").word == "alive"  # nobody can know yet
    four_minutes_pass()
    body = client.get("/status/").content.decode()
    assert "silent since" in body
    assert "systemctl restart seqauto-worker" in body
    start_worker(children)
    wait_until(lambda: state_of("scans@here").word == "alive", "its successor is alive")


def test_a_worker_that_is_stopped_says_so(our_broker, children):
    worker = start_worker(children)
    worker.send(signal.SIGTERM)
    assert worker.returncode() == 0
    assert state_of("scans@here").word == "stopped"


def test_a_worker_at_work_says_at_what_and_lives_while_its_task_hangs(our_broker, children, slow_disk):
    start_worker(children, **slow_disk.environment)
    press_the_button(children)
    slow_disk.wait_until_asked()
    wait_until(lambda: state_of("scans@here").active, "it says so")
    wait_for_a_sign()
    (task,) = state_of("scans@here").active
    assert task.name == "seqauto.tasks.scan_run_jobs.scan_run_jobs"
    slow_disk.let_go()
    wait_until(lambda: Scan.objects.get().status == ScanStatus.FINISHED, "the scan ends")
    wait_until(lambda: not state_of("scans@here").active, "it is at nothing")


def test_beat_ticks_and_says_when_it_is_stopped(our_broker, children):
    beat = children.celery("--quiet", "beat", "--loglevel", "info")
    wait_until(lambda: state_of("beat").word == "alive", "it ticks")
    first = state_of("beat").beat_at
    wait_until(lambda: state_of("beat").beat_at > first, "it ticks again")
    beat.send(signal.SIGTERM)
    beat.returncode()
    assert state_of("beat").word == "stopped"


def test_asking_leaves_nothing_behind(use):
    if not answers(REDIS):
        pytest.skip(f"no broker answers at {REDIS}")
    use(REDIS)
    server = redis.Redis.from_url(REDIS)

    def left() -> set[bytes]:
        broker.queue_lengths([QUEUE])
        broker.answering_workers()
        return {key for key in server.keys("*") if server.type(key) == b"list" or b"reply" in key}

    assert left() == left() == left()


# --- A database that is away ---------------------------------------------------------------------------


class Line:
    """Between a child and PostgreSQL; cut, it is a server that was stopped."""

    def __init__(self) -> None:
        config = connection.settings_dict
        self.server = (config["HOST"] or "127.0.0.1", int(config["PORT"] or 5432))
        self.ends: list[socket.socket] = []
        self.listener: socket.socket | None = None
        self.port = 0
        self.mend()

    def mend(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self) -> None:
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _address = listener.accept()
                far = socket.create_connection(self.server)
                self.ends += [near, far]
                threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError), near, far:
            while True:
                for end in select.select([near, far], [], [])[0]:
                    data = end.recv(65536)
                    if not data:
                        return
                    (far if end is near else near).sendall(data)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.cut()


@pytest.mark.postgres
def test_promise_46_a_worker_and_beat_outlive_a_database_that_was_away(our_broker, children, line):
    url = children.environment["DATABASE_URL"]
    host = f"@{connection.settings_dict['HOST']}:{connection.settings_dict['PORT']}/"
    assert host in url
    environment = {"DATABASE_URL": url.replace(host, f"@127.0.0.1:{line.port}/"), "PGSSLMODE": "disable"}
    worker = start_worker(children, **environment)
    beat = children.celery("--quiet", "beat", "--loglevel", "info", **environment)
    wait_until(lambda: state_of("beat").word == "alive", "beat ticks")
    line.cut()
    wait_until(lambda: "No sign of life could be written" in worker.err, "signs are refused")
    line.mend()
    wait_for_a_sign()
    first = state_of("beat").beat_at
    wait_until(lambda: state_of("beat").beat_at > first, "beat ticks again")
    press_the_button(children)
    wait_until(lambda: Scan.objects.get().status == ScanStatus.FINISHED, "it still works")
    assert (worker.process.poll(), beat.process.poll()) == (None, None)

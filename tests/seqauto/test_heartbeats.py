"""Signs of life: written by workers and beat, whatever the database does, and ended by a word."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from celery.worker import state as celerys_own
from child_processes import wait_until
from django.db import OperationalError, ProgrammingError, connection
from django.utils import timezone

from seqauto.models import Worker
from seqauto.server_status import worker_states
from seqauto.server_status_versions import SOFTWARE, seqauto_version
from seqauto.tasks import heartbeats
from seqauto.tasks.beat import Scheduler
from seqauto.tasks.heartbeats import Signs, write_end, write_sign
from settings.celery import app

pytestmark = pytest.mark.django_db(transaction=True)

NAME = "seqauto_single_worker@here"


@pytest.fixture(autouse=True)
def often(monkeypatch, settings) -> None:
    monkeypatch.setattr(heartbeats, "EVERY_SECONDS", 0.05)
    settings.SEQAUTO_INCOMING_DIRS = []


@pytest.fixture
def signs() -> Iterator[Signs]:
    """The signs of a worker of scans; Celery's own is in test_broker_status."""
    queues = SimpleNamespace(queues=SimpleNamespace(consume_from=["seqauto_single_worker"]))
    signs = Signs(SimpleNamespace(hostname=NAME, concurrency=1, app=SimpleNamespace(amqp=queues)))
    signs.start()
    yield signs
    signs.end()


def row() -> Worker | None:
    return Worker.objects.filter(name=NAME).first()


def wait_for_a_sign() -> None:
    before = row().beat_at if row() else None
    wait_until(lambda: row() and row().beat_at != before, "a sign is written")


@contextmanager
def table_away() -> Iterator[None]:
    """A database that refuses every sign."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE seqauto_worker RENAME TO away")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE away RENAME TO seqauto_worker")


def test_a_worker_tells_what_it_is(signs):
    wait_for_a_sign()
    worker = row()
    assert (worker.host, worker.pid, worker.queues) == (
        socket.gethostname(),
        os.getpid(),
        ["seqauto_single_worker"],
    )
    assert (worker.concurrency, worker.active, worker.reserved) == (1, [], 0)
    assert worker.versions == SOFTWARE
    assert abs(timezone.now() - worker.started_at) < timedelta(minutes=1)
    assert worker_states()[0].word == "alive"


def test_a_worker_tells_what_it_is_at_and_what_it_took_besides(signs, monkeypatch):
    began = time.time()

    class Request:
        def __init__(self, time_start) -> None:
            self.name, self.time_start = "seqauto.tasks.proving.prove_copies", time_start

    active, waiting = Request(began), Request(None)
    monkeypatch.setattr(celerys_own, "active_requests", {active})
    monkeypatch.setattr(celerys_own, "reserved_requests", {active, waiting})
    wait_until(lambda: row() and row().active, "it tells so")
    assert (row().active, row().reserved) == ([["seqauto.tasks.proving.prove_copies", began]], 1)


def test_its_start_stays_while_its_signs_go_on(signs):
    wait_for_a_sign()
    started = row().started_at
    wait_for_a_sign()
    assert row().started_at == started


def test_a_database_that_refuses_costs_signs_and_nothing_else(signs, caplog):
    wait_for_a_sign()
    with table_away():
        wait_until(lambda: "No sign of life could be written" in caplog.text, "a sign is refused")
    wait_for_a_sign()
    assert worker_states()[0].word == "alive"


@pytest.mark.postgres
def test_promise_46_signs_outlive_their_connections(signs):
    wait_for_a_sign()
    for _ in range(5):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        wait_for_a_sign()


def test_a_row_that_somebody_deleted_comes_back(signs):
    wait_for_a_sign()
    Worker.objects.all().delete()
    wait_for_a_sign()
    assert worker_states()[0].word == "alive"


def test_a_worker_that_ends_says_so_and_one_that_starts_again_takes_it_back(signs):
    wait_for_a_sign()
    signs.end()
    assert (worker_states()[0].word, row().active) == ("stopped", [])
    write_sign(sign(), is_first=True)
    assert worker_states()[0].word == "alive"


def sign(**fields) -> Worker:
    values = {"kind": "worker", "host": socket.gethostname(), "pid": os.getpid()}
    return Worker(**{"name": NAME, "queues": ["seqauto_single_worker"]} | values | fields)


def test_who_ends_late_does_not_end_its_successor():
    write_sign(sign(pid=1), is_first=True)
    write_end(NAME)
    assert row().stopped_at is None


def test_what_was_silent_for_a_month_is_forgotten():
    write_sign(sign(name="long@gone"), is_first=True)
    Worker.objects.update(beat_at=timezone.now() - timedelta(days=31))
    write_sign(sign(), is_first=True)
    assert [worker.name for worker in Worker.objects.all()] == [NAME]


def test_the_clock_of_the_worker_does_not_matter(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: datetime(2030, 1, 1, tzinfo=UTC))
    write_sign(sign(), is_first=True)
    assert worker_states()[0].word == "alive"


def test_a_set_that_celery_changes_meanwhile_is_read_again():
    class Changing:
        reads = 0

        def __iter__(self):
            self.reads += 1
            if self.reads < 3:
                raise RuntimeError("Set changed size during iteration")
            return iter(["request"])

    assert heartbeats._all_of(Changing()) == ("request",)


@pytest.mark.parametrize("program", ["", "/nowhere/bcl-convert"])
def test_the_worker_of_deliveries_tells_its_converter(settings, program, monkeypatch):
    settings.SEQAUTO_CONVERTERS = ["bcl-convert"]
    settings.SEQAUTO_CONVERTER_PROGRAMS = {"bcl-convert": program} if program else {}
    monkeypatch.setenv("PATH", "/nowhere")
    queues = SimpleNamespace(queues=SimpleNamespace(consume_from=[settings.SEQAUTO_DELIVERY_QUEUE]))
    signs = Signs(SimpleNamespace(hostname=NAME, concurrency=4, app=SimpleNamespace(amqp=queues)))
    signs.start()
    wait_until(lambda: row() and "Converter" in row().versions, "it tells so")
    signs.end()
    told = f"bcl-convert is set to {program}, which is not there" if program else "none found"
    assert row().versions["Converter"].startswith(told)


# --- Beat ----------------------------------------------------------------------------------------------


@pytest.fixture
def beat() -> Scheduler:
    return Scheduler(app=app, lazy=True)


def beats_row() -> Worker:
    return Worker.objects.get(name=f"beat@{socket.gethostname()}")


def test_beat_writes_that_it_ticks_and_that_it_ends(beat):
    beat.tick()
    assert worker_states()[-1].word == "alive"
    beat.close()
    assert worker_states()[-1].word == "stopped"
    assert beats_row().versions == SOFTWARE


def test_beat_does_not_write_at_every_tick(beat, monkeypatch):
    monkeypatch.setattr("seqauto.tasks.beat.EVERY_SECONDS", 60)
    beat.tick()
    first = beats_row().beat_at
    beat.tick()
    assert beats_row().beat_at == first
    monkeypatch.setattr("seqauto.tasks.beat.EVERY_SECONDS", 0)
    beat.tick()
    assert beats_row().beat_at > first


def test_a_database_that_refuses_does_not_stop_beat(beat, caplog):
    with table_away():
        beat.tick()
        beat.close()
    assert "No sign of life could be written" in caplog.text
    beat.tick()
    assert worker_states()[-1].word == "alive"


def test_beat_whose_tick_fails_writes_no_sign(beat, monkeypatch):
    def hang(*_args, **_kwargs):
        raise OperationalError("by the test")

    monkeypatch.setattr("django_celery_beat.schedulers.DatabaseScheduler.tick", hang)
    with pytest.raises(OperationalError):
        beat.tick()
    assert not Worker.objects.exists()


# --- Which SeqAuto -------------------------------------------------------------------------------------

COMMIT = "9cbf2bb1c4" * 4


def clone(folder, head: str = "ref: refs/heads/main") -> None:
    (folder / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (folder / ".git" / "refs" / "heads").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text(f"{head}\n")


def test_a_clone_tells_its_commit(tmp_path):
    clone(tmp_path)
    assert seqauto_version(tmp_path) == "0.2.0"
    (tmp_path / ".git" / "packed-refs").write_text(f"# pack-refs\n{COMMIT} refs/heads/main\n")
    assert seqauto_version(tmp_path) == "0.2.0 (9cbf2bb1c4)"
    (tmp_path / ".git" / "refs" / "heads" / "main").write_text(f"{'a' * 40}\n")
    assert seqauto_version(tmp_path) == "0.2.0 (aaaaaaaaaa)"


def test_a_clone_at_a_commit_of_its_own_tells_it(tmp_path):
    clone(tmp_path, head=COMMIT)
    assert seqauto_version(tmp_path) == "0.2.0 (9cbf2bb1c4)"


def test_a_copy_without_git_tells_its_version(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    assert seqauto_version(tmp_path) == "0.2.0"


def test_a_table_that_is_not_there_is_an_error_of_the_database():
    """So that `table_away` is a fault that signs must survive."""
    with table_away(), pytest.raises((OperationalError, ProgrammingError)):
        write_sign(sign(), is_first=False)

"""Server status: which process is alive, which is not, what nobody knows; and a page that never waits."""

import re
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_rows import add_delivery, fail
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from page_rows import add_message, add_run, add_scan

from seqauto import server_status_asking
from seqauto.models import DiskReading, Worker
from seqauto.models.scans import ScanStatus
from seqauto.server_status import WorkerState, expected_processes, worker_states
from seqauto.server_status_asking import Asked
from seqauto.tasks import schedule
from seqauto.templatetags.looks import compact_time
from seqauto.templatetags.status_looks import worker_word
from seqauto.views import server_status as views
from settings.celery import app

pytestmark = pytest.mark.django_db

SCANS, DELIVERIES = "seqauto_single_worker", "seqauto_delivery"


@pytest.fixture(autouse=True)
def lab(settings) -> None:
    settings.SEQAUTO_INCOMING_DIRS = [Path("/incoming")]


@pytest.fixture(autouse=True)
def well(monkeypatch) -> None:
    """A broker that answers, and one worker through it."""
    ask_of(monkeypatch, lengths=lambda: {SCANS: 0, DELIVERIES: 0}, workers=dict)


def ask_of(monkeypatch, lengths, workers) -> None:
    monkeypatch.setattr(views, "_queue_lengths", Asked(lengths, every_seconds=5))
    monkeypatch.setattr(views, "_answering_workers", Asked(workers, every_seconds=9))


@pytest.fixture
def superuser(client) -> User:
    user = User.objects.create_superuser("head_of_lab")
    client.force_login(user)
    return user


def add_worker(queue: str = SCANS, silent: timedelta = timedelta(), **fields) -> Worker:
    """A worker whose last sign of life is so old."""
    now = timezone.now()
    values = {
        "name": f"{queue}@lab1",
        "kind": "worker",
        "host": "lab1",
        "pid": 4711,
        "queues": [queue],
        "concurrency": 1,
        "started_at": now - timedelta(days=3),
        "beat_at": now - silent,
    }
    return Worker.objects.create(**values | fields)


def add_beat(silent: timedelta = timedelta(), **fields) -> Worker:
    return add_worker("beat", silent, kind="beat", queues=[], **fields)


def add_all() -> None:
    add_worker(SCANS)
    add_worker(DELIVERIES)
    add_beat()


def state_of(name: str, **answers) -> WorkerState:
    (found,) = [one for one in worker_states(**answers) if one.name.startswith(name)]
    return found


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).replace("\u00a0", " ").split())


def page(client) -> str:
    return text_of(client.get("/status/"))


# --- Which processes are expected ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scans", "incoming", "expected"),
    [
        (True, ["/incoming"], [SCANS, DELIVERIES, "beat"]),
        (True, [], [SCANS, "beat"]),
        (False, ["/incoming"], [DELIVERIES, "beat"]),
        (False, [], []),
    ],
)
def test_the_settings_say_which_processes_are_expected(settings, scans, incoming, expected):
    settings.SEQAUTO_ENABLED, settings.SEQAUTO_INCOMING_DIRS = scans, incoming
    assert [one.name for one in expected_processes()] == expected
    assert [one.name for one in worker_states()] == expected


def test_a_worker_that_the_settings_do_not_ask_for_is_shown_while_it_lives(settings):
    settings.SEQAUTO_INCOMING_DIRS = []
    add_worker(DELIVERIES)
    assert (state_of(DELIVERIES).word, state_of(DELIVERIES).does) == ("alive", "Not expected")
    Worker.objects.update(beat_at=timezone.now() - timedelta(hours=1))
    assert [one.name for one in worker_states()] == [SCANS, "beat"]


def test_one_worker_may_serve_both_queues():
    add_worker(SCANS, queues=[SCANS, DELIVERIES])
    assert [one.word for one in worker_states()] == ["alive", "alive", "unknown"]


def test_the_states_of_all_cost_one_query(django_assert_num_queries):
    add_all()
    with django_assert_num_queries(1):
        assert [one.look for one in worker_states()] == ["ok", "ok", "ok"]


# --- Alive, silent, stopped, unknown -------------------------------------------------------------------


def test_a_worker_that_gave_a_sign_within_a_minute_is_alive_and_says_what_it_is_at():
    at = timezone.now() - timedelta(minutes=9)
    add_worker(
        active=[["seqauto.tasks.scan_run_jobs.scan_run_jobs", at.timestamp()]], silent=timedelta(seconds=50)
    )
    state = state_of(SCANS)
    assert (state.look, state.word, state.concurrency) == ("ok", "alive", 1)
    assert [(task.name, task.since) for task in state.active] == [
        ("seqauto.tasks.scan_run_jobs.scan_run_jobs", at)
    ]
    assert (state.todo, state.commands, state.needs_a_person) == ("", (), False)


def test_a_worker_that_fell_silent_lately_may_be_starting_anew():
    add_worker(silent=timedelta(minutes=2))
    assert (state_of(SCANS).look, state_of(SCANS).word) == ("warn", "silent")
    assert state_of(SCANS).todo == "It may be starting anew; wait a minute or two."


def test_a_worker_that_is_silent_for_minutes_is_red_and_says_since_when_and_what_to_do():
    row = add_worker(silent=timedelta(minutes=4), active=[["scan", 1.0]])
    state = state_of(SCANS)
    assert (state.look, state.word, state.since) == ("bad", "silent", row.beat_at)
    assert str(worker_word(state).word) == f"silent since {compact_time(row.beat_at)}"
    assert state.todo == "See how it is on lab1, and start it again."
    assert state.commands == ("systemctl status seqauto-worker", "systemctl restart seqauto-worker")
    assert state.active == ()  # nobody knows whether it still is


def test_a_worker_that_was_stopped_says_so():
    row = add_worker(
        DELIVERIES, silent=timedelta(minutes=4), stopped_at=timezone.now() - timedelta(minutes=4)
    )
    state = state_of(DELIVERIES)
    assert (state.look, state.word, state.since) == ("bad", "stopped", row.stopped_at)
    assert state.todo == "It was asked to stop. Start it again on lab1."
    assert state.commands == ("systemctl start seqauto-delivery",)


def test_a_silent_worker_that_answers_through_the_broker_is_not_called_dead():
    add_worker(silent=timedelta(hours=1))
    state = state_of(SCANS, answers={f"{SCANS}@lab1": [SCANS]})
    assert (state.look, state.word) == ("warn", "silent")
    assert "It answers through the broker, but does not reach the database" in state.todo


def test_without_a_row_and_without_an_answer_it_is_unknown_not_dead():
    state = state_of(SCANS)
    assert (state.look, state.word, state.since) == ("warn", "unknown", None)
    assert state.commands == ("systemctl start seqauto-worker",)


def test_without_a_row_the_broker_tells_whether_it_was_started():
    assert (state_of(SCANS, answers={}).look, state_of(SCANS, answers={}).word) == ("bad", "not started")
    there = state_of(SCANS, answers={"another@name": [SCANS]})
    assert (there.look, there.word) == ("warn", "answering")
    assert state_of("beat", answers={}).word == "unknown"  # it cannot be asked


def test_a_silent_worker_whose_work_another_does_is_told_for_a_day():
    add_worker(name=f"{SCANS}@lab2", host="lab2")
    gone = add_worker(silent=timedelta(hours=20))
    looks = {one.name: (one.look, one.word) for one in worker_states()}
    assert looks[f"{SCANS}@lab2"] == ("ok", "alive")
    assert looks[gone.name] == ("warn", "silent")
    Worker.objects.filter(pk=gone.pk).update(beat_at=timezone.now() - timedelta(hours=25))
    assert gone.name not in {one.name for one in worker_states()}


def test_a_worker_that_was_replaced_after_a_stop_is_not_told():
    add_worker(name=f"{SCANS}@lab2")
    add_worker(silent=timedelta(minutes=1), stopped_at=timezone.now() - timedelta(minutes=1))
    assert [one.name for one in worker_states()] == [f"{SCANS}@lab2", DELIVERIES, "beat"]


def test_of_many_that_are_gone_only_the_last_is_told():
    for number in range(5):
        add_worker(name=f"{SCANS}@box{number}", silent=timedelta(hours=9 - number))
    assert state_of(SCANS).name == f"{SCANS}@box4"


# --- The page ------------------------------------------------------------------------------------------


def test_when_all_is_well_the_first_line_says_so(client, superuser):
    add_all()
    said = page(client)
    assert "Every process works: 3 of 3." in said
    assert "todo" not in client.get("/status/").content.decode()


def test_a_process_in_need_stands_in_the_first_line_and_its_row_says_what_to_do(client, superuser):
    add_all()
    row = Worker.objects.get(name=f"{SCANS}@lab1")
    Worker.objects.filter(pk=row.pk).update(beat_at=timezone.now() - timedelta(hours=2))
    said = page(client)
    assert "1 of 3 processes needs a person." in said
    assert "See how it is on lab1, and start it again. systemctl status seqauto-worker , systemctl" in said
    assert "silent since" in said


def test_before_anything_was_started_nothing_is_claimed(client, superuser, monkeypatch):
    ask_of(monkeypatch, lengths=dict, workers=lambda: time.sleep(5))
    response = client.get("/status/")
    assert [process.state.word for process in response.context["processes"]] == ["unknown"] * 3
    said = text_of(response)
    assert "Nothing is scheduled yet: beat makes the entries when it first starts." in said
    assert "No disk was read within a week." in said
    assert "beat's last tick is not known" in said


def test_waiting_tasks_stand_beside_their_worker(client, superuser, monkeypatch):
    ask_of(monkeypatch, lengths=lambda: {SCANS: 1234, DELIVERIES: 7}, workers=dict)
    add_worker(SCANS)
    add_worker(DELIVERIES, reserved=2)
    processes = client.get("/status/live/").context["processes"]
    assert [process.waiting for process in processes] == [1234, 9, None]
    assert "1,234" in page(client)


def test_a_worker_that_does_not_answer_through_a_broker_that_works_is_remarked_on(
    client, superuser, monkeypatch
):
    ask_of(monkeypatch, lengths=lambda: {SCANS: 0}, workers=lambda: {f"{DELIVERIES}@lab1": [DELIVERIES]})
    add_all()
    page(client)
    processes = client.get("/status/live/").context["processes"]
    assert [bool(process.remark) for process in processes] == [True, False, False]
    assert processes[0].state.look == "ok"


def test_beats_last_tick_and_the_next_scan(client, superuser):
    add_all()
    at = CrontabSchedule.objects.create(minute="5", hour="6", timezone="UTC")
    PeriodicTask.objects.create(name="Disk scan", task=schedule.TASK, crontab=at)
    every = IntervalSchedule.objects.create(every=600, period="seconds")
    PeriodicTask.objects.create(name="Prove copies again", task="prove", interval=every)
    PeriodicTask.objects.create(name="Switched off", task="prove", interval=every, enabled=False)
    said = page(client)
    ahead = timezone.localtime(schedule.next_scheduled_at(timezone.now()))
    assert f"{ahead.day} {ahead:%B %Y}, 06:05:00" in said
    assert "Disk scan daily at 06:05 UTC – Prove copies again every 10 m –" in said
    assert "Switched off" not in said


def test_the_database_says_what_it_is_and_how_large(client, superuser):
    state = client.get("/status/").context["database"]
    assert state.size + (state.wal or 0) > 100_000
    if connection.vendor == "postgresql":
        assert 0 < state.connections <= state.most_connections
        assert "SQL that runs for more than a second None." in page(client)
    else:
        assert state.wal is not None
        assert "SQL that runs" not in page(client)


def test_disks_say_what_is_free_and_what_to_do(client, superuser):
    values = {"total": 10**13, "at": timezone.now()}
    DiskReading.objects.create(path="/well", free=5 * 10**12, **values)
    DiskReading.objects.create(path="/low", free=10**11, **values)
    DiskReading.objects.create(
        path="/old", free=5 * 10**12, total=10**13, at=timezone.now() - timedelta(hours=3)
    )
    looks = {
        disk.reading.path: (disk.state.word, disk.state.look)
        for disk in client.get("/status/").context["disks"]
    }
    assert looks == {"/well": ("ok", "ok"), "/low": ("low", "warn"), "/old": ("not read", "warn")}
    said = page(client)
    assert "/low is low: 100 GB of 10 TB free (1 %). See under Safe to delete" in said
    assert "See whether it is mounted" in said


def test_what_went_wrong_last_stands_newest_first_and_linked(client, superuser):
    now = timezone.now()
    scan = add_scan(ScanStatus.ERROR, error="The archive lost its files.", remedy="Mount it.")
    delivery = add_delivery()
    fail(delivery)
    run = add_run()
    add_message(run, severity="error", text="No sheet.", opened_at=now)
    add_message(run, severity="error", text="Mended.", opened_at=now, closed_at=now)
    add_message(run, severity="warning", text="Odd.", opened_at=now)
    errors = client.get("/status/").context["errors"]
    assert [(error.url, error.text) for error in errors] == [
        (f"/runs/{run.pk}/messages/", "No sheet."),
        (f"/scans/{scan.pk}/", "The archive lost its files."),
        (f"/deliveries/{delivery.pk}/", delivery.steps.get(state="failed").error),
    ]
    assert "The archive lost its files. Mount it." in page(client)


def test_a_worker_of_another_version_is_told(client, superuser):
    add_worker(versions={"SeqAuto": "0.0.1", "Converter": "picard 3.0.0 (/usr/bin/picard)"})
    said = page(client)
    assert f"{SCANS}@lab1 runs SeqAuto 0.0.1. After an upgrade start every process again" in said
    assert "picard 3.0.0 (/usr/bin/picard)" in said


def test_settings_that_decide_most_say_how_they_stand(client, superuser, settings):
    settings.SEQAUTO_CLEAN_UP_ENABLED, settings.SEQAUTO_SCAN_ROOTS = True, [Path("/data/runs")]
    said = page(client)
    assert "SEQAUTO_CLEAN_UP_ENABLED on Clean-up by itself" in said
    assert "SEQAUTO_SCAN_ROOTS /data/runs" in said
    assert "SEQAUTO_S3_FASTQ_BUCKET none named" in said


def test_more_rows_ask_no_more_questions(client, superuser):
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert client.get("/status/").status_code == 200
        return len(asked)

    def add_rows(number: int) -> None:
        add_worker(name=f"{SCANS}@box{number}")
        add_worker(DELIVERIES, name=f"{DELIVERIES}@box{number}", silent=timedelta(hours=2))
        add_scan(ScanStatus.ERROR)
        fail(add_delivery())
        add_message(add_run(), severity="error")
        DiskReading.objects.create(path=f"/disk{number}", total=100, free=50)
        every = IntervalSchedule.objects.create(every=number + 1, period="seconds")
        at = CrontabSchedule.objects.create(minute=number)
        PeriodicTask.objects.create(name=f"every {number}", task="prove", interval=every)
        PeriodicTask.objects.create(name=f"at {number}", task=schedule.TASK, crontab=at)

    add_rows(0)
    few = questions()
    assert few <= 15
    for number in range(1, 6):
        add_rows(number)
    assert questions() == few


def test_promise_51_hostile_names_are_inert(client, superuser):
    hostile = "<script>alert(1)</script>\x1b[31m\u202e"
    add_worker(
        name=hostile,
        host=hostile,
        versions={"SeqAuto": hostile, "Converter": hostile},
        active=[[hostile, 1.0]],
    )
    add_worker(DELIVERIES, silent=timedelta(hours=1), host=hostile)
    add_message(severity="error", text=hostile, remedy=hostile)
    DiskReading.objects.create(path=f"/{hostile}", total=100, free=1)
    body = client.get("/status/").content.decode()
    assert "<script>alert(1)" not in body
    assert "\x1b" not in body
    assert "\u202e" not in body
    assert r"&lt;script&gt;alert(1)&lt;/script&gt;\x1b[31m\u202e" in body


# --- A broker that does not answer ---------------------------------------------------------------------


@pytest.fixture
def hanging() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(50)
        yield server.getsockname()[1]


def use_broker(monkeypatch, url: str) -> None:
    monkeypatch.setattr(app.conf, "broker_read_url", url)
    ask_of(
        monkeypatch,
        lengths=lambda: views.broker.queue_lengths([SCANS]),
        workers=views.broker.answering_workers,
    )


def wait_for(client, words: str, seconds: float = 30) -> str:
    deadline = time.monotonic() + seconds
    while words not in (said := text_of(client.get("/status/live/"))):
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
    return said


@pytest.mark.parametrize(("scheme", "address"), [("redis", "/status/"), ("amqp", "/status/live/")])
def test_a_broker_that_hangs_does_not_hold_up_the_page(
    client, superuser, monkeypatch, hanging, scheme, address
):
    use_broker(monkeypatch, f"{scheme}://user:hunter2@127.0.0.1:{hanging}/0")
    add_all()
    said = text_of(client.get(address))
    assert "is being asked" in said  # the page came before the broker gave any answer
    assert "3 of 3" in said  # who writes signs of life is alive
    said = wait_for(client, "could not be asked")
    assert "alive" in said
    assert "nothing new begins until it answers" in said


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_promise_53_a_broker_that_is_gone_says_so_and_never_its_password(
    client, superuser, monkeypatch, scheme
):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        use_broker(monkeypatch, f"{scheme}://user:hunter2@127.0.0.1:{unused.getsockname()[1]}/0")
        add_all()
        said = wait_for(client, "refused")
    assert "The broker could not be asked." in said
    assert f"{scheme}://user:**@127.0.0.1" in said
    assert "systemctl status" in said
    assert "hunter2" not in client.get("/status/").content.decode()


def test_promise_53_a_password_in_the_brokers_complaint_is_struck_out(client, superuser, monkeypatch):
    def refuse() -> dict[str, int]:
        raise OSError("login of user:hunter2 failed\nat once")

    use_broker(monkeypatch, "redis://user:hunter2@127.0.0.1/0")
    monkeypatch.setattr(views, "_queue_lengths", Asked(refuse, every_seconds=5))
    said = wait_for(client, "It could not be asked")
    assert "login of user:** failed at once" in said


def test_a_broker_that_falls_silent_takes_back_what_it_said(monkeypatch):
    monkeypatch.setattr(server_status_asking, "PATIENCE_SECONDS", 0.2)
    answers = iter([lambda: 7, lambda: time.sleep(1)])
    asked = Asked(lambda: next(answers)(), every_seconds=0)
    assert asked.latest(5).value == 7
    assert asked.latest().value == 7  # it has a moment to say so again
    time.sleep(0.3)
    assert asked.latest().value is None
    assert asked.latest().problem == "it has not answered for 0 seconds"


def test_many_who_look_ask_once(monkeypatch):
    calls = []
    asked = Asked(lambda: calls.append(1), every_seconds=60)
    for _ in range(10):
        asked.latest(1)
    assert calls == [1]

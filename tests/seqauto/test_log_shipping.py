"""The delivery log's copy in S3: batched, in the background, and harmless whatever becomes of it."""

import json
import os
import threading
import time
from dataclasses import replace

import pytest
from child_processes import wait_until
from delivering import deliver, land_run, rules_for, state_of
from delivering_faults import bcl_manager
from django.contrib.auth.models import User
from faulty_proxy import FaultyProxy, error
from s3_server import free_port

from seqauto import log_shipping
from seqauto.log_shipping import LOG_FILE, STATE_FILE, log_copy, ship_log
from seqauto.models.deliveries import DeliveryState

PATIENCE = 60  # for a test that waits for the end; none comes near it


@pytest.fixture
def line(s3_server):
    for bucket in ("lab-logs", "other-logs"):
        (s3_server.bucket.parent / bucket).mkdir()
    with FaultyProxy(s3_server.port) as line:
        yield line


@pytest.fixture
def rules(tmp_path, s3_server, line):
    rules = rules_for(tmp_path, s3_server)
    rules.logs_dir.mkdir()
    s3 = replace(rules.s3, endpoint_url=line.endpoint, log_bucket="lab-logs", log_key="logs/delivery.log")
    return replace(rules, s3=s3)


def say(rules, text: str) -> None:
    with (rules.logs_dir / LOG_FILE).open("a") as stream:
        stream.write(f"{text}\n")


def local(rules) -> str:
    return (rules.logs_dir / LOG_FILE).read_text()


def copied(s3_server) -> str:
    path = s3_server.bucket.parent / "lab-logs" / "logs" / "delivery.log"
    return path.read_text() if path.exists() else ""


def as_if_long_ago(rules) -> None:
    """Let the last try be longer ago than the lab's interval."""
    path = rules.logs_dir / STATE_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tried_at": time.time() - 61}))


def end_of_copying() -> None:
    for thread in threading.enumerate():
        if thread.name == "log to S3":
            thread.join(PATIENCE)


def test_the_whole_log_is_copied_and_a_log_that_has_not_grown_is_not(rules, s3_server, line):
    say(rules, "Found ü")
    for _ in range(3):
        ship_log(rules)
        end_of_copying()
        as_if_long_ago(rules)
    assert copied(s3_server) == local(rules) == "Found ü\n"
    assert len(line.asked("PUT")) == 1


def test_a_growing_log_is_copied_once_in_an_interval_and_its_last_lines_after_it(rules, s3_server, line):
    for number in range(20):
        say(rules, f"line {number}")
        ship_log(rules)
        end_of_copying()
    assert (len(line.asked("PUT")), copied(s3_server)) == (1, "line 0\n")
    as_if_long_ago(rules)
    ship_log(rules)  # a look, long after the last delivery
    end_of_copying()
    assert (len(line.asked("PUT")), copied(s3_server)) == (2, local(rules))


def test_a_process_that_ends_sends_the_last_lines_at_once(rules, s3_server):
    for text in ("first", "last"):
        say(rules, text)
        ship_log(rules, patience=PATIENCE)
    assert copied(s3_server) == "first\nlast\n"


def test_lines_written_while_it_is_copied_go_with_the_next_copy(rules, s3_server, line):
    say(rules, "first")

    def grow(request, ask):
        say(rules, "meanwhile")
        return ask(request)

    with line.faulty(grow):
        ship_log(rules, patience=PATIENCE)
    assert copied(s3_server) == "first\n"
    ship_log(rules, patience=PATIENCE)
    assert copied(s3_server) == local(rules)


def all_copies(s3_server) -> list[str]:
    """What the log bucket holds, the earlier copies first."""
    folder = s3_server.bucket.parent / "lab-logs" / "logs"
    return [path.read_text() for path in sorted(folder.iterdir(), key=lambda path: -len(path.name))]


@pytest.mark.parametrize("keeps_its_file", [True, False])
def test_a_rotated_log_begins_anew_and_nothing_is_lost_in_s3(rules, s3_server, keeps_its_file):
    say(rules, "last month")
    ship_log(rules, patience=PATIENCE)
    say(rules, "the last line")
    log = rules.logs_dir / LOG_FILE
    log.rename(rules.logs_dir / f"{LOG_FILE}.1")
    if not keeps_its_file:  # compressed at once
        (rules.logs_dir / f"{LOG_FILE}.1").unlink()
    say(rules, "this month, and longer than all of the last one")
    ship_log(rules, patience=PATIENCE)
    say(rules, "more")
    ship_log(rules, patience=PATIENCE)
    earlier = "last month\nthe last line\n" if keeps_its_file else "last month\n"
    assert all_copies(s3_server) == [earlier, local(rules)]


@pytest.mark.parametrize("lost", [[LOG_FILE], [LOG_FILE, STATE_FILE]])
def test_a_log_that_was_lost_here_is_not_overwritten_in_s3(rules, s3_server, lost):
    say(rules, "all that is known of a year")
    ship_log(rules, patience=PATIENCE)
    for name in lost:
        (rules.logs_dir / name).unlink()
    say(rules, "new")
    ship_log(rules, patience=PATIENCE)
    assert all_copies(s3_server) == ["all that is known of a year\n", "new\n"]


def test_what_cannot_be_set_aside_is_not_overwritten(rules, s3_server, line):
    say(rules, "all that is known of a year")
    ship_log(rules, patience=PATIENCE)
    (rules.logs_dir / LOG_FILE).unlink()
    say(rules, "new")

    def refuse_copies(request, ask):
        is_copy = any(name.lower() == "x-amz-copy-source" for name in request.headers)
        return error(500, "InternalError") if is_copy else ask(request)

    with line.faulty(refuse_copies):
        ship_log(rules, patience=PATIENCE)
    assert copied(s3_server) == "all that is known of a year\n"
    assert log_copy(rules).error
    ship_log(rules, patience=PATIENCE)
    assert copied(s3_server) == "new\n"


def test_a_clock_set_back_does_not_keep_the_log_from_being_copied(rules, s3_server):
    say(rules, "first")
    ship_log(rules, patience=PATIENCE)
    path = rules.logs_dir / STATE_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tried_at": time.time() + 400 * 86_400}))
    say(rules, "second")
    ship_log(rules)
    end_of_copying()
    assert copied(s3_server) == local(rules)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"seen": 7}', '{"seen": [1], "odd": 1}', "\0" * 40])
def test_what_a_power_cut_left_of_its_notes_is_no_obstacle(rules, s3_server, content):
    say(rules, "first")
    (rules.logs_dir / STATE_FILE).write_text(content)
    ship_log(rules, patience=PATIENCE)
    assert copied(s3_server) == "first\n"


def test_another_bucket_gets_the_whole_log(rules, s3_server):
    say(rules, "first")
    ship_log(rules, patience=PATIENCE)
    ship_log(replace(rules, s3=replace(rules.s3, log_bucket="other-logs")), patience=PATIENCE)
    assert (s3_server.bucket.parent / "other-logs" / "logs" / "delivery.log").read_text() == "first\n"


def test_without_a_log_or_a_bucket_nothing_is_asked(rules, line):
    ship_log(rules, patience=PATIENCE)
    say(rules, "first")
    without = replace(rules, s3=replace(rules.s3, log_bucket=""))
    ship_log(without, patience=PATIENCE)
    assert (line.requests, log_copy(without)) == ([], None)


# --- When it goes wrong --------------------------------------------------------------------------------


def dead_port(rules):
    return replace(rules, s3=replace(rules.s3, endpoint_url=f"http://127.0.0.1:{free_port()}"))


@pytest.mark.parametrize(
    "fault",
    [
        lambda request, ask: None,
        lambda request, ask: error(503, "SlowDown"),
        lambda request, ask: error(403, "ExpiredToken"),
        lambda request, ask: error(404, "NoSuchBucket"),
    ],
    ids=["cut", "503", "expired", "no bucket"],
)
def test_promise_28_a_copy_that_fails_is_told_and_made_up_for(rules, s3_server, line, fault):
    say(rules, "first")
    with line.faulty(fault):
        ship_log(rules, patience=PATIENCE)
    assert log_copy(rules).error
    assert log_copy(rules).copied is None
    assert local(rules) == "first\n"
    say(rules, "second")
    tried = len(line.requests)
    ship_log(rules)  # too soon: the last try is what counts
    end_of_copying()
    assert len(line.requests) == tried
    as_if_long_ago(rules)
    ship_log(rules)
    end_of_copying()
    assert copied(s3_server) == local(rules) == "first\nsecond\n"
    assert (log_copy(rules).error, bool(log_copy(rules).copied)) == ("", True)


def test_promise_28_a_failure_is_said_once_in_the_log_of_the_process(rules, caplog):
    rules = dead_port(rules)
    for _ in range(3):
        say(rules, "more")
        ship_log(rules, patience=PATIENCE)
    assert caplog.text.count("was not copied to s3://lab-logs/logs/delivery.log") == 1


def test_promise_28_a_server_that_hangs_keeps_nobody_waiting(rules, line):
    say(rules, "first")
    let_go, asked = threading.Event(), threading.Event()

    def hang(request, ask):
        asked.set()
        let_go.wait(PATIENCE)

    with line.faulty(hang):
        ship_log(rules)  # comes back while the server hangs
        assert asked.wait(PATIENCE)
        say(rules, "second")
        ship_log(rules)  # another copy is under way: this one leaves it to that
        ship_log(rules, patience=0.1)
        assert len(line.requests) == 1
        let_go.set()
        end_of_copying()
    assert local(rules) == "first\nsecond\n"


def test_promise_28_a_folder_that_cannot_be_written_stops_nothing(rules, caplog):
    say(rules, "first")
    (rules.logs_dir / f".{STATE_FILE}.lock").mkdir()
    ship_log(rules, patience=PATIENCE)
    assert "was not copied" in caplog.text


@pytest.mark.django_db
def test_promise_28_runs_are_delivered_while_the_log_bucket_is_away(tmp_path, s3_server, line):
    rules = rules_for(tmp_path, s3_server)
    rules.logs_dir.mkdir()
    say(rules, "the log")
    s3 = replace(rules.s3, endpoint_url=line.endpoint, log_bucket="lab-logs", log_key="l", log_seconds=0)
    run = land_run(rules)

    def cut_the_log(request, ask):
        return None if request.path.startswith("/lab-logs") else ask(request)

    with line.faulty(cut_the_log):
        deliver(replace(rules, s3=s3))
        end_of_copying()
    assert state_of(run) == DeliveryState.DELIVERED
    assert line.asked("HEAD", "/lab-logs")


@pytest.mark.django_db(transaction=True)
def test_the_last_lines_of_the_last_delivery_are_copied_too(children, tmp_path, s3_server, line):
    rules = rules_for(tmp_path, s3_server)
    run = land_run(rules)
    s3 = replace(rules.s3, log_bucket="lab-logs")
    child = bcl_manager(children, replace(rules, s3=s3), "--once", SEQAUTO_S3_LOG_SECONDS="3600")
    assert child.returncode() == 0, child.err
    shipped = s3_server.bucket.parent / "lab-logs" / "seqauto" / "delivery.log"
    log = tmp_path / "deliveries" / LOG_FILE
    assert shipped.read_text() == log.read_text()
    assert f"{run.name}: Upload: Done" in log.read_text()


@pytest.mark.django_db(transaction=True)
def test_processes_copy_one_at_a_time_and_a_killed_one_leaves_the_way_free(children, rules, line, s3_server):
    say(rules, "first")
    held = threading.Event()

    def hold(request, ask):
        held.wait(PATIENCE)

    code = (
        "import sys, pathlib, django; django.setup()\n"
        "from dataclasses import replace\n"
        "from seqauto.delivery_rules import rules_of_settings\n"
        "from seqauto.log_shipping import ship_log\n"
        "rules = replace(rules_of_settings(), logs_dir=pathlib.Path(sys.argv[1]))\n"
        f"ship_log(rules, patience={PATIENCE})\n"
    )
    environment = {
        "SEQAUTO_S3_ENDPOINT_URL": line.endpoint,
        "SEQAUTO_S3_LOG_BUCKET": "lab-logs",
        "SEQAUTO_S3_LOG_KEY": "logs/delivery.log",
        "PYTHONPATH": os.getcwd(),
        **{name: os.environ[name] for name in os.environ if name.startswith("AWS_")},
    }
    with line.faulty(hold):
        child = children.python("-c", code, str(rules.logs_dir), **environment)
        wait_until(lambda: line.requests or child.process.poll() is not None, "it copies")
        ship_log(rules, patience=0.1)
        assert len(line.requests) == 1, child.err
        child.kill()
        held.set()
    ship_log(rules, patience=PATIENCE)
    assert copied(s3_server) == "first\n"


# --- On the page ---------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_page_says_when_the_log_was_last_copied_or_why_not(rules, client, settings, line):
    client.force_login(User.objects.create_user("anna"))
    settings.SEQAUTO_VAR_DIR = rules.logs_dir.parent
    settings.SEQAUTO_S3_LOG_BUCKET, settings.SEQAUTO_S3_LOG_KEY = "lab-logs", "logs/delivery.log"
    rules = replace(rules, logs_dir=rules.logs_dir.parent / "deliveries")
    rules.logs_dir.mkdir()

    def page() -> str:
        return " ".join(client.get("/deliveries/").content.decode().split())

    address = '<span class="mono break">s3://lab-logs/logs/delivery.log</span>'
    assert f"Log last copied to {address} never" in page()
    say(rules, "first")
    ship_log(rules, patience=PATIENCE)
    assert f"Log last copied to {address} just now.</p>" in page()
    say(rules, "second")
    with line.faulty(lambda request, ask: error(403, "Expired<b>")):
        ship_log(rules, patience=PATIENCE)
    assert "just now; " in page()
    assert "the last try failed" in page()
    assert "Expired&lt;b&gt;" in page() or "403" in page()
    settings.SEQAUTO_S3_LOG_BUCKET = ""
    assert "Log last copied" not in page()


def test_its_notes_are_those_of_the_module(rules):
    say(rules, "first")
    ship_log(rules, patience=PATIENCE)
    told = json.loads((rules.logs_dir / STATE_FILE).read_text())
    assert set(told) == set(log_shipping.LogCopy.__dataclass_fields__)

"""Delivering processes that die at their worst moments: nothing half-made is shown, the next goes on."""

import gzip
import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from child_processes import roadblock, wait_until
from delivering import delivery_of, events_of, land_run, look, rules_for, snapshot, state_of, step_of, work
from delivering_faults import (
    HANG,
    SHORT_LEASE,
    WAIT,
    bcl_manager,
    environment_of,
    fastq_made,
    hanging,
    instruct_converter,
    instruct_no_more,
    is_alive,
    is_asked,
    let_go,
    starts,
)
from django.db import connection
from faulty_proxy import FaultyProxy, error

from seqauto import deliveries
from seqauto.models import Delivery
from seqauto.models.deliveries import DeliveryState, StepState
from sequencing.copying import read_manifest, verify

pytestmark = pytest.mark.django_db(transaction=True)

MB = 1 << 20


@pytest.fixture
def rules(tmp_path, s3_server):
    return rules_for(tmp_path, s3_server)


def assert_the_next_start_converges(children, rules, *runs: Path) -> None:
    """Within the lease of two seconds, without anybody's help."""
    child = bcl_manager(children, rules, "--once", "--json", **SHORT_LEASE)
    assert child.returncode() == 0, child.err
    assert json.loads(child.out)["deliveries"] == {"delivered": len(runs)}
    for run in runs:
        assert snapshot(rules.backup_dir / run.name) == snapshot(run)
    left = [path.name for disk in (rules.backup_dir, rules.fastq_dir) for path in disk.iterdir()]
    assert [name for name in left if name.startswith(".")] == []


def test_promise_17_kill_9_while_the_converter_runs(children, rules):
    run = land_run(rules)
    instruct_converter(rules, HANG)
    child = bcl_manager(children, rules, **SHORT_LEASE)
    wait_until(lambda: hanging(rules), "the converter runs")
    child.kill()
    wait_until(lambda: not any(map(is_alive, hanging(rules))), "no converter survives its worker")
    assert not (rules.fastq_dir / run.name).exists()
    instruct_no_more(rules)
    assert_the_next_start_converges(children, rules, run)


def write_bulk(run: Path, size: int) -> None:
    with (run / "Data" / "bulk.bcl").open("wb") as file:
        file.truncate(size)


@pytest.mark.parametrize("copied", [0, 100 * MB, 290 * MB])
def test_promise_09_kill_9_during_a_back_up(children, rules, copied):
    """As the copy begins, when some of it stands there, and when nearly all does."""
    run = land_run(rules)
    write_bulk(run, 300 * MB)
    copy, partial = rules.backup_dir / run.name, rules.backup_dir / f".{run.name}.partial"
    child = bcl_manager(children, rules, **SHORT_LEASE)

    def is_under_way() -> bool:
        there = partial.exists() and sum(_size(path) for path in partial.rglob("*")) >= copied
        return there or copy.exists()

    wait_until(is_under_way, "the copy is under way")
    child.kill()
    if copy.exists():  # it was quicker than we are
        assert verify(copy, read_manifest(rules.backup_dir / f"{run.name}.manifest.tsv")) == ()
    assert_the_next_start_converges(children, rules, run)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


#: The row, on its way into the database, that says that a step is done.
RECORD_OF = {
    kind: ("seqauto_deliverystep", "UPDATE", f"NEW.kind = '{kind}' AND NEW.state = 'done'")
    for kind in ("back_up", "convert", "upload")
}


@pytest.mark.parametrize("kind", RECORD_OF)
def test_kill_9_between_the_end_of_a_step_and_its_record(children, rules, kind):
    """What was made has its final name, and nobody has been told."""
    run = land_run(rules)
    instruct_converter(rules, "")
    with roadblock(
        "seqauto_deliverystep", "UPDATE", f"NEW.kind = '{kind}' AND NEW.state = 'done'"
    ) as is_reached:
        child = bcl_manager(children, rules, **SHORT_LEASE)
        wait_until(is_reached, f"{kind} is about to be recorded")
        child.kill()
    assert step_of(run, kind).state == StepState.RUNNING
    assert_the_next_start_converges(children, rules, run)
    assert step_of(run, kind).attempts == 2
    assert starts(rules) == 1


def test_kill_9_during_a_look(children, rules):
    """The next process looks as soon as the dead one's lease has run out."""
    run = land_run(rules)
    with roadblock("seqauto_delivery", "INSERT", "NEW.path <> ''") as is_reached:
        child = bcl_manager(children, rules, **SHORT_LEASE)
        wait_until(is_reached, "the run is about to be recorded")
        child.kill()
    assert not Delivery.objects.exists()
    assert_the_next_start_converges(children, rules, run)


@pytest.mark.parametrize("is_in_parts", [True, False], ids=["in parts", "in one piece"])
def test_promise_23_kill_9_while_a_large_file_is_uploaded(children, rules, s3_server, is_in_parts):
    """It goes in parts to a server that checks checksums."""
    run = land_run(rules)
    big = fastq_made(rules, run, "*-01_S1_L001_R1_*")
    reads = b"".join(_read(number) for number in range(20_000))
    big.write_bytes(gzip.compress(reads, compresslevel=0))
    mate = fastq_made(rules, run, "*-01_S1_L001_R2_*")
    mate.write_bytes(gzip.compress(reads.replace(b" 1:N", b" 2:N"), compresslevel=1))
    with FaultyProxy(s3_server.port) as line:
        through = replace(rules, s3=replace(rules.s3, endpoint_url=line.endpoint))
        child = bcl_manager(children, through, **SHORT_LEASE)

        what = "partNumber=2" if is_in_parts else big.name

        def hold(request, ask):
            if request.method == "PUT" and "checksum-probe" in request.path and is_in_parts:
                return error(400, "BadDigest")
            if request.method == "PUT" and what in request.path:
                child.process.wait()
                return None
            return ask(request)

        with line.faulty(hold):
            wait_until(lambda: line.asked("PUT", what), "it is on its way")
            child.kill()
        assert not [key for key in s3_server.objects() if big.name in key or key.endswith("meta.json")]
        assert_the_next_start_converges(children, through, run)
    key = f"runs/Panel/M00879_31/{big.name}"
    assert s3_server.objects()[key] == big.read_bytes()
    assert s3_server.objects()[f"{key.rpartition('/')[0]}/meta.json"]


def _read(number: int) -> bytes:
    return b"@M1:31:FC:1:1101:%d:7 1:N:0:\n%s\n+\n%s\n" % (number, b"ACGT" * 60, b"F" * 240)


def test_a_process_that_slept_records_nothing_of_what_another_did(children, rules):
    """A laptop that was closed: all its threads stand still, its lease runs out, then it goes on."""
    run = land_run(rules)
    instruct_converter(rules, WAIT)
    work(look(rules) or look(rules), replace(rules, parallel=0))  # backs up
    (step,) = deliveries.next_steps(rules)
    slept = children.manage(
        "shell", "--no-imports", "-c",
        "from seqauto import deliveries; from seqauto.delivery_rules import rules_of_settings; "
        f"deliveries.work_on({step}, rules_of_settings())",
        **environment_of(rules, **SHORT_LEASE),
    )  # fmt: skip
    wait_until(lambda: is_asked(rules), "the converter runs")
    slept.send(signal.SIGSTOP)
    awake = bcl_manager(children, rules, "--once", **SHORT_LEASE)
    wait_until(lambda: "Another process is" in awake.err, "the other sees that it may still be at work")
    assert starts(rules) == 1
    let_go(rules)
    slept.send(signal.SIGCONT)
    assert slept.returncode() == 0, slept.err
    assert "taken over by another worker" in slept.err
    assert awake.returncode() == 0, awake.err
    assert state_of(run) == DeliveryState.DELIVERED
    assert events_of(run).count("Convert: Done") == 1


def test_two_watchers_of_one_folder_deliver_each_run_once(children, rules):
    runs = [land_run(rules, number=number) for number in (1, 2, 3)]
    instruct_converter(rules, "")
    watchers = [bcl_manager(children, rules, "--once") for _ in range(2)]
    assert [watcher.returncode() for watcher in watchers] == [0, 0], [watcher.err for watcher in watchers]
    assert {state_of(run) for run in runs} == {DeliveryState.DELIVERED}
    assert starts(rules) == 3
    for run in runs:
        assert [step.attempts for step in delivery_of(run).steps.all()] == [1, 1, 1, 1]


# ---- a database that ends connections ----


def end_connections() -> None:
    """The server ends the connections of all others."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.rowcount >= 1


@pytest.mark.postgres
def test_promise_46_a_step_outlives_its_connections(children, rules):
    run = land_run(rules)
    instruct_converter(rules, WAIT)
    child = bcl_manager(children, rules, "--once", SEQAUTO_HEARTBEAT_SECONDS="1")
    wait_until(lambda: is_asked(rules), "the converter runs")
    end_connections()
    let_go(rules)
    assert child.returncode() == 0, child.err
    assert state_of(run) == DeliveryState.DELIVERED
    assert (starts(rules), step_of(run, "convert").attempts) == (1, 1)


@pytest.mark.postgres
@pytest.mark.parametrize("kind", RECORD_OF)
def test_promise_46_a_connection_lost_as_a_step_is_recorded_is_no_success(children, rules, kind):
    run = land_run(rules)
    instruct_converter(rules, "")
    with roadblock(*RECORD_OF[kind]) as is_reached:
        child = bcl_manager(children, rules, "--once", **SHORT_LEASE)
        wait_until(is_reached, f"{kind} is about to be recorded")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
        wait_until(lambda: "begins again" in " ".join(events_of(run)), "it is given back")
        assert step_of(run, kind).figures == {}
    assert child.returncode() == 0, child.err
    assert state_of(run) == DeliveryState.DELIVERED
    assert starts(rules) == 1

"""Scans that die in the middle: shown as Error soon, nothing half-written, and the next scan goes on."""

import signal

import pytest
from child_processes import Children, roadblock, wait_until
from django.db import connection
from scanning import scan_well

from seqauto.models import Scan, ScanLease, SequencingFile, SequencingRun, SequencingSample
from seqauto.models.scans import ScanStatus
from seqauto.tasks.scan_run_jobs import tick

pytestmark = pytest.mark.django_db(transaction=True)

SHORT_LEASE = {"SEQAUTO_LEASE_SECONDS": "2", "SEQAUTO_HEARTBEAT_SECONDS": "1"}


@pytest.fixture(autouse=True)
def runs(archive, write_run):
    """Two runs of 48 samples: 96 FASTQs of samples and two of Undetermined each."""
    return [write_run(archive / "exome", number=number, samples=48) for number in (31, 32)]


def samples_by_run() -> dict[str, int]:
    return {run.path: run.samples.count() for run in SequencingRun.objects.all()}


def wait_for_the_error(scan: Scan) -> None:
    """Beat's tick finds the scan dead when its lease has run out."""

    def is_found() -> bool:
        tick()
        scan.refresh_from_db()
        return scan.status == ScanStatus.ERROR

    wait_until(is_found, "the killed scan is an Error")
    assert not scan.is_running
    assert scan.error.startswith(f"The worker ({scan.worker}) died")
    assert scan.error_at


def assert_the_next_scan_converges(runs) -> None:
    scan_well()
    assert samples_by_run() == {str(run): 48 for run in runs}
    assert SequencingSample.objects.count() == 96
    assert set(SequencingFile.objects.values_list("data_state", flat=True)) == {"complete"}
    assert SequencingFile.objects.count() == 2 * 98
    again = scan_well()
    assert (again.runs_changed, again.files_appeared) == (0, 0)


def test_promise_39_kill_9_while_the_disk_is_walked(children, slow_disk, runs):
    child = children.scan(**SHORT_LEASE, **slow_disk.environment)
    slow_disk.wait_until_asked()
    scan = Scan.objects.get()
    assert scan.status == ScanStatus.SCANNING_FILES
    child.kill()
    wait_for_the_error(scan)
    assert SequencingRun.objects.count() == 0
    assert_the_next_scan_converges(runs)


#: A row, on the way into the database, at which the scan is killed; and how many runs are recorded by then.
PLACES = {
    "the stage Create Models begins": ("seqauto_scan", "UPDATE", "NEW.status = 'create_models'", 0),
    "15 of 48 samples": ("seqauto_sequencingsample", "INSERT", "NEW.sample_id = '26W0032-16'", 1),
    "100 of 196 files": ("seqauto_sequencingfile", "INSERT", "NEW.path LIKE '%26W0032-02_S2%_R2%'", 1),
    "the scan ends": ("seqauto_scan", "UPDATE", "NEW.status = 'finished'", 2),
}


@pytest.mark.parametrize("place", PLACES)
def test_promise_39_kill_9_while_rows_are_written(children: Children, runs, place):
    *row, recorded = PLACES[place]
    with roadblock(*row) as is_reached:
        child = children.scan(**SHORT_LEASE)
        wait_until(is_reached, f"the scan is where {place}")
        child.kill()
    scan = Scan.objects.get()
    wait_for_the_error(scan)
    assert scan.finished_at is None
    assert samples_by_run() == {str(run): 48 for run in runs[:recorded]}
    assert SequencingSample.objects.count() == recorded * 48
    assert SequencingFile.objects.count() == recorded * 98
    assert_the_next_scan_converges(runs)


def test_promise_39_the_next_scan_need_not_wait_for_beat(children, slow_disk, runs):
    child = children.scan(**SHORT_LEASE, **slow_disk.environment)
    slow_disk.wait_until_asked()
    killed = Scan.objects.get()
    child.kill()
    following = children.scan("--wait", **SHORT_LEASE)
    assert following.returncode() == 0, following.err
    killed.refresh_from_db()
    assert killed.status == ScanStatus.ERROR
    assert Scan.objects.latest("pk").status == ScanStatus.FINISHED
    assert samples_by_run() == {str(run): 48 for run in runs}


def test_promise_39_kill_9_of_a_command_that_waits(children, slow_disk, settings):
    first = children.scan(**slow_disk.environment)
    slow_disk.wait_until_asked()
    second = children.scan("--wait")
    wait_until(lambda: "Waiting: " in second.err, "the second command waits")
    second.kill()
    waiting = Scan.objects.latest("pk")
    tick()
    waiting.refresh_from_db()
    assert waiting.status == ScanStatus.CREATED  # It might yet live: a lease has to run out first.
    settings.SEQAUTO_LEASE_SECONDS = 1
    wait_until(lambda: tick() or Scan.objects.filter(pk=waiting.pk, status="error"), "it is an Error")
    slow_disk.let_go()
    assert first.returncode() == 0, first.err
    assert set(Scan.objects.values_list("status", flat=True)) == {"error", "finished"}


def test_promise_39_a_scan_that_slept_and_was_given_up_writes_nothing_more(children, slow_disk, runs):
    """A laptop that was closed: all threads stand still, the lease runs out, then they go on."""
    child = children.scan(**SHORT_LEASE, **slow_disk.environment)
    slow_disk.wait_until_asked()
    scan = Scan.objects.get()
    child.send(signal.SIGSTOP)
    wait_for_the_error(scan)
    slow_disk.let_go()
    child.send(signal.SIGCONT)
    assert child.returncode() == 1
    assert "lease" in child.err
    scan.refresh_from_db()
    assert scan.status == ScanStatus.ERROR
    assert scan.error.startswith("The worker (")
    assert SequencingRun.objects.count() == 0
    assert_the_next_scan_converges(runs)


# ---- a database that ends connections ----


def end_connections(*, newest_only: bool = False) -> None:
    """The server ends the children's connections; the heartbeat's is the newest."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() "
            f"ORDER BY backend_start DESC {'LIMIT 1' if newest_only else ''}) AS others"
        )
        assert cursor.rowcount >= 1


def lease_end():
    return ScanLease.objects.get().expires_at


def wait_for_a_heartbeat() -> None:
    before = lease_end()
    wait_until(lambda: lease_end() > before, "the heartbeat renews the lease")


@pytest.mark.postgres
def test_promise_46_the_heartbeat_outlives_its_connection(children, slow_disk, runs):
    child = children.scan(SEQAUTO_HEARTBEAT_SECONDS="1", **slow_disk.environment)
    slow_disk.wait_until_asked()
    wait_for_a_heartbeat()
    end_connections(newest_only=True)
    wait_for_a_heartbeat()
    slow_disk.let_go()
    assert child.returncode() == 0, child.err
    assert Scan.objects.get().status == ScanStatus.FINISHED


@pytest.mark.postgres
def test_promise_46_a_scan_that_loses_the_database_is_no_success(children, slow_disk, runs):
    child = children.scan(SEQAUTO_HEARTBEAT_SECONDS="1", **slow_disk.environment)
    slow_disk.wait_until_asked()
    wait_for_a_heartbeat()
    end_connections()
    slow_disk.let_go()
    assert child.returncode() == 1
    scan = Scan.objects.get()
    assert (scan.status, scan.is_running) == (ScanStatus.ERROR, False)
    assert "connection" in scan.error
    assert ScanLease.objects.get().token is None
    assert SequencingRun.objects.count() == 0
    assert_the_next_scan_converges(runs)


@pytest.mark.postgres
def test_promise_46_a_transaction_cut_in_the_middle_leaves_nothing(children, runs):
    *row, recorded = PLACES["15 of 48 samples"]
    with roadblock(*row) as is_reached:
        child = children.scan()
        wait_until(is_reached, "the scan writes samples")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            )
        assert child.returncode() == 1
    scan = Scan.objects.get()
    assert (scan.status, scan.finished_at) == (ScanStatus.ERROR, None)
    assert samples_by_run() == {str(run): 48 for run in runs[:recorded]}
    assert_the_next_scan_converges(runs)

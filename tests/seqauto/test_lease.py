"""The lease: one scan at a time, on whatever machine, with whatever clock."""

import threading
from datetime import timedelta

import pytest
from child_processes import wait_until
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from seqauto import lease as leases
from seqauto import scans
from seqauto.lease import Lease, LeaseLost
from seqauto.models import Message, Scan, ScanLease, ScanRoot, SequencingRun
from seqauto.models.scans import ScanSource, ScanStatus

pytestmark = pytest.mark.django_db(transaction=True)


def new_scan() -> Scan:
    return scans.create_scan(ScanSource.BUTTON)


def held_lease(scan: Scan, seconds: int = 60) -> Lease:
    lease = Lease(seconds, heartbeat_seconds=1)
    assert lease.take(scan, "someone")
    return lease


def let_expire() -> None:
    assert ScanLease.objects.exclude(token=None).update(expires_at=Now() - timedelta(seconds=1)) == 1


def in_thread(function) -> threading.Thread:
    """Run with a database connection of its own."""

    def work() -> None:
        try:
            function()
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_promise_38_of_many_at_once_one_takes_the_lease():
    scan, taken, start = new_scan(), [], threading.Barrier(8)

    def take() -> None:
        lease = Lease(60, 15)
        start.wait()
        if lease.take(scan, "thread"):
            taken.append(lease)

    for thread in [in_thread(take) for _ in range(8)]:
        thread.join()
    assert len(taken) == 1
    taken[0].check()


def test_promise_38_of_many_scans_at_once_one_runs(archive):
    waiting, start, ran = [new_scan() for _ in range(4)], threading.Barrier(4), []
    inside = threading.Semaphore(0)

    def watch(_scan: Scan) -> None:
        inside.acquire(timeout=60)

    def run(scan: Scan) -> None:
        start.wait()
        ran.append(scans.run_scan(scan, watch))
        if len(ran) == 3:
            inside.release(100)  # The one that works may end now that all others have been refused.

    for thread in [in_thread(lambda scan=scan: run(scan)) for scan in waiting]:
        thread.join()
    assert sorted(ran) == [False, False, False, True]
    statuses = sorted(Scan.objects.values_list("status", flat=True))
    assert statuses == [ScanStatus.CREATED] * 3 + [ScanStatus.FINISHED]


def test_a_lease_that_is_held_cannot_be_taken_and_says_who_has_it():
    scan = new_scan()
    held_lease(scan)
    assert not Lease(60, 15).take(new_scan(), "another")
    assert leases.holder() == f"{scan} on someone"
    assert leases.is_held_by(scan)


def test_a_released_lease_is_free_at_once():
    lease, scan = held_lease(new_scan()), new_scan()
    lease.release()
    assert leases.holder() == ""
    assert Lease(60, 15).take(scan, "the next")
    lease.release()  # Nothing of the next one's.
    assert leases.is_held_by(scan)


def test_an_expired_lease_is_taken_over_and_the_old_holder_stops():
    old, scan = held_lease(new_scan()), new_scan()
    let_expire()
    new = held_lease(scan)
    with pytest.raises(LeaseLost), transaction.atomic():
        old.check()
    old.renew()
    old.release()
    new.check()
    assert leases.is_held_by(scan)


def test_an_expired_lease_that_was_given_up_never_comes_back():
    scan = new_scan()
    lease = held_lease(scan)
    Scan.objects.filter(pk=scan.pk).update(is_running=True, progress_at=timezone.now())
    let_expire()
    assert scans.fail_abandoned_scans() == 1
    lease.renew()
    with pytest.raises(LeaseLost), transaction.atomic():
        lease.check()
    assert Scan.objects.get().status == ScanStatus.ERROR


def test_between_check_and_commit_nobody_takes_over():
    old, scan = held_lease(new_scan()), new_scan()
    taken, seen = threading.Event(), []

    def take() -> None:
        wait_until(lambda: Lease(60, 15).take(scan, "the next"), "the lease can be taken over")
        seen.append(Scan.objects.get(pk=scan.pk).worker)
        taken.set()

    let_expire()
    with transaction.atomic():
        old.check()
        thread = in_thread(take)
        assert not taken.wait(1)
        Scan.objects.filter(pk=scan.pk).update(worker="written by the old holder")
    thread.join()
    assert seen == ["written by the old holder"]


def test_the_heartbeat_keeps_the_lease():
    scan = new_scan()
    lease = held_lease(scan)
    before = ScanLease.objects.get().expires_at
    with lease.kept_alive():
        wait_until(lambda: ScanLease.objects.get().expires_at > before, "the heartbeat renews the lease")
    assert not [thread for thread in threading.enumerate() if thread.name == "scan heartbeat"]


@pytest.mark.parametrize("stage", [ScanStatus.SCANNING_FILES, ScanStatus.CREATE_MODELS])
def test_a_scan_whose_lease_was_taken_over_writes_nothing_more(archive, write_run, stage, monkeypatch):
    """It hears of it in the middle of a stage, at its next write."""
    monkeypatch.setattr(scans, "PROGRESS_SECONDS", 0)
    for number in (31, 32, 33):
        write_run(archive / "haem", number=number)
    old, new = new_scan(), new_scan()
    at_takeover = {}

    def take_over(scan: Scan) -> None:
        if scan.status == stage and not at_takeover:
            let_expire()
            assert Lease(60, 15).take(new, "the next")
            at_takeover.update(written())

    assert scans.run_scan(old, take_over)
    assert at_takeover
    assert written() == at_takeover
    old.refresh_from_db()
    assert (old.status, old.is_running, old.finished_at) == (ScanStatus.ERROR, False, None)
    assert leases.is_held_by(new)


def written() -> dict[str, list]:
    models = (SequencingRun, Message, ScanRoot)
    return {model.__name__: list(model.objects.order_by("pk").values_list()) for model in models}


def test_a_scan_ends_the_one_it_takes_over_from(archive):
    """Also where nobody has looked since: no tick, no page."""
    dead = new_scan()
    held_lease(dead)
    Scan.objects.filter(pk=dead.pk).update(
        is_running=True, status="create_models", progress_at=timezone.now()
    )
    let_expire()
    scan = new_scan()
    assert scans.run_scan(scan)
    dead.refresh_from_db()
    scan.refresh_from_db()
    assert (dead.status, scan.status) == (ScanStatus.ERROR, ScanStatus.FINISHED)


@pytest.mark.parametrize("hours", [-30, 30])
def test_a_machine_whose_clock_is_wrong_neither_steals_a_lease_nor_loses_its_own(archive, monkeypatch, hours):
    holding = new_scan()
    lease = held_lease(holding)
    Scan.objects.filter(pk=holding.pk).update(is_running=True, progress_at=timezone.now())
    waiting, command = new_scan(), scans.create_scan(ScanSource.COMMAND_LINE)
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(hours=hours))
    assert not scans.run_scan(waiting)
    assert scans.fail_abandoned_scans() == 0
    with transaction.atomic():
        lease.check()
    command.refresh_from_db()
    assert command.status == ScanStatus.CREATED
    Scan.objects.filter(pk=holding.pk).delete()
    lease.release()
    assert scans.run_scan(waiting)
    waiting.refresh_from_db()
    assert waiting.status == ScanStatus.FINISHED

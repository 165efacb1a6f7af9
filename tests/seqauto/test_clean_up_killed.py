"""Clean-ups that die at their worst moments: a removed run never looks whole, and the next turn goes on."""

import json
import os
import signal
from pathlib import Path

import pytest
from child_processes import roadblock, wait_until
from cleaning import (
    ONLY_SOURCES,
    clean_up_rules,
    delivered_run,
    in_the_shell,
    quarantined,
    removal_of,
    ripen,
    write_long_ago,
)
from delivering import deliver, delivery_of, land_run, look, rules_for, snapshot
from delivering_faults import SHORT_LEASE

from seqauto import clean_up, removal_work
from seqauto.models import AuditEntry, Removal

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rules(tmp_path, s3_server):
    return clean_up_rules(rules_for(tmp_path, s3_server), ONLY_SOURCES)


def assert_the_next_turn_ends_it(children, rules, run, held) -> None:
    """Once the dead one's lease has run out, without anybody's help."""

    def is_removed() -> bool:
        child = in_the_shell(children, rules, "--execute", "--json", **SHORT_LEASE)
        assert child.returncode() == 0, child.err
        json.loads(child.out)
        return removal_of(run).state == "removed"

    wait_until(is_removed, "the removal has come to its end")
    assert not run.exists()
    assert quarantined(rules.delivery.incoming[0]) == []
    assert list((rules.delivery.incoming[0] / ".seqauto_removed").iterdir()) == []  # no tombstone either
    assert Removal.objects.count() == 1
    assert AuditEntry.objects.filter(action="removal.removed").count() == 1
    assert snapshot(rules.delivery.backup_dir / run.name) == held
    look(rules.delivery)
    assert delivery_of(run).state == "delivered"


#: A row on its way into the database, the state that the row still shows then, and whether the run stands.
MOMENTS = {
    "before anything is proposed": ("seqauto_removal", "INSERT", "NEW.target = 'source'", "", True),
    "before the row says quarantined": (
        "seqauto_removal", "UPDATE", "NEW.state = 'quarantined' AND OLD.state = 'approved'", "approved", True,
    ),
    "after the rename, before its tombstone is on the row": (
        "seqauto_removal", "UPDATE", "NEW.tombstone <> '' AND OLD.tombstone = ''", "quarantined", False,
    ),
    "before the row says removing": (
        "seqauto_removal", "UPDATE", "NEW.state = 'removing'", "quarantined", False,
    ),
    "after the last file, before the certificate": (
        "seqauto_removal", "UPDATE", "NEW.state = 'removed'", "removing", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS)
def test_promise_33_kill_9_at_a_moment_of_the_database(children, rules, moment):
    run = delivered_run(rules.delivery)
    held = snapshot(run)
    table, event, when, state, stands = MOMENTS[moment]
    with roadblock(table, event, when) as is_reached:
        child = in_the_shell(children, rules, "--execute", **SHORT_LEASE)
        wait_until(is_reached, moment)
        child.kill()
    assert [one.state for one in Removal.objects.all()] == ([state] if state else [])
    assert run.exists() == stands
    if stands:
        assert snapshot(run) == held
    assert_the_next_turn_ends_it(children, rules, run, held)


def test_promise_33_kill_9_in_the_middle_of_the_removal(children, rules):
    """Thousands of files: some are gone, others stand there, and nowhere does the run look whole."""
    run = land_run(rules.delivery)
    for folder in range(300):
        (run / "Data" / f"tile_{folder}").mkdir()
        for number in range(20):
            (run / "Data" / f"tile_{folder}" / f"{number}.bcl").touch()
    write_long_ago(run)
    deliver(rules.delivery)
    ripen(run, rules.delivery)
    held = snapshot(run)
    child = in_the_shell(children, rules, "--execute", **SHORT_LEASE)
    incoming = rules.delivery.incoming[0]

    def is_half_removed() -> bool:
        return removal_states() == ["removing"] and sum(map(tiles_in, quarantined(incoming))) < 290

    def removal_states() -> list[str]:
        return list(Removal.objects.values_list("state", flat=True))

    def tiles_in(folder: Path) -> int:
        data = folder / "Data"
        return len(os.listdir(data)) if data.exists() else 0

    wait_until(lambda: is_half_removed() or child.process.poll() is not None, "some files are gone")
    child.kill()
    assert not run.exists()
    if quarantined(incoming):  # it was not quicker than we are
        assert removal_of(run).state == "removing"
    assert_the_next_turn_ends_it(children, rules, run, held)


#: Read by Python before anything else: kill -9 at the third file of base calls that is removed.
KILL_AT_THE_THIRD_FILE = """
import os, signal, sys

gone = []
def look(event, arguments):
    if event == "os.remove" and str(arguments[0]).endswith(".bcl"):
        gone.append(arguments[0])
        if len(gone) == 3:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(look)
"""


@pytest.mark.parametrize("loss", ["the backup goes", "a file comes"])
def test_promise_33_killed_in_the_middle_only_what_is_still_proven_goes_on(children, rules, tmp_path, loss):
    run = delivered_run(rules.delivery)
    held, incoming = snapshot(run), rules.delivery.incoming[0]
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "sitecustomize.py").write_text(KILL_AT_THE_THIRD_FILE)
    child = in_the_shell(children, rules, "--execute", PYTHONPATH=str(tmp_path / "start"), **SHORT_LEASE)
    assert child.returncode() == -signal.SIGKILL
    (left,) = quarantined(incoming)
    if loss == "the backup goes":
        (rules.delivery.backup_dir / run.name).rename(rules.delivery.backup_dir / "away")
    else:
        (left / "late.txt").write_text("Not anywhere else.")
    before = snapshot(left)
    assert 0 < len(before) < len(held)

    def is_stopped() -> bool:
        in_the_shell(children, rules, "--execute", **SHORT_LEASE).returncode()
        return removal_of(run).state == "stopped"

    wait_until(is_stopped, "the next turn has looked at it")
    assert snapshot(left) == before
    if loss == "the backup goes":
        (rules.delivery.backup_dir / "away").rename(rules.delivery.backup_dir / run.name)
    else:
        (left / "late.txt").unlink()
    in_the_shell(children, rules, "--execute", "--run", run.name, **SHORT_LEASE).returncode()
    assert_the_next_turn_ends_it(children, rules, run, held)


def test_promise_33_killed_between_the_row_and_the_rename(children, rules, monkeypatch):
    """The row says Quarantined already; the folder stands where it stood, with a tombstone or without."""
    run = delivered_run(rules.delivery)
    held = snapshot(run)

    class Killed(BaseException):
        pass

    def die(*_args, **_options):
        raise Killed

    monkeypatch.setattr(removal_work, "quarantine", die)
    with pytest.raises(Killed):
        clean_up.clean_up(rules, "a test")
    assert (removal_of(run).state, removal_of(run).tombstone) == ("quarantined", "")
    assert snapshot(run) == held
    assert_the_next_turn_ends_it(children, rules, run, held)


def test_two_at_once_remove_it_once(children, rules):
    run = delivered_run(rules.delivery)
    held = snapshot(run)
    both = [in_the_shell(children, rules, "--execute") for _ in range(2)]
    for child in both:
        child.returncode()
    assert not os.path.lexists(run)
    assert_the_next_turn_ends_it(children, rules, run, held)

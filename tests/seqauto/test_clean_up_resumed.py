"""Clean-up goes on after a kill, a hold, or a restored database: only with what is proven at that moment."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cleaning import (
    BY,
    ONLY_BACKUPS,
    ONLY_SOURCES,
    clean_up_rules,
    delivered_run,
    execute,
    grow_old,
    prove_backup,
    quarantined,
    removal_of,
)
from delivering import delivery_of, events_of, look, rules_for, snapshot, state_of
from django.contrib.auth.models import User
from django.utils import timezone

from seqauto import clean_up, removal_work, strays
from seqauto.audit import command_line
from seqauto.models import AuditEntry, Delivery, Hold, Proof, Removal
from sequencing.removing import QUARANTINE, list_tombstones, quarantine, quarantined_at, tree

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(tmp_path, s3_server):
    return rules_for(tmp_path, s3_server)


@pytest.fixture
def rules(lab):
    return clean_up_rules(lab, ONLY_SOURCES)


@pytest.fixture
def chief() -> User:
    return User.objects.create_superuser("chief")


class Killed(BaseException):
    """As kill -9: nothing of ours answers it."""


def killed_at(place: object, name: str, act: Callable[..., object], rules, *names: str) -> None:
    """Clean up until a function is called, which does `act` and may kill."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, name, act)
        with pytest.raises(Killed):
            execute(rules, *names)


def die(*_args, **_options) -> None:
    raise Killed


def half_remove(rules, root: Path, *names: str) -> Path:
    """Clean up until one file is gone; returns what is left, in quarantine."""
    remove_one, gone = tree._Tree._unlink, []

    def die_at_the_second(self, name, status):
        if gone:
            raise Killed
        gone.append(name)
        remove_one(self, name, status)

    killed_at(tree._Tree, "_unlink", die_at_the_second, rules, *names)
    (left,) = [stone for stone in list_tombstones(root) if stone.state == "half_removed"]
    return quarantined_at(left, root)


def hold(run: Path) -> Hold:
    return Hold.objects.create(delivery=delivery_of(run), user_name="ada", reason="Wait")


# ---- half removed ----


def _backup_lost(lab, run, left):
    """The disk of the backup dies, and re-verification tells."""
    shutil.rmtree(lab.backup_dir / run.name)
    Proof.objects.create(delivery=delivery_of(run), what="backup", is_good=False, differences=["gone"])
    Delivery.objects.update(state="waiting")


def _backup_emptied(lab, run, left):
    shutil.rmtree(lab.backup_dir / run.name)
    (lab.backup_dir / run.name).mkdir()


def _backup_written_to(lab, run, left):
    Proof.objects.update(at=datetime(2026, 1, 1, tzinfo=UTC))
    path = lab.backup_dir / run.name / "RunInfo.xml"
    path.chmod(0o644)
    path.write_bytes(bytes(path.stat().st_size))


def _file_came(lab, run, left):
    (left / "analysis.txt").write_text("Not anywhere else.")


def _file_changed(lab, run, left):
    path = next(path for path in left.rglob("*.bcl"))
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"more")


def _listing_lost(lab, run, left):
    Removal.objects.update(manifest="")


LOSSES = {
    "the backup is lost": _backup_lost,
    "the backup is empty": _backup_emptied,
    "the backup was written to": _backup_written_to,
    "a file came": _file_came,
    "a file changed": _file_changed,
    "nobody knows what was proven": _listing_lost,
    "a step failed": lambda lab, run, left: (
        delivery_of(run).steps.filter(kind="upload").update(state="failed")
    ),
    "its age": lambda lab, run, left: grow_old(run, -10),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_promise_29_what_is_half_removed_stays_once_its_proof_is_gone(lab, rules, loss):
    run = delivered_run(lab)
    left = half_remove(rules, lab.incoming[0])
    LOSSES[loss](lab, run, left)
    before = snapshot(left)
    assert len(before) > 5
    for _turn in range(2):
        (removal,) = execute(rules)
    assert (removal.state, snapshot(left)) == ("stopped", before)
    assert str(left) in removal.remedy
    clean_up.go_on(removal, BY)
    (removal,) = execute(rules)
    assert (removal.state, snapshot(left)) == ("stopped", before)


def test_promise_31_a_file_that_comes_after_the_last_look_at_a_rest_is_never_removed(lab, rules, monkeypatch):
    """All gates are open: nothing but its own name can tell."""
    delivered_run(lab)
    left, look_again = half_remove(rules, lab.incoming[0]), removal_work._looked_again
    late = {left / "late.txt", left / "Data" / "late.bcl"}

    def look_then_write(*args):
        found = look_again(*args)
        for path in late:
            path.write_text("Not anywhere else.")
        return found

    monkeypatch.setattr(removal_work, "_looked_again", look_then_write)
    (removal,) = execute(rules)
    assert removal.state == "stopped"
    assert "is not what was proven to be elsewhere" in removal.error
    assert [path.read_text() for path in late] == ["Not anywhere else."] * 2


def test_promise_33_what_is_half_removed_goes_on_once_all_is_proven_again(lab, rules, tmp_path):
    run = delivered_run(lab)
    left = half_remove(rules, lab.incoming[0])
    (lab.backup_dir / run.name).rename(lab.backup_dir / "away")
    (removal,) = execute(rules)
    assert (removal.state, left.exists()) == ("stopped", True)
    (lab.backup_dir / "away").rename(lab.backup_dir / run.name)
    clean_up.go_on(removal, BY, "It is back")
    (removal,) = execute(rules)
    assert (removal.state, left.exists()) == ("removed", False)
    assert AuditEntry.objects.filter(action="removal.resumed").count() == 1
    assert all(name in removal.manifest for name in snapshot(lab.backup_dir / run.name))


def test_promise_30_what_is_half_removed_waits_where_nobody_can_look(lab, rules, s3_server):
    delivered_run(lab)
    left = half_remove(rules, lab.incoming[0])
    before = snapshot(left)
    s3_server.process.kill()
    s3_server.process.wait()
    (removal,) = execute(rules)
    assert (removal.state, snapshot(left)) == ("removing", before)
    assert "S3 did not answer" in removal.error


def test_promise_29_a_half_removed_backup_stays_once_the_run_folder_rots(lab):
    run, rules = delivered_run(lab), clean_up_rules(lab, ONLY_BACKUPS)
    left = half_remove(rules, lab.backup_dir)
    before, path = snapshot(left), run / "RunInfo.xml"
    status = path.stat()
    path.write_bytes(bytes(status.st_size))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    (removal,) = execute(rules)
    assert (removal.state, snapshot(left)) == ("stopped", before)


def test_promise_34_a_hold_keeps_what_is_left_and_its_release_lets_it_go_on(lab, rules):
    run = delivered_run(lab)
    left = half_remove(rules, lab.incoming[0])
    before, placed = snapshot(left), hold(run)
    (removal,) = execute(rules)
    assert (removal.state, snapshot(left)) == ("removing", before)
    placed.delete()
    (removal,) = execute(rules)
    assert removal.state == "removed"


def test_promise_34_a_hold_right_before_the_first_file_gives_the_whole_run_back(lab, rules, monkeypatch):
    run = delivered_run(lab)
    before, remove = snapshot(run), removal_work.remove

    def held_first(*args, **options):
        hold(run)
        return remove(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(removal_work, "remove", held_first)
        execute(rules)
    (removal,) = execute(rules)
    assert (removal.state, snapshot(run)) == ("put_back", before)


def test_a_removal_of_which_nothing_is_left_gets_its_certificate_though_it_is_held(lab, rules, monkeypatch):
    run = delivered_run(lab)

    killed_at(removal_work, "_certify", die, rules)
    hold(run)
    Delivery.objects.update(state="waiting")
    (removal,) = execute(rules)
    assert removal.state == "removed"
    assert os.listdir(lab.incoming[0] / QUARANTINE) == []


# ---- right before the act ----


@pytest.mark.parametrize("grace_hours", [0, 24])
def test_promise_31_a_file_that_comes_after_the_last_look_keeps_every_file(
    lab, rules, monkeypatch, grace_hours
):
    """Between the look at all facts and the rename, or between the second look and the first file."""
    run, rules = delivered_run(lab), replace(rules, grace_hours=grace_hours)
    before, look_again = snapshot(run), removal_work._looked_again
    if grace_hours:
        execute(rules)
        Removal.objects.update(quarantined_at=datetime(2026, 1, 1, tzinfo=UTC))

    def look_then_write(removal, rules, at=None, rest_of=None):
        found = look_again(removal, rules, at, rest_of)
        ((at or run) / "late.txt").write_text("Not anywhere else.")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(removal_work, "_looked_again", look_then_write)
        (removal,) = execute(rules)
    assert removal.state == "stopped"
    assert "does not hold what was proven" in removal.error
    stands = quarantined(lab.incoming[0])[0] if grace_hours else run
    assert snapshot(stands) == before | {"late.txt": b"Not anywhere else."}
    clean_up.withdraw(removal, rules, User.objects.create_superuser("chief"), "Look at it")
    assert (removal_of(run).state, (run / "late.txt").exists()) == ("put_back", True)


# ---- restored databases ----


@pytest.mark.parametrize("rule", [{}, {"token": "another"}])
def test_promise_31_a_tombstone_of_another_removal_of_the_same_number_is_not_its_own(lab, rules, rule):
    """A restored database gives numbers again: what is left of one run must not go as another."""
    run, other = delivered_run(lab), delivered_run(lab, number=77)
    Delivery.objects.filter(path=str(other)).update(state="waiting")
    left = half_remove(rules, lab.incoming[0])
    before, number = snapshot(left), removal_of(run).pk
    Removal.objects.all().delete()
    again = Removal.objects.create(
        pk=number, delivery=delivery_of(other), target="source", path=str(other), state="quarantined",
        quarantined_at=datetime(2026, 1, 1, tzinfo=UTC), proposed_by=BY, rule=rule,
    )  # fmt: skip
    clean_up.carry_out(again, rules, BY)
    assert (again.state, again.tombstone) == ("stopped", "")
    assert (snapshot(left), other.exists()) == (before, True)


def test_a_tombstone_without_a_token_is_that_of_no_removal(lab, rules):
    run = delivered_run(lab)
    stone = quarantine(run, lab.incoming[0], looks_like=lambda _folder: True, when=timezone.now(), why={})
    removal = Removal.objects.create(
        delivery=delivery_of(run), target="source", path=str(run), state="quarantined", tombstone=stone.id,
        quarantined_at=datetime(2026, 1, 1, tzinfo=UTC), proposed_by=BY,
    )  # fmt: skip
    clean_up.carry_out(removal, rules, BY)
    assert (removal.state, len(quarantined(lab.incoming[0]))) == ("stopped", 1)


def test_a_removal_that_is_withdrawn_puts_nothing_back_but_its_own_folder(lab, rules, chief):
    run = delivered_run(lab)
    (removal,) = execute(replace(rules, grace_hours=24))
    Removal.objects.all().delete()
    other = delivered_run(lab, number=77)
    new = Removal.objects.create(
        pk=removal.pk, delivery=delivery_of(other), target="source", path=str(other), state="approved",
        proposed_by=BY,
    )  # fmt: skip
    clean_up.withdraw(new, rules, chief, "Not now")
    assert (run.exists(), len(quarantined(lab.incoming[0]))) == (False, 1)


NOTHING_IS_ON = {target: {"enabled": False} for target in ("source", "fastqs", "backup")}


def test_a_run_in_quarantine_that_a_restored_database_does_not_know_goes_back(lab, rules):
    run = delivered_run(lab)
    before = snapshot(run)
    execute(replace(rules, grace_hours=24))
    Removal.objects.all().delete()
    look(lab)
    off = clean_up_rules(lab, NOTHING_IS_ON)
    (stray,) = strays.find(off)
    assert str(run) in stray.sentence
    assert execute(off) == []
    assert (snapshot(run), strays.find(off), strays.told()) == (before, [], [])
    assert os.listdir(lab.incoming[0] / QUARANTINE) == []
    assert "Put back from quarantine: no removal is under way for it" in events_of(run)
    assert AuditEntry.objects.get(action="quarantine.put_back").key == delivery_of(run).pk
    look(lab)
    assert (state_of(run), delivery_of(run).gone_at) == ("delivered", None)


def test_strays_that_cannot_go_back_are_told_once_and_left_alone(lab, rules):
    whole, half = delivered_run(lab), delivered_run(lab, number=77)
    execute(replace(rules, grace_hours=24), whole.name)
    half_remove(rules, lab.incoming[0], half.name)
    Removal.objects.all().delete()
    whole.mkdir()  # something else stands in its place by now
    (lab.incoming[0] / QUARANTINE / "by hand").mkdir()
    before = {path: snapshot(path) for path in quarantined(lab.incoming[0])}
    assert len(before) == 3
    off = clean_up_rules(lab, NOTHING_IS_ON)
    for _turn in range(2):
        execute(off)
    assert {path: snapshot(path) for path in quarantined(lab.incoming[0])} == before
    (told,) = strays.told()
    assert told.root == str(lab.incoming[0])
    assert len(told.sentences) == 3
    text = " ".join(told.sentences)
    assert "Something else stands at" in text
    assert f"is what is left of {half}" in text
    assert "by hand has no tombstone" in text
    assert AuditEntry.objects.filter(action=strays.TOLD).count() == 1
    whole.rmdir()
    execute(off)
    assert (whole / "RunInfo.xml").exists()
    assert len(strays.told()[0].sentences) == len(quarantined(lab.incoming[0])) == 2


def test_what_is_on_its_way_out_is_no_stray(lab, rules):
    delivered_run(lab)
    execute(replace(rules, grace_hours=24))
    assert strays.find(rules) == []
    execute(replace(rules, grace_hours=24))
    assert len(quarantined(lab.incoming[0])) == 1
    Removal.objects.update(state="stopped")
    assert strays.find(rules) == []


def test_a_disk_that_cannot_be_looked_at_tells_of_no_strays_and_takes_nothing_back(lab, rules):
    delivered_run(lab)
    (lab.incoming[0] / QUARANTINE).mkdir()
    (lab.incoming[0] / QUARANTINE / "by hand").mkdir()
    strays.settle(rules, BY)
    lab.incoming[0].rename(lab.incoming[0].with_name("away"))
    strays.settle(rules, BY)
    assert len(strays.told()) == 1


# ---- approval, limits, one among others ----


def test_approval_that_is_switched_on_is_asked_of_what_is_in_quarantine_already(lab, rules, chief):
    run = delivered_run(lab)
    execute(replace(rules, grace_hours=24))
    strict = replace(rules, needs_approval=True)
    (removal,) = execute(strict)
    assert (removal.state, len(quarantined(lab.incoming[0]))) == ("quarantined", 1)
    assert "approval" in removal.error
    clean_up.approve(removal, chief, "Seen")
    assert removal_of(run).state == "quarantined"
    with pytest.raises(clean_up.CleanUpRefused, match="does not wait"):
        clean_up.approve(removal, chief)
    (removal,) = execute(strict)
    assert (removal.state, removal.approved_by) == ("removed", "chief")
    assert AuditEntry.objects.filter(action="removal.approved", who="chief", reason="Seen").count() == 1


def test_approval_is_asked_of_what_is_half_removed_and_of_what_was_approved_without_it(lab, rules, chief):
    strict = replace(rules, needs_approval=True)
    delivered_run(lab)
    left = half_remove(rules, lab.incoming[0])
    before = snapshot(left)
    (removal,) = execute(strict)
    assert snapshot(left) == before
    clean_up.approve(removal, chief)
    (removal,) = execute(strict)
    assert removal.state == "removed"
    other = delivered_run(lab, number=77)
    (one,) = clean_up.plan(rules)
    removal = clean_up.propose(one, rules, BY)
    execute(strict)
    assert other.exists()
    clean_up.approve(removal, chief)
    execute(strict)
    assert not other.exists()


def test_who_proposed_on_the_command_line_does_not_approve_as_a_user_of_the_same_name(lab, rules):
    delivered_run(lab)
    strict = replace(rules, needs_approval=True)
    (removal,) = clean_up.clean_up(strict, command_line())
    name = command_line().removeprefix("command line (").removesuffix(")")
    with pytest.raises(clean_up.CleanUpRefused, match="another person"):
        clean_up.approve(removal, User.objects.create_superuser(name))
    clean_up.approve(removal, User.objects.create_superuser(f"not_{name}"))
    assert removal_of(Path(removal.path)).state == "approved"


def test_promise_36_what_stopped_before_its_rename_passes_no_limit_when_it_goes_on(
    lab, rules, monkeypatch, chief
):
    run = delivered_run(lab)

    def fail(*_args, **_options):
        raise removal_work.RemoveProblem("changed", "It changed.", "Look at it.")

    with monkeypatch.context() as patch:
        patch.setattr(removal_work, "quarantine", fail)
        (removal,) = execute(rules)
    assert removal.state == "stopped"
    clean_up.go_on(removal, chief, "Looked at")
    assert removal_of(run).state == "proposed"
    (removal,) = execute(replace(rules, most_runs=0, most_bytes=0))
    assert (removal.state, run.exists()) == ("stopped", True)
    assert removal.error.startswith("The limit of a day is reached")


def test_promise_36_what_was_killed_before_its_rename_is_asked_for_the_limit_again(lab, rules, monkeypatch):
    run = delivered_run(lab)

    killed_at(removal_work, "quarantine", die, rules)
    (removal,) = execute(replace(rules, most_runs=0))
    assert (removal.state, run.exists()) == ("stopped", True)


def test_promise_36_a_run_larger_than_a_whole_days_limit_says_so(lab, rules):
    run = delivered_run(lab)
    (removal,) = execute(replace(rules, most_bytes=delivery_of(run).bytes - 1))
    assert "more than a whole day's limit" in removal.error
    assert "nothing new goes" in removal.error


def test_two_turns_at_once_stop_neither(lab, rules, monkeypatch):
    """Another worker proposes the first of the plan in the very moment; the second still goes."""
    first, second = delivered_run(lab), delivered_run(lab, number=77)
    made = clean_up.plan

    def plan(*args, **options):
        found = made(*args, **options)
        clean_up.propose(found[0], rules, "another worker")
        return found

    monkeypatch.setattr(clean_up, "plan", plan)
    assert [removal.path for removal in execute(rules)] == [str(second)]
    assert (first.exists(), second.exists()) == (True, False)


def test_a_run_whose_records_make_no_sense_stays_and_stops_no_other(lab, rules):
    odd, second = delivered_run(lab), delivered_run(lab, number=77)
    (before,) = [one for one in clean_up.plan(rules) if one.delivery.name == odd.name]
    removal = clean_up.propose(before, rules, BY)
    step = delivery_of(odd).steps.get(kind="upload")
    step.figures["projects"][0]["objects"][0].pop("size")
    step.save()
    done = execute(rules)
    assert [one.state for one in done] == ["stopped", "removed"]
    assert "KeyError" in removal_of(odd).error
    assert (odd.exists(), second.exists()) == (True, False)
    Removal.objects.filter(pk=removal.pk).update(state="put_back")
    (one,) = clean_up.plan(rules, [odd.name])
    assert [(gate.name, gate.passed) for gate in one.gates] == [("looked_at", False)]
    assert execute(rules, odd.name) == []
    on_the_page = clean_up.known_candidate(delivery_of(odd), "source", rules)
    assert any(gate.is_known and not gate.passed for gate in on_the_page.gates)
    with pytest.raises(clean_up.CleanUpRefused, match="must stay"):
        clean_up.propose(on_the_page, rules, BY)


def test_what_was_put_back_once_is_not_looked_at_every_hour(lab, rules, monkeypatch, chief):
    run = delivered_run(lab)
    (removal,) = execute(replace(rules, grace_hours=24))
    clean_up.withdraw(removal, rules, chief, "Wanted")
    looked, survey = [], clean_up.survey
    monkeypatch.setattr(clean_up, "survey", lambda *args: looked.append(1) or survey(*args))
    assert execute(rules) == []
    assert looked == []
    assert [one.state for one in execute(rules, run.name)] == ["removed"]


def test_what_was_proposed_on_a_page_is_looked_at_before_anything_moves(lab, rules, chief):
    """The page knows what the database knows; a gate that only a look can close stops the removal then."""
    run = delivered_run(lab)
    one = clean_up.known_candidate(delivery_of(run), "source", rules)
    assert one.bytes == delivery_of(run).bytes
    assert not one.may_go
    removal = clean_up.propose(one, rules, chief)
    (run / "late.txt").write_text("Not anywhere else.")
    execute(rules)
    assert (removal_of(run).state, (run / "late.txt").exists()) == ("stopped", True)
    (run / "late.txt").unlink()
    prove_backup(run, lab)
    clean_up.go_on(removal_of(run), chief)
    assert [one.state for one in execute(rules)] == ["removed"]
    removal.refresh_from_db()
    assert removal.state == "removed"

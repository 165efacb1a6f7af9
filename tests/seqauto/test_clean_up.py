"""Clean-up: from the plan to the certificate, and all that keeps a folder where it is."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
from cleaning import (
    BY,
    ONLY_SOURCES,
    clean_up_rules,
    closed_gates,
    delivered_run,
    execute,
    grow_old,
    quarantined,
    removal_of,
    ripen,
    write_long_ago,
)
from delivering import deliver, delivery_of, events_of, land_run, look, rules_for, snapshot, state_of
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import ProtectedError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from ordinary_user import unreadable

from seqauto import clean_up, clean_up_s3, decisions, holds, removal_work
from seqauto.clean_up import CleanUpRefused
from seqauto.holds import HoldRefused
from seqauto.models import AuditEntry, Delivery, DeliveryStep, Hold, IncomingFolder, Proof, Removal
from seqauto.models.clean_up import RemovalState
from seqauto.s3_clients import s3_client
from seqauto.tasks.clean_up import clean_up_runs

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(tmp_path, s3_server):
    return rules_for(tmp_path, s3_server)


@pytest.fixture
def rules(lab):
    return clean_up_rules(lab, ONLY_SOURCES)


def person(name: str, *permissions: str) -> User:
    user = User.objects.create_user(name)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


# ---- what goes ----


def test_promise_36_a_plan_changes_nothing(lab, rules):
    run = delivered_run(lab)
    before = snapshot(lab.incoming[0].parent)
    (one,) = clean_up.plan(rules)
    assert (one.target, one.may_go, one.bytes) == ("source", True, delivery_of(run).bytes)
    assert snapshot(lab.incoming[0].parent) == before
    assert not Removal.objects.exists()


def test_a_proven_run_folder_goes_and_leaves_a_certificate(lab, rules):
    run = delivered_run(lab)
    held = snapshot(run)
    (removal,) = execute(rules)
    assert not run.exists()
    assert quarantined(lab.incoming[0]) == []
    assert (removal.state, removal.files, removal.bytes) == (
        "removed",
        len(held),
        sum(map(len, held.values())),
    )
    assert all(gate["passed"] for gate in removal.evidence)
    assert removal.rule["days"] == 21
    assert removal.proposed_by == BY
    assert all(name in removal.manifest for name in held)
    assert snapshot(lab.backup_dir / run.name) == held
    actions = list(AuditEntry.objects.filter(kind="removal").order_by("pk").values_list("action", flat=True))
    assert actions == [
        "removal.proposed",
        "removal.quarantine_begun",
        "removal.quarantined",
        "removal.removal_begun",
        "removal.removed",
    ]


def test_a_run_that_was_cleaned_up_stays_delivered(lab, rules):
    run = delivered_run(lab)
    execute(rules)
    look(lab)
    look(lab)
    delivery = delivery_of(run)
    assert (delivery.state, delivery.reason) == ("delivered", "")
    assert delivery.gone_at
    assert "Gone" not in " ".join(events_of(run))
    assert "no longer there" not in " ".join(events_of(run))
    assert Delivery.objects.count() == 1  # the quarantine is nothing that landed
    assert execute(rules) == []


def test_fastqs_go_while_their_run_stays(lab):
    run = delivered_run(lab)
    rules = clean_up_rules(lab, {"source": {"enabled": False}})
    made = Path(delivery_of(run).steps.get(kind="convert").figures["folder"])
    assert made.is_dir()
    (removal,) = execute(rules)
    assert (removal.target, removal.state, made.exists()) == ("fastqs", "removed", False)
    assert run.exists()
    assert "fastq.gz" in removal.manifest
    assert (made.parent / "SampleSheet.csv").exists()


def test_source_and_fastqs_go_in_one_turn(lab):
    run = delivered_run(lab)
    assert [one.state for one in execute(clean_up_rules(lab))] == ["removed", "removed"]
    assert not run.exists()


def test_a_backup_goes_only_where_it_is_not_the_only_copy(lab):
    run = delivered_run(lab)
    on = {"backup": {"enabled": True}, "fastqs": {"enabled": False}}
    assert closed_gates(run, "backup", clean_up_rules(lab, on)) == []
    execute(clean_up_rules(lab, ONLY_SOURCES))
    assert closed_gates(run, "backup", clean_up_rules(lab, on)) == ["another_copy"]
    assert execute(clean_up_rules(lab, on)) == []
    assert closed_gates(run, "backup", clean_up_rules(lab, on, fastqs_suffice=True)) == []
    (removal,) = execute(clean_up_rules(lab, on, fastqs_suffice=True))
    assert (removal.state, (lab.backup_dir / run.name).exists()) == ("removed", False)


def test_run_folder_and_backup_never_both_go(lab):
    run = delivered_run(lab)
    both = {"backup": {"enabled": True}, "fastqs": {"enabled": False}}
    for _turn in range(3):
        execute(clean_up_rules(lab, both))
    assert run.exists() != (lab.backup_dir / run.name).exists()


def test_the_grace_period_is_waited_for(lab, rules):
    run = delivered_run(lab)
    patient = replace(rules, grace_hours=24)
    (removal,) = execute(patient)
    assert (removal.state, run.exists()) == ("quarantined", False)
    (folder,) = quarantined(lab.incoming[0])
    assert (folder / "RunInfo.xml").exists()
    (removal,) = execute(patient)
    assert removal.state == "quarantined"
    Removal.objects.update(quarantined_at=removal.quarantined_at - timedelta(hours=25))
    (removal,) = execute(patient)
    assert (removal.state, quarantined(lab.incoming[0])) == ("removed", [])


def test_what_is_in_quarantine_can_be_withdrawn(lab, rules):
    run = delivered_run(lab)
    before = snapshot(run)
    user = person("ada", "seqauto_clean_up")
    (removal,) = execute(replace(rules, grace_hours=24))
    look(lab)
    clean_up.withdraw(removal, rules, user, "Wanted once more")
    assert removal_of(run).state == "put_back"
    assert snapshot(run) == before
    deliver(lab)
    assert state_of(run) == "delivered"


def test_what_somebody_put_back_by_hand_stays(lab, rules):
    run = delivered_run(lab)
    execute(replace(rules, grace_hours=24))
    (folder,) = quarantined(lab.incoming[0])
    folder.rename(run)
    (removal,) = execute(rules)
    assert (removal.state, run.exists()) == ("put_back", True)
    assert execute(rules) == []  # nor does it go at the next turn
    (removal,) = execute(rules, run.name)
    assert removal.state == "removed"


def test_what_somebody_took_out_of_quarantine_stops_for_a_person(lab, rules, tmp_path):
    delivered_run(lab)
    execute(replace(rules, grace_hours=24))
    (folder,) = quarantined(lab.incoming[0])
    folder.rename(tmp_path / "elsewhere")
    (removal,) = execute(rules)
    assert removal.state == "stopped"
    assert (tmp_path / "elsewhere" / "RunInfo.xml").exists()


def test_a_sheet_that_was_edited_and_is_kept_beside_the_fastqs_keeps_nothing(lab, rules):
    run = land_run(lab)
    write_long_ago(run)
    deliver(lab)
    sheet = run / "SampleSheet.csv"
    sheet.write_text(sheet.read_text().replace("[Header]", "[Header]\nInvestigator Name,Ada", 1))
    ripen(run, lab)
    assert closed_gates(run, "source", rules) == ["backup_stands"]
    look(lab)
    decisions.convert_again(delivery_of(run), None, "The sheet was wrong")
    deliver(lab)
    assert state_of(run) == "delivered"
    ripen(run, lab)
    # Its FASTQs have a number of their own, the sheet beside them is the new one.
    assert closed_gates(run, "source", rules) == []


# ---- what keeps it: each fact for real ----


def _step(run: Path, kind: str, **figures: object) -> None:
    step = delivery_of(run).steps.get(kind=kind)
    step.figures |= figures
    step.save()


def _in_s3(lab, run, name: str) -> tuple[object, dict[str, str]]:
    """A client and the place of an object of the run; the server remembers what it saw of its disk."""
    projects = delivery_of(run).steps.get(kind="upload").figures["projects"]
    key = next(one["key"] for one in projects[0]["objects"] if one["key"].endswith(name))
    return s3_client(lab.s3), {"Bucket": lab.s3.bucket, "Key": key}


def _other_size_in_s3(lab, run):
    client, place = _in_s3(lab, run, ".fastq.gz")
    client.put_object(**place, Body=b"something else")


def _replaced_in_s3(lab, run):
    client, place = _in_s3(lab, run, ".fastq.gz")
    client.put_object(**place, Body=bytes(client.head_object(**place)["ContentLength"]))


def _gone_from_s3(lab, run):
    client, place = _in_s3(lab, run, "meta.json")
    client.delete_object(**place)


def _flipped_name_in_backup(lab, run):
    (lab.backup_dir / run.name / "RunInfo.xml").rename(lab.backup_dir / run.name / "RunInfo.txt")


def _bad_proof(lab, run):
    Proof.objects.create(delivery=delivery_of(run), what="backup", is_good=False, differences=["a differs"])


def _failed_step(lab, run):
    DeliveryStep.objects.filter(kind="upload").update(state="failed")


def _emptied(lab, run):
    for path in run.rglob("*"):
        if path.is_file():
            path.unlink()


def _backup_away(lab, run):
    (lab.backup_dir / run.name).rename(lab.backup_dir / "elsewhere")


def _backup_overwritten(lab, run):
    path = lab.backup_dir / run.name / "RunInfo.xml"
    path.chmod(0o644)
    path.write_bytes(bytes(path.stat().st_size))


def _no_manifest(lab, run):
    (lab.backup_dir / f"{run.name}.manifest.tsv").unlink()


def _another_fastq(lab, run):
    files = delivery_of(run).steps.get(kind="convert").figures["files"]
    _step(run, "convert", files=[*files, {"path": "x_R1.fastq.gz", "size": 1, "sample_id": "x"}])


FAULTS = {
    "too young": (lambda lab, run: grow_old(run, -10), "age"),
    "not delivered": (lambda lab, run: Delivery.objects.update(state="waiting"), "delivered"),
    "a step that failed": (_failed_step, "idle"),
    "a disk that failed": (lambda lab, run: IncomingFolder.objects.update(error="It failed."), "idle"),
    "on hold": (lambda lab, run: Delivery.objects.update(is_held=True), "unheld"),
    "a file that came": (lambda lab, run: (run / "late.bcl").write_bytes(b"x"), "unchanged"),
    "a file that changed": (lambda lab, run: os.utime(run / "RunInfo.xml", (1, 1)), "unchanged"),
    "no listing": (lambda lab, run: Delivery.objects.update(listing=""), "converted"),
    "an empty run folder": (_emptied, "target"),
    "a backup that is away": (_backup_away, "backup_stands"),
    "a backup without manifest": (_no_manifest, "backup_stands"),
    "a file gone from the backup": (_flipped_name_in_backup, "backup_stands"),
    "a file of the backup overwritten": (_backup_overwritten, "backup_stands"),
    "a backup that differed": (_bad_proof, "backup_verified"),
    "a backup proven too long ago": (lambda lab, run: grow_old(run, 40), "backup_verified"),
    "no FASTQs": (lambda lab, run: _step(run, "convert", files=[]), "converted"),
    "nothing uploaded": (lambda lab, run: _step(run, "upload", projects=[]), "uploaded"),
    "a FASTQ that was not uploaded": (_another_fastq, "uploaded"),
    "an object of another size": (_other_size_in_s3, "in_s3"),
    "an object that is gone": (_gone_from_s3, "in_s3"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_promise_29_one_fact_that_is_not_so_keeps_everything(lab, rules, fault):
    run = delivered_run(lab)
    do, gate = FAULTS[fault]
    do(lab, run)
    names = set(run.rglob("*"))
    assert gate in closed_gates(run, "source", rules)
    assert execute(rules, run.name) == []
    assert set(run.rglob("*")) == names


#: Faults of disks and S3, and the gate that each closes before FASTQs or a backup go.
ELSEWHERE = {
    "fastqs": {
        "a file that came": "unchanged",
        "a file that changed": "unchanged",
        "an empty run folder": "unchanged",
        "a backup that is away": "backup_stands",
        "a backup without manifest": "backup_stands",
        "a file gone from the backup": "backup_stands",
        "a file of the backup overwritten": "backup_stands",
        "an object that is gone": "in_s3",
    },
    "backup": {
        "a file that came": "another_copy",
        "a file that changed": "another_copy",
        "an empty run folder": "another_copy",
        "a backup without manifest": "another_copy",
        "a file gone from the backup": "target",
        "an object that is gone": "in_s3",
    },
}


@pytest.mark.parametrize(("target", "fault"), [(one, fault) for one in ELSEWHERE for fault in ELSEWHERE[one]])
def test_promise_29_one_fact_that_is_not_so_keeps_fastqs_and_backups_too(lab, target, fault):
    run = delivered_run(lab)
    rules = clean_up_rules(lab, {one: {"enabled": one == target} for one in ("source", "fastqs", "backup")})
    disks = (lab.incoming[0], lab.backup_dir, lab.fastq_dir)
    assert closed_gates(run, target, rules) == []
    do, _gate_of_the_source = FAULTS[fault]
    do(lab, run)
    before = [snapshot(disk) for disk in disks]
    assert ELSEWHERE[target][fault] in closed_gates(run, target, rules)
    assert execute(rules, run.name) == []
    assert [snapshot(disk) for disk in disks] == before


def test_promise_29_an_object_of_other_content_is_read_back_and_found_before_anything_moves(lab, rules):
    """Of the same size, and on a server whose ETag may mean anything: the plan alone cannot tell."""
    run = delivered_run(lab)
    _replaced_in_s3(lab, run)
    (removal,) = execute(rules)
    assert (removal.state, run.exists()) == ("stopped", True)
    assert "holds something else" in removal.error


@pytest.mark.parametrize("target", ["source", "fastqs"])
def test_promise_30_an_s3_that_does_not_answer_keeps_everything(lab, rules, s3_server, target):
    run = delivered_run(lab)
    s3_server.process.kill()
    s3_server.process.wait()
    assert {"in_s3", "clock"} == set(closed_gates(run, target, clean_up_rules(lab)))
    assert execute(clean_up_rules(lab)) == []
    assert run.exists()


@pytest.fixture
def silent_s3(monkeypatch) -> Iterator[tuple[str, list[socket.socket]]]:
    """The address of a server that accepts and never answers, and the connections that it was asked by."""
    asked: list[socket.socket] = []

    def listen() -> None:
        with suppress(OSError):
            while True:
                asked.append(server.accept()[0])

    monkeypatch.setattr(clean_up_s3, "s3_client", partial(s3_client, read_timeout=0.2))
    monkeypatch.setattr(clean_up_s3, "S3_ATTEMPTS", 2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=listen)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for one in asked:
        one.close()


def test_promise_30_an_s3_that_hangs_is_asked_for_the_first_run_only(lab, silent_s3):
    for number in range(1, 4):
        delivered_run(lab, number=number)
    address, asked = silent_s3
    rules = clean_up_rules(replace(lab, s3=replace(lab.s3, endpoint_url=address)))
    planned = clean_up.plan(rules)
    assert len(planned) == 6
    assert len(asked) == clean_up_s3.S3_ATTEMPTS
    first, *others = [gate for one in planned for gate in one.gates if gate.name == "in_s3"]
    assert (first.passed, first.is_known) == (False, False)
    why = first.evidence.removeprefix("S3 did not answer: ")
    assert "Read timeout" in why
    for gate in others:
        assert (gate.passed, gate.is_known) == (False, False)
        assert gate.evidence == f"S3 was not asked again, as it did not answer before: {why}"


def test_promise_30_what_was_silent_is_asked_anew_at_the_next_turn(lab, silent_s3):
    delivered_run(lab)
    address, asked = silent_s3
    rules = clean_up_rules(replace(lab, s3=replace(lab.s3, endpoint_url=address)), ONLY_SOURCES)
    assert execute(rules) == []
    assert execute(rules) == []
    assert len(asked) == 2 * clean_up_s3.S3_ATTEMPTS


def test_promise_30_a_disk_that_cannot_be_read_keeps_everything(lab, rules):
    run = delivered_run(lab)
    with unreadable(lab.backup_dir / run.name):
        assert closed_gates(run, "source", rules) == ["backup_stands"]
        assert execute(rules) == []
    with unreadable(run):
        assert execute(rules) == []
    assert run.exists()


def test_promise_29_a_run_folder_on_a_disk_that_the_settings_name_no_more_stays(lab, rules):
    run = delivered_run(lab)
    (lab.incoming[0].parent / "another").mkdir()
    elsewhere = replace(rules, delivery=replace(lab, incoming=[lab.incoming[0].parent / "another"]))
    execute(replace(rules, grace_hours=24))
    (removal,) = execute(elsewhere)  # also what went into quarantine before
    assert (removal.state, run.exists()) == ("put_back", True)
    assert removal.error.endswith("lies in no folder that the settings name.")
    assert closed_gates(run, "source", elsewhere)[0] == "target"
    assert execute(elsewhere, run.name) == []
    assert run.exists()


def test_a_plan_reads_no_manifest_of_what_was_removed(lab, rules):
    run = delivered_run(lab)
    execute(rules)
    assert removal_of(run).manifest
    with CaptureQueriesContext(connection) as asked:
        clean_up.plan(clean_up_rules(lab))
    assert not [query["sql"] for query in asked if '"seqauto_removal"."manifest"' in query["sql"]]


def test_fastqs_that_somebody_added_to_stay(lab):
    run = delivered_run(lab)
    made = Path(delivery_of(run).steps.get(kind="convert").figures["folder"])
    (made / "notes.txt").write_text("Not anywhere else.")
    assert closed_gates(run, "fastqs", clean_up_rules(lab)) == ["target"]


# ---- between plan and act ----


CHANGES = {
    "a file of the run": lambda lab, run, folder: (folder / "late.bcl").write_bytes(b"x"),
    "the backup": lambda lab, run, folder: (lab.backup_dir / run.name / "RunInfo.xml").unlink(),
    "an object": lambda lab, run, folder: _other_size_in_s3(lab, run),
    "a hold": lambda lab, run, folder: Hold.objects.create(
        delivery=delivery_of(run), user_name="ada", reason="r"
    ),
    "a proof": lambda lab, run, folder: _bad_proof(lab, run),
    "its age": lambda lab, run, folder: grow_old(run, -10),
}


@pytest.mark.parametrize("change", CHANGES)
def test_promise_31_a_fact_that_changes_after_the_proposal_stops_it(lab, rules, change):
    run = delivered_run(lab)
    (one,) = clean_up.plan(rules)
    removal = clean_up.propose(one, rules, BY)
    CHANGES[change](lab, run, run)
    assert clean_up.carry_out(removal, rules, BY)
    assert (removal.state, run.exists()) == ("stopped", True)
    assert removal.error
    assert quarantined(lab.incoming[0]) == []


@pytest.mark.parametrize("change", CHANGES)
def test_promise_31_a_fact_that_changes_in_quarantine_puts_it_back(lab, rules, change):
    run = delivered_run(lab)
    names = {path.relative_to(run) for path in run.rglob("*")}
    execute(replace(rules, grace_hours=24))
    (folder,) = quarantined(lab.incoming[0])
    CHANGES[change](lab, run, folder)
    (removal,) = execute(rules)
    assert (removal.state, removal.error != "") == ("put_back", True)
    assert names <= {path.relative_to(run) for path in run.rglob("*")}
    assert quarantined(lab.incoming[0]) == []


def test_promise_31_where_nobody_can_look_it_waits_in_quarantine(lab, rules, s3_server):
    run = delivered_run(lab)
    execute(replace(rules, grace_hours=24))
    s3_server.process.kill()
    s3_server.process.wait()
    (removal,) = execute(rules)
    assert removal.state == "quarantined"
    assert "S3 did not answer" in removal.error
    assert len(quarantined(lab.incoming[0])) == 1
    assert not run.exists()


def test_promise_32_a_link_out_of_the_run_harms_nothing_there(lab, rules, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("kept")
    run = land_run(lab)
    (run / "link").symlink_to(outside)
    (run / "file").symlink_to(outside / "kept.txt")
    write_long_ago(run)
    deliver(lab)
    ripen(run, lab)
    (removal,) = execute(rules)
    assert (removal.state, run.exists()) == ("removed", False)
    assert (outside / "kept.txt").read_text() == "kept"


def test_promise_32_a_link_in_place_of_the_run_is_not_followed(lab, rules, tmp_path):
    run = delivered_run(lab)
    run.rename(tmp_path / "elsewhere")
    run.symlink_to(tmp_path / "elsewhere")
    assert execute(rules) == []
    assert (tmp_path / "elsewhere" / "RunInfo.xml").exists()


# ---- holds ----


def test_promise_34_a_hold_beats_every_role_and_execute(lab, rules):
    run = delivered_run(lab)
    chief = User.objects.create_superuser("chief")
    hold = holds.place(delivery_of(run), person("ada", "seqauto_hold"), "Under appeal")
    assert closed_gates(run, "source", rules)[0] == "unheld"
    (one,) = clean_up.plan(rules)
    with pytest.raises(CleanUpRefused, match="Held by ada"):
        clean_up.propose(one, rules, chief)
    assert execute(rules, run.name) == []
    assert run.exists()
    holds.release(hold, chief, "Settled")
    (removal,) = execute(rules)
    assert removal.state == "removed"
    assert AuditEntry.objects.filter(action__startswith="hold.").count() == 2


def test_promise_34_a_hold_that_comes_after_the_last_look_still_counts(lab, rules, monkeypatch):
    """Placed between the look at all facts and the row that says Quarantined."""
    run = delivered_run(lab)
    ada = person("ada", "seqauto_hold")
    seen = removal_work._looked_again

    def look_then_hold(*args):
        found = seen(*args)
        holds.place(delivery_of(run), ada, "Wait")
        return found

    (one,) = clean_up.plan(rules)
    removal = clean_up.propose(one, rules, BY)
    monkeypatch.setattr(removal_work, "_looked_again", look_then_hold)
    clean_up.carry_out(removal, rules, BY)
    assert (removal.state, run.exists()) == ("stopped", True)


def test_a_hold_ends_after_its_last_day(lab, rules):
    run = delivered_run(lab)
    ada, today = person("ada", "seqauto_hold"), timezone.localdate()
    hold = holds.place(delivery_of(run), ada, "For a while", until=today)
    assert "unheld" in closed_gates(run, "source", rules)
    Hold.objects.filter(pk=hold.pk).update(until=today - timedelta(days=1))
    assert closed_gates(run, "source", rules) == []


def test_promise_34_the_last_day_of_a_hold_ends_at_midnight_in_the_lab(settings, db):
    """17:00 in California is the next day in Greenwich already."""
    settings.TIME_ZONE = "America/Los_Angeles"
    delivery = Delivery.objects.create(path="/x/run", root="/x", name="run")
    Hold.objects.create(delivery=delivery, user_name="ada", reason="Wait", until=date(2026, 11, 22))
    assert holds.holding(delivery, datetime(2026, 11, 23, 1, tzinfo=UTC)).exists()
    assert holds.holding(delivery, datetime(2026, 11, 23, 7, 59, tzinfo=UTC)).exists()
    assert not holds.holding(delivery, datetime(2026, 11, 23, 8, tzinfo=UTC)).exists()


def test_who_may_not_hold_is_refused_and_so_is_a_hold_without_reason(lab):
    run = delivered_run(lab)
    with pytest.raises(HoldRefused, match="may not"):
        holds.place(delivery_of(run), person("eve"), "Because")
    with pytest.raises(HoldRefused, match="why"):
        holds.place(delivery_of(run), person("ada", "seqauto_hold"), "  ", until=date(2030, 1, 1))
    assert not Hold.objects.exists()


# ---- approval ----


def test_a_second_person_approves_never_the_first(lab, rules):
    run = delivered_run(lab)
    rules = replace(rules, needs_approval=True)
    both = ("seqauto_clean_up", "seqauto_clean_up_approve")
    ada, bea, eve = person("ada", *both), person("bea", *both), person("eve")
    (one,) = clean_up.plan(rules)
    with pytest.raises(CleanUpRefused, match="may not"):
        clean_up.propose(one, rules, eve)
    removal = clean_up.propose(one, rules, ada)
    clean_up.carry_out(removal, rules, ada)
    assert (removal.state, run.exists()) == ("proposed", True)
    for user in (ada, eve):
        with pytest.raises(CleanUpRefused):
            clean_up.approve(removal, user)
    clean_up.approve(removal, bea)
    (removal,) = execute(rules)
    assert (removal.state, removal.proposed_by, removal.approved_by) == ("removed", "ada", "bea")


def test_what_nobody_approved_waits_once_approval_is_asked_for(lab, rules):
    run = delivered_run(lab)
    (one,) = clean_up.plan(rules)
    removal = clean_up.propose(one, rules, BY)
    clean_up.carry_out(removal, replace(rules, needs_approval=True), BY)
    assert run.exists()


# ---- clocks ----


@pytest.mark.parametrize("at", [None, datetime(2099, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)])
def test_promise_35_null_future_and_absurd_dates_keep_everything(lab, rules, at):
    run = delivered_run(lab)
    Delivery.objects.update(delivered_at=at)
    assert {"dates"} <= set(closed_gates(run, "source", rules))
    assert execute(rules, run.name) == []
    assert run.exists()


def test_promise_35_a_clock_a_year_ahead_removes_nothing(lab, rules, monkeypatch):
    """The database and this machine both say so; S3 knows better."""
    run = delivered_run(lab)  # old enough, but only by a clock that is wrong
    monkeypatch.setattr(clean_up_s3, "_clock_of", lambda _answer: datetime.now(UTC) - timedelta(days=365))
    assert closed_gates(run, "source", rules) == ["clock"]
    assert execute(rules) == []
    assert run.exists()


# ---- limits ----


def test_promise_36_more_than_so_many_runs_a_day_stops_for_a_person(lab, rules):
    runs = [delivered_run(lab, number=number) for number in (1, 2, 3)]
    rules = replace(rules, most_runs=2)
    execute(rules)
    assert [run.exists() for run in runs] == [False, False, True]
    stopped = removal_of(runs[2])
    assert stopped.state == "stopped"
    assert stopped.error.startswith("The limit of a day is reached")
    execute(rules)
    assert runs[2].exists()
    Removal.objects.filter(state="removed").update(quarantined_at=datetime(2020, 1, 1, tzinfo=UTC))
    execute(rules)
    assert runs[2].exists()  # a person must say so
    clean_up.go_on(stopped, person("ada", "seqauto_clean_up"), "Seen")
    execute(rules)
    assert not runs[2].exists()


def test_promise_36_more_than_so_many_bytes_a_day_stops_for_a_person(lab, rules):
    run = delivered_run(lab)
    execute(replace(rules, most_bytes=delivery_of(run).bytes - 1))
    assert (removal_of(run).state, run.exists()) == ("stopped", True)


# ---- switches and the command ----


def test_promise_36_nothing_goes_where_it_is_switched_off(lab, rules):
    run = delivered_run(lab)
    with pytest.raises(CleanUpRefused, match="SEQAUTO_ENABLED"):
        execute(replace(rules, disabled="Nothing is removed here: SEQAUTO_ENABLED is false."))
    assert run.exists()


@pytest.fixture
def lab_settings(lab, settings):
    settings.SEQAUTO_INCOMING_DIRS = lab.incoming
    settings.SEQAUTO_BACKUP_DIR, settings.SEQAUTO_FASTQ_DIR = lab.backup_dir, lab.fastq_dir
    settings.SEQAUTO_S3_FASTQ_BUCKET = lab.s3.bucket
    settings.SEQAUTO_S3_ENDPOINT_URL = lab.s3.endpoint_url
    settings.SEQAUTO_CLEAN_UP_GRACE_HOURS = 0
    settings.SEQAUTO_CLEAN_UP_RULES = ONLY_SOURCES
    return settings


def test_the_task_does_nothing_unless_it_is_switched_on(lab, lab_settings):
    run = delivered_run(lab)
    clean_up_runs()
    assert run.exists()
    lab_settings.SEQAUTO_CLEAN_UP_ENABLED = True
    clean_up_runs()
    assert not run.exists()


def test_the_command_shows_the_plan_and_executes_it_only_when_told(lab, lab_settings, capsys):
    run = delivered_run(lab)
    call_command("clean_up_runs")
    shown = capsys.readouterr().out
    assert f"{run.name}: Run folder on the incoming disk may go" in shown
    assert "✗" not in shown
    assert f"frees {delivery_of(run).bytes:,} bytes" in shown
    assert run.exists()
    call_command("clean_up_runs", "--execute", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["bytes"] == delivery_of(run).bytes
    assert [one["state"] for one in told["under_way"]] == ["removed"]
    assert not run.exists()


def test_the_command_ends_with_1_where_a_named_run_must_stay(lab, lab_settings, capsys):
    run = delivered_run(lab, days=3)
    other = delivered_run(lab, number=2)
    with pytest.raises(CommandError, match="must stay"):
        call_command("clean_up_runs", "--execute", "--run", run.name)
    assert "✗ It has not been proven for long enough" in capsys.readouterr().out
    assert run.exists()
    assert other.exists()
    with pytest.raises(CommandError, match="No delivery is called"):
        call_command("clean_up_runs", "--run", "nobody")


def test_what_had_stopped_goes_on_where_it_is_named_on_the_command_line(lab, lab_settings, capsys):
    run = delivered_run(lab)
    lab_settings.SEQAUTO_CLEAN_UP_MOST_GB = 0
    with pytest.raises(CommandError, match="waits for a person"):
        call_command("clean_up_runs", "--execute")
    lab_settings.SEQAUTO_CLEAN_UP_MOST_GB = 1
    with pytest.raises(CommandError):
        call_command("clean_up_runs", "--execute")
    assert run.exists()
    call_command("clean_up_runs", "--execute", "--run", run.name)
    assert not run.exists()
    assert AuditEntry.objects.filter(reason="Named on the command line").count() == 1


def test_the_command_tells_what_stands_in_quarantine_without_a_removal(lab, lab_settings, capsys):
    run = delivered_run(lab)
    lab_settings.SEQAUTO_CLEAN_UP_GRACE_HOURS = 24
    call_command("clean_up_runs", "--execute")
    Removal.objects.all().delete()
    capsys.readouterr()
    call_command("clean_up_runs")
    shown = capsys.readouterr().out
    assert "Stands in quarantine without a removal: " in shown
    assert f"is all of {run}" in shown
    run.mkdir()
    with pytest.raises(CommandError, match="waits for a person"):
        call_command("clean_up_runs", "--execute", "--json")
    assert len(json.loads(capsys.readouterr().out)["strays"]) == 1


def test_removals_are_kept_for_ever(lab, rules):
    run = delivered_run(lab)
    execute(rules)
    with pytest.raises(ProtectedError):
        delivery_of(run).delete()
    assert removal_of(run).state == RemovalState.REMOVED

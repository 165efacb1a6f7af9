"""Clean-up: what its texts say is what happens, and what happens is said."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from cleaning import BY, clean_up_rules, delivered_run, execute, quarantined, removal_of
from delivering import delivery_of, rules_for
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from seqauto import clean_up, clean_up_survey, proving
from seqauto.clean_up import CleanUpRefused
from seqauto.delivery_rules import ProvingRules
from seqauto.gates import NOT_LOOKED_AT, Gate, closed_gates
from seqauto.models import AuditEntry, Delivery, Hold, Proof, Removal

pytestmark = pytest.mark.django_db

SOURCE_AND_BACKUP = {"backup": {"enabled": True}, "fastqs": {"enabled": False}}


@pytest.fixture
def lab(tmp_path, s3_server):
    return rules_for(tmp_path, s3_server)


@pytest.fixture
def rules(lab):
    return clean_up_rules(lab, {"fastqs": {"enabled": False}})


@pytest.fixture
def chief() -> User:
    return User.objects.create_superuser("chief")


@pytest.fixture
def lab_settings(lab, settings):
    settings.SEQAUTO_INCOMING_DIRS = lab.incoming
    settings.SEQAUTO_BACKUP_DIR, settings.SEQAUTO_FASTQ_DIR = lab.backup_dir, lab.fastq_dir
    settings.SEQAUTO_S3_FASTQ_BUCKET = lab.s3.bucket
    settings.SEQAUTO_S3_ENDPOINT_URL = lab.s3.endpoint_url
    settings.SEQAUTO_CLEAN_UP_GRACE_HOURS = 0
    settings.SEQAUTO_CLEAN_UP_RULES = {"fastqs": {"enabled": False}}
    return settings


def hold(run: Path) -> Hold:
    return Hold.objects.create(delivery=delivery_of(run), user_name="ada", reason="A trial")


def closed(run: Path, target: str, rules) -> dict[str, str]:
    """What the database alone knows to be closed, without a look at any disk."""
    judged = clean_up.known_candidate(delivery_of(run), target, rules).gates
    return {gate.name: gate.evidence for gate in judged if gate.is_known and not gate.passed}


# ---- holds ----


def test_promise_34_a_held_folder_in_quarantine_goes_back_at_the_next_turn(lab, rules):
    """Not only when its grace period is over."""
    run, waiting = delivered_run(lab), replace(rules, grace_hours=24)
    execute(waiting)
    hold(run)
    (removal,) = execute(waiting)
    assert (removal.state, run.exists(), quarantined(lab.incoming[0])) == ("put_back", True, [])
    assert removal.error == "Held by ada: A trial."


# ---- the limit of a day ----


def test_promise_36_a_person_with_a_reason_lets_one_go_beyond_the_limit_and_the_audit_says_so(
    lab, rules, chief
):
    first, second = delivered_run(lab), delivered_run(lab, number=77)
    none = replace(rules, most_runs=0)
    (stopped,) = execute(none)
    assert AuditEntry.objects.get(action="removal.stopped").reason == stopped.error
    clean_up.go_on(stopped, chief, "The disk is full")
    assert [one.state for one in execute(none)] == ["removed", "stopped"]
    assert (first.exists(), second.exists()) == (False, True)
    entry = AuditEntry.objects.get(action="removal.let_go_on")
    assert (entry.who, entry.reason) == ("chief", "The disk is full")
    assert entry.after["beyond_limit"] == {"by": "chief", "reason": "The disk is full"}
    assert removal_of(first).rule["beyond_limit"] == entry.after["beyond_limit"]


@pytest.mark.parametrize("reason", ["", "  "])
def test_promise_36_nobody_goes_beyond_the_limit_without_a_reason(lab, rules, chief, reason):
    run = delivered_run(lab)
    none = replace(rules, most_runs=0)
    (stopped,) = execute(none)
    clean_up.go_on(stopped, chief, reason)
    execute(none)
    assert (removal_of(run).state, run.exists()) == ("stopped", True)


def test_promise_36_no_command_goes_beyond_the_limit(lab, rules):
    run = delivered_run(lab)
    none = replace(rules, most_runs=0)
    (stopped,) = execute(none)
    clean_up.go_on(stopped, BY, "Named on the command line")
    execute(none, run.name)
    assert (removal_of(run).state, run.exists()) == ("stopped", True)


def test_promise_29_beyond_the_limit_every_gate_is_still_asked(lab, rules, chief):
    run = delivered_run(lab)
    none = replace(rules, most_runs=0)
    (stopped,) = execute(none)
    (lab.backup_dir / run.name / "RunInfo.xml").unlink()
    clean_up.go_on(stopped, chief, "The disk is full")
    execute(none)
    assert (removal_of(run).state, run.exists()) == ("stopped", True)


# ---- what was put back ----


def test_what_was_put_back_stays_is_not_counted_and_execute_says_so(lab, rules, chief, lab_settings, capsys):
    run = delivered_run(lab)
    (removal,) = execute(replace(rules, grace_hours=24))
    clean_up.withdraw(removal, rules, chief, "Needed for a re-analysis")
    (one,) = clean_up.plan(rules)
    assert not one.may_go
    for arguments, total in ([], "May go: 0 bytes"), (["--execute"], "Removed now: 0 bytes"):
        call_command("clean_up_runs", *arguments)
        shown = capsys.readouterr().out
        assert "Run folder on the incoming disk stays" in shown
        assert "Needed for a re-analysis. It goes only when a person proposes or names it." in shown
        assert total in shown
    assert run.exists()
    clean_up.propose(clean_up.known_candidate(delivery_of(run), "source", rules), rules, chief)
    assert [one.state for one in execute(rules)] == ["removed"]


# ---- the only copy ----


def test_promise_29_the_database_alone_knows_the_only_copy(lab):
    run, rules = delivered_run(lab), clean_up_rules(lab, SOURCE_AND_BACKUP, grace_hours=24)
    assert "another_copy" not in closed(run, "backup", rules)
    (source,) = [one for one in clean_up.plan(rules) if one.target == "source"]
    removal = clean_up.propose(source, rules, BY)
    for state in ("proposed", "approved", "quarantined", "removing", "stopped"):
        Removal.objects.filter(pk=removal.pk).update(state=state)
        assert "only copy" in closed(run, "backup", rules)["another_copy"]
    backup = clean_up.known_candidate(delivery_of(run), "backup", rules)
    with pytest.raises(CleanUpRefused, match="only copy"):
        clean_up.propose(backup, rules, BY)
    assert "another_copy" not in closed(run, "backup", replace(rules, fastqs_suffice=True))
    Removal.objects.filter(pk=removal.pk).update(state="put_back")
    assert "another_copy" not in closed(run, "backup", rules)
    Delivery.objects.update(gone_at=delivery_of(run).delivered_at)
    assert "the run folder is gone" in closed(run, "backup", rules)["another_copy"]


def test_what_the_same_turn_has_closed_gets_no_row(lab):
    run = delivered_run(lab)
    removals = execute(clean_up_rules(lab, SOURCE_AND_BACKUP, grace_hours=24))
    assert [(one.target, one.state) for one in removals] == [("source", "quarantined")]
    assert not Removal.objects.filter(state="stopped").exists()
    assert (lab.backup_dir / run.name).exists()


def test_a_run_that_is_delivered_no_more_stays_in_the_plan_and_says_why(lab, rules):
    run = delivered_run(lab)
    Delivery.objects.update(state="waiting", reason="Its backup differs.")
    (one,) = clean_up.plan(rules)
    assert (one.delivery.name, one.may_go) == (run.name, False)
    assert closed_gates(one.gates)[0].why_closed == (
        f"The run is not delivered. {delivery_of(run).get_state_display()}. Its backup differs."
    )


# ---- words ----


def test_a_stopped_removal_names_only_what_is_closed_in_plain_words(lab, rules):
    run = delivered_run(lab)
    (one,) = clean_up.plan(rules)
    removal = clean_up.propose(one, rules, BY)
    hold(run)
    execute(rules)
    removal.refresh_from_db()
    assert removal.error == "Held by ada: A trial."
    assert removal.remedy == "Release the hold and let it go on, or withdraw it."


def test_gates_that_nobody_looked_at_are_not_named_as_closed():
    looked = Gate("target", "It stands there", False, True, "It is empty.")
    asked = Gate("in_s3", "Every object is in S3", False, False, "S3 did not answer: no route.")
    skipped = Gate("clock", "The clocks agree", False, False, NOT_LOOKED_AT.text)
    assert closed_gates([looked, asked, skipped]) == [looked]
    assert closed_gates([asked, skipped]) == [asked]
    assert asked.why_closed == "Every object is in S3: not known. S3 did not answer: no route."


def test_a_run_that_is_too_young_says_from_when_it_may_go(lab, rules, lab_settings, capsys):
    run = delivered_run(lab, days=3)
    told = closed(run, "source", rules)["age"]
    assert re.search(r"21 days must have passed, so from \d+ [A-Z][a-z]{2} \d{4} \d\d:\d\d\.$", told)
    call_command("clean_up_runs")
    shown = capsys.readouterr().out
    assert shown.count("✗") == 1
    assert "? What would go stands there as it was proven: Not looked at" in shown


def test_an_s3_that_refuses_offers_no_button_of_another_page(lab, rules, s3_server):
    run = delivered_run(lab)
    s3_server.process.kill()
    s3_server.process.wait()
    gates = {gate.name: gate for gate in clean_up.candidate(delivery_of(run), "source", rules).gates}
    assert "S3 did not answer" in gates["in_s3"].evidence
    assert "Retry" not in gates["in_s3"].evidence


def test_the_plan_ends_with_1_where_a_named_run_must_stay_or_something_has_stopped(lab, rules, lab_settings):
    run = delivered_run(lab, days=3)
    call_command("clean_up_runs")
    with pytest.raises(CommandError, match="must stay"):
        call_command("clean_up_runs", "--run", run.name)
    Removal.objects.create(delivery=delivery_of(run), target="source", path=str(run), state="stopped")
    with pytest.raises(CommandError, match="waits for a person"):
        call_command("clean_up_runs")


def test_the_evidence_tells_how_many_fastqs_were_uploaded_and_how_many_go_for_good(lab, rules):
    run = delivered_run(lab)
    (one,) = clean_up.plan(rules)
    gates = {gate.name: gate.evidence for gate in one.gates}
    made = delivery_of(run).steps.get(kind="convert").figures["files"]
    left = [file for file in made if file["sample_id"] == "Undetermined"]
    size = sum(file["size"] for file in left)
    assert left
    assert f"{len(made) - len(left)} of samples and {len(left)} Undetermined" in gates["converted"]
    assert f"They are {len(made) - len(left)} FASTQs and " in gates["uploaded"]
    assert f"{len(left)} Undetermined FASTQs ({size:,} bytes) are not in S3" in gates["uploaded"]


# ---- two doors, one plan ----


def damage(lab, run: Path) -> None:
    (backup,) = [copy for copy in proving.copies([run.name]) if copy.what == Proof.What.BACKUP]
    path = lab.backup_dir / run.name / "RunInfo.xml"
    path.chmod(0o644)
    path.write_bytes(bytes(path.stat().st_size))
    assert proving.prove(backup, lab, ProvingRules())


def test_the_command_plans_the_very_folders_that_the_page_shows(lab, lab_settings, client, chief, capsys):
    """Among them a damaged backup, a folder that somebody deleted by hand and a run on its way out."""
    damaged, bare, leaving, _whole = (delivered_run(lab, number=number) for number in range(1, 5))
    lab_settings.SEQAUTO_CLEAN_UP_RULES = {"backup": {"enabled": True}}
    damage(lab, damaged)
    shutil.rmtree(delivery_of(bare).steps.get(kind="convert").figures["folder"])
    rules = clean_up_rules(lab, lab_settings.SEQAUTO_CLEAN_UP_RULES)
    clean_up.propose(clean_up.known_candidate(delivery_of(leaving), "source", rules), rules, chief)
    call_command("clean_up_runs", "--json")
    planned = [
        (one["run"], one["target"], one["path"]) for one in json.loads(capsys.readouterr().out)["plan"]
    ]
    client.force_login(chief)
    shown = client.get("/clean-up/").context["candidates"]
    assert sorted(planned) == sorted((one.delivery.name, one.target, one.path) for one in shown)
    assert (damaged.name, "backup", str(lab.backup_dir / damaged.name)) in planned
    assert len(planned) == 3 * 4 - 1


def test_a_folder_that_somebody_deleted_by_hand_must_stay_and_nothing_else_is_asked(lab, monkeypatch):
    run = delivered_run(lab)
    made = Path(delivery_of(run).steps.get(kind="convert").figures["folder"])
    shutil.rmtree(made)
    monkeypatch.setattr(clean_up_survey, "look_at_s3", lambda *_args, **_options: pytest.fail("S3 was asked"))
    gates = clean_up.candidate(delivery_of(run), "fastqs", clean_up_rules(lab)).gates
    assert [(gate.name, gate.evidence) for gate in gates if gate.is_known and not gate.passed] == [
        ("target", f"{made} is not there.")
    ]

"""The audit: no change without its entry, no entry without its change, and how it reads."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from delivery_rows import add_delivery, fail
from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Permission, User
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from page_rows import add_run, add_scan
from test_access import MATRIX

from seqauto import audit, clean_up, decisions, scans
from seqauto.gates import Gate
from seqauto.models import (
    AuditEntry,
    Delivery,
    DeliveryEvent,
    DeliveryStep,
    Hold,
    Removal,
    Scan,
    SequencingRun,
)
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.models.scans import ScanSource
from seqauto.tasks import scan_run_jobs
from seqauto.views import scans as scan_views
from seqauto.views.audit import COLUMNS
from seqauto.views.exports import inert

pytestmark = pytest.mark.django_db


@pytest.fixture
def superuser(client) -> User:
    user = User.objects.create_superuser("head_of_lab")
    client.force_login(user)
    return user


@pytest.fixture(autouse=True)
def no_worker(monkeypatch, settings, tmp_path):
    monkeypatch.setattr(scan_views, "queue_scan", lambda scan: None)
    settings.SEQAUTO_SCAN_RESOURCES_DIR = tmp_path
    monkeypatch.setattr(clean_up, "known_candidate", candidate_that_may_go)


def candidate_that_may_go(delivery: Delivery, target: str, _rules: Any) -> clean_up.Candidate:
    """What the database must know of it has tests of its own."""
    gate = Gate("rule", "The rule for it is switched on", True, True, "It is.")
    return clean_up.Candidate(delivery, target, Path(delivery.path), 3, 14, (gate,))


def entries() -> list[AuditEntry]:
    return list(AuditEntry.objects.order_by("pk"))


def actions() -> list[str]:
    return [entry.action for entry in entries()]


# --- Every address that changes something --------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """What a person does at an address: the row it is about, what is sent, the entries that come of it."""

    row: Callable[[], Any]
    actions: list[str]
    data: dict[str, Any] = field(default_factory=dict)


def run_to_hold() -> None:
    """Which is named in the form, not in the address."""
    add_delivery(name="to_hold")


def run_to_choose() -> None:
    """Likewise."""
    add_run(pk=4711, fingerprint="f")


def add_hold() -> Hold:
    return Hold.objects.create(delivery=add_delivery(), user_name="anna", reason="A trial")


def add_removal(state: str) -> Callable[[], Removal]:
    def add() -> Removal:
        folder = settings.SEQAUTO_SCAN_RESOURCES_DIR
        delivery = add_delivery(root=str(folder), path=str(folder / "run"))
        return Removal.objects.create(
            delivery=delivery, target="source", path=delivery.path, state=state, proposed_by="anna"
        )

    return add


def failed_delivery() -> Delivery:
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery)
    return delivery


def scan_with_lists() -> Scan:
    scan = add_scan()
    folder = scans.lists_folder(scan)
    folder.mkdir()
    (folder / scans.ROOTS).write_text("")
    return scan


WHY = {"reason": "The clinic asked"}
CHOSEN = {"run": "4711"}
CHANGES = {
    "start_scan": Change(lambda: None, ["scan.started"]),
    "scan_again": Change(scan_with_lists, ["scan.started"]),
    "run_flags": Change(add_run, ["run.flags_set"], {"is_bad": "on", "why": "Overclustered"}),
    "run_rescan": Change(lambda: add_run(fingerprint="f"), ["run.rescan_asked", "scan.started"]),
    "run_delete": Change(lambda: add_run(samples=2), ["run.deleted"], WHY | {"is_sure": "on"}),
    "runs_flag": Change(
        run_to_choose, ["run.flags_set"], CHOSEN | {"what": "is_bad", "why": "Overclustered"}
    ),
    "runs_rescan": Change(run_to_choose, ["run.rescan_asked", "scan.started"], CHOSEN),
    "delivery_retry": Change(failed_delivery, ["delivery.retried"], WHY),
    "delivery_override": Change(failed_delivery, ["delivery.overridden"], WHY | {"code": "duplicate_index"}),
    "delivery_hold": Change(lambda: add_delivery(DeliveryState.DELIVERING), ["delivery.held"], WHY),
    "delivery_release": Change(
        lambda: add_delivery(DeliveryState.HELD, is_held=True), ["delivery.released"], WHY
    ),
    "delivery_deliver_now": Change(
        lambda: add_delivery(DeliveryState.STALLED), ["delivery.begun_by_hand"], WHY
    ),
    "delivery_convert_again": Change(add_delivery, ["delivery.conversion_asked"], WHY),
    "clean_up_hold": Change(run_to_hold, ["hold.placed"], WHY | {"run": "to_hold"}),
    "clean_up_release": Change(add_hold, ["hold.released"], WHY),
    "clean_up_propose": Change(add_delivery, ["removal.proposed"], {"target": "source"}),
    "clean_up_approve": Change(add_removal("proposed"), ["removal.approved"], WHY),
    "clean_up_withdraw": Change(add_removal("proposed"), ["removal.put_back"], WHY),
    "clean_up_go_on": Change(add_removal("stopped"), ["removal.let_go_on"], WHY),
}


def post(client: Client, name: str, row: Any, data: dict[str, Any]):
    return client.post(reverse(name, args=[row.pk] if row else []), data)


def everything() -> list[Any]:
    """All rows that people change."""
    models = (
        Delivery, DeliveryStep, DeliveryEvent, Scan, SequencingRun, User, PeriodicTask, Hold, Removal,
    )  # fmt: skip
    return [list(model.objects.order_by("pk").values()) for model in models]


#: It changes no row; that it leaves an entry, or does nothing, is held in test_server_status_database.
ENDS_A_QUERY = "server_status_end_query"


def test_promise_54_every_address_that_changes_something_is_walked_here():
    writing = {name for name, rule in MATRIX.items() if rule.post and not name.startswith("admin:")}
    # A sheet to check comes by POST since it is long, and writes nothing (test_sheet_check_page); which
    # columns a list shows is kept in the browser (test_pages_lists).
    # One's own password asks for the old one: test_logins.
    nothing = {"login", "logout", "password", "check_sheet", "choose_columns"}
    assert writing - nothing - {ENDS_A_QUERY} == set(CHANGES)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", CHANGES)
def test_promise_54_a_change_by_a_person_is_in_the_audit_with_who_what_when_why(name, client, superuser):
    change = CHANGES[name]
    row, before, began = change.row(), everything(), timezone.now()
    post(client, name, row, change.data)
    assert everything() != before
    assert actions() == change.actions
    for entry in entries():
        assert (entry.who, entry.user_id, entry.is_person) == ("head_of_lab", superuser.pk, True)
        assert began <= entry.at <= timezone.now()
        assert entry.after != entry.before
    entry = entries()[0]
    assert entry.reason == change.data.get("reason", change.data.get("why", ""))
    if row and name not in ("scan_again", "clean_up_release", "clean_up_propose"):
        assert (entry.kind, entry.key, entry.name) == (row._meta.model_name, row.pk, str(row))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", CHANGES)
def test_promise_54_without_its_entry_nothing_is_changed(name, client, superuser, monkeypatch):
    change = CHANGES[name]
    row, before = change.row(), everything()
    monkeypatch.setattr(AuditEntry, "save", broken)
    with pytest.raises(RuntimeError, match="by the test"):
        post(client, name, row, change.data)
    assert everything() == before


def broken(*_args, **_kwargs):
    raise RuntimeError("by the test")


@pytest.mark.parametrize("name", CHANGES)
def test_promise_54_what_is_refused_leaves_no_entry(name, client):
    client.force_login(User.objects.create_user("plain"))
    row = CHANGES[name].row()
    before = everything()
    assert post(client, name, row, CHANGES[name].data).status_code == 403
    assert (everything(), entries()) == (before, [])


def test_promise_54_a_decision_that_cannot_be_carried_out_leaves_no_entry(client, superuser):
    delivery = add_delivery()
    for name in ("retry", "override", "release", "deliver_now"):
        client.post(reverse(f"delivery_{name}", args=[delivery.pk]), WHY | {"code": "any"})
    client.post(reverse("delivery_hold", args=[delivery.pk]))  # without a reason
    client.post(reverse("run_flags", args=[add_run().pk]), {"is_bad": "on"})  # likewise
    assert entries() == []


@pytest.mark.django_db(transaction=True)
def test_promise_54_a_change_that_is_rolled_back_leaves_no_entry(superuser, monkeypatch):
    delivery = failed_delivery()

    @transaction.atomic
    def retry_in_vain() -> None:
        decisions.retry(delivery, superuser)
        broken()

    with pytest.raises(RuntimeError):
        retry_in_vain()
    assert (entries(), delivery.steps.filter(state=StepState.FAILED).count()) == ([], 1)


def test_an_entry_outside_of_a_transaction_is_refused(transactional_db):
    with pytest.raises(RuntimeError, match="written in the transaction"):
        audit.record("scan.started", add_scan(), rule="schedule")


def test_a_decision_tells_what_it_changed_and_nothing_else(client, superuser):
    delivery = failed_delivery()
    post(client, "delivery_override", delivery, CHANGES["delivery_override"].data)
    (entry,) = entries()
    assert entry.before == {"state": "waiting", "overrides": [], "step convert": "failed"}
    assert entry.after == {
        "state": "delivering",
        "overrides": ["duplicate_index: This index is used by H-2211 in lane 1 already"],
        "step convert": "waiting",
    }


def test_converting_again_tells_the_number_and_the_steps_that_begin_anew(client, superuser):
    delivery = add_delivery()
    DeliveryStep.objects.create(delivery=delivery, kind=StepKind.SUBMIT, place=5, state=StepState.DONE)
    post(client, "delivery_convert_again", delivery, WHY)
    (entry,) = entries()
    assert entry.after == {
        "state": "delivering",
        "conversion": 2,
        **dict.fromkeys(("step convert", "step upload", "step submit"), "waiting"),
    }


# --- Scans without a person ----------------------------------------------------------------------------


def test_scans_by_schedule_and_from_the_shell_tell_which(monkeypatch):
    scans.create_scan(ScanSource.SCHEDULE, slot="2026-11-22 06:00 UTC")
    scans.create_scan(ScanSource.COMMAND_LINE, options={"accept_missing": True})
    by_schedule, by_shell = entries()
    assert (by_schedule.who, by_schedule.is_person) == ("schedule", False)
    assert by_schedule.after == {"source": "schedule", "slot": "2026-11-22 06:00 UTC"}
    assert (by_shell.who, by_shell.is_person) == (audit.command_line(), False)
    assert by_shell.who.startswith("command line (")
    assert by_shell.after == {"source": "command line", "accept_missing": True}


def test_a_slot_that_has_its_scan_is_noted_once(monkeypatch):
    monkeypatch.setattr(scan_run_jobs.schedule, "latest_slot", lambda now: "2026-11-22 06:00 UTC")
    for _ in range(2):
        scan_run_jobs._scan_of_latest_slot()
    assert actions() == ["scan.started"]


def test_a_scan_that_waits_already_is_not_asked_for_twice(client, superuser):
    for _ in range(2):
        post(client, "start_scan", None, {})
    assert actions() == ["scan.started"]


# --- The admin -----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_promise_54_flags_set_in_the_admin_are_in_the_audit_and_in_the_runs_history(client, superuser):
    run = add_run()
    client.post(reverse("admin:seqauto_sequencingrun_change", args=[run.pk]), {"is_bad": "on"})
    (entry,) = entries()
    assert (entry.action, entry.before, entry.after) == ("admin.change", {"is_bad": False}, {"is_bad": True})
    assert "is bad: no → yes" in client.get(reverse("run_history", args=[run.pk])).content.decode()


@pytest.mark.django_db(transaction=True)
def test_promise_54_accounts_and_passwords_changed_in_the_admin_are_told_without_the_password(
    client, superuser
):
    secret = "a-secret-of-this-test-1"
    passwords = {"password1": secret, "password2": secret, "usable_password": "true"}
    client.post(reverse("admin:auth_user_add"), {"username": "anna", **passwords})
    anna = User.objects.get(username="anna")
    client.post(reverse("admin:auth_user_password_change", args=[anna.pk]), passwords)
    client.post(reverse("admin:auth_user_delete", args=[anna.pk]), {"post": "yes"})
    assert actions() == ["admin.add", "admin.change", "admin.delete"]
    assert {entry.name for entry in entries()} == {"anna"}
    assert [entry.after.get("password") for entry in entries()] == ["set anew", "set anew", None]
    assert secret not in str(list(AuditEntry.objects.values()))


@pytest.mark.django_db(transaction=True)
def test_promise_54_an_action_on_many_rows_leaves_an_entry_for_each(client, superuser):
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    tasks = [PeriodicTask.objects.create(name=f"task {n}", task="t", interval=hourly) for n in (1, 2, 3)]
    chosen = {"_selected_action": [task.pk for task in tasks[:2]], "index": "0"}
    address = reverse("admin:django_celery_beat_periodictask_changelist")
    client.post(address, {"action": "disable_tasks", **chosen})
    client.post(address, {"action": "delete_selected", "post": "yes", **chosen})
    assert [task.name for task in PeriodicTask.objects.all()] == ["task 3"]
    assert actions() == ["admin.disable_tasks"] * 2 + ["admin.delete"] * 2


@pytest.mark.django_db(transaction=True)
def test_promise_54_without_its_entry_the_admin_changes_nothing(client, superuser, monkeypatch):
    run, anna = add_run(), User.objects.create_user("anna")
    before = everything()
    monkeypatch.setattr(AuditEntry, "save", broken)
    for address, data in {
        reverse("admin:seqauto_sequencingrun_change", args=[run.pk]): {"is_bad": "on"},
        reverse("admin:auth_user_delete", args=[anna.pk]): {"post": "yes"},
        reverse("admin:auth_user_changelist"): {
            "action": "delete_selected", "post": "yes", "index": "0", "_selected_action": [anna.pk],
        },
        reverse("admin:auth_user_password_change", args=[anna.pk]): {
            "password1": "a-secret-of-this-test-1", "password2": "a-secret-of-this-test-1",
            "usable_password": "true",
        },
    }.items():  # fmt: skip
        with pytest.raises(RuntimeError, match="by the test"):
            client.post(address, data)
    assert everything() == before


def test_histories_of_runs_that_stood_in_the_admins_log_go_on_in_the_audit():
    anna, run = User.objects.create_user("anna"), add_run()
    for text in ("Asked for a rescan.", "bad: no → yes. Overclustered", '[{"changed": {}}]'):
        LogEntry.objects.log_actions(anna.pk, [run], CHANGE, text, single_object=True)
    import_module("seqauto.migrations.0005_submissions").copy_what_people_did(apps, None)
    assert [(entry.who, entry.action, entry.reason) for entry in entries()] == [
        ("anna", "run.rescan_asked", "Asked for a rescan."),
        ("anna", "run.flags_set", "bad: no → yes. Overclustered"),
    ]
    assert {(entry.kind, entry.key, entry.name) for entry in entries()} == {
        ("sequencingrun", run.pk, run.name)
    }


def test_the_audit_is_only_added_to():
    entry = note()
    for change in (entry.save, entry.delete, AuditEntry.objects.all().delete):
        with pytest.raises(TypeError, match="only added to"):
            change()
    with pytest.raises(TypeError, match="only added to"):
        AuditEntry.objects.update(who="nobody")


# --- The page and the export ---------------------------------------------------------------------------


def note(ago: timedelta = timedelta(), **fields) -> AuditEntry:
    values = {"who": "anna", "is_person": True, "action": "delivery.held", "kind": "delivery", "name": "R1"}
    return AuditEntry.objects.create(**values | {"at": timezone.now() - ago} | fields)


@pytest.fixture
def auditor(client) -> User:
    user = User.objects.create_user("auditor")
    user.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    client.force_login(user)
    return user


def page(client: Client, query: str = "") -> str:
    response = client.get(f"/audit/{query}")
    assert response.status_code == 200
    return response.content.decode()


def exported(client: Client, query: str = "") -> list[dict[str, str]]:
    response = client.get(f"/audit/export.csv{query}")
    assert response.streaming
    return list(csv.DictReader(io.StringIO(b"".join(response).decode("utf-8-sig"))))


def test_the_page_tells_what_changed_from_what_to_what_with_a_link(client, auditor):
    delivery = add_delivery()
    note(
        kind="delivery", key=delivery.pk, name=delivery.name, reason="Ask the clinic",
        before={"is_held": False, "overrides": []}, after={"is_held": True, "overrides": ["sheet"]},
    )  # fmt: skip
    text = page(client)
    assert "<div>is held: no → yes</div><div>overrides: – → sheet</div>" in text
    assert f'<a href="{delivery.get_absolute_url()}">{delivery.name}</a>' in text
    assert "Ask the clinic" in text


def test_dates_are_told_as_everywhere_else(client, auditor):
    note(before={"until": "2026-12-24"}, after={"until": None, "gone_at": "2026-11-22T07:30:06.314742+00:00"})
    text = page(client)
    assert "until: 24 Dec 2026 → –" in text
    assert "gone at: 22 Nov 2026 07:30" in text


def test_long_values_are_folded_and_what_the_reason_says_is_not_repeated(client, auditor):
    path = "/incoming/" + "a" * 80
    after = {"state": "stopped", "bytes": 38_231, "path": path, "error": "The disk failed."}
    AuditEntry.objects.create(
        who="anna", is_person=True, action="removal.stopped", kind="removal", name="A run",
        before={"state": "removing"}, after=after, reason="The disk failed.",
    )  # fmt: skip
    body = client.get("/audit/").content.decode()
    assert "<div>state: removing → stopped</div>" in body
    assert "bytes: 38\u00a0kB" in body
    assert f'<summary>path</summary><div class="break">path: {path}</div>' in body
    assert body.count("The disk failed.") == 1


def test_long_audits_are_read_page_by_page_without_gap_or_repeat(client, auditor):
    for number in range(1, 121):
        note(name=f"R-{number:03d}")
    seen, query = [], ""
    while query is not None:
        text = page(client, query)
        seen += [number for number in range(120, 0, -1) if f"R-{number:03d}<" in text]
        older = text.partition('<a href="?older=')[2].partition('"')[0]
        query = f"?older={older}" if older else None
        note(name="written meanwhile")
    assert seen == list(range(120, 0, -1))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("who=ann", ["by anna"]),
        ("action=scan.started", ["by schedule"]),
        ("kind=scan", ["by schedule"]),
        ("name=BY", ["by schedule", "by anna"]),
        ("after=2026-11-02", ["by schedule"]),
        ("before=2026-11-01", ["by anna"]),
        ("after=2026-11-01&before=2026-11-01&who=schedule", []),
        ("action=no+such", []),
        ("older=x", ["by schedule", "by anna"]),
    ],
)
def test_the_audit_can_be_narrowed_on_the_page_and_in_the_export_alike(client, auditor, query, found):
    old, new = (timezone.now().replace(year=2026, month=11, day=day, hour=12) for day in (1, 2))
    note(name="by anna", at=old)
    note(name="by schedule", at=new, who="schedule", is_person=False, action="scan.started", kind="scan")
    text = page(client, f"?{query}")
    assert [name for name in ("by schedule", "by anna") if name in text] == found
    assert [row["name"] for row in exported(client, f"?{query}")] == found


def test_the_export_has_each_entry_whole(client, auditor):
    note(before={"is_held": False}, after={"is_held": True}, reason='Say "why",\nin two lines', key=7)
    (row,) = exported(client)
    assert list(row) == COLUMNS
    assert (row["who"], row["is_person"], row["key"]) == ("anna", "True", "7")
    assert (row["before"], row["after"]) == ('{"is_held": false}', '{"is_held": true}')
    assert row["reason"] == r'Say "why",\nin two lines'


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_promise_51_no_cell_of_the_export_is_a_formula(client, auditor, text):
    note(name=text, who=text, reason=text, action=text, kind=text)
    (row,) = exported(client)
    for column in ("name", "who", "reason", "action", "kind"):
        assert row[column][0] == "'"
        assert row[column].isprintable()
    assert inert("plain = text") == "plain = text"


def test_promise_51_names_in_the_audit_are_inert_on_the_page(client, auditor):
    nasty = "<script>alert(1)</script>\x1b[31m\u202e"
    note(name=nasty, who=nasty, reason=nasty, before={nasty: nasty}, after={nasty: [nasty, {"a": nasty}]})
    text = page(client)
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_menu_offers_the_audit_only_to_those_who_may_read_it(client, auditor):
    assert 'href="/audit/"' in client.get("/scans/").content.decode()
    client.force_login(User.objects.create_user("plain"))
    assert 'href="/audit/"' not in client.get("/scans/").content.decode()

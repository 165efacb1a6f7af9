"""Who may do what at which address: every address stands in one table, and nothing else is allowed."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest
from delivery_rows import add_delivery, fail
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from page_rows import add_message, add_run, add_scan, add_sheet

from seqauto.admin import OwnedByDeliveries, OwnedByScans
from seqauto.models import (
    AuditEntry,
    Delivery,
    DiskReading,
    Experiment,
    Hold,
    IncomingFolder,
    Proof,
    Proving,
    Removal,
    ScanLease,
    ScanRoot,
    Sequencer,
    SequencingRun,
    Submission,
)
from seqauto.models.deliveries import DeliveryState, StepKind

pytestmark = pytest.mark.django_db

#: Roles that one permission makes.
HAVING = {
    "operator": "seqauto_scan_initiate",
    "retrier": "seqauto_retry",
    "deliverer": "seqauto_deliver",
    "flagger": "seqauto_flag",
    "auditor": "view_auditentry",
    "holder": "seqauto_hold",
    "cleaner": "seqauto_clean_up",
    "approver": "seqauto_clean_up_approve",
}
EVERYONE = {"anonymous", "plain", *HAVING, "staff", "superuser"}
USERS = EVERYONE - {"anonymous"}
SCANNERS = {"operator", "superuser"}
DELIVERERS = {"deliverer", "superuser"}
RETRIERS = {"retrier", *DELIVERERS}
FLAGGERS = {"flagger", "superuser"}
AUDITORS = {"auditor", "superuser"}
HOLDERS = {"holder", "superuser"}
CLEANERS = {"cleaner", "superuser"}
APPROVERS = {"approver", "superuser"}
STAFF = {"staff", "superuser"}
SUPERUSER = {"superuser"}
NOBODY: set[str] = set()
#: Not refused but redirected to the admin's index, where the login form waits.
SENT_AWAY = {"plain", *HAVING}


@dataclass(frozen=True)
class Rule:
    """Who may read, and who may write by POST; no other method does anything anywhere."""

    read: set[str]
    post: frozenset[str] | set[str] = frozenset()


MATRIX = {
    "login": Rule(EVERYONE, EVERYONE),
    "logout": Rule(NOBODY, USERS),
    "password": Rule(USERS, USERS),
    "home": Rule(USERS),
    "home_live": Rule(USERS),
    "scans": Rule(USERS),
    "scans_live": Rule(USERS),
    "start_scan": Rule(NOBODY, SCANNERS),
    "scan": Rule(USERS),
    "scan_again": Rule(NOBODY, SCANNERS),
    "scan_live": Rule(USERS),
    "scan_changes": Rule(USERS),
    "scan_list": Rule(USERS),
    "runs": Rule(USERS),
    "runs_export": Rule(USERS),
    "runs_flag": Rule(NOBODY, FLAGGERS),
    "runs_rescan": Rule(NOBODY, SCANNERS),
    "samples": Rule(USERS),
    "samples_export": Rule(USERS),
    "files": Rule(USERS),
    "files_export": Rule(USERS),
    "files_paths": Rule(USERS),
    "experiments": Rule(USERS),
    "experiments_export": Rule(USERS),
    "sequencers": Rule(USERS),
    "sequencers_export": Rule(USERS),
    # A preference, kept in the browser's cookie.
    "choose_columns": Rule(NOBODY, USERS),
    "run": Rule(USERS),
    "run_live": Rule(USERS),
    "run_missing": Rule(USERS),
    "run_files": Rule(USERS),
    "run_timeline": Rule(USERS),
    "run_sheet": Rule(USERS),
    "run_messages": Rule(USERS),
    "run_history": Rule(USERS),
    "run_flags": Rule(FLAGGERS, FLAGGERS),
    "run_rescan": Rule(NOBODY, SCANNERS),
    "run_delete": Rule(SUPERUSER, SUPERUSER),
    "deliveries": Rule(USERS),
    "deliveries_live": Rule(USERS),
    "delivery": Rule(USERS),
    "delivery_live": Rule(USERS),
    "delivery_log": Rule(USERS),
    "delivery_manifest": Rule(USERS),
    "delivery_retry": Rule(NOBODY, RETRIERS),
    "delivery_override": Rule(NOBODY, DELIVERERS),
    "delivery_hold": Rule(NOBODY, DELIVERERS),
    "delivery_release": Rule(NOBODY, DELIVERERS),
    "delivery_deliver_now": Rule(NOBODY, DELIVERERS),
    "delivery_convert_again": Rule(NOBODY, DELIVERERS),
    "clean_up": Rule(USERS),
    "clean_up_removal": Rule(USERS),
    "clean_up_manifest": Rule(USERS),
    "clean_up_hold": Rule(NOBODY, HOLDERS),
    "clean_up_release": Rule(NOBODY, HOLDERS),
    "clean_up_propose": Rule(NOBODY, CLEANERS),
    "clean_up_approve": Rule(NOBODY, APPROVERS),
    "clean_up_withdraw": Rule(NOBODY, CLEANERS),
    "clean_up_go_on": Rule(NOBODY, CLEANERS),
    "search": Rule(USERS),
    "storage": Rule(USERS),
    "trends": Rule(USERS),
    "help": Rule(USERS),
    "help_codes": Rule(USERS),
    "check_sheet": Rule(USERS, USERS),  # its POST reads what is sent and writes nothing
    "server_status": Rule(SUPERUSER),
    "server_status_live": Rule(SUPERUSER),
    "server_status_query": Rule(SUPERUSER),
    "server_status_end_query": Rule(NOBODY, SUPERUSER),
    "messages": Rule(USERS),
    "audit": Rule(AUDITORS),
    "audit_export": Rule(AUDITORS),
    "admin:index": Rule(STAFF, STAFF),
    "admin:login": Rule(EVERYONE, EVERYONE),
    "admin:logout": Rule(SENT_AWAY, USERS),
    "admin:password_change": Rule(STAFF, STAFF),
    "admin:password_change_done": Rule(STAFF),
    "admin:autocomplete": Rule(NOBODY, NOBODY),
    "admin:jsi18n": Rule(STAFF),
    "admin:view_on_site": Rule(STAFF, STAFF),
    "admin:app_list": Rule(SUPERUSER, SUPERUSER),
    "admin:auth_user_password_change": Rule(SUPERUSER, SUPERUSER),
}


def admin_rule(name: str) -> Rule | None:
    """The rule of one admin page of one model: superusers only: nobody else has its permissions."""
    for model, model_admin in admin.site._registry.items():
        page = name.removeprefix(f"admin:{model._meta.app_label}_{model._meta.model_name}_")
        if page in {"changelist", "history"}:
            return Rule(SUPERUSER, SUPERUSER)
        if page in {"add", "change", "delete"}:
            return _admin_form_rule(page, model, model_admin)
    return None


def _admin_form_rule(page: str, model: type, model_admin: admin.ModelAdmin) -> Rule:
    if isinstance(model_admin, OwnedByDeliveries) and page == "delete":
        return Rule(SUPERUSER, SUPERUSER)
    if isinstance(model_admin, OwnedByScans):
        return Rule(SUPERUSER) if page == "change" else Rule(NOBODY)
    may_not = {Sequencer: {"add"}, SequencingRun: {"add", "delete"}}.get(model, set())
    return Rule(NOBODY) if page in may_not else Rule(SUPERUSER, SUPERUSER)


def addresses() -> Iterator[tuple[str, URLPattern]]:
    """(name, pattern) of every address of the site, however deep."""

    def walk(patterns, prefix: str) -> Iterator[tuple[str, URLPattern]]:
        for entry in patterns:
            if isinstance(entry, URLPattern):
                yield f"{prefix}{entry.name}", entry
            else:
                yield from walk(entry.url_patterns, f"{entry.namespace}:" if entry.namespace else prefix)

    yield from walk(get_resolver().url_patterns, "")


def rule_of(name: str) -> Rule | None:
    return MATRIX.get(name) or admin_rule(name)


#: Two addresses of the admin have no name: its catch-all, and the old form of a change page, which redirects.
UNNAMED = "admin:None"
NAMES = sorted({name for name, _pattern in addresses()} - {UNNAMED})


def test_promise_48_every_address_stands_in_the_matrix():
    missing = [name for name in NAMES if rule_of(name) is None]
    assert missing == [], "Say in MATRIX who may read and write at these addresses."


def test_promise_48_the_matrix_names_no_address_that_is_gone():
    assert sorted(set(MATRIX) - set(NAMES)) == []


@pytest.fixture
def clients() -> dict[str, Client]:
    users = {
        "plain": User.objects.create_user("plain"),
        **{role: User.objects.create_user(role) for role in HAVING},
        "staff": User.objects.create_user("staff", is_staff=True),
        "superuser": User.objects.create_superuser("superuser"),
    }
    for role, codename in HAVING.items():
        users[role].user_permissions.add(Permission.objects.get(codename=codename))
    clients = {"anonymous": Client()}
    for role, user in users.items():
        clients[role] = Client()
        clients[role].force_login(user)
    return clients


@pytest.fixture
def rows(settings, tmp_path):
    """A row of every model that has an admin page, so that no page is refused for want of one."""
    settings.SEQAUTO_SCAN_RESOURCES_DIR = tmp_path
    scan, run = add_scan(files_appeared=1), add_run(samples=1)
    add_sheet(run)
    add_message(run)
    Experiment.objects.create(name="Haem_26_211")
    ScanLease.objects.get_or_create(pk=1)
    ScanRoot.objects.create(path="/archive", device=1)
    Group.objects.create(name="lab")
    every_hour = IntervalSchedule.objects.create(every=1, period="hours")
    CrontabSchedule.objects.create()
    SolarSchedule.objects.create(event="sunrise", latitude=0, longitude=0)
    ClockedSchedule.objects.create(clocked_time="2026-11-21T06:00Z")
    PeriodicTask.objects.create(name="task", task="task", interval=every_hour)
    AuditEntry.objects.create(
        who="anna", is_person=True, action="scan.started", kind="scan", name="SeqAuto Run 1"
    )
    folder = tmp_path / f"scan_{scan.pk}"
    folder.mkdir()
    (folder / "fastq.tsv").write_text("")
    delivery = delivery_with_files(tmp_path)
    Submission.objects.create(delivery=delivery, conversion=1, project="HAEM", kind="batch")
    hold = Hold.objects.create(delivery=delivery, user_name="anna", reason="A trial")
    Proof.objects.create(delivery=delivery, what=Proof.What.BACKUP, is_good=True)
    Proving.objects.get_or_create(pk=1)
    removal = Removal.objects.create(delivery=delivery, target="source", path=delivery.path, manifest="file")
    DiskReading.objects.create(path="/incoming", total=100, free=50)
    return {
        "scan": scan,
        "run": run,
        "delivery": delivery,
        "clean_up_propose": delivery,
        "clean_up_release": hold,
        "clean_up": removal,
    }


def delivery_with_files(folder: Path) -> Delivery:
    """A delivery whose conversion failed, and which left a log and a manifest."""
    IncomingFolder.objects.create(path="/incoming")
    delivery = add_delivery(DeliveryState.WAITING)
    for name in ("log", "manifest"):
        (folder / name).write_text("")
    fail(delivery, log=str(folder / "log"))
    backup = delivery.steps.get(kind=StepKind.BACK_UP)
    backup.figures["manifest"] = str(folder / "manifest")
    backup.save()
    return delivery


def address_of(name: str, rows) -> str:
    """The address filled in with rows that exist."""
    pattern = dict(addresses())[name]
    values = {
        "pk": next((row.pk for kind, row in rows.items() if name.startswith(kind)), rows["scan"].pk),
        "kind": "convert" if name == "delivery_log" else "appeared",
        "name": "fastq.tsv",
        "pid": 1,
        "app_label": "seqauto",
        "content_type_id": 1,
        "id": 1,
        "object_id": 1,
    }
    for model in admin.site._registry:
        if name.startswith(f"admin:{model._meta.app_label}_{model._meta.model_name}_"):
            values["object_id"] = values["id"] = model._default_manager.order_by("pk").first().pk
    if name == "admin:view_on_site":
        values["content_type_id"] = Permission.objects.get(codename="view_scan").content_type_id
        values["object_id"] = rows["scan"].pk
    keys = pattern.pattern.converters or pattern.pattern.regex.groupindex
    return reverse(name, kwargs={key: values[key] for key in keys})


@contextmanager
def nothing_is_written() -> Iterator[None]:
    """Fails where a row is made, changed or deleted; sessions apart, which keep who is logged in."""
    writes = []

    def watch(execute, sql, params, many, context):
        result = execute(sql, params, many, context)
        verb = sql.split(maxsplit=1)[0].upper()
        touches_rows = verb == "INSERT" or (verb in {"UPDATE", "DELETE"} and context["cursor"].rowcount)
        if touches_rows and "django_session" not in sql:
            writes.append(sql)
        return result

    with connection.execute_wrapper(watch):
        yield
    assert writes == []


def is_refused(response) -> bool:
    """Forbidden, hidden, no such method, or sent to log in."""
    return response.status_code in {403, 404, 405} or "login/?next=" in response.headers.get("Location", "")


@pytest.mark.parametrize("name", NAMES)
def test_promise_48_only_what_is_listed_is_allowed(name, clients, rows):
    rule, address = rule_of(name), address_of(name, rows)
    # Logging out ends a role's session, so POST comes after all that the role does otherwise.
    for method, roles in {"GET": rule.read, "HEAD": rule.read, "POST": rule.post}.items():
        for role, client in clients.items():
            may_write = method == "POST" and role in roles
            data = {"target": "source"} if name == "clean_up_propose" and may_write else {}
            with nullcontext() if may_write else nothing_is_written():
                response = client.post(address, data) if data else client.generic(method, address)
            assert is_refused(response) == (role not in roles), (role, method, response.status_code)
            assert response.status_code < 500


#: Views of Django itself, which answer some methods as if they were others.
DJANGOS_OWN = {name for name in NAMES if name.startswith("admin:")} | {"login", "logout", "password"}


def test_promise_48_no_other_method_writes(clients, rows):
    for name in NAMES:
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
            with nothing_is_written():
                response = clients["superuser"].generic(method, address_of(name, rows))
            if name not in DJANGOS_OWN:
                assert response.status_code == 405, (name, method)


@pytest.mark.parametrize("role", sorted(EVERYONE - {"superuser"}))
def test_promise_48_no_other_method_is_answered_to_anybody(role, clients, rows):
    for name in sorted(set(NAMES) - DJANGOS_OWN):
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
            with nothing_is_written():
                assert is_refused(clients[role].generic(method, address_of(name, rows))), (name, method)


def test_promise_48_nothing_is_posted_without_a_csrf_token(clients, rows):
    for client in clients.values():
        client.handler.enforce_csrf_checks = True
    for name in NAMES:
        for role in ("anonymous", "superuser"):
            with nothing_is_written():
                assert clients[role].post(address_of(name, rows)).status_code == 403, name


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("admin:")])
def test_anonymous_users_see_the_login_form_only(name, clients, rows):
    address = address_of(name, rows)
    response = clients["anonymous"].get(address, follow=True)
    assert response.templates[0].name == "registration/login.html"
    assert rows["run"].name.encode() not in response.content


def test_an_anonymous_user_cannot_tell_which_runs_exist(clients, rows):
    there, absent = (clients["anonymous"].get(f"/runs/{pk}/") for pk in (rows["run"].pk, 999_999))
    assert (there.status_code, there["Location"].replace(str(rows["run"].pk), "999999")) == (
        302,
        absent["Location"],
    )

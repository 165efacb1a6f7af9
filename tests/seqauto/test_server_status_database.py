"""Ending a query by its PID: the one that was seen and no other, by a superuser, for a reason."""

import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from child_processes import wait_until
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, connections
from django.urls import reverse

from seqauto import audit
from seqauto.models import AuditEntry, RunningQuery
from seqauto.server_status_database import QueryProblem, end_query, running_query

#: Within one transaction PostgreSQL would always show the same.
committed = pytest.mark.django_db(transaction=True)

WHY = {"reason": "It holds up the scan"}


@pytest.fixture
def superuser(client) -> User:
    user = User.objects.create_superuser("head_of_lab")
    client.force_login(user)
    return user


class Elsewhere:
    """Another connection to the test's database, and the query that it is at in a thread."""

    def __init__(self) -> None:
        self.connection, self.watcher = connections["default"].copy(), connections["default"].copy()
        self.connection.inc_thread_sharing()
        self.error = ""
        with self.connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (self.pid,) = cursor.fetchone()

    def begin(self, sql: str = "SELECT pg_sleep(60) /* long */, 'a session key'") -> datetime:
        """Returns when it began, by PostgreSQL's clock."""
        self.thread = threading.Thread(target=self._run, args=(sql,))
        self.thread.start()
        return wait_until(lambda: self._began(sql), "the query runs")

    def _began(self, sql: str) -> datetime | None:
        active = "SELECT query_start FROM pg_stat_activity WHERE pid = %s AND state = 'active' AND query = %s"
        with self.watcher.cursor() as cursor:
            cursor.execute(active, [self.pid, sql])
            return (cursor.fetchone() or [None])[0]

    def _run(self, sql: str) -> None:
        try:
            with self.connection.cursor() as cursor:
                cursor.execute(sql)
        except DatabaseError as error:
            self.error = str(error)

    def wait(self) -> str:
        """What the query ended with."""
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.error

    def is_at_work(self) -> bool:
        return self.thread.is_alive()

    def close(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_cancel_backend(%s)", [self.pid])
        self.thread.join(60)
        self.connection.close()
        self.watcher.close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    other = Elsewhere()
    other.thread = threading.Thread(target=lambda: None)
    other.thread.start()
    yield other
    other.close()


def end(client, pid: int, started: datetime | str, **data):
    started = started.isoformat() if isinstance(started, datetime) else started
    address = reverse("server_status_end_query", args=[pid])
    return client.post(address, WHY | {"started": started} | data, follow=True)


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


@committed
@pytest.mark.postgres
def test_a_long_query_is_shown_and_ended_for_a_reason_that_is_kept(client, superuser, elsewhere):
    started = elsewhere.begin()
    wait_until(lambda: str(elsewhere.pid) in text_of(client.get("/status/live/")), "the page shows it")
    shown = text_of(client.get("/status/live/"))
    assert f"SELECT pg_sleep(60) /* long */, &#x27;…&#x27; {elsewhere.pid}" in shown
    link = re.search(r'href="(/status/queries/[^"]+)"', client.get("/status/live/").content.decode())
    asked = client.get(link.group(1).replace("&amp;", "&"))
    assert f"End the query of PID {elsewhere.pid}?" in text_of(asked)
    hidden = re.search(r'name="started" value="([^"]+)"', asked.content.decode()).group(1)
    assert datetime.fromisoformat(hidden) == started
    assert "the query was cancelled" in text_of(end(client, elsewhere.pid, hidden))
    assert "canceling statement due to user request" in elsewhere.wait()
    (entry,) = AuditEntry.objects.all()
    assert (entry.action, entry.kind, entry.key) == ("query.ended", "runningquery", elsewhere.pid)
    assert (entry.who, entry.reason, entry.is_person) == ("head_of_lab", WHY["reason"], True)
    assert entry.before["query"] == "SELECT pg_sleep(60) /* long */, '…'"
    assert (entry.before["state"], entry.after) == ("active", {"state": "cancelled"})


@committed
@pytest.mark.postgres
def test_promise_53_texts_in_sql_never_reach_the_page(client, superuser, elsewhere):
    elsewhere.begin()
    wait_until(lambda: str(elsewhere.pid) in text_of(client.get("/status/")), "the page shows it")
    assert "a session key" not in client.get("/status/").content.decode()


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("UPDATE a SET password = 'pbkdf2$1$x' WHERE id = 5", "UPDATE a SET password = '…' WHERE id = 5"),
        ("SELECT 'it''s', '', 'b'", "SELECT '…', '…', '…'"),
        ("SELECT 'cut in the mid", "SELECT '…'"),
        ("SELECT\n  1,\t2", "SELECT 1, 2"),
        (f"SELECT {'1, ' * 500}", f"SELECT {'1, ' * 97}1, …"),
    ],
)
def test_sql_is_shown_on_one_line_and_without_its_texts(sql, shown):
    assert RunningQuery(query=sql).text.replace(",  …", ", …") == shown


@committed
@pytest.mark.postgres
def test_a_pid_that_is_at_another_query_by_now_is_left_alone(client, superuser, elsewhere):
    seen = elsewhere.begin("SELECT pg_sleep(0.5)")
    elsewhere.wait()
    elsewhere.begin()
    said = text_of(end(client, elsewhere.pid, seen))
    assert f"PID {elsewhere.pid}: It has ended already: nothing was done." in said
    assert elsewhere.is_at_work()
    assert not AuditEntry.objects.exists()
    assert "This query has ended" in text_of(
        client.get(reverse("server_status_query", args=[elsewhere.pid]), {"started": seen.isoformat()})
    )


@committed
@pytest.mark.postgres
def test_a_query_that_has_ended_meanwhile_leaves_no_entry(superuser, elsewhere):
    started = elsewhere.begin("SELECT pg_sleep(0.5)")
    elsewhere.wait()
    with pytest.raises(QueryProblem, match="ended already"):
        end_query(elsewhere.pid, started, superuser, "why")
    assert not AuditEntry.objects.exists()


@committed
@pytest.mark.postgres
def test_a_query_that_gives_way_to_another_while_it_is_ended_is_not_taken_for_it(
    superuser, elsewhere, monkeypatch
):
    """PostgreSQL shows a transaction what ran at its first look, unless asked to look again."""

    def record_late(*args, **kwargs):
        elsewhere.wait()
        elsewhere.begin()
        record(*args, **kwargs)

    record = audit.record
    monkeypatch.setattr(audit, "record", record_late)
    started = elsewhere.begin("SELECT pg_sleep(1)")
    with pytest.raises(QueryProblem, match="ended already"):
        end_query(elsewhere.pid, started, superuser, "why")
    assert elsewhere.is_at_work()
    assert not AuditEntry.objects.exists()


@committed
@pytest.mark.postgres
def test_its_own_connection_and_those_of_other_databases_cannot_be_ended(superuser):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_backend_pid(), query_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        )
        pid, started = cursor.fetchone()
    assert running_query(pid, started) is None
    with pytest.raises(QueryProblem):
        end_query(pid, started, superuser, "why")
    here = RunningQuery.objects.of_others().values_list("datname", flat=True)
    assert set(here) <= {connection.settings_dict["NAME"]}


@committed
@pytest.mark.postgres
def test_a_connection_that_idles_in_its_transaction_is_shown_without_a_button(client, superuser, elsewhere):
    elsewhere.connection.set_autocommit(False)
    with elsewhere.connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    shown = RunningQuery.objects.of_others().taking(timedelta()).filter(pid=elsewhere.pid)
    assert wait_until(shown.first, "it idles").state == "idle in transaction"
    wait_until(lambda: "idle in transaction" in text_of(client.get("/status/")), "the page shows it")
    assert f"/status/queries/{elsewhere.pid}/" not in client.get("/status/").content.decode()
    elsewhere.connection.rollback()


@committed
@pytest.mark.postgres
def test_promise_54_without_its_entry_no_query_is_ended(client, superuser, elsewhere, monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("by the test")

    started = elsewhere.begin()
    monkeypatch.setattr(AuditEntry, "save", broken)
    with pytest.raises(RuntimeError, match="by the test"):
        end(client, elsewhere.pid, started)
    assert elsewhere.is_at_work()


@committed
@pytest.mark.postgres
def test_nobody_else_ends_a_query(client, elsewhere):
    client.force_login(User.objects.create_user("plain", is_staff=True))
    started = elsewhere.begin()
    assert end(client, elsewhere.pid, started).status_code == 403
    assert elsewhere.is_at_work()
    assert not AuditEntry.objects.exists()


@committed
@pytest.mark.postgres
def test_without_a_reason_or_a_moment_nothing_is_ended(client, superuser, elsewhere):
    started = elsewhere.begin()
    for data in ({"reason": ""}, {"reason": "  "}, {"started": "yesterday"}, {"started": ""}):
        assert end(client, elsewhere.pid, **{"started": started} | data).status_code == 200
    assert elsewhere.is_at_work()
    assert not AuditEntry.objects.exists()


@committed
@pytest.mark.postgres
def test_an_account_that_may_not_end_it_is_told_so(superuser, elsewhere):
    started = elsewhere.begin()
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE seqauto_test_reader; GRANT pg_read_all_stats TO seqauto_test_reader")
        cursor.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO seqauto_test_reader")
        cursor.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO seqauto_test_reader")
        cursor.execute("SET ROLE seqauto_test_reader")
        try:
            with pytest.raises(QueryProblem, match="PostgreSQL refused: must be a"):
                end_query(elsewhere.pid, started, superuser, "why")
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY seqauto_test_reader; DROP ROLE seqauto_test_reader")
    assert elsewhere.is_at_work()
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_on_sqlite_there_is_no_query_to_end(client, superuser):
    """On PostgreSQL neither: no connection has this number."""
    assert "It has ended already: nothing was done." in text_of(end(client, 1, "2026-11-21T06:00Z"))
    assert "This query has ended" in text_of(client.get(reverse("server_status_query", args=[1])))
    assert not AuditEntry.objects.exists()

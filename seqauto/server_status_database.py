"""How the database is: size, connections, and on PostgreSQL what runs for long, which a person may end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.contrib.auth.models import AbstractBaseUser
from django.db import DatabaseError, connection, transaction
from django.db.models import BooleanField, F, Func

from . import audit
from .models import RunningQuery

LONG = timedelta(seconds=1)
QUERIES_SHOWN = 20
NEARLY_ALL = 0.9
"""So many of the connections that PostgreSQL allows are a reason to look."""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """Sizes in bytes. `wal` is the file beside SQLite's own; connections and `queries` are PostgreSQL's."""

    engine: str
    version: str
    place: str
    size: int
    wal: int | None = None
    connections: int = 0
    most_connections: int = 0
    queries: Sequence[RunningQuery] = ()

    @property
    def is_short_of_connections(self) -> bool:
        return self.connections > NEARLY_ALL * self.most_connections


def database_state() -> DatabaseState:
    """At most two queries."""
    return _postgresql() if connection.vendor == "postgresql" else _sqlite()


def _sqlite() -> DatabaseState:
    path = Path(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute("SELECT sqlite_version()")
        (version,) = cursor.fetchone()
    return DatabaseState("SQLite", version, str(path), _size(path), _size(Path(f"{path}-wal")))


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):  # a WAL that was folded in
        return os.stat(path).st_size
    return 0


_FIGURES = """
    SELECT current_setting('server_version'), pg_database_size(current_database()),
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
           current_setting('max_connections')::int
"""


def _postgresql() -> DatabaseState:
    with connection.cursor() as cursor:
        cursor.execute(_FIGURES)
        version, size, connections, most = cursor.fetchone()
    config = connection.settings_dict
    return DatabaseState(
        "PostgreSQL",
        version.partition(" ")[0],
        f"{config['NAME']} on {config['HOST'] or 'this machine'}",
        size,
        connections=connections,
        most_connections=most,
        queries=list(RunningQuery.objects.of_others().taking(LONG)[:QUERIES_SHOWN]),
    )


def running_query(pid: int, started: datetime) -> RunningQuery | None:
    """The query that began at that moment, if it still runs; another of the same PID is none."""
    if connection.vendor != "postgresql":
        return None
    return RunningQuery.objects.of_others().begun(pid, started).taking(timedelta()).first()


class QueryProblem(Exception):
    """A query that was not ended; the sentence says why."""


ENDED_ALREADY = "It has ended already: nothing was done."


def end_query(pid: int, started: datetime, user: AbstractBaseUser, reason: str) -> None:
    """Cancel a query of another connection to this database, and say so in the audit; or raise QueryProblem.

    The PID may by now be that of another connection, or of another query: one statement looks whether the
    query that began at that moment still runs, and cancels it.
    """
    with transaction.atomic():
        query = running_query(pid, started)
        if query is None:
            raise QueryProblem(ENDED_ALREADY)
        told = {"state": query.state, "account": query.usename, "query": query.text}
        # First: were the audit to fail, nothing may be cancelled.
        audit.record(
            "query.ended", query, user=user, before=told, after={"state": "cancelled"}, reason=reason
        )
        if not _cancel(pid, started):
            raise QueryProblem(ENDED_ALREADY)


def _cancel(pid: int, started: datetime) -> bool:
    with connection.cursor() as cursor:  # else this transaction goes on seeing what ran at its first look
        cursor.execute("SELECT pg_stat_clear_snapshot()")
    cancel = Func(F("pid"), function="pg_cancel_backend", output_field=BooleanField())
    try:
        return list(RunningQuery.objects.of_others().begun(pid, started).values_list(cancel, flat=True)) == [
            True
        ]
    except DatabaseError as error:
        raise QueryProblem(f"PostgreSQL refused: {str(error).splitlines()[0]}") from error

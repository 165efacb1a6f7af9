"""Processes that work for SeqAuto, and when they last gave a sign of life; what PostgreSQL is at."""

import re
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now


def _since(field: str) -> models.Expression:
    return models.ExpressionWrapper(Now() - F(field), output_field=models.DurationField())


class WorkerKind(models.TextChoices):
    WORKER = "worker", "worker"
    BEAT = "beat", "beat"


class WorkerQuerySet(models.QuerySet["Worker"]):
    def with_silence(self) -> "WorkerQuerySet":
        """Each with `silent_for`, since its last sign, by the clock that wrote it: the database's."""
        return self.annotate(silent_for=_since("beat_at"))


class Worker(models.Model):
    """A process that works for SeqAuto, and what it last told of itself; all times are the database's."""

    Kind = WorkerKind

    name = models.CharField(max_length=255, unique=True, help_text="seqauto_single_worker@host")
    kind = models.CharField(max_length=10, choices=WorkerKind)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField("PID")
    queues = models.JSONField(default=list, help_text="From which it takes its tasks.")
    concurrency = models.PositiveIntegerField(default=0, help_text="How many tasks it does at once.")
    active = models.JSONField(default=list, help_text="Tasks at work: names, and since when (Unix time).")
    reserved = models.PositiveIntegerField(default=0, help_text="Tasks taken from the queue, not yet begun.")
    versions = models.JSONField(default=dict, help_text="Of the software in this process, and of converters.")
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField(help_text="Its last sign of life.")
    stopped_at = models.DateTimeField(null=True, help_text="When it ended as it was asked to.")

    silent_for: timedelta
    """Of `with_silence()`."""

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class RunningQueryQuerySet(models.QuerySet["RunningQuery"]):
    def of_others(self) -> "RunningQueryQuerySet":
        """What other connections to this database are at; queries of other accounts tell no start."""
        own = models.Func(function="pg_backend_pid", output_field=models.IntegerField())
        here = models.Func(function="current_database", output_field=models.TextField())
        mine = Q(pid=own) | Q(query_start=None)
        return self.filter(datname=here, backend_type="client backend").exclude(mine)

    def taking(self, least: timedelta) -> "RunningQueryQuerySet":
        """Those that take so long already, longest first, each with `took`; some idle in a transaction."""
        busy = self.exclude(state="idle").annotate(took=_since("query_start"))
        return busy.filter(took__gte=least).order_by("query_start")

    def begun(self, pid: int, at: datetime) -> "RunningQueryQuerySet":
        """The one query of this PID that began at that moment, while it runs."""
        return self.filter(pid=pid, query_start=at, state="active")


_TEXT = re.compile(r"'(?:[^']|'')*(?:'|$)")  # of SQL; the last may have lost its end with the query's
_CHARACTERS_SHOWN = 300


class RunningQuery(models.Model):
    """A row of PostgreSQL's own view pg_stat_activity: what one connection is at."""

    pid = models.IntegerField("PID", primary_key=True)
    datname = models.TextField()
    usename = models.TextField()
    application_name = models.TextField()
    backend_type = models.TextField()
    state = models.TextField()
    wait_event_type = models.TextField(null=True)  # noqa: DJ001  as PostgreSQL has it
    query_start = models.DateTimeField()
    query = models.TextField()

    took: timedelta
    """Of `taking(…)`."""

    objects = RunningQueryQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "pg_stat_activity"
        default_permissions = ()

    def __str__(self) -> str:
        return f"PID {self.pid}"

    @property
    def can_be_ended(self) -> bool:
        """A connection that idles within its transaction has no query that could be cancelled."""
        return self.state == "active"

    @property
    def waits_for_a_lock(self) -> bool:
        return self.wait_event_type == "Lock"

    @property
    def text(self) -> str:
        """On one line, shortened, and without its texts: a session's key must not stand on a page."""
        line = " ".join(_TEXT.sub("'…'", self.query).split())
        return line if len(line) <= _CHARACTERS_SHOWN else f"{line[:_CHARACTERS_SHOWN]} …"

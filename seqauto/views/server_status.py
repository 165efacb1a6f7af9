"""Server status: whether SeqAuto's own processes work, for those who look after the server.

Nothing here waits for a neighbour: processes write down that they live, disks what is free, and the broker is
asked from a thread, so that the page comes as quickly when all of them are dead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from django_celery_beat.models import PeriodicTask

from seqauto import storage
from seqauto.models import DiskReading, Worker
from seqauto.server_status import FORGOTTEN_AFTER, WorkerState, expected_processes, worker_states
from seqauto.server_status_asking import Answer, Asked
from seqauto.server_status_database import QueryProblem, database_state, end_query, running_query
from seqauto.server_status_errors import last_errors
from seqauto.server_status_versions import SOFTWARE
from seqauto.tasks import broker
from seqauto.tasks.schedule import next_scheduled_at
from seqauto.templatetags.looks import State, duration

from . import PageRequest
from .storage import STALE

WAIT_SECONDS = 0.1
"""A broker that is well answers within milliseconds."""

View = Callable[..., HttpResponse]


def superusers_only(view: View) -> View:
    @wraps(view)
    def guarded(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.is_superuser:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@superusers_only
def server_status(request: HttpRequest) -> HttpResponse:
    context = {
        "disks": [_disk(reading) for reading in storage.latest_readings()],
        "errors": last_errors(),
        "versions": SOFTWARE,
        "software": _software(),
        "switches": _switches(),
    }
    return render(request, "status/page.html", context | _live_part())


@require_safe
@superusers_only
def server_status_live(request: HttpRequest) -> HttpResponse:
    return render(request, "status/live.html", _live_part())


# --- What changes while one looks ----------------------------------------------------------------------


def _expected_queues() -> list[str]:
    return [one.queue for one in expected_processes() if one.queue]


_queue_lengths = Asked(lambda: broker.queue_lengths(_expected_queues()), every_seconds=5)
_answering_workers = Asked(broker.answering_workers, every_seconds=9)


def _live_part() -> dict[str, Any]:
    lengths, answers = _queue_lengths.latest(WAIT_SECONDS), _answering_workers.latest()
    states = worker_states(answers.value)
    asked, now = _broker(lengths), timezone.now()
    return {
        "headline": _headline(states, asked),
        "processes": [_process(state, lengths, answers) for state in states],
        "broker": asked,
        "beat": next((state for state in states if state.is_beat), None),
        "next_scan": next_scheduled_at(now),
        "entries": _entries(),
        "database": database_state(),
        "looked_at": now,
        "seconds": 2 if lengths.is_awaited or answers.is_awaited else 10,
    }


@dataclass(frozen=True, slots=True)
class Process:
    """A row of the page: a process, and how many tasks wait for it; None where nobody could be asked."""

    state: WorkerState
    waiting: int | None
    remark: str


def _process(
    state: WorkerState, lengths: Answer[dict[str, int]], answers: Answer[dict[str, list[str]]]
) -> Process:
    waiting = lengths.value or {}
    known = [waiting[queue] for queue in state.queues if queue in waiting]
    is_mute = answers.value is not None and state.name not in answers.value and not state.is_beat
    was_asked = state.word == "alive" and answers.at and state.since and state.since < answers.at
    remark = "did not answer through the broker within a second" if is_mute and was_asked else ""
    return Process(state, sum(known) + state.reserved if known else None, remark)


@dataclass(frozen=True, slots=True)
class Broker:
    """What the page tells of the broker."""

    address: str
    state: State
    lengths: dict[str, int]
    todo: str = ""
    commands: tuple[str, ...] = ()

    @property
    def is_well(self) -> bool:
        return self.state.look != "bad"


#: By the first letters of its address.
SERVERS = {"redis": "redis-server", "sentinel": "redis-server", "amqp": "rabbitmq-server"}


def _broker(lengths: Answer[dict[str, int]]) -> Broker:
    address = broker.address()
    if lengths.value is not None:
        return Broker(address, State("answers", "ok"), lengths.value)
    if lengths.is_awaited:
        return Broker(address, State("is being asked", "wait"), {})
    said = f"It could not be asked: {broker.without_password(lengths.problem)}."
    meaning = "What is at work goes on, but nothing new begins until it answers. See how it is."
    server = next((name for scheme, name in SERVERS.items() if address.startswith(scheme)), "")
    commands = (f"systemctl status {server}",) if server else ()
    return Broker(address, State("could not be asked", "bad"), {}, f"{said} {meaning}", commands)


def _headline(states: Sequence[WorkerState], asked: Broker) -> State:
    """The answer of the page, in one line."""
    looks = [state.look for state in states if state.needs_a_person]
    looks += [] if asked.is_well else ["bad"]
    wrong = [_in_need(states)] if any(state.needs_a_person for state in states) else []
    wrong += [] if asked.is_well else ["the broker could not be asked"]
    if not wrong:
        return State(f"Every process works: {len(states)} of {len(states)}.", "ok")
    said = ", and ".join(wrong)
    return State(f"{said[0].upper()}{said[1:]}.", "bad" if "bad" in looks else "warn")


def _in_need(states: Sequence[WorkerState]) -> str:
    count = sum(state.needs_a_person for state in states)
    return f"{count} of {len(states)} processes {'needs' if count == 1 else 'need'} a person"


@dataclass(frozen=True, slots=True)
class Entry:
    """What beat sends, when, and when it last did; beat writes that down every few minutes."""

    name: str
    when: str
    last: datetime | None


def _entries() -> list[Entry]:
    entries = PeriodicTask.objects.filter(enabled=True).exclude(task="celery.backend_cleanup")
    entries = entries.select_related("interval", "crontab", "solar", "clocked").order_by("name")
    return [Entry(one.name, _when(one), one.last_run_at) for one in entries]


def _when(entry: PeriodicTask) -> str:
    if entry.interval:
        return f"every {duration(entry.interval.schedule.run_every)}"
    at = entry.crontab
    if at is None:
        return str(entry.scheduler)
    is_daily = {at.day_of_week, at.day_of_month, at.month_of_year} == {"*"}
    if is_daily and at.hour.isdecimal() and at.minute.isdecimal():
        return f"daily at {at.hour:0>2}:{at.minute:0>2} {at.timezone}"
    return str(at.human_readable)


# --- What changes rarely -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Disk:
    reading: DiskReading
    state: State


NOT_READ = "See whether it is mounted, and the worker of deliveries is alive: it reads the disks."
LOW = "See under Safe to delete what may go, or move away what SeqAuto does not know."


def _disk(reading: DiskReading) -> Disk:
    low = storage.low_space(reading, settings.SEQAUTO_LOW_SPACE_PERCENT, settings.SEQAUTO_LOW_SPACE_GB)
    if timezone.now() - reading.at > STALE:
        return Disk(reading, State("not read", "warn", f"{NOT_READ} {low}".strip()))
    return Disk(reading, State("low", "warn", f"{low} {LOW}") if low else State("ok", "ok"))


@dataclass(frozen=True, slots=True)
class Software:
    """A process, beside this site, and what it told of its software when it last gave a sign of life."""

    name: str
    seqauto: str
    converter: str

    @property
    def is_other(self) -> bool:
        """After an upgrade one of the two was not started anew."""
        return self.seqauto != SOFTWARE["SeqAuto"]


def _software() -> list[Software]:
    rows = Worker.objects.filter(stopped_at=None).with_silence()
    told = ((row.name, row.versions) for row in rows if row.silent_for < FORGOTTEN_AFTER)
    return [Software(name, one.get("SeqAuto", "unknown"), one.get("Converter", "")) for name, one in told]


@dataclass(frozen=True, slots=True)
class Switch:
    """A setting that decides what SeqAuto does at all, and what it means as it stands."""

    name: str
    state: State
    meaning: str
    values: Sequence[str] = ()


def _switches() -> list[Switch]:
    """None of them is a secret."""
    return [
        _switch("SEQAUTO_ENABLED", "Disk scans by button, schedule and command."),
        _switch("UPLOAD_ENABLED", "This server takes in data."),
        _switch("SEQAUTO_SCAN_DISKS", "Scheduled disk scans; they need the two above."),
        _switch("SEQAUTO_SCRIPTS_AND_JOBS_ENABLED", "The last stage of a scan."),
        _named("SEQAUTO_SCAN_ROOTS", "The archive disks that scans read."),
        _named("SEQAUTO_INCOMING_DIRS", "The disks that deliveries watch; without one nothing is delivered."),
        _named("SEQAUTO_S3_FASTQ_BUCKET", "Where FASTQs are uploaded to."),
        _switch("SEQAUTO_CLEAN_UP_ENABLED", "Clean-up by itself, once an hour."),
        _switch("SEQAUTO_CLEAN_UP_APPROVAL", "A second person approves what is removed."),
        _named("TIME_ZONE", "Of every time shown, and of the scheduled scans."),
    ]


def _switch(name: str, meaning: str) -> Switch:
    is_on = bool(getattr(settings, name))
    return Switch(name, State("on", "ok") if is_on else State("off", "idle"), meaning)


def _named(name: str, meaning: str) -> Switch:
    value = getattr(settings, name)
    names = [str(one) for one in value] if isinstance(value, list) else [value] if value else []
    return Switch(name, State("named" if names else "none named", "ok" if names else "idle"), meaning, names)


# --- A query of PostgreSQL that somebody wants to end --------------------------------------------------


class QueryForm(forms.Form):
    """Names a query of a PID by the moment at which it began."""

    started = forms.DateTimeField()


class EndForm(QueryForm):
    reason = forms.CharField(max_length=500, error_messages={"required": "Say why: it is kept."})


@require_safe
@superusers_only
def server_status_query(request: HttpRequest, pid: int) -> HttpResponse:
    """One query, to be looked at before it is ended."""
    form = QueryForm(request.GET)
    query = running_query(pid, form.cleaned_data["started"]) if form.is_valid() else None
    return render(request, "status/query.html", {"pid": pid, "query": query})


@require_POST
@superusers_only
def server_status_end_query(request: PageRequest, pid: int) -> HttpResponse:
    form = EndForm(request.POST)
    if not form.is_valid():
        messages.error(request, str(next(iter(form.errors.values()))[0]))
        return redirect("server_status")
    try:
        end_query(pid, form.cleaned_data["started"], request.user, form.cleaned_data["reason"])
    except QueryProblem as problem:
        messages.warning(request, f"PID {pid}: {problem}")
    else:
        messages.success(
            request, f"PID {pid}: the query was cancelled. What had begun it may begin it again."
        )
    return redirect("server_status")

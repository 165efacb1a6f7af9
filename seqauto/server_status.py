"""How SeqAuto itself is: which processes the settings ask for, and which of them gave a sign of life.

All is told from what the processes wrote of themselves: no broker is asked, so no page waits for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings

from .models import Worker
from .models.workers import WorkerKind

ALIVE_WITHIN = timedelta(minutes=1)
SILENT_AFTER = timedelta(minutes=3)
"""In between it may be starting anew, or its machine busy."""
FORGOTTEN_AFTER = timedelta(days=1)
"""A silent process whose work another does is told so long: its machine may be gone for good."""

Answers = Mapping[str, Sequence[str]]
"""The queues of each worker, by its name, that answered through the broker."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A process that the settings ask for: whoever takes tasks from `queue`; beat takes from none."""

    name: str
    does: str
    queue: str
    unit: str


@dataclass(frozen=True, slots=True)
class Task:
    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class WorkerState:
    """How a process is: `word` is alive, silent, stopped, unknown, not started or answering.

    `look` is ok, warn, bad or idle; `since` is when it started, fell silent or stopped, None where nobody
    knows. What to do, and by which `commands`, stands where it is neither ok nor idle.
    """

    name: str
    does: str
    look: str
    word: str
    since: datetime | None = None
    todo: str = ""
    commands: tuple[str, ...] = ()
    host: str = ""
    concurrency: int = 0
    active: tuple[Task, ...] = ()
    reserved: int = 0
    queues: tuple[str, ...] = ()
    beat_at: datetime | None = None

    @property
    def needs_a_person(self) -> bool:
        return self.look in ("warn", "bad")

    @property
    def is_beat(self) -> bool:
        return not self.queues


def expected_processes() -> list[Expected]:
    """Scans where they are switched on, deliveries where instruments' disks are named, beat for both."""
    scans, deliveries = settings.SEQAUTO_ENABLED, bool(settings.SEQAUTO_INCOMING_DIRS)
    wanted = []
    if scans:
        queue = settings.SEQAUTO_QUEUE
        wanted.append(Expected(queue, "Disk scans", queue, "seqauto-worker"))
    if deliveries:
        queue = settings.SEQAUTO_DELIVERY_QUEUE
        wanted.append(Expected(queue, "Deliveries, proofs, clean-up", queue, "seqauto-delivery"))
    if scans or deliveries:
        wanted.append(Expected("beat", "Starts what is due", "", "seqauto-beat"))
    return wanted


def worker_states(answers: Answers | None = None) -> list[WorkerState]:
    """How each process is that the settings expect, and each further one that works. One query.

    `answers` is None where the workers could not be asked through the broker.
    """
    rows = list(Worker.objects.with_silence())
    expected = expected_processes()
    states = [state for one in expected for state in _states_of(one, rows, answers)]
    others = (row for row in rows if not any(_does(row, one) for one in expected))
    return states + [_further(row) for row in others if _is_alive(row)]


def _does(row: Worker, one: Expected) -> bool:
    return one.queue in row.queues if one.queue else row.kind == WorkerKind.BEAT


def _is_alive(row: Worker) -> bool:
    return row.stopped_at is None and row.silent_for < ALIVE_WITHIN


def _states_of(one: Expected, rows: Iterable[Worker], answers: Answers | None) -> list[WorkerState]:
    mine = [row for row in rows if _does(row, one)]
    alive = [row for row in mine if _is_alive(row)]
    if not mine:
        return [_without_row(one, answers)]
    if not alive:
        return [_gone(one, max(mine, key=lambda row: row.beat_at), answers)]
    silent = [row for row in mine if row not in alive and row.stopped_at is None]
    lately = [row for row in silent if row.silent_for < FORGOTTEN_AFTER]
    return [_alive(one, row) for row in alive] + [_replaced(one, row) for row in lately]


def _alive(one: Expected, row: Worker) -> WorkerState:
    return _state(one, row, "ok", "alive", row.started_at)


def _further(row: Worker) -> WorkerState:
    """The settings do not ask for it: deliveries were switched off, or it is a worker of the lab's own."""
    return _state(Expected(row.name, "Not expected", "", ""), row, "ok", "alive", row.started_at)


def _gone(one: Expected, row: Worker, answers: Answers | None) -> WorkerState:
    look = "bad" if row.silent_for >= SILENT_AFTER else "warn"
    if row.stopped_at:
        todo = f"It was asked to stop. Start it again{_on(row)}."
        return _state(one, row, look, "stopped", row.stopped_at, todo, _to_start(one))
    if answers is not None and row.name in answers:
        todo = f"It answers through the broker, but does not reach the database: its log{_on(row)} says why."
        return _state(one, row, "warn", "silent", row.beat_at, todo, (f"journalctl -u {one.unit}",))
    if look == "warn":
        todo = "It may be starting anew; wait a minute or two."
        return _state(one, row, look, "silent", row.beat_at, todo)
    todo = f"See how it is{_on(row)}, and start it again."
    return _state(one, row, look, "silent", row.beat_at, todo, _to_look(one))


def _replaced(one: Expected, row: Worker) -> WorkerState:
    todo = (
        f"Another does its work. If it should run too, see how it is{_on(row)}; else this line goes in a day."
    )
    return _state(one, row, "warn", "silent", row.beat_at, todo, _to_look(one))


def _without_row(one: Expected, answers: Answers | None) -> WorkerState:
    """Nobody ever wrote a sign of life; only the workers' silence through a broker that works tells more."""
    queues: tuple[str, ...] = (one.queue,) if one.queue else ()
    commands: tuple[str, ...]
    if any(one.queue in served for served in (answers or {}).values()):
        look, word, commands = "warn", "answering", (f"journalctl -u {one.unit}",)
        todo = "It answers through the broker, but has written no sign of life: its log says why."
    else:
        is_known = bool(answers is not None and one.queue)
        look, word = ("bad", "not started") if is_known else ("warn", "unknown")
        todo, commands = (
            "It has not yet written a sign of life. Start it, if that was not done.",
            _to_start(one),
        )
    return WorkerState(one.name, one.does, look, word, todo=todo, commands=commands, queues=queues)


def _on(row: Worker) -> str:
    return f" on {row.host}"


def _to_start(one: Expected) -> tuple[str, ...]:
    return (f"systemctl start {one.unit}",)


def _to_look(one: Expected) -> tuple[str, ...]:
    return (f"systemctl status {one.unit}", f"systemctl restart {one.unit}")


def _state(
    one: Expected,
    row: Worker,
    look: str,
    word: str,
    since: datetime,
    todo: str = "",
    commands: tuple[str, ...] = (),
) -> WorkerState:
    """What a silent process was at when it fell silent is not told: nobody knows whether it still is."""
    is_alive = word == "alive"
    return WorkerState(
        name=row.name,
        does=one.does,
        look=look,
        word=word,
        since=since,
        todo=todo,
        commands=commands,
        host=row.host,
        concurrency=row.concurrency,
        active=tuple(Task(name, datetime.fromtimestamp(at, UTC)) for name, at in row.active if is_alive),
        reserved=row.reserved if is_alive else 0,
        queues=tuple(row.queues),
        beat_at=row.beat_at,
    )

"""When what happened to a run, from its first byte to its last FASTQ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from django.db.models import Max, Min

from seqauto.models import DeliveryStep, SequencingRun
from seqauto.models.clean_up import RemovalState
from seqauto.models.deliveries import StepKind, StepState
from seqauto.models.samples import DataState
from seqauto.templatetags import looks

from .run_way import WORDS, Way, figure_of, progress_of


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened; `after` is the time since what happened before it."""

    at: datetime
    look: str
    word: str
    detail: str = ""
    address: str = ""
    after: timedelta | None = None

    @property
    def state(self) -> looks.State:
        return looks.State(self.word, self.look)


@dataclass(frozen=True, slots=True)
class Timeline:
    moments: list[Moment]
    first_byte: datetime | None
    """When its folder was first seen on the incoming disk."""
    last_fastq: datetime | None

    @property
    def took(self) -> timedelta | None:
        first, last = self.first_byte, self.last_fastq
        return last - first if first and last and last >= first else None


def timeline_of(way: Way) -> Timeline:
    first, last = _fastq_times(way.run)
    told = [*_of_delivery(way), *_of_fastqs(first, last), *_of_scans(way.run)]
    moments = sorted(told, key=lambda moment: moment.at)
    spaced = [replace(one, after=one.at - before.at) for before, one in pairwise(moments)]
    return Timeline([*moments[:1], *spaced], way.delivery.found_at if way.delivery else None, last)


def _fastq_times(run: SequencingRun) -> tuple[datetime | None, datetime | None]:
    """Times that the FASTQs on the archive say of themselves, of the first and of the last."""
    there = run.files.filter(file_type="fastq", data_state=DataState.COMPLETE)
    times = there.aggregate(first=Min("mtime_ns"), last=Max("mtime_ns"))
    return time_of(times["first"]), time_of(times["last"])


def time_of(nanoseconds: int | None) -> datetime | None:
    """A file's time; None where it says none, or one that no calendar has."""
    if nanoseconds is None:
        return None
    try:
        return datetime.fromtimestamp(nanoseconds // 10**9, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _of_delivery(way: Way) -> Iterator[Moment]:
    delivery = way.delivery
    if delivery is None:
        return
    address = delivery.get_absolute_url()
    yield Moment(delivery.found_at, "ok", "Folder first seen on the incoming disk", delivery.path)
    if delivery.complete_at:
        yield Moment(delivery.complete_at, "ok", "Sequenced", "All markers of its instrument were there.")
    for step in way.steps.values():
        yield from _of_step(step, f"{address}#{step.kind}")
    if delivery.delivered_at:
        yield Moment(delivery.delivered_at, "ok", "Delivered", address=address)
    if way.removal and way.removal.ended_at and way.removal.state == RemovalState.REMOVED:
        yield Moment(way.removal.ended_at, "ok", "Run folder removed from the incoming disk")


def _of_step(step: DeliveryStep, address: str) -> Iterator[Moment]:
    """Where it began; one that settles began when the folder did, so its end tells more."""
    if step.kind == StepKind.SETTLE:
        if step.state == StepState.DONE and step.ended_at:
            yield Moment(step.ended_at, "ok", "Settled", "Two listings in a row were equal.", address)
        return
    if step.started_at is None or step.state not in (StepState.DONE, StepState.RUNNING, StepState.FAILED):
        return
    to_come, at_work, done = WORDS[StepKind(step.kind)]
    if step.state == StepState.DONE:
        yield Moment(step.started_at, "ok", done, figure_of(step), address)
    elif step.state == StepState.RUNNING:
        yield Moment(step.started_at, "run", at_work, progress_of(step), address)
    else:
        yield Moment(step.ended_at or step.started_at, "bad", f"{to_come} failed", step.error, address)


def _of_fastqs(first: datetime | None, last: datetime | None) -> Iterator[Moment]:
    told = "By the time that the file itself says."
    if first:
        yield Moment(first, "ok", "First FASTQ written" if first != last else "FASTQs written", told)
    if last and last != first:
        yield Moment(last, "ok", "Last FASTQ written", told)


def _of_scans(run: SequencingRun) -> Iterator[Moment]:
    scan = run.first_scan
    address = scan.get_absolute_url() if scan else ""
    yield Moment(run.created_at, "ok", "First seen on the archive", str(scan) if scan else "", address)

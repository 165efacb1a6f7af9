"""What the page Today tells of runs, as scans know them: which need a person, which came last, how many came.

As many queries for ten runs as for ten thousand, and none that PostgreSQL takes for a long one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from django.db.models import (
    Case,
    Count,
    Exists,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce, JSONObject, TruncDate
from django.utils import timezone

from . import needs
from .models import (
    Delivery,
    Experiment,
    Message,
    SampleSheet,
    Sequencer,
    SequencingFile,
    SequencingRun,
)
from .models.deliveries import DeliveryState
from .models.runs import RunState
from .models.samples import IS_MISSING, DataState
from .models.scans import Severity
from .today import IN_NEED_SHOWN, NEWS, RUNS_SHOWN, Deliveries, begin_of_news, has_ended, short_lists

MOST_LOOKED_THROUGH = 500
"""Of runs in trouble, those that were recorded last."""

TROUBLED = (RunState.INCOMPLETE, RunState.ERROR, RunState.DELETED)
UNDER_WAY = tuple(state for state in DeliveryState if state not in needs.ENDED)


class RunFacts(TypedDict):
    """What a query says of a run beside its own fields; texts in `message` and `missing` are as stored."""

    day: date
    experiment_name: str | None
    model: str | None
    serial: str | None
    has_sheet_errors: bool
    message: dict[str, str] | None
    missing: dict[str, Any] | None


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    ToldRun = WithAnnotations[SequencingRun, RunFacts]


@dataclass(frozen=True, slots=True)
class Runs:
    """`troubled` and `latest` are the first few, the newest first; `counts` are of all."""

    troubled: list[ToldRun]
    latest: list[ToldRun]
    counts: dict[str, int]
    older_than: datetime


def runs(now: datetime) -> Runs:
    since = now - NEWS
    keys, counts = _figures(since, now)
    visible = _newest_first(SequencingRun.objects.visible(), now)
    troubled = visible.filter(pk__in=sorted(keys)[-MOST_LOOKED_THROUGH:])
    latest = visible.exclude(state=RunState.NOT_SCANNED)
    lists = short_lists(_told(visible), troubled[:IN_NEED_SHOWN], latest[:RUNS_SHOWN])
    for one in lists:
        one.sort(key=lambda run: (run.day, run.name), reverse=True)
    return Runs(lists[0], lists[1], {"troubled": len(keys)} | counts, older_than=since)


def _newest_first(rows: QuerySet[SequencingRun], now: datetime) -> QuerySet[Any]:
    """By the day they started; a day that nobody can believe counts as none, as where a clock is wrong."""
    day = Case(When(date__lte=_tomorrow(now), then=F("date")), default=TruncDate("created_at"))
    return rows.annotate(day=day).order_by("-day", "-name")


def _tomorrow(now: datetime) -> date:
    return timezone.localtime(now).date() + timedelta(days=1)


#: Apart from one another, for each is found by an index.
_BROKEN = Q(state__in=TROUBLED)


def _wrong() -> Q:
    """An error is open of a run that is as it should be."""
    said = _worth_saying().filter(severity=Severity.ERROR)
    return Q(pk__in=said.values("run")) & ~_BROKEN


def _can_be_mended() -> Q:
    """Neither flagged as bad or legacy, nor still on its way here."""
    on_its_way = Delivery.objects.filter(state__in=UNDER_WAY).exclude(identity=None).values("identity")
    is_being_made = Q(state=RunState.INCOMPLETE, identity__in=on_its_way)
    return Q(is_bad=False, is_legacy=False) & ~is_being_made


def _is_news(since: datetime) -> Q:
    """Runs of the last days, and earlier ones of which something new was said since they are known."""
    day, tomorrow = timezone.localtime(since).date(), _tomorrow(since + NEWS)
    said = _worth_saying().filter(opened_at__gte=since, run__created_at__lt=since).values("run")
    undated = Q(date=None) | Q(date__gt=tomorrow)
    return Q(date__range=(day, tomorrow)) | (undated & Q(created_at__gte=since)) | Q(pk__in=said)


def _told(rows: QuerySet[Any]) -> QuerySet[Any]:
    """With what a person should know of each: its names, its worst message, whose FASTQs are missing."""
    experiments = Experiment.objects.filter(pk=OuterRef("experiment"))
    sequencers = Sequencer.objects.filter(pk=OuterRef("sequencer"))
    told = JSONObject(text="text", remedy="remedy", place="place", severity="severity")
    said = _worth_saying().filter(run=OuterRef("pk"))
    worst = said.order_by("severity", "pk").values(told=told)  # "error" comes before "warning"
    unusable = SampleSheet.objects.filter(run=OuterRef("pk"), is_current=True, is_usable=False)
    shown = rows.only("name", "identity", "date", "state", "state_reason", "files_expected", "files_found")
    return shown.annotate(
        experiment_name=Subquery(experiments.values("name")),  # a join would look through all runs on SQLite
        model=Subquery(sequencers.values("model")),
        serial=Subquery(sequencers.values("serial")),
        message=Subquery(worst[:1]),
        missing=Subquery(_missing()),
        has_sheet_errors=Exists(unusable),
    )


def _worth_saying() -> QuerySet[Message]:
    """What is open of runs and more than information."""
    return Message.objects.open().filter(severity__in=(Severity.ERROR, Severity.WARNING)).exclude(run=None)


def _missing() -> QuerySet[SequencingFile, Any]:
    gone = Q(data_state=DataState.DELETED)
    files = SequencingFile.objects.filter(IS_MISSING, run=OuterRef("pk"))
    told = JSONObject(
        files=Count("pk"),
        gone=Count("pk", filter=gone),
        samples=Count("sample", distinct=True),
        first=Min("sample__sample_id"),
        last=Max("sample__sample_id"),
        first_read=Min("read"),
        last_read=Max("read"),
    )
    return files.order_by().values("run").annotate(told=told).values("told")


def _figures(since: datetime, now: datetime) -> tuple[list[int], dict[str, int]]:
    """The keys of runs that somebody should mend now; how many there are of other kinds, with their samples.

    One query of parts, each of which goes by an index of its own.
    """
    day, visible = timezone.localtime(since).date(), SequencingRun.objects.visible().order_by()
    delivered = Delivery.objects.exclude(identity=None)
    to_mend = visible.filter(_can_be_mended() & _is_news(since))
    # An archive that is scanned for the first time brings old runs too.
    new = visible.filter(Q(date__gte=day) | Q(date=None), created_at__gte=begin_of_news(now))
    counted = {
        "older": visible.filter(_BROKEN, date__lt=day),
        "found": new.exclude(identity__in=delivered.values("identity")),
        "known": visible.filter(identity__in=delivered.filter(has_ended(now)).values("identity")),
    }
    parts = [_keys(to_mend.filter(_BROKEN)), _keys(to_mend.filter(_wrong()))]
    parts += [_counted(kind, rows) for kind, rows in counted.items()]
    figures = list(parts[0].union(*parts[1:], all=True))
    counts = {kind: number for kind, number, _samples in figures if kind != "key"}
    samples = sum(samples for kind, _number, samples in figures if kind in ("found", "known"))
    return [key for kind, key, _samples in figures if kind == "key"], counts | {"samples": samples}


_FIGURE = ("kind", "number", "of_samples")


def _keys(rows: QuerySet[SequencingRun]) -> QuerySet[Any, Any]:
    return rows.annotate(kind=Value("key"), number=F("pk"), of_samples=Value(0)).values_list(*_FIGURE)


def _counted(kind: str, rows: QuerySet[SequencingRun]) -> QuerySet[Any, Any]:
    counted = rows.values(kind=Value(kind)).annotate(number=Count("pk"))
    return counted.annotate(of_samples=Coalesce(Sum("sample_count"), 0)).values_list(*_FIGURE)


# --- What came -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Runs that instruments ended, and those the archive got otherwise, since the begin of the news."""

    ended: int
    found: int
    samples: int
    unknown: int
    """Of so many runs nobody knows the samples yet."""

    @property
    def runs(self) -> int:
        return self.ended + self.found


def arrivals(runs: Runs, deliveries: Deliveries) -> Arrivals:
    ended = deliveries.counts["ended"]
    return Arrivals(
        ended=ended,
        found=runs.counts["found"],
        samples=runs.counts["samples"],
        unknown=ended - runs.counts["known"],
    )

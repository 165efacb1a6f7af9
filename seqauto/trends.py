"""What happened over weeks and months: the figures of the page Trends. Reads only.

Each function gives one chart as plain values, so that the page can draw it and also write it down as a table.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from statistics import median
from typing import Any

from django.db.models import Count, F, FloatField, Func, Q, Sum, TextField
from django.db.models.functions import Cast, Coalesce, Substr
from django.utils import timezone

from . import storage
from .models import Delivery, DeliveryStep, Scan, SequencingRun
from .models.deliveries import StepKind, StepState
from .models.runs import RunState
from .models.scans import ScanStatus

MONTHS = 24
SCANS = 60
WEEKS = 26
DELIVERIES_WEIGHED = 400
"""Of many deliveries so many, spread evenly, tell the medians of half a year well enough."""
KINDS_SHOWN = 7
DAYS_AHEAD = 90
OTHERS = "others"
HOUR = timedelta(hours=1)

Values = list[float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of a chart. A line has an axis of its own on the right where its unit is another one."""

    name: str
    values: Values
    unit: str
    is_line: bool = False
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Values over time, oldest first: `labels` name the columns of every series."""

    key: str
    title: str
    first_column: str
    labels: list[str]
    series: list[Series]

    @property
    def data_id(self) -> str:
        return f"{self.key}-data"

    @property
    def rows(self) -> list[tuple[str, Values]]:
        """The chart as a table, newest first."""
        columns = [one.values for one in self.series]
        table = [
            (label, list(values))
            for label, *values in zip(self.labels, *columns, strict=True)
            if any(value is not None for value in values)
        ]
        return table[::-1]


# --- Scans ---------------------------------------------------------------------------------------------


def scans() -> Chart:
    """How long the last scans took, stage by stage in seconds, and how many files they saw."""
    finished = Scan.objects.filter(status=ScanStatus.FINISHED).newest_first()
    shown = list(finished.defer("traceback", "error", "files_by_state", "options")[:SCANS])[::-1]
    stages = dict.fromkeys(stage for scan in shown for stage in scan.stage_times)
    took: list[Series] = [
        Series(stage, [_seconds(scan.stage_times.get(stage)) for scan in shown], "s") for stage in stages
    ]
    files: Values = [scan.files_seen for scan in shown]
    return Chart(
        "scans",
        "Scans",
        "Scan",
        [f"{scan.pk} · {timezone.localtime(scan.created_at):%d %b %H:%M}" for scan in shown],
        [*took, Series("Files", files, "files", is_line=True)] if shown else [],
    )


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 1)


# --- Runs and samples ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MonthOfKind:
    """The runs of one month, kit and instrument model, counted."""

    month: date
    kit: str
    model: str
    runs: int
    samples: int
    found: int
    expected: int


def runs_by_month(today: date) -> list[MonthOfKind]:
    """The runs of the last two years that are not hidden, counted by the database."""
    runs = SequencingRun.objects.visible().filter(date__gte=months_up_to(today)[0], date__lte=today)
    # SQLite asks Python for TruncMonth, row by row.
    month = Substr(Cast("date", TextField()), 1, len("2026-11"))
    kinds = runs.order_by().values_list(month, "group", "sequencer__model")
    ended = ~Q(state=RunState.RUNNING)  # of a run that is still made nothing is missing yet
    counted = kinds.annotate(
        Count("pk"),
        Sum("sample_count"),
        found=Coalesce(Sum("files_found", filter=ended), 0),
        expected=Coalesce(Sum("files_expected", filter=ended), 0),
    )
    return [
        MonthOfKind(date.fromisoformat(f"{month}-01"), kit or "no kit", model or "unknown model", *counts)
        for month, kit, model, *counts in counted
    ]


def months_up_to(today: date) -> list[date]:
    """The first days of the last months, oldest first."""
    this = today.year * 12 + today.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(this - MONTHS + 1, this + 1)]


def runs(months: Sequence[MonthOfKind], today: date, kind: str, what: str) -> Chart:
    """`what` ("runs" or "samples") a month, by `kind` ("kit" or "model")."""
    return Chart(
        f"{what}_by_{kind}",
        f"{what.capitalize()} a month",
        "Month",
        [f"{month:%b %Y}" for month in months_up_to(today)],
        _by_kind(
            months, months_up_to(today), lambda row: getattr(row, kind), lambda row: getattr(row, what), what
        ),
    )


def _by_kind(
    rows: Sequence[MonthOfKind],
    months: Sequence[date],
    kind_of: Callable[[MonthOfKind], str],
    count_of: Callable[[MonthOfKind], int],
    unit: str,
) -> list[Series]:
    """A series for each of the most frequent kinds, and one for all others."""
    total: Counter[str] = Counter()  # of runs, so that runs and samples are drawn in the same colours
    counts: defaultdict[str, Counter[date]] = defaultdict(Counter)
    for row in rows:
        total[kind_of(row)] += row.runs
    shown = [kind for kind, _count in total.most_common(KINDS_SHOWN)]
    for row in rows:
        counts[kind_of(row) if kind_of(row) in shown else OTHERS][row.month] += count_of(row)
    names = [*shown, OTHERS] if OTHERS in counts else shown
    return [Series(name, [counts[name][month] for month in months], unit) for name in names]


def completeness(months: Sequence[MonthOfKind], today: date) -> Chart:
    """Of the FASTQs that each month's runs should have: how many are there, in percent, and how many not."""
    found: Counter[date] = Counter()
    expected: Counter[date] = Counter()
    for row in months:
        found[row.month] += row.found
        expected[row.month] += row.expected
    shown = months_up_to(today)
    shares: Values = [
        round(100 * found[month] / expected[month], 2) if expected[month] else None for month in shown
    ]
    missing: Values = [expected[month] - found[month] if expected[month] else None for month in shown]
    return Chart(
        "completeness",
        "Completeness",
        "Runs of",
        [f"{month:%b %Y}" for month in shown],
        [Series("Missing", missing, "FASTQs"), Series("Found", shares, "%", is_line=True)] if months else [],
    )


# --- Disks ---------------------------------------------------------------------------------------------


def disks(now: datetime) -> Chart:
    """How full each disk was on each of the last days, and how full it becomes at this pace, in percent."""
    histories = storage.histories(now)
    full_on = {path: storage.forecast(readings, now) for path, readings in histories.items()}
    today = timezone.localdate(now)
    first = min((_day(readings[0]) for readings in histories.values()), default=today)
    last = max((_end(day, today) for day in full_on.values() if day), default=today)
    days = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    series = []
    for path, readings in sorted(histories.items()):
        used = {_day(one): _used(one) for one in readings}
        series.append(Series(path, [used.get(day) for day in days], "%", is_line=True))
        if ahead := _ahead(readings[-1], full_on[path], days):
            series.append(Series(f"{path} at this pace", ahead, "%", is_line=True, is_guess=True))
    return Chart("disks", "Disks", "Day", [f"{day.day} {day:%b}" for day in days], series)


def _day(reading: storage.Reading) -> date:
    return timezone.localdate(reading.at)


def _used(reading: storage.Reading) -> float:
    return round(100 * (reading.total - reading.free) / reading.total, 1) if reading.total else 100.0


def _end(full_on: datetime, today: date) -> date:
    return min(timezone.localdate(full_on), today + timedelta(days=DAYS_AHEAD))


def _ahead(last: storage.Reading, full_on: datetime | None, days: Sequence[date]) -> Values:
    """A straight line from the last reading to the day on which the disk is full."""
    if full_on is None or full_on <= last.at:
        return []
    begin, used = _day(last), _used(last)
    span = max(1, (timezone.localdate(full_on) - begin).days)
    return [
        round(min(100.0, used + (100 - used) * (day - begin).days / span), 1) if day >= begin else None
        for day in days
    ]


# --- Deliveries ----------------------------------------------------------------------------------------


def turnaround(now: datetime) -> Chart:
    """Median hours of each step of the runs delivered in each week, and from last marker to delivery."""
    weeks = [_week(now - timedelta(weeks=count)) for count in reversed(range(WEEKS))]
    delivered = Delivery.objects.filter(delivered_at__gt=now - timedelta(weeks=WEEKS), delivered_at__lte=now)
    every = max(1, ceil(delivered.count() / DELIVERIES_WEIGHED))
    weighed = delivered.order_by().annotate(turn=F("pk") % every).filter(turn=0)
    columns = weighed.values_list("pk", "complete_at", "delivered_at")
    week_of: dict[int, date] = {}
    whole: defaultdict[date, list[float]] = defaultdict(list)
    for pk, complete, end in columns:
        if end is None:
            continue
        week_of[pk] = _week(end)
        if complete and complete <= end:
            whole[week_of[pk]].append((end - complete) / HOUR)
    steps = _hours_by_week(week_of)
    labels = [f"{week.day} {week:%b}" for week in weeks]
    kinds = [kind for kind in StepKind if kind in steps]
    series = [Series(kind.label, _medians(steps[kind], weeks), "h") for kind in kinds]
    if whole:
        series.append(Series("In all", _medians(whole, weeks), "h", is_line=True))
    return Chart("turnaround", "Turnaround", "Week from", labels, series)


def _hours_by_week(week_of: Mapping[int, date]) -> dict[StepKind, dict[date, list[float]]]:
    """Hours of each finished step, by its kind and by the week in which its run was delivered."""
    took = Seconds("ended_at") - Seconds("started_at")
    # Asked for the state, SQLite would look through all steps that are done.
    rows = DeliveryStep.objects.filter(delivery__in=week_of).order_by()
    steps: dict[StepKind, dict[date, list[float]]] = {}
    for pk, kind, state, seconds in rows.values_list("delivery_id", "kind", "state", took):
        if state == StepState.DONE and seconds is not None:
            weeks = steps.setdefault(StepKind(kind), {})
            weeks.setdefault(week_of[pk], []).append(max(0.0, seconds / 3600))
    return steps


class Seconds(Func):
    """A moment as a number, so that the database subtracts; times of thousands of rows are slow to read."""

    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return super().as_sql(compiler, connection, template="(JULIANDAY(%(expressions)s) * 86400)", **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "EXTRACT(EPOCH FROM %(expressions)s)::double precision"
        return super().as_sql(compiler, connection, template=template, **extra)


def _week(moment: datetime) -> date:
    """The Monday of its week, in the lab's zone."""
    day = timezone.localdate(moment)
    return day - timedelta(days=day.weekday())


def _medians(by_week: Mapping[date, Iterable[float]], weeks: Sequence[date]) -> Values:
    return [round(median(by_week[week]), 2) if by_week.get(week) else None for week in weeks]

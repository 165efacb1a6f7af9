"""Storage: how full the disks are and become, what runs hold where, and whether those being sequenced fit.

All is told from what was written down: a dead disk does not keep anybody from this page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from seqauto import holds
from seqauto import storage as story
from seqauto.clean_up_rules import CleanUpRules, clean_up_rules_of_settings
from seqauto.delivery_rules import DeliveryRules
from seqauto.models import Delivery, DeliveryStep, DiskReading, Removal
from seqauto.models.clean_up import Target
from seqauto.models.deliveries import DeliveryState, StepKind
from seqauto.tables import HoldingTable
from sequencing.copying import RESERVE_BYTES

from .clean_up import standing_somewhere
from .scans import number_in

RUNS_A_PAGE = 25
DAYS_SHOWN = 14
RELEASES_SHOWN = 8
RUNS_WEIGHED = 50
"""So many runs, those found first, are looked through for what is freed next."""
RUNNING_SHOWN = 20
STALE = timedelta(hours=1)

RUNNING = (DeliveryState.SEQUENCING, DeliveryState.STALLED, DeliveryState.SETTLING)


@require_safe
def storage(request: HttpRequest) -> HttpResponse:
    rules, now = clean_up_rules_of_settings(), timezone.now()
    readings = story.latest_readings()
    disks = [_disk(reading, rules.delivery, now) for reading in readings]
    running = _running(readings, rules.delivery)
    below = number_in(request, "older")
    runs = _with_holdings(Delivery.objects.exclude(identity=None).order_by("-pk"))
    page = list((runs.filter(pk__lt=below) if below else runs)[: RUNS_A_PAGE + 1])
    shown = page[:RUNS_A_PAGE]
    when = _When(rules, now)
    context = {
        "disks": disks,
        "fullest": _full_first(disks),
        "low": [disk for disk in disks if disk.low],
        "not_read": _not_read(rules.delivery, readings),
        "running": running,
        "short": [run for run in running if run.fits is False],
        "releases": _releases(rules, when),
        "now": now,
        "table": HoldingTable([_row(run, when) for run in shown]),
        "older": shown[-1].pk if len(page) > RUNS_A_PAGE else None,
        "is_first_page": not below,
    }
    return render(request, "storage/list.html", context)


# --- Disks ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DiskPart:
    """A disk as the page shows it; `full_on` is None where no forecast can be given."""

    path: str
    total: int
    free: int
    read_at: datetime
    is_stale: bool
    low: str
    full_on: datetime | None
    has_history: bool
    days: Sequence[story.Reading]
    """The last reading of each day, the newest first."""
    uses: Sequence[tuple[str, str]]
    """(what for, which folder) of those that lie on it."""

    @property
    def used(self) -> int:
        return self.total - self.free

    @property
    def look(self) -> str:
        return "part" if self.low else "ok"


def _disk(reading: DiskReading, rules: DeliveryRules, now: datetime) -> DiskPart:
    history = story.history(reading.path, now)
    folders = reading.folders or [reading.path]
    return DiskPart(
        path=reading.path,
        total=reading.total,
        free=reading.free,
        read_at=reading.at,
        is_stale=now - reading.at > STALE,
        low=story.low_space(reading, settings.SEQAUTO_LOW_SPACE_PERCENT, settings.SEQAUTO_LOW_SPACE_GB),
        full_on=story.forecast(history, now),
        has_history=bool(history) and history[-1].at - history[0].at >= story.SHORTEST_SPAN,
        days=_days(history),
        uses=[(use, folder) for use, folder in _named(rules) if folder in folders],
    )


def _full_first(disks: Iterable[DiskPart]) -> DiskPart | None:
    dated = [(disk.full_on, disk.path, disk) for disk in disks if disk.full_on]
    return min(dated)[-1] if dated else None


def _days(history: Iterable[story.Reading]) -> list[story.Reading]:
    last = {timezone.localtime(one.at).date(): one for one in history}
    return sorted(last.values(), key=lambda one: one.at, reverse=True)[:DAYS_SHOWN]


def _named(rules: DeliveryRules) -> list[tuple[str, str]]:
    """(use, folder) of each folder that the settings name."""
    named = [("Incoming", str(folder)) for folder in rules.incoming]
    named += [("Backups", str(rules.backup_dir))] if rules.backup_dir else []
    named += [("FASTQs", str(rules.fastq_dir))] if rules.fastq_dir else []
    return named + [("Archive", str(root)) for root in rules.archive]


def _not_read(rules: DeliveryRules, readings: Iterable[DiskReading]) -> list[str]:
    known = {folder for reading in readings for folder in (reading.path, *reading.folders)}
    return [folder for _use, folder in _named(rules) if folder not in known]


# --- Runs that are being sequenced ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Running:
    """A run that grows, and whether it, its backup and its FASTQs fit; None where nobody knows."""

    delivery: Delivery
    outlook: story.Outlook | None
    fits: bool | None
    lacking: str = ""


def _running(readings: Sequence[DiskReading], rules: DeliveryRules) -> list[Running]:
    """In the order in which they were found: each finds what those before it leave."""
    disk_of = {folder: one.path for one in readings for folder in (one.path, *one.folders)}
    left = {reading.path: reading.free - RESERVE_BYTES for reading in readings}
    runs = Delivery.objects.filter(state__in=RUNNING, gone_at=None).exclude(identity=None).order_by("pk")
    return [_judge(run, rules, disk_of, left) for run in runs[:RUNNING_SHOWN]]


def _judge(run: Delivery, rules: DeliveryRules, disk_of: Mapping[str, str], left: dict[str, int]) -> Running:
    """FASTQs take about as much as the run itself."""
    outlook = story.outlook(run, None) or story.outlook(run, story.last_finished(run))
    if outlook is None:
        return Running(run, None, None)
    needs = [(run.root, outlook.to_come)]
    needs += [(str(folder), outlook.expected) for folder in (rules.backup_dir, rules.fastq_dir) if folder]
    for folder, size in needs:
        if folder in disk_of:
            left[disk_of[folder]] -= size
    disks = {disk_of[folder] for folder, _size in needs if folder in disk_of}
    lacking = {disk: -left[disk] for disk in sorted(disks) if left[disk] < 0}
    short = ", ".join(f"{story.size_text(size)} too little on {disk}" for disk, size in lacking.items())
    is_known = all(folder in disk_of for folder, _size in needs)
    return Running(run, outlook, False if short else is_known or None, short)


# --- What runs hold, and when it may go ----------------------------------------------------------------


def _with_holdings(runs: QuerySet[Delivery]) -> QuerySet[Delivery]:
    steps = DeliveryStep.objects.filter(kind__in=(StepKind.BACK_UP, StepKind.CONVERT))
    steps = steps.only("delivery", "kind", "state", "figures")
    removals = Removal.objects.only("delivery", "target", "state")
    return runs.prefetch_related(Prefetch("steps", steps), Prefetch("removals", removals))


class _When:
    """When a rule lets a folder go, by age and holds alone; None where it may not go."""

    def __init__(self, rules: CleanUpRules, now: datetime) -> None:
        self.rules, self.now = rules.rules, now
        self.held = set(holds.holds_at(now).values_list("delivery", flat=True))

    def __call__(self, run: Delivery, target: Target) -> datetime | None:
        rule = self.rules[target]
        is_kept = run.is_held or run.pk in self.held or run.state != DeliveryState.DELIVERED
        if not rule.is_on or is_kept or run.delivered_at is None:
            return None
        return max(self.now, run.delivered_at + timedelta(days=rule.days))


def _releases(rules: CleanUpRules, when: _When) -> list[story.Release]:
    """What is freed next."""
    return story.releases(standing_somewhere(rules)[:RUNS_WEIGHED], when)[:RELEASES_SHOWN]


def _row(run: Delivery, when: _When) -> dict[str, object]:
    held = story.holding(run)
    dates = [at for target in Target if held.of(target) and (at := when(run, target))]
    sizes = {"source": held.source, "backup": held.backup, "fastqs": held.fastqs}
    return {
        "run": run,
        **sizes,
        "sum": sum(size or 0 for size in sizes.values()),
        "may_go": min(dates, default=None),
        "is_held": run.is_held or run.pk in when.held,
    }

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
from seqauto.holdings import Holding, Release, holding, on_their_way, releases
from seqauto.models import Delivery, DeliveryStep, DiskReading, Removal
from seqauto.models.clean_up import Target
from seqauto.models.deliveries import DeliveryState, StepKind
from seqauto.tables.deliveries import Held, HoldingTable
from sequencing.copying import RESERVE_BYTES

from .clean_up import standing_somewhere
from .scans import number_in

RUNS_A_PAGE = 20
DAYS_SHOWN = 14
RELEASES_SHOWN = 8
RUNS_WEIGHED = 10
"""So many runs, those found first, are looked through for what is freed next."""
RUNNING_SHOWN = 20
STALE = timedelta(hours=1)

RUNNING = (DeliveryState.SEQUENCING, DeliveryState.STALLED, DeliveryState.SETTLING)


@require_safe
def storage(request: HttpRequest) -> HttpResponse:
    rules, now = clean_up_rules_of_settings(), timezone.now()
    readings, histories = story.latest_readings(), story.histories(now)
    disks = [_disk(reading, histories.get(reading.path, []), rules.delivery, now) for reading in readings]
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
        "has_history": any(disk.has_history for disk in disks),
        "waiting": list(Delivery.objects.waiting_for_room().order_by("pk")[:RUNNING_SHOWN]),
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


def _disk(
    reading: DiskReading, history: Sequence[story.Reading], rules: DeliveryRules, now: datetime
) -> DiskPart:
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
        uses=[(use, folder) for folder, use in _named(rules).items() if folder in folders],
    )


def _full_first(disks: Iterable[DiskPart]) -> DiskPart | None:
    dated = [(disk.full_on, disk.path, disk) for disk in disks if disk.full_on]
    return min(dated)[-1] if dated else None


def _days(history: Iterable[story.Reading]) -> list[story.Reading]:
    here = timezone.get_current_timezone()
    last = {one.at.astimezone(here).date(): one for one in history}
    return sorted(last.values(), key=lambda one: one.at, reverse=True)[:DAYS_SHOWN]


def _named(rules: DeliveryRules) -> dict[str, str]:
    """What each folder is for that the settings name: `FASTQs, archive` for one that is for both."""
    named = [("Incoming", str(folder)) for folder in rules.incoming]
    named += [("Backups", str(rules.backup_dir))] if rules.backup_dir else []
    named += [("FASTQs", str(rules.fastq_dir))] if rules.fastq_dir else []
    uses: dict[str, str] = {}
    for use, folder in named + [("Archive", str(root)) for root in rules.archive]:
        uses[folder] = f"{uses[folder]}, {use.lower()}" if folder in uses else use
    return uses


def _not_read(rules: DeliveryRules, readings: Iterable[DiskReading]) -> list[tuple[str, str]]:
    """(use, folder) of those of which no reading is known."""
    known = {folder for reading in readings for folder in (reading.path, *reading.folders)}
    return [(use, folder) for folder, use in _named(rules).items() if folder not in known]


# --- Runs that are being sequenced ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Running:
    """A run that grows, and whether it, its backup and its FASTQs fit; None where nobody knows."""

    delivery: Delivery
    outlook: story.Outlook | None
    fits: bool | None
    lacking: str = ""


def _running(readings: Sequence[DiskReading], rules: DeliveryRules) -> list[Running]:
    running = Delivery.objects.filter(state__in=RUNNING, gone_at=None).exclude(identity=None).order_by("pk")
    folders = [str(folder) for folder in (rules.backup_dir, rules.fastq_dir) if folder]
    runs = list(running[:RUNNING_SHOWN])
    earlier = story.last_finished([run for run in runs if story.outlook(run, None) is None])
    return judged(runs, readings, folders, earlier)


def judged(
    runs: Iterable[Delivery],
    readings: Sequence[DiskReading],
    copied_to: Sequence[str],
    earlier: Mapping[int, Delivery] | None = None,
) -> list[Running]:
    """Judge runs in the order in which they were found: each finds what those before it leave.

    Of a run whose own cycles do not tell how large it becomes, an `earlier` one may, by the run's key.
    """
    disk_of = {folder: one.path for one in readings for folder in (one.path, *one.folders)}
    left = {reading.path: reading.free - RESERVE_BYTES for reading in readings}
    outlooks = [(run, story.outlook(run, (earlier or {}).get(run.pk))) for run in runs]
    return [_judge(run, outlook, copied_to, disk_of, left) for run, outlook in outlooks]


def _judge(
    run: Delivery,
    outlook: story.Outlook | None,
    copied_to: Sequence[str],
    disk_of: Mapping[str, str],
    left: dict[str, int],
) -> Running:
    """FASTQs take about as much as the run itself."""
    if outlook is None:
        return Running(run, None, None)
    needs = [(run.root, outlook.to_come)] + [(folder, outlook.expected) for folder in copied_to]
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
    steps = steps.only("delivery", "kind", "state", "code", "figures", "ended_at")
    removals = Removal.objects.defer("manifest", "evidence", "rule")
    return runs.prefetch_related(Prefetch("steps", steps), Prefetch("removals", removals))


class _When:
    """When a rule lets a folder go, by age and holds alone; None where it may not go."""

    def __init__(self, rules: CleanUpRules, now: datetime) -> None:
        self.rules, self.now, self.fastqs_suffice = rules.rules, now, rules.fastqs_suffice
        self.grace = timedelta(hours=rules.grace_hours)
        self.held = set(holds.holds_at(now).values_list("delivery", flat=True))

    def __call__(self, run: Delivery, target: Target) -> datetime | None:
        rule = self.rules[target]
        is_kept = self.is_held(run) or run.state != DeliveryState.DELIVERED
        if not rule.is_on or is_kept or run.delivered_at is None or self._is_last_copy(run, target):
            return None
        return max(self.now, run.delivered_at + timedelta(days=rule.days))

    def is_held(self, run: Delivery) -> bool:
        return run.is_held or run.pk in self.held

    def _is_last_copy(self, run: Delivery, target: Target) -> bool:
        """Of run folder and backup one stays; where a rule lets both go, the run folder goes."""
        source = self.rules[Target.SOURCE]
        return target == Target.BACKUP and not self.fastqs_suffice and (source.is_on or bool(run.gone_at))


def _releases(rules: CleanUpRules, when: _When) -> list[Release]:
    """What is freed next: first what leaves quarantine, then what would go into it."""
    leaving = on_their_way(rules.grace_hours, when.is_held, when.now)
    going = releases(standing_somewhere(rules)[:RUNS_WEIGHED], when)
    return [*leaving, *going][:RELEASES_SHOWN]


def _row(run: Delivery, when: _When) -> dict[str, object]:
    held = holding(run)
    dates = [at for target in Target if held.of(target) and (at := when(run, target))]
    return {
        "run": run,
        **{target.value: _held(run, target, held, when) for target in Target},
        "sum": held.bytes,
        "may_go": min(dates, default=None),
        "is_held": when.is_held(run),
    }


def _held(run: Delivery, target: Target, held: Holding, when: _When) -> Held | None:
    """What stands there of one target, in its place or in quarantine, and what is to be said of it."""
    if removal := held.quarantined.get(target):
        until = removal.quarantined_at + when.grace if removal.quarantined_at else None
        return Held(removal.bytes, "in quarantine", None if when.is_held(run) else until)
    size = held.of(target)
    if size is None:
        return None
    if target == Target.BACKUP and held.is_backup_damaged:
        return Held(size, "damaged", is_amiss=True)
    has_earlier = target == Target.FASTQS and run.conversion > 1
    return Held(size, "earlier conversions not counted" if has_earlier else "")

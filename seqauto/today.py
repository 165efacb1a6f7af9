"""What the page Today tells of deliveries and scans: what came, what is in hand, what needs a person.

A few rows of each kind and counts of all: as many queries for ten runs as for ten thousand. What changed
longer ago than `NEWS` is counted and no more, for nobody seems to mend it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from django.db.models import (
    Count,
    Exists,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Value,
    prefetch_related_objects,
)
from django.utils import timezone

from . import needs
from .models import (
    Delivery,
    DeliveryStep,
    IncomingFolder,
    Removal,
    Scan,
    SequencingRun,
)
from .models.clean_up import RemovalState
from .models.deliveries import NEEDS_A_PERSON, DeliveryState, StepState
from .models.scans import ScanStatus

NEWS = timedelta(days=7)
LATELY = timedelta(hours=24)
IN_NEED_SHOWN = 8
RUNS_SHOWN = 12
IN_HAND_SHOWN = 4
RUNNING_WEIGHED = 20

EVENING, NOON = time(18), 12
"""A night lasts from one to the other, by the lab's clock."""

GROWING = (DeliveryState.SEQUENCING, DeliveryState.STALLED, DeliveryState.SETTLING)
#: Each is a case of its own; of folders that are no runs there may be many, of one cause.
WAITING = tuple(state for state in NEEDS_A_PERSON if state != DeliveryState.UNRECOGNISED)
NO_RUN_HERE = (DeliveryState.UNRECOGNISED, DeliveryState.GONE)


class DeliveryFacts(TypedDict):
    """What a query says of a delivery beside its own fields; its experiment is known by a scan of its run."""

    experiment: str | None
    is_news: bool
    is_stranded: bool


if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    ToldDelivery = WithAnnotations[Delivery, DeliveryFacts]


def short_lists(rows: QuerySet[Any], *wanted: QuerySet[Any]) -> list[list[Any]]:
    """Several short lists of `rows`, in no order, by one query.

    Planners know how short each part of a union is. Of rows on this list or that, PostgreSQL believes that
    half of all are, and makes ready for so many.
    """
    parts = [
        rows.order_by().filter(pk__in=one.values("pk")).annotate(of_list=Value(number))
        for number, one in enumerate(wanted)
    ]
    found: list[list[Any]] = [[] for _ in wanted]
    for row in parts[0].union(*parts[1:], all=True):
        found[row.of_list].append(row)
    return found


# --- The night -----------------------------------------------------------------------------------------


def is_morning(now: datetime) -> bool:
    return timezone.localtime(now).hour < NOON


def begin_of_news(now: datetime) -> datetime:
    """Until noon yesterday evening, later this day's midnight, by the lab's clock."""
    today = timezone.localtime(now).date()
    if is_morning(now):
        return timezone.make_aware(datetime.combine(today - timedelta(days=1), EVENING))
    return timezone.make_aware(datetime.combine(today, time()))


# --- Deliveries ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Short lists of deliveries with their steps, the newest first; `counts` are of all."""

    counts: dict[str, int]
    in_hand: list[ToldDelivery]
    waiting: list[ToldDelivery] = field(default_factory=list)
    """For a person."""
    not_scanned: list[ToldDelivery] = field(default_factory=list)
    """Runs that no scan knows yet."""
    of_runs: list[ToldDelivery] = field(default_factory=list)
    growing: list[ToldDelivery] = field(default_factory=list)
    """Runs that instruments still write, those found first before others; without steps."""


#: What the page tells of a delivery; to name the columns takes Django longer than to fetch them.
_SHOWN = (
    *("name", "root", "identity", "instrument", "model", "date", "found_at", "delivered_at"),
    *("state", "reason", "remedy", "is_held", "cycles", "cycles_total", "bytes", "listing_at"),
)


def deliveries(now: datetime, folders: Iterable[IncomingFolder], runs: Iterable[SequencingRun]) -> Deliveries:
    """The lists of `Deliveries`; `of_runs` are those that brought one of `runs`."""
    known = _known(now, folders)
    grow = known.filter(state__in=GROWING, gone_at=None).exclude(identity=None).order_by("pk")
    scanned = Exists(SequencingRun.objects.filter(identity=OuterRef("identity")))
    lists = short_lists(
        known.only(*_SHOWN),
        _in_hand(known),
        known.filter(state__in=WAITING, is_news=True)[:IN_NEED_SHOWN],
        known.exclude(state__in=NO_RUN_HERE).filter(~scanned)[:RUNS_SHOWN],
        known.filter(identity__in=[run.identity for run in runs if run.identity]),
        grow[:RUNNING_WEIGHED],
    )
    for one in lists:
        one.sort(key=lambda delivery: (delivery.found_at, delivery.pk), reverse=True)
    in_hand, waiting, not_scanned, of_runs, growing = lists
    _fetch_steps([*in_hand, *waiting, *not_scanned, *of_runs])
    counts = _count_deliveries(known, now)
    return Deliveries(counts, in_hand, waiting, not_scanned, of_runs, growing[::-1])


def deliveries_in_hand(now: datetime, folders: Iterable[IncomingFolder]) -> Deliveries:
    """As `deliveries`, of those in hand alone."""
    known = _known(now, folders)
    in_hand = list(_in_hand(known.only(*_SHOWN)))
    _fetch_steps(in_hand)
    return Deliveries(_count_deliveries(known, now), in_hand)


def _known(now: datetime, folders: Iterable[IncomingFolder]) -> QuerySet[Any]:
    since = now - NEWS
    failed = DeliveryStep.objects.filter(state=StepState.FAILED, ended_at__gte=since).values("delivery")
    moved = Q(found_at__gte=since) | Q(progress_at__gte=since) | Q(complete_at__gte=since)
    known = Delivery.objects.annotate(is_stranded=needs.stranded(folders), is_news=moved | Q(pk__in=failed))
    return needs.with_experiment(known.newest_first())


def _in_hand(known: QuerySet[Any]) -> QuerySet[Any]:
    return known.filter(state__in=needs.IN_HAND, is_stranded=False)[:IN_HAND_SHOWN]


def _fetch_steps(deliveries: Sequence[Delivery]) -> None:
    steps = DeliveryStep.objects.order_by("place").defer("figures", "problems", "traceback")
    prefetch_related_objects(deliveries, Prefetch("steps", steps))


def has_ended(now: datetime) -> Q:
    """Of runs that their instrument has ended since the begin of the news."""
    return Q(complete_at__range=(begin_of_news(now), now)) & ~Q(state=DeliveryState.UNRECOGNISED)


def _count_deliveries(known: QuerySet[Any], now: datetime) -> dict[str, int]:
    """Grouped first, for as many filters as there are counts take Django longer than the database."""
    kinds = known.order_by().values("state", "is_news", "is_stranded")
    groups = list(
        kinds.annotate(
            count=Count("pk"),
            delivered=Count("pk", filter=Q(delivered_at__gte=now - LATELY)),
            ended=Count("pk", filter=has_ended(now)),
            proposed=Count("pk", filter=_has_removal(RemovalState.PROPOSED)),
            stopped=Count("pk", filter=_has_removal(RemovalState.STOPPED)),
        )
    )
    news = [group for group in groups if group["is_news"]]
    in_need = [group for group in groups if group["is_stranded"] or group["state"] in NEEDS_A_PERSON]
    watched = [group for group in groups if not group["is_stranded"]]
    of_folders = [group for group in news if group["is_stranded"] and group["state"] not in NEEDS_A_PERSON]
    return {
        "all": _sum(groups),
        "waiting": _sum(group for group in news if group["state"] in WAITING),
        "unrecognised": _sum(group for group in news if group["state"] == DeliveryState.UNRECOGNISED),
        "stranded": _sum(of_folders),
        "older": _sum(group for group in in_need if not group["is_news"]),
        "in_hand": _sum(group for group in watched if group["state"] in needs.IN_HAND),
        **{name: _sum(groups, name) for name in ("delivered", "ended", "proposed", "stopped")},
    }


def _sum(groups: Iterable[dict[str, Any]], name: str = "count") -> int:
    return sum(group[name] for group in groups)


def _has_removal(state: RemovalState) -> Q:
    return Q(pk__in=Removal.objects.filter(state=state).values("delivery"))


# --- Scans ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Scans:
    """The scan at work, or the one that is next; the last one that ended; the last that ended well."""

    live: Scan | None
    ended: Scan | None
    success: Scan | None


def scans() -> Scans:
    newest = Scan.objects.newest_first()
    live = Scan.objects.filter(Q(is_running=True) | Q(status=ScanStatus.CREATED)).order_by(
        "-is_running", "pk"
    )
    ended = newest.filter(status__in=(ScanStatus.FINISHED, ScanStatus.ERROR))
    finished = newest.filter(status=ScanStatus.FINISHED)
    lists = short_lists(newest.select_related("started_by"), live[:1], ended[:1], finished[:1])
    return Scans(*(next(iter(one), None) for one in lists))

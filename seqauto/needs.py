"""Which deliveries need a person, and which incoming folders somebody watches.

Told by what the database holds: no disk is asked, so no page waits for one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from .delivery_rules import real_folder
from .models import Delivery, DeliveryStep, IncomingFolder, SequencingRun
from .models.deliveries import NEEDS_A_PERSON, DeliveryState, StepState

#: Somebody looks at an incoming folder every minute or so; after so long nobody does.
WATCHER_PATIENCE = timedelta(minutes=10)

#: Its state changes within minutes.
IN_HAND = (DeliveryState.SETTLING, DeliveryState.DELIVERING)
#: Nothing more is to come.
ENDED = (DeliveryState.DELIVERED, DeliveryState.GONE)

#: Of deliveries that know whether they are stranded.
IN_NEED = Q(state__in=NEEDS_A_PERSON) | Q(is_stranded=True)


def stranded(folders: Iterable[IncomingFolder] | None = None) -> Q:
    """Those that nothing carries on, because nobody watches their incoming folder any more."""
    now = timezone.now()
    known = IncomingFolder.objects.all() if folders is None else folders
    lately = {folder.path for folder in known if _is_watched(folder, now)}  # by a command, it may be
    at_work = DeliveryStep.objects.filter(state=StepState.RUNNING).values("delivery")
    return ~Q(root__in={*configured(), *lately}) & ~Q(state__in=ENDED) & ~Q(pk__in=at_work)


def _is_watched(folder: IncomingFolder, now: datetime) -> bool:
    is_fresh = folder.looked_at is not None and folder.looked_at >= now - WATCHER_PATIENCE
    return is_fresh or _is_being_looked_at(folder, now)


def _is_being_looked_at(folder: IncomingFolder, now: datetime) -> bool:
    return folder.busy_until is not None and folder.busy_until > now


def with_experiment(queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Each with the name of its experiment, where a scan knows the run."""
    of_run = SequencingRun.objects.filter(identity=OuterRef("identity")).values("experiment__name")
    return queryset.annotate(experiment=Subquery(of_run[:1]))


@dataclass(frozen=True, slots=True)
class Folder:
    """How an incoming folder is: `look` is run, ok, warn, bad or idle."""

    path: str
    word: str
    look: str
    looked_at: datetime | None
    reason: str = ""
    remedy: str = ""

    @property
    def needs_a_person(self) -> bool:
        return self.look in ("warn", "bad")


def incoming_folders(folders: Iterable[IncomingFolder] | None = None) -> list[Folder]:
    """Those of the settings, and those that the command line watches or once watched."""
    known = IncomingFolder.objects.all() if folders is None else folders
    watched = {folder.path: folder for folder in known}
    named = configured()
    paths = dict.fromkeys([*named, *watched])
    return [_folder(path, watched.get(path), path in named) for path in paths]


def _folder(path: str, row: IncomingFolder | None, is_configured: bool) -> Folder:
    looked_at, now = (row.looked_at if row else None), timezone.now()
    if row and _is_being_looked_at(row, now):
        return Folder(path, "Being looked at", "run", looked_at)
    if row is None or not _is_watched(row, now):
        word, look = ("Not watched", "warn") if is_configured else ("Not watched any more", "idle")
        reason = "" if looked_at else "Nobody has looked at it yet."
        remedy = "Make the watcher run: a worker and beat, or manage.py bcl_manager." if is_configured else ""
        return Folder(path, word, look, looked_at, reason, remedy)
    if row.error:
        return Folder(path, "Cannot be read", "bad", looked_at, row.error, row.remedy)
    return Folder(path, "Watched", "ok", looked_at)


def configured() -> list[str]:
    """The incoming folders of the settings, as deliveries know them."""
    return [_real(folder) for folder in settings.SEQAUTO_INCOMING_DIRS]


@cache
def _real(folder: Path) -> str:
    """Its path as deliveries know it; asked once, so that no page hangs with a disk."""
    return str(real_folder(folder))

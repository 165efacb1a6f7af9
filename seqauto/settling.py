"""When a run has settled: two equal listings, far enough apart; and what came or changed after that."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from sequencing.copying import CopyProblem, list_folder
from sequencing.disk import is_gone, printable, walk_run
from sequencing.kinds import kind_of_file
from sequencing.reading import RunReading

from . import audit
from .delivery_log import note, note_once
from .delivery_rules import DeliveryRules
from .delivery_states import refresh_state
from .models import Delivery
from .models.deliveries import DeliveryState, StepKind, StepState

WATCHER = "watcher"  # the rule by which the audit names what happens here
MAY_BE_READ = "Give the account that runs SeqAuto leave to read all of it; it is looked at again."
_LISTED = ("files", "bytes", "listed_at", "sheet_sha256", "overrides")
_SETTLING = "The instrument has finished. Its files must look the same twice before anything is done."


def set_state(delivery: Delivery, state: DeliveryState, reason: str = "", remedy: str = "") -> None:
    if delivery.state != state:
        note(delivery, f"{state.label}. {reason}".strip())
    if state == DeliveryState.SETTLING and delivery.complete_at is None:
        delivery.complete_at = timezone.now()
    delivery.state, delivery.reason, delivery.remedy = state, reason, remedy
    delivery.save(update_fields=["state", "reason", "remedy", "complete_at"])


@dataclass(frozen=True, slots=True)
class Looks:
    """What a run folder looks like: what the instrument wrote, and the sheet, which people edit."""

    data: str
    sheet_sha256: str
    files: int
    bytes: int


def looks_of(path: str) -> Looks:
    """List a whole run folder. Raises CopyProblem, DiskError where that cannot be done."""
    listing = list_folder(Path(path))
    for inside, why in listing.problems:  # one is enough: what cannot be seen is not called changed or gone
        raise CopyProblem("unreadable", f"{printable(inside)} {why}", MAY_BE_READ)
    digest = hashlib.sha256()
    for entry in listing.entries:
        if not _is_by_people(entry.path):
            mtime_ns = 0 if entry.kind == "folder" else entry.mtime_ns
            digest.update(
                os.fsencode(f"{entry.path}\0{entry.kind}\0{entry.size}\0{mtime_ns}\0{entry.target}\0")
            )
    return Looks(digest.hexdigest(), walk_run(path).sheet_sha256, listing.files, listing.bytes)


def _is_by_people(path: str) -> bool:
    """Whether a file is the run's sheet, or one that desktops leave where somebody looked."""
    name = path.rpartition("/")[2]
    return kind_of_file(path) == "sample_sheet" or name in _LEFT_BY_DESKTOPS or name.startswith("._")


_LEFT_BY_DESKTOPS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".directory"})


def settle(delivery: Delivery, reading: RunReading, rules: DeliveryRules, now: datetime) -> None:
    """Take the second of two equal listings, far enough apart, as the end of writing."""
    apart = timedelta(seconds=rules.settle_seconds)
    if delivery.listing_at and now - delivery.listing_at < apart:
        set_state(delivery, DeliveryState.SETTLING, _SETTLING)
        return
    try:
        looks = looks_of(delivery.path)
    except CopyProblem as problem:
        reason = f"The folder cannot be listed: {problem.sentence}"
        set_state(delivery, DeliveryState.WAITING, reason, problem.remedy)
        return
    if not looks.files:
        set_state(
            delivery, DeliveryState.WAITING, "The run folder is empty.", "See that its disk is mounted."
        )
        return
    set_state(delivery, DeliveryState.SETTLING, _SETTLING)
    is_equal = (looks.data, looks.sheet_sha256) == (delivery.listing, delivery.sheet_sha256)
    delivery.files, delivery.bytes, delivery.listed_at = looks.files, looks.bytes, now
    with transaction.atomic():
        if looks.data != delivery.listing:
            _forget_steps(delivery)  # of a run that was away and came back with other files
        if not is_equal or delivery.listing_at is None:
            delivery.listing, delivery.sheet_sha256, delivery.listing_at = looks.data, looks.sheet_sha256, now
        delivery.save(update_fields=[*_LISTED, "listing", "listing_at", "delivered_at"])
    if is_equal:
        _has_come_to_rest(delivery, reading)


def _has_come_to_rest(delivery: Delivery, reading: RunReading) -> None:
    completion = reading.completion
    figures = {
        "files": delivery.files,
        "bytes": delivery.bytes,
        "first_seen": delivery.listing_at.isoformat() if delivery.listing_at else None,
        "last_seen": delivery.listed_at.isoformat() if delivery.listed_at else None,
        "markers": [marker.replace("|", " or ") for marker in completion.present] if completion else [],
        "completion": completion.message if completion else "",
    }
    with transaction.atomic():
        delivery.steps.filter(kind=StepKind.SETTLE).update(
            state=StepState.DONE,
            started_at=delivery.complete_at,
            ended_at=delivery.listed_at,
            attempts=F("attempts") + 1,
            figures=figures,
        )
        note(
            delivery, f"Settled with {delivery.files:,} files, {delivery.bytes:,} bytes", step=StepKind.SETTLE
        )
        refresh_state(delivery)


def look_for_changes(delivery: Delivery) -> None:
    """List a settled run again: a file that came or changed late reopens it."""
    now = timezone.now()
    delivery = Delivery.objects.get(pk=delivery.pk)
    try:
        looks = looks_of(delivery.path)
    except CopyProblem as problem:
        Delivery.objects.filter(pk=delivery.pk).update(listed_at=now)
        if not is_gone(delivery.path):  # of which the next look tells
            note_once(delivery, f"The folder cannot be listed: {problem.sentence} {problem.remedy}")
        return
    delivery.files, delivery.bytes, delivery.listed_at = looks.files, looks.bytes, now
    if looks.data != delivery.listing:
        _reopen(delivery, looks)
    elif looks.sheet_sha256 != delivery.sheet_sha256:
        delivery.sheet_sha256 = looks.sheet_sha256
        note(delivery, "The sample sheet was changed after the run had settled", step=StepKind.CONVERT)
    delivery.save(update_fields=_LISTED)


def _reopen(delivery: Delivery, looks: Looks) -> None:
    """Begin from the first step. One at work now finds out by itself that its run has changed."""
    with transaction.atomic():
        _forget_steps(delivery)
        note(delivery, "Files changed after the run had settled: every step begins again")
        delivery.listing, delivery.sheet_sha256 = looks.data, looks.sheet_sha256
        delivery.listing_at = delivery.listed_at
        delivery.state, delivery.remedy = DeliveryState.SETTLING, ""
        delivery.reason = "Files changed after the run had settled. They must look the same twice again."
        changed = ["listing", "listing_at", "delivered_at", "state", "reason", "remedy"]
        delivery.save(update_fields=[*_LISTED, *changed])


def _forget_steps(delivery: Delivery) -> None:
    """Let every step begin again; in the transaction that records the new listing."""
    steps = list(delivery.steps.select_for_update())  # none ends meanwhile
    done = [step.kind for step in steps if step.state in (StepState.DONE, StepState.FAILED)]
    if done or delivery.overrides:
        at = delivery.delivered_at
        before = {
            "steps": done,
            "overrides": delivery.overrides,
            "delivered_at": at.isoformat() if at else None,
        }
        why = "Files changed after the run had settled."
        audit.record("delivery.reopened", delivery, rule=WATCHER, before=before, reason=why)
    delivery.steps.exclude(state=StepState.RUNNING).update(state=StepState.WAITING)
    delivery.delivered_at, delivery.overrides = None, []  # they were said of other files

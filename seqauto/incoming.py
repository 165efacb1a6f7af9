"""Watches the incoming folders: which runs are there, how far each has come, and when it has settled.

A look compares what the disk shows with what is recorded, so it does not matter what happened while nobody
looked; events of file systems, which network disks do not send, are not needed.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from sequencing.converters import onboard_fastqs
from sequencing.disk import (
    LONGEST_PATH,
    TOO_LONG,
    Discovery,
    DiskError,
    RunListing,
    cycles_written,
    empty_folder_above,
    is_gone,
    printable,
    read_metadata,
    walk_run,
)
from sequencing.disk.walkers import start_walker
from sequencing.reading import RunReading, read_run

from . import audit
from .delivery_log import note
from .delivery_rules import DeliveryRules
from .lease import heartbeat
from .models import Delivery, DeliveryStep, IncomingFolder
from .models.clean_up import RemovalState, Target
from .models.deliveries import STEPS_OF_EVERY_RUN, DeliveryState, StepKind, StepState
from .settling import MAY_BE_READ, WATCHER, look_for_changes, set_state, settle

log = logging.getLogger(__name__)

LONGEST_NAME = 255
LOOK_AGAIN_SECONDS = 60  # of one look go into settled runs at most; new ones come first
RARER = 10  # a run delivered ten days ago is listed again once a day


def look_at(root: str, rules: DeliveryRules) -> bool:
    """Reconcile what is recorded of one incoming folder with what lies there; False where another look is on.

    A disk that fails is told on the folder's row, and nothing is concluded from the rest.
    """
    folder = _claim(root)
    if folder is None:
        return False
    error = remedy = ""
    mine = IncomingFolder.objects.filter(pk=folder.pk)
    try:
        with heartbeat(lambda: mine.update(busy_until=_expiry()), settings.SEQAUTO_HEARTBEAT_SECONDS):
            _look(folder, rules)
    except DiskError as failure:
        error = f"Incoming folder {failure}"
        remedy = (
            "See that the disk is mounted and readable. Nothing was changed for it; it is looked at again. "
            "If another disk is meant to stand there, put an empty file .seqauto_root on it."
        )
        log.warning("%s", error)
    finally:
        mine.update(
            busy_until=None, looked_at=timezone.now(), device=folder.device, error=error, remedy=remedy
        )
    return True


def _claim(root: str) -> IncomingFolder | None:
    folder, _is_new = IncomingFolder.objects.get_or_create(path=root)
    free = Q(busy_until=None) | Q(busy_until__lt=Now())
    claimed = IncomingFolder.objects.filter(free, pk=folder.pk).update(busy_until=_expiry())
    return folder if claimed else None


def _expiry() -> Any:
    """When another process may look in place of this one, if it has died until then."""
    return Now() + timedelta(seconds=settings.SEQAUTO_LEASE_SECONDS)


def _look(folder: IncomingFolder, rules: DeliveryRules) -> None:
    with start_walker() as walker:
        identity = walker.identify_root(folder.path)
        found = walker.discover(folder.path, skip_marker="")
    known = {delivery.path: delivery for delivery in Delivery.objects.under([folder.path])}
    runs = [path for path, _skipped in found.runs if len(path) <= LONGEST_PATH]
    not_runs = _not_runs(found)
    here = {*runs, *not_runs}
    if folder.device not in (None, identity.device) and not identity.has_sentinel:
        _refuse_another_disk(folder.path, known, here)
    folder.device = identity.device
    settled = set(
        DeliveryStep.objects.filter(
            delivery__in=known.values(), kind=StepKind.SETTLE, state=StepState.DONE
        ).values_list("delivery", flat=True)
    )
    due: list[Delivery] = []
    for path in runs:
        delivery = known.get(path)
        if delivery and delivery.pk in settled and not delivery.gone_at:
            due += [delivery] if _is_due(delivery, rules, timezone.now()) else []
        else:
            _look_whatever_is_wrong(path, folder.path, delivery, rules)
    _look_again(due, rules)
    for path, why in not_runs.items():
        if path not in known or known[path].gone_at:
            _record_unrecognised(path, folder.path, *why)
    _notice_gone(known, here, found.unreadable)


def _look_whatever_is_wrong(path: str, root: str, delivery: Delivery | None, rules: DeliveryRules) -> None:
    """Look at one run; whatever is wrong with it stands on it, and the others are looked at."""
    try:
        _look_at_run(path, root, delivery, rules)
    except DiskError:
        raise
    except Exception as error:
        log.exception("%s could not be looked at; it is tried again.", printable(path))
        values = {"root": root, "name": os.path.basename(path)[:LONGEST_NAME]}
        delivery, _is_new = Delivery.objects.get_or_create(path=path, defaults=values)
        reason = f"It could not be looked at: {type(error).__name__}: {error}"
        set_state(
            delivery, DeliveryState.WAITING, reason, "It is tried again; if that does not help, report it."
        )


def _is_due(delivery: Delivery, rules: DeliveryRules, now: datetime) -> bool:
    """Whether a settled run is to be listed again: the longer ago it was delivered, the more rarely."""
    if delivery.listed_at is None:
        return True
    pause = timedelta(seconds=rules.relist_seconds)
    if delivery.delivered_at and rules.relist_seconds:
        pause = max(pause, (now - delivery.delivered_at) / RARER)
    return now - delivery.listed_at >= pause


def _look_again(due: list[Delivery], rules: DeliveryRules) -> None:
    """List settled runs again, the longest unseen first, for as long as new runs can wait."""
    until = time.monotonic() + LOOK_AGAIN_SECONDS
    for delivery in sorted(due, key=lambda one: one.listed_at or one.found_at):
        look_for_changes(delivery)
        if time.monotonic() > until:
            break


def _refuse_another_disk(root: str, known: Mapping[str, Delivery], here: Set[str]) -> None:
    """Raise DiskError where nothing of what lay here is to be seen.

    Device numbers of network disks may change with every boot; a changed one only sharpens the ear.
    """
    before = [path for path, delivery in known.items() if not delivery.gone_at]
    if before and here.isdisjoint(before):
        raise DiskError(f"{root}: another disk stands here than before, without any of the runs known of it")


# ---- one run ----


def _look_at_run(path: str, root: str, delivery: Delivery | None, rules: DeliveryRules) -> None:
    now = timezone.now()
    listing = walk_run(path)
    reading = _read(listing, rules, now)
    if delivery is None or _begins_here(delivery, reading):
        delivery = _record_run(path, root, reading)
    if "" in listing.unreadable:
        set_state(delivery, DeliveryState.WAITING, "The run folder cannot be read.", MAY_BE_READ)
        return
    # RunInfo.xml may come later than the folder, and say otherwise than its name.
    if delivery.identity != reading.identity and not _take_identity(delivery, reading):
        return
    _note_progress(delivery, reading, now)
    state, reason, remedy = _state_of(delivery, reading, rules, now)
    if state == DeliveryState.SETTLING:
        settle(delivery, reading, rules, now)
    else:
        set_state(delivery, state, reason, remedy)


def _begins_here(delivery: Delivery, reading: RunReading) -> bool:
    """Whether a known folder is a run only now: it was none, was away, or another folder's place is free."""
    other = _other_claim(delivery, reading) if delivery.state == DeliveryState.CONFLICT else None
    is_free = other is not None and is_gone(other.path)
    return bool(delivery.gone_at) or delivery.state == DeliveryState.UNRECOGNISED or is_free


def _other_claim(delivery: Delivery, reading: RunReading) -> Delivery | None:
    return Delivery.objects.filter(identity=reading.identity).exclude(pk=delivery.pk).first()


def _read(listing: RunListing, rules: DeliveryRules, now: datetime) -> RunReading:
    folder = Path(listing.folder)
    return read_run(
        folder.name,
        listing.files,
        lambda inside: read_metadata(folder / inside),
        now=now,
        markers=rules.markers,
        other_names=_names_in(folder),
    )


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # told by the walk
        return []


def _record_run(path: str, root: str, reading: RunReading) -> Delivery:
    """A new delivery with its four steps; the old one where the folder was moved, or is back.

    An old one settles anew; its other steps stay as they are, unless its files turn out to have changed.
    """
    delivery = Delivery.objects.filter(path=path, identity__isnull=False).first()
    moved = Delivery.objects.filter(identity=reading.identity).exclude(path=path).first()
    with transaction.atomic():
        if delivery is None and moved and is_gone(moved.path):
            Delivery.objects.filter(path=path).delete()  # it was "not a run", or a conflict, until now
            delivery, what, action = moved, f"Moved from {moved.path} to {path}", "delivery.moved"
        elif delivery is None:
            delivery, _is_new = Delivery.objects.get_or_create(path=path)
            what, action = f"Found in {root}", ""
        else:
            what, action = "The folder is back", "delivery.returned"
        before = {"path": delivery.path, "state": delivery.state}
        delivery.path, delivery.root, delivery.name = path, root, os.path.basename(path)
        note(delivery, what)
        delivery.gone_at, delivery.progress_at = None, timezone.now()
        delivery.state, delivery.reason, delivery.remedy = DeliveryState.SEQUENCING, "", ""
        delivery.save(
            update_fields=["path", "root", "name", "gone_at", "progress_at", "state", "reason", "remedy"]
        )
        for place, kind in enumerate(STEPS_OF_EVERY_RUN, 1):
            DeliveryStep.objects.get_or_create(delivery=delivery, kind=kind, defaults={"place": place})
        # What failed may have failed because the folder was away.
        must_wait = Q(kind=StepKind.SETTLE) | Q(state__in=(StepState.QUEUED, StepState.FAILED))
        delivery.steps.filter(must_wait).update(state=StepState.WAITING)
        if action:
            after = {"path": path, "state": delivery.state}
            audit.record(action, delivery, rule=WATCHER, before=before, after=after)
    return delivery


_ONE_RUN_ONE_FOLDER = (
    "See which of them holds the run, and move the other out of the incoming folder. "
    "Nothing is done with this one."
)


def _take_identity(delivery: Delivery, reading: RunReading) -> bool:
    """Claim the run for this folder; False where another folder has it."""
    other = _other_claim(delivery, reading)
    if other is None:
        delivery.identity = reading.identity
        delivery.save(update_fields=["identity"])
        return True
    why = f"Two folders claim the run {reading.identity}: this one and {other.path}."
    before = {"state": delivery.state}
    with transaction.atomic():
        set_state(delivery, DeliveryState.CONFLICT, why, _ONE_RUN_ONE_FOLDER)
        if before["state"] != delivery.state:
            after = {"state": delivery.state}
            audit.record(
                "delivery.conflict_found", delivery, rule=WATCHER, before=before, after=after, reason=why
            )
    return False


# Only what a look found is saved: workers and people write the rest at the same time.
_SAID_BY_THE_RUN = ("instrument", "model", "run_number", "flowcell", "date")


def _note_progress(delivery: Delivery, reading: RunReading, now: datetime) -> None:
    """Write what the run says of itself."""
    delivery.instrument, delivery.model = reading.instrument[:100], reading.model
    delivery.run_number, delivery.flowcell, delivery.date = (
        reading.run_number,
        reading.flowcell[:100],
        reading.date,
    )
    cycles = cycles_written(delivery.path)
    if cycles != delivery.cycles:
        delivery.cycles, delivery.progress_at = cycles, now
    reads = reading.run_info.reads if reading.run_info else ()
    delivery.cycles_total = sum(read.cycles for read in reads) or None
    delivery.save(update_fields=[*_SAID_BY_THE_RUN, "cycles", "cycles_total", "progress_at"])


def _state_of(
    delivery: Delivery, reading: RunReading, rules: DeliveryRules, now: datetime
) -> tuple[DeliveryState, str, str]:
    """Whether it is sequencing, stalled, failed or complete."""
    completion = reading.completion
    is_complete = completion is not None and completion.state == "complete"
    is_analysed = _has_ended_its_analysis(delivery.path)
    if delivery.is_forced or (is_complete and is_analysed):
        return DeliveryState.SETTLING, "", ""
    said = completion.message if completion else ""
    if is_complete:
        said = "The instrument has finished sequencing and still analyses the run (Analysis/)."
    if completion and completion.state == "failed":
        return (
            DeliveryState.RUN_FAILED,
            said,
            "Nothing is done with it. If its data is wanted, deliver it by hand.",
        )
    if completion and completion.state == "unknown" and not reading.model:
        return (
            DeliveryState.WAITING,
            said,
            "Look at the instrument, and deliver it by hand when it is complete.",
        )
    quiet = now - delivery.progress_at
    if quiet > timedelta(hours=rules.stall_hours):
        hours = quiet.total_seconds() / 3600
        return (
            DeliveryState.STALLED,
            f"No new cycle for {hours:.0f} hours. {said}",
            ("Look at the instrument. If the run is complete as it is, deliver it by hand."),
        )
    return DeliveryState.SEQUENCING, said, ""


def _has_ended_its_analysis(path: str) -> bool:
    """Whether an instrument that analyses on board has ended; most have none."""
    folder = Path(path)
    return not (folder / "Analysis").is_dir() or onboard_fastqs(folder) is not None


# ---- what is no run, and what is gone ----

Why = tuple[str, str]  # in a sentence, and what a person should do
_NO_RUN = (
    "Nothing in this folder tells of a run: no run folder's name, RunInfo.xml or sample sheet.",
    "Move it out of the incoming folder if it does not belong there. Nothing is done with it.",
)
_NOBODY_KNOWS = ("This folder cannot be read: nobody knows whether there are runs in it.", MAY_BE_READ)
_MOVE_OR_RENAME = "Move it elsewhere, or give it a plain name and place. Nothing is done with it."


def _not_runs(found: Discovery) -> dict[str, Why]:
    """What lies in an incoming folder and is passed over, with the reason, by its path as it is recorded."""
    too_long = [path for path, _skipped in found.runs if len(path) > LONGEST_PATH]
    reasons = {
        **dict.fromkeys(found.without_run, _NO_RUN),
        **dict.fromkeys(found.unreadable, _NOBODY_KNOWS),
        **{path: (f"It {why}.", _MOVE_OR_RENAME) for path, why in found.oddities},
        **dict.fromkeys(too_long, (f"Its path {TOO_LONG}.", _MOVE_OR_RENAME)),
    }
    return {path[:LONGEST_PATH]: why for path, why in reasons.items()}


def _record_unrecognised(path: str, root: str, reason: str, remedy: str) -> None:
    values = {"name": os.path.basename(path)[:LONGEST_NAME], "root": root, "gone_at": None}
    told = {"state": DeliveryState.UNRECOGNISED, "reason": reason, "remedy": remedy}
    delivery, _is_new = Delivery.objects.update_or_create(path=path, defaults=values | told)
    note(delivery, f"Found in {root}: not a run")


def _notice_gone(known: Mapping[str, Delivery], here: Collection[str], unreadable: Sequence[str]) -> None:
    """Say of folders that are no longer there that they are gone; only where the disk itself says so.

    Raises DiskError where a folder above them stands empty: each instrument may have a disk of its own.
    """
    bare = set()
    for path, before in known.items():
        hidden = any(path == place or path.startswith(f"{place}/") for place in unreadable)
        if path in here or hidden or before.gone_at:
            continue
        delivery = Delivery.objects.filter(pk=before.pk, path=path).first()  # it may have been moved
        if delivery is None:
            continue
        if is_gone(path) and _is_missed(delivery) and (empty := _empty_group_above(delivery)):
            bare.add(empty)
        elif is_gone(path):
            _record_gone(delivery)
        elif delivery.state == DeliveryState.UNRECOGNISED:
            delivery.delete()  # runs lie in it now: it is a group of runs
    if bare:
        raise DiskError(
            f"{min(bare)}: it is empty, as a disk is that is not mounted; if it is none, remove it"
        )


def _is_missed(delivery: Delivery) -> bool:
    """Whether somebody waits for what lies there; of what was delivered people may take the folder away."""
    is_a_run = delivery.state not in (DeliveryState.CONFLICT, DeliveryState.UNRECOGNISED)
    return is_a_run and delivery.delivered_at is None


def _empty_group_above(delivery: Delivery) -> str:
    empty = empty_folder_above(delivery.path, delivery.root)
    return "" if empty == delivery.root else empty


def _record_gone(delivery: Delivery) -> None:
    """A run that was delivered stands where it stood: what a copy of it waits for, it waits for more now."""
    before = {"state": delivery.state, "path": delivery.path}
    by_us = _taken_by_clean_up(delivery)
    with transaction.atomic():
        note(delivery, by_us or "The folder is no longer there")
        delivery.steps.filter(state=StepState.QUEUED).update(state=StepState.WAITING)
        delivery.gone_at = timezone.now()
        if delivery.delivered_at is None:
            delivery.state = DeliveryState.GONE
            delivery.reason = "The folder was removed or moved before it was delivered."
            delivery.remedy = "If that was a mistake, put it back: the delivery goes on by itself."
        delivery.save(update_fields=["gone_at", "state", "reason", "remedy"])
        after = {"state": delivery.state, "gone_at": delivery.gone_at.isoformat()}
        audit.record("delivery.gone", delivery, rule=WATCHER, before=before, after=after, reason=by_us)


def _taken_by_clean_up(delivery: Delivery) -> str:
    """How the clean-up took the folder away, if it did: the row of its removal says so before it does."""
    taken = delivery.removals.filter(target=Target.SOURCE, path=delivery.path, state__in=_AWAY)
    state = taken.order_by("-pk").values_list("state", flat=True).first()
    if state is None:
        return ""
    return "Cleaned up" if state == RemovalState.REMOVED else "The folder stands in the clean-up's quarantine"


_AWAY = (RemovalState.QUARANTINED, RemovalState.REMOVING, RemovalState.REMOVED)

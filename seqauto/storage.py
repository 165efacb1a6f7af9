"""What the lab's disks hold and how long they last: free space, what fits, and what waits for room.

Looks at disks go through `disks_now`; pages, which must not wait for a dead one, read what was written of it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from django.db.models import F, IntegerField, Max, Min, Q, TextField, Value, Window
from django.db.models.functions import Cast, RowNumber, Substr
from django.utils import timezone

from sequencing.copying import RESERVE_BYTES, space_needed
from sequencing.copying.places import partial_path

from .delivery_log import log
from .delivery_rules import DeliveryRules, fastqs_name
from .models import Delivery, DeliveryStep, DiskReading
from .models.deliveries import WAITS_FOR_ROOM, DeliveryState, StepKind, StepState

READ_EVERY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system of the lab, known by the first folder named on it; bytes, `free` for SeqAuto's user."""

    path: str
    uses: tuple[str, ...]
    folders: tuple[str, ...]
    device: int
    total: int
    free: int


# ---- free space, now and written down ----


def disks_now(rules: DeliveryRules) -> list[Disk]:
    """Look at the disks of all folders, each once; one that is not there, or does not answer, is left out."""
    by_device: dict[int, list[tuple[str, _Space]]] = {}
    for use, folder in _named(rules):
        if space := _within_seconds(folder):
            by_device.setdefault(space.device, []).append((use, space))
    return [_disk(spaces) for spaces in by_device.values()]


def _named(rules: DeliveryRules) -> list[tuple[str, Path]]:
    """(use, folder) of each folder that the settings name."""
    named = [("incoming", folder) for folder in rules.incoming]
    named += [("backup", rules.backup_dir)] if rules.backup_dir else []
    named += [("FASTQs", rules.fastq_dir)] if rules.fastq_dir else []
    return named + [("archive", root) for root in rules.archive]


class _Space(NamedTuple):
    folder: str
    device: int
    total: int
    free: int


def _disk(spaces: Sequence[tuple[str, _Space]]) -> Disk:
    uses = tuple(dict.fromkeys(use for use, _space in spaces))
    folders = tuple(dict.fromkeys(space.folder for _use, space in spaces))
    first = spaces[0][1]
    return Disk(first.folder, uses, folders, first.device, first.total, first.free)


ANSWERS_WITHIN = 10.0  # seconds
_asked: dict[str, threading.Thread] = {}


def _within_seconds(folder: Path) -> _Space | None:
    """Look at a disk from another thread: a dead archive must not hold up deliveries, which do without it."""
    earlier = _asked.get(str(folder))
    if earlier and earlier.is_alive():
        return None
    answer: list[_Space] = []
    thread = threading.Thread(target=_look_at_space, args=(folder, answer), daemon=True)
    _asked[str(folder)] = thread
    thread.start()
    thread.join(ANSWERS_WITHIN)
    return answer[0] if answer else None


def _look_at_space(folder: Path, answer: list[_Space]) -> None:
    with suppress(OSError):  # told where the folder is needed
        status = os.statvfs(folder)
        total, free = status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize
        answer.append(_Space(str(folder), folder.stat().st_dev, total, free))


def read_disks(rules: DeliveryRules) -> None:
    """Write down what is free four times an hour, and at once where a folder can be read that could not."""
    now = timezone.now()
    recent = list(DiskReading.objects.filter(at__gt=now - READ_EVERY, at__lte=now))
    known = {folder for reading in recent for folder in reading.folders}
    not_read = {str(folder) for _use, folder in _named(rules)} - known
    if recent and not not_read:
        return
    disks = disks_now(rules)
    if not recent or any(not_read.intersection(disk.folders) for disk in disks):
        _write(disks)


def _write(disks: Iterable[Disk]) -> None:
    now = timezone.now()
    DiskReading.objects.bulk_create(
        DiskReading(path=disk.path, folders=list(disk.folders), at=now, total=disk.total, free=disk.free)
        for disk in disks
    )


def read_disks_after(delivery: Delivery, rules: DeliveryRules) -> None:
    """Write down what is free after a run was delivered, in the delivery log too."""
    disks = disks_now(rules)
    _write(disks)
    told = (f"{disk.path} {size_text(disk.free)} of {size_text(disk.total)}" for disk in disks)
    log.info("%s: delivered. Free: %s", delivery.name, ", ".join(told))


def low_space(disk: Disk | DiskReading, percent: float, gigabytes: float) -> str:
    """A warning where less is free than one of the two levels, else "". A level of 0 is off."""
    share = 100 * disk.free / disk.total if disk.total else 0.0
    if share >= percent and disk.free >= gigabytes * 1e9:
        return ""
    return f"{disk.path} is low: {size_text(disk.free)} of {size_text(disk.total)} free ({share:.0f} %)."


def latest_readings() -> list[DiskReading]:
    """The newest reading of each disk that was read within a week, by path; none that is dated ahead."""
    now = timezone.now()
    lately = DiskReading.objects.filter(at__gt=now - timedelta(days=7), at__lte=now).order_by()
    newest = lately.values("path").annotate(newest=Max("at")).values("newest")
    rows = lately.filter(at__in=newest).order_by("at")  # of each disk its own newest comes last
    return sorted({row.path: row for row in rows}.values(), key=lambda row: row.path)


# ---- when a disk is full ----


@dataclass(frozen=True, slots=True)
class Reading:
    at: datetime
    total: int
    free: int


WINDOW = timedelta(days=28)
SHORTEST_SPAN = timedelta(days=1)
FARTHEST = timedelta(days=3650)


def history(path: str, now: datetime, window: timedelta = WINDOW) -> list[Reading]:
    """What was read of one disk, oldest first; of every three hours the least that was free."""
    return histories(now, window, [path]).get(path, [])


def histories(
    now: datetime, window: timedelta = WINDOW, paths: Sequence[str] | None = None
) -> dict[str, list[Reading]]:
    """The history of each disk, or of these, by its path."""
    rows = DiskReading.objects.filter(at__gt=now - window, at__lte=now).order_by()
    rows = rows if paths is None else rows.filter(path__in=paths)
    told = Cast("at", TextField())  # 2026-11-21 06:30:00
    rows = rows.annotate(day=Substr(told, 1, 10), hours=Cast(Substr(told, 12, 2), IntegerField()) / Value(3))
    grouped = rows.values("path", "total", "day", "hours").annotate(last=Max("at"), least=Min("free"))
    known: dict[str, list[Reading]] = {}
    for path, at, total, free in grouped.order_by("last").values_list("path", "last", "total", "least"):
        known.setdefault(path, []).append(Reading(at, total, free))
    return known


def forecast(readings: Iterable[Reading], now: datetime) -> datetime | None:
    """When the disk is full at the pace of the last four weeks; None: not in ten years, or nobody can say.

    The pace is the slope of the straight line that fits best. Readings dated ahead of `now`, and those from
    before the disk was exchanged or enlarged, do not count; a day's history is the least.
    """
    known = sorted((one for one in readings if now - WINDOW <= one.at <= now), key=lambda one: one.at)
    known = [one for one in known if one.total == known[-1].total]
    if not known or known[-1].at - known[0].at < SHORTEST_SPAN:
        return None
    if known[-1].free <= 0:
        return now
    seconds_left = known[-1].free / -slope if (slope := _slope(known)) < 0 else float("inf")
    if seconds_left > FARTHEST.total_seconds():
        return None
    return max(now, known[-1].at + timedelta(seconds=seconds_left))


def _slope(readings: Sequence[Reading]) -> float:
    """Bytes a second, by least squares."""
    times = [(one.at - readings[0].at).total_seconds() for one in readings]
    mean_time = sum(times) / len(times)
    mean_free = sum(one.free for one in readings) / len(readings)
    pairs = zip(times, readings, strict=True)
    rise = sum((time - mean_time) * (one.free - mean_free) for time, one in pairs)
    return rise / sum((time - mean_time) ** 2 for time in times)


# ---- whether the run that is being sequenced fits ----


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run will take when the instrument has finished: `expected` bytes, `to_come` of them still."""

    expected: int
    to_come: int
    source: str

    def fits(self, disk: Disk | DiskReading, *, in_all: bool = False) -> bool:
        """Whether there is room: for what is to come, or `in_all` for a whole copy."""
        return disk.free >= (self.expected if in_all else self.to_come) + RESERVE_BYTES


def outlook(delivery: Delivery, earlier: Delivery | None) -> Outlook | None:
    """How large a run becomes, by its bytes a cycle or those of an earlier run; None: nobody knows."""
    cycles, total = delivery.cycles or 0, delivery.cycles_total
    if not total or cycles > total:
        return None
    if delivery.bytes and cycles:
        expected = delivery.bytes * total // cycles
        return Outlook(expected, max(0, expected - delivery.bytes), "its cycles so far")
    if earlier and earlier.bytes and earlier.cycles_total:
        expected = earlier.bytes * total // earlier.cycles_total
        return Outlook(expected, expected * (total - cycles) // total, f"the size of {earlier.name}")
    return None


def last_finished(deliveries: Collection[Delivery]) -> dict[int, Delivery]:
    """Of each run the last one of the same instrument, else of the same model, whose size is known.

    By the run's key; asked once for all of them.
    """
    alike = Q(instrument__in={one.instrument for one in deliveries} - {""})
    alike |= Q(model__in={one.model for one in deliveries})
    settled = Delivery.objects.filter(alike, complete_at__isnull=False).exclude(bytes=None)
    settled = settled.exclude(cycles_total=None).exclude(pk__in=[one.pk for one in deliveries])
    last_first = Window(
        RowNumber(), partition_by=[F("instrument"), F("model")], order_by=F("complete_at").desc()
    )
    last = list(settled.annotate(place=last_first).filter(place=1).order_by("-complete_at"))
    found = {one.pk: _alike(one, last) for one in deliveries}
    return {pk: earlier for pk, earlier in found.items() if earlier}


def _alike(delivery: Delivery, others: Sequence[Delivery]) -> Delivery | None:
    same = (one for one in others if delivery.instrument and one.instrument == delivery.instrument)
    same_model = (one for one in others if one.model == delivery.model)
    return next(same, None) or next(same_model, None)


# ---- what waits for room ----


@dataclass(slots=True)
class _Need:
    device: int
    folder: str
    bytes: int


class Room:
    """What is free for steps to begin: each that begins takes its share, each at work has its own.

    The disks are looked at once, before the transaction that queues steps.
    """

    def __init__(self, free: Mapping[int, int], needs: Mapping[int, _Need]) -> None:
        self._free, self._needs = dict(free), needs

    def take(self, step: DeliveryStep) -> str:
        """Take a step's share; where there is too little, take nothing and say so, else ""."""
        need = self._needs.get(step.pk)
        if need is None or need.device not in self._free:
            return ""
        free = self._free[need.device]
        if free < need.bytes:
            size = f"{size_text(need.bytes - RESERVE_BYTES)} and a reserve of {size_text(RESERVE_BYTES)}"
            return f"{WAITS_FOR_ROOM}: needs {size}, {size_text(free)} free on {need.folder}"
        self._free[need.device] = free - need.bytes
        return ""


def room_now(rules: DeliveryRules) -> Room:
    """Look at the disks that steps write to, and at what the steps need that may begin or are at work."""
    steps = DeliveryStep.objects.filter(
        kind__in=(StepKind.BACK_UP, StepKind.CONVERT), delivery__root__in=rules.roots
    )
    steps = steps.select_related("delivery").defer("figures", "problems", "traceback")
    waiting = steps.filter(state=StepState.WAITING, delivery__state=DeliveryState.DELIVERING)
    needs = {step.pk: need for step in waiting if (need := _need(step, rules)) is not None}
    free = {need.device: _free(need.folder) for need in needs.values()}
    for step in steps.filter(state__in=(StepState.QUEUED, StepState.RUNNING)) if needs else ():
        if (need := _need(step, rules)) is not None and need.device in free:
            free[need.device] -= need.bytes - RESERVE_BYTES
    return Room(free, needs)


def lacks_room(step: DeliveryStep, rules: DeliveryRules) -> bool:
    """Whether there is too little room for a step, were it alone."""
    need = _need(step, rules)
    return need is not None and _free(need.folder) < need.bytes


def _free(folder: str) -> int:
    """Bytes; where the disk cannot be asked the step itself finds out why."""
    try:
        status = os.statvfs(folder)
    except OSError:
        return 1 << 62
    return status.f_bavail * status.f_frsize


def _need(step: DeliveryStep, rules: DeliveryRules) -> _Need | None:
    """What a step will still write; None where nobody knows, or what it makes stands there already.

    FASTQs take about as much as the run's base calls.
    """
    delivery = step.delivery
    if step.kind == StepKind.BACK_UP:
        folder, inside = rules.backup_dir, delivery.name
    else:
        folder, inside = rules.fastq_dir, f"{delivery.name}/{fastqs_name(delivery.conversion)}"
    if folder is None or delivery.bytes is None or os.path.lexists(folder / inside):
        return None
    try:
        device = folder.stat().st_dev
    except OSError:  # the step says so
        return None
    files = (delivery.files or 0) if step.kind == StepKind.BACK_UP else 0
    size = space_needed(files, delivery.bytes)
    return _Need(device, str(folder), max(0, size - _written(step, folder)) + RESERVE_BYTES)


def _written(step: DeliveryStep, folder: Path) -> int:
    """What the attempt at work, or a killed one, has on the disk already: the next one removes it first.

    A copy tells a byte as half done when it is written, and as done when it was read back.
    """
    if step.kind == StepKind.BACK_UP:
        partial, written = partial_path(folder / step.delivery.name), 2 * step.bytes_done
    else:
        delivery = step.delivery
        partial, written = folder / f".{delivery.name}.{delivery.conversion}.partial", step.bytes_done
    return min(written, step.delivery.bytes or 0) if os.path.lexists(partial) else 0


_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")


def size_text(size: float) -> str:
    """Bytes for people, as disks are sold: 1 TB is 10^12 bytes."""
    unit = 0
    while abs(size) >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 or abs(size) >= 10 else f"{size:.1f} {_UNITS[unit]}"

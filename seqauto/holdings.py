"""What a run holds on this server, and what would be freed when. By the database alone: no disk is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Prefetch, prefetch_related_objects

from .delivery_states import DIFFERS
from .models import Delivery, DeliveryStep, Removal
from .models.clean_up import IN_QUARANTINE, Target
from .models.deliveries import StepKind, StepState


@dataclass(frozen=True, slots=True)
class Holding:
    """Bytes of one run where they belong; None where it has none: not yet, or no longer.

    What stands in quarantine takes its room still, and is told by the removal that put it there.
    """

    source: int | None
    backup: int | None
    fastqs: int | None
    quarantined: Mapping[str, Removal] = field(default_factory=dict)
    is_backup_damaged: bool = False

    def of(self, target: str) -> int | None:
        return {Target.SOURCE: self.source, Target.BACKUP: self.backup, Target.FASTQS: self.fastqs}[
            Target(target)
        ]

    @property
    def bytes(self) -> int:
        in_place = (self.source, self.backup, self.fastqs)
        return sum(size or 0 for size in in_place) + sum(one.bytes for one in self.quarantined.values())


def holding(delivery: Delivery) -> Holding:
    """What one run holds. Of many, use `to_prefetch`."""
    prefetch_related_objects([delivery], _removals())  # a manifest tells every file, and nobody reads it here
    removals = list(delivery.removals.all())
    steps = {step.kind: step for step in delivery.steps.all()}
    quarantined = {one.target: one for one in removals if one.is_in_quarantine}
    backup, made = steps.get(StepKind.BACK_UP), steps.get(StepKind.CONVERT)
    is_damaged = backup is not None and (backup.state, backup.code) == (StepState.FAILED, DIFFERS)
    is_away = bool(delivery.gone_at) or Target.SOURCE in quarantined
    return Holding(
        source=None if is_away else delivery.bytes,
        backup=_count(figures_in(backup).get("bytes"))
        if backup and _stands(backup, removals, Target.BACKUP)
        else None,
        fastqs=_size(made) if made and _stands(made, removals, Target.FASTQS) else None,
        quarantined=quarantined,
        is_backup_damaged=is_damaged,
    )


def to_prefetch() -> tuple[Prefetch, Prefetch]:
    """All that `holding` asks of a delivery."""
    steps = DeliveryStep.objects.order_by("place").defer("problems", "traceback")
    return Prefetch("steps", steps), _removals()


def _removals() -> Prefetch:
    return Prefetch("removals", Removal.objects.defer("manifest", "evidence"))


def _stands(step: DeliveryStep, removals: Iterable[Removal], target: Target) -> bool:
    """Whether what a step made is where it was made."""
    folder = figures_in(step).get("folder")
    is_taken = any(one.target == target and one.took(folder, step.ended_at) for one in removals)
    return has_made(step) and not is_taken


def has_made(step: DeliveryStep) -> bool:
    """Whether it made what its figures tell of, be it proven or damaged since."""
    return step.state == StepState.DONE or step.code == DIFFERS


def _size(made: DeliveryStep) -> int | None:
    files = figures_in(made).get("files")
    if not isinstance(files, list):
        return None
    return sum(_count(one.get("size")) or 0 for one in files if isinstance(one, dict))


# JSON that may be anything, as earlier versions may have written it.


def figures_in(step: DeliveryStep) -> dict[str, Any]:
    """What a step wrote down; nothing where it is not what it should be."""
    return step.figures if isinstance(step.figures, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True)
class Release:
    """Bytes that clean-up would free, and when; those in quarantine are on their way."""

    at: datetime
    delivery: Delivery
    target: Target
    bytes: int
    is_on_its_way: bool = False


def releases(
    deliveries: Iterable[Delivery], when: Callable[[Delivery, Target], datetime | None]
) -> list[Release]:
    """What would be freed when, soonest first; `when` says None where nothing may be removed."""
    found = [
        Release(at, delivery, target, size)
        for delivery in deliveries
        for target in Target
        if (size := holding(delivery).of(target)) and (at := when(delivery, target))
    ]
    return sorted(found, key=_soonest)


def on_their_way(grace_hours: float, is_held: Callable[[Delivery], bool], now: datetime) -> list[Release]:
    """What leaves quarantine for ever when its grace period ends, soonest first."""
    removals = Removal.objects.filter(state__in=IN_QUARANTINE).defer("manifest", "evidence")
    found = []
    for one in removals.select_related("delivery"):
        if one.quarantined_at and not is_held(one.delivery):
            at = max(now, one.quarantined_at + timedelta(hours=grace_hours))
            found.append(Release(at, one.delivery, Target(one.target), one.bytes, is_on_its_way=True))
    return sorted(found, key=_soonest)


def _soonest(one: Release) -> tuple[datetime, int, str]:
    return one.at, one.delivery.pk, one.target

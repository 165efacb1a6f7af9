"""Gives a run back from its backup, and proves that it is what was backed up."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from sequencing.copying import Backup, manifest_path, restore

from . import audit, dates
from .delivery_log import note
from .delivery_rules import DeliveryRules
from .models import Delivery, DeliveryStep
from .models.clean_up import Target
from .models.deliveries import StepKind
from .proving import manifest_difference


class RestoreRefused(Exception):
    """A run that is not restored as things stand; the sentence says why, and what to do."""


def restore_run(
    name: str, folder: Path, rules: DeliveryRules, by: str, progress: Callable[[int, int], None]
) -> Backup:
    """Restore a run into `folder`, under its own name, and write down who did; proven by the manifest.

    What stands there already is never touched. Raises RestoreRefused, CopyProblem.
    """
    step = _backed_up(name)
    _refuse_removed(step)
    destination = folder / step.delivery.name
    _refuse_place(folder, destination, rules)
    backup, manifest = Path(step.figures["folder"]), Path(step.figures["manifest"])
    if manifest != manifest_path(backup):
        raise RestoreRefused(f"{manifest} does not lie beside the backup {backup}.")
    try:
        differ = manifest_difference(step, sha256(manifest.read_bytes()).hexdigest())
    except OSError as error:
        raise RestoreRefused(
            f"{manifest} could not be read: {error.strerror}. Is its disk mounted?"
        ) from error
    if differ:
        raise RestoreRefused(f"{differ} Find the right one first.")
    restored = restore(backup, destination, progress=progress)
    _write_down(step.delivery, restored, by)
    return restored


def _backed_up(name: str) -> DeliveryStep:
    steps = DeliveryStep.objects.filter(kind=StepKind.BACK_UP, delivery__name=name).exclude(figures={})
    found = list(steps.select_related("delivery"))
    if not found:
        raise RestoreRefused(f"No backup of a run {name} is known.")
    folders = {step.figures["folder"] for step in found}
    if len(folders) > 1:
        raise RestoreRefused(f"Several backups are known of {name}: {', '.join(sorted(folders))}.")
    return found[0]


def _refuse_removed(step: DeliveryStep) -> None:
    """Where clean-up took the backup away: when, and where that is told."""
    removals = (
        step.delivery.removals.filter(target=Target.BACKUP).order_by("-pk").defer("manifest", "evidence")
    )
    taken = next((one for one in removals if one.took(step.figures["folder"], step.ended_at)), None)
    if taken and taken.is_in_quarantine:
        raise RestoreRefused(
            f"Its backup stands in quarantine, removal {taken.pk}. Put it back first: see Safe to delete."
        )
    if taken:
        day = f" on {dates.day(timezone.localtime(taken.ended_at))}" if taken.ended_at else ""
        raise RestoreRefused(f"Its backup was removed by clean-up{day}: certificate {taken.pk}.")


def _refuse_place(folder: Path, destination: Path, rules: DeliveryRules) -> None:
    """Where SeqAuto finds or keeps runs, a restored one would be delivered again, or be in the way."""
    if not folder.is_dir():
        raise RestoreRefused(f"{folder} is not there. Make it first, on a disk with room for the run.")
    place = folder.resolve()
    named = [("incoming folder", other) for other in rules.incoming]
    named += [("backup folder", rules.backup_dir)] if rules.backup_dir else []
    named += [("FASTQ folder", rules.fastq_dir)] if rules.fastq_dir else []
    for what, other in named:
        if other.resolve() in (place, *place.parents):
            raise RestoreRefused(f"{folder} lies inside the {what} {other}. Choose another place.")
    if destination.is_symlink() or destination.exists():
        raise RestoreRefused(f"{destination} is there already; nothing was touched. Choose another place.")


def _write_down(delivery: Delivery, restored: Backup, by: str) -> None:
    with transaction.atomic():
        note(delivery, f"Restored to {restored.folder}, proven equal to its manifest", reason=by)
        manifest = restored.manifest
        after = {"folder": str(restored.folder), "files": manifest.files, "bytes": manifest.bytes}
        audit.record("run.restored", delivery, rule=by, after=after)

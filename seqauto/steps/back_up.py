"""Back up: a verified copy of the whole run, with its manifest beside it."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

from sequencing.copying import copy_verified, manifest_path

from ..delivery_rules import DeliveryRules
from ..delivery_work import Work
from .common import lab_folder, step_problems


def back_up(work: Work, rules: DeliveryRules) -> dict[str, Any]:
    """Copy the whole run, prove the copy, and leave the manifest beside it."""
    folder = lab_folder(rules.backup_dir, "backup folder", "SEQAUTO_BACKUP_DIR")
    destination = folder / _name(work)
    with step_problems():
        backup = copy_verified(
            Path(work.delivery.path),
            destination,
            algorithm=rules.backup_hash,
            progress=lambda done, total: work.progress(done // 2, total // 2),  # each byte counts twice there
            stop=work.must_stop,
        )
    return {
        "folder": str(destination),
        "run_listing": work.seen,
        "manifest": str(manifest_path(destination)),
        "manifest_sha256": sha256(manifest_path(destination).read_bytes()).hexdigest(),
        "files": backup.manifest.files,
        "bytes": backup.manifest.bytes,
        "algorithm": backup.manifest.algorithm,
        "verified_at": backup.read_back_at.isoformat(),
        "verified_stamp": backup.stamp,
        "already_there": backup.already_there,
        "remarks": list(backup.remarks),
    }


def _name(work: Work) -> str:
    """The backup's name: the run's own; of a run that changed after its backup, the next number.

    An older copy is never touched, and one that this delivery did not make is a conflict.
    """
    before = work.step.figures
    if not before:
        return work.delivery.name
    name = Path(before["folder"]).name
    if before.get("run_listing", work.seen) == work.seen:
        return name
    number = name.removeprefix(work.delivery.name).removeprefix("_")
    return f"{work.delivery.name}_{int(number) + 1 if number.isdecimal() else 2}"

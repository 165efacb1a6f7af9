"""What the database holds of all runs, as far as every scan needs it: one row read a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from .models import SequencingRun


@dataclass(slots=True)
class KnownRun:
    pk: int
    path: str
    identity: str | None
    fingerprint: str
    state: str
    is_legacy: bool
    files_total: int

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


def known_runs() -> list[KnownRun]:
    fields = KnownRun.__slots__
    return [KnownRun(*row) for row in SequencingRun.objects.order_by("path").values_list(*fields)]


def lies_under(path: str, folders: Iterable[str]) -> bool:
    """Whether a path is one of the folders or lies below one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)

"""Whether an instrument says that its run is complete."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

MARKERS: Mapping[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True)
class Completion:
    """What the marker files of a run say. Never proof that all its data arrived: see the settling of a run."""

    state: Literal["complete", "running", "failed", "unknown"]
    present: tuple[str, ...]
    missing: tuple[str, ...]
    message: str


def completion(
    model: str,
    names: Collection[str],
    run_completion_status: bytes | None = None,
    markers: Mapping[str, tuple[str, ...]] = MARKERS,
) -> Completion:
    """Return what the marker files (base names) of a run on this model of instrument say."""
    raise NotImplementedError

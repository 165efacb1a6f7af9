"""How many reads each sample got: figures of demultiplexing, whatever converter counted them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

MOST_UNKNOWN = 20  # unknown indexes that are kept a lane


@dataclass(frozen=True, slots=True)
class SampleReads:
    """Reads (clusters that pass the filter; a pair counts once) of a sample in a lane, None: all lanes.

    `perfect` and `one_mismatch` are None where the converter does not tell.
    """

    lane: int | None
    project: str
    sample_id: str
    index: str
    reads: int
    perfect: int | None = None
    one_mismatch: int | None = None


@dataclass(frozen=True, slots=True)
class LaneReads:
    lane: int | None
    reads: int


@dataclass(frozen=True, slots=True)
class UnknownIndex:
    """Indexes of no sample, as they were read, and how many clusters have them."""

    lane: int | None
    index: str
    index2: str
    reads: int


@dataclass(frozen=True, slots=True)
class DemultiplexFigures:
    """Reads of each sample, of no sample, and the most frequent unknown indexes.

    `notes` say what the converter did not tell.
    """

    samples: tuple[SampleReads, ...] = ()
    undetermined: tuple[LaneReads, ...] = ()
    unknown: tuple[UnknownIndex, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return sum(one.reads for one in self.samples) + sum(one.reads for one in self.undetermined)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DemultiplexFigures:
        return cls(
            tuple(SampleReads(**one) for one in data["samples"]),
            tuple(LaneReads(**one) for one in data["undetermined"]),
            tuple(UnknownIndex(**one) for one in data["unknown"]),
            tuple(data["notes"]),
        )


def joined(parts: Iterable[DemultiplexFigures]) -> DemultiplexFigures:
    """The figures of several lanes as those of one conversion."""
    parts = list(parts)
    return DemultiplexFigures(
        tuple(one for part in parts for one in part.samples),
        tuple(one for part in parts for one in part.undetermined),
        tuple(one for part in parts for one in part.unknown),
        tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def most_frequent(unknown: Iterable[UnknownIndex]) -> tuple[UnknownIndex, ...]:
    """At most MOST_UNKNOWN a lane, the most frequent first."""
    kept: dict[int | None, list[UnknownIndex]] = {}
    for one in sorted(unknown, key=lambda one: (-one.reads, one.index, one.index2)):
        of_lane = kept.setdefault(one.lane, [])
        if len(of_lane) < MOST_UNKNOWN:
            of_lane.append(one)
    return tuple(one for lane in sorted(kept, key=lambda lane: lane or 0) for one in kept[lane])

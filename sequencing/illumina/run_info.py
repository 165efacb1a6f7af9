"""RunInfo.xml: what the instrument says of its run."""

from __future__ import annotations

import datetime
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Read:
    """One read of a run: its number from 1, its length in cycles, and whether it reads an index."""

    number: int
    cycles: int
    is_index: bool
    is_reverse_complement: bool = False


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The content of RunInfo.xml. Texts are as written, "" where absent; counts are None where absent."""

    run_id: str
    run_number: int | None
    run_number_text: str
    flowcell: str
    instrument: str
    date: datetime.date | None
    date_text: str
    reads: tuple[Read, ...]
    lane_count: int | None
    surface_count: int | None = None
    swath_count: int | None = None
    tile_count: int | None = None
    sections_per_lane: int | None = None
    tile_name_count: int | None = None
    xml_version: str = ""


def parse_run_info(data: bytes) -> RunInfo:
    """Return the content of a RunInfo.xml; raise RunInfoError where it cannot be read."""
    raise NotImplementedError

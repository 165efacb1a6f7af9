"""The name of a run folder, and which instrument wrote it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class RunName:
    """The parts of a run folder's name. A hint only: RunInfo.xml is the truth.

    `position` is the side of the instrument, "" where it has only one; `prefix` and `suffix` are what a
    lab added before and after, without the joining underscore.
    """

    prefix: str
    date: datetime.date
    date_text: str
    instrument: str
    run_number: int
    position: Literal["A", "B", ""]
    flowcell: str
    suffix: str


def parse_run_name(name: str) -> RunName | None:
    """Return the parts of a run folder's base name, or None where it is no run folder's name."""
    raise NotImplementedError


def instrument_model(serial: str) -> str:
    """Return the model of an instrument by its serial number, such as "NextSeq 500"; "" where unknown."""
    raise NotImplementedError

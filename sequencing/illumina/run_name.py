"""The name of a run folder, and which instrument wrote it."""

from __future__ import annotations

import datetime
import re
from typing import Literal, NamedTuple

from .dates import parse_date

LONGEST_NAME = 255

_NAME = re.compile(
    r"(?:(?P<prefix>.+?)[_. -])??(?P<date>20[0-9]{6}|[0-9]{6})"
    r"_(?P<instrument>[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*)"
    r"_(?P<run_number>[0-9]{1,6})"
    r"_(?P<flowcell>[A-Za-z0-9]+(?:-[A-Z0-9]+(?![a-z]))?)"
    r"(?:[_. -]+(?P<suffix>.*))?"
)
# Serial numbers by their beginning. HWI-… are older serial numbers of the same instruments.
_MODELS = {
    "M": "MiSeq",
    "HWI-M": "MiSeq",
    "MN": "MiniSeq",
    "SH": "MiSeq i100",
    "FS": "iSeq 100",
    "NS": "NextSeq 500/550",
    "NB": "NextSeq 500/550",
    "NDX": "NextSeq 500/550",
    "VH": "NextSeq 1000/2000",
    "VL": "NextSeq 1000/2000",
    "SN": "HiSeq 2000/2500",
    "D": "HiSeq 2000/2500",
    "C": "HiSeq 2000/2500",
    "HWI-ST": "HiSeq 2000/2500",
    "HWI-D": "HiSeq 2000/2500",
    "HWI-C": "HiSeq 2000/2500",
    "J": "HiSeq 3000/4000",
    "K": "HiSeq 3000/4000",
    "ST-K": "HiSeq 3000/4000",
    "E": "HiSeq X",
    "ST-E": "HiSeq X",
    "A": "NovaSeq 6000",
    "LH": "NovaSeq X",
}
_PREFIXES = sorted(_MODELS, key=len, reverse=True)
_TWO_SIDED = frozenset(
    {
        "NextSeq 500/550",
        "MiniSeq",
        "HiSeq 2000/2500",
        "HiSeq 3000/4000",
        "HiSeq X",
        "NovaSeq 6000",
        "NovaSeq X",
    }
)


class RunName(NamedTuple):
    """The parts of a run folder's name. A hint only: RunInfo.xml is the truth.

    `position` is the side of the instrument, "" where it has only one; `prefix` and `suffix` are what a
    lab added before and after, without the joining sign.
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
    if len(name) > LONGEST_NAME or not (match := _NAME.fullmatch(name)):
        return None
    if not (date := parse_date(match["date"])):
        return None
    position, flowcell = _split_position(match["instrument"], match["flowcell"])
    return RunName(
        prefix=match["prefix"] or "",
        date=date,
        date_text=match["date"],
        instrument=match["instrument"],
        run_number=int(match["run_number"]),
        position=position,
        flowcell=flowcell,
        suffix=match["suffix"] or "",
    )


def instrument_model(serial: str) -> str:
    """Return the model of an instrument by its serial number, such as "NextSeq 500/550"; "" where unknown.

    The longest beginning counts, so that MN00123 is a MiniSeq and no MiSeq. Labs rename instruments: then "".
    """
    for prefix in _PREFIXES:
        if serial.startswith(prefix) and serial[len(prefix) : len(prefix) + 1].isdecimal():
            return _MODELS[prefix]
    return ""


def _split_position(instrument: str, flowcell: str) -> tuple[Literal["A", "B", ""], str]:
    """Split the side from the flow cell: AH3KLMBGXX is side A; a NextSeq 2000's AACNL3GM5 has no side."""
    model = instrument_model(instrument)
    if (model and model not in _TWO_SIDED) or "-" in flowcell or len(flowcell) < 9:
        return "", flowcell
    if flowcell[0] == "A":
        return "A", flowcell[1:]
    if flowcell[0] == "B":
        return "B", flowcell[1:]
    return "", flowcell

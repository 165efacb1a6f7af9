"""Counts the cycles that an instrument has written so far. Reads only."""

from __future__ import annotations

import os
import re

_BASE_CALLS = "Data/Intensities/BaseCalls"
_LANE = re.compile(r"L\d{3}").fullmatch
# HiSeq, MiSeq, NovaSeq: a folder a cycle, C12.1; NextSeq 500, MiniSeq: a file a cycle, 0012.bcl.bgzf.
_CYCLE = re.compile(r"C(\d{1,4})\.\d|(\d{4})\.bcl(?:\.bgzf|\.gz)?").fullmatch


def cycles_written(run_folder: str) -> int | None:
    """The last cycle of the first lane; None where there are no base calls, or none that can be read."""
    base_calls = os.path.join(run_folder, _BASE_CALLS)
    try:
        lanes = sorted(filter(_LANE, os.listdir(base_calls)))
        names = os.listdir(os.path.join(base_calls, lanes[0])) if lanes else []
    except OSError:
        return None
    cycles = [int(match[1] or match[2]) for match in map(_CYCLE, names) if match]
    return max(cycles, default=None)

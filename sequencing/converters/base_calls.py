"""Which base calls lie in a run folder: their lanes, and whether Picard can read them. Looks only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .picard import USE_BCL_CONVERT
from .problems import ConversionProblem

_LANE = re.compile(r"L00([1-9])").fullmatch


def lanes_on_disk(run_folder: Path) -> tuple[int, ...]:
    """The lanes that have base calls."""
    try:
        names = [path.name for path in _base_calls(run_folder).iterdir() if path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(sorted(int(match[1]) for name in names if (match := _LANE(name))))


def refuse_what_picard_cannot_read(run_folder: Path, lanes: Iterable[int]) -> None:
    """Raise ConversionProblem where the base calls are in a form that Picard cannot read.

    CBCL (NovaSeq, NextSeq 1000/2000) needs `s.locs`, NextSeq 500's `.bcl.bgzf` a `.bci` beside each cycle.
    """
    for lane in lanes:
        folder = _base_calls(run_folder) / f"L{lane:03d}"
        if not folder.is_dir():
            sentence = f"{folder} is not there: the run has no base calls of lane {lane}."
            remedy = "Check that the run was copied whole and that the sheet names the right lanes."
            raise ConversionProblem("cannot_convert", sentence, remedy)
        if _has(folder, "C*/*.cbcl") and not (_base_calls(run_folder).parent / "s.locs").exists():
            sentence = f"Picard cannot convert CBCL files without s.locs: {folder}."
            raise ConversionProblem("cannot_convert", sentence, USE_BCL_CONVERT)
        if _has(folder, "*.bcl.bgzf") and not _has(folder, "*.bci"):
            sentence = f"Picard cannot convert .bcl.bgzf files without .bci files: {folder}."
            raise ConversionProblem("cannot_convert", sentence, USE_BCL_CONVERT)


def _has(folder: Path, pattern: str) -> bool:
    return next(folder.glob(pattern), None) is not None


def _base_calls(run_folder: Path) -> Path:
    return run_folder / "Data" / "Intensities" / "BaseCalls"

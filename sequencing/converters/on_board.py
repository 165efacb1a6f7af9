"""FASTQs that the instrument made itself: NovaSeq X and its like demultiplex on board."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MARKER = "Secondary_Analysis_Complete.txt"


@dataclass(frozen=True, slots=True)
class OnBoard:
    """The newest analysis of the instrument, and the folder of its FASTQs."""

    analysis: int
    folder: Path


def onboard_fastqs(run_folder: Path) -> OnBoard | None:
    """Return the FASTQs of the run's newest analysis (highest n of Analysis/<n>) where it is complete.

    None where there is none, where the newest is not complete, or where it made no FASTQs. Links are not
    followed: what lies elsewhere is not the run's.
    """
    analyses = _folders(run_folder / "Analysis") if "Analysis" in _folders(run_folder) else []
    numbers = [int(name) for name in analyses if name.isascii() and name.isdigit()]
    if not numbers:
        return None
    newest = max(numbers)
    analysis = run_folder / "Analysis" / str(newest)
    data = analysis / "Data"
    if "Data" not in _folders(analysis) or not any(_is_file(place / MARKER) for place in (data, analysis)):
        return None
    folder = next(_fastq_folders(data), None)
    return OnBoard(newest, folder) if folder else None


def _fastq_folders(data: Path) -> Iterator[Path]:
    """Data/BCLConvert/fastq first, then any folder called fastq below Data."""
    found = [Path(parent) / "fastq" for parent, folders, _files in os.walk(data) if "fastq" in folders]
    usual = data / "BCLConvert" / "fastq"
    for folder in sorted(found, key=lambda folder: (folder != usual, folder)):
        if not folder.is_symlink():
            yield folder


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()

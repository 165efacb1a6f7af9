"""Which file lives where in a run folder, on an instrument's disk and in an archive."""

from __future__ import annotations

import re
from typing import NamedTuple


class FoundFile(NamedTuple):
    """A file that was found: its path inside the run folder ("/" between parts), bytes, and mtime in ns."""

    path: str
    size: int
    mtime_ns: int


FASTQ_SUFFIXES = (".fastq.gz", ".fq.gz", ".fastq.ora", ".fastq", ".fq")
# Every file type that a scan records, by the ends of its names. A new type is an entry here and one in
# sequencing.expected.FILE_TYPES.
SUFFIXES: dict[str, tuple[str, ...]] = {"fastq": FASTQ_SUFFIXES}
_ALL_SUFFIXES = tuple(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)

# The case varies between instruments, even of one model.
METADATA_NAMES = {
    "RunInfo.xml": "run_info",
    "RunParameters.xml": "run_parameters",
    "runParameters.xml": "run_parameters",
    "RTAComplete.txt": "marker",
    "RTAComplete.xml": "marker",
    "CopyComplete.txt": "marker",
    "RunCompletionStatus.xml": "marker",
    "SequenceComplete.txt": "marker",
    "SequencingComplete.txt": "marker",
    "Secondary_Analysis_Complete.txt": "marker",
    "FastqComplete.txt": "marker",
}

# Folders in which no FASTQ and no metadata can lie, however many files they hold.
_PRUNED_NAMES = frozenset({"InterOp", "Thumbnail_Images", "RTALogs", "PeriodicSaveRates"})
_PRUNED_PATHS = frozenset({"Images", "Data/reports", "Data/Status_Files", "Data/TileStatus"})
_LANE_OR_CYCLE = re.compile(r"L\d{3}|C\d{1,4}\.\d").fullmatch
_BASE_CALLS = ("Intensities", "BaseCalls")


def kind_of_file(name: str) -> str | None:
    """Return what a file is by its base name: a file type, a kind of metadata, "marker", or None.

    Called for every file of a walk, so that most names must be told apart by their ends alone.
    """
    if name.endswith(_ALL_SUFFIXES):
        # AppleDouble and rsync leave "._x.fastq.gz" and ".x.fastq.gz.Ab12" beside the real file.
        return None if name[0] == "." else _file_type(name)
    if name[-4:] not in _METADATA_ENDS:
        return None
    return METADATA_NAMES.get(name) or _sheet_or_marker(name.lower())


_METADATA_ENDS = frozenset({".xml", ".txt", ".csv", ".CSV", ".Csv"})


def _file_type(name: str) -> str:
    return next(kind for kind, suffixes in SUFFIXES.items() if name.endswith(suffixes))


def _sheet_or_marker(lower_name: str) -> str | None:
    if lower_name.startswith("samplesheet") and lower_name.endswith(".csv"):
        return "sample_sheet"
    if lower_name.startswith("basecalling_netcopy_complete") and lower_name.endswith(".txt"):
        return "marker"
    return None


def is_pruned(path_in_run: str) -> bool:
    """Whether a folder (path inside the run) is not worth walking: base calls, images, and the like."""
    parent, _, name = path_in_run.rpartition("/")
    if name in _PRUNED_NAMES or path_in_run in _PRUNED_PATHS:
        return True
    # Data/Intensities/L001 holds positions, BaseCalls/L001 base calls; a project may be called L001 elsewhere.
    return bool(_LANE_OR_CYCLE(name)) and parent.endswith(_BASE_CALLS)

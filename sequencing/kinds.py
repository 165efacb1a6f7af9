"""What a file of a run folder is by its name, which folders are worth walking, and which metadata counts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


class FoundFile(NamedTuple):
    """A file that was found: its path inside the run folder ("/" between parts), bytes, and mtime in ns."""

    path: str
    size: int
    mtime_ns: int


class FileType(NamedTuple):
    """A type of file that scans record. `FILE_TYPES` is the one place where a type is added.

    `pattern` says where its files are expected, inside the run folder; the fields used there (see FIELDS) say
    whether that is one file a run, a sample, a lane or a read. Without a pattern they are the run's FASTQs.
    """

    name: str
    label: str
    suffixes: tuple[str, ...]
    pattern: str = ""


FILE_TYPES: dict[str, FileType] = {
    file_type.name: file_type
    for file_type in (
        FileType("fastq", "FASTQ", (".fastq.gz", ".fq.gz", ".fastq.ora", ".fastq.bz2", ".fastq", ".fq")),
    )
}

_TYPE_BY_SUFFIX = {suffix: kind.name for kind in FILE_TYPES.values() for suffix in kind.suffixes}
_SUFFIX_LENGTHS = tuple(dict.fromkeys(map(len, _TYPE_BY_SUFFIX)))
_METADATA_ENDS = frozenset({".xml", ".txt", ".csv", ".CSV", ".Csv"})
# The case varies between instruments, even of one model.
_METADATA_NAMES = {
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
    for length in _SUFFIX_LENGTHS:
        if file_type := _TYPE_BY_SUFFIX.get(name[-length:]):
            # macOS leaves "._x.fastq.gz", and copying programs ".x.fastq.gz", beside the real file.
            return None if name[0] == "." else file_type
    if name[-4:] not in _METADATA_ENDS:
        return None
    return _METADATA_NAMES.get(name) or _sheet_or_marker(name.lower())


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
    # Intensities/L001 holds positions, BaseCalls/L001 base calls; elsewhere a project may be called L001.
    return bool(_LANE_OR_CYCLE(name)) and parent.endswith(_BASE_CALLS)


def choose_metadata(files: Iterable[FoundFile]) -> FoundFile | None:
    """Return the file of one kind that counts for the run, None where there is none; the others are ignored.

    A sheet called exactly SampleSheet.csv comes first, then what lies nearest to the run folder. BCL Convert
    leaves copies of its input under Reports/, which come last. Among equals the newest counts.
    """
    return min(files, key=_metadata_rank, default=None)


def _metadata_rank(file: FoundFile) -> tuple[bool, bool, int, int, str]:
    *folders, name = file.path.split("/")
    is_another_sheet = name.lower().startswith("samplesheet") and name != "SampleSheet.csv"
    return is_another_sheet, "Reports" in folders, len(folders), -file.mtime_ns, file.path

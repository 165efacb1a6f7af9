"""What a run folder says of itself: its name and metadata files, read once into values. Pure.

`read` gives the bytes of a file by its path inside the run folder, or raises OSError; all else is a value.
What cannot be read becomes a problem beside the rest, never an end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TypeVar

from .illumina.completion import MARKERS, Completion, completion
from .illumina.errors import FormatError, Problem
from .illumina.run_info import RunInfo, parse_run_info
from .illumina.run_name import RunName, instrument_model, parse_run_name
from .illumina.run_parameters import RunParameters, parse_run_parameters
from .illumina.sample_sheet import SampleSheet, parse_sample_sheet
from .layout import FoundFile, choose_metadata

# Instruments run for 5 to 60 hours; a RunInfo.xml older than this belongs to no run in progress.
LONGEST_RUN = timedelta(days=7)
CLOCK_TOLERANCE = timedelta(hours=1)  # an instrument's clock may be ahead; a year ahead is no run today
LONGEST_IDENTITY = 255
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SheetFile:
    """A sample sheet as it lies in the run folder, and as it was understood."""

    path: str
    content: bytes
    sheet: SampleSheet


@dataclass(slots=True)
class RunReading:
    """All that a run folder says. `problems` are (path of the file inside the run, problem)."""

    folder_name: str
    name: RunName | None
    run_info: RunInfo | None = None
    run_parameters: RunParameters | None = None
    sheet: SheetFile | None = None
    completion: Completion | None = None
    is_sequencing: bool = False
    problems: list[tuple[str, Problem]] = field(default_factory=list)

    # RunInfo.xml is the truth, the other files and the folder's name are hints.
    @property
    def instrument(self) -> str:
        sources = (self.run_info, self.run_parameters, self.name)
        return next((source.instrument for source in sources if source and source.instrument), "")

    @property
    def model(self) -> str:
        return instrument_model(self.instrument)

    @property
    def run_number(self) -> int | None:
        if self.run_info and self.run_info.run_number is not None:
            return self.run_info.run_number
        return self.name.run_number if self.name else None

    @property
    def flowcell(self) -> str:
        return (self.run_info and self.run_info.flowcell) or (self.name.flowcell if self.name else "")

    @property
    def date(self) -> date | None:
        return (self.run_info and self.run_info.date) or (self.name.date if self.name else None)

    @property
    def identity(self) -> str:
        """What makes two folders one run: instrument, run number and flow cell, else the folder's name."""
        if self.instrument and self.run_number is not None and self.flowcell:
            return f"{self.instrument}_{self.run_number}_{self.flowcell}"[:LONGEST_IDENTITY]
        return f"folder {self.folder_name}"[:LONGEST_IDENTITY]


def read_run(
    folder_name: str,
    files: Mapping[str, Sequence[FoundFile]],
    read: Callable[[str], bytes],
    *,
    now: datetime,
    markers: Mapping[str, Sequence[str]] | None = None,
    other_names: Collection[str] = (),
) -> RunReading:
    """Read the metadata of a run folder from its files by kind (`layout.kind_of_file`).

    `other_names` stand in the run folder too: a lab's own markers are among them.
    """
    reading = RunReading(folder_name, parse_run_name(folder_name))
    reading.run_info = _parse(reading, files, read, "run_info", parse_run_info)
    reading.run_parameters = _parse(reading, files, read, "run_parameters", parse_run_parameters)
    reading.sheet = _read_sheet(reading, files, read)
    reading.completion = _completion(reading, files, read, markers, other_names)
    is_young = _is_young(files, now)
    reading.is_sequencing = is_young and not files.get("fastq") and reading.completion.state != "complete"
    if reading.completion.state == "running" and not is_young:
        reading.completion = replace(reading.completion, state="unknown", message=_MARKERS_NOT_KEPT)
    return reading


# Archived runs often keep no markers, so that their absence says something of young runs only.
_MARKERS_NOT_KEPT = "The run is too old to be still in progress; its markers of completion were not kept."


def _parse(
    reading: RunReading,
    files: Mapping[str, Sequence[FoundFile]],
    read: Callable[[str], bytes],
    kind: str,
    parse: Callable[[bytes], T],
) -> T | None:
    file = choose_metadata(files.get(kind, ()))
    if file is None:
        return None
    try:
        return parse(read(file.path))
    except FormatError as error:
        reading.problems += [(file.path, problem) for problem in error.problems]
    except OSError as error:
        reading.problems.append((file.path, _unreadable(error)))
    return None


def _read_sheet(
    reading: RunReading, files: Mapping[str, Sequence[FoundFile]], read: Callable[[str], bytes]
) -> SheetFile | None:
    file = choose_metadata(files.get("sample_sheet", ()))
    if file is None:
        return None
    try:
        content = read(file.path)
    except OSError as error:
        reading.problems.append((file.path, _unreadable(error)))
        return None
    sheet = parse_sample_sheet(content)
    reading.problems += [(file.path, problem) for problem in sheet.problems]
    return SheetFile(file.path, content, sheet)


def _completion(
    reading: RunReading,
    files: Mapping[str, Sequence[FoundFile]],
    read: Callable[[str], bytes],
    markers: Mapping[str, Sequence[str]] | None,
    other_names: Collection[str],
) -> Completion:
    found = {file.path.rpartition("/")[2]: file for file in files.get("marker", ())}
    status = None
    if "RunCompletionStatus.xml" in found:
        try:
            status = read(found["RunCompletionStatus.xml"].path)
        except OSError as error:
            reading.problems.append((found["RunCompletionStatus.xml"].path, _unreadable(error)))
    theirs = {model: tuple(names) for model, names in (markers or {}).items()}
    return completion(reading.model, {*found, *other_names}, status, {**MARKERS, **theirs})


def _is_young(files: Mapping[str, Sequence[FoundFile]], now: datetime) -> bool:
    """Whether the instrument may still be writing, by the age of the RunInfo.xml that it wrote first."""
    top = [file for file in files.get("run_info", ()) if "/" not in file.path]
    if not top:
        return False
    age = now.timestamp() - top[0].mtime_ns / 1e9
    return -CLOCK_TOLERANCE.total_seconds() < age < LONGEST_RUN.total_seconds()


def _unreadable(error: OSError) -> Problem:
    return Problem(
        "error",
        "unreadable_file",
        f"The file cannot be read: {error.strerror}",
        "Give the account that runs SeqAuto leave to read it, then scan again.",
    )

"""What is wrong with a run folder: its names and places, its metadata, its sheet, its files. Pure.

A scan tells it as messages, `explain_run` as it stands.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from .compare import Comparison
from .illumina.errors import Problem
from .reading import RunReading
from .sheet_and_run import problems_of_sheet_on_run

FileProblem = tuple[str, Problem]
"""The path inside the run folder that a problem is about ("": the run as a whole), and the problem."""

_NO_RUN_INFO = Problem(
    "warning",
    "no_run_info",
    "There is no RunInfo.xml: instrument and flow cell come from the folder's name, reads and lanes from the "
    "FASTQs found",
    "Copy RunInfo.xml from the instrument's run folder.",
)
_NO_RUN_PARAMETERS = Problem(
    "warning",
    "no_run_parameters",
    "There is no RunParameters.xml, so the experiment's name is not known",
    "Copy RunParameters.xml from the instrument's run folder, if the name is wanted.",
)
_NO_SAMPLE_SHEET = Problem(
    "error",
    "no_sample_sheet",
    "There is no SampleSheet.csv, so nobody knows which FASTQs to expect",
    "Put the run's sample sheet into the run folder as SampleSheet.csv.",
)
_NO_RUN_NAME = Problem(
    "warning",
    "no_run_name",
    "This is not named like a run folder: <date>_<instrument>_<run number>_<flow cell>",
    "Give the name that the instrument gave it.",
)


def problems_of_run(
    reading: RunReading,
    kinds: Collection[str],
    comparison: Comparison,
    *,
    unreadable: Iterable[str] = (),
    oddities: Iterable[Sequence[str]] = (),
) -> list[FileProblem]:
    """Return all that a run folder itself gives reason to say, without its history.

    `kinds` are those of the files found there (`layout.kind_of_file`); `unreadable`, `oddities` (path, why)
    are what the walk could not read or passed over: one problem a path, whose message goes on from the path.
    """
    return [
        *_places(unreadable, oddities),
        *_absent(reading, kinds),
        *reading.problems,
        *_sheet_on_run(reading),
        *_completion(reading),
        *(("", problem) for problem in comparison.problems),
        *_missing(reading, comparison),
    ]


def _places(unreadable: Iterable[str], oddities: Iterable[Sequence[str]]) -> Iterator[FileProblem]:
    reasons = {path: why for path, why in oddities}  # noqa: C416 (dict() takes pairs only)
    for path in unreadable:
        if path not in reasons:  # a name that cannot be read is an oddity first
            message = "could not be read; the files there were not checked"
            remedy = "Give the account that runs SeqAuto leave to read it."
            yield path, Problem("error", "unreadable_folder", message, remedy)
    for path, reason in reasons.items():
        remedy = "It was passed over. Rename it or put a real file in its place if it matters."
        yield path, Problem("warning", "passed_over", reason, remedy)


def _absent(reading: RunReading, kinds: Collection[str]) -> Iterator[FileProblem]:
    if reading.name is None and reading.run_info is None:
        yield "", _NO_RUN_NAME
    if "run_info" not in kinds:
        yield "", _NO_RUN_INFO
    if "run_parameters" not in kinds and not reading.is_sequencing:
        yield "", _NO_RUN_PARAMETERS
    if "sample_sheet" not in kinds:
        yield "", _NO_SAMPLE_SHEET


def _sheet_on_run(reading: RunReading) -> Iterator[FileProblem]:
    if reading.sheet and reading.run_info:
        for problem in problems_of_sheet_on_run(reading.sheet.sheet, reading.run_info):
            yield reading.sheet.path, problem


def _completion(reading: RunReading) -> Iterator[FileProblem]:
    if reading.completion and reading.completion.state == "failed":
        remedy = "Flag the run as bad if its data must not be used."
        yield "RunCompletionStatus.xml", Problem("error", "run_failed", reading.completion.message, remedy)


def _missing(reading: RunReading, comparison: Comparison) -> Iterator[FileProblem]:
    missing = comparison.files_expected - comparison.files_found - len(comparison.not_checked)
    if missing > 0 and not reading.is_sequencing:
        message = f"{missing} of {comparison.files_expected} expected files are not there"
        remedy = "Copy them to where they are expected, or correct the sample sheet."
        yield "", Problem("warning", "files_missing", message, remedy)

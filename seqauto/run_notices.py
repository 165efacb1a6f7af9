"""What a scan tells people of one run: each thing with its place and what to do about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sequencing.compare import Comparison
from sequencing.illumina.errors import Problem
from sequencing.reading import RunReading

from .messages import Notice, from_problems
from .scan_lists import RootReport, RunEntry


def run_notices(entry: RunEntry, reading: RunReading, comparison: Comparison) -> list[Notice]:
    """Everything that a run folder itself gives reason to say (its sheet's history apart)."""
    return [
        *_of_files(reading.problems),
        *_of_absent_metadata(entry, reading),
        *_of_completion(reading),
        *_of_unreadable_places(entry),
        *from_problems(comparison.problems, "FASTQs"),
        *_of_missing(comparison, reading),
    ]


def unread_run() -> Notice:
    """For a run folder that cannot be read at all."""
    return Notice(
        "error",
        "unreadable_run",
        "The run folder could not be read; nothing in it was checked.",
        "Give the account that runs SeqAuto leave to read it, then scan again.",
    )


def failed_run(error: Exception) -> Notice:
    """For a run that SeqAuto itself stumbled over."""
    return Notice(
        "error",
        "unexpected_error",
        # Further lines of a database's error name rows by numbers that differ in every scan.
        f"This run could not be recorded: {type(error).__name__}: {str(error).partition(chr(10))[0]}",
        "Report it with the scan's log. The other runs are not affected; the next scan tries again.",
    )


def _of_files(problems: Sequence[tuple[str, Problem]]) -> list[Notice]:
    by_file: dict[str, list[Problem]] = defaultdict(list)
    for file, problem in problems:
        by_file[file].append(problem)
    return [notice for file, found in by_file.items() for notice in from_problems(found, file)]


def _of_absent_metadata(entry: RunEntry, reading: RunReading) -> list[Notice]:
    notices = []
    if "run_info" not in entry.spans:
        notices.append(
            Notice(
                "warning",
                "no_run_info",
                "There is no RunInfo.xml: instrument and flow cell come from the folder's name, "
                "reads and lanes from the files found.",
                "Copy RunInfo.xml from the instrument's run folder.",
            )
        )
    if "run_parameters" not in entry.spans and not reading.is_sequencing:
        notices.append(
            Notice(
                "info",
                "no_run_parameters",
                "There is no RunParameters.xml, so the experiment's name is not known.",
                "Copy RunParameters.xml from the instrument's run folder, if the name is wanted.",
            )
        )
    return notices


def _of_completion(reading: RunReading) -> list[Notice]:
    if reading.completion is None or reading.completion.state != "failed":
        return []
    return [
        Notice(
            "error",
            "run_failed",
            f"The instrument says that this run failed. {reading.completion.message}".strip(),
            "Look at the instrument's own log; flag the run as bad if its data must not be used.",
            "RunCompletionStatus.xml",
        )
    ]


def _of_unreadable_places(entry: RunEntry) -> list[Notice]:
    notices = []
    oddities = {path for path, _reason in entry.oddities}
    if unreadable := [path for path in entry.unreadable if path not in oddities]:
        notices.append(
            Notice(
                "error",
                "unreadable_folder",
                f"{_listed(unreadable)} could not be read; the files there were not checked.",
                "Give the account that runs SeqAuto leave to read it, then scan again.",
                unreadable[0],
            )
        )
    by_reason: dict[str, list[str]] = defaultdict(list)
    for path, reason in entry.oddities:
        by_reason[reason].append(path)
    for reason, paths in by_reason.items():
        notices.append(
            Notice(
                "warning",
                "passed_over",
                f"{_listed(paths)} {reason}.",
                "It was passed over. Rename it or put a real file in its place if it matters.",
                paths[0],
            )
        )
    return notices


def _of_missing(comparison: Comparison, reading: RunReading) -> list[Notice]:
    missing = comparison.files_expected - comparison.files_found - len(comparison.not_checked)
    if missing <= 0 or reading.is_sequencing:
        return []
    return [
        Notice(
            "warning",
            "files_missing",
            f"{missing} of {comparison.files_expected} expected files are not there.",
            "The run's page names each path. Copy the files there, or correct the sample sheet.",
        )
    ]


def _listed(paths: Sequence[str]) -> str:
    names = [path or "The run folder" for path in paths[:3]]
    more = len(paths) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def root_notices(report: RootReport) -> list[Notice]:
    """What a scan tells of one archive root."""
    notices = []
    if report.error:
        notices.append(Notice("error", "root_not_scanned", report.error, report.remedy, report.path))
    notices += [
        Notice(
            "warning",
            "folder_without_run",
            f"{folder} holds no run: no folder in it has a run's name, RunInfo.xml or SampleSheet.csv.",
            "Move it out of the archive, or name it in SEQAUTO_SKIP_PATTERNS if it belongs there.",
            folder,
        )
        for folder in report.without_run
    ]
    notices += [
        Notice(
            "error",
            "unreadable_folder",
            f"{folder} could not be read; nothing under it was checked.",
            "Give the account that runs SeqAuto leave to read it, then scan again.",
            folder,
        )
        for folder in report.unreadable
    ]
    notices += [
        Notice(
            "warning", "passed_over", f"{path} {reason}.", "It was passed over; mend it if it matters.", path
        )
        for path, reason in report.oddities
    ]
    return notices

"""What a scan tells people of one run: each thing with its place and what to do about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from sequencing.compare import Comparison
from sequencing.illumina.errors import Problem
from sequencing.reading import RunReading
from sequencing.run_problems import problems_of_run

from .known_runs import KnownRun
from .messages import Notice, from_problems
from .scan_lists import RootReport, RunEntry

# Told by the history of the run's sheet: a sheet that was there before still serves.
_TOLD_ELSEWHERE = frozenset({"no_sample_sheet"})
# Most archives lack them, and nothing is wrong with such a run.
_FOR_INFORMATION = frozenset({"no_run_parameters"})
_OF_PLACES = frozenset({"unreadable_folder", "passed_over"})


def run_notices(entry: RunEntry, reading: RunReading, comparison: Comparison) -> list[Notice]:
    """Everything that a run folder itself gives reason to say (its sheet's history apart)."""
    problems = problems_of_run(
        reading, entry.spans, comparison, unreadable=entry.unreadable, oddities=entry.oddities
    )
    places: dict[Problem, list[str]] = defaultdict(list)
    by_file: dict[str, list[Problem]] = defaultdict(list)
    for path, problem in problems:
        if problem.code in _OF_PLACES:
            places[problem].append(path)
        elif problem.code not in _TOLD_ELSEWHERE:
            by_file[path].append(problem)
    notices = [_of_places(problem, paths) for problem, paths in places.items()]
    notices += [notice for file, found in by_file.items() for notice in from_problems(found, file)]
    return [
        replace(notice, severity="info") if notice.code in _FOR_INFORMATION else notice for notice in notices
    ]


def _of_places(problem: Problem, paths: Sequence[str]) -> Notice:
    """One notice for all places of which there is the same to say."""
    text = f"{_listed(paths)}{' ' if len(paths) == 1 else ': each '}{problem.message}."
    return Notice(problem.severity, problem.code, text, problem.remedy, paths[0])


def _listed(paths: Sequence[str]) -> str:
    names = [path or "The run folder" for path in paths[:3]]
    more = len(paths) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")


def unread_run() -> Notice:
    """For a run folder that cannot be read at all."""
    return Notice(
        "error",
        "unreadable_run",
        "The run folder could not be read; nothing in it was checked.",
        "Give the account that runs SeqAuto leave to read it, then scan again.",
    )


def deleted_run() -> Notice:
    """For a run whose folder is gone."""
    return Notice(
        "warning",
        "run_deleted",
        "The run folder is gone from the archive; its files count as deleted.",
        "If that was meant, nothing needs doing. If not, restore the folder and scan again.",
    )


def not_found(reason: str) -> Notice:
    """For a run that was not found and yet must not count as gone."""
    return Notice(
        "error",
        "run_not_found",
        f"The run was not found: {reason}. Its files keep their states.",
        "Mount the disk or restore the folder. If the run was deleted on purpose, remove the empty folder "
        "or scan with --accept-missing.",
    )


def run_twice(identity: str, other: KnownRun) -> Notice:
    """For a folder that claims to be a run that stands elsewhere."""
    if other.is_legacy:
        return Notice(
            "error",
            "run_twice",
            f"This folder is the legacy run of {other.path} ({identity}), which scans do not touch.",
            "Take the legacy flag from that run if it moved here, then scan again.",
        )
    return Notice(
        "error",
        "run_twice",
        f"Two folders claim to be the same run ({identity}): this one and {other.path}.",
        "Find out which is the copy, and move it out of the archive or mark it to be skipped.",
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
    told = {path for path, _reason in report.oddities}
    notices += [
        Notice(
            "error",
            "unreadable_folder",
            f"{folder} could not be read; nothing under it was checked.",
            "Give the account that runs SeqAuto leave to read it, then scan again.",
            folder,
        )
        for folder in report.unreadable
        if folder not in told  # a link to a folder, say
    ]
    notices += [
        Notice(
            "warning", "passed_over", f"{path} {reason}.", "It was passed over; mend it if it matters.", path
        )
        for path, reason in report.oddities
    ]
    return notices

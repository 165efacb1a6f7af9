"""Scanning Files: from the archive disks to the lists of a scan."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sequencing.disk import (
    LONGEST_PATH,
    NO_FIGURE,
    ODD_NAME,
    TOO_LONG,
    DiskError,
    RunListing,
    ScriptRow,
    printable,
)
from sequencing.disk.find_script import run_find_script
from sequencing.disk.walkers import Walker, start_walkers, walk_runs

from .scan_lists import ListWriter, RootReport

LONGEST_GROUP = 500  # characters that SequencingRun holds
MOST_SIBLINGS = 50  # folders without run that are named one by one


@dataclass(frozen=True, slots=True)
class WalkRules:
    """What a walk passes over, and what walks in its place."""

    skip_marker: str
    skip_patterns: Sequence[str] = ()
    find_scripts: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1

    def skip_reason(self, path_in_root: str) -> str:
        for pattern in self.skip_patterns:
            if re.search(pattern, path_in_root):
                return f"its path matches the skip pattern {pattern}"
        return ""


def walk_root(root: str, rules: WalkRules, lists: ListWriter, progress: Callable[[int], None]) -> RootReport:
    """List every run of one root. A disk that fails is told in the report, and nothing is concluded from it.

    `progress` is told of each run, with its number of files. The root may be a link: paths stay those under
    the link, so that an archive may move. All that could hang with its disk is done by walkers.
    """
    root = "/" + os.path.abspath(root).lstrip("/")
    report = RootReport(root)
    try:
        if root == "/":
            raise DiskError("/ is the whole system: name the folder that holds the runs")
        with start_walkers() as walkers:
            _walk_with(walkers, root, rules, lists, progress, report)
    except DiskError as error:
        report.error = f"Archive root {error}"
        report.remedy = (
            "See that the disk is mounted and readable, then scan again. Nothing was changed for it."
        )
    return report


def _walk_with(
    walkers: Sequence[Walker],
    root: str,
    rules: WalkRules,
    lists: ListWriter,
    progress: Callable[[int], None],
    report: RootReport,
) -> None:
    walker = walkers[0]
    identity = walker.identify_root(root)
    report.device, report.has_sentinel = identity.device, identity.has_sentinel
    found = walker.discover(root, skip_marker=rules.skip_marker)
    report.unreadable = list(found.unreadable)
    report.oddities = [list(oddity) for oddity in found.oddities]
    _tell_without_run(root, found.without_run, rules, report)
    runs = [
        (folder, skipped or rules.skip_reason(os.path.relpath(folder, root)))
        for folder, skipped in _short_enough(root, found.runs, report)
    ]
    for listing in _listings(walkers, root, runs, rules, report):
        progress(lists.add(root, listing))
    if walker.identify_root(root) != identity:
        raise DiskError(f"{root}: another disk stood here when the walk ended")


def _tell_without_run(root: str, folders: Iterable[str], rules: WalkRules, report: RootReport) -> None:
    """Name the folders in which there is no run; where there are very many in one folder, only that one."""
    siblings: dict[str, list[str]] = defaultdict(list)
    for folder in folders:
        if not rules.skip_reason(os.path.relpath(folder, root)):
            siblings[os.path.dirname(folder)].append(folder)
    for parent, without_run in siblings.items():
        if len(without_run) <= MOST_SIBLINGS:
            report.without_run += without_run
        else:
            example = os.path.basename(without_run[0])
            told = f"holds {len(without_run):,} folders in which there is no run, such as {example}"
            report.oddities.append([parent, told])


def _short_enough(
    root: str, runs: Iterable[tuple[str, str]], report: RootReport
) -> Iterator[tuple[str, str]]:
    """Leave out the run folders whose paths are longer than the database can hold."""
    for folder, skipped in runs:
        if len(folder) <= LONGEST_PATH and len(os.path.dirname(folder)) - len(root) <= LONGEST_GROUP:
            yield folder, skipped
        else:
            report.oddities.append([folder, TOO_LONG])


def _listings(
    walkers: Sequence[Walker],
    root: str,
    runs: Sequence[tuple[str, str]],
    rules: WalkRules,
    report: RootReport,
) -> Iterable[RunListing]:
    folders = {folder for folder, _skipped in runs}
    replaced = {
        kind: _by_run(walkers[0].look_at_lines(run_find_script(command, root), root), folders, report)
        for kind, command in rules.find_scripts.items()
    }
    walked = walk_runs(
        runs,
        skip_marker=rules.skip_marker,
        threads=rules.threads,
        leave_out=rules.find_scripts.keys(),
        walkers=walkers,
    )
    for listing in walked:
        theirs = {kind: texts[listing.folder] for kind, texts in replaced.items() if listing.folder in texts}
        yield (
            listing._replace(lines={**listing.lines, **theirs}) if theirs and not listing.skipped else listing
        )


def _by_run(rows: Iterable[ScriptRow], folders: set[str], report: RootReport) -> dict[str, str]:
    """Sort the output of a find script by the run folders its files lie in."""
    lines: dict[str, list[str]] = defaultdict(list)
    amiss: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, size, mtime_ns in rows:
        run = _run_above(path, folders)
        if why := _why_passed_over(path, run, size, mtime_ns):
            amiss[os.path.dirname(path), why].append(path)
        else:
            lines[run].append(f"{path}\t{size}\t{mtime_ns}\n")
    for (_folder, why), (first, *more) in amiss.items():
        count = f" (and {len(more):,} more there)" if more else ""
        report.oddities.append([printable(first), why + count])
    return {run: "".join(sorted(texts)) for run, texts in lines.items()}


def _why_passed_over(path: str, run: str, size: int, mtime_ns: int) -> str:
    if not run:
        return "came from the find script but lies in no run folder"
    if not path.isprintable():
        return f"came from the find script and {ODD_NAME}"
    if len(path) - len(run) - 1 > LONGEST_PATH:
        return f"came from the find script and {TOO_LONG}"
    if not 0 <= size < NO_FIGURE or not -NO_FIGURE <= mtime_ns < NO_FIGURE:
        return "came from the find script with a size or time that is no number a list can hold"
    return ""


def _run_above(path: str, folders: set[str]) -> str:
    while (parent := os.path.dirname(path)) != path:
        if parent in folders:
            return parent
        path = parent
    return ""

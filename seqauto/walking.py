"""Scanning Files: from the archive disks to the lists of a scan."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sequencing.disk import (
    DiskError,
    RunListing,
    discover,
    identify_root,
    printable,
    run_find_script,
    walk_runs,
)

from .scan_lists import ListWriter, RootReport

LONGEST_PATH, LONGEST_GROUP = 1000, 500  # characters that SequencingRun holds


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

    `progress` is told of each run, with its number of files.
    """
    report = RootReport(root)
    try:
        identity = identify_root(root)
        report.device, report.has_sentinel = identity.device, identity.has_sentinel
        found = discover(root, skip_marker=rules.skip_marker, skip_reason=rules.skip_reason)
        report.without_run, report.unreadable = list(found.without_run), list(found.unreadable)
        report.oddities = [list(oddity) for oddity in found.oddities]
        runs = list(_short_enough(root, found.runs, report))
        for listing in _listings(root, runs, rules, report):
            progress(lists.add(root, listing))
        if identify_root(root) != identity:
            raise DiskError(f"{root}: another disk stood here when the walk ended")
    except DiskError as error:
        report.error = f"Archive root {error}"
        report.remedy = (
            "See that the disk is mounted and readable, then scan again. Nothing was changed for it."
        )
    return report


def _short_enough(
    root: str, runs: Iterable[tuple[str, str]], report: RootReport
) -> Iterator[tuple[str, str]]:
    """Leave out the run folders whose paths are longer than the database can hold."""
    for folder, skipped in runs:
        if len(folder) <= LONGEST_PATH and len(os.path.dirname(folder)) - len(root) <= LONGEST_GROUP:
            yield folder, skipped
        else:
            report.oddities.append([folder, f"is too long: at most {LONGEST_PATH:,} characters are recorded"])


def _listings(
    root: str, runs: Sequence[tuple[str, str]], rules: WalkRules, report: RootReport
) -> Iterable[RunListing]:
    replaced = {
        kind: _by_run(run_find_script(command, root), {folder for folder, _skipped in runs}, report)
        for kind, command in rules.find_scripts.items()
    }
    walked = walk_runs(
        runs, skip_marker=rules.skip_marker, threads=rules.threads, leave_out=rules.find_scripts.keys()
    )
    for listing in walked:
        theirs = {kind: texts[listing.folder] for kind, texts in replaced.items() if listing.folder in texts}
        yield (
            replace(listing, lines={**listing.lines, **theirs}) if theirs and not listing.skipped else listing
        )


def _by_run(rows: Iterable[tuple[str, int, int]], folders: set[str], report: RootReport) -> dict[str, str]:
    """Sort the output of a find script by the run folders its files lie in."""
    lines: dict[str, list[str]] = defaultdict(list)
    for path, size, mtime_ns in rows:
        run = _run_above(path, folders)
        if run and path.isprintable():
            lines[run].append(f"{path}\t{size}\t{mtime_ns}\n")
        else:
            report.oddities.append([printable(path), "came from the find script but lies in no run folder"])
    return {run: "".join(sorted(texts)) for run, texts in lines.items()}


def _run_above(path: str, folders: set[str]) -> str:
    while (parent := os.path.dirname(path)) != path:
        if parent in folders:
            return parent
        path = parent
    return ""

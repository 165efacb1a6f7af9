"""Whether what a walk did not find may count as gone. Pure.

An unmounted disk leaves an empty folder behind, and a scan that believed it would turn every file to Deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from .known_runs import KnownRun, lies_under
from .scan_lists import RootReport, RunEntry

LOST_SHARE_ON_ANOTHER_DEVICE = 0.1


def why_distrusted(
    report: RootReport,
    entries: Mapping[str, RunEntry],
    known: Iterable[KnownRun],
    *,
    device_before: int | None,
    had_sentinel: bool,
    max_lost_share: float,
) -> str:
    """Say why a root's listing must not be believed; "" where it may.

    `entries` are all run folders of the scan by path: a run that newly turned up elsewhere is not lost, but
    one whose copy stood there before is.
    """
    if had_sentinel and not report.has_sentinel:
        return f"{report.path}: the file .seqauto_root that marks this disk is not there"
    known = list(known)
    runs = [
        run
        for run in known
        if run.state != "deleted" and not run.is_legacy and lies_under(run.path, [report.path])
    ]
    paths_before = {run.path for run in known}
    names = {PurePosixPath(path).name for path in entries if path not in paths_before}
    lost = sum(_lost(run, entries, names, report.unreadable) for run in runs)
    total = sum(_weight(run) for run in runs)
    # Device numbers of network disks may change with every boot; a changed one only sharpens the ear.
    if device_before not in (None, report.device) and lost > LOST_SHARE_ON_ANOTHER_DEVICE * total:
        return (
            f"{report.path}: another disk stands here than at the last scan, "
            f"and {lost:,} of {total:,} known runs and files are missing"
        )
    if lost > max_lost_share * total:
        return f"{report.path}: {lost:,} of {total:,} known runs and files are missing"
    return ""


def _weight(run: KnownRun) -> int:
    return 1 + run.files_total


def _lost(run: KnownRun, entries: Mapping[str, RunEntry], names: set[str], unreadable: Sequence[str]) -> int:
    """How much of a known run was not found: each file counts one, and so does the folder."""
    entry = entries.get(run.path)
    if entry is None:
        moved_or_unseen = run.name in names or lies_under(run.path, unreadable)
        return 0 if moved_or_unseen else _weight(run)
    if entry.skipped or entry.unreadable:
        return 0
    return max(0, run.files_total - entry.file_count)

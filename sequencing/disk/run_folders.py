"""Finds the run folders under an archive root. Reads only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from ..illumina.run_name import parse_run_name
from ..kinds import kind_of_file
from .errors import DISK_IS_ILL, IS_A_LINK, ODD_NAME, disk_error, printable

SENTINEL = ".seqauto_root"
MAX_GROUP_DEPTH = 4  # folders between a root and its runs; deeper ones are other data, not groups of runs
MAKES_A_RUN = frozenset({"run_info", "run_parameters", "sample_sheet"})
IS_A_RUN = "is itself a run folder; the archive is the folder above it"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The run folders under a root, with the reason where one is skipped, and what else lies there."""

    runs: tuple[tuple[str, str], ...]
    without_run: tuple[str, ...]
    unreadable: tuple[str, ...]
    oddities: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RootIdentity:
    device: int
    has_sentinel: bool


def identify_root(root: str) -> RootIdentity:
    """Say which disk stands at `root`. Raises DiskError where there is none, or it cannot be read."""
    try:
        device = os.stat(root).st_dev
        with os.scandir(root):
            return RootIdentity(device, os.path.lexists(os.path.join(root, SENTINEL)))
    except OSError as error:
        raise disk_error(root, error) from error


def discover(
    root: str, *, skip_marker: str, skip_reason: Callable[[str], str] = lambda _path: ""
) -> Discovery:
    """Find the run folders under `root`, in order of their paths.

    A folder is a run by its name (`parse_run_name`) or because RunInfo.xml, RunParameters.xml or a sample
    sheet stands in it, the root itself never; nothing below a run is looked at here. `skip_marker` in a
    folder skips every run below it. `skip_reason` is asked with each run's path inside the root. Raises
    DiskError where the disk fails.
    """
    finder = _RunFinder(root, skip_marker, skip_reason)
    finder.look_into(root, depth=0, skipped="")
    return Discovery(
        tuple(sorted(finder.runs)),
        tuple(finder.without_run),
        tuple(finder.unreadable),
        tuple(finder.oddities),
    )


def _hold_named_runs(folder: str, folders: set[str]) -> bool:
    for name in folders:
        try:
            if any(map(parse_run_name, os.listdir(f"{folder}/{name}"))):
                return True
        except OSError as error:
            if error.errno in DISK_IS_ILL:
                raise
    return False


class _RunFinder:
    def __init__(self, root: str, skip_marker: str, skip_reason: Callable[[str], str]) -> None:
        self.root, self.skip_marker, self.skip_reason = root, skip_marker, skip_reason
        self.runs: list[tuple[str, str]] = []
        self.without_run: list[str] = []
        self.unreadable: list[str] = []
        self.oddities: list[tuple[str, str]] = []

    def look_into(self, folder: str, depth: int, skipped: str) -> bool:
        """Collect the runs in and under a folder; say whether there was any (or might be)."""
        try:
            names, folders = self._names_and_folders(folder)
            named_runs = [name for name in folders if parse_run_name(name)]
            is_run = not named_runs and self._is_run(folder, names, folders, depth)
        except OSError as error:
            if error.errno in DISK_IS_ILL or depth == 0:
                raise disk_error(folder, error) from error
            self.unreadable.append(folder)
            return True
        if is_run:
            self._add(folder, skipped)
            return True
        if self.skip_marker in names:
            skipped = f"{self.skip_marker} in {folder}"
        for name in named_runs:
            self._add(f"{folder}/{name}", skipped)
        found = bool(named_runs)
        for name in sorted(folders - set(named_runs)) if depth < MAX_GROUP_DEPTH else ():
            found |= self.look_into(f"{folder}/{name}", depth + 1, skipped)
        return found or self._without_run(folder, depth)

    def _is_run(self, folder: str, names: set[str], folders: set[str], depth: int) -> bool:
        """Whether a folder is a run by its files; one sheet lying about in a group must not hide its runs."""
        kinds = {kind_of_file(name) for name in names} & MAKES_A_RUN
        if depth == 0:
            if "run_info" in kinds:
                self.oddities.append((folder, IS_A_RUN))
            return False
        return bool(kinds) and (kinds != {"sample_sheet"} or not _hold_named_runs(folder, folders))

    def _names_and_folders(self, folder: str) -> tuple[set[str], set[str]]:
        names: set[str] = set()
        folders: set[str] = set()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if (
                        not entry.name.startswith(".") and entry.name != "lost+found"
                    ):  # .snapshot and the like
                        self._add_folder(entry, folders)
                elif entry.is_symlink() and os.path.isdir(entry.path):
                    self.oddities.append((entry.path, IS_A_LINK))
                else:
                    names.add(entry.name)
        return names, folders

    def _add_folder(self, entry: os.DirEntry[str], folders: set[str]) -> None:
        if entry.name.isprintable():
            folders.add(entry.name)
        else:
            self.oddities.append((printable(entry.path), ODD_NAME))

    def _add(self, folder: str, skipped: str) -> None:
        self.runs.append((folder, skipped or self.skip_reason(os.path.relpath(folder, self.root))))

    def _without_run(self, folder: str, depth: int) -> bool:
        """Report the topmost folder that holds no run, not each of its sub-folders."""
        if depth == 0:
            return False
        below = f"{folder}/"
        self.without_run = [path for path in self.without_run if not path.startswith(below)]
        if not self.skip_reason(os.path.relpath(folder, self.root)):
            self.without_run.append(folder)
        return False

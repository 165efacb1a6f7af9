"""Finds the run folders under an archive root. Reads only."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from typing import NamedTuple

from ..illumina.run_name import parse_run_name
from ..kinds import is_pruned, kind_of_file
from .errors import DISK_IS_ILL, IS_A_LINK, LEADS_NOWHERE, ODD_NAME, disk_error, printable

SENTINEL = ".seqauto_root"
MAX_GROUP_DEPTH = 4  # folders between a root and its runs; deeper ones are other data, not groups of runs
MAKES_A_RUN = frozenset({"run_info", "run_parameters", "sample_sheet"})
IS_A_RUN = "is itself a run folder; the archive is the folder above it"


class Discovery(NamedTuple):
    """The run folders under a root, with the reason where one is skipped, and what else lies there."""

    runs: tuple[tuple[str, str], ...]
    without_run: tuple[str, ...]
    unreadable: tuple[str, ...]
    oddities: tuple[tuple[str, str], ...]


class RootIdentity(NamedTuple):
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


def discover(root: str, *, skip_marker: str, alive: Callable[[], None] = lambda: None) -> Discovery:
    """Find the run folders under `root`, in order of their paths.

    A folder is a run by its name (`parse_run_name`) or because RunInfo.xml, RunParameters.xml or a sample
    sheet stands in it, the root itself never; nothing below a run is looked at here. `skip_marker` in a
    folder skips every run below it. Links to folders, and those that lead nowhere, are told of and count as
    unreadable too: what lay behind them was not looked at. `alive` is called at each folder. Raises DiskError
    where the disk fails.
    """
    finder = _RunFinder(skip_marker, alive)
    finder.look_into(root, depth=0, skipped="")
    return Discovery(
        tuple(sorted(finder.runs)),
        tuple(finder.without_run),
        tuple(finder.unreadable),
        tuple(finder.oddities),
    )


class _Folder:
    """What stands in a folder that may be a run, or a group of runs."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.names: set[str] = set()
        self.folders: set[str] = set()
        self.oddities: list[tuple[str, str]] = []
        self.unreadable: list[str] = []

    @property
    def makes_a_run(self) -> set[str | None]:
        return {kind_of_file(name) for name in self.names} & MAKES_A_RUN

    def note(self, entry: os.DirEntry[str]) -> None:
        if entry.is_dir(follow_symlinks=False):
            if not _is_snapshot(entry.name):
                self._note_folder(entry)
        elif not entry.is_symlink() or _is_snapshot(entry.name) or os.path.isfile(entry.path):
            self.names.add(entry.name)
        elif os.path.isdir(entry.path):
            self._pass_over(entry, IS_A_LINK)
        else:
            self.names.add(entry.name)
            self._pass_over(entry, LEADS_NOWHERE)

    def _note_folder(self, entry: os.DirEntry[str]) -> None:
        if entry.name.isprintable():
            self.folders.add(entry.name)
        else:
            self.oddities.append((printable(entry.path), ODD_NAME))

    def _pass_over(self, entry: os.DirEntry[str], why: str) -> None:
        self.oddities.append((printable(entry.path), why))
        self.unreadable.append(printable(entry.path))


def _is_snapshot(name: str) -> bool:
    """Whether a name is one of those that file systems and desktops keep for themselves."""
    return name.startswith(".") or name == "lost+found"


def _list_folder(path: str) -> _Folder:
    """Raises OSError; where a server exchanged the folder meanwhile, only if that happens twice."""
    try:
        return _list_once(path)
    except OSError as error:
        if error.errno != errno.ESTALE:
            raise
    return _list_once(path)


def _list_once(path: str) -> _Folder:
    folder = _Folder(path)
    with os.scandir(path) as entries:
        for entry in entries:
            folder.note(entry)
    return folder


# Folders that belong to the run they stand in, with the copies of RunInfo.xml and sheets that lie there.
_PART_OF_A_RUN = re.compile(
    r"[0-9]_[A-Za-z]+|data|reports|logs|analysis|unaligned|fastqs?|qc|config|recipe|sequencing_stats", re.I
).fullmatch


class _RunFinder:
    def __init__(self, skip_marker: str, alive: Callable[[], None]) -> None:
        self.skip_marker, self.alive = skip_marker, alive
        self.runs: list[tuple[str, str]] = []
        self.without_run: list[str] = []
        self.unreadable: list[str] = []
        self.oddities: list[tuple[str, str]] = []

    def look_into(self, path: str, depth: int, skipped: str) -> bool:
        """Collect the runs in and under a folder; say whether there was any (or might be)."""
        self.alive()
        try:
            folder = _list_folder(path)
            named_runs = [name for name in folder.folders if parse_run_name(name)]
            is_run = not named_runs and self._is_run(folder, depth)
        except OSError as error:
            if error.errno in DISK_IS_ILL or depth == 0:
                raise disk_error(path, error) from error
            self.unreadable.append(path)
            return True
        if is_run:
            self.runs.append((path, skipped))
            return True
        self.oddities += folder.oddities
        self.unreadable += folder.unreadable
        if self.skip_marker in folder.names:
            skipped = f"{self.skip_marker} in {path}"
        self.runs += [(f"{path}/{name}", skipped) for name in named_runs]
        groups = sorted(folder.folders - set(named_runs)) if depth < MAX_GROUP_DEPTH else []
        without_run = [
            group for name in groups if not self.look_into(group := f"{path}/{name}", depth + 1, skipped)
        ]
        if not (named_runs or folder.unreadable or len(without_run) < len(groups) or depth == 0):
            return False  # the folder above tells of this one, which tells enough of those in it
        self.without_run += without_run
        return True

    def _is_run(self, folder: _Folder, depth: int) -> bool:
        """Whether a folder is a run by its files."""
        kinds = folder.makes_a_run
        if depth == 0:
            if "run_info" in kinds:
                self.oddities.append((folder.path, IS_A_RUN))
            return False
        return bool(kinds) and (kinds != {"sample_sheet"} or not self._holds_runs(folder, depth))

    def _holds_runs(self, folder: _Folder, depth: int, inside: str = "") -> bool:
        """Whether a run stands below, or might: one sheet lying about in a group must not hide its runs."""
        self.alive()
        names = [name for name in folder.folders if not _PART_OF_A_RUN(name) and not is_pruned(inside + name)]
        if any(map(parse_run_name, names)):
            return True
        return depth < MAX_GROUP_DEPTH and any(
            self._is_or_holds_a_run(f"{folder.path}/{name}", depth + 1, f"{inside}{name}/") for name in names
        )

    def _is_or_holds_a_run(self, path: str, depth: int, inside: str) -> bool:
        try:
            folder = _list_folder(path)
        except OSError as error:
            if error.errno in DISK_IS_ILL:
                raise
            return True
        return bool(folder.makes_a_run - {"sample_sheet"}) or self._holds_runs(folder, depth, inside)

"""Removes a folder and all in it, through handles of folders only. Follows no link, crosses no mount."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .handles import OPEN_FOLDER, disk_of
from .problems import cannot, changed, other_disk, shown_path, stopped

Progress = Callable[[int, int], None]
Stop = Callable[[], bool]
IsProven = Callable[[str, os.stat_result], bool]
_TELL_SECONDS = 0.5
_Identity = tuple[int, int]


class Removed(NamedTuple):
    """What one call removed. `files` counts links and other names too, `bytes` what became free by it."""

    files: int
    bytes: int
    folders: int


@dataclass(slots=True)
class _Level:
    """A folder on the way from the top to where the removal stands."""

    name: str
    identity: _Identity
    subfolders: list[str]


def remove_tree(
    above: int, name: str, path: Path, is_proven: IsProven, progress: Progress, stop: Stop
) -> Removed:
    """Remove the folder `name` in the folder `above`; it stands at `path`, which is for messages only.

    `is_proven(inside, status)` is asked of every name right before it goes, or is entered; a no ends it all.
    Folders may lie deeper than a path can tell: one handle is open at a time, and the way up is "..", which
    is believed only where it leads to the folder that we came from.
    """
    tree = _Tree(above, path, is_proven, progress, stop)
    try:
        tree.enter(name)
        while tree.trail:
            if tree.trail[-1].subfolders:
                tree.enter(tree.trail[-1].subfolders.pop())
            else:
                tree.leave()
    except OSError as error:
        raise cannot(tree.here(error.filename), "removed", error) from error
    finally:
        os.close(tree.handle)
    progress(tree.files, tree.bytes)
    return Removed(tree.files, tree.bytes, tree.folders)


class _Tree:
    """Where the removal stands, and what it did so far."""

    def __init__(self, above: int, path: Path, is_proven: IsProven, progress: Progress, stop: Stop) -> None:
        self.files = self.bytes = self.folders = 0
        self.trail: list[_Level] = []
        self.handle, self._disk, self._above = os.dup(above), disk_of(above), _identity(above)
        self._path, self._is_proven = path, is_proven
        self._progress, self._stop, self._told = progress, stop, -_TELL_SECONDS

    def here(self, name: object = None) -> Path:
        """Where the removal stands, or the name in it that a system call failed on."""
        within = [level.name for level in self.trail[1:]]
        return self._path.joinpath(*within, name if self.trail and isinstance(name, str) else "")

    def enter(self, name: str) -> None:
        self._go_to(self._open(name))
        self.trail.append(_Level(name, _identity(self.handle), []))
        self.trail[-1].subfolders = self._clear()

    def leave(self) -> None:
        """Up, and remove the folder that is empty now. One that was moved elsewhere meanwhile ends it all."""
        self._go_to(os.open("..", OPEN_FOLDER, dir_fd=self.handle))
        came_from = self.trail[-2].identity if len(self.trail) > 1 else self._above
        if _identity(self.handle) != came_from:
            raise changed(f"{shown_path(self.here())} was moved while it was removed.")
        left = self.trail.pop()
        os.rmdir(left.name, dir_fd=self.handle)
        self.folders += 1

    def _open(self, name: str) -> int:
        """Open a folder so that what lies in it can be listed and removed, whatever its mode said.

        First without any right to it (O_PATH): its mode is changed only where it is a folder of this disk.
        """
        bare = os.open(name, os.O_PATH | OPEN_FOLDER, dir_fd=self.handle)
        try:
            if disk_of(bare) != self._disk:
                raise other_disk(self.here(name))
            if os.fstat(bare).st_mode & 0o700 != 0o700:
                os.chmod(f"/proc/self/fd/{bare}", 0o700)
            return os.open(".", OPEN_FOLDER, dir_fd=bare)
        finally:
            os.close(bare)

    def _go_to(self, handle: int) -> None:
        os.close(self.handle)
        self.handle = handle

    def _clear(self) -> list[str]:
        """Remove all but folders, and return these."""
        with os.scandir(self.handle) as found:
            names = [(one.name, one.is_dir(follow_symlinks=False)) for one in found]
        prefix = "".join(f"{level.name}/" for level in self.trail[1:])
        for name, is_folder in names:
            self._tell()
            status = os.stat(name, dir_fd=self.handle, follow_symlinks=False)
            if not self._is_proven(prefix + name, status):
                raise changed(f"{shown_path(self.here(name))} is not what was proven to be elsewhere.")
            if not is_folder:
                self._unlink(name, status)
        return [name for name, is_folder in names if is_folder]

    def _unlink(self, name: str, status: os.stat_result) -> None:
        os.unlink(name, dir_fd=self.handle)
        self.files += 1
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            self.bytes += status.st_size

    def _tell(self) -> None:
        """Twice a second, and before the first name."""
        if time.monotonic() - self._told < _TELL_SECONDS:
            return
        self._told = time.monotonic()
        self._progress(self.files, self.bytes)
        if self._stop():
            raise stopped(self._path)


def _identity(handle: int) -> _Identity:
    status = os.fstat(handle)
    return status.st_dev, status.st_ino

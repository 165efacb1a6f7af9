"""The story of a folder that goes: into quarantine, perhaps back, removed, and at last forgotten."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from .handles import opened, reached, refuse_mounts
from .problems import (
    changed,
    gone,
    half_removed,
    not_gone,
    occupied,
    outside,
    shown_path,
    stopped,
    touching,
)
from .tombstones import (
    Tombstone,
    Yard,
    drop,
    held,
    is_inside,
    is_the_folder,
    make_yard,
    new_tombstone,
    note_begun,
    open_yard,
    status_of,
)
from .tree import IsProven, Progress, Removed, Stop, remove_tree

LooksLike = Callable[[Path], bool]


def quarantine(
    folder: Path, root: Path, *, looks_like: LooksLike, when: datetime, why: Mapping[str, object]
) -> Tombstone:
    """Move a folder below `root` into the root's quarantine, by one rename, once its tombstone is synced.

    `looks_like(folder)` says whether it is still what was proven, and may raise. `why` goes into the
    tombstone, as JSON. Raises RemoveProblem for a folder that is not below the root, is reached through a
    link, lies on another disk or mount, is mounted upon, or is not as proven; it stays where it is then.
    """
    *above, name = _steps(folder, root)
    with (
        opened(root) as top,
        reached(top, above, root) as parent,
        reached(parent, [name], folder.parent) as found,
    ):
        refuse_mounts(folder)
        _refuse_unless(looks_like, folder)
        make_yard(root, top)
        inside, inode = "/".join([*above, name]), os.fstat(found).st_ino
        with open_yard(root, top) as yard, new_tombstone(yard, inside, inode, when, why) as id_:
            _move(found, name, parent, id_, yard.handle, folder)
            if not is_the_folder(status_of(yard.path / id_, yard.handle), inode):
                with touching(yard.path / id_, "moved back"):
                    os.rename(id_, name, src_dir_fd=yard.handle, dst_dir_fd=parent)
                raise changed(f"{shown_path(folder)} was exchanged for another while it was moved.")
    return Tombstone(id_, inside, when, why, inode, "quarantined")


def put_back(tombstone: Tombstone, root: Path) -> None:
    """Give a quarantined folder its old place again; none where it stands there already.

    Raises RemoveProblem where something else stands there, or a part of the folder is removed already.
    """
    *above, name = tombstone.inside.split("/")
    with _claimed(tombstone, root) as (yard, now, _handle):
        if now.state == "in_place":
            return
        if now.state in ("half_removed", "removed"):
            raise half_removed(yard.path / now.id)
        with _folder(now, yard) as found, reached(yard.top, above, root) as parent:
            if status_of(root / now.inside, parent) is not None:  # a rename would replace an empty folder
                raise occupied(root / now.inside)
            _move(found, now.id, yard.handle, name, parent, root / now.inside)


def remove(
    tombstone: Tombstone,
    root: Path,
    *,
    looks_like: LooksLike,
    is_proven: IsProven,
    progress: Progress = lambda files, size: None,
    stop: Stop = lambda: False,
) -> Removed:
    """Remove a quarantined folder for ever, or what an earlier call left of it; the tombstone stays.

    `looks_like` is asked of the folder in quarantine, before the first file goes; `is_proven(inside, status)`
    of each name in it, by its path below the folder and what os.lstat says of it, right before it goes, also
    of what an earlier call left. `progress` (files and bytes removed by this call so far) and `stop` are
    called twice a second. Raises RemoveProblem at the first thing that is not as it should be: what is left
    waits there for the next call.
    """
    with _claimed(tombstone, root) as (yard, now, handle):
        path = yard.path / now.id
        if now.state == "removed":
            return Removed(0, 0, 0)
        with _folder(now, yard):
            refuse_mounts(path)
        if now.state == "quarantined":
            _refuse_unless(looks_like, path)
            if stop():  # as long as it is whole it can be put back
                raise stopped(path)
            note_begun(yard, now, handle)
        removed = remove_tree(yard.handle, now.id, path, is_proven, progress, stop)
        with touching(yard.path, "written"):
            os.fsync(yard.handle)
    return removed


def forget(tombstone: Tombstone, root: Path) -> None:
    """Remove the tombstone of a folder that is not in quarantine, once the caller has written down why."""
    with _claimed(tombstone, root) as (yard, now, _handle):
        if now.state in ("quarantined", "half_removed"):
            raise not_gone(yard.path / now.id)
        drop(yard, now.id)


# ---- steps ----


def _steps(folder: Path, root: Path) -> list[str]:
    if folder.is_absolute() and root in folder.parents:
        inside = str(folder.relative_to(root))
        if is_inside(inside):
            return inside.split("/")
    raise outside(folder, root)


def _refuse_unless(looks_like: LooksLike, folder: Path) -> None:
    if not looks_like(folder):
        raise changed(f"{shown_path(folder)} does not hold what was proven to be elsewhere.")


@contextmanager
def _claimed(tombstone: Tombstone, root: Path) -> Iterator[tuple[Yard, Tombstone, int]]:
    with opened(root) as top, open_yard(root, top) as yard, held(yard, tombstone) as (now, handle):
        yield yard, now, handle


@contextmanager
def _folder(now: Tombstone, yard: Yard) -> Iterator[int]:
    """A handle of the folder in quarantine, which is the one that the tombstone was written for."""
    if now.state in ("missing", "in_place"):
        raise gone(yard.path / now.id)
    with reached(yard.handle, [now.id], yard.path) as found:
        if not is_the_folder(os.fstat(found), now.inode):
            raise changed(f"{shown_path(yard.path / now.id)} is not the folder of its tombstone.")
        yield found


def _move(found: int, name: str, parent: int, new_name: str, new_parent: int, path: Path) -> None:
    with touching(path, "moved"):
        with _writable(found):
            os.rename(name, new_name, src_dir_fd=parent, dst_dir_fd=new_parent)
        os.fsync(new_parent)
        os.fsync(parent)


@contextmanager
def _writable(folder: int) -> Iterator[None]:
    """The kernel moves only a folder that may be written into another one: its ".." changes."""
    mode = stat.S_IMODE(os.fstat(folder).st_mode)
    if not mode & 0o200:
        os.fchmod(folder, mode | 0o200)
    try:
        yield
    finally:
        if not mode & 0o200:
            os.fchmod(folder, mode)

"""Tombstones: what stands in quarantine, where it came from and why. Reads and writes small files."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from .handles import opened, reached
from .problems import RemoveProblem, busy, cannot, changed, gone, shown_path, touching

QUARANTINE = ".seqauto_removed"  # on the disk of the runs, as only there a rename is one step
State = Literal["quarantined", "half_removed", "removed", "in_place", "missing"]
_BEGUN = b"removing\n"  # appended before the first file goes
_ENDING = ".json"
_ID = re.compile(r"[A-Za-z0-9_-]+\.[0-9a-f]{16}")
_LONGEST_NAME = 100
_CANNOT_LOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What was taken from where: `inside` is the folder's path below its root, `inode` tells it from others.

    `state` is where the folder was when this was read: "quarantined" (whole), "half_removed", "removed",
    "in_place" (put back, or never moved), or "missing" (moved away by hand). `why` is the caller's own.
    """

    id: str
    inside: str
    when: datetime
    why: Mapping[str, object]
    inode: int
    state: State


@dataclass(frozen=True, slots=True)
class Yard:
    """The open quarantine of a root: handles of the root, and of the folder that holds what was moved."""

    root: Path
    top: int
    handle: int

    @property
    def path(self) -> Path:
        return self.root / QUARANTINE

    def holds(self, name: str) -> bool:
        return status_of(self.path / name, self.handle) is not None


def quarantined_at(tombstone: Tombstone, root: Path) -> Path:
    return root / QUARANTINE / tombstone.id


def list_tombstones(root: Path) -> tuple[Tombstone, ...]:
    """All tombstones of a root, those of folders that are put back or removed too, the oldest first."""
    stones, _names = _look(root)
    return tuple(sorted(stones, key=lambda stone: (stone.when, stone.id)))


def unexplained(root: Path) -> tuple[str, ...]:
    """What stands in quarantine without a tombstone that can be read. Nothing here touches it."""
    stones, names = _look(root)
    return tuple(sorted(names - {name for stone in stones for name in (stone.id, stone.id + _ENDING)}))


def _look(root: Path) -> tuple[list[Tombstone], set[str]]:
    """The tombstones in the quarantine of a root, and all names there."""
    with opened(root) as top:
        if status_of(root / QUARANTINE, top) is None:
            return [], set()
        with open_yard(root, top) as yard:
            with touching(yard.path, "listed"):
                names = set(os.listdir(yard.handle))
            ids = {name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING)}
            stones = (_read_unlocked(yard, id_) for id_ in ids if _ID.fullmatch(id_))
            return [stone for stone in stones if stone], names


@contextmanager
def open_yard(root: Path, top: int) -> Iterator[Yard]:
    with reached(top, [QUARANTINE], root) as handle:
        yield Yard(root, top, handle)


def make_yard(root: Path, top: int) -> None:
    if status_of(root / QUARANTINE, top) is None:
        with touching(root / QUARANTINE, "made"), suppress(FileExistsError):  # made by another meanwhile
            os.mkdir(QUARANTINE, 0o700, dir_fd=top)
            os.fsync(top)


def status_of(path: Path, folder: int) -> os.stat_result | None:
    """What stands at `path`, in the open `folder`; a link itself, not what it leads to. None: nothing."""
    with touching(path, "looked at"):
        try:
            return os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None


# ---- one tombstone ----


@contextmanager
def new_tombstone(
    yard: Yard, inside: str, inode: int, when: datetime, why: Mapping[str, object]
) -> Iterator[str]:
    """Write a tombstone, on the disk when this yields its id, and hold it. It goes where the move fails."""
    id_ = f"{_plain(PurePosixPath(inside).name)}.{secrets.token_hex(8)}"
    facts = {"inside": inside, "when": when.astimezone(UTC).isoformat(), "why": why, "inode": inode}
    text = json.dumps(facts).encode("ascii") + b"\n"
    with touching(yard.path / (id_ + _ENDING), "written"):
        handle = os.open(
            id_ + _ENDING, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=yard.handle
        )
    try:
        _lock(handle, yard.path / id_)
        with touching(yard.path / (id_ + _ENDING), "written"):
            _append(handle, text)
            os.fsync(yard.handle)
        yield id_
    except BaseException:
        if not yard.holds(id_):
            drop(yard, id_)
        raise
    finally:
        os.close(handle)


@contextmanager
def held(yard: Yard, tombstone: Tombstone) -> Iterator[tuple[Tombstone, int]]:
    """The tombstone as it is now, and its handle, for this process alone; the kernel lets go when it dies."""
    if not _ID.fullmatch(tombstone.id):
        raise gone(yard.path / tombstone.id)
    path = yard.path / (tombstone.id + _ENDING)
    if not yard.holds(path.name):
        raise gone(yard.path / tombstone.id)
    with touching(path, "opened"):
        handle = os.open(path.name, os.O_RDWR | os.O_NOFOLLOW | os.O_APPEND, dir_fd=yard.handle)
    try:
        _lock(handle, yard.path / tombstone.id)
        if not os.fstat(handle).st_nlink:  # whoever held it has forgotten it meanwhile
            raise gone(yard.path / tombstone.id)
        now = _read(yard, tombstone.id, handle)
        if now is None or (now.inside, now.inode) != (tombstone.inside, tombstone.inode):
            raise changed(f"{shown_path(path)} is not the tombstone that it was.")
        yield now, handle
    finally:
        os.close(handle)


def note_begun(yard: Yard, tombstone: Tombstone, handle: int) -> None:
    """From here on the folder is never whole again, not even after a power cut."""
    with touching(yard.path / (tombstone.id + _ENDING), "written"):
        _append(handle, _BEGUN)


def drop(yard: Yard, id_: str) -> None:
    with touching(yard.path / (id_ + _ENDING), "removed"):
        os.unlink(id_ + _ENDING, dir_fd=yard.handle)
        os.fsync(yard.handle)


def _append(handle: int, text: bytes) -> None:
    if os.write(handle, text) != len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(handle)


def _lock(handle: int, path: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise busy(path) from None
    except OSError as error:
        if error.errno not in _CANNOT_LOCK:  # there two at once only make one another stop
            raise cannot(path, "locked", error) from error


def _read_unlocked(yard: Yard, id_: str) -> Tombstone | None:
    with touching(yard.path / (id_ + _ENDING), "opened"):
        try:
            handle = os.open(id_ + _ENDING, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=yard.handle)
        except FileNotFoundError:  # forgotten meanwhile
            return None
    try:
        return _read(yard, id_, handle)
    finally:
        os.close(handle)


def _read(yard: Yard, id_: str, handle: int) -> Tombstone | None:
    """None for a text that was cut off or damaged. One that was cut off was written before any move."""
    with touching(yard.path / (id_ + _ENDING), "read"):
        line, end, begun = os.pread(handle, os.fstat(handle).st_size, 0).partition(b"\n")
    try:
        facts = json.loads(line) if end else {}
        when = datetime.fromisoformat(facts["when"]).astimezone(UTC)
        stone = Tombstone(id_, str(facts["inside"]), when, facts["why"], facts["inode"], "missing")
    except (ValueError, KeyError, TypeError):
        return None
    return replace(stone, state=_state(yard, stone, bool(begun))) if is_inside(stone.inside) else None


def _state(yard: Yard, stone: Tombstone, is_begun: bool) -> State:
    if yard.holds(stone.id):
        return "half_removed" if is_begun else "quarantined"
    if is_begun:
        return "removed"
    return "in_place" if _is_in_place(yard, stone) else "missing"


def _is_in_place(yard: Yard, stone: Tombstone) -> bool:
    try:
        with reached(yard.top, stone.inside.split("/")[:-1], yard.root) as parent:
            status = status_of(yard.root / stone.inside, parent)
    except RemoveProblem:
        return False
    return is_the_folder(status, stone.inode)


def is_the_folder(status: os.stat_result | None, inode: int) -> bool:
    return status is not None and stat.S_ISDIR(status.st_mode) and status.st_ino == inode


def is_inside(inside: str) -> bool:
    """Whether this is a path below a root, not its quarantine, in the one way to write it."""
    parts = inside.split("/")
    return "\0" not in inside and not {"", ".", "..", QUARANTINE} & {*parts}


def _plain(name: str) -> str:
    return re.sub(r"^-|[^A-Za-z0-9_-]", "_", name)[:_LONGEST_NAME]

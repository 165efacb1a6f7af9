"""Lists all that lies in a folder, through directory handles; links are never followed. Reads only."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import xxhash

from .problems import cannot_read, reading, reason

LONGEST_PATH = 1000  # bytes; with the path of any archive before it, the kernel still takes it (4,096)
OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
TOO_LONG = f"is longer than the {LONGEST_PATH:,} bytes that a path in a run may have"
# What these mean is "the disk is not there", never "this folder may not be read".
_DISK_IS_ILL = frozenset({
    errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.EHOSTDOWN, errno.ETIMEDOUT
})  # fmt: skip

Kind = Literal["file", "folder", "link", "special"]
_KINDS: dict[int, Kind] = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}


class Entry(NamedTuple):
    """One name in a folder: `path` inside it ("a/b"; bytes that are no text as surrogates).

    `size` in bytes, of files only; `mode` its nine permission bits; `target` the text of a link; `hash` in
    hexadecimal, where the file's content is known.
    """

    path: str
    kind: Kind
    size: int
    mtime_ns: int
    mode: int
    target: str = ""
    hash: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """All that lies in a folder, in an order that depends on the names only.

    Two listings of equal `digest` hold the same names, sizes, times and link targets. `stamp` differs too
    where a file was written anew and given its old size and time back, by the time of its last change
    (st_ctime_ns), which no program can set. `problems` are (path, why): what could not be looked at.
    """

    entries: tuple[Entry, ...]
    problems: tuple[tuple[str, str], ...]
    digest: str
    stamp: str

    @property
    def files(self) -> int:
        return sum(entry.kind == "file" for entry in self.entries)

    @property
    def bytes(self) -> int:
        return sum(entry.size for entry in self.entries)


def list_folder(folder: Path, *, alive: Callable[[], None] = lambda: None) -> Listing:
    """List a folder; `alive` is called at each folder in it.

    A folder or file in it that cannot be read is reported as a problem. Raises CopyProblem where `folder`
    itself cannot be read, or its disk fails.
    """
    walk = _Walk(folder, alive)
    entries = tuple(walk.entries())
    digest, stamp = walk.digest.hexdigest(), walk.stamp.hexdigest()
    return Listing(entries, tuple(walk.problems), digest, stamp)


def kind_of(mode: int) -> Kind:
    """What a name is, by its st_mode."""
    return _KINDS.get(stat.S_IFMT(mode), "special")


@contextmanager
def folder_inside(handle: int, inside: str) -> Iterator[int]:
    """A handle of a folder inside another, reached step by step, no step through a link. Raises OSError."""
    handle = os.dup(handle)
    try:
        for name in filter(None, inside.split("/")):
            deeper = os.open(name, OPEN_FOLDER, dir_fd=handle)
            os.close(handle)
            handle = deeper
        yield handle
    finally:
        os.close(handle)


@contextmanager
def folder_handle(folder: Path) -> Iterator[int]:
    with reading(folder):
        handle = os.open(folder, OPEN_FOLDER)
    try:
        yield handle
    finally:
        os.close(handle)


class _Walk:
    """The walk through one folder: what was found wrong so far, and the digests of what was found."""

    def __init__(self, folder: Path, alive: Callable[[], None]) -> None:
        self.folder, self.alive = folder, alive
        self.problems: list[tuple[str, str]] = []
        self.digest, self.stamp = xxhash.xxh3_128(), xxhash.xxh3_128()

    def entries(self) -> Iterator[Entry]:
        with folder_handle(self.folder) as handle:
            todo = [""]
            while todo:
                self.alive()
                inside = todo.pop()
                try:
                    found = list(self._list_one(handle, inside))
                except OSError as error:
                    if error.errno in _DISK_IS_ILL or not inside:
                        raise cannot_read(self.folder / inside, error) from error
                    self._note_problem(inside, f"could not be read: {reason(error)}")
                    continue
                todo += [entry.path for entry in reversed(found) if entry.kind == "folder"]
                yield from found

    def _list_one(self, handle: int, inside: str) -> Iterator[Entry]:
        prefix = f"{inside}/" if inside else ""
        with folder_inside(handle, inside) as folder:
            with os.scandir(folder) as names:
                found = sorted(names, key=lambda name: name.name)
            for one in found:
                path = prefix + one.name
                if len(os.fsencode(path)) > LONGEST_PATH:
                    self._note_problem(path, TOO_LONG)
                elif entry := self._look_at(one, path, folder):
                    yield entry

    def _look_at(self, found: os.DirEntry[str], path: str, folder: int) -> Entry | None:
        """Describe one name; None, and a problem, where that cannot be done."""
        try:
            status = found.stat(follow_symlinks=False)
            kind = kind_of(status.st_mode)
            target = os.readlink(found.name, dir_fd=folder) if kind == "link" else ""
        except OSError as error:
            if error.errno in _DISK_IS_ILL:
                raise
            self._note_problem(path, reason(error))
            return None
        mode = status.st_mode & 0o777
        if kind == "file" and mode & 0o444 != 0o444 and not _may_read(found.name, folder):
            self._note_problem(path, "may not be read by SeqAuto's user")
        size = status.st_size if kind == "file" else 0
        entry = Entry(path, kind, size, status.st_mtime_ns, mode, target)
        self._note(entry, status)
        return entry

    def _note(self, entry: Entry, status: os.stat_result) -> None:
        """A folder's own time is left out: it moves when a file comes and goes again, and holds nothing."""
        mtime_ns = 0 if entry.kind == "folder" else entry.mtime_ns
        line = os.fsencode(f"{entry.path}\0{entry.kind}\0{entry.size}\0{mtime_ns}\0{entry.target}\0")
        self.digest.update(line)
        self.stamp.update(line)
        if entry.kind != "folder":
            self.stamp.update(b"%d %d" % (status.st_ino, status.st_ctime_ns))

    def _note_problem(self, path: str, why: str) -> None:
        self.problems.append((path, why))
        self.digest.update(os.fsencode(f"{path}\0problem\0{why}\0"))
        self.stamp.update(os.fsencode(f"{path}\0problem\0{why}\0"))


def _may_read(name: str, folder: int) -> bool:
    """Asked only where not everybody may: it costs a call a file."""
    return os.access(name, os.R_OK, dir_fd=folder, effective_ids=True)

"""The places of a copy: its final name, its partial one, its manifest and its lock, all in one folder."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..illumina.errors import shown_size
from .listing import OPEN_FOLDER, Entry
from .manifest import Manifest, manifest_text
from .problems import CopyProblem, busy, no_space, reading, shown_path, unsafe, writing

RESERVE_BYTES = 1 << 30  # left free on the disk, whatever is copied
_MOST_OVERHEAD = 4096  # bytes an entry takes on a disk besides its content, about: its last block, its inode
_CANNOT_LOCK = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS})


def manifest_path(copy: Path) -> Path:
    return copy.with_name(f"{copy.name}.manifest.tsv")


def partial_path(copy: Path) -> Path:
    return copy.with_name(f".{copy.name}.partial")


def refuse_inside_one_another(source: Path, destination: Path) -> None:
    """Nothing is ever written into a source, nor a folder copied into itself."""
    one, other = source.resolve(), destination.resolve()
    if one == other or one in other.parents or other in one.parents:
        sentence = f"{shown_path(destination)} and {shown_path(source)} lie inside one another."
        raise unsafe(sentence, "Choose another folder to copy to.")


def space_needed(files: int, size: int) -> int:
    """Bytes that so many entries with so much content take on a disk, about."""
    return size + files * _MOST_OVERHEAD


def check_space(destination: Path, needed: int, reserve: int = RESERVE_BYTES) -> None:
    """Raise CopyProblem unless a copy of `needed` bytes fits in beside what stands in the folder of
    `destination`, and leaves `reserve` bytes of its disk free.
    """
    with reading(destination.parent):
        status = os.statvfs(destination.parent)
    free = status.f_bavail * status.f_frsize
    if (missing := needed + reserve - free) > 0:
        reserved = f", {shown_size(reserve)} stay reserved" if reserve else ""
        raise no_space(
            f"{shown_path(destination)} needs {shown_size(needed)}, {shown_size(free)} are free{reserved}:"
            f" {shown_size(missing)} are missing."
        )


@contextmanager
def claimed(destination: Path) -> Iterator[None]:
    """Hold the destination for this process alone; the kernel lets go of it when the process dies."""
    lock = destination.with_name(f".{destination.name}.lock")
    with writing(lock):
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        with writing(lock):
            _lock(handle, lock, destination)
        try:
            yield
        finally:
            with suppress(OSError):  # one that stays locks nothing
                lock.unlink()
    finally:
        os.close(handle)


def _lock(handle: int, lock: Path, destination: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise busy(destination) from None
    except OSError as error:
        if error.errno not in _CANNOT_LOCK:  # there the caller's own care must do
            raise
    # Whoever held it before may have removed it after we opened it: then it locks nothing.
    if not lock.exists() or not os.path.samestat(os.fstat(handle), lock.stat()):
        raise busy(destination)


@contextmanager
def partial_folder(destination: Path) -> Iterator[Path]:
    """A new folder beside the destination, which is gone afterwards: by `publish`, or removed.

    Of a full disk people hear by the final name: when they look for the partial folder, it is gone.
    """
    partial = partial_path(destination)
    _remove(partial)
    with writing(partial):
        partial.mkdir(0o700)
    try:
        yield partial
    except BaseException as error:
        with suppress(CopyProblem):  # the first failure is the one to tell of
            _remove(partial)
        if isinstance(error, CopyProblem) and error.code == "no_space":
            sentence = error.sentence.replace(shown_path(partial), shown_path(destination))
            raise no_space(sentence) from error
        raise


def _remove(partial: Path) -> None:
    """Remove what an earlier try left, in folders that may not be written too. Never follows a link."""
    with writing(partial):
        if not os.path.lexists(partial):
            return
        os.chmod(partial, 0o700)
        for above, names, _files in os.walk(partial):
            for folder in (f"{above}/{name}" for name in names):
                if not os.path.islink(folder):
                    os.chmod(folder, 0o700)
        shutil.rmtree(partial)


def make_folders_and_links(partial: Path, entries: tuple[Entry, ...]) -> None:
    for entry in entries:
        path = f"{partial}/{entry.path}"
        with writing(path):
            if entry.kind == "folder":
                os.mkdir(path, 0o700)
            elif entry.kind == "link":
                os.symlink(entry.target, path)
                os.utime(path, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)


def finish_folders(source: Path, partial: Path, entries: tuple[Entry, ...]) -> None:
    """Give folders their times and modes, and sync them: inner ones first, as outer ones may close."""
    for entry in reversed(entries):
        if entry.kind == "folder":
            _finish_folder(f"{partial}/{entry.path}", entry.mtime_ns, entry.mode)
    with reading(source):
        status = source.stat()
    _finish_folder(str(partial), status.st_mtime_ns, status.st_mode & 0o777)


def _finish_folder(path: str, mtime_ns: int, mode: int) -> None:
    with writing(path):
        handle = os.open(path, OPEN_FOLDER)
        try:
            os.utime(handle, ns=(mtime_ns, mtime_ns))
            os.fchmod(handle, mode)
            os.fsync(handle)
        finally:
            os.close(handle)


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest whole, or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with writing(path):
        try:
            with open(partial, "wb", opener=_open_new) as stream:
                stream.writelines(manifest_text(manifest))
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def _open_new(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o644)


def publish(partial: Path, destination: Path) -> None:
    """Give a finished copy its final name. Never replaces anything but an empty folder: see rename(2)."""
    with writing(destination):
        os.rename(partial, destination)
    sync_folder(destination.parent)


def sync_folder(folder: Path) -> None:
    with writing(folder):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

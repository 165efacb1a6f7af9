"""Copies and hashes the files of a folder, in several threads, each with one buffer. Waits on disks."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from pathlib import Path

from .listing import Entry, folder_handle, folder_inside
from .manifest import ALGORITHMS, Hasher
from .problems import cannot_read, cannot_write, reading, shown_path, source_changed, stopped

BUFFER_BYTES = 1 << 20
THREADS = 4
_PAGE = mmap.PAGESIZE
_TELL_SECONDS = 0.5
_MOST_FILES, _MOST_BYTES = 64, 64 << 20  # of a portion: so many files are open at once in each thread
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
# A FIFO put in the place of a file must not block us.
_OLD_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class Work:
    """What all threads of a copy share: how to hash, how far they are, and whether to go on.

    `progress` (bytes done, bytes in all) and `stop` are called in the caller's own thread. `read_back_at` is
    when the copy began to be read back, `read_back_stamp` that of its listing then.
    """

    read_back_at: datetime
    read_back_stamp: str

    def __init__(
        self,
        algorithm: str,
        threads: int,
        bytes_total: int,
        progress: Callable[[int, int], None],
        stop: Callable[[], bool],
    ) -> None:
        self.algorithm = algorithm
        self.threads, self.bytes_total, self.bytes_done = threads, bytes_total, 0
        self._progress, self._stop = progress, stop
        self._lock, self._is_abandoned = threading.Lock(), False

    def hasher(self) -> Hasher:
        return ALGORITHMS[self.algorithm]()

    def note(self, count: int) -> None:
        """Count bytes; raises where another thread failed, or the caller wants no more."""
        with self._lock:
            self.bytes_done += count
        if self._is_abandoned:
            raise stopped()

    def tell(self) -> None:
        self._progress(self.bytes_done, self.bytes_total)
        if self._stop():
            raise stopped()

    def in_threads(self, task: Callable[[list[Entry]], list[str]], files: Sequence[Entry]) -> list[str]:
        """The answers for all files, in their order. The first failure ends all threads, and is raised."""
        with ThreadPoolExecutor(self.threads) as pool:
            waiting = tasks = [pool.submit(task, some) for some in _portions(files)]
            try:
                while waiting:
                    done, rest = wait(waiting, _TELL_SECONDS, FIRST_EXCEPTION)
                    for finished in done:
                        finished.result()
                    waiting = list(rest)
                    self.tell()
            except BaseException:
                self._is_abandoned = True
                pool.shutdown(cancel_futures=True)
                raise
        return [answer for finished in tasks for answer in finished.result()]


def copy_files(source: Path, destination: Path, files: Sequence[Entry], work: Work) -> list[str]:
    """Copy files into folders that are there already, and return the hashes of what was read.

    Times and modes become those of `files`. All is on the disk when this returns.
    """
    with folder_handle(source) as from_folder, folder_handle(destination) as to_folder:

        def copy_some(some: list[Entry]) -> list[str]:
            inside = _folder_of(some[0])
            with (
                _reached(from_folder, source, inside) as reads,
                _reached(to_folder, destination, inside) as writes,
                _Copies(writes, destination) as copies,
            ):
                hashes = [_copy_file(entry, reads, source, copies, work) for entry in some]
                copies.settle()
                return hashes

        return work.in_threads(copy_some, files)


def hash_files(folder: Path, files: Sequence[Entry], work: Work, *, from_disk: bool = False) -> list[str]:
    """Return the hashes of files; `from_disk`: of what the disk holds, not of what memory remembers of it."""
    with folder_handle(folder) as handle:

        def hash_some(some: list[Entry]) -> list[str]:
            inside = _folder_of(some[0])
            with _reached(handle, folder, inside) as reads:
                return [_hash_file(entry, reads, folder, work, from_disk) for entry in some]

        return work.in_threads(hash_some, files)


# ---- one file; no context managers here: with small files they cost as much as the copying ----


class _Copies:
    """The new files of one portion, open until all of them are written.

    Then they are synced together: the first sync writes the file system's journal for all, where a sync after
    each file would write it each time.
    """

    def __init__(self, folder: int, destination: Path) -> None:
        self._folder, self._destination = folder, destination
        self._open: list[tuple[str, int]] = []

    def __enter__(self) -> _Copies:
        return self

    def __exit__(self, *_exception: object) -> None:
        for _path, handle in self._open:
            os.close(handle)

    def create(self, entry: Entry) -> None:
        path = f"{self._destination}/{entry.path}"
        try:
            self._open.append((path, os.open(_name_of(entry), _NEW_FILE, 0o600, dir_fd=self._folder)))
        except OSError as error:
            raise cannot_write(path, error) from error

    def write(self, data: memoryview) -> None:
        path, handle = self._open[-1]
        try:
            while data:
                data = data[os.write(handle, data) :]
        except OSError as error:
            raise cannot_write(path, error) from error

    def finish(self, entry: Entry) -> None:
        path, handle = self._open[-1]
        try:
            os.utime(handle, ns=(entry.mtime_ns, entry.mtime_ns))
            os.fchmod(handle, entry.mode)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)  # starts to write, and waits for nothing
        except OSError as error:
            raise cannot_write(path, error) from error

    def settle(self) -> None:
        while self._open:
            path, handle = self._open.pop()
            try:
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
            except OSError as error:
                raise cannot_write(path, error) from error


def _copy_file(entry: Entry, reads: int, source: Path, copies: _Copies, work: Work) -> str:
    hasher, size = work.hasher(), 0
    try:
        original = _open_to_read(entry, reads)
        try:
            copies.create(entry)
            for data in _read(original, entry.size, work):
                hasher.update(data)
                copies.write(data)
                size += len(data)
            copies.finish(entry)
        finally:
            os.close(original)
    except OSError as error:
        raise cannot_read(f"{source}/{entry.path}", error) from error
    if size != entry.size:
        raise source_changed(f"{shown_path(f'{source}/{entry.path}')} changed its size while it was copied.")
    return hasher.hexdigest()


def _hash_file(entry: Entry, reads: int, folder: Path, work: Work, from_disk: bool) -> str:
    hasher = work.hasher()
    try:
        original = _open_to_read(entry, reads)
        try:
            if from_disk:
                _pass_memory_by(original)
            for data in _read(original, entry.size, work):
                hasher.update(data)
        finally:
            os.close(original)
    except OSError as error:
        raise cannot_read(f"{folder}/{entry.path}", error) from error
    return hasher.hexdigest()


def _open_to_read(entry: Entry, folder: int) -> int:
    handle = os.open(_name_of(entry), _OLD_FILE, dir_fd=folder)
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    os.close(handle)
    raise source_changed(f"{shown_path(entry.path)} was a file and is none any more.")


def _read(handle: int, size: int, work: Work) -> Iterator[memoryview]:
    """The content of a file of `size` bytes, piece by piece, in the one buffer of this thread."""
    buffer, done = _own.buffer, 0
    while done < size:
        wanted = -(-(size - done) // _PAGE) * _PAGE  # the kernel pins each page it is offered, used or not
        count = _read_some(handle, buffer[:wanted])
        if not count:
            return
        done += count
        work.note(count)
        yield buffer[:count]


def _read_some(handle: int, buffer: memoryview) -> int:
    try:
        return os.readv(handle, [buffer])
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    fcntl.fcntl(handle, fcntl.F_SETFL, 0)  # some file systems agree to O_DIRECT, and then cannot do it
    return os.readv(handle, [buffer])


def _pass_memory_by(handle: int) -> None:
    """Let reads come from the disk where the file system can; else forget what memory holds of the file."""
    try:
        fcntl.fcntl(handle, fcntl.F_SETFL, os.O_DIRECT)
    except OSError:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.buffer = memoryview(mmap.mmap(-1, BUFFER_BYTES))  # whole pages, as O_DIRECT wants them


_own = _OfThread()


@contextmanager
def _reached(handle: int, root: Path, inside: str) -> Iterator[int]:
    with reading(f"{root}/{inside}"), folder_inside(handle, inside) as folder:
        yield folder


# ---- portions ----


def _portions(files: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Neighbours in one folder, so that the folder is reached once for all of them."""
    for _folder, neighbours in groupby(files, key=_folder_of):
        yield from _cut(neighbours)


def _cut(files: Iterable[Entry]) -> Iterator[list[Entry]]:
    portion: list[Entry] = []
    size = 0
    for entry in files:
        if portion and (len(portion) == _MOST_FILES or size + entry.size > _MOST_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(entry)
        size += entry.size
    yield portion


def _folder_of(entry: Entry) -> str:
    return entry.path.rpartition("/")[0]


def _name_of(entry: Entry) -> str:
    return entry.path.rpartition("/")[2]

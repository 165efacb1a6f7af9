"""Reads a file once, in order, and hashes it on the way; notices when it is not what it was. Reads only."""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import xxhash

from ..illumina.errors import shown
from .calls import ReadWhileSent, UploadProblem
from .evidence import Digests

MOST_PARTS = 10_000  # Amazon S3 user guide, "Multipart upload limits"
_STREAMED_BYTES = 1024 * 1024


Identity = tuple[int, int, int, int]


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class LocalFile:
    """A file of ours, to be read in parts by one thread at a time."""

    def __init__(
        self,
        path: Path,
        size: int,
        part_bytes: int,
        mtime_ns: int | None = None,
        md5: str = "",
        xxh3: str = "",
    ) -> None:
        """Raises UploadProblem unless a regular file of `size` bytes stands at `path`.

        It must have this time and, once it is read, these hashes, as far as they are known. Of files whose
        XXH3 is known too only that is computed, in a tenth of the time: the same bytes have the same MD5.
        """
        self.path, self.size = path, size
        self._expected_time, self._expected_md5, self._expected_xxh3 = mtime_ns, md5, xxh3
        self.counts_crc32 = True
        self.part_bytes = max(part_bytes, -(-size // MOST_PARTS))
        self.part_count = max(1, -(-size // self.part_bytes))
        self._first_look = self._look()
        self._stream: BinaryIO | None = None
        self.begin()

    def begin(self) -> None:
        """Read from the start."""
        self.close()
        is_known = self._expected_md5 and self._expected_xxh3
        self._hash = xxhash.xxh3_128() if is_known else hashlib.md5(usedforsecurity=False)
        self._expected_hash = self._expected_xxh3 if is_known else self._expected_md5
        self._crc32 = self.bytes_read = 0

    def next_part(self) -> bytes:
        return self.read(self.part_bytes)

    def read(self, most: int) -> bytes:
        """Read on. The end comes with a look whether this is, and stayed, the file that was judged."""
        try:
            part = self._open().read(most)
        except OSError as error:
            raise self._changed(f"cannot be read: {error.strerror}") from error
        self._hash.update(part)
        if self.counts_crc32:
            self._crc32 = zlib.crc32(part, self._crc32)
        self.bytes_read += len(part)
        if len(part) < most or self.bytes_read == self.size:
            self.close()
            if self._look() != self._first_look or self.bytes_read != self.size:
                raise self._changed("changed while it was read")
            if self._expected_hash not in ("", self._hash.hexdigest()):
                raise self._changed("holds other bytes than when it was judged")
        return part

    def parts(self) -> Iterator[bytes]:
        return (self.next_part() for _ in range(self.part_count))

    @property
    def digests(self) -> Digests:
        """Of what was read to its end."""
        return Digests(self.bytes_read, self._expected_md5 or self._hash.hexdigest(), self._crc32)

    def close(self) -> None:
        if self._stream:
            self._stream.close()
            self._stream = None

    def _open(self) -> BinaryIO:
        if not self._stream:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            self._stream = open(descriptor, "rb")  # noqa: SIM115  closed after the last part
            if _identity(os.fstat(descriptor)) != self._first_look:
                raise self._changed("changed before it was read")
        return self._stream

    def _look(self) -> Identity:
        try:
            found = os.lstat(self.path)
        except OSError as error:
            raise self._changed(f"cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(found.st_mode):
            raise self._changed("is not a regular file")
        if found.st_size != self.size:
            raise self._changed(f"has {found.st_size:,} bytes, not the {self.size:,} that it had")
        if self._expected_time not in (None, found.st_mtime_ns):
            raise self._changed("was written after it was judged")
        return _identity(found)

    def _changed(self, what: str) -> UploadProblem:
        remedy = "Find out what writes there. Put the file back as it was and press Retry, or convert again."
        return UploadProblem("changed_locally", f"{shown(str(self.path), 500)} {what}", remedy)


class Streamed(ReadWhileSent):
    """A file as the body of a request, of which little is in memory.

    Its last bytes leave only after all were seen to be those that were judged: others never become an object.
    `note` hears how many bytes are on their way, or are not any more; what it raises ends the request.
    """

    def __init__(self, file: LocalFile, note: Callable[[int], None]) -> None:
        self._file, self._note = file, note

    def __len__(self) -> int:
        return self._file.size

    def tell(self) -> int:
        return self._file.bytes_read

    def seek(self, place: int) -> None:
        if place:
            raise ValueError("It begins at its start, or not at all")
        self._note(-self._file.bytes_read)
        self._file.begin()

    def read(self, _size: int = -1) -> bytes:
        """Read on by as much as is quick to send, whatever the client asks for."""
        if self._file.bytes_read == self._file.size:
            return b""
        try:
            part = self._file.read(_STREAMED_BYTES)
            self._note(len(part))
        except UploadProblem as problem:
            self.problem = problem
            raise
        return part

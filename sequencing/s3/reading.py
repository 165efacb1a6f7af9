"""Reads a file once, in order, and hashes it on the way; notices when it is not what it was. Reads only."""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..illumina.errors import shown
from .calls import UploadProblem
from .evidence import Digests

MOST_PARTS = 10_000  # Amazon S3 user guide, "Multipart upload limits"


Identity = tuple[int, int, int, int]


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class LocalFile:
    """A file of ours, to be read in parts by one thread at a time."""

    def __init__(
        self, path: Path, size: int, part_bytes: int, mtime_ns: int | None = None, md5: str = ""
    ) -> None:
        """Raises UploadProblem unless a regular file of `size` bytes stands at `path`.

        It must have this time and, once it is read, this MD5, as far as they are known.
        """
        self.path, self.size = path, size
        self._expected_time, self._expected_md5 = mtime_ns, md5
        self.part_bytes = max(part_bytes, -(-size // MOST_PARTS))
        self.part_count = max(1, -(-size // self.part_bytes))
        self._first_look = self._look()
        self._stream: BinaryIO | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._crc32 = 0
        self._read = 0

    def next_part(self) -> bytes:
        """Read on. The last part ends with a look whether this is, and stayed, the file that was judged."""
        try:
            part = self._open().read(self.part_bytes)
        except OSError as error:
            raise self._changed(f"cannot be read: {error.strerror}") from error
        self._md5.update(part)
        self._crc32 = zlib.crc32(part, self._crc32)
        self._read += len(part)
        if len(part) < self.part_bytes or self._read == self.size:
            self.close()
            if self._look() != self._first_look or self._read != self.size:
                raise self._changed("changed while it was read")
            if self._expected_md5 not in ("", self._md5.hexdigest()):
                raise self._changed("holds other bytes than when it was judged")
        return part

    def parts(self) -> Iterator[bytes]:
        return (self.next_part() for _ in range(self.part_count))

    @property
    def digests(self) -> Digests:
        return Digests(self._read, self._md5.hexdigest(), self._crc32)

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

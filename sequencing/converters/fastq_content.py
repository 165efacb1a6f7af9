"""Reads a FASTQ from its first byte to its last: whether it is whole, whose reads it holds, its hashes."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import xxhash

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 1 << 20
_PACKED_CHUNK = 1 << 18
_UNKNOWN_PACKINGS = (".ora", ".bz2")
# Casava 1.8: @instrument:run:flow cell:lane:tile:x:y[:UMI] read:filtered:control:index
_NAME = re.compile(r"@[^:\s]*:[^:\s]*:[^:\s]*:(?P<lane>\d+):\S* (?P<read>\d):[YN]:\d+:(?P<index>\S*)")


@dataclass(frozen=True, slots=True)
class FastqContent:
    """How many reads a FASTQ holds, the name of the first, and why it is not whole ("" where it is).

    `is_known` is False where the reads cannot be got at (`.ora`, `.bz2`). `md5` and `xxh3` (128 bits) are
    those of the whole file as it lies on the disk, in hexadecimal; a file that is not whole has none.
    """

    reads: int
    first_name: str = ""
    fault: str = ""
    is_known: bool = True
    md5: str = ""
    xxh3: str = ""


@dataclass(frozen=True, slots=True)
class ReadName:
    """What the name of a read tells: its lane, its read, and its index ("" where it does not)."""

    lane: int
    read: int
    index: str


def read_through(path: Path, note: Callable[[int], None] = lambda count: None) -> FastqContent:
    """Read a FASTQ to its end; of a gzipped one every checksum is checked, in all of its members.

    `note` hears of every few bytes that were read from the disk; what it raises ends the reading. Raises
    OSError where the disk fails.
    """
    with path.open("rb", buffering=0) as file:
        hashed = _Hashed(file, note)
        content = _content_of(io.BufferedReader(hashed, _PACKED_CHUNK), path.suffix)
        if content.fault:
            return content
        return replace(content, md5=hashed.md5.hexdigest(), xxh3=hashed.xxh3.hexdigest())


class _Hashed(io.RawIOBase):
    """A file whose bytes are hashed as they are read, each once and in order."""

    def __init__(self, file: io.FileIO, note: Callable[[int], None]) -> None:
        self._file, self._note = file, note
        self.md5, self.xxh3 = hashlib.md5(usedforsecurity=False), xxhash.xxh3_128()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        count = self._file.readinto(buffer)
        read = memoryview(buffer)[:count]
        self.md5.update(read)
        self.xxh3.update(read)
        self._note(count)
        return count


def _content_of(file: BinaryIO, suffix: str) -> FastqContent:
    if suffix in _UNKNOWN_PACKINGS:
        while file.read(_CHUNK):
            pass
        return FastqContent(0, is_known=False)
    if suffix != ".gz":
        return _read(file)
    with gzip.GzipFile(fileobj=file) as unpacked:
        try:
            return _read(unpacked)  # type: ignore[arg-type]  # it reads as a BinaryIO does
        except EOFError:
            return FastqContent(0, fault="it ends in the middle of its gzip stream")
        except (gzip.BadGzipFile, zlib.error) as error:
            return FastqContent(0, fault=f"its gzip stream is damaged ({error})")


def _read(file: BinaryIO) -> FastqContent:
    lines, head, last = 0, b"", b"\n"
    while chunk := file.read(_CHUNK):
        head = head or chunk[:500]
        lines += chunk.count(b"\n")
        last = chunk[-1:]
    lines += last != b"\n"
    first = head.partition(b"\n")[0].decode(errors="replace")
    if lines % 4 or (first and not first.startswith("@")):
        return FastqContent(lines // 4, first, "its lines are no whole reads")
    return FastqContent(lines // 4, first)


def parse_read_name(name: str) -> ReadName | None:
    """What the name of a read says, None where it has another form."""
    match = _NAME.match(name)
    return ReadName(int(match["lane"]), int(match["read"]), match["index"]) if match else None

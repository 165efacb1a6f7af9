"""Reads a FASTQ from its first byte to its last: whether it is whole, and whose reads it holds."""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_CHUNK = 1 << 20
# Casava 1.8: @instrument:run:flow cell:lane:tile:x:y[:UMI] read:filtered:control:index
_NAME = re.compile(r"@[^:\s]*:[^:\s]*:[^:\s]*:(?P<lane>\d+):\S* (?P<read>\d):[YN]:\d+:(?P<index>\S*)")


@dataclass(frozen=True, slots=True)
class FastqContent:
    """How many reads a FASTQ holds, the name of the first, and why it is not whole ("" where it is)."""

    reads: int
    first_name: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class ReadName:
    """What the name of a read tells: its lane, its read, and its index ("" where it does not)."""

    lane: int
    read: int
    index: str


def read_through(path: Path) -> FastqContent:
    """Read a FASTQ to its end; of a gzipped one every checksum is checked, in all of its members.

    Raises OSError where the disk fails.
    """
    with path.open("rb") as raw:
        if path.suffix != ".gz":
            return _read(raw)
        with gzip.GzipFile(fileobj=raw) as unpacked:
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

"""Reads small files whole, and never more than a small file can hold."""

from __future__ import annotations

import os

MOST_BYTES = 16 * 1024 * 1024 + 1  # one more than the parsers accept, so that they can say "too large"


def read_metadata(path: str | os.PathLike[str]) -> bytes:
    """The first `MOST_BYTES` of a file. Raises OSError."""
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size  # asked for 16 MB, Python sets 16 MB aside
        return stream.read(min(size + 1, MOST_BYTES))

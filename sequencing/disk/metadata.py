"""Reads small files whole, and never more than a small file can hold."""

from pathlib import Path

MOST_BYTES = 16 * 1024 * 1024 + 1  # one more than the parsers accept, so that they can say "too large"


def read_metadata(path: Path) -> bytes:
    """The first `MOST_BYTES` of a file. Raises OSError."""
    with path.open("rb") as stream:
        return stream.read(MOST_BYTES)

"""Sends values between a scan and its walkers: pickles, each after its length in eight bytes.

multiprocessing has pipes too, but importing them takes a walker longer than all else it needs to start.
"""

from __future__ import annotations

import os
import pickle
import select
from typing import Any

_LENGTH_BYTES = 8
_MOST_AT_ONCE = 1 << 20


def send(pipe: int, value: object) -> None:
    """Write a value whole. Raises OSError where nobody reads any more."""
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    rest = memoryview(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
    while rest:
        rest = rest[os.write(pipe, rest) :]


def receive(pipe: int, silence_seconds: float | None = None) -> Any:
    """Read the next value. Raises EOFError where no more will come, TimeoutError after too long a silence."""
    length = int.from_bytes(_read(pipe, _LENGTH_BYTES, silence_seconds), "big")
    return pickle.loads(_read(pipe, length, silence_seconds))  # noqa: S301  our own process wrote it


def _read(pipe: int, size: int, silence_seconds: float | None) -> bytes:
    data = bytearray()
    while len(data) < size:
        if silence_seconds is not None and not _is_ready(pipe, silence_seconds):
            raise TimeoutError
        chunk = os.read(pipe, min(size - len(data), _MOST_AT_ONCE))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)


def _is_ready(pipe: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(seconds * 1000))

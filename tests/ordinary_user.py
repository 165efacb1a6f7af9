"""Lets permission bits bind the tests' own process, as they bind SeqAuto in a lab, even where it is root."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_VERSION_3 = 0x20080522  # capget(2)
_OVERRIDES = 1 << 1 | 1 << 2  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: see capabilities(7)
_PR_SET_SECUREBITS, _NO_ROOT = 28, 1  # so that programs started meanwhile do not get them back


@contextmanager
def unreadable(folder: Path) -> Iterator[Path]:
    """Nobody, this process and those it starts included, may look into the folder (or file)."""
    mode = folder.stat().st_mode
    folder.chmod(0)
    try:
        with _bound_by_permission_bits():
            yield folder
    finally:
        folder.chmod(mode)


@contextmanager
def _bound_by_permission_bits() -> Iterator[None]:
    if os.geteuid():
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice
    _do(libc.capget(header, sets))
    effective = sets[0]
    _do(libc.prctl(_PR_SET_SECUREBITS, _NO_ROOT, 0, 0, 0))
    sets[0] &= ~_OVERRIDES
    _do(libc.capset(header, sets))
    try:
        yield
    finally:
        sets[0] = effective
        _do(libc.capset(header, sets))
        _do(libc.prctl(_PR_SET_SECUREBITS, 0, 0, 0, 0))


def _do(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

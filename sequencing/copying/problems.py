"""Why a copy was not made, told so that somebody in the lab can act."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..illumina.errors import shown

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM})
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})  # or exchanged for a link
_MOST_NAMED = 5
_LONGEST_SHOWN = 4096


class CopyProblem(Exception):
    """A copy that was not made, or not proven: nothing stands under its final name that did not before.

    `code` is one of source_changed, unreadable, unsafe, empty, no_space, conflict, damaged, busy, io_error,
    stopped. `sentence` names the file and what was found there, `remedy` what to do next.
    """

    def __init__(self, code: str, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence} {remedy}")
        self.code, self.sentence, self.remedy = code, sentence, remedy


def shown_path(path: str | Path) -> str:
    return shown(str(path), _LONGEST_SHOWN)


def listed(texts: Sequence[str]) -> str:
    """The first few of many texts, and how many more there are."""
    more = f"; and {len(texts) - _MOST_NAMED:,} more" if len(texts) > _MOST_NAMED else ""
    return "; ".join(texts[:_MOST_NAMED]) + more


def reason(error: OSError) -> str:
    return error.strerror or str(error)


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Whatever fails within failed because of what stands at `path`, which was only read."""
    try:
        yield
    except OSError as error:
        raise cannot_read(path, error) from error


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Whatever fails within failed at writing `path`."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_read(path: str | Path, error: OSError) -> CopyProblem:
    sentence = f"{shown_path(path)} could not be read: {reason(error)}."
    if error.errno in _GONE:
        return source_changed(sentence)
    if error.errno in _NOT_ALLOWED:
        return CopyProblem("unreadable", sentence, "Let SeqAuto's user read it, then retry.")
    return CopyProblem("io_error", sentence, "Check the disk that it lies on and its mount, then retry.")


def cannot_write(path: str | Path, error: OSError) -> CopyProblem:
    sentence = f"{shown_path(path)} could not be written: {reason(error)}."
    if error.errno in _NO_SPACE:
        return no_space(sentence)
    return CopyProblem("io_error", sentence, "Check that disk, its mount and its permissions, then retry.")


def no_space(sentence: str) -> CopyProblem:
    return CopyProblem("no_space", sentence, "Make room on that disk, or raise its quota, then retry.")


def source_changed(sentence: str) -> CopyProblem:
    remedy = "Nothing was kept of this copy. Wait until nobody writes or moves it any more, then retry."
    return CopyProblem("source_changed", sentence, remedy)


def unsafe(sentence: str, remedy: str) -> CopyProblem:
    return CopyProblem("unsafe", sentence, remedy)


def conflict(sentence: str) -> CopyProblem:
    remedy = "Nothing was touched. Compare the two, move the one that is wrong elsewhere, then retry."
    return CopyProblem("conflict", sentence, remedy)


def damaged(place: str | Path, what: str, remedy: str) -> CopyProblem:
    return CopyProblem("damaged", f"{shown_path(place)} {what}.", remedy)


def stopped() -> CopyProblem:
    return CopyProblem("stopped", "The copy was stopped before its end.", "Retry when it may run again.")


def busy(destination: Path) -> CopyProblem:
    sentence = f"Another process is copying to {shown_path(destination)} at this moment."
    return CopyProblem("busy", sentence, "Wait until it has ended.")

"""Why a folder was not moved or removed, told so that somebody in the lab can act."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..illumina.errors import shown

_LONGEST_SHOWN = 4096
_NOT_ALLOWED = frozenset({errno.EACCES, errno.EPERM})
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_CHANGED = frozenset({
    errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.ENOTEMPTY, errno.EEXIST
})  # fmt: skip


class RemoveProblem(Exception):
    """Something that was not moved or removed, and why; all that is left is where it was.

    `code` is one of outside, changed, other_disk, mounted, occupied, half_removed, gone, busy, not_allowed,
    no_space, io_error, stopped. `sentence` names the place and what was found, `remedy` what to do next.
    """

    def __init__(self, code: str, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence} {remedy}")
        self.code, self.sentence, self.remedy = code, sentence, remedy


def shown_path(path: str | Path) -> str:
    return shown(str(path), _LONGEST_SHOWN)


@contextmanager
def touching(path: Path, done: str) -> Iterator[None]:
    """Whatever fails within failed because of what stands at `path`, which could not be `done`."""
    try:
        yield
    except OSError as error:
        raise cannot(path, done, error) from error


def cannot(path: Path, done: str, error: OSError) -> RemoveProblem:
    sentence = f"{shown_path(path)} could not be {done}: {error.strerror or error}."
    if error.errno in _CHANGED:
        return changed(sentence)
    if error.errno == errno.EBUSY:
        return mounted(sentence)
    if error.errno in _NOT_ALLOWED:
        remedy = "Give SeqAuto's user the right to remove it (owner, mode, immutable flag), then retry."
        return RemoveProblem("not_allowed", sentence, remedy)
    if error.errno in _NO_SPACE:
        remedy = "A few kilobytes are needed to write down what is removed: make that room, then retry."
        return RemoveProblem("no_space", sentence, remedy)
    return RemoveProblem("io_error", sentence, "Check the disk that it lies on and its mount, then retry.")


def changed(sentence: str) -> RemoveProblem:
    remedy = "Something else works on this folder, or it is not the one that was proven. Look at it first."
    return RemoveProblem("changed", sentence, remedy)


def mounted(sentence: str) -> RemoveProblem:
    return RemoveProblem("mounted", sentence, "Unmount what is mounted there (see findmnt), then retry.")


def other_disk(path: Path) -> RemoveProblem:
    sentence = f"{shown_path(path)} lies on another disk than its root, or something is mounted there."
    return RemoveProblem("other_disk", sentence, "Unmount it, or remove it by hand, after looking at it.")


def outside(path: Path, root: Path) -> RemoveProblem:
    sentence = f"{shown_path(path)} is no folder below {shown_path(root)} that may be removed."
    return RemoveProblem("outside", sentence, "Check the folders in the settings; nothing was touched.")


def occupied(path: Path) -> RemoveProblem:
    sentence = f"Something else stands at {shown_path(path)} by now."
    return RemoveProblem("occupied", sentence, "Compare the two, move the other one elsewhere, then retry.")


def half_removed(path: Path) -> RemoveProblem:
    sentence = f"Parts of {shown_path(path)} are removed already."
    return RemoveProblem("half_removed", sentence, "Restore the run from its backup instead.")


def gone(path: Path) -> RemoveProblem:
    sentence = f"{shown_path(path)} is not in quarantine any more."
    return RemoveProblem("gone", sentence, "See whether it was put back, or moved by hand.")


def not_gone(path: Path) -> RemoveProblem:
    sentence = f"{shown_path(path)} is still in quarantine."
    return RemoveProblem("occupied", sentence, "Put it back or remove it first.")


def busy(path: Path) -> RemoveProblem:
    sentence = f"Another process moves or removes {shown_path(path)} at this moment."
    return RemoveProblem("busy", sentence, "Wait until it has ended.")


def stopped(path: Path) -> RemoveProblem:
    sentence = f"The removal of {shown_path(path)} was stopped before its end."
    return RemoveProblem("stopped", sentence, "Retry when it may run again: it goes on where it was.")

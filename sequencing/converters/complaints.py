"""Finds the words that say why a program failed in all that it said. Pure: text in, a line out."""

from __future__ import annotations

import re
from itertools import pairwise

from sequencing.illumina.errors import shown

_LONGEST = 500  # a Java exception with a path in it
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded")
_FRAME = re.compile(r"\s+at \S|\s*\.\.\. \d+ more$")  # of a Java stack trace
_ERROR = re.compile(r"^Caused by: |^Exception in thread |\bERROR\b|\berror: ")
# What Picard says after everything else, whatever happened.
_FAREWELL = re.compile(r"\[.*\] \S+ done\.|Runtime\.totalMemory|To get help, see")


def tells_of_no_space(said: str) -> bool:
    return bool(_NO_SPACE.search(said))


def reason_in(said: str) -> str:
    """The words that tell why, fit for a message: of a full disk, an exception, an error, else the last.

    Of a Java exception they are its own words, which may name the file, and those of its first cause.
    """
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.search(line)]
    others = [line for line in lines if not _FRAME.match(line) and not _FAREWELL.match(line)]
    full = [line for line in lines if _NO_SPACE.search(line)]
    reason = full[-1:] or _exception(lines) or errors[-1:] or others[-1:]
    return shown(" ".join(" ".join(reason).split()), _LONGEST)


def _exception(lines: list[str]) -> list[str]:
    """The last exception with a stack trace: its line and, where it has causes, the last of them."""
    raised = [line for line, after in pairwise(lines) if _FRAME.match(after) and not _FRAME.match(line)]
    outer = max((n for n, line in enumerate(raised) if not line.startswith("Caused by: ")), default=0)
    return [raised[outer], *raised[outer + 1 :][-1:]] if raised else []

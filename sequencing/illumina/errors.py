"""What can be wrong with a file, told so that somebody in the lab can mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file: where it stands, the text found there, and what to do.

    An error means that the file cannot be used as it is, a warning that it can.
    `row` is the line of the file, counted from 1; `column` is named as the file names it.
    """

    severity: Severity
    code: str
    message: str
    remedy: str
    row: int | None = None
    column: str | None = None
    text: str = ""

    def __str__(self) -> str:
        place = ", ".join(
            part
            for part in (
                f"row {self.row}" if self.row else "",
                f"column {self.column}" if self.column else "",
            )
            if part
        )
        found = f' (found "{self.text}")' if self.text else ""
        return f"{place + ': ' if place else ''}{self.message}{found}. {self.remedy}"


class FormatError(Exception):
    """A file that cannot be read. `problems` says why, one entry a cause."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class RunInfoError(FormatError):
    """A RunInfo.xml that cannot be read."""


class RunParametersError(FormatError):
    """A RunParameters.xml that cannot be read."""


def shown(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return text fit for a message: one printable line, control characters escaped, cut to `longest`."""
    head = text[: longest + 1]
    if not head.isprintable():
        head = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in head)
    return head if len(head) <= longest else head[: longest - 1] + "…"


def shown_size(size: float) -> str:
    """Bytes for people, in powers of 1,000, as disks are sold: "31 B", "9.8 GB", "412 MB"."""
    amount, units = float(size), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while amount >= 999.5 and unit != "TB":
        amount, unit = amount / 1000, next(units)
    return f"{amount:,.1f} {unit}" if amount < 9.95 and unit != "B" else f"{amount:,.0f} {unit}"

"""Why a conversion did not succeed, told so that somebody in the lab can go on."""

from __future__ import annotations

from pathlib import Path

READ_THE_LOG = "Read the log, mend the cause, then retry."


class ConversionProblem(Exception):
    """A conversion that did not succeed: what happened, what to do, and the log that tells more.

    `code` is for programs: "failed", "stopped", "too_long", "silent", "sheet_changed", "unsafe_sheet",
    "output_not_ours", "busy", "cannot_convert", "disk_error", "no_space", "no_converter", "died".
    """

    def __init__(self, code: str, sentence: str, remedy: str, log: Path | None = None) -> None:
        super().__init__(f"{sentence} {remedy}")
        self.code, self.sentence, self.remedy, self.log = code, sentence, remedy, log

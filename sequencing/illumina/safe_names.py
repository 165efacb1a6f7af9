"""Which texts of a sample sheet may stand in a path, an S3 key, a command line or a page.

Illumina allows letters, digits, underscore and dash in Sample_ID and Sample_Project, at most 100 characters,
and forbids the words of CONVERTER_WORDS (sample sheet requirements of DRAGEN and BCL Convert).
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

LONGEST_ID = 100
LONGEST_FILE_NAME = 255
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

# Names that Windows gives to devices, with or without an extension: such a file cannot be opened there.
DEVICES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
)
# Would be read as the converter's own FASTQs of unassigned reads.
UNDETERMINED = "undetermined"
CONVERTER_WORDS = frozenset({"all", "default", "none", "unknown", "stats", "reports"})
_RESERVED = DEVICES | CONVERTER_WORDS | {UNDETERMINED}
# Control, formatting (such as right-to-left marks), surrogate, line and paragraph separator.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def is_safe_id(text: str) -> bool:
    """Whether the text may stand in a path, an S3 key or a command line."""
    return len(text) <= LONGEST_ID and _is_safe(text)


@lru_cache(maxsize=4096)  # a sheet names each id, name and project several times
def _is_safe(text: str) -> bool:
    return _SAFE.fullmatch(text) is not None and text.lower() not in _RESERVED


def hostile_reason(text: str) -> str:
    """Return why the text must never become a path, key or argument; "" where it is unsafe at most."""
    if len(text) > LONGEST_FILE_NAME:
        return f"is longer than a file name can be ({LONGEST_FILE_NAME} characters)"
    if "/" in text or "\\" in text:
        return "holds a slash or backslash, which would lead into another folder"
    if text in (".", ".."):
        return "is the name of a folder above or the same folder"
    if text.startswith("-"):
        return "starts with a dash, which a program would read as an option"
    if "\N{REPLACEMENT CHARACTER}" in text:
        return "holds a character that cannot be read"
    if not text.isprintable() and any(unicodedata.category(character) in _INVISIBLE for character in text):
        return "holds a line break or an invisible character"
    if (word := text.partition(".")[0].rstrip().lower()) in DEVICES:
        return "is a name that Windows keeps for a device"
    if word == UNDETERMINED:
        return "is the name that converters give to reads of no sample"
    return ""


def unsafe_reason(text: str) -> str:
    """Return why a text that is not hostile is not safe either."""
    if text.lower() in CONVERTER_WORDS:
        return "is a word that converters keep for themselves"
    if len(text) > LONGEST_ID:
        return f"is longer than {LONGEST_ID} characters"
    odd = dict.fromkeys(c for c in text if not (c.isascii() and (c.isalnum() or c in "_-")))
    if odd:
        return "holds characters that converters refuse or replace: " + " ".join(map(_named, odd))
    return "does not start with a letter or a digit"


def _named(character: str) -> str:
    return "space" if character.isspace() else character

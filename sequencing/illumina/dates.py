"""Dates as instruments write them."""

from __future__ import annotations

import datetime
import re

# NextSeq, HiSeq, MiSeq: YYMMDD. iSeq, NovaSeq X folder names: YYYYMMDD.
_COMPACT = re.compile(r"([0-9]{2}|20[0-9]{2})([0-9]{2})([0-9]{2})")
# NextSeq 1000/2000, NovaSeq X: 2024-01-31T15:30:32Z.
_YEAR_FIRST = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})(?:[T\s].*)?", re.DOTALL)
# NovaSeq 6000: 6/15/2021 1:19:06 PM; in other languages of Windows 17/01/2020 12:52:58 or 17.01.2020.
_YEAR_LAST = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})(?:\s+(.*))?", re.DOTALL)


def parse_date(text: str, near: datetime.date | None = None) -> datetime.date | None:
    """Return the date in a text, None where there is none.

    6/7/2021 may be June or July: the reading closest to `near` (the date of the run folder's name) counts.
    Without it the month comes first where AM or PM follows (American Windows), otherwise the day.
    """
    text = text.strip()
    if match := _COMPACT.fullmatch(text):
        year = int(match[1])
        return _date(year if year > 99 else 2000 + year, int(match[2]), int(match[3]))
    if match := _YEAR_FIRST.fullmatch(text):
        return _date(int(match[1]), int(match[2]), int(match[3]))
    if not (match := _YEAR_LAST.fullmatch(text)):
        return None
    first, second, year = int(match[1]), int(match[2]), int(match[3])
    readings = [_date(year, first, second), _date(year, second, first)]
    if not re.search(r"[AP]\.?M", match[4] or "", re.IGNORECASE):
        readings.reverse()
    dates = [date for date in readings if date]
    if near:
        dates.sort(key=lambda date: abs(date - near))
    return dates[0] if dates else None


def _date(year: int, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(year, month, day)
    except ValueError:
        return None

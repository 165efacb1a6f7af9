"""How dates read in sentences and cells: `20 Nov 2026`, `20 Nov 2026 06:00`, in the lab's time zone."""

from __future__ import annotations

import re
from datetime import date, datetime

from django.utils import timezone


def day(of: date) -> str:
    return f"{of.day} {of:%b %Y}"


def moment(at: datetime) -> str:
    """For texts that are kept: it tells the year, too."""
    try:
        here = timezone.localtime(at)
    except OverflowError:  # the last day of the calendar, which begins a day later here
        here = at
    return f"{day(here)} {here:%H:%M}"


_ISO = re.compile(r"\d{4}-\d{2}-\d{2}(T\S+)?", re.ASCII)


def in_words(text: str) -> str:
    """A date or moment as JSON keeps it, in words; any other text as it is."""
    try:
        if match := _ISO.fullmatch(text):
            return moment(datetime.fromisoformat(text)) if match[1] else day(date.fromisoformat(text))
    except ValueError:  # no such day, or a moment of no zone
        pass
    return text

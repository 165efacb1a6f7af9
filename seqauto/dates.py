"""How dates read in sentences and cells: `20 Nov 2026`, `20 Nov 2026 06:00`, in the lab's time zone."""

from __future__ import annotations

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

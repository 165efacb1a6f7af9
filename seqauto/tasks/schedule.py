"""When scans run by themselves: one entry of django-celery-beat for each of SEQAUTO_SCAN_TIMES.

A slot is a time of the lab's clock, such as `2026-10-25 06:00 Europe/London`. A scan claims its slot by a
unique column, so two beats, a clock set back, or a queue that delivers late fill each slot at most once; and
since a task that comes late claims the latest slot only, three days without a worker bring one scan, not six.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import product

from django.conf import settings
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from django_celery_beat.tzcrontab import TzAwareCrontab

TASK = "seqauto.tasks.scan_run_jobs.scan_run_jobs"
TICK_SECONDS = 30
# Beat may run on a machine whose clock is ahead; its slot must have begun here too.
CLOCK_TOLERANCE = timedelta(minutes=1)
SLOT_LENGTH = 40  # Of the column; the end of "America/Argentina/Buenos_Aires" is not missed.
_A_YEAR = 366


def set_up() -> None:
    """Add the scans' times where wanted and absent, remove them where unwanted; else people's edits stay."""
    wanted = settings.SEQAUTO_ENABLED and settings.SEQAUTO_SCAN_DISKS and settings.UPLOAD_ENABLED
    entries = PeriodicTask.objects.filter(task=TASK)
    if not wanted:
        entries.delete()
    elif not entries.exists():
        for time in settings.SEQAUTO_SCAN_TIMES:
            _add(time)


def _add(time: str) -> None:
    hour, minute = (str(int(part)) for part in time.split(":"))
    daily = TzAwareCrontab(hour=hour, minute=minute, tz=timezone.get_default_timezone())
    when = CrontabSchedule.from_schedule(daily)  # One that is there already, else a new one.
    when.save()
    PeriodicTask.objects.get_or_create(  # Two beats may start at once.
        name=f"Disk scan at {time}",
        defaults={
            "task": TASK,
            "crontab": when,
            "queue": settings.SEQAUTO_QUEUE,
            "description": "Edit the time here. A slot that was missed is filled once, late.",
        },
    )


def latest_slot(now: datetime) -> str:
    """The last scheduled time that has passed, as the lab's clock showed it; empty without a schedule."""
    passed = [time for when in _crontabs() if (time := _last_before(when, now)) is not None]
    if not passed:
        return ""
    latest = max(passed)
    return f"{latest:%Y-%m-%d %H:%M} {latest.tzinfo}"[:SLOT_LENGTH]


def next_scheduled_at(now: datetime) -> datetime | None:
    """The next scheduled time; None without a schedule."""
    ahead = [time for when in _crontabs() if (time := _first_after(when, now)) is not None]
    return min(ahead, default=None)


def _crontabs() -> list[TzAwareCrontab]:
    entries = PeriodicTask.objects.filter(task=TASK, enabled=True).exclude(crontab=None)
    found = []
    for entry in entries.select_related("crontab"):
        with suppress(ValueError):  # A date that never comes, such as 30 February; beat passes it over too.
            found.append(entry.crontab.schedule)
    return found


def _last_before(when: TzAwareCrontab, now: datetime) -> datetime | None:
    wall = _wall_clock(when, now)
    days = (wall - timedelta(days=days) for days in range(_A_YEAR))
    times = (time for day in days for time in reversed(_times_of(when, day)) if time <= wall)
    return _first(times, when)


def _first_after(when: TzAwareCrontab, now: datetime) -> datetime | None:
    wall = _wall_clock(when, now)
    days = (wall + timedelta(days=days) for days in range(_A_YEAR))
    times = (time for day in days for time in _times_of(when, day) if time > wall)
    return _first(times, when)


def _wall_clock(when: TzAwareCrontab, now: datetime) -> datetime:
    """What the clock on the lab's wall shows: the hour that comes twice a year has the same slots twice."""
    return now.astimezone(when.tz).replace(tzinfo=None)


def _first(times: Iterator[datetime], when: TzAwareCrontab) -> datetime | None:
    return next((time.replace(tzinfo=when.tz) for time in times), None)


def _times_of(when: TzAwareCrontab, day: datetime) -> Sequence[datetime]:
    """The times of one day, in order; none where the day does not match."""
    matches = (
        day.isoweekday() % 7 in when.day_of_week
        and day.day in when.day_of_month
        and day.month in when.month_of_year
    )
    if not matches:
        return []
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return [
        midnight.replace(hour=hour, minute=minute)
        for hour, minute in product(sorted(when.hour), sorted(when.minute))
    ]

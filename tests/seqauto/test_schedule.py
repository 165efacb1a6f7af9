"""Scheduled scans over days, with beat's own scheduler and a clock that the test turns."""

import datetime as real_datetime
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from celery.signals import beat_init
from django.utils import timezone
from django_celery_beat import schedulers, tzcrontab
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from seqauto.models import Scan
from seqauto.tasks import schedule
from seqauto.tasks.scan_run_jobs import _scan_of_latest_slot
from seqauto.tasks.schedule import TASK, latest_slot, next_scheduled_at, set_up
from settings.celery import app

pytestmark = pytest.mark.django_db

LONDON = ZoneInfo("Europe/London")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


@pytest.fixture
def london():
    with timezone.override(LONDON):
        yield


class Clock:
    """The time of beat, of its scheduler and of the worker."""

    def __init__(self, monkeypatch) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        clock = self

        class Turned(datetime):
            @classmethod
            def now(cls, tz=None):
                return clock.now.astimezone(tz)

        class Module:
            datetime = Turned
            timedelta = timedelta

        monkeypatch.setattr(tzcrontab, "datetime", Turned)
        monkeypatch.setattr(schedulers, "datetime", Module)
        monkeypatch.setattr(timezone, "now", lambda: clock.now)


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def every_minute(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += timedelta(minutes=1)


class Beat:
    """Beat's own entries, asked as beat asks them; a due one is delivered to the worker's task at once."""

    def __init__(self) -> None:
        entries = PeriodicTask.objects.filter(task=TASK, enabled=True).order_by("pk")
        self.entries = [schedulers.ModelEntry(entry, app=app) for entry in entries]
        self.sent = 0

    def tick(self) -> None:
        for number, entry in enumerate(self.entries):
            if entry.is_due().is_due:
                self.sent += 1
                _scan_of_latest_slot()
                self.entries[number] = next(entry)
                entry.model.save()


def add_entry(hour: int, minute: int, last_run_at: datetime, zone: ZoneInfo = LONDON) -> PeriodicTask:
    crontab = CrontabSchedule.objects.create(hour=hour, minute=minute, timezone=zone)
    return PeriodicTask.objects.create(
        name=f"{hour}:{minute}", task=TASK, crontab=crontab, last_run_at=last_run_at
    )


def slots() -> list[str]:
    return list(Scan.objects.order_by("pk").values_list("slot", flat=True))


# ---- when there is a schedule ----

SWITCHES = ("SEQAUTO_ENABLED", "SEQAUTO_SCAN_DISKS", "UPLOAD_ENABLED")


@pytest.mark.parametrize("values", list(product([True, False], repeat=3)))
def test_there_is_a_schedule_only_where_all_three_switches_are_on(settings, values):
    for name, value in zip(SWITCHES, values, strict=True):
        setattr(settings, name, value)
    set_up()
    assert PeriodicTask.objects.filter(task=TASK).count() == (2 if all(values) else 0)
    assert (next_scheduled_at(timezone.now()) is not None) == all(values)


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_that_is_turned_off_takes_the_schedule_away(settings, name):
    set_up()
    setattr(settings, name, False)
    set_up()
    assert not PeriodicTask.objects.filter(task=TASK).exists()


def test_the_default_times_are_six_and_seven_in_the_labs_zone(settings):
    settings.TIME_ZONE = "Australia/Adelaide"
    timezone.get_default_timezone.cache_clear()
    try:
        set_up()
    finally:
        del settings.TIME_ZONE
        timezone.get_default_timezone.cache_clear()
    entries = PeriodicTask.objects.filter(task=TASK, enabled=True).order_by("name")
    shown = [(entry.crontab.hour, entry.crontab.minute, str(entry.crontab.timezone)) for entry in entries]
    assert shown == [("6", "0", "Australia/Adelaide"), ("19", "0", "Australia/Adelaide")]
    assert {entry.queue for entry in entries} == {"seqauto_single_worker"}


def test_beat_sets_the_schedule_up_when_it_starts():
    beat_init.send(sender=None)
    assert PeriodicTask.objects.filter(task=TASK).count() == 2


def test_starting_again_adds_nothing():
    set_up()
    before = list(PeriodicTask.objects.values())
    set_up()
    assert list(PeriodicTask.objects.values()) == before


def test_what_people_edited_outlives_a_restart():
    set_up()
    first, second = PeriodicTask.objects.filter(task=TASK).order_by("pk")
    first.crontab = CrontabSchedule.objects.create(hour="22", minute="15", timezone=LONDON)
    first.name, first.enabled = "The lab's own", False
    first.save()
    second.delete()
    set_up()
    kept = PeriodicTask.objects.get(task=TASK)
    assert (kept.name, kept.enabled, kept.crontab.hour) == ("The lab's own", False, "22")


def test_another_tasks_crontab_at_the_same_hour_is_not_taken_for_ours():
    zone = timezone.get_default_timezone()
    CrontabSchedule.objects.create(hour="6", minute="0", day_of_week="1", timezone=zone)
    for _ in range(2):
        CrontabSchedule.objects.create(hour="19", minute="0", timezone=zone)
    set_up()
    entries = PeriodicTask.objects.filter(task=TASK)
    assert {entry.crontab.day_of_week for entry in entries} == {"*"}
    assert entries.count() == 2


# ---- slots ----


@pytest.mark.parametrize(
    ("now", "slot"),
    [
        ("2026-06-10 05:59", "2026-06-09 19:00 Europe/London"),
        ("2026-06-10 06:00", "2026-06-10 06:00 Europe/London"),
        ("2026-06-10 18:59", "2026-06-10 06:00 Europe/London"),
        ("2026-06-10 23:59", "2026-06-10 19:00 Europe/London"),
        ("2026-06-13 12:00", "2026-06-13 06:00 Europe/London"),
    ],
)
def test_a_slot_is_a_time_of_the_labs_clock(now, slot):
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    add_entry(6, 0, long_ago)
    add_entry(19, 0, long_ago)
    assert latest_slot(datetime.fromisoformat(now).replace(tzinfo=LONDON)) == slot


def test_an_edited_crontab_decides():
    monday = CrontabSchedule.objects.create(hour="4,16", minute="30", day_of_week="mon", timezone=LONDON)
    PeriodicTask.objects.create(name="mondays", task=TASK, crontab=monday)
    wednesday = datetime(2026, 6, 10, 12, tzinfo=LONDON)
    assert latest_slot(wednesday) == "2026-06-08 16:30 Europe/London"
    assert next_scheduled_at(wednesday) == datetime(2026, 6, 15, 4, 30, tzinfo=LONDON)
    PeriodicTask.objects.update(enabled=False)
    assert (latest_slot(wednesday), next_scheduled_at(wednesday)) == ("", None)


def test_a_crontab_that_never_comes_has_no_slot():
    never = CrontabSchedule.objects.create(hour="4", minute="0", day_of_month="30", month_of_year="2")
    PeriodicTask.objects.create(name="never", task=TASK, crontab=never)
    assert (latest_slot(timezone.now()), next_scheduled_at(timezone.now())) == ("", None)


def test_the_slot_of_the_longest_zone_fits_its_column(clock):
    add_entry(6, 0, clock.now, ZoneInfo("America/Argentina/ComodRivadavia"))
    _scan_of_latest_slot()
    (slot,) = slots()
    assert len(slot) <= schedule.SLOT_LENGTH == Scan._meta.get_field("slot").max_length


# ---- promise 45: both clock changes, two beats, three days down ----


@pytest.mark.parametrize("beats", [1, 2])
@pytest.mark.parametrize("change", [SPRING, AUTUMN])
def test_promise_45_each_slot_once_over_a_clock_change(clock, change, beats):
    """Also at 01:30, which comes twice in autumn and not at all in spring."""
    start = datetime.combine(change - timedelta(days=1), datetime.min.time(), LONDON).astimezone(UTC)
    for hour, minute in [(1, 30), (6, 0), (19, 0)]:
        add_entry(hour, minute, start)
    clock.now = start
    both = [Beat() for _ in range(beats)]
    for clock.now in every_minute(start, start + timedelta(days=3)):
        for beat in both:
            beat.tick()
    days = [change + timedelta(days=days) for days in (-1, 0, 1)]
    assert slots() == [f"{day} {time} Europe/London" for day in days for time in ("01:30", "06:00", "19:00")]
    assert all(beat.sent >= 9 for beat in both)


@pytest.mark.parametrize("change", [SPRING, AUTUMN, date(2026, 6, 10)])
def test_promise_45_three_days_down_bring_one_late_scan_and_no_burst(clock, change):
    down = datetime.combine(change - timedelta(days=2), datetime.min.time(), LONDON).replace(hour=20)
    for hour in (6, 19):
        add_entry(hour, 0, down - timedelta(hours=1))
    up = (down + timedelta(days=3)).astimezone(UTC)
    clock.now = up
    beat = Beat()
    for clock.now in every_minute(up, up + timedelta(hours=16)):
        beat.tick()
    last, following = change + timedelta(days=1), change + timedelta(days=2)
    assert slots() == [f"{last} 19:00 Europe/London", f"{following} 06:00 Europe/London"]
    assert beat.sent > 2


def test_promise_45_messages_that_waited_three_days_fill_one_slot(clock):
    """No worker, but beat went on sending: six messages come at once."""
    clock.now = datetime(2026, 6, 10, 20, tzinfo=LONDON)
    for hour in (6, 19):
        add_entry(hour, 0, clock.now)
    for _ in range(6):
        _scan_of_latest_slot()
    assert slots() == ["2026-06-10 19:00 Europe/London"]


@pytest.mark.parametrize(("change", "seconds"), [(SPRING, 3600), (AUTUMN, 7200)])
def test_the_next_time_is_told_right_on_the_day_of_a_clock_change(change, seconds):
    """Of 01:30, as seen from 00:30 that day."""
    add_entry(1, 30, datetime(2026, 1, 1, tzinfo=UTC))
    now = real_datetime.datetime.combine(change, real_datetime.time(0, 30), LONDON)
    ahead = next_scheduled_at(now)
    assert ahead.astimezone(UTC) - now.astimezone(UTC) <= timedelta(seconds=seconds)
    assert ahead > now

"""Trends: what the charts draw, and the same figures as tables."""

import json
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from delivery_rows import add_delivery
from django.contrib.auth.models import User
from django.utils import timezone
from page_rows import add_run, add_scan

from seqauto import trends
from seqauto.models import DiskReading, Sequencer
from seqauto.models.deliveries import StepKind

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TODAY = NOON.date()


@pytest.fixture(autouse=True)
def user(client):
    user = User.objects.create_user("labstaff")
    client.force_login(user)
    return user


def drawing(response, key):
    found = re.search(
        rf'<script id="{key}-data" type="application/json">(.*?)</script>', response.content.decode()
    )
    return json.loads(found.group(1))


def series_of(chart):
    return {one.name: one.values for one in chart.series}


def test_runs_are_counted_by_month_and_kit():
    add_run(date=date(2026, 11, 2), group="exome", sample_count=24)
    add_run(date=date(2026, 11, 20), group="exome", sample_count=8)
    add_run(date=date(2026, 10, 31), group="haem", sample_count=96)
    months = trends.runs_by_month(TODAY)
    runs = series_of(trends.runs(months, TODAY, "kit", "runs"))
    samples = series_of(trends.runs(months, TODAY, "kit", "samples"))
    assert (runs["exome"][-2:], runs["haem"][-2:]) == ([0, 2], [1, 0])
    assert (samples["exome"][-2:], samples["haem"][-2:]) == ([0, 32], [96, 0])
    assert len(runs["exome"]) == trends.MONTHS


def test_runs_are_counted_by_instrument():
    sequencers = [Sequencer.objects.create(serial=serial, model="MiSeq") for serial in ("M1", "M2")]
    for sequencer in sequencers:
        add_run(date=TODAY, sequencer=sequencer)
    add_run(date=TODAY, sequencer=None)
    runs = series_of(trends.runs(trends.runs_by_month(TODAY), TODAY, "model", "runs"))
    assert (runs["MiSeq"][-1], runs["unknown model"][-1]) == (2, 1)


def test_hidden_runs_and_those_of_long_ago_or_of_a_wrong_clock_are_not_counted():
    add_run(date=TODAY, is_hidden=True)
    add_run(date=date(2024, 11, 30))
    add_run(date=TODAY + timedelta(days=400))
    add_run(date=None)
    assert trends.runs_by_month(TODAY) == []


def test_many_kits_are_drawn_as_the_most_frequent_and_the_others():
    for place in range(trends.KINDS_SHOWN + 3):
        for _ in range(2 if place < trends.KINDS_SHOWN else 1):
            add_run(date=TODAY, group=f"kit_{place}")
    runs = series_of(trends.runs(trends.runs_by_month(TODAY), TODAY, "kit", "runs"))
    assert len(runs) == trends.KINDS_SHOWN + 1
    assert runs[trends.OTHERS][-1] == 3


def test_completeness_is_told_in_percent_and_missing_fastqs():
    add_run(date=TODAY, files_expected=40, files_found=39)
    add_run(date=TODAY, files_expected=8, files_found=8)
    chart = series_of(trends.completeness(trends.runs_by_month(TODAY), TODAY))
    assert (chart["Missing"][-1], chart["Found"][-1]) == (1, 97.92)
    assert (chart["Missing"][0], chart["Found"][0]) == (None, None)


def test_a_disk_that_fills_is_drawn_to_the_day_when_it_is_full():
    for days in range(10):
        at = NOON - timedelta(days=9 - days)
        DiskReading.objects.create(path="/incoming", total=1000, free=500 - 10 * days, at=at)
    chart = trends.disks(NOON)
    used, ahead = series_of(chart)["/incoming"], series_of(chart)["/incoming at this pace"]
    assert used[:2] == [50.0, 51.0]
    assert ahead[-1] == 100.0
    assert ahead[9] == 59.0
    assert ahead[0] is None
    assert chart.labels[-1] == "1 Jan"


def test_a_disk_that_does_not_fill_has_no_line_ahead():
    for days in range(10):
        at = NOON - timedelta(days=9 - days)
        DiskReading.objects.create(path="/incoming", total=1000, free=500 + days, at=at)
    assert [one.name for one in trends.disks(NOON).series] == ["/incoming"]


def test_turnaround_is_the_median_of_the_runs_delivered_in_a_week():
    for _number, hours in enumerate((1, 2, 9)):
        delivery = add_delivery()
        delivery.complete_at, delivery.delivered_at = NOON - timedelta(hours=hours), NOON
        delivery.save()
        delivery.steps.update(started_at=NOON - timedelta(hours=hours), ended_at=NOON)
    chart = series_of(trends.turnaround(NOON))
    assert chart[StepKind.CONVERT.label][-1] == 2.0
    assert chart["In all"][-1] == 2.0
    assert chart["In all"][0] is None


def test_scans_are_drawn_oldest_first_with_their_stages():
    first, second = add_scan(), add_scan()
    chart = trends.scans()
    assert [label.split(" · ")[0] for label in chart.labels] == [str(first.pk), str(second.pk)]
    assert set(series_of(chart)) >= {"Scanning Files", "Create Models", "Files"}


def test_the_page_draws_and_writes_down_the_same_figures(client):
    add_run(date=timezone.localdate(), group="exome", sample_count=24)
    response = client.get("/trends/")
    (exome,) = drawing(response, "samples_by_kit")["series"]
    assert (exome["name"], exome["values"][-1]) == ("exome", 24)
    table = re.search(
        r'aria-label="Samples a month, figures".*?</table>', response.content.decode(), re.S
    ).group()
    assert re.search(r'<td class="num">24</td>', table)


def test_an_empty_site_says_what_will_stand_there(client):
    body = client.get("/trends/").content.decode()
    assert body.count("Nothing to draw yet.") == 6
    assert "data-chart" not in body


def test_promise_51_a_hostile_name_stays_text_in_the_drawing(client):
    add_run(date=timezone.localdate(), group="</script><script>alert(1)</script>\x1b[31m")
    body = client.get("/trends/").content.decode()
    assert "<script>alert(1)" not in body
    assert "\x1b" not in body


def test_an_unknown_kind_shows_kits(client):
    add_run(date=timezone.localdate(), group="exome")
    assert drawing(client.get("/trends/?by=__class__"), "runs_by_kit")["series"]

"""Storage: disks and their forecast, what runs hold, what is freed when, whether what grows fits."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from delivery_rows import GIGABYTE, add_delivery
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from seqauto.models import Delivery, DiskReading, Hold, Removal
from seqauto.models.clean_up import RemovalState, Target
from seqauto.models.deliveries import DeliveryState
from seqauto.views import storage as views

pytestmark = pytest.mark.django_db

TERABYTE = 1000 * GIGABYTE


@pytest.fixture(autouse=True)
def lab(client, settings) -> None:
    client.force_login(User.objects.create_user("plain"))
    settings.SEQAUTO_INCOMING_DIRS = [Path("/incoming")]
    settings.SEQAUTO_BACKUP_DIR, settings.SEQAUTO_FASTQ_DIR = Path("/backup"), Path("/fastq")
    settings.SEQAUTO_SCAN_ROOTS = []


def read(path: str = "/incoming", free: int = 5 * TERABYTE, ago: timedelta = timedelta(), **fields) -> None:
    values = {"total": 10 * TERABYTE, "folders": [path], "at": timezone.now() - ago}
    DiskReading.objects.create(path=path, free=free, **(values | fields))


def read_all(free: int = 5 * TERABYTE) -> None:
    """One disk holds everything."""
    read(free=free, folders=["/incoming", "/backup", "/fastq"])


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).replace("\u00a0", " ").split())


def page(client, query: str = "") -> str:
    return text_of(client.get(f"/storage/{query}"))


# --- Disks ---------------------------------------------------------------------------------------------


def test_before_the_first_reading_it_says_what_makes_it_appear(client, settings):
    said = page(client)
    assert "No disk was read yet. No run is being sequenced into an incoming folder." in said
    assert "The watcher writes down every quarter of an hour" in said
    settings.SEQAUTO_INCOMING_DIRS, settings.SEQAUTO_BACKUP_DIR, settings.SEQAUTO_FASTQ_DIR = [], None, None
    assert "Set SEQAUTO_INCOMING_DIRS" in page(client)


def test_a_disk_tells_what_is_free_what_lies_on_it_and_that_there_is_no_forecast_yet(client):
    read_all()
    said = page(client)
    assert "No disk is low." in said
    assert "5.0 TB of 10 TB" in said
    assert "No forecast yet it needs a day of readings" in said
    assert "Incoming /incoming Backups /backup FASTQs /fastq" in said


def test_a_disk_that_fills_up_says_when_at_this_pace(client):
    for days in range(5):
        read(free=(4 + days) * TERABYTE, ago=timedelta(days=days))
    full = timezone.localtime(timezone.now() + timedelta(days=4))
    said = page(client)
    assert f"/incoming is full on about {full.day} {full:%b %Y} at this pace." in said
    assert "History" in said
    assert said.count("10 TB") >= 5


def test_a_disk_that_grows_emptier_does_not_fill_up(client):
    for days in range(5):
        read(free=(8 - days) * TERABYTE, ago=timedelta(days=days))
    assert "Does not fill up at this pace" in page(client)


def test_low_space_warns_at_the_levels_that_the_lab_has_set(client, settings):
    read(free=TERABYTE, folders=["/incoming", "/backup", "/fastq"])
    assert "No disk is low." in page(client)
    settings.SEQAUTO_LOW_SPACE_PERCENT = 20
    said = page(client)
    assert "1 disk is low." in said
    assert "/incoming is low: 1.0 TB of 10 TB free (10 %). See what is safe to delete" in said


def test_a_disk_that_was_not_read_for_long_says_so(client):
    read(ago=timedelta(hours=3))
    said = page(client)
    assert "See whether it is mounted, and the watcher runs." in said
    assert "None of the disks that were read is low. 2 folders were not read. No forecast yet." in said
    assert "Not read Backups /backup , FASTQs /fastq : not yet, or not within a week." in said


# --- What grows ----------------------------------------------------------------------------------------


def growing(**fields):
    values = {"bytes": 100 * GIGABYTE, "cycles": 50, "cycles_total": 100, "state": DeliveryState.SEQUENCING}
    return add_delivery(**(values | fields))


def test_a_run_that_will_fit_says_by_what_that_is_known(client):
    read_all()
    growing()
    said = page(client)
    assert "1 run is being sequenced; nothing tells that there is too little room." in said
    assert "Will fit" in said
    assert "About 200 GB when it ends, 100 GB to come, by its cycles so far" in said


def test_runs_that_will_not_fit_together_are_told(client):
    read_all(free=900 * GIGABYTE)
    growing()
    second = growing()
    said = page(client)
    assert "1 run that is being sequenced will not fit." in said
    assert f"{second.name} : 1" in said  # 2 × (100 + 200 + 200) GB and the reserve
    assert "too little on /incoming" in said


def test_where_nobody_knows_the_page_says_so(client):
    growing(bytes=None, cycles=None, model="", instrument="")
    assert "Neither its cycles nor an earlier run tell how large it becomes." in page(client)
    growing()
    assert page(client).count("Nobody knows yet") == 2  # no disk was read


# --- What runs hold ------------------------------------------------------------------------------------


def test_a_row_tells_what_a_run_holds_where_and_when_it_may_go(client):
    add_delivery(ago=timedelta(days=1))
    may_go = timezone.localtime(timezone.now() + timedelta(days=20, hours=2))
    said = page(client).partition("What each run holds")[2]
    assert f"14 GB 14 GB 9.9 GB 38 GB {may_go.day} {may_go:%b %Y}" in said


def test_what_was_removed_is_held_no_more(client):
    delivery = add_delivery(ago=timedelta(days=40))
    folder = delivery.steps.get(kind="convert").figures["folder"]
    removal = Removal.objects.create(
        delivery=delivery, target=Target.FASTQS, path=folder, state=RemovalState.REMOVED
    )
    said = page(client).partition("What each run holds")[2]
    assert "14 GB 14 GB – 28 GB now, by its age" in said
    # Converted again: what was made since stands there.
    Removal.objects.update(quarantined_at=delivery.found_at)
    assert "14 GB 14 GB 9.9 GB 38 GB" in page(client)
    removal.delete()


def test_what_stands_in_quarantine_takes_its_room_until_it_is_freed(client, settings):
    settings.SEQAUTO_CLEAN_UP_GRACE_HOURS = 24
    delivery = add_delivery(ago=timedelta(days=40), gone_at=timezone.now())
    since = timezone.now() - timedelta(hours=4)
    Removal.objects.create(
        delivery=delivery, target=Target.SOURCE, path=delivery.path, bytes=14 * GIGABYTE,
        state=RemovalState.QUARANTINED, tombstone="1", quarantined_at=since,
    )  # fmt: skip
    said = page(client)
    assert "in quarantine, freed after" in said.partition("What each run holds")[2]
    assert "14 GB 9.9 GB 38 GB" in said.partition("What each run holds")[2]
    first = client.get("/storage/").context["releases"][0]
    assert (first.bytes, first.at, first.is_on_its_way) == (14 * GIGABYTE, since + timedelta(hours=24), True)
    Hold.objects.create(delivery=delivery, user_name="bea", reason="A trial")
    assert "in quarantine, freed" not in page(client)
    assert not client.get("/storage/").context["releases"]


def test_a_damaged_backup_still_takes_its_room(client):
    delivery = add_delivery(DeliveryState.WAITING, ago=timedelta(days=40), delivered_at=timezone.now())
    Delivery.objects.get(pk=delivery.pk).steps.filter(kind="convert").update(state="done", code="")
    delivery.steps.filter(kind="back_up").update(state="failed", code="differs")
    said = page(client).partition("What each run holds")[2]
    assert "14 GB damaged" in said


def test_of_run_folder_and_backup_only_one_is_told_to_be_freed(client, settings):
    settings.SEQAUTO_CLEAN_UP_RULES = {"backup": {"enabled": True}, "fastqs": {"enabled": False}}
    delivery = add_delivery(ago=timedelta(days=40))
    assert [one.target for one in client.get("/storage/").context["releases"]] == ["source"]
    Delivery.objects.update(gone_at=timezone.now())
    assert not client.get("/storage/").context["releases"]  # it is the only copy of the base calls
    assert delivery.name in page(client)


def test_a_delivery_that_waits_for_room_stands_first(client):
    reason = "Back up: Waits for room: needs 38 kB and a reserve of 1.1 GB, 29 kB free on /backup."
    delivery = add_delivery(DeliveryState.DELIVERING, reason=reason)
    read_all()
    said = page(client)
    assert "1 delivery waits for room." in said
    assert f"{delivery.name} : {reason}" in said
    assert "Waits for room" in text_of(client.get(delivery.get_absolute_url()))


def test_a_held_run_says_so(client):
    Hold.objects.create(delivery=add_delivery(ago=timedelta(days=40)), user_name="bea", reason="A trial")
    said = page(client)
    assert "held" in said.partition("What each run holds")[2]
    assert "Nothing: no delivered run holds anything that a rule lets go." in said


def test_what_is_freed_when_stands_soonest_first(client):
    add_delivery(ago=timedelta(days=5), bytes=3 * GIGABYTE)
    add_delivery(ago=timedelta(days=9), bytes=2 * GIGABYTE)
    sizes = [one.bytes for one in client.get("/storage/").context["releases"]]
    assert sizes == [9_888_000_000, 2 * GIGABYTE, 9_888_000_000, 3 * GIGABYTE]


def test_the_runs_are_walked_by_key(client, monkeypatch):
    monkeypatch.setattr(views, "RUNS_A_PAGE", 1)
    old, new = add_delivery(), add_delivery()
    assert new.name in page(client).partition("What each run holds")[2]
    assert old.name in page(client, f"?older={new.pk}").partition("What each run holds")[2]


def test_more_runs_ask_no_more_questions(client):
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get("/storage/")
        return len(asked)

    def add_rows() -> None:
        delivery = add_delivery(ago=timedelta(days=30))
        growing()
        Hold.objects.create(delivery=add_delivery(), user_name="bea", reason="A trial")
        Removal.objects.create(delivery=delivery, target=Target.FASTQS, path="/fastq/run")

    read_all()
    add_rows()
    few = questions()
    for _ in range(5):
        add_rows()
        read_all()
    assert questions() == few


def test_the_page_asks_no_disk(client, monkeypatch):
    def refuse(*_args):
        raise AssertionError("A page has looked.")

    monkeypatch.setattr("seqauto.storage.os.statvfs", refuse)
    read_all()
    assert client.get("/storage/").status_code == 200


def test_hostile_names_are_inert(client):
    hostile = "<script>alert(1)</script>\x1b[31m\u202e"
    read(path=f"/{hostile}")
    read(path="/incoming", free=1)
    growing(name=hostile)
    add_delivery(name=hostile, ago=timedelta(days=30))
    body = client.get("/storage/").content.decode()
    assert "<script>alert(1)" not in body
    assert "\x1b" not in body
    assert r"&lt;script&gt;alert(1)&lt;/script&gt;\x1b[31m\u202e" in body

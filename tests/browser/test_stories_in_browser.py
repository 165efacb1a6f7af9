"""A bioinformatician looks for the files of a sample; an admin looks after the lab; a list is shared."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from page_rows import add_run

from seqauto.models import AuditEntry, DiskReading, SequencingRun, Worker
from seqauto.models.workers import WorkerKind


@pytest.fixture
def come_in(transactional_db):
    """Log in as somebody of a role, or as a superuser."""

    def come_in(page, role: str = "") -> None:
        user = User.objects.create_user("anna", password="of the lab", is_superuser=role == "superuser")
        user.groups.set(Group.objects.filter(name=role))
        page.goto("/")
        page.fill("#id_username", "anna")
        page.fill("#id_password", "of the lab")
        page.click("main button:has-text('Log in')")
        page.wait_for_selector("#today")

    return come_in


def test_a_bioinformatician_finds_and_copies_the_paths_of_a_sample(open_page, come_in):
    run = add_run(samples=3)
    sample = run.samples.get(number=2)
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    come_in(page, "Lab staff")
    page.keyboard.press("/")
    page.keyboard.type(sample.sample_id.lower())
    page.keyboard.press("Enter")
    page.wait_for_selector(f"h1:has-text('Files of {sample.sample_id}')")
    page.click("button[data-copy-from='.full-path']")
    page.wait_for_selector("#said:has-text('Copied')", state="attached")
    copied = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert sorted(copied) == sorted(f"{run.path}/{file.path}" for file in sample.files.all())


def test_a_list_is_narrowed_shared_and_taken_along(open_page, come_in):
    for number in range(3):
        add_run(group="exome", name=f"261118_M02027_000{number}_000000000-EXOME")
    add_run(group="haem")
    page = open_page()
    come_in(page, "Lab staff")
    page.goto("/runs/")
    page.select_option("select[name=group]", "exome")
    page.click("#filter button:has-text('Filter')")
    page.wait_for_url("**group=exome**")
    assert page.locator("tbody tr").count() == 3
    shared = open_page()
    shared.context.add_cookies(page.context.cookies())
    shared.goto(page.url)
    assert shared.locator("tbody tr").count() == 3
    with page.expect_download() as download:
        page.click("a:has-text('CSV')")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text("utf-8-sig"))))
    assert {row["group"] for row in rows} == {"exome"}
    assert len(rows) == 3
    page.click(".chips a:has-text('exome')")
    page.wait_for_url(lambda url: "exome" not in url)
    assert page.locator("tbody tr").count() == 4


def test_a_lab_admin_flags_chosen_runs_with_a_reason(open_page, come_in):
    runs = [add_run() for _ in range(3)]
    page = open_page()
    come_in(page, "Lab admins")
    page.goto("/runs/")
    for run in runs[:2]:
        page.check(f"tr:has-text('{run.name}') input[type=checkbox]")
    page.select_option("#chosen select[name=what]", label="Flag: bad")
    page.fill("#chosen input[name=why]", "The flow cell leaked")
    page.click("button:has-text('Save flag')")
    page.wait_for_selector("main >> text=2 runs")
    assert set(SequencingRun.objects.filter(is_bad=True)) == set(runs[:2])
    assert set(AuditEntry.objects.values_list("who", "reason")) == {("anna", "The flow cell leaked")}


def test_an_admin_sees_a_silent_worker_and_a_disk_that_fills(open_page, come_in, settings):
    settings.SEQAUTO_INCOMING_DIRS = ["/incoming"]
    now = timezone.now()
    Worker.objects.create(
        name="seqauto_single_worker@lab",
        kind=WorkerKind.WORKER,
        host="lab",
        pid=7,
        queues=["seqauto_single_worker"],
        started_at=now - timedelta(days=3),
        beat_at=now - timedelta(hours=1),
    )
    for hours in range(0, 24 * 5, 6):
        free = 100 + 3 * hours
        DiskReading.objects.create(
            path="/incoming", folders=["/incoming"], total=1000, free=free, at=now - timedelta(hours=hours)
        )
    page = open_page()
    come_in(page, "superuser")
    page.click("button:has-text('anna')")
    page.click("a.dropdown-item:has-text('Server status')")
    page.wait_for_selector("main >> text=silent since")
    page.click("button:has-text('Deliveries')")
    page.click("a.dropdown-item:has-text('Storage')")
    page.wait_for_selector("h1:has-text('Storage')")
    assert "is full on about" in page.inner_text(".lede >> nth=0")
    page.click("button:has-text('Sequencing')")
    page.click("a.dropdown-item:has-text('Trends')")
    page.wait_for_selector("#disks-title")
    drawn = (
        "Object.keys(Chart.getChart(document.querySelector('[data-chart=disks-data] canvas')).data.datasets)"
    )
    assert len(page.evaluate(drawn)) == 2

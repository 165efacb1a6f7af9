"""A technician at seven: did last night's runs arrive, are all FASTQs there, whose are missing?"""

import socket
import urllib.request
from contextlib import suppress
from datetime import date, timedelta

import pytest
from child_processes import wait_until
from delivery_rows import add_delivery, fail
from django.contrib.auth.models import Permission, User
from django.utils import timezone
from page_rows import add_message, add_run, add_scan, add_sheet
from test_access_in_browser import AXE, FIND, LEVELS
from test_scan_in_browser import CONTRASTS

from seqauto import scans
from seqauto.models import Delivery, DeliveryStep, DiskReading, IncomingFolder, Scan, SequencingRun
from seqauto.models.deliveries import DeliveryState, StepState
from seqauto.models.runs import RunState
from seqauto.models.scans import ScanSource, ScanStatus

MOST_BYTES = 300_000


@pytest.fixture
def technician(transactional_db) -> User:
    return User.objects.create_user("technician", password="of the lab")


@pytest.fixture
def come_in(technician):
    """Log in, as one does in the morning; Today is the first page."""

    def come_in(page) -> None:
        page.goto("/")
        page.fill("#id_username", "technician")
        page.fill("#id_password", "of the lab")
        page.click("main button:has-text('Log in')")
        page.wait_for_selector("#today")

    return come_in


@pytest.fixture
def last_night(archive, write_run, settings, transactional_db) -> SequencingRun:
    """Of two runs that a scan has found, all is there of the first; this is the second, which lacks an R2."""
    settings.SEQAUTO_ENABLED = True
    of_night = {"date": timezone.localdate() - timedelta(days=1), "samples": 3}
    write_run(archive / "exome", number=118, experiment_name="Exome_26_118", **of_night)
    lost = {"experiment_name": "Haem_26_211", "missing": ("*_S2_*_R2_*",)}
    path = write_run(archive / "haem", number=211, **lost, **of_night)
    assert scans.run_scan(scans.create_scan(ScanSource.COMMAND_LINE))
    return SequencingRun.objects.get(path=str(path))


@pytest.fixture
def every_kind(transactional_db, settings) -> None:
    """A page with something of everything."""
    settings.SEQAUTO_INCOMING_DIRS, today = ["/incoming"], timezone.localdate()
    delivery = add_delivery(DeliveryState.DELIVERED)
    add_run(samples=12, missing=2, date=today, identity=delivery.identity)
    run = add_run(date=today, state=RunState.ERROR, state_reason="The sample sheet has 3 errors.")
    add_sheet(run, is_usable=False)
    long = f"Row 14: the index {'ACGT' * 30} is used twice."
    add_message(
        run, severity="error", text=long, remedy="Give each its own.", place="SampleSheet.csv, row 14"
    )
    fail(add_delivery(DeliveryState.WAITING, name="x" * 120))
    add_delivery(DeliveryState.DELIVERING)
    add_delivery(DeliveryState.SEQUENCING, cycles=118, cycles_total=318)
    add_run(samples=1, missing=1, date=date(2019, 5, 1))
    add_scan(ScanStatus.ERROR, error="The archive is not there.", remedy="Mount it.")
    add_scan(ScanStatus.CREATE_MODELS, runs_done=3, runs_total=12)
    IncomingFolder.objects.create(path="/incoming", looked_at=timezone.now())
    for path, free in (("/incoming", 1), ("/archive", 60)):
        DiskReading.objects.create(path=path, folders=[path], total=100, free=free)


def test_a_technician_at_seven_knows_whose_fastqs_are_missing_with_one_click(open_page, come_in, last_night):
    run = last_night
    sample, file = run.samples.get(number=2), run.files.get(data_state="non_existent")
    page = open_page()
    come_in(page)
    assert "two runs reached the archive" in page.inner_text("#today .lede")
    rows = page.locator("#today tbody tr")
    assert rows.count() == 2
    assert "6 / 6" in rows.filter(has_text="Exome_26_118").inner_text()
    told = page.inner_text(".todo:has-text('Haem_26_211')")
    assert "1 of 6 FASTQs is not on the archive" in told
    assert f"Sample {sample.sample_id}, R2." in told

    page.click(".todo:has-text('Haem_26_211') >> text=Show expected paths")
    page.wait_for_url(f"**{run.get_absolute_url()}*")
    assert page.inner_text(".missing-path") == f"{run.path}/{file.path}"


def test_who_may_scan_has_a_run_read_anew_from_here(open_page, come_in, last_night, technician, worker):
    technician.user_permissions.add(Permission.objects.get(codename="seqauto_scan_initiate"))
    worker.set()
    page = open_page()
    come_in(page)
    page.click("button:has-text('Rescan this run')")
    page.wait_for_selector("main >> text=The next scan reads this run anew.")
    assert Scan.objects.filter(source=ScanSource.BUTTON).exists()


def test_what_runs_is_followed_to_its_end_without_reloading_or_flicker(open_page, come_in, every_kind):
    page = open_page()
    come_in(page)
    page.wait_for_selector("#live >> text=Create Models")
    page.evaluate("window.isTheSamePage = true")
    page.focus(".todo >> text=What to do")
    title = page.locator("h1").bounding_box()
    table = page.locator("#today table").bounding_box()

    Scan.objects.filter(is_running=True).update(runs_done=9)
    page.wait_for_selector("#live >> text=9 of 12 runs")
    assert page.locator("h1").bounding_box() == title
    assert page.locator("#today table").bounding_box() == table
    assert page.evaluate("document.activeElement.textContent").startswith("What to do")

    ended = {"is_running": False, "status": ScanStatus.FINISHED, "finished_at": timezone.now()}
    Scan.objects.filter(is_running=True).update(**ended)
    Delivery.objects.filter(state=DeliveryState.DELIVERING).update(state=DeliveryState.DELIVERED)
    DeliveryStep.objects.filter(state=StepState.RUNNING).update(state=StepState.DONE)
    page.wait_for_selector("#live .state.ok >> text=Finished")
    page.wait_for_selector("#live[hx-get]", state="detached")
    page.wait_for_selector(".todo:has-text('disk scan stopped')", state="detached")
    page.wait_for_selector("#said:has-text('No scan is running')", state="attached")
    assert page.evaluate("window.isTheSamePage")


def test_a_page_that_was_out_of_sight_for_a_while_is_fetched_anew(open_page, come_in, transactional_db):
    page = open_page()
    come_in(page)
    hide = "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }); }"
    tell = "document.dispatchEvent(new Event('visibilitychange'))"
    page.evaluate(hide, True)
    page.evaluate(tell)
    add_run(samples=1, missing=1, date=timezone.localdate())
    page.evaluate("(() => { const now = Date.now; Date.now = () => now() + 120_000; })()")
    page.evaluate(hide, False)
    page.evaluate(tell)
    page.wait_for_selector(".todo >> text=1 of 2 FASTQs is not on the archive")


def test_the_page_works_without_scripts(open_page, come_in, every_kind):
    page = open_page(java_script_enabled=False)
    come_in(page)
    page.click(".todo >> text=See the sheet")
    page.wait_for_url("**/sheet/")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_everybody_can_use_the_page_on_any_screen(open_page, come_in, every_kind, width, dark):
    page = open_page(width=width, dark=dark)
    come_in(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert {name: ratio for name, ratio in page.evaluate(CONTRASTS).items() if ratio < 4.5} == {}
    page.evaluate(AXE.read_text())
    assert page.evaluate(FIND, LEVELS) == []


# --- What the first look weighs ------------------------------------------------------------------------


@pytest.fixture
def real_server(children, settings) -> str:
    """The site as `make run` serves it: gunicorn, which hands out the files by itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = ["-m", "gunicorn", "settings.wsgi", "--threads", "4", "--bind", address]
    children.python(*command, SECRET_KEY=settings.SECRET_KEY)
    wait_until(lambda: answers(f"http://{address}"), "the server answers")
    return f"http://{address}"


def answers(url: str) -> bool:
    with suppress(OSError):
        urllib.request.urlopen(f"{url}/accounts/login/").close()
        return True
    return False


def test_the_first_look_takes_less_than_300_kilobytes_in_all(
    real_server, chromium, settings, client, technician, every_kind
):
    for _ in range(20):
        add_run(samples=12, missing=2, date=timezone.localdate())
    client.force_login(technician)
    name = settings.SESSION_COOKIE_NAME
    with chromium.new_context(base_url=real_server) as context:  # with an empty cache
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": real_server}])
        page, asked = context.new_page(), []
        page.on("requestfinished", lambda request: asked.append(request))
        page.goto("/")
        page.wait_for_load_state("networkidle")
        assert "things need a person" in page.inner_text("h1")
        sizes = {request.url: request.sizes()["responseBodySize"] for request in asked}
    assert any(url.endswith(".woff") for url in sizes)
    assert sum(sizes.values()) < MOST_BYTES, sizes

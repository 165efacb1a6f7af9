"""A person at the browser: logs in, presses the button, watches the scan and reads the result."""

import re

import pytest
from django.contrib.sessions.models import Session

from seqauto import scans
from seqauto.models import Scan, SequencingRun
from seqauto.models.scans import ScanSource
from sequencing.demo import write_demo_archive

BUTTON = "button:has-text('Scan Disk for Sequencing Data')"


@pytest.fixture
def demo(archive):
    write_demo_archive(archive)
    return archive


@pytest.fixture
def scanned(demo, transactional_db) -> Scan:
    scan = scans.create_scan(ScanSource.COMMAND_LINE)
    assert scans.run_scan(scan)
    return scan


def test_the_button_starts_a_scan_that_can_be_watched_to_its_end(open_page, log_in, worker, demo):
    page = open_page()
    log_in(page)
    page.click(BUTTON)
    page.wait_for_selector("#live >> text=is running")
    page.evaluate("window.isTheSamePage = true")
    head = page.locator(".head").bounding_box()
    table = page.locator("#scans-table").bounding_box()
    page.wait_for_selector("#scans-table >> text=Scanning Files >> nth=1")

    worker.set()
    page.wait_for_selector("#live >> text=has finished")
    page.wait_for_selector("#scans-table .state.ok >> text=Finished")
    assert page.evaluate("window.isTheSamePage")
    assert page.locator(".head").bounding_box() == head
    assert page.locator("#scans-table").bounding_box()["y"] == table["y"]
    assert "just now" in page.inner_text("#scans-head")
    page.wait_for_selector("#said:has-text('Finished')", state="attached")

    page.click("text=View SeqAuto Run")
    assert "runs and" in page.inner_text("#scan-head")
    page.goto("/runs/")
    for run in SequencingRun.objects.visible():
        assert run.name in page.inner_text("main")


def test_pressing_during_a_scan_queues_one_more_which_then_runs(open_page, log_in, worker, demo):
    page = open_page()
    log_in(page)
    page.click(BUTTON)
    page.wait_for_selector("#live >> text=is running")
    page.click(BUTTON)
    assert "waits and starts when scan" in page.inner_text("main")
    worker.set()
    second = Scan.objects.newest_first()[0]
    page.wait_for_selector(f"#live >> text=Scan {second.pk} has finished")
    assert page.locator("#scans-table .state.ok").count() == 2


def test_a_scan_s_own_page_follows_it_to_its_end(open_page, log_in, worker, demo):
    page = open_page()
    log_in(page)
    page.click(BUTTON)
    page.click("#live-open")
    page.wait_for_selector("#live >> text=is running")
    worker.set()
    page.wait_for_selector("#scan-head >> text=Finished")
    page.wait_for_selector("#scan-body >> text=fastq.tsv")


def test_everything_can_be_done_from_the_keyboard(open_page, operator, worker, demo):
    worker.set()
    page = open_page()
    page.goto("/scans/")
    page.keyboard.type("operator")  # The first field has the focus.
    page.keyboard.press("Tab")
    page.keyboard.type("of the lab")
    page.keyboard.press("Enter")
    page.wait_for_selector("h1:has-text('Disk scans')")
    for _ in range(12):
        page.keyboard.press("Tab")
        focus = page.evaluate("""() => {
            const style = getComputedStyle(document.activeElement);
            const text = document.activeElement.textContent.trim();
            return {text, outline: style.outlineStyle, shadow: style.boxShadow};
        }""")
        assert focus["outline"] != "none" or focus["shadow"] != "none", focus
        if "Scan Disk" in focus["text"]:
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#scans-table >> text=View SeqAuto Run")


def test_a_login_that_ends_while_a_page_polls_leads_to_the_login_form(open_page, log_in, worker, demo):
    page = open_page()
    log_in(page)
    page.click(BUTTON)
    page.wait_for_selector("#live >> text=is running")
    Session.objects.all().delete()
    page.wait_for_selector("h1:has-text('Log in')")
    assert page.locator("#live").count() == 0


def addresses(scan: Scan) -> list[str]:
    incomplete = SequencingRun.objects.filter(state="incomplete").first()
    broken = SequencingRun.objects.filter(state="error").first()
    assert incomplete, (scan.status, scan.error, list(SequencingRun.objects.values_list("name", "state")))
    assert broken
    return [
        "/scans/",
        scan.get_absolute_url(),
        f"/scans/{scan.pk}/changes/appeared/",
        "/runs/",
        "/runs/?state=complete&q=a",
        incomplete.get_absolute_url(),
        f"/runs/{incomplete.pk}/flags/",
        f"/runs/{incomplete.pk}/history/",
        f"/runs/{broken.pk}/sheet/",
        f"/runs/{broken.pk}/messages/",
        "/messages/",
    ]


def test_no_page_scrolls_sideways_on_a_phone(open_page, log_in, scanned):
    page = open_page(width=390)
    log_in(page)
    for address in addresses(scanned):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


def test_the_menu_opens_on_a_phone(open_page, log_in, scanned):
    page = open_page(width=390)
    log_in(page)
    page.click("button[aria-label=Menu]")
    page.click("button:has-text('Sequencing')")
    page.click("a.dropdown-item:has-text('Runs')")
    page.wait_for_selector("h1:has-text('Runs')")


def test_dark_and_light_follow_the_system_until_someone_chooses(open_page, log_in, scanned):
    page = open_page(dark=True)
    log_in(page)
    theme = "document.documentElement.dataset.bsTheme"
    assert page.evaluate(theme) == "dark"
    page.click("[data-theme-button]")
    assert page.evaluate(theme) == "light"
    page.goto("/runs/")
    assert page.evaluate(theme) == "light"


# The contrast ratio of every text in sight to what lies behind it, as WCAG 2 defines it.
CONTRASTS = """() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const linear = (v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const found = {};
    const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        const style = getComputedStyle(element);
        if (!texts.currentNode.textContent.trim() || !element.checkVisibility() || element.disabled) continue;
        const lights = [light(parse(style.color)), light(behind(element))].sort((x, y) => y - x);
        found[`${element.tagName}.${element.className}`] = (lights[0] + .05) / (lights[1] + .05);
    }
    return found;
}"""


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read_in_both_themes(open_page, log_in, scanned, dark):
    page = open_page(dark=dark)
    log_in(page)
    for address in addresses(scanned):
        page.goto(address)
        pale = {name: ratio for name, ratio in page.evaluate(CONTRASTS).items() if ratio < 4.5}
        assert pale == {}, address


def test_a_missing_file_s_path_can_be_copied(open_page, log_in, scanned):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    log_in(page)
    run = SequencingRun.objects.filter(state="incomplete").first()
    page.goto(run.get_absolute_url())
    page.click(".paths .copy >> nth=0")
    path = page.evaluate("navigator.clipboard.readText()")
    assert path == page.inner_text(".missing-path >> nth=0")
    assert re.fullmatch(re.escape(run.path) + r"/.+\.fastq\.gz", path)

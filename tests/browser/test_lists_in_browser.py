"""A person at the browser: finds the files of a sample, shares what was found, acts on several runs."""

import pytest
from page_rows import add_message, add_run
from test_access_in_browser import AXE, FIND, LEVELS

from seqauto.models import SequencingRun


@pytest.fixture
def run(operator) -> SequencingRun:
    return add_run(samples=3, missing=1)


def test_where_are_the_files_of_a_sample(open_page, log_in, run):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    log_in(page)
    page.goto("/samples/")
    page.fill("#id_q", "h-0001")
    page.press("#id_q", "Enter")
    page.wait_for_url("**/samples/?q=h-0001")  # nothing but what is filled in: a link to share
    page.click("main td a:has-text('H-0001')")
    page.wait_for_selector("h1:has-text('Files of H-0001')")
    page.click("button:has-text('copy the 2 paths')")
    page.wait_for_selector("#said:text-is('Copied')", state="attached")
    paths = [f"{run.path}/0_fastq/H-0001_S1_L001_{read}_001.fastq.gz" for read in ("R1", "R2")]
    assert page.evaluate("navigator.clipboard.readText()") == "\n".join(paths)
    with page.expect_download() as download:
        page.click("a:has-text('Paths as text')")
    assert download.value.path().read_text() == "".join(f"{path}\n" for path in paths)


def test_one_tick_chooses_all_runs_of_the_page_to_flag_them(open_page, log_in, run):
    add_run()
    page = open_page()
    log_in(page)
    page.goto("/runs/")
    page.check("[data-choose-all]")
    page.select_option("#id_what", "is_bad")
    page.click("button:has-text('Save flag')")
    assert page.url.endswith("/runs/")  # the browser itself asks for the reason
    page.fill("#id_why", "Overclustered.")
    page.click("button:has-text('Save flag')")
    page.wait_for_selector("text=2 runs flagged bad.")
    assert SequencingRun.objects.filter(is_bad=True).count() == 2


def test_columns_are_chosen_by_keyboard_and_stay(open_page, log_in, run):
    page = open_page()
    log_in(page)
    page.goto("/runs/")
    page.focus("summary:has-text('Columns')")
    page.keyboard.press("Enter")
    page.focus("#column_flowcell")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    page.wait_for_url("**/runs/?columns=*")
    page.goto("/runs/")
    assert page.locator("th:has-text('Flow cell')").count() == 1


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_the_unfolded_filter_can_be_used_by_everybody(open_page, log_in, run, dark):
    page = open_page(width=390, dark=dark)
    log_in(page)
    for name in ("runs", "samples", "files", "experiments", "sequencers"):
        page.goto(f"/{name}/")
        page.click("button:has-text('Filter or sort')")
        page.wait_for_selector("#filter.show #id_sort")
        page.evaluate(AXE.read_text())
        assert page.evaluate(FIND, LEVELS) == []


@pytest.mark.parametrize("scripts", [True, False])
def test_on_a_phone_a_field_sorts_where_the_headings_are_folded_away(open_page, log_in, run, scripts):
    page = open_page(width=390, java_script_enabled=scripts)
    add_run(name="zebra", group="zebrafish")
    log_in(page)
    page.goto("/runs/?group=&columns=name.group")
    if scripts:
        page.click("button:has-text('Filter or sort')")
    page.select_option("#id_sort", label="Group, descending")
    page.click("#filter button:has-text('Filter')")
    page.wait_for_url("**/runs/?*sort=-group*")
    assert page.url.count("sort=") == 1
    assert "columns=name.group" in page.url
    assert page.locator("td.run").first.inner_text().startswith("zebra")


def test_where_headings_sort_the_form_keeps_how_the_list_is_sorted(open_page, log_in, run):
    page = open_page()
    log_in(page)
    page.goto("/runs/")
    page.click("th a:has-text('Group')")
    assert not page.is_visible("#id_sort")
    page.fill("#id_q", run.name)
    page.press("#id_q", "Enter")
    page.wait_for_url(f"**/runs/?q={run.name}&sort=group")
    page.click("th a:has-text('Group')")
    page.wait_for_url(f"**/runs/?q={run.name}&sort=-group")


CUT = """() => [...document.querySelectorAll("#filter input, #filter select")].filter((box) => {
    const style = getComputedStyle(box), pen = document.createElement("canvas").getContext("2d");
    pen.font = style.font;
    const room = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const words = box.placeholder || box.selectedOptions?.[0].text || "";
    return box.checkVisibility() && pen.measureText(words).width > room + 1;
}).map((box) => box.id)"""


@pytest.mark.parametrize("width", [390, 1280])
def test_what_the_boxes_of_a_filter_say_is_not_cut(open_page, log_in, run, width):
    page = open_page(width=width)
    log_in(page)
    for name in ("runs", "samples", "files", "experiments", "sequencers", "messages"):
        page.goto(f"/{name}/")
        page.evaluate("document.getElementById('filter').classList.add('show')")
        assert page.is_visible("#id_q")
        assert page.evaluate(CUT) == [], name


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("address", ["/runs/", "/samples/", "/files/", "/experiments/", "/sequencers/"])
def test_on_a_phone_the_page_itself_does_not_scroll_sideways(open_page, log_in, run, address, dark):
    page = open_page(width=390, dark=dark)
    log_in(page)
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_on_a_phone_a_message_its_place_and_its_remedy_do_not_run_together(open_page, log_in, run):
    add_message(run, place="SampleSheet.csv, row 9", remedy="Fill in the id.")
    page = open_page(width=390)
    log_in(page)
    page.goto("/messages/")
    boxes = [
        page.locator(f"main td .below:has-text('{words}')").bounding_box() for words in ("row 9", "Fill in")
    ]
    assert len({box["x"] for box in boxes}) == 1
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"] + 1


def test_on_a_phone_a_dash_says_what_there_is_none_of(open_page, log_in, run):
    run.group = ""
    run.files_expected = run.files_found = 0
    run.save()
    page = open_page(width=390)
    log_in(page)
    page.goto("/runs/")
    label = (
        "cells => cells.filter((cell) => cell.textContent.trim() === '–').map((cell) => cell.dataset.label)"
    )
    assert page.eval_on_selector_all("main tbody td", label) == ["Group", "FASTQs", "Messages"]


def test_runs_can_be_flagged_without_scripts(open_page, log_in, run):
    page = open_page(java_script_enabled=False)
    log_in(page)
    page.goto("/runs/")
    assert not page.is_visible("[data-choose-all]")
    page.check("td.choose input")
    page.fill("#id_why", "Reference.")
    page.click("button:has-text('Save flag')")
    page.wait_for_selector("text=1 run flagged gold standard.")

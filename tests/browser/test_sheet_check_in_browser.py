"""A person pastes a sheet, goes to each problem, mends it, and reads that it is fine; without scripts too."""

import pytest

SHEET = """
[Header]
[Reads]
151
[Data]
Sample_ID,Sample_Project,index,index2
A1,P1,ACGTACGT,TTTTTTTT
B 2,P1,ACGTACGA,TTTTTTTT
"""


@pytest.fixture
def open_check(open_page, log_in):
    def open_check(**options):
        page = open_page(**options)
        log_in(page)
        page.goto("/check-sheet/")
        return page

    return open_check


@pytest.mark.parametrize("scripts", [True, False])
def test_a_person_mends_a_sheet_until_it_is_fine(open_check, scripts):
    page = open_check(java_script_enabled=scripts)
    page.fill("#id_sheet", SHEET)
    page.click("button:has-text('Check')")
    assert page.inner_text(".verdict strong").startswith("2 entries that converters refuse")
    assert page.input_value("#id_sheet") == SHEET  # with its blank first line, so that rows count alike
    page.click("#problem-2 a")
    assert page.url.endswith("#cell-8-2")
    assert page.inner_text(":target").strip().endswith("ACGTACGA")
    page.click(":target a")
    assert page.url.endswith("#problem-2")
    page.fill("#id_sheet", SHEET.replace("B 2", "B2").replace("ACGTACGA", "CCCTTCGA"))
    page.click("button:has-text('Check again')")
    assert page.inner_text(".verdict strong") == "The sheet is fine: 2 samples, 2 FASTQs in each lane."


def test_from_the_keyboard_alone(open_check):
    page = open_check()
    page.focus("#id_sheet")
    page.keyboard.insert_text(SHEET)
    for _ in range(4):  # past both files and what unfolds
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Check":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".verdict")
    page.focus("#problem-2 a")
    page.keyboard.press("Enter")
    assert page.url.endswith("#cell-8-2")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_nothing_hangs_over_the_edge(open_check, width, dark, tmp_path):
    page = open_check(width=width, dark=dark)
    page.set_input_files(
        "#id_sheet_file", {"name": "s.csv", "mimeType": "text/csv", "buffer": wide_sheet().encode("utf-16")}
    )
    page.click("button:has-text('Check')")
    page.wait_for_selector(".verdict")
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=str(tmp_path / "check.png"), full_page=True)


@pytest.mark.parametrize(
    ("width", "region"), [(1280, "Closest pairs, scrolls sideways"), (390, "List of the problems")]
)
def test_what_is_amiss_is_seen_without_scrolling_inside_its_panel(open_check, width, region):
    page = open_check(width=width)
    rows = [f"26W0412-0{n},,ACGTACGTAC,TTTTTTTTTT" for n in range(8)]
    page.fill("#id_sheet", "\n".join(["[Data]", "Sample_ID,Sample_Project,index,index2", *rows]))
    page.click("button:has-text('Check')")
    panel = page.locator(f"[aria-label='{region}']")
    assert panel.evaluate("it => [it.scrollWidth - it.clientWidth, it.scrollHeight - it.clientHeight]") == [
        0,
        0,
    ]


def wide_sheet() -> str:
    """Long names, many columns and many problems."""
    columns = ",".join(f"column_{n}" for n in range(30))
    rows = [f"{'x' * 90}_{n},{'P' * 90},ACGTACG{'ACGT'[n % 4]},{',' * 25}../{'y' * 400}" for n in range(40)]
    return f"[Data]\nSample_ID,Sample_Project,index,{columns}\n" + "\n".join(rows)

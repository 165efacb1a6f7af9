"""Every finding at its cell: by any spelling of its column, and however long the sheet is."""

import pytest
from sheets import run_of, v1, v2

from sequencing.checking import MarkedRow, full_check, mark_sheet
from sequencing.checking.marking import MOST_CELLS, MOST_COLUMNS, MOST_ROWS


def marked(data: bytes, run_info=None) -> list[tuple[str, str]]:
    """(code, text of the cell, or "row 7" for a whole row, or "" for no place) of each finding."""
    check = full_check(data, run_info)
    sheet = mark_sheet(data, check.findings)
    rows = {row.number: row for section in sheet.sections for row in section.rows}
    return [
        (finding.problem.code, _place(anchor, rows))
        for finding, anchor in zip(check.findings, sheet.anchors, strict=True)
    ]


def _place(anchor: tuple[int, int] | None, rows: dict[int, MarkedRow]) -> str:
    if anchor is None:
        return ""
    row, place = anchor
    return f"row {row}" if place < 0 else rows[row].cells[place]


@pytest.mark.parametrize(
    ("data", "marks"),
    [
        (v1("../x,ACGT,TTTT"), [("hostile_name", "../x")]),
        (v1(",ACGT,TTTT"), [("no_samples", "row 7"), ("no_sample_id", "")]),
        (v1("A,ACGT,TTTT", "B,ACGT,TTTT"), [("duplicate_index", "ACGT")]),
        (v1("A,ACGT,", "B,,"), [("missing_index", "")]),
        (v1("A,ACGT", columns="Sample ID,Index"), []),
        (v1("A,SI-GA-A1", columns="Sample ID,Index"), [("index_set_name", "SI-GA-A1")]),
        (v1("A,ACGT,x", columns="Sample_ID,index,index"), [("duplicate_column", "index")]),
        (b"FCID,Lane,SampleID,Index\nX,none,A,ACGT\n", [("bad_lane", "none")]),
        (b"hello\n[Data]\nSample_ID\nA\n", [("text_before_sections", "row 1")]),
        (b"[Data]\nSample_ID\nA\n[Data]\n", [("duplicate_section", "row 4")]),
        (b"[Header]\nDate,today\n", [("no_data_section", "row 1")]),
        (b"", [("empty_file", "")]),
        (b"\x00\x01\x02" * 40, [("not_text", "")]),
    ],
)
def test_each_finding_stands_at_its_cell(data, marks):
    assert marked(data) == marks


def test_what_the_run_says_stands_at_the_cells_of_the_sheet_whatever_they_are_called():
    data = v2("9,A,ACGTACGTAC,", columns="lane,Sample_ID,Index,Index2")
    assert marked(data, run_of("M00879")) == [
        ("lane_out_of_range", "9"),
        ("lane_beyond_flow_cell", "9"),
        ("index_longer_than_read", "ACGTACGTAC"),
    ]


def test_a_setting_is_found_by_its_name():
    data = v2("A,ACGTACGT,TTTTTTTT", settings="OverrideCycles,Y10;I8")
    assert marked(data, run_of("M00879")) == [("override_cycles_do_not_fit", "Y10;I8")]


def test_where_two_sheets_were_pasted_together_each_row_has_its_own_columns():
    data = v1("A,ACGT,", "index,Sample_ID", "SI-GA-A1,B")
    assert ("index_set_name", "SI-GA-A1") in marked(data)


def test_problems_of_run_info_stand_in_no_cell_of_the_sheet():
    assert marked(v1("A,ACGT,TTTT"), b"<RunInfo") == [("not_xml", "")]


def test_sections_and_columns_stay_what_they_are():
    data = v1("A,ACGT,TTTT,more", "B", header="Date,today")
    sheet = mark_sheet(data, full_check(data).findings)
    assert [(section.name, section.row) for section in sheet.sections] == [
        ("Header", 1),
        ("Reads", 3),
        ("Data", 6),
    ]
    data_section = sheet.sections[-1]
    assert data_section.head.cells == ("Sample_ID", "index", "index2")
    assert [row.cells for row in data_section.rows[1:]] == [("A", "ACGT", "TTTT", "more"), ("B", "", "")]


def test_of_a_long_sheet_the_first_rows_and_every_row_with_a_problem_are_shown():
    rows = [f"S{n},,," for n in range(MOST_ROWS + 500)]
    rows[MOST_ROWS + 100] = "../x,,,"
    data = v1(*rows, columns="Sample_ID,a,b")
    sheet = mark_sheet(data, full_check(data).findings[:1])
    shown = sheet.sections[-1].rows
    (bad,) = (row for row in shown if "../x" in row.cells)
    assert (bad.number, bad.left_out > 90, shown[-1].number) == (MOST_ROWS + 108, True, 0)
    numbers = [row.number for section in sheet.sections for row in section.rows if row.number]
    assert sheet.left_out + len(numbers) == len(rows) + 3  # two of [Reads], and the column header


def test_very_wide_rows_and_very_long_cells_are_cut():
    wide = ",".join(["x" * 400, *150 * "y"])
    data = v1(*(f"S{n},{wide}" for n in range(600)))
    sheet = mark_sheet(data, ())
    cells = [cell for section in sheet.sections for row in section.rows for cell in row.cells]
    assert max(map(len, cells)) <= 300
    assert max(len(row.cells) for row in sheet.sections[-1].rows) == MOST_COLUMNS
    assert len(cells) <= MOST_CELLS
    assert sheet.left_out > 0


def test_control_and_direction_characters_are_spelled_out():
    data = v1("A\x1b[31m,\u202eACGT,TTTT")
    cells = mark_sheet(data, ()).sections[-1].rows[-1].cells
    assert cells[:2] == ("A\\x1b[31m", "\\u202eACGT")

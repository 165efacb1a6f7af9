"""Everything wrong with a sheet is told at once: row, column, the text found, and what to do."""

import pytest

from sequencing.illumina.sample_sheet import REFUSED_BY_CONVERTERS, parse_sample_sheet

HEADER = "[Data]\nLane,Sample_ID,Sample_Name,index,index2,Sample_Project\n"


def problems(text: str | bytes) -> list[tuple[str, str, int | None, str | None, str]]:
    data = text if isinstance(text, bytes) else text.encode()
    return [
        (problem.severity, problem.code, problem.row, problem.column, problem.text)
        for problem in parse_sample_sheet(data).problems
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "empty_file"),
        (b"\xef\xbb\xbf\r\n,,,\n", "empty_file"),
        (b"\0" * 100, "empty_file"),
        (b"\x1f\x8b\x08\x00" + bytes(range(256)) * 8, "not_text"),
        (b"[Header]\nDate,today\n", "no_data_section"),
        (b"[Data]\n", "no_samples"),
        (b"[Data]\nSample_ID,index\n", "no_samples"),
        (b"[Data]\nSample_ID,index\n,,,\n", "no_samples"),
        (b"[Data]\nSample_Name,index\nS1,ACGT\n", "no_sample_id_column"),
        (b"Name,index\nS1,ACGT\n", "no_sample_id_column"),
        (b"<html><body>404</body></html>", "no_sample_id_column"),
        (b"[Data]\nSample_ID\n" + b"S1\n" * 60_000, "too_many_lines"),
        (b"x" * (16 * 1024 * 1024 + 1), "too_large"),
    ],
)
def test_a_sheet_from_which_samples_cannot_be_known_has_an_error(text, code):
    sheet = parse_sample_sheet(text)
    assert not sheet.is_usable
    assert [problem.code for problem in sheet.errors] == [code]
    assert all(problem.message and problem.remedy for problem in sheet.problems)


def test_all_problems_of_a_sheet_are_told_at_once_and_in_order():
    text = HEADER + (
        "1,S1,,ACGTACGT,TTGG,P1\n"
        "1,S2,,ACGTACGT,TTGG,P1\n"
        "1,,,CCGTACGT,TTGG,P1\n"
        "one,S3,,CCCTACGT,TTGG,P1\n"
        "9,S 4,,CCCCACGT,TTGG,../P1\n"
        "1,S5,,ACGTAC,TTGG,P1\n"
        "1,S6,,ACXTACGA,TTGG,P1\n"
    )
    assert problems(text) == [
        ("warning", "duplicate_index", 4, "index", "ACGTACGT+TTGG"),
        ("error", "no_sample_id", 5, "Sample_ID", "1,,,CCGTACGT,TTGG,P1,"),
        ("error", "bad_lane", 6, "Lane", "one"),
        ("warning", "lane_out_of_range", 7, "Lane", "9"),
        ("warning", "unsafe_name", 7, "Sample_ID", "S 4"),
        ("error", "hostile_name", 7, "Sample_Project", "../P1"),
        ("warning", "mixed_index_lengths", 8, "index", "ACGTAC"),
        ("warning", "bad_index", 9, "index", "ACXTACGA"),
    ]


WARNINGS = {
    "1,S1,,ACGT,,P1\n1,S1,,ACGT,,P1\n": ("duplicate_row", 4, "index", "ACGT"),
    "1,S1,,ACGT,,P1\n1,S2,,ACGT,,P1\n": ("duplicate_index", 4, "index", "ACGT"),
    "1,S1,,ACGT,,P1\n1,S2,,ACG,,P1\n": ("mixed_index_lengths", 4, "index", "ACG"),
    "1,S1,,ACGT,A,P1\n1,S2,,CCGT,AC,P1\n": ("mixed_index_lengths", 4, "index2", "AC"),
    "1,S1,,ACGT,,P1\n1,S2,,,,P1\n": ("missing_index", 4, "index", "S2"),
    "0,S1,,ACGT,,P1\n": ("lane_out_of_range", 3, "Lane", "0"),
    "1,S1,,AC GT,,P1\n": ("bad_index", 3, "index", "AC GT"),
    "1,S1,,SI-GA-A1,,P1\n": ("index_set_name", 3, "index", "SI-GA-A1"),
    "1,S1,,ACGT,,P1\n2,s1,,ACGT,,P1\n": ("case_clash", 4, "Sample_ID", "s1"),
    "1,S1,,ACGT,,P1\n2,S1,,ACGT,,P2\n": ("differing_sample", 4, "Sample_ID", "S1"),
    "1,S1,a b,ACGT,,P1\n": ("unsafe_name", 3, "Sample_Name", "a b"),
    "1,Größe,,ACGT,,P1\n": ("unsafe_name", 3, "Sample_ID", "Größe"),
    "1,S1.2,,ACGT,,P1\n": ("unsafe_name", 3, "Sample_ID", "S1.2"),
    "1,S1,,ACGT,,default\n": ("unsafe_name", 3, "Sample_Project", "default"),
    "1,S1,,ACGT,,P1,blood, second\n": ("long_row", 3, None, "blood,second"),
    "1,S1,,ACGT,,P1\n,S2,,CCGT,,P1\n": ("some_rows_without_lane", 4, None, ""),
}


@pytest.mark.parametrize("rows", WARNINGS)
def test_what_a_converter_refuses_is_a_warning_of_its_own_kind(rows):
    assert problems(HEADER + rows) == [("warning", *WARNINGS[rows])]
    assert WARNINGS[rows][0] in REFUSED_BY_CONVERTERS


def test_what_is_allowed_is_not_complained_of():
    """Lanes may differ in the length of their indexes, and use the same indexes."""
    assert problems(HEADER + "1,S1,,ACGT,,P1\n2,S2,,ACGT,,P1\n3,S3,,ACGTACGT,,P1\n4,S4,,,,P1\n") == []


def test_several_samples_without_any_index_column_are_told_once():
    assert problems("[Data]\nSample_ID\nS1\nS2\nS3\n") == [("warning", "missing_index", None, None, "")]
    assert problems("[Data]\nSample_ID\nS1\n") == []


def test_a_row_that_ends_too_early_is_told():
    assert problems(HEADER + "1,S1,,ACGT\n") == [("warning", "short_row", 3, "index2", "1,S1,,ACGT")]


def test_a_column_that_stands_twice_is_told_and_the_first_counts():
    text = "[Data]\nSample_ID,index,Sample_ID\nS1,ACGT,S9\n"
    assert problems(text) == [("warning", "duplicate_column", 2, "Sample_ID", "Sample_ID")]
    assert parse_sample_sheet(text.encode()).rows[0].sample_id == "S1"


def test_a_quotation_mark_that_is_never_closed_costs_only_its_own_row():
    text = HEADER + '1,S1,"Tumour,ACGT,,P1\n1,S2,,CCGT,,P1\n'
    assert [row.sample_id for row in parse_sample_sheet(text.encode()).rows] == ["S1", "S2"]
    assert ("warning", "open_quote", 3, None, '1,S1,"Tumour,ACGT,,P1') in problems(text)


def test_a_section_that_stands_twice_and_text_before_sections_are_told():
    text = "hello\n[Header]\nDate,1\n[Data]\nSample_ID\nS1\n[Header]\nChemistry,Amplicon\n"
    assert problems(text) == [
        ("warning", "text_before_sections", 1, None, "hello"),
        ("warning", "duplicate_section", 7, None, "Header"),
    ]
    assert parse_sample_sheet(text.encode()).header == {"Date": "1", "Chemistry": "Amplicon"}


def test_text_of_western_windows_is_read_with_a_warning():
    sheet = parse_sample_sheet((HEADER + "1,S1,Größe,ACGT,,P1\n").encode("cp1252"))
    assert sheet.rows[0].sample_name == "Größe"
    assert sheet.problems[0].code == "encoding"


def test_no_text_of_a_sheet_holds_a_nul_which_a_database_would_refuse():
    sheet = parse_sample_sheet(
        b"[Header]\nDate,\0\n[Data]\nSample_ID,Kit,Description,index\nS1,a\0,b\0c,AC\0GT\n"
    )
    row = sheet.rows[0]
    texts = [*sheet.header.values(), row.description, *row.extra.values(), row.index]
    assert not any("\0" in text for text in texts)
    assert [(problem.code, problem.column) for problem in sheet.problems] == [("bad_index", "index")]


def test_a_text_found_is_shown_on_one_printable_line_and_shortened():
    [problem] = parse_sample_sheet((HEADER + f"1,S1,,{'X' * 999}\x1b[31m,,P1\n").encode()).problems
    assert len(problem.text) == 200
    assert problem.text.isprintable()
    [problem] = parse_sample_sheet((HEADER + "1,a\x1b[31m,,ACGT,,P1\n").encode()).errors
    assert problem.text == "a\\x1b[31m"


def test_of_ten_thousand_problems_a_thousand_are_told_errors_first():
    rows = "".join(f"1,S {n},,ACGU,,P1\n" for n in range(5_000)) + "1,../S1,,ACGT,,P1\n"
    sheet = parse_sample_sheet((HEADER + rows).encode())
    assert len(sheet.problems) == 1_001
    assert "hostile_name" in [problem.code for problem in sheet.errors]
    assert "more_problems" in [problem.code for problem in sheet.warnings]

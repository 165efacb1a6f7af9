"""What differs between two versions of a sample sheet, and which files that touches."""

import re

import pytest
from made_run import V2, run_info, sheet

from sequencing.expected import RunFacts, expected_files
from sequencing.layout import recognise_layout
from sequencing.sheet_difference import Change, changed_lines, file_effects, sheet_difference

COLUMNS = "Lane,Sample_ID,index,index2,Sample_Project,Description"
ROWS = ("1,A1,AAAAAAAA,TTTTTTTT,P1,", "1,B2,CCCCCCCC,TTTTTTTT,P1,", "1,C3,GGGGGGGG,TTTTTTTT,P2,")


def difference(before, after, columns=COLUMNS):
    return sheet_difference(sheet(columns, *before), sheet(columns, *after))


def with_row(place: int, row: str):
    return [row if at == place else other for at, other in enumerate(ROWS)]


# --- In words ------------------------------------------------------------------------------------------


def test_a_sheet_does_not_differ_from_itself_whatever_its_blanks_and_comments():
    found = difference(ROWS, ["# mended", *ROWS[:2], ",,,,,", " 1 , C3,gggggggg,tttttttt,P2,"])
    assert found.is_empty


@pytest.mark.parametrize(
    ("row", "change"),
    [
        ("1,A1,CAAAAAAA,TTTTTTTT,P1,", Change("A1", "index", "AAAAAAAA", "CAAAAAAA")),
        ("1,A1,AAAAAAAA,,P1,", Change("A1", "index2", "TTTTTTTT", "")),
        ("2,A1,AAAAAAAA,TTTTTTTT,P1,", Change("A1", "lane", "1", "2")),
        ("1,A1,AAAAAAAA,TTTTTTTT,P3,", Change("A1", "project", "P1", "P3")),
        ("1,A1,AAAAAAAA,TTTTTTTT,P1,urgent", Change("A1", "description", "", "urgent")),
    ],
)
def test_each_field_of_a_sample_tells_its_text_before_and_after(row, change):
    assert difference(ROWS, with_row(0, row)).changed == (change,)


def test_other_columns_of_a_sample_tell_their_text_too():
    found = difference(["A1,AAAAAAAA,a"], ["A1,AAAAAAAA,b"], columns="Sample_ID,index,Operator")
    assert found.changed == (Change("A1", "Operator", "a", "b"),)


def test_samples_that_come_and_go_are_told_and_those_that_are_numbered_anew():
    found = difference(ROWS, [ROWS[1], ROWS[2], "1,D4,TTTTTTTT,CCCCCCCC,P2,"])
    assert [sample.sample_id for sample in found.added] == ["D4"]
    assert [sample.sample_id for sample in found.removed] == ["A1"]
    assert found.renumbered == (Change("B2", "S number", "S2", "S1"), Change("C3", "S number", "S3", "S2"))
    assert not found.changed


def test_a_sample_that_keeps_its_place_under_another_id_is_told_as_renamed():
    found = difference(ROWS, with_row(1, "1,B22,CCCCCCCC,TTTTTTTT,P1,"))
    assert found.renamed == (Change("B2", "Sample_ID", "B2", "B22"),)
    assert (found.added, found.removed) == ((), ())


def test_samples_without_an_index_are_never_told_as_renamed():
    found = difference(["A1,,"], ["B2,,"], columns="Sample_ID,index,index2")
    assert ([s.sample_id for s in found.removed], [s.sample_id for s in found.added]) == (["A1"], ["B2"])


def test_of_a_sample_on_many_rows_each_row_that_differs_is_seen():
    lanes = [f"{lane},A1,{index},,P1," for lane, index in ((1, "AAAA"), (2, "AAAA"), (3, "CCCC"))]
    found = difference(lanes, [lanes[0], "2,A1,CCCC,,P1,", lanes[2]])
    assert found.changed == (Change("A1", "index", "AAAA, AAAA, CCCC", "AAAA, CCCC, CCCC"),)


def test_a_row_that_stands_twice_is_told():
    found = difference(["A1,AAAA"] * 2, ["A1,AAAA"], columns="Sample_ID,index")
    assert found.changed == (Change("A1", "rows", "2", "1"),)


def test_settings_and_reads_that_differ_are_told_by_their_section():
    before = sheet(COLUMNS, *ROWS, family=V2, settings="Adapter,ACGT\nOverrideCycles,Y151;I8;I8;Y151")
    after = sheet(
        COLUMNS,
        *ROWS,
        family=V2.replace("Read2Cycles,151", "Read2Cycles,101"),
        settings="Adapter,TTTT\nNoLaneSplitting,true",
    )
    assert set(sheet_difference(before, after).sections) == {
        Change("Reads", "cycles", "Read1Cycles 151, Read2Cycles 151", "Read1Cycles 151, Read2Cycles 101"),
        Change("Settings", "Adapter", "ACGT", "TTTT"),
        Change("Settings", "OverrideCycles", "Y151;I8;I8;Y151", ""),
        Change("Settings", "NoLaneSplitting", "", "true"),
    }


def test_another_family_of_sheet_is_told():
    found = sheet_difference(sheet(COLUMNS, *ROWS), sheet(COLUMNS, *ROWS, family=V2))
    assert Change("Sheet", "form", "v1", "v2") in found.sections


# --- Line by line --------------------------------------------------------------------------------------


def test_lines_that_differ_stand_in_blocks_gone_before_new():
    found = changed_lines("a\nb\nc\nd\ne\nf", "a\nB\nc\nd\nf\ng")
    assert [[(line.sign, line.number, line.text) for line in block] for block in found] == [
        [("-", 2, "b"), ("+", 2, "B")],
        [("-", 5, "e")],
        [("+", 6, "g")],
    ]


@pytest.mark.parametrize(("before", "after"), [("", ""), ("a\nb", "a\nb")])
def test_equal_texts_have_no_line_that_differs(before, after):
    assert changed_lines(before, after) == []


@pytest.mark.parametrize(("before", "after"), [("a", "a\nb"), ("b", "a\nb"), ("a\na", "a\na\na"), ("", "a")])
def test_lines_that_were_only_added_leave_all_others(before, after):
    lines = [line for block in changed_lines(before, after) for line in block]
    new = [line.text for line in lines if line.sign == "+"]
    old = [line.text for line in lines if line.sign == "-"]
    kept = before.split("\n")
    for text in old:
        kept.remove(text)
    assert sorted(kept + new) == sorted(after.split("\n"))


def test_large_texts_that_differ_everywhere_are_told_whole():
    before, after = ("\n".join(f"{sign}{n % 7}" for n in range(20_000)) for sign in "ab")
    lines = [line for block in changed_lines(before, after) for line in block]
    assert len(lines) == 40_000


# --- Files ---------------------------------------------------------------------------------------------


def effects(before, after, found=(), control_pattern=None):
    info = run_info((151, -8))
    sheets = [sheet(COLUMNS, *rows) for rows in (before, after)]
    layout = recognise_layout(found, sheets[1], info)
    wanted = [expected_files(RunFacts(info, one), layout, control_pattern=control_pattern) for one in sheets]
    return file_effects(*wanted)


BASE = "Data/Intensities/BaseCalls"


def test_another_index_changes_no_file():
    assert effects(ROWS, with_row(0, "1,A1,CAAAAAAA,TTTTTTTT,P1,")).is_empty


def test_files_of_samples_that_come_go_or_are_numbered_anew_are_told():
    found = effects(ROWS, [ROWS[1], ROWS[2], "1,D4,TTTTTTTT,CCCCCCCC,P2,"])
    assert found.wanted == (f"{BASE}/P2/D4_S3_L001_R1_001.fastq.gz",)
    assert found.unwanted == (f"{BASE}/P1/A1_S1_L001_R1_001.fastq.gz",)
    assert found.renamed == (
        (f"{BASE}/P1/B2_S2_L001_R1_001.fastq.gz", f"{BASE}/P1/B2_S1_L001_R1_001.fastq.gz"),
        (f"{BASE}/P2/C3_S3_L001_R1_001.fastq.gz", f"{BASE}/P2/C3_S2_L001_R1_001.fastq.gz"),
    )


def test_a_sample_of_another_project_has_its_files_elsewhere():
    found = effects(ROWS, with_row(0, "1,A1,AAAAAAAA,TTTTTTTT,P9,"))
    assert found.renamed == (
        (f"{BASE}/P1/A1_S1_L001_R1_001.fastq.gz", f"{BASE}/P9/A1_S1_L001_R1_001.fastq.gz"),
    )


def test_an_archive_that_names_no_number_and_no_project_renames_nothing():
    assert effects(ROWS, ROWS[::-1], found=["0_fastq/A1_R1.fastq.gz"]).is_empty


def test_files_that_nobody_misses_are_not_told():
    found = effects(ROWS, with_row(2, "1,NTC-1,GGGGGGGG,TTTTTTTT,P2,"), control_pattern=re.compile("^NTC"))
    assert (found.wanted, found.unwanted) == ((), (f"{BASE}/P2/C3_S3_L001_R1_001.fastq.gz",))

"""Sample sheets as labs write them: all families, all spellings, all the ways to save a file."""

import pytest

from sequencing.illumina.sample_sheet import SampleSheet, meaningful_key, parse_sample_sheet

V1 = """[Header],,,,
IEMFileVersion,4,,,
Experiment Name,Exomes,,,
[Reads],,,,
151,,,,
151,,,,
[Settings],,,,
Adapter,CTGTCTCTTATACACATCT,,,
[Data],,,,
Sample_ID,Sample_Name,index,index2,Sample_Project
S1,Tumour,ACGTACGT,TTGGCCAA,P1
S2,Normal,CCGTACGT,AAGGCCAA,P2
"""
V2 = """[Header]
FileFormatVersion,2
RunName,Exomes

[Reads]
Read1Cycles,151

[BCLConvert_Settings]
CreateFastqForIndexReads,1

[BCLConvert_Data]
Lane,Sample_ID,Index,Index2,Sample_Project
1,S1,ACGTACGT,TTGGCCAA,P1
2,S2,CCGTACGT,AAGGCCAA,P2

[Cloud_Data]
Sample_ID,ProjectName
S1,elsewhere
"""
CASAVA = """FCID,Lane,SampleID,SampleRef,Index,Description,Control,Recipe,Operator,SampleProject
D2CHRACXX,1,S1,hg19,ACGTACGT-TTGGCCAA,first,N,R1,me,P1
D2CHRACXX,2,S2,hg19,CCGTACGT-AAGGCCAA,second,N,R1,me,P2
"""


def parse(text: str) -> SampleSheet:
    return parse_sample_sheet(text.encode())


def ids(sheet: SampleSheet) -> list[str]:
    return [row.sample_id for row in sheet.rows]


@pytest.mark.parametrize(("text", "version"), [(V1, "v1"), (V2, "v2"), (CASAVA, "casava")])
def test_each_family_is_recognised_and_read_without_a_complaint(text, version):
    sheet = parse(text)
    assert (sheet.version, sheet.problems, sheet.is_usable) == (version, (), True)
    assert [(sample.number, sample.sample_id, sample.project) for sample in sheet.samples] == [
        (1, "S1", "P1"),
        (2, "S2", "P2"),
    ]


def test_all_parts_of_a_sheet_are_read():
    sheet = parse(V1)
    assert sheet.sections == ("Header", "Reads", "Settings", "Data")
    assert sheet.header == {"IEMFileVersion": "4", "Experiment Name": "Exomes"}
    assert sheet.reads == (("151",), ("151",))
    assert sheet.settings == {"Adapter": "CTGTCTCTTATACACATCT"}
    assert sheet.columns == ("Sample_ID", "Sample_Name", "index", "index2", "Sample_Project")
    first = sheet.rows[0]
    assert (first.row, first.lane, first.sample_name, first.index, first.index2) == (
        11,
        None,
        "Tumour",
        "ACGTACGT",
        "TTGGCCAA",
    )


def test_a_v2_sheet_takes_settings_and_samples_from_the_sections_of_bcl_convert():
    sheet = parse(V2)
    assert sheet.settings == {"CreateFastqForIndexReads": "1"}
    assert [row.lane for row in sheet.rows] == [1, 2]
    assert parse("[Header]\nFileFormatVersion,2\n[Data]\nSample_ID\nS1\n").version == "v2"


@pytest.mark.parametrize(
    "saved",
    [
        pytest.param(lambda text: text.encode("utf-8-sig"), id="byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(lambda text: text.replace("\n", "\r").encode(), id="CR only"),
        pytest.param(lambda text: text.replace("\n", "\r\r\n").encode(), id="CR CR LF"),
        pytest.param(lambda text: text.replace("\n", "\r\n", 5).encode(), id="mixed newlines"),
        pytest.param(lambda text: text.rstrip("\n").encode(), id="no final newline"),
        pytest.param(lambda text: text.encode("utf-16"), id="UTF-16"),
        pytest.param(lambda text: text.encode("utf-16-le"), id="UTF-16 little endian without a mark"),
        pytest.param(lambda text: text.encode("utf-16-be"), id="UTF-16 big endian without a mark"),
        pytest.param(lambda text: text.encode("utf-32"), id="UTF-32"),
        pytest.param(lambda text: text.replace(",", ";").encode(), id="semicolons"),
        pytest.param(lambda text: text.replace(",", "\t").encode(), id="tabs"),
        pytest.param(lambda text: text.replace("\n", ",,,,\n").encode(), id="trailing commas"),
        pytest.param(lambda text: text.replace("\n", ";;;;\n").encode(), id="trailing semicolons"),
        pytest.param(lambda text: text.replace(",", ";").replace("\n", ",,\n").encode(), id="both"),
        pytest.param(lambda text: text.replace("\n", "\n,,,,\n\n").encode(), id="blank rows"),
        pytest.param(
            lambda text: text.replace("\n", "\n# a comment, with a comma\n").encode(), id="comments"
        ),
        pytest.param(lambda text: text.replace(",", " , ").encode(), id="padded cells"),
        pytest.param(
            lambda text: "\n".join(
                ",".join(f'"{cell}"' for cell in line.split(",")) for line in text.split("\n")
            ).encode(),
            id="quoted cells",
        ),
    ],
)
@pytest.mark.parametrize("text", [V1, V2, CASAVA])
def test_however_a_sheet_is_saved_it_says_the_same(text, saved):
    sheet = parse_sample_sheet(saved(text))
    assert meaningful_key(sheet) == meaningful_key(parse(text))
    assert sheet.version == parse(text).version
    assert sheet.header == parse(text).header
    assert sheet.is_usable
    assert [problem.code for problem in sheet.problems if problem.code != "repeated_columns"] == []


@pytest.mark.parametrize(
    "header",
    [
        "Lane,Sample_ID,Sample_Name,index,index2,Sample_Project",
        "lane,SampleID,SampleName,Index,Index2,SampleProject",
        "LANE,SAMPLE_ID,SAMPLE_NAME,INDEX,INDEX2,SAMPLE_PROJECT",
        "Lane,Sample ID,Sample Name,index,index 2,Project",
        "Lane,sampleId,sample_name,Index_1,index_2,project",
    ],
)
def test_every_spelling_of_a_column_is_the_same_column(header):
    [row] = parse(f"[Data]\n{header}\n3,S1,Tumour,acgt,TTGG,P1\n").rows
    assert (row.lane, row.sample_id, row.sample_name, row.index, row.index2, row.project) == (
        3,
        "S1",
        "Tumour",
        "ACGT",
        "TTGG",
        "P1",
    )


def test_columns_of_the_lab_are_kept_by_their_name():
    [row] = parse('[Data]\nSample_ID,Kit,Description,\nS1,v7,"blood, 2nd",\n').rows
    assert (row.extra, row.description) == ({"Kit": "v7"}, "blood, 2nd")


@pytest.mark.parametrize(
    ("text", "failed"),
    [("", False), ("no", False), ("False", False), ("0", False), ("yes", True), ("TRUE", True), ("1", True)],
)
def test_the_failed_column_is_understood(text, failed):
    sheet = parse(f"[Data]\nSample_ID,Failed\nS1,{text}\n")
    assert sheet.rows[0].failed is failed
    assert sheet.samples[0].failed is failed


@pytest.mark.parametrize("text", ["na", "NA", "n/a", "none", "NoIndex", "-", " ", "\0\0\0\0"])
def test_a_written_no_index_is_no_index(text):
    sheet = parse(f"[Data]\nSample_ID,index,index2\nS1,ACGT,{text}\n")
    assert (sheet.rows[0].index2, sheet.problems) == ("", ())


def test_one_sample_on_several_lanes_is_one_sample_with_one_number():
    sheet = parse(
        "[Data]\nLane,Sample_ID,index\n"
        "1,B,AAAA\n1,A,CCCC\n2,A,CCCC\n2,B,AAAA\n3,C,AAAA\n4,A,CCCC\n"
    )  # fmt: skip
    assert [(sample.number, sample.sample_id, sample.lanes) for sample in sheet.samples] == [
        (1, "B", (1, 2)),
        (2, "A", (1, 2, 4)),
        (3, "C", (3,)),
    ]
    assert sheet.problems == ()


def test_a_sample_with_four_indexes_is_one_sample():
    sheet = parse("[Data]\nSample_ID,index\nS1,AAAA\nS1,CCCC\nS1,GGGG\nS1,TTTT\nS2,ACGT\n")
    assert [(sample.number, len(sample.rows)) for sample in sheet.samples] == [(1, 4), (2, 1)]
    assert sheet.problems == ()


def test_a_row_without_a_lane_is_in_every_lane():
    assert parse(V1).samples[0].lanes == ()
    sheet = parse("[Data]\nLane,Sample_ID,index\n1,S1,AAAA\n,S1,CCCC\n")
    assert sheet.samples[0].lanes == ()


def test_a_sample_is_failed_only_where_all_its_rows_are():
    sheet = parse("[Data]\nLane,Sample_ID,index,Failed\n1,S1,A,yes\n2,S1,A,no\n1,S2,C,yes\n2,S2,C,yes\n")
    assert [sample.failed for sample in sheet.samples] == [False, True]


def test_a_sheet_without_header_sections_is_read():
    sheet = parse("Lane,Sample_ID,index\n1,S1,ACGT\n")
    assert (sheet.version, ids(sheet), sheet.problems) == ("v1", ["S1"], ())
    sheet = parse("[Data]\nSample_ID\nS1\n")
    assert (sheet.version, ids(sheet), sheet.problems) == ("v1", ["S1"], ())


def test_two_sheets_pasted_together_are_both_read_and_it_is_said():
    sheet = parse("[Data]\nSample_ID,index\nS1,ACGT\nindex,Sample_ID\nCCCC,S2\n")
    assert [(row.sample_id, row.index) for row in sheet.rows] == [("S1", "ACGT"), ("S2", "CCCC")]
    assert [(problem.code, problem.row) for problem in sheet.problems] == [("repeated_columns", 4)]


def test_a_text_line_before_the_column_header_is_skipped():
    sheet = parse("[Data]\nFill in your samples below.\nSample_ID,index\nS1,ACGT\n")
    assert ids(sheet) == ["S1"]
    assert [problem.code for problem in sheet.problems] == ["text_before_columns"]


def test_rows_are_numbered_as_in_the_file_even_after_a_cell_of_two_lines():
    sheet = parse('[Data]\nSample_ID,Description\nS1,"two\nlines"\n\nS2,one\n')
    assert [(row.row, row.sample_id) for row in sheet.rows] == [(3, "S1"), (6, "S2")]
    assert sheet.rows[0].description == "two\nlines"


MEANINGLESS = {
    "description": V1.replace("Sample_Project\n", "Sample_Project,Description\n").replace(",P1", ",P1,new"),
    "header": V1.replace("Exomes", "Genomes"),
    "settings": V1.replace("CTGTCTCTTATACACATCT", "AGATCGGAAGAGC"),
    "comment": V1.replace("S2,", "# checked\nS2,"),
    "lower case index": V1.replace("ACGTACGT,", "acgtacgt,"),
    "order of columns": V1[: V1.index("Sample_ID")]
    + "index,Sample_ID,index2,Sample_Project,Sample_Name\n"
    + "ACGTACGT,S1,TTGGCCAA,P1,Tumour\nCCGTACGT,S2,AAGGCCAA,P2,Normal\n",
}
MEANINGFUL = {
    "index": V1.replace("ACGTACGT,T", "ACGTACGA,T"),
    "sample": V1.replace("S2,", "S3,"),
    "project": V1.replace(",P2", ",P3"),
    "removed": V1[: V1.index("S2,")],
    "lane": V1.replace("index,", "Lane,").replace("ACGTACGT,T", "1,T").replace("CCGTACGT,A", "1,A"),
}


@pytest.mark.parametrize("change", MEANINGLESS)
def test_what_does_not_change_samples_or_indexes_is_no_meaningful_change(change):
    assert MEANINGLESS[change] != V1
    assert meaningful_key(parse(MEANINGLESS[change])) == meaningful_key(parse(V1))


@pytest.mark.parametrize("change", MEANINGFUL)
def test_a_change_of_samples_lanes_or_indexes_is_meaningful(change):
    assert meaningful_key(parse(MEANINGFUL[change])) != meaningful_key(parse(V1))
    assert hash(meaningful_key(parse(MEANINGFUL[change])))

"""Which FASTQs a run should have."""

import re

import pytest
from made_run import V2, run_info, sheet

from sequencing.expected import RunFacts, expected_files
from sequencing.illumina.sample_sheet import parse_sample_sheet
from sequencing.layout import FILE_TYPES, FileType, recognise_layout

COLUMNS = "Sample_ID,Sample_Name,index,index2,Sample_Project"
BASE = "Data/Intensities/BaseCalls"


def expected(a_sheet, info=None, found=(), **options):
    info = info or run_info()
    return expected_files(RunFacts(info, a_sheet), recognise_layout(found, a_sheet, info), **options)


def paths(*args, **options):
    return [file.path for file in expected(*args, **options)]


def test_bcl2fastq_names_with_and_without_a_name_of_its_own():
    a_sheet = sheet(
        COLUMNS, "A1,A1,ACGTACGT,TTTTTTTT,P1", "B2,Bert,CCCCACGT,TTTTTTTT,P1", "C3,,GGGGACGT,AAAA,"
    )
    assert paths(a_sheet) == [
        f"{BASE}/P1/A1_S1_L001_R1_001.fastq.gz",
        f"{BASE}/P1/A1_S1_L001_R2_001.fastq.gz",
        f"{BASE}/P1/B2/Bert_S2_L001_R1_001.fastq.gz",
        f"{BASE}/P1/B2/Bert_S2_L001_R2_001.fastq.gz",
        f"{BASE}/C3_S3_L001_R1_001.fastq.gz",
        f"{BASE}/C3_S3_L001_R2_001.fastq.gz",
    ]


def test_bcl_convert_names_follow_the_sample_id():
    a_sheet = sheet("Sample_ID,Sample_Name,index", "A1,Anna,ACGTACGT", family=V2)
    assert paths(a_sheet, run_info((151, -8), lanes=2, instrument="A01934")) == [
        f"{BASE}/A1_S1_L001_R1_001.fastq.gz",
        f"{BASE}/A1_S1_L002_R1_001.fastq.gz",
    ]


def test_casava_names_hold_the_index():
    text = (
        "FCID,Lane,SampleID,SampleRef,Index,Description,Control,Recipe,Operator,SampleProject\n"
        "C2RCHACXX,3,A1,hg19,ACGTAC,,N,,op,P1\nC2RCHACXX,4,A1,hg19,ACGTAC-TTTTTT,,N,,op,P1\n"
    )
    found = paths(parse_sample_sheet(text.encode()), run_info((101, -7), lanes=8, instrument="SN792"))
    assert found[0] == "Unaligned/Project_P1/Sample_A1/A1_ACGTAC_L003_R1_001.fastq.gz"
    assert [path.split("_L00")[1][0] for path in found] == ["3", "4"]


def test_the_missing_are_expected_beside_the_present():
    a_sheet = sheet(COLUMNS, "A1,A1,ACGTACGT,TTTTTTTT,P1", "B2,B2,CCCCACGT,TTTTTTTT,P1")
    found = ["0_fastq/A1_R1.fastq.gz", "0_fastq/A1_R2.fastq.gz"]
    assert paths(a_sheet, found=found)[2:] == ["0_fastq/B2_R1.fastq.gz", "0_fastq/B2_R2.fastq.gz"]


def test_lanes_are_those_of_the_sheet_else_all_of_the_run():
    a_sheet = sheet("Lane,Sample_ID,index", "1,A1,ACGTACGT", "3,A1,ACGTACGT", "2,B2,CCCCACGT", family=V2)
    lanes = [(file.sample[1], file.lane) for file in expected(a_sheet, run_info((151,), lanes=4))]
    assert lanes == [("A1", 1), ("A1", 3), ("B2", 2)]
    a_sheet = sheet("Sample_ID,index", "A1,ACGTACGT", family=V2)
    assert [file.lane for file in expected(a_sheet, run_info((151,), lanes=4))] == [1, 2, 3, 4]


def test_one_sample_on_four_rows_of_indexes_is_one_sample():
    rows = [f"A1,A1,{index},,P1" for index in ("AAAAACGT", "CCCCACGT", "GGGGACGT", "TTTTACGT")]
    assert len(expected(sheet(COLUMNS, *rows))) == 2


def test_unsplit_lanes_give_one_file():
    a_sheet = sheet(
        "Lane,Sample_ID,index", "1,A1,ACGTACGT", "2,A1,ACGTACGT", family=V2, settings="NoLaneSplitting,1"
    )
    assert [(f.path, f.lane) for f in expected(a_sheet, run_info((151,), lanes=2))] == [
        (f"{BASE}/A1_S1_R1_001.fastq.gz", None)
    ]


@pytest.mark.parametrize(
    ("cycles", "settings", "reads"),
    [
        ((151, -8, -8, 151), "", ["R1", "R2"]),
        ((75, -6), "", ["R1"]),
        ((151, -8, -8, 151), "CreateFastqForIndexReads,1", ["R1", "R2", "I1", "I2"]),
        ((151, -8, 151), "CreateFastqForIndexReads,true", ["R1", "R2", "I1"]),
        ((151, -8, 151), "CreateFastqForIndexReads,0", ["R1", "R2"]),
        ((151, -8, -9, 151), "OverrideCycles,Y151;I8;U9;Y151", ["R1", "R2"]),
        ((50, -8, -16, 50), "OverrideCycles,Y50;I8;Y16;Y50", ["R1", "R2", "R3"]),
        ((50, -8, -16, 50), "OverrideCycles,Y50;I8;U16;Y50\nTrimUMI,0", ["R1", "R2", "R3"]),
        ((151, -8, -8, 151), "OverrideCycles,Y151;I8;I8;N151", ["R1"]),
        ((151, -8, -8, 151), "OverrideCycles,Y151;I8", ["R1", "R2"]),
    ],
)
def test_reads_are_those_of_run_info_as_the_sheet_asks_for_them(cycles, settings, reads):
    a_sheet = sheet("Sample_ID,index", "A1,ACGTACGT", family=V2, settings=settings)
    assert [file.read for file in expected(a_sheet, run_info(cycles))] == reads


def test_without_run_info_reads_come_from_the_sheet_then_from_what_is_found_then_are_two():
    def reads(text, found=()):
        a_sheet = parse_sample_sheet(text.encode())
        layout = recognise_layout(found, a_sheet, None)
        return [file.read for file in expected_files(RunFacts(None, a_sheet), layout)]

    data = "[Data]\nSample_ID,index\nA1,ACGTACGT\n"
    assert reads("[Header]\n[Reads]\n76\n" + data) == ["R1"]
    assert reads("[Header]\n[Reads]\n76\n76\n" + data) == ["R1", "R2"]
    assert reads("[Header]\n" + data, ["A1_R1.fastq.gz"]) == ["R1"]
    assert reads("[Header]\n" + data) == ["R1", "R2"]


def test_without_run_info_lanes_are_those_found():
    a_sheet = sheet("Sample_ID,index", "A1,ACGTACGT", "B2,CCCCACGT")
    layout = recognise_layout([f"x/A1_S1_L00{lane}_R1_001.fastq.gz" for lane in (1, 2)], a_sheet, None)
    lanes = [file.lane for file in expected_files(RunFacts(None, a_sheet), layout) if file.read == "R1"]
    assert lanes == [1, 2, 1, 2]


def test_control_and_failed_samples_are_not_missed():
    a_sheet = sheet("Sample_ID,index,Failed", "A1,ACGTACGT,", "NTC,CCCCACGT,", "B2,GGGGACGT,yes")
    files = expected(a_sheet, control_pattern=re.compile("^NTC$"))
    assert {file.sample[1]: file.skip_reason for file in files} == {
        "A1": "",
        "NTC": "control sample",
        "B2": "failed sample",
    }


def test_a_sample_failed_in_one_lane_is_missed_in_the_other():
    a_sheet = sheet("Lane,Sample_ID,index,Failed", "1,A1,ACGTACGT,", "2,A1,ACGTACGT,yes", family=V2)
    files = expected(a_sheet, run_info((151,), lanes=2))
    assert [(file.lane, file.skip_reason) for file in files] == [(1, ""), (2, "failed sample")]


@pytest.mark.parametrize("text", ["", "[Header]\n", "[Header]\n[Data]\nNo,Samples\n1,2\n"])
def test_a_sheet_that_cannot_be_used_asks_for_nothing(text):
    assert expected(parse_sample_sheet(text.encode())) == []


def test_no_sheet_asks_for_nothing():
    assert expected(None) == []


HOSTILE = ["../../etc/passwd", "/etc/passwd", "A/../../x", "-rf", "A\x00", "CON", "..", "A{read}", "A\\x"]


@pytest.mark.parametrize("bad", HOSTILE)
@pytest.mark.parametrize("column", ["Sample_ID", "Sample_Name", "Sample_Project", "index"])
def test_promise_49_no_hostile_text_reaches_a_path(bad, column):
    texts = {"Sample_ID": "A1", "Sample_Name": "", "index": "ACGTACGT", "Sample_Project": "P1", column: bad}
    casava = {
        "SampleID": texts["Sample_ID"],
        "Index": texts["index"],
        "SampleProject": texts["Sample_Project"],
    }
    families = [
        "[Header]\n[Data]\n{}\n{}\n".format(",".join(texts), ",".join(texts.values())),
        "FCID,Lane,{}\nFC,1,{}\n".format(",".join(casava), ",".join(casava.values())),
    ]
    for text in families:
        for path in paths(parse_sample_sheet(text.encode())):
            assert re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_-]*/)+[A-Za-z0-9][A-Za-z0-9_-]*\.fastq\.gz", path)


def test_a_hostile_flow_cell_does_not_reach_a_path():
    a_sheet = sheet("Sample_ID,index", "A1,ACGTACGT")
    info = run_info(flowcell="../../x")
    layout = recognise_layout([], a_sheet, info, ["f/{sample_id}_{flowcell}_{read}.fastq.gz"])
    assert expected_files(RunFacts(info, a_sheet), layout)[0].path == "f/A1_x_R1.fastq.gz"


def test_a_file_type_is_one_entry():
    types = {
        **FILE_TYPES,
        "bam": FileType("bam", "BAM", (".bam",), "1_BAM/{sample_id}.hg38.bam"),
        "vcf": FileType("vcf", "VCF", (".vcf.gz",), "2_variants/{run}.gatk.hg38.vcf.gz"),
    }
    a_sheet = sheet("Sample_ID,index", "A1,ACGTACGT", "B2,CCCCACGT")
    layout = recognise_layout([], a_sheet, run_info())
    facts = RunFacts(run_info(), a_sheet, run_name="150202_NS500318_0047_AH3KLMBGXX")
    files = expected_files(facts, layout, file_types=types)
    assert [(f.path, f.sample) for f in files if f.file_type != "fastq"] == [
        ("1_BAM/A1.hg38.bam", ("", "A1")),
        ("2_variants/150202_NS500318_0047_AH3KLMBGXX.gatk.hg38.vcf.gz", None),
        ("1_BAM/B2.hg38.bam", ("", "B2")),
    ]


def test_a_name_that_no_path_holds_keeps_no_file_from_being_expected():
    sheet_of_names = parse_sample_sheet(
        b"[Header]\nFileFormatVersion,2\n[BCLConvert_Settings]\n[BCLConvert_Data]\n"
        b"Lane,Sample_ID,Sample_Name,index\n1,A1,Smith.B,ACGTACGT\n1,B 1,B1,TTGTACGT\n"
    )
    layout = recognise_layout([], sheet_of_names, None)
    assert {file.sample[1] for file in expected_files(RunFacts(None, sheet_of_names), layout)} == {"A1"}

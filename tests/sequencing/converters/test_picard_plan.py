"""From RunInfo.xml and a sheet to Picard's read structures and tables. No process, no disk."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from converting import CASAVA, V2, run_info, sheet

from sequencing.converters import ConversionJob, Converter
from sequencing.converters.picard import (
    barcode_file,
    mismatches,
    multiplex_params,
    plan,
    plan_lanes,
    published_names,
    sheet_lanes,
)

HEAD = "Sample_ID,index,index2,Sample_Project"


def lane_of(a_sheet, info=None, lane=1):
    (planned,), problems = plan_lanes(a_sheet, info or run_info(), [lane])
    assert problems == []
    return planned


def problems_of(a_sheet, info=None):
    return [str(problem) for problem in plan_lanes(a_sheet, info or run_info(), [1])[1]]


@pytest.mark.parametrize(
    ("cycles", "override", "indexes", "structure"),
    [
        ((151, -8, -8, 151), "", "ACGTACGT,TTTTACGT", "151T8B8B151T"),
        ((76, -10, -10, 76), "", "ACGTACGT,TTTTACGT", "76T8B2S8B2S76T"),
        ((76, -8, -8, 76), "", "ACGTACGT,", "76T8B8S76T"),
        ((76, -8), "", "ACGTACGT,", "76T8B"),
        ((151, -10, -10, 151), "Y150N1;I8N2;I8N2;N5Y146", "ACGTACGT,TTTTACGT", "150T1S8B2S8B2S5S146T"),
        ((151, -10, -10, 151), "Y151;I8N2;N2I8;Y151", "ACGTACGT,TTTTACGT", "151T8B2S2S8B151T"),
        ((151, -10, -10, 151), "Y151;I10;N10;Y151", "ACGTACGTAC,", "151T10B10S151T"),
        ((151, -8, -8, 151), "", ",", "151T8B8B151T"),
    ],
)
def test_the_read_structure_follows_from_the_run_and_the_sheet(cycles, override, indexes, structure):
    settings = f"OverrideCycles,{override}" if override else ""
    a_sheet = sheet(HEAD, f"A,{indexes},P", settings=settings)
    assert lane_of(a_sheet, run_info(cycles)).read_structure == structure


def test_the_tables_hold_no_text_of_the_sheet_but_bases():
    a_sheet = sheet(HEAD, "A,ACGTACGT,TTTTACGT,P", "B,GGGGACGT,CCCCACGT,")
    lane = lane_of(a_sheet)
    assert barcode_file(lane).splitlines() == [
        "barcode_sequence_1\tbarcode_sequence_2\tbarcode_name\tlibrary_name",
        "ACGTACGT\tTTTTACGT\trow0\trow0",
        "GGGGACGT\tCCCCACGT\trow1\trow1",
    ]
    assert multiplex_params(lane).splitlines() == [
        "OUTPUT_PREFIX\tBARCODE_1\tBARCODE_2",
        "lane1/row0\tACGTACGT\tTTTTACGT",
        "lane1/row1\tGGGGACGT\tCCCCACGT",
        "lane1/unmatched\tN\tN",
    ]


def test_one_index_read_makes_one_column():
    lane = lane_of(sheet("Sample_ID,index", "A,ACGTACGT"), run_info((76, -8)))
    assert multiplex_params(lane) == "OUTPUT_PREFIX\tBARCODE_1\nlane1/row0\tACGTACGT\nlane1/unmatched\tN\n"


def test_an_index_that_was_read_in_reverse_is_turned_round():
    """As BCL Convert does where RunInfo.xml says IsReverseComplement (NovaSeq X, NextSeq 2000)."""
    info = run_info()
    reads = (*info.reads[:2], replace(info.reads[2], is_reverse_complement=True), info.reads[3])
    lane = lane_of(sheet(HEAD, "A,ACGTACGT,TTTTACGC,P"), replace(info, reads=reads))
    assert lane.rows[0].barcodes == ("ACGTACGT", "GCGTAAAA")


def test_casava_writes_both_indexes_into_one_cell():
    a_sheet = sheet("FC,1,A,hg19,ACGTACGT-TTTTACGT,,N,R1,lab,P", family=CASAVA)
    assert lane_of(a_sheet).rows[0].barcodes == ("ACGTACGT", "TTTTACGT")


def test_a_row_without_lane_stands_for_every_lane():
    head = "Lane,Sample_ID,index"
    assert sheet_lanes(sheet(head, "2,A,ACGTACGT", "1,B,ACGTACGT")) == (1, 2)
    assert sheet_lanes(sheet(head, "2,A,ACGTACGT", ",B,TTGTACGT")) == ()
    lane = lane_of(sheet(head, "2,A,ACGTACGT", ",B,TTGTACGT"), run_info((76, -8)), lane=2)
    assert [row.sample.sample_id for row in lane.rows if row.sample] == ["A", "B"]


def test_names_are_those_of_bcl_convert():
    a_sheet = sheet(HEAD, "A,ACGTACGT,TTTTACGT,P", "B,GGGGACGT,CCCCACGT,")
    assert list(published_names(lane_of(a_sheet, lane=3), a_sheet)) == [
        ("lane3/row0.1.fastq.gz", "P/A_S1_L003_R1_001.fastq.gz"),
        ("lane3/row0.2.fastq.gz", "P/A_S1_L003_R2_001.fastq.gz"),
        ("lane3/row1.1.fastq.gz", "B_S2_L003_R1_001.fastq.gz"),
        ("lane3/row1.2.fastq.gz", "B_S2_L003_R2_001.fastq.gz"),
        ("lane3/unmatched.1.fastq.gz", "Undetermined_S0_L003_R1_001.fastq.gz"),
        ("lane3/unmatched.2.fastq.gz", "Undetermined_S0_L003_R2_001.fastq.gz"),
    ]


def test_a_lane_without_samples_is_undetermined():
    a_sheet = sheet("Lane,Sample_ID", "1,A")
    assert next(published_names(lane_of(a_sheet, lane=2), a_sheet))[1].startswith("Undetermined_S0_L002_R1")


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({}, 1),
        ({"BarcodeMismatchesIndex1": "0"}, 0),
        ({"BarcodeMismatchesIndex1": "2", "BarcodeMismatchesIndex2": "1"}, 1),
        ({"BarcodeMismatchesIndex1": "all"}, 1),
    ],
)
def test_errors_allowed_in_an_index(settings, allowed):
    assert mismatches(settings) == allowed


@pytest.mark.parametrize(
    ("override", "rows", "said"),
    [
        (
            "",
            ("A,ACGTACGT,TTTTACGT,P", "B,ACGTAC,TTTTACGT,P"),
            "row 11, column index: .* of 8 and of 6 bases",
        ),
        ("", ("A,ACGTACGT,TTTTACGT,P", "B,GGGGACGT,,P"), "row 11, column index2: .* of 8 and of 0 bases"),
        ("", ("A,ACGTACGTACGT,TTTTACGT,P",), "have 12 bases, and 8 are read"),
        ("", ("A,ACGTNNNN,TTTTACGT,P",), "not of A, C, G and T alone"),
        ("", ("A,,,P", "B,,,P"), "Lane 1 has several samples and no indexes"),
        ("U7Y144;I8;I8;Y151", ("A,ACGTACGT,TTTTACGT,P",), "UMIs"),
        ("Y100N1Y50;I8;I8;Y151", ("A,ACGTACGT,TTTTACGT,P",), "several parts"),
        ("Y*;I*;I*;Y*", ("A,ACGTACGT,TTTTACGT,P",), "cannot be read"),
        ("Y151;I8;I8", ("A,ACGTACGT,TTTTACGT,P",), "cannot be read"),
        ("Y150;I8;I8;Y151", ("A,ACGTACGT,TTTTACGT,P",), "does not mask 151 cycles"),
        ("Y999999999999;I8;I8;Y151", ("A,ACGTACGT,TTTTACGT,P",), "cannot be read"),
    ],
)
def test_what_picard_cannot_do_is_said_with_place_and_remedy(override, rows, said):
    settings = f"OverrideCycles,{override}" if override else ""
    told = problems_of(sheet(HEAD, *rows, settings=settings))
    assert any(re.search(said, problem) for problem in told), told


def test_masks_that_differ_from_row_to_row_are_refused():
    a_sheet = sheet("Sample_ID,index,OverrideCycles", "A,ACGTACGT,Y151;I8;N8;Y151", family=V2)
    assert "differs from row to row" in problems_of(a_sheet)[0]


def test_promise_49_texts_of_run_info_become_words_before_they_are_arguments():
    info = replace(run_info(), instrument="M1 OUTPUT=/etc *", flowcell="-X;rm", run_number=None)
    a_sheet = sheet(HEAD, "A,ACGTACGT,TTTTACGT,P")
    job = ConversionJob(Path("/in"), Path("/out"), info, a_sheet, Path("/sheet"), threads=3, memory_mb=700)
    made = plan(Converter("picard", "/usr/bin/picard"), job, [lane_of(a_sheet, info)])
    arguments = [argument for step in made.steps for argument in step.argv]
    assert all(re.fullmatch(r"[A-Za-z0-9_=./-]+", argument) for argument in arguments)
    assert "MACHINE_NAME=M1-OUTPUT--etc--" in arguments
    assert "FLOWCELL_BARCODE=-X-rm" in arguments
    assert "NUM_PROCESSORS=3" in arguments
    assert made.environment == {"JAVA_TOOL_OPTIONS": "-Xmx700m"}

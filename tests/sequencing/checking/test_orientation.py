"""Which way round the second index is written, and which way a converter wants it."""

import json

import pytest
from sheets import run_of, v1, v2

from sequencing.checking.orientation import (
    KNOWN_SETS,
    i5_orientation,
    orientation_problem,
    reverse_complement,
)
from sequencing.illumina.sample_sheet import parse_sample_sheet

NEXTERA = sorted(KNOWN_SETS["Nextera"])
FORWARD = [f"S{n},ACGTACG{'ACGT'[n]},{i5}" for n, i5 in enumerate(NEXTERA[:4])]
TURNED = [f"S{n},ACGTACG{'ACGT'[n]},{reverse_complement(i5)}" for n, i5 in enumerate(NEXTERA[:4])]


def orientation(data: bytes, run=None):
    return i5_orientation(parse_sample_sheet(data), run)


def warning(data: bytes, run=None):
    sheet = parse_sample_sheet(data)
    return orientation_problem(sheet, i5_orientation(sheet, run))


def test_known_sequences_tell_how_they_are_written():
    for rows, written in ((FORWARD, "forward"), (TURNED, "reverse complement")):
        told = orientation(v1(*rows))
        assert (told.written, told.known, told.count, told.sets) == (written, 4, 4, ("Nextera",))


def test_unknown_sequences_tell_nothing():
    told = orientation(v1("A,ACGTACGT,ACACACAC"))
    assert (told.written, told.known, told.count) == ("", 0, 1)
    assert orientation(v1("A,ACGTACGT,")) is None
    assert orientation(b"") is None


@pytest.mark.parametrize(
    ("instrument", "by_convert", "by_bcl2fastq"),
    [
        ("M00879", "forward", "forward"),
        ("D00535", "forward", "forward"),
        ("NS500318", "reverse complement", "reverse complement"),
        ("MN00123", "reverse complement", "reverse complement"),
        ("FS10001773", "reverse complement", "reverse complement"),
        ("K00111", "reverse complement", "reverse complement"),
        ("ST-E00107", "reverse complement", "reverse complement"),
        ("VH00203", "forward", "reverse complement"),
        ("LH00217", "forward", "reverse complement"),
        ("SH00350", "forward", ""),
        ("A01934", "", ""),  # by its reagents
        ("renamed", "", ""),
    ],
)
def test_what_is_wanted_follows_from_the_instrument(instrument, by_convert, by_bcl2fastq):
    wanted = orientation(v1(*FORWARD), run_of(instrument)).wanted
    assert wanted == {"bcl-convert": by_convert, "bcl2fastq": by_bcl2fastq}


def test_where_run_info_says_that_the_index_is_turned_bcl_convert_turns_it_itself():
    told = orientation(v1(*FORWARD), run_of("A01934", turned=True))
    assert told.wanted == {"bcl-convert": "forward", "bcl2fastq": "reverse complement"}
    assert "IsReverseComplement" in told.because


@pytest.mark.parametrize(
    ("header", "because"),
    [
        ("Instrument Type,NextSeq/MiniSeq", "the NextSeq 500/550"),
        ("InstrumentPlatform,NextSeq1k2k", "the NextSeq 1000/2000"),
        ("InstrumentPlatform,NovaSeqXSeries", "the NovaSeq X"),
        ("Instrument Type,NovaSeq 6000", "the NovaSeq 6000"),
        ("InstrumentType,MiSeqi100Plus", "the MiSeq i100"),
        ("Instrument Type,MiSeq", "the MiSeq"),
        ("Instrument Type,Sequencer of the future", ""),
        ("Investigator Name,MiSeq", ""),
    ],
)
def test_without_run_info_the_sheet_may_name_its_instrument(header, because):
    assert orientation(v1(*FORWARD, header=header)).because == because


def test_a_sheet_written_the_wrong_way_round_is_warned_of():
    problem = warning(v1(*FORWARD), run_of("NS500318"))
    assert (problem.code, problem.severity, problem.row, problem.column) == (
        "index2_direction",
        "warning",
        8,
        "index2",
    )
    assert "4 of 4 are Nextera indexes, forward" in problem.message
    assert "Write them in reverse complement" in problem.remedy
    assert warning(v1(*TURNED), run_of("NS500318")) is None
    assert warning(v1(*TURNED), run_of("M00879")).code == "index2_direction"


def test_what_suits_one_of_the_converters_of_such_a_sheet_is_no_warning():
    two_thousand = run_of("VH00203")
    assert warning(v1(*TURNED), two_thousand) is None  # bcl2fastq reads version 1, and wants it so
    assert warning(v2(*TURNED), two_thousand).code == "index2_direction"


def test_a_few_sequences_that_happen_to_be_known_are_no_warning():
    strangers = [f"T{n},TTTTTTT{'ACGT'[n]},ACACAC{a}{b}" for n, (a, b) in enumerate(("CA", "GT", "TT", "AA"))]
    assert warning(v1(*FORWARD, *strangers), run_of("NS500318")) is None


def test_no_known_sequence_reads_alike_both_ways():
    known = frozenset.union(*KNOWN_SETS.values())
    assert len(known) == sum(map(len, KNOWN_SETS.values()))
    assert known.isdisjoint(map(reverse_complement, known))


def test_the_known_sequences_are_those_that_real_sheets_call_by_their_names(corpus):
    """Illumina names the indexes of the two sets D501…, S502… and H503…; some sheets write them turned."""
    known = frozenset.union(*KNOWN_SETS.values())
    seen = set()
    for line in (corpus / "expected.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if not entry["kind"].startswith("samplesheet"):
            continue
        for row in parse_sample_sheet((corpus / "files" / entry["file"]).read_bytes()).rows:
            name = row.extra.get("I5_Index_ID", "")
            if len(name) == 4 and name[0] in "DSH" and name[1:].isdecimal() and row.index2:
                assert {row.index2, reverse_complement(row.index2)} & known, (entry["file"], name)
                seen.add(name)
    assert len(seen) > 20

"""The whole check: what is an error, what a converter refuses, what comes of the sheet, and the verdict."""

import json

import pytest
from sheets import run_of, v1, v2

from sequencing.checking import full_check
from sequencing.explain import explain_check

GOOD = v1("A,ACGTACGT,TTTTTTTT", "B,CCCCACGT,AAAATTTT")


def found(data: bytes, run_info=None) -> list[tuple[str, str]]:
    return [(finding.level, finding.problem.code) for finding in full_check(data, run_info).findings]


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (GOOD, "The sheet is fine: 2 samples, 4 FASTQs in each lane."),
        (b"", "1 error: bcl-convert and bcl2fastq would not start."),
        (
            v1("../x,ACGTACGT,", "B 1,CCCCCCCC,"),
            "1 error, 1 entry that converters refuse: bcl-convert and bcl2fastq would not start.",
        ),
        (
            v2("A,ACGTACGT,", "B,ACGTACGA,", "C,ACGTACGT,"),
            "2 entries that converters refuse: bcl-convert would not start.",
        ),
        (
            b"FCID,Lane,SampleID,Index\nX,1,A,ACGTAC\n",
            "1 entry that converters refuse: neither bcl-convert nor bcl2fastq would start.",
        ),
        (
            v1("A,ACGTACGT,TTTTTTTT", columns="Sample_ID,index,index2,index"),
            "The sheet can be used, with 1 warning: 1 sample, 2 FASTQs in each lane.",
        ),
    ],
)
def test_the_verdict_answers_whether_the_sheet_will_do(data, verdict):
    assert full_check(data).verdict == verdict


def test_with_its_run_the_number_of_fastqs_is_known():
    assert full_check(GOOD, run_of("M00879", lanes=2)).yields == "2 samples, 8 FASTQs"
    assert full_check(GOOD, run_of("M00879", lanes=None)).yields == "2 samples, 4 FASTQs in each lane"
    assert full_check(v1("1,A,ACGTACGT", columns="Lane,Sample_ID,index")).yields == "1 sample, 2 FASTQs"
    assert full_check(v2("A,ACGTACGT,", settings="NoLaneSplitting,true")).yields == "1 sample, 2 FASTQs"


def test_errors_stand_first_then_what_converters_refuse_each_by_row():
    data = v1("S 1,ACGTACGT,", "../x,CCCCCCCC,", "B,GGGGGGGG,", "C,GGGGGGGG,", columns="Sample_ID,index,x,x")
    assert found(data) == [
        ("error", "hostile_name"),
        ("refused", "unsafe_name"),
        ("refused", "duplicate_index"),
        ("warning", "duplicate_column"),
    ]


def test_what_does_not_fit_the_run_is_refused():
    assert found(v2("3,A,ACGTACGT,", columns="Lane,Sample_ID,index,index2"), run_of("M00879")) == [
        ("refused", "lane_beyond_flow_cell")
    ]


def test_which_converter_would_start_is_told_of_each():
    sheet_2 = full_check(v2("A,ACGTACGT,"))
    assert (sheet_2.starts("bcl-convert"), sheet_2.starts("bcl2fastq")) == (True, False)
    assert not full_check(v2("A,ACGTACGT,", "B,ACGTACGT,")).starts("bcl-convert")


def test_independent_collision_check_turns_the_warning_into_a_refusal():
    rows = ("A,AACCTTAT,TTTTTTTT", "B,AACCATAG,GGGGGGGG")
    assert found(v2(*rows)) == [("warning", "index_close_alone")]
    assert found(v2(*rows, settings="IndependentIndexCollisionCheck,1")) == [("refused", "index_close_alone")]


def test_a_run_info_that_cannot_be_read_is_an_error_and_the_sheet_is_checked_all_the_same():
    check = full_check(GOOD, b"<RunInfo")
    assert [(finding.level, finding.file) for finding in check.findings] == [("error", "RunInfo.xml")]
    assert check.run_info is None
    assert len(check.fastqs("bcl-convert")) == 4
    assert "would not start" in check.verdict


def test_what_the_names_of_fastqs_rest_on_is_said():
    told = "R1 and R2 are told by the section Reads; lane 1 stands for each lane of the flow cell."
    assert full_check(GOOD).assumed == f"Without RunInfo.xml: {told}"
    assert "R1 and R2 are assumed" in full_check(v2("A,ACGTACGT,")).assumed
    assert full_check(GOOD, run_of("M00879")).assumed == ""


def test_the_first_samples_alone_have_the_names_that_they_have_among_all():
    data = v1(*(f"S{n},{'ACGT'[n] * 8}," for n in (2, 0, 1, 3)))
    check = full_check(data)
    assert check.fastqs("bcl2fastq", 2) == check.fastqs("bcl2fastq")[:4]


def test_the_fastqs_are_counted_as_they_are_listed(corpus):
    for line in (corpus / "expected.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["kind"].startswith("samplesheet"):
            check = full_check((corpus / "files" / entry["file"]).read_bytes())
            assert check.fastq_count == len(check.fastqs("bcl-convert")), entry["file"]


def test_what_the_independent_reading_notes_of_indexes_is_found(corpus):
    """Its notes "duplicate_index_in_lane", "non_ACGTN_index" and "several_unindexed_samples_in_lane"."""
    codes = {
        "duplicate_index_in_lane": {"duplicate_index", "duplicate_row"},
        "several_unindexed_samples_in_lane": {"missing_index"},
    }
    noted = 0
    for line in (corpus / "expected.jsonl").read_text().splitlines():
        entry = json.loads(line)
        for note in entry.get("warn") or ():
            if wanted := codes.get(note.partition(":")[0]):
                told = {code for _level, code in found((corpus / "files" / entry["file"]).read_bytes())}
                assert told & wanted, (entry["file"], note)
                noted += 1
    assert noted > 10


def test_the_check_as_json_tells_of_indexes_direction_and_converters():
    told = explain_check(full_check(v2("A,CTCTCTAT,CTCTCTAT", "B,CTCTCTAA,CTCTCTAT"), run_of("LH00217")))
    json.dumps(told)
    assert told["starts"] == {"bcl-convert": False, "bcl2fastq": False}
    assert told["warnings"][0]["refused_by"] == ["bcl-convert", "bcl2fastq"]
    (lane,) = told["indexes"]
    assert lane["closest"] == [{"rows": [8, 9], "distance": [1, 0], "collides": True}]
    assert (lane["least_distance"], lane["n_collisions"], lane["lengths"]) == (1, 1, [[8, 8, 2]])
    assert told["index2_direction"]["written"] == "forward"
    assert told["index2_direction"]["wanted"]["bcl2fastq"] == "reverse complement"
    assert list(told["expected_fastqs"]) == ["bcl-convert", "bcl2fastq"]
    assert "likely_fastqs" not in told

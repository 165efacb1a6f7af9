"""A bad sheet is found before anything is converted, with every error at once."""

import pytest
from converting import CASAVA, V2, make_job, run_info, sheet

from sequencing.converters import ConversionProblem, Converter, check_sheet, convert
from sequencing.demo import write_run

HEAD = "Lane,Sample_ID,Sample_Name,index,index2,Sample_Project"
GOOD = "1,A,A,ACGTACGT,TTTTACGT,P"
PICARD = Converter("picard", "/usr/bin/picard")
BCL_CONVERT = Converter("bcl-convert", "/usr/bin/bcl-convert")
BCL2FASTQ = Converter("bcl2fastq", "/usr/bin/bcl2fastq")


def codes(a_sheet, converter=PICARD, info=None, severity="error"):
    problems = check_sheet(a_sheet, info or run_info(), converter)
    return [problem.code for problem in problems if problem.severity == severity]


@pytest.mark.parametrize("converter", [PICARD, BCL_CONVERT, BCL2FASTQ], ids=lambda one: one.name)
def test_a_good_sheet_has_no_problem(converter):
    assert check_sheet(sheet(HEAD, GOOD), run_info(), converter) == ()


def test_promise_22_every_error_is_listed_at_once():
    a_sheet = sheet(HEAD, GOOD, "1,B,B,ACGTACGT,TTTTACGT,P", "7,C,C,GGGGACGTACGT,TTTTACGT,P", "1,D d,D,,,P")
    assert set(codes(a_sheet, BCL_CONVERT)) == {
        "duplicate_index",
        "lane_beyond_flow_cell",
        "index_longer_than_read",
        "unsafe_name",
        "missing_index",
    }


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (("1,../x,A,ACGTACGT,TTTTACGT,P",), "hostile_name"),
        (("x,A,A,ACGTACGT,TTTTACGT,P",), "bad_lane"),
        ((GOOD, "1,B,B,SI-GA-A1,,P"), "index_set_name"),
        ((GOOD, "1,B,B,ACGTAC,TTTTAC,P"), "mixed_index_lengths"),
        ((GOOD, "1,a,a,TTGTACGT,TTTTACGT,P"), "case_clash"),
        (("9,A,A,ACGTACGT,TTTTACGT,P",), "lane_out_of_range"),
    ],
)
def test_promise_22_what_converters_refuse_is_an_error_before_converting(rows, code):
    assert code in codes(sheet(HEAD, *rows), BCL_CONVERT)


def test_promise_22_indexes_that_can_be_confused_are_found_before_illuminas_converters_refuse_them():
    near = (GOOD, "1,B,B,ACGTACGA,TTTTACGT,P")
    for converter in (BCL_CONVERT, BCL2FASTQ):
        assert codes(sheet(HEAD, *near), converter) == ["index_collision"]
    assert codes(sheet(HEAD, *near), PICARD) == []  # it leaves out the reads that could belong to both
    exact = "BarcodeMismatchesIndex1,0\nBarcodeMismatchesIndex2,0"
    assert codes(sheet(HEAD, *near, settings=exact), BCL_CONVERT) == []


def test_errors_come_first_and_a_person_can_name_each():
    settings = "Adapter,CTGTCTCTTATACACATCT"
    a_sheet = sheet(HEAD, GOOD, "5,B,B,TTGTACGT,TTTTACGT,P", settings=settings)
    problems = check_sheet(a_sheet, run_info(), PICARD)
    assert [(one.severity, one.code) for one in problems] == [
        ("error", "lane_beyond_flow_cell"),
        ("warning", "adapters_not_trimmed"),
    ]
    assert all(one.remedy for one in problems)


def test_each_converter_reads_its_own_families_of_sheets():
    v2 = sheet("Sample_ID,index,index2", "A,ACGTACGT,TTTTACGT", family=V2)
    casava = sheet("FC,1,A,hg19,ACGTACGT-TTTTACGT,,N,R1,lab,P", family=CASAVA)
    assert [codes(v2, one) for one in (BCL_CONVERT, BCL2FASTQ, PICARD)] == [[], ["sheet_family"], []]
    assert [codes(casava, one) for one in (BCL_CONVERT, BCL2FASTQ)] == [["sheet_family"], ["sheet_family"]]
    assert codes(casava, PICARD) == []


def test_what_picard_alone_cannot_do_is_an_error_for_picard_alone():
    a_sheet = sheet(HEAD, GOOD, settings="OverrideCycles,U8Y143;I8;I8;Y151")
    assert codes(a_sheet, PICARD) == ["picard_cannot"]
    assert codes(a_sheet, BCL_CONVERT) == []
    (problem,) = check_sheet(a_sheet, run_info(), PICARD)
    assert problem.remedy == "Install bcl-convert, which can."


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (("C1.1/L001_1.cbcl",), "cannot convert CBCL files without s.locs"),
        (("0001.bcl.bgzf",), "cannot convert .bcl.bgzf files without .bci files"),
    ],
)
def test_base_calls_that_picard_cannot_read_are_refused_before_it_starts(tmp_path, files, said):
    run = write_run(tmp_path, layout="native", fastqs=False, samples=1)
    for name in files:
        path = run / "Data/Intensities/BaseCalls/L001" / name
        path.parent.mkdir(parents=True)
        path.touch()
    with pytest.raises(ConversionProblem, match=said) as told:
        convert(PICARD, make_job(run, tmp_path / "out"), logs=tmp_path / "logs")
    assert told.value.remedy == "Install bcl-convert, which can."
    assert not (tmp_path / "out").exists()


def test_a_run_without_base_calls_is_refused(tmp_path):
    run = write_run(tmp_path, layout="native", fastqs=False, samples=1)
    with pytest.raises(ConversionProblem, match="has no base calls"):
        convert(PICARD, make_job(run, tmp_path / "out"), logs=tmp_path / "logs")

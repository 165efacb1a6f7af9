"""`manage.py check_sample_sheet`: what a sheet says and all that is wrong with it, without a database."""

import json
import os
import subprocess
import sys

import pytest
from django.core.management import call_command

GOOD = """[Header]
[Data]
Sample_ID,Sample_Name,index,index2,Sample_Project
A1,Anna,ACGTACGT,TTTTTTTT,P1
B2,B2,CCCCACGT,TTTTTTTT,P1
"""
RUN_INFO = """<?xml version="1.0"?><RunInfo Version="2"><Run Id="150202_NS500318_0047_AH3KLMBGXX" Number="47">
<Flowcell>H3KLMBGXX</Flowcell><Instrument>NS500318</Instrument><Date>150202</Date><Reads>
<Read Number="1" NumCycles="151" IsIndexedRead="N"/><Read Number="2" NumCycles="8" IsIndexedRead="Y"/>
<Read Number="3" NumCycles="8" IsIndexedRead="Y"/><Read Number="4" NumCycles="151" IsIndexedRead="N"/></Reads>
<FlowcellLayout LaneCount="1" SurfaceCount="2" SwathCount="1" TileCount="12"/></Run></RunInfo>"""


@pytest.fixture
def check(tmp_path, capsys):
    """Checks a sheet of this text; gives the exit code and what was printed."""

    def run(text, *options, run_info=None):
        sheet = tmp_path / "SampleSheet.csv"
        sheet.write_text(text)
        if run_info is not None:
            (tmp_path / "RunInfo.xml").write_text(run_info)
            options = ("--run-info", str(tmp_path / "RunInfo.xml"), *options)
        try:
            call_command("check_sample_sheet", str(sheet), *options)
            code = 0
        except SystemExit as error:
            code = error.code
        out = capsys.readouterr().out
        return code, json.loads(out) if "--json" in options else out

    return run


def test_a_good_sheet_is_said_and_ends_with_0(check):
    code, said = check(GOOD, "--json")
    assert code == 0
    assert {
        key: said[key] for key in ("version", "n_samples", "n_distinct_sample_ids", "lanes", "projects")
    } == {
        "version": "v1",
        "n_samples": 2,
        "n_distinct_sample_ids": 2,
        "lanes": [],
        "projects": ["P1"],
    }
    assert said["first_sample"]["id"] == "A1"
    assert (said["errors"], said["warnings"]) == ([], [])
    assert "expected_fastqs" not in said


def test_every_error_is_told_at_once_with_place_and_remedy(check):
    text = "[Header]\n[Data]\nSample_ID,index\n../x,ACGT\n,ACGG\n-rf,AAAA\n"
    code, said = check(text, "--json")
    assert code == 1
    assert [(problem["row"], problem["column"]) for problem in said["errors"]] == [
        (4, "Sample_ID"),
        (5, "Sample_ID"),
        (6, "Sample_ID"),
    ]
    assert all(problem["message"] and problem["remedy"] for problem in said["errors"])
    _code, shown = check(text)
    assert "row 4, column Sample_ID" in shown
    assert "Errors (3)" in shown


def test_with_the_run_it_says_which_fastqs_each_converter_makes(check):
    code, said = check(GOOD, "--json", run_info=RUN_INFO)
    assert (code, said["warnings"]) == (0, [])
    assert said["expected_fastqs"]["bcl-convert"][::2] == [
        "A1_S1_L001_R1_001.fastq.gz",
        "B2_S2_L001_R1_001.fastq.gz",
    ]
    assert said["expected_fastqs"]["bcl2fastq"][::2] == [
        "P1/A1/Anna_S1_L001_R1_001.fastq.gz",
        "P1/B2_S2_L001_R1_001.fastq.gz",
    ]
    assert "FASTQs that bcl2fastq makes of it (4)" in check(GOOD, run_info=RUN_INFO)[1]


def test_without_the_run_it_says_what_the_names_of_fastqs_rest_on(check):
    _code, said = check(GOOD, "--json")
    assert said["likely_fastqs"]["bcl2fastq"][0] == "P1/A1/Anna_S1_L001_R1_001.fastq.gz"
    assert said["assumed"] == (
        "Without RunInfo.xml: R1 and R2 are assumed; lane 1 stands for each lane of the flow cell."
    )
    assert "FASTQs that bcl-convert likely makes of it (4)\n  Without RunInfo.xml" in check(GOOD)[1]


def test_the_second_line_is_the_verdict(check):
    assert check(GOOD)[1].splitlines()[1] == "  The sheet is fine: 2 samples, 4 FASTQs in each lane."
    assert check(GOOD, "--json")[1]["verdict"] == "The sheet is fine: 2 samples, 4 FASTQs in each lane."


def test_what_converters_refuse_stands_apart_from_what_is_worth_a_look(check):
    text = GOOD.replace("CCCCACGT", "ACGTACGA").replace("Sample_Project", "Sample_Project,index")
    code, said = check(text, "--json")
    assert (code, said["starts"]) == (0, {"bcl-convert": False, "bcl2fastq": False})
    assert [(problem["code"], problem["refused_by"]) for problem in said["warnings"]] == [
        ("index_collision", ["bcl-convert", "bcl2fastq"]),
        ("duplicate_column", []),
    ]
    _code, shown = check(text)
    assert shown.index("Refused by converters (1)") < shown.index("Warnings (1)")
    assert "1 entry that converters refuse, 1 warning: bcl-convert and bcl2fastq would not start." in shown


def test_it_tells_of_each_lane_which_indexes_can_be_confused_and_which_way_round_they_are(check):
    text = GOOD.replace("CCCCACGT", "ACGTACGA").replace("TTTTTTTT", "CTCTCTAT")
    _code, shown = check(text, run_info=RUN_INFO)
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    for line in (
        "their lengths 8+8 bases: 2",
        "least distance 1",
        "pairs confusable 1",
        "likely written forward (1 of 1 are Nextera indexes)",
        "for bcl-convert reverse complement",
        "because of the NextSeq 500/550",
    ):
        assert line in lines


V2 = """[Header]
FileFormatVersion,2
[BCLConvert_Settings]
{}
[BCLConvert_Data]
Lane,Sample_ID,index,index2
{}
"""


@pytest.mark.parametrize(
    ("settings", "row", "codes"),
    [
        ("", "1,A1,ACGTACGT,TTTTTTTT", []),
        ("", "2,A1,ACGTACGT,TTTTTTTT", ["lane_beyond_flow_cell"]),
        ("", "1,A1,ACGTACGTAC,TTTTTTTT", ["index_longer_than_read"]),
        ("", "1,A1,ACGTAC,TTTTTTTT", ["index_shorter_than_read"]),
        ("OverrideCycles,Y151;I6N2;I8;Y151", "1,A1,ACGTAC,TTTTTTTT", []),
        ("OverrideCycles,Y151;I6N2;Y151", "1,A1,ACGTAC,", ["override_cycles_do_not_fit"]),
        ("OverrideCycles,Y150;I6N2;I8;Y151", "1,A1,ACGTAC,TTTTTTTT", ["override_cycles_do_not_fit"]),
    ],
)
def test_the_sheet_is_held_against_its_run(settings, row, codes, check):
    code, said = check(V2.format(settings, row), "--json", run_info=RUN_INFO)
    assert code == 0
    assert [problem["code"] for problem in said["warnings"]] == codes


def test_an_index_that_the_run_did_not_read_is_told_once_for_all_rows(check):
    single = RUN_INFO.replace('<Read Number="3" NumCycles="8" IsIndexedRead="Y"/>', "")
    _code, said = check(GOOD, "--json", run_info=single)
    (problem,) = said["warnings"]
    assert (problem["code"], problem["row"], problem["column"]) == ("no_such_index_read", 4, "index2")
    assert "1 more" in problem["message"]


def test_a_sheet_or_run_info_that_cannot_be_read_is_an_error(check, tmp_path, capsys):
    with pytest.raises(SystemExit, match="1"):
        call_command("check_sample_sheet", str(tmp_path / "none.csv"), "--json")
    assert json.loads(capsys.readouterr().out)["errors"][0]["code"] == "unreadable_file"
    code, said = check(GOOD, "--json", run_info="<RunInfo")
    assert code == 1
    assert said["errors"][0]["file"].endswith("RunInfo.xml")
    assert said["n_samples"] == 2


def test_promise_51_texts_that_hold_codes_are_inert(check):
    text = "[Header]\nX,\x1b[31m\n[Data]\nSample_ID,Sample_Project,index\nA\x1b[2J,\x1b]0;x\x07,=cmd()\n"
    for options in ((), ("--json",)):
        _code, out = check(text, *options)
        shown = out if isinstance(out, str) else json.dumps(out)
        assert all(c.isprintable() or c == "\n" for c in shown)


def test_the_keys_are_those_of_the_independent_reading(corpus, capsys):
    lines = (corpus / "expected.jsonl").read_text().splitlines()
    readings = [json.loads(line) for line in lines]
    sheets = [reading for reading in readings if reading["kind"].startswith("samplesheet")]
    foreign = {"sha256", "file", "kind", "split", "reason", "warn", "ambiguous", "note"}
    for reading in sheets[:20]:
        try:
            call_command("check_sample_sheet", str(corpus / "files" / reading["file"]), "--json")
        except SystemExit:
            assert reading["should_be_rejected"], reading["file"]
        said = json.loads(capsys.readouterr().out)
        assert set(reading) - foreign <= set(said), reading["file"]
        assert said["n_samples"] == reading["n_samples"]


def test_it_needs_no_database_server(tmp_path, settings):
    (tmp_path / "SampleSheet.csv").write_text(GOOD)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "settings.local",
        "DATABASE_URL": "postgres://nobody:x@127.0.0.1:1/none",
        "SEQAUTO_VAR_DIR": str(tmp_path / "var"),
    }
    manage = str(settings.BASE_DIR / "manage.py")
    command = [sys.executable, manage, "check_sample_sheet", str(tmp_path / "SampleSheet.csv")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2, on 2 rows" in done.stdout

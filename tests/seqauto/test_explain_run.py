"""`manage.py explain_run`: all that is read from a run folder, without a database."""

import errno
import json
import os
import subprocess
import sys

import pytest
from django.core.management import call_command

from sequencing.demo import DemoSample


def explain(capsys, path, *options):
    """Exit code, and what was printed."""
    try:
        call_command("explain_run", str(path), *options)
        code = 0
    except SystemExit as error:
        code = error.code
    return code, capsys.readouterr().out


def explain_json(capsys, path):
    code, out = explain(capsys, path, "--json")
    return code, json.loads(out)


def test_a_whole_run_is_explained_with_the_keys_of_its_files(write_run, tmp_path, capsys):
    run = write_run(tmp_path, samples=3, project="Panel")
    code, said = explain_json(capsys, run)
    assert code == 0
    assert said["name"]["instrument"] == said["run_info"]["instrument"] == "M00879"
    assert said["run_info"]["run_id"] == run.name
    assert said["run_info"]["run_number"] == "31"
    assert said["run_info"]["reads"] == [[151, False], [10, True], [10, True], [151, False]]
    assert said["run_info"]["lanes"] == 1
    assert said["run_parameters"]["experiment_name"] == "Panel_0031"
    sheet = said["sample_sheet"]
    assert (sheet["version"], sheet["n_samples"], sheet["n_distinct_sample_ids"]) == ("v1", 3, 3)
    assert (sheet["projects"], sheet["first_sample"]["project"]) == (["Panel"], "Panel")
    assert said["completion"]["state"] == "complete"
    assert (said["n_expected"], said["n_found"]) == (6, 6)
    assert {file["state"] for file in said["expected_files"]} == {"complete"}
    assert (said["errors"], said["warnings"]) == ([], [])


@pytest.mark.parametrize("layout", ["archive", "native", "bclconvert"])
@pytest.mark.parametrize("instrument", ["MiSeq", "NextSeq 500", "NovaSeq 6000", "NovaSeq X"])
@pytest.mark.parametrize("sheet", ["v1", "v2", "casava"])
def test_every_layout_of_every_instrument_is_found(layout, instrument, sheet, write_run, tmp_path, capsys):
    run = write_run(tmp_path, instrument=instrument, layout=layout, sheet=sheet, missing=("*-02_*_R2_*",))
    _code, said = explain_json(capsys, run)
    missing = [file for file in said["expected_files"] if file["state"] == "non_existent"]
    assert {(file["sample"][-3:], file["read"]) for file in missing} == {("-02", "R2")}
    assert said["n_found"] == said["n_expected"] - len(missing) > 0
    assert {file["sample"] for file in said["other_files"]} == {None}
    for file in missing:
        (run / file["path"]).write_bytes(b"reads" * 100)
    assert explain_json(capsys, run)[1]["n_found"] == said["n_expected"]


def test_the_text_says_what_is_missing_and_what_to_do(write_run, tmp_path, capsys):
    run = write_run(tmp_path, samples=2, missing=("*_R2_*",))
    code, text = explain(capsys, run)
    assert code == 0
    assert "Files: 2 of 4 expected ones found" in text
    assert text.count("  MISSING  ") == 2
    assert "Copy them to where they are expected" in text
    assert "\x1b" not in text


def test_controls_are_skipped_by_the_settings_pattern(write_run, tmp_path, capsys):
    run = write_run(tmp_path, samples=[DemoSample("26W1-01"), DemoSample("NTC")], missing=("NTC*",))
    _code, said = explain_json(capsys, run)
    assert {file["sample"]: file["state"] for file in said["expected_files"]} == {
        "26W1-01": "complete",
        "NTC": "skipped",
    }
    assert said["n_expected"] == 2


def test_a_run_without_a_sheet_is_an_error_with_a_remedy(write_run, tmp_path, capsys):
    code, said = explain_json(capsys, write_run(tmp_path, sheet=""))
    assert code == 1
    assert [problem["code"] for problem in said["errors"]] == ["no_sample_sheet"]
    assert said["sample_sheet"] is None


def test_all_errors_of_a_sheet_are_told_with_their_place(write_run, tmp_path, capsys):
    text = "[Header]\n[Data]\nSample_ID,index\n../x,ACGT\n,ACGG\n"
    code, said = explain_json(capsys, write_run(tmp_path, sheet_text=text))
    assert code == 1
    assert [problem["row"] for problem in said["errors"]] == [4, 5]
    assert {"row", "column", "text", "message", "remedy", "code"} <= said["errors"][0].keys()
    assert said["sample_sheet"]["should_be_rejected"]
    assert said["expected_files"] == []


def test_broken_metadata_does_not_stop_the_rest(write_run, tmp_path, capsys):
    run = write_run(tmp_path, layout="native", parameters=False)
    (run / "RunInfo.xml").write_text("<RunInfo><Run")
    code, said = explain_json(capsys, run)
    assert code == 1
    assert said["run_info"]["malformed"]
    assert said["run_parameters"] is None
    assert said["n_found"] == said["n_expected"] == 8
    assert explain(capsys, run)[0] == 1


def test_the_sheet_of_another_run_is_noticed(write_run, tmp_path, capsys):
    text = "[Header]\n[Data]\nLane,Sample_ID,index\n5,A1,ACGTACGTACGT\n"
    _code, said = explain_json(capsys, write_run(tmp_path, sheet_text=text))
    assert {"lane_beyond_flow_cell", "index_longer_than_read"} <= {p["code"] for p in said["warnings"]}


def test_a_skipped_run_says_so_and_is_explained_all_the_same(write_run, tmp_path, capsys, settings):
    run = write_run(tmp_path)
    (run / settings.SEQAUTO_SKIP_MARKER).touch()
    _code, said = explain_json(capsys, run)
    assert settings.SEQAUTO_SKIP_MARKER in said["skipped"]
    assert said["n_found"] == 8


def test_a_run_skipped_by_its_group_or_its_path_says_so(archive, write_run, capsys, settings):
    run = write_run(archive / "exome" / "pilot")
    assert explain_json(capsys, run)[1]["skipped"] is None
    settings.SEQAUTO_SKIP_PATTERNS = ["^genome/", "^exome/pilot/"]
    assert "skip pattern ^exome/pilot/" in explain_json(capsys, run)[1]["skipped"]
    (archive / "exome" / settings.SEQAUTO_SKIP_MARKER).touch()
    assert (
        f"{settings.SEQAUTO_SKIP_MARKER} lies in {archive}/exome" in explain_json(capsys, run)[1]["skipped"]
    )


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_path_that_is_no_folder_is_an_error(name, tmp_path, capsys):
    (tmp_path / "file").touch()
    code, said = explain_json(capsys, tmp_path / name)
    assert (code, said["errors"][0]["code"]) == (1, "unreadable_folder")
    assert "cannot be read" in explain(capsys, tmp_path / name)[1]


def test_an_empty_folder_is_explained(tmp_path, capsys):
    code, said = explain_json(capsys, tmp_path)
    assert code == 1
    assert {"no_sample_sheet"} == {problem["code"] for problem in said["errors"]}
    assert {"no_run_info", "no_run_parameters", "no_run_name"} <= {p["code"] for p in said["warnings"]}


def test_promise_37_an_unreadable_folder_is_told_and_nothing_in_it_is_missing(
    write_run, tmp_path, capsys, monkeypatch
):
    run = write_run(tmp_path)
    really_open = os.open

    def refuse_fastqs(path, *args, **options):  # a mode of 0 would not stop the superuser
        if str(path).rstrip("/").endswith("0_fastq"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return really_open(path, *args, **options)

    monkeypatch.setattr(os, "open", refuse_fastqs)
    code, said = explain_json(capsys, run)
    assert code == 1
    assert said["errors"][0]["file"] == "0_fastq"
    assert len(said["files_not_checked"]) == 8
    assert not any(problem["code"] == "files_missing" for problem in said["warnings"])


def test_promise_37_a_name_that_cannot_be_decoded_is_told(write_run, tmp_path, capsys):
    run = write_run(tmp_path)
    with open(os.fsencode(run) + b"/0_fastq/\xff_R1.fastq.gz", "w"):
        pass
    _code, said = explain_json(capsys, run)
    assert [p["file"] for p in said["warnings"] if p["code"] == "passed_over"] == [
        "0_fastq/\\udcff_R1.fastq.gz"
    ]


def test_promise_51_names_and_texts_that_hold_codes_are_inert(write_run, tmp_path, capsys):
    text = "[Header]\nX,\x1b[31mred\n[Data]\nSample_ID,Sample_Project,index\nA\x1b[2J,\x1b]0;x\x07,ACGT\n"
    run = write_run(tmp_path, sheet_text=text, experiment_name="\u202eevil")
    (run / "0_fastq" / "A\x1b[31m_R1.fastq.gz").touch()
    odd = run.rename(run.with_name("odd\x1b[31m run"))
    for options in ((), ("--json",)):
        _code, out = explain(capsys, odd, *options)
        assert all(c.isprintable() or c == "\n" for c in out)


def test_it_needs_no_database_server(write_run, tmp_path, settings):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "settings.local",
        "DATABASE_URL": "postgres://nobody:x@127.0.0.1:1/none",
        "SEQAUTO_VAR_DIR": str(tmp_path / "var"),
    }
    command = [
        sys.executable,
        str(settings.BASE_DIR / "manage.py"),
        "explain_run",
        str(write_run(tmp_path)),
        "--json",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n_found"] == 8

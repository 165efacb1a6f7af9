"""What a scan says of a run folder: the same that `explain_run` says, as messages."""

import json
import os
from contextlib import suppress

import pytest
from django.core.management import call_command
from scanning import open_codes, said, scan_well

pytestmark = pytest.mark.django_db

ANOTHER_RUN = "[Header]\n[Data]\nLane,Sample_ID,index\n5,A1,ACGTACGTACGT\n5,A2,ACGTACGTACGA\n"


def explained_codes(capsys, run):
    with suppress(SystemExit):
        call_command("explain_run", str(run), "--json")
    explained = json.loads(capsys.readouterr().out)
    return {problem["code"] for problem in explained["errors"] + explained["warnings"]}


def test_the_sheet_of_another_run_is_told_with_its_row(archive, write_run):
    run = write_run(archive / "exome", sheet_text=ANOTHER_RUN)
    scan_well()
    message = said("lane_beyond_flow_cell", run)
    assert message.severity == "warning"
    assert message.text.startswith("The flow cell has 1 lane")
    assert message.text.endswith("And 1 more of this kind.")
    assert message.place == "SampleSheet.csv, row 4, column Lane"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"missing": ("*_R2_*",)},
        {"sheet": ""},
        {"parameters": False},
        {"sheet_text": ANOTHER_RUN},
        {"sheet_text": "[Data]\nSample_ID,index\n../x,ACGT\n"},
    ],
)
def test_scans_and_explain_run_tell_the_same(options, archive, write_run, capsys):
    run = write_run(archive / "exome", **options)
    (run / "linked").symlink_to(archive)
    scan_well()
    assert open_codes(run) == explained_codes(capsys, run)


def test_what_cannot_be_named_is_told_once(archive, write_run, capsys):
    run = write_run(archive / "exome")
    with open(os.fsencode(run) + b"/0_fastq/\xff_R1.fastq.gz", "w"):
        pass
    scan_well()
    assert open_codes(run) == explained_codes(capsys, run) == {"passed_over"}


def test_places_of_which_there_is_the_same_to_say_share_a_message(archive, write_run):
    run = write_run(archive / "exome")
    for number in range(5):
        (run / f"link_{number}").symlink_to(archive)
    scan_well()
    assert said("passed_over", run).text == (
        "link_0, link_1, link_2 and 2 more: each is a link to a folder; links are not followed."
    )


def test_a_run_that_merely_lacks_run_parameters_stays_calm(archive, write_run):
    run = write_run(archive / "exome", parameters=False)
    scan_well()
    assert said("no_run_parameters", run).severity == "info"

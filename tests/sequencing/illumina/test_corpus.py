"""Every file of the corpus says what an independent reading says, but for what docs/corpus.md explains."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sequencing.illumina.run_info import parse_run_info
from sequencing.illumina.run_name import parse_run_name
from sequencing.illumina.run_parameters import parse_run_parameters
from sequencing.illumina.sample_sheet import parse_sample_sheet
from sequencing.illumina.summary import summarise_run_info, summarise_run_parameters, summarise_sheet

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "corpus.md"
READERS = {
    "runinfo": lambda data: summarise_run_info(parse_run_info(data)),
    "runparameters": lambda data: summarise_run_parameters(parse_run_parameters(data)),
    "samplesheet_v1": lambda data: summarise_sheet(parse_sample_sheet(data)),
    "samplesheet_v2": lambda data: summarise_sheet(parse_sample_sheet(data)),
    "samplesheet_casava": lambda data: summarise_sheet(parse_sample_sheet(data)),
}
# Facts about the reading, not of the file.
NOT_COMPARED = {"sha256", "file", "kind", "split", "malformed", "reason", "warn", "ambiguous", "note"}
# The end of a file's path, and in which of its values we differ. Each has its row in docs/corpus.md.
EXPLAINED = {
    ("TestDifficultSampleNames/SampleSheet.csv", "should_be_rejected"),
    ("TestDifficultSampleNames/SampleSheet-inline-commas-strings.csv", "should_be_rejected"),
    ("20220912_FS10001773_27_BSE39218-1017/SampleSheet.csv", "first_sample"),
    ("20220912_FS10001773_27_BSE39218-1017/SampleSheet.csv", "last_sample"),
    ("20220912_FS10001773_27_BSE39218-1017/RunParameters.xml", "instrument_id"),
    ("Samplesheet_p169_gi_isa_3_d859db48bc554487920d954fc803edcd.csv", "header"),
}


def expected_entries(corpus: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (corpus / "expected.jsonl").read_text().splitlines()]


def differences(entry: dict[str, Any], summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in entry.keys() - NOT_COMPARED:
        if summary[key] != entry[key]:
            yield entry["file"], key


def test_every_file_says_what_the_independent_reading_says(corpus):
    found = set()
    for entry in expected_entries(corpus):
        summary = READERS[entry["kind"]]((corpus / "files" / entry["file"]).read_bytes())
        found.update(differences(entry, summary))
    explained = {
        (file, key) for file, key in found if any(file.endswith(end) and key == k for end, k in EXPLAINED)
    }
    assert sorted(found - explained) == []
    assert {
        (end, key) for end, key in EXPLAINED if not any(f.endswith(end) and k == key for f, k in found)
    } == set()


@pytest.mark.parametrize("file", sorted({file for file, _ in EXPLAINED}))
def test_every_difference_is_explained_in_the_documents(file):
    assert f"`{file}`" in DOCUMENT.read_text()


def test_sheets_are_rejected_by_an_error_that_names_row_and_remedy(corpus):
    for entry in expected_entries(corpus):
        if entry["kind"].startswith("samplesheet"):
            sheet = parse_sample_sheet((corpus / "files" / entry["file"]).read_bytes())
            assert not entry["should_be_rejected"] or sheet.errors
            assert all(problem.message and problem.remedy for problem in sheet.problems)
            assert all(problem.row for problem in sheet.errors if problem.code != "empty_file")


def test_the_date_of_every_run_is_that_of_its_name(corpus):
    days = {}
    for entry in expected_entries(corpus):
        if entry["kind"] == "runinfo":
            info = parse_run_info((corpus / "files" / entry["file"]).read_bytes())
            assert info.date is not None
            if name := parse_run_name(info.run_id):
                days[info.run_id] = abs((info.date - name.date).days)
    assert len(days) > 40
    assert {run_id for run_id, apart in days.items() if apart > 1} == set()


# A cartridge instead of the flow cell in the name; a flow cell renamed by a site; a file changed for a test.
OTHER_FLOW_CELLS = {
    "20250418_SH00252_0069_ASC2107005-SC3",
    "180627_SL-NVB_0098_AFCHCYTJDMXX",
    "150821_M04004_0006_000000000-AEF96",
}


def test_a_run_folders_name_and_its_run_info_agree_on_the_flow_cell(corpus):
    differing = {
        entry["run_id"]
        for entry in expected_entries(corpus)
        if entry["kind"] == "runinfo"
        and (name := parse_run_name(entry["run_id"]))
        and name.flowcell != entry["flowcell"]
    }
    assert differing == OTHER_FLOW_CELLS

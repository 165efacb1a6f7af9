"""Markers of completion, by instrument."""

import json
from pathlib import PurePosixPath

import pytest

from sequencing.illumina.completion import MARKERS, completion

STATUS = "<RunCompletionStatus><CompletionStatus>{}</CompletionStatus></RunCompletionStatus>"
COMPLETE = {
    "NovaSeq X": ["CopyComplete.txt", "RTAComplete.txt", "RunCompletionStatus.xml"],
    "NextSeq 1000/2000": ["CopyComplete.txt", "RTAComplete.txt", "RunCompletionStatus.xml"],
    "MiSeq i100": ["CopyComplete.txt", "RTAComplete.txt", "RunCompletionStatus.xml"],
    "NovaSeq 6000": ["CopyComplete.txt", "RTAComplete.txt", "SequenceComplete.txt"],
    "NextSeq 500/550": ["RTAComplete.xml", "RunCompletionStatus.xml"],
    "MiniSeq": ["RTAComplete.txt", "RunCompletionStatus.xml"],
    "iSeq 100": ["CopyComplete.txt", "RTAComplete.txt"],
    "MiSeq": ["RTAComplete.txt"],
    "HiSeq X": ["RTAComplete.txt", "SequencingComplete.txt"],
    "HiSeq 3000/4000": ["RTAComplete.txt", "SequencingComplete.txt"],
    "HiSeq 2000/2500": ["RTAComplete.txt", "Basecalling_Netcopy_complete_Read1.txt"],
}


@pytest.mark.parametrize("model", MARKERS)
def test_promise_3_without_all_markers_of_its_instrument_a_run_is_not_complete(model):
    names = COMPLETE[model]
    assert completion(model, names).state == "complete"
    for absent in names:
        left = [name for name in names if name != absent]
        result = completion(model, left)
        assert result.state == "running"
        assert len(result.missing) == 1
        assert result.missing[0].split("|")[0].split("*")[0][:11] in result.message


@pytest.mark.parametrize("status", ["CompletedAsPlanned", "SuccessfullyCompleted"])
def test_a_run_that_ended_as_planned_is_complete(status):
    result = completion("NextSeq 500/550", COMPLETE["NextSeq 500/550"], STATUS.format(status).encode())
    assert result.state == "complete"


@pytest.mark.parametrize("status", ["ExceptionEndedEarly", "UserEndedEarly"])
def test_a_run_that_the_instrument_ended_otherwise_is_failed(status):
    result = completion("NextSeq 500/550", COMPLETE["NextSeq 500/550"], STATUS.format(status).encode())
    assert result.state == "failed"
    assert status in result.message


@pytest.mark.parametrize(
    "status",
    [
        b"",
        b"not xml",
        b"<RunCompletionStatus/>",
        b"<Status><b>Failed</b></Status>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>",
    ],
)
def test_a_status_that_cannot_be_read_never_counts_as_complete(status):
    result = completion("MiniSeq", COMPLETE["MiniSeq"], status)
    assert result.state == "unknown"
    assert "RunCompletionStatus.xml" in result.message


def test_the_case_of_a_markers_name_does_not_matter():
    assert completion("MiSeq", ["rtacomplete.TXT"]).state == "complete"


def test_an_unknown_instrument_needs_a_person():
    result = completion("", ["RTAComplete.txt"])
    assert result.state == "unknown"
    assert "RTAComplete.txt" in result.message


def test_a_lab_may_name_its_own_markers():
    assert completion("", ["done.flag"], markers={"": ("done.flag",)}).state == "complete"


def test_every_marker_of_the_corpus_is_known(corpus):
    names = {
        PurePosixPath(entry["path"]).name
        for line in (corpus / "manifest.jsonl").read_text().splitlines()
        if (entry := json.loads(line))["kind"] == "marker"
    }
    assert names
    assert {name for name in names if not completion("", [name]).present} == set()

"""What a run folder says of itself: the instrument's files before the folder's name; none spoils another."""

import datetime

import pytest

from sequencing.demo.run import DemoRun
from sequencing.demo.texts import run_info_of, run_parameters_of, sheet_of
from sequencing.layout import FoundFile
from sequencing.reading import LONGEST_RUN, read_run

RUN = DemoRun(instrument="NextSeq 500", number=411)
TEXTS = {
    "RunInfo.xml": run_info_of(RUN),
    "RunParameters.xml": run_parameters_of(RUN),
    "SampleSheet.csv": sheet_of(RUN),
}
KINDS = {
    "RunInfo.xml": "run_info",
    "RunParameters.xml": "run_parameters",
    "SampleSheet.csv": "sample_sheet",
}
NOW = datetime.datetime(2026, 3, 3, tzinfo=datetime.UTC)


def reading_of(texts, *, name=RUN.folder_name, others=(), written=NOW, **options):
    """Read a run folder of these files, by their paths; an OSError in place of a text is raised."""
    files = {}
    for path in texts:
        kind = KINDS.get(path.rpartition("/")[2], "marker")
        files.setdefault(kind, []).append(FoundFile(path, 1, int(written.timestamp() * 1e9)))
    for kind, path in others:
        files.setdefault(kind, []).append(FoundFile(path, 1, 1))

    def read(path):
        if isinstance(texts[path], OSError):
            raise texts[path]
        return texts[path].encode()

    return read_run(name, files, read, now=NOW, **options)


def test_a_whole_run_folder_is_read_without_a_problem():
    reading = reading_of(TEXTS)
    assert reading.problems == []
    assert (reading.instrument, reading.model, reading.run_number) == ("NB501009", "NextSeq 500/550", 411)
    assert (reading.flowcell, reading.date) == (RUN.flowcell_id, RUN.date)
    assert reading.run_parameters.experiment_name == "Panel_0411"
    assert len(reading.sheet.sheet.samples) == 4
    assert reading.sheet.content == TEXTS["SampleSheet.csv"].encode()


def test_run_info_is_the_truth_and_the_folders_name_a_hint():
    other = "250101_M00001_0007_000000000-XXXXX"
    named, told = reading_of({}, name=other), reading_of(TEXTS, name=other)
    assert (named.instrument, named.run_number, named.flowcell) == ("M00001", 7, "000000000-XXXXX")
    assert (told.instrument, told.run_number, told.flowcell) == ("NB501009", 411, RUN.flowcell_id)


def test_without_run_info_run_parameters_tell_the_instrument():
    texts = {"RunParameters.xml": TEXTS["RunParameters.xml"]}
    reading = reading_of(texts, name="250101_M00001_0007_000000000-XXXXX")
    assert (reading.instrument, reading.run_number) == ("NB501009", 7)


def test_a_run_is_the_same_wherever_it_lies_and_whatever_a_lab_adds_to_its_name():
    names = [RUN.folder_name, f"Exome_20_{RUN.folder_name}", f"{RUN.folder_name}_repeat"]
    identities = {reading_of(texts, name=name).identity for texts in ({}, TEXTS) for name in names}
    assert identities == {f"NB501009_411_{RUN.flowcell_id}"}


def test_a_run_that_tells_nothing_is_known_by_its_folders_name():
    reading = reading_of({}, name="the good one")
    assert (reading.identity, reading.instrument, reading.model) == ("folder the good one", "", "")
    assert (reading.run_number, reading.flowcell, reading.date) == (None, "", None)


@pytest.mark.parametrize("broken", TEXTS)
def test_a_broken_file_is_a_problem_beside_the_rest(broken):
    reading = reading_of(TEXTS | {broken: "no such thing"})
    assert {file for file, _problem in reading.problems} == {broken}
    assert all(problem.remedy for _file, problem in reading.problems)
    assert reading.instrument == "NB501009"


@pytest.mark.parametrize("unread", TEXTS)
def test_an_unreadable_file_is_a_problem_beside_the_rest(unread):
    reading = reading_of(TEXTS | {unread: PermissionError(13, "Permission denied")})
    ((file, problem),) = reading.problems
    assert (file, problem.code) == (unread, "unreadable_file")
    assert problem.message == "The file cannot be read: Permission denied"
    assert (reading.sheet is None) == (unread == "SampleSheet.csv")


def test_metadata_of_the_run_folder_itself_counts_before_that_of_a_sub_folder():
    deeper = run_info_of(DemoRun(number=7))
    texts = {"4_QC/sequencing_stats/RunInfo.xml": deeper, "RunInfo.xml": TEXTS["RunInfo.xml"]}
    assert reading_of(texts).run_number == 411
    assert reading_of({"4_QC/sequencing_stats/RunInfo.xml": deeper}).run_number == 7


def test_a_young_run_without_marker_and_fastq_is_still_sequencing():
    assert reading_of(TEXTS).is_sequencing


@pytest.mark.parametrize(
    "options",
    [
        {"others": [("fastq", "0_fastq/a_R1.fastq.gz")]},
        {"written": NOW - LONGEST_RUN},
        {"markers": {"NextSeq 500/550": ["RTAComplete.txt"]}, "others": [("marker", "RTAComplete.txt")]},
    ],
)
def test_a_run_with_fastqs_or_all_its_markers_or_of_some_age_is_sequencing_no_more(options):
    assert not reading_of(TEXTS, **options).is_sequencing


def test_promise_3_a_young_run_with_one_of_its_markers_is_still_being_written():
    assert reading_of(TEXTS, others=[("marker", "RTAComplete.txt")]).is_sequencing


def test_an_old_run_without_its_markers_is_not_said_to_be_in_progress():
    completion = reading_of(TEXTS, written=NOW - LONGEST_RUN).completion
    assert completion.state == "unknown"
    assert "too old" in completion.message


def test_an_archived_run_is_never_taken_for_one_in_progress():
    assert not reading_of({"4_QC/sequencing_stats/RunInfo.xml": TEXTS["RunInfo.xml"]}).is_sequencing
    assert not reading_of({}).is_sequencing


def test_completion_is_judged_by_the_instruments_markers_or_those_of_the_lab():
    markers = [("marker", f"4_QC/{name}") for name in ("RTAComplete.txt", "CopyComplete.txt")]
    assert reading_of(
        TEXTS, others=markers, markers={"NextSeq 500/550": ["RTAComplete.txt"]}
    ).completion.state == ("complete")
    lab = {"NextSeq 500/550": ["RTAComplete.txt", "LabComplete.txt"]}
    assert reading_of(TEXTS, others=markers, markers=lab).completion.missing == ("LabComplete.txt",)


def test_a_failed_run_is_told_by_its_status_and_an_unreadable_status_is_a_problem():
    status = (
        "<RunCompletionStatus><CompletionStatus>ExceptionEndedEarly</CompletionStatus></RunCompletionStatus>"
    )
    assert reading_of(TEXTS | {"RunCompletionStatus.xml": status}).completion.state == "failed"
    unread = reading_of(TEXTS | {"RunCompletionStatus.xml": OSError(5, "Input/output error")})
    assert [file for file, _problem in unread.problems] == ["RunCompletionStatus.xml"]

"""What a scan expects of a run: by its sheet, its reads, its layout and the lab's settings."""

import os
from dataclasses import replace
from datetime import timedelta

import pytest
from scanning import file_states, open_codes, run_of, said, scan_well

from seqauto.models.runs import RunState
from sequencing import reading
from sequencing.demo import DemoSample, demo_samples

pytestmark = pytest.mark.django_db


def test_control_samples_are_not_missed_and_are_welcome_when_there(archive, write_run):
    samples = [DemoSample("26W0031-01"), DemoSample("NTC"), DemoSample("blank_2")]
    run = write_run(archive / "exome", samples=samples, missing=("NTC_*",), split_lanes=False)
    scan_well()
    states = file_states(run)
    assert [states[f"NTC_S2_R{read}_001.fastq.gz"] for read in (1, 2)] == ["skipped"] * 2
    assert [states[f"blank_2_S3_R{read}_001.fastq.gz"] for read in (1, 2)] == ["complete"] * 2
    assert (run_of(run).state, run_of(run).files_expected) == (RunState.COMPLETE, 2)
    assert list(run_of(run).samples.filter(is_control=True).values_list("sample_id", flat=True)) == [
        "NTC", "blank_2"
    ]  # fmt: skip


def test_which_samples_are_controls_is_a_setting_that_applies_to_known_runs_too(archive, write_run, settings):
    run = write_run(archive / "exome", samples=2, missing=("*-02_*",))
    scan_well()
    assert run_of(run).state == RunState.INCOMPLETE
    settings.SEQAUTO_CONTROL_SAMPLE_PATTERN = "-02$"
    scan_well()
    assert (run_of(run).state, open_codes(run)) == (RunState.COMPLETE, set())
    settings.SEQAUTO_CONTROL_SAMPLE_PATTERN = ""
    scan_well()
    assert run_of(run).state == RunState.INCOMPLETE


def test_failed_samples_are_not_missed(archive, write_run):
    first, second = demo_samples(2)
    run = write_run(archive / "exome", samples=[first, replace(second, failed=True)], missing=("*-02_*",))
    scan_well()
    assert sorted(file_states(run).values()) == ["complete", "complete", "skipped", "skipped"]
    assert run_of(run).state == RunState.COMPLETE
    assert run_of(run).samples.get(is_failed=True).sample_id == second.sample_id


@pytest.mark.parametrize(
    ("columns", "kept"),
    [([], {}), (["Sample_Well"], {"Sample_Well": "A01"}), (["*"], {"Sample_Well": "A01", "Kit": "Ü"})],
)
def test_extra_columns_of_the_sheet_are_kept_by_setting(archive, write_run, settings, columns, kept):
    settings.SEQAUTO_EXTRA_SHEET_COLUMNS = columns
    sheet = "[Data]\nSample_ID,index,Sample_Well,Kit\na,ACGT,A01,Ü\n"
    run = write_run(archive / "exome", sheet_text=sheet)
    scan_well()
    assert run_of(run).samples.get().extra == kept


@pytest.mark.parametrize("sheet", ["v1", "v2", "casava"])
@pytest.mark.parametrize("layout", ["archive", "native", "bclconvert"])
def test_every_family_of_sheet_is_understood_in_every_layout(archive, write_run, sheet, layout):
    run = write_run(archive / "exome", sheet=sheet, layout=layout, samples=2, missing=("*-02_*_R2_*",))
    scan_well()
    states = file_states(run)
    assert sorted(states.values()) == ["complete"] * 3 + ["non_existent"]
    missing = run_of(run).files.get(data_state="non_existent")
    there = run_of(run).files.get(sample=missing.sample, read="R1")
    assert missing.path == there.path.replace("_R1_", "_R2_")  # expected beside what is there


def test_fastqs_of_a_labs_own_layout_are_found_by_a_pattern_in_the_settings(archive, write_run, settings):
    settings.SEQAUTO_FASTQ_PATTERNS = ["reads/{project}/{sample_id}.{read}.fastq.gz"]
    run = write_run(archive / "exome", samples=2, fastqs=False)
    folder = run / "reads" / "Panel"
    folder.mkdir(parents=True)
    for name in ("26W0031-01.R1", "26W0031-01.R2", "26W0031-02.R1"):
        (folder / f"{name}.fastq.gz").write_bytes(b"x" * 100)
    scan_well()
    assert file_states(run) == {
        "26W0031-01.R1.fastq.gz": "complete",
        "26W0031-01.R2.fastq.gz": "complete",
        "26W0031-02.R1.fastq.gz": "complete",
        "26W0031-02.R2.fastq.gz": "non_existent",
    }


def test_a_single_read_run_has_no_r2_to_miss(archive, write_run):
    run = write_run(archive / "exome", reads=1, samples=2)
    scan_well()
    assert (run_of(run).state, run_of(run).files_expected) == (RunState.COMPLETE, 2)


def test_lanes_and_reads_come_from_run_info_wherever_it_lies(archive, write_run):
    run = write_run(archive / "exome", instrument="NextSeq 500", samples=1, missing=("*_L004_*",))
    assert (run / "4_QC/sequencing_stats/RunInfo.xml").exists()
    assert not (run / "RunInfo.xml").exists()
    scan_well()
    assert (run_of(run).lane_count, run_of(run).flowcell[:1]) == (4, "H")
    missing = [name for name, state in file_states(run).items() if state == "non_existent"]
    assert missing == [f"26W0031-01_S1_L004_R{read}_001.fastq.gz" for read in (1, 2)]


def test_an_empty_fastq_is_there_but_told(archive, write_run):
    run = write_run(archive / "exome", samples=2, empty=("*-02_*",))
    scan_well()
    assert run_of(run).state == RunState.COMPLETE
    assert said("empty_fastq", run).severity == "warning"
    assert said("empty_fastq", run).remedy


def test_a_run_that_is_still_sequencing_is_running_until_its_files_come(archive, write_run):
    options = {"instrument": "NextSeq 2000", "layout": "native", "samples": 2}
    run = write_run(archive / "exome", markers=(), fastqs=False, **options)
    scan_well()
    assert run_of(run).state == RunState.RUNNING
    assert set(file_states(run).values()) == {"running"}
    assert open_codes(run) == set()
    write_run(archive / "exome", **options)
    scan = scan_well()
    assert (run_of(run).state, set(file_states(run).values())) == (RunState.COMPLETE, {"complete"})
    assert scan.runs_changed == 1


def test_a_run_that_finished_sequencing_without_fastqs_misses_them(archive, write_run):
    options = {"instrument": "NextSeq 2000", "layout": "native", "fastqs": False, "samples": 1}
    run = write_run(archive / "exome", markers=(), **options)
    scan_well()
    write_run(archive / "exome", **options)
    scan_well()
    assert (run_of(run).state, set(file_states(run).values())) == (RunState.INCOMPLETE, {"non_existent"})


def test_a_run_that_never_finished_is_not_running_for_ever(archive, write_run):
    run = write_run(archive / "exome", layout="native", markers=(), fastqs=False, samples=1)
    scan_well()
    assert run_of(run).state == RunState.RUNNING
    a_week_ago = (run / "RunInfo.xml").stat().st_mtime - 8 * 24 * 3600
    os.utime(run / "RunInfo.xml", (a_week_ago, a_week_ago))
    scan_well()
    assert (run_of(run).state, set(file_states(run).values())) == (RunState.INCOMPLETE, {"non_existent"})


def test_a_run_ends_to_be_running_by_time_alone(archive, write_run, monkeypatch):
    run = write_run(archive / "exome", layout="native", markers=(), fastqs=False, samples=1)
    scan_well()
    assert run_of(run).state == RunState.RUNNING
    monkeypatch.setattr(reading, "LONGEST_RUN", timedelta(0))
    scan_well()
    assert run_of(run).state == RunState.INCOMPLETE


def test_a_run_deleted_while_sequencing_leaves_no_file_running(archive, write_run):
    run = write_run(archive / "exome", layout="native", markers=(), fastqs=False, samples=1)
    for number in range(1, 4):
        write_run(archive / "exome", number=number)
    scan_well()
    run.rename(archive.parent / "aside")
    scan_well()
    assert (run_of(run).state, set(file_states(run).values())) == (RunState.DELETED, {"non_existent"})


def test_a_run_that_the_instrument_calls_failed_is_told(archive, write_run):
    run = write_run(archive / "exome", instrument="NextSeq 500", layout="native")
    (run / "RunCompletionStatus.xml").write_text(
        "<RunCompletionStatus><CompletionStatus>ExceptionEndedEarly</CompletionStatus></RunCompletionStatus>"
    )
    scan_well()
    assert said("run_failed", run).severity == "error"


def test_a_run_without_a_sheet_says_what_to_do(archive, write_run):
    run = write_run(archive / "exome", sheet="")
    scan_well()
    assert run_of(run).state == RunState.ERROR
    assert said("no_sample_sheet", run).remedy.startswith("Put the run's sample sheet into the run folder")
    assert set(run_of(run).files.values_list("is_expected", flat=True)) == {False}


def test_promise_8_a_folder_without_any_run_is_told_until_it_is_gone(archive):
    (archive / "letters" / "2026").mkdir(parents=True)
    scan_well()
    assert said("folder_without_run").place == f"{archive}/letters"
    (archive / "letters" / "2026").rmdir()
    (archive / "letters").rmdir()
    scan_well()
    assert not said("folder_without_run").is_open

"""A lab's own find script in place of the walk, and scans of some types of file only."""

import pytest
from scanning import file_states, open_codes, run_of, said, scan_disks, scan_well, whole_database

from seqauto.models import SequencingFile
from seqauto.models.runs import RunState
from seqauto.models.scans import ScanStatus
from sequencing.layout import FILE_TYPES, FileType

pytestmark = pytest.mark.django_db


@pytest.fixture
def find_script(tmp_path, settings):
    """Writes a shell script and makes it the find script of a file type."""

    def write(text: str, file_type: str = "fastq") -> None:
        path = tmp_path / f"find_{file_type}.sh"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        settings.SEQAUTO_FIND_SCRIPTS = {**settings.SEQAUTO_FIND_SCRIPTS, file_type: str(path)}

    return write


def test_a_find_scripts_output_is_the_list_of_its_file_type(archive, write_run, find_script):
    runs = [write_run(archive / "exome", number=n, samples=2) for n in range(2)]
    find_script("find \"$1\" -name '*.fastq.gz' ! -name '*-02_*R2*'")
    scan_well()
    for run in runs:
        states = sorted(file_states(run).values())
        assert states == ["complete", "complete", "complete", "non_existent"]
        assert (run_of(run).state, run_of(run).lane_count) == (RunState.INCOMPLETE, 1)  # the rest is walked


def test_a_find_script_may_give_sizes_and_times_so_that_nothing_is_looked_at(archive, write_run, find_script):
    run = write_run(archive / "exome", samples=1, fastqs=False)
    find_script(f"printf '{run}/0_fastq/26W0031-01_S1_L001_R%s_001.fastq.gz\\t500\\t77\\n' 1 2")
    scan_well()
    assert (
        list(run_of(run).files.values_list("size", "mtime_ns", "data_state")) == [(500, 77, "complete")] * 2
    )


def test_a_find_script_that_fails_is_an_error_that_changes_nothing(archive, write_run, find_script):
    write_run(archive / "exome")
    scan_well()
    before = whole_database()
    find_script("echo no licence >&2; exit 7")
    scan = scan_disks()
    assert scan.status == ScanStatus.ERROR
    assert "ended with 7: no licence" in scan.error
    assert whole_database() == before


def test_promise_41_a_find_script_that_finds_nothing_is_not_believed(archive, write_run, find_script):
    write_run(archive / "exome")
    scan_well()
    before = whole_database()
    find_script("exit 0")
    assert scan_disks().status == ScanStatus.ERROR
    assert whole_database() == before


def test_what_a_find_script_finds_outside_of_any_run_is_told(archive, write_run, find_script):
    run = write_run(archive / "exome", samples=1)
    find_script(
        f"printf '{archive}/lost/a_R1.fastq.gz\\t1\\t1\\nrelative_R1.fastq.gz\\t1\\t1\\n'\n"
        f"printf '{run}/0_fastq/b\\033[31m_R1.fastq.gz\\t1\\t1\\n'\n"
        "find \"$1\" -name '*.fastq.gz'"
    )
    scan_well()
    assert run_of(run).state == RunState.COMPLETE
    notices = [message.text for message in open_messages()]
    assert len(notices) == 3
    assert all(text.isprintable() for text in notices)
    assert f"{archive}/lost/a_R1.fastq.gz came from the find script but lies in no run folder." in notices


def open_messages():
    from seqauto.models import Message

    return Message.objects.open().filter(run=None)


def test_a_find_script_does_not_undo_a_skip(archive, write_run, find_script):
    run = write_run(archive / "exome")
    (run / ".variantgrid_skip_flowcell").touch()
    find_script("find \"$1\" -name '*.fastq.gz'")
    assert scan_well().files_seen == 0
    assert (run_of(run).state, open_codes(None)) == (RunState.SKIPPED, set())
    assert not SequencingFile.objects.exists()


# ---- a new type of file: one entry, and every door knows it ----


@pytest.fixture
def bam(monkeypatch):
    monkeypatch.setitem(FILE_TYPES, "bam", FileType("bam", "BAM", (".bam",), "1_bam/{sample_id}.bam"))


def test_a_type_of_file_that_is_added_is_expected_of_runs_already_known(archive, write_run, monkeypatch):
    run = write_run(archive / "exome", samples=2)
    scan_well()
    monkeypatch.setitem(FILE_TYPES, "bam", FileType("bam", "BAM", (".bam",), "1_bam/{sample_id}.bam"))
    scan_well()
    bams = run_of(run).files.filter(file_type="bam")
    assert sorted(bams.values_list("path", "data_state")) == [
        ("1_bam/26W0031-01.bam", "non_existent"),
        ("1_bam/26W0031-02.bam", "non_existent"),
    ]
    assert run_of(run).state == RunState.INCOMPLETE


def test_a_scan_of_one_type_records_that_type_and_leaves_the_others(archive, write_run, bam, find_script):
    run = write_run(archive / "exome", samples=1)
    find_script(f"printf '{run}/1_bam/26W0031-01.bam\\t9\\t9\\n'", "bam")
    scan_well(process_types=["bam"])
    assert set(run_of(run).files.values_list("file_type", "data_state")) == {("bam", "complete")}
    scan_well(process_types=["fastq"])
    assert file_states(run) == {
        "26W0031-01.bam": "complete",
        "26W0031-01_S1_L001_R1_001.fastq.gz": "complete",
        "26W0031-01_S1_L001_R2_001.fastq.gz": "complete",
    }
    known = run_of(run)
    assert (known.files_expected, known.files_found, known.files_total) == (3, 3, 5)
    next(run.rglob("*-01_*_R2_*")).unlink()
    scan_well(process_types=["bam"])
    assert "deleted" not in file_states(run).values()
    scan_well()
    assert file_states(run)["26W0031-01_S1_L001_R2_001.fastq.gz"] == "deleted"
    assert said("files_missing", run).text == "1 of 3 expected files are not there."

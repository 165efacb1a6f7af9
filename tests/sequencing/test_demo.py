"""The writer of run folders writes what instruments and converters write."""

import gzip
from pathlib import Path

import pytest

from sequencing.demo import INSTRUMENTS, DemoSample, write_demo_archive, write_run


def names_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("instrument", "name"),
    [
        ("MiSeq", "260302_M00879_0031_000000000-"),
        ("MiniSeq", "260302_MN00123_0031_A000H"),
        ("NextSeq 500", "260302_NB501009_0031_AH"),
        ("NextSeq 2000", "260302_VH00203_31_AAC"),
        ("iSeq 100", "20260302_FS10001773_31_BSE00031-1017"),
        ("HiSeq 2500", "260302_D00535_0031_BH"),
        ("HiSeq 4000", "260302_K00210_0031_AH"),
        ("NovaSeq 6000", "260302_A01934_0031_BH"),
        ("NovaSeq X", "20260302_LH00217_0031_A22"),
    ],
)
def test_run_folders_are_named_as_their_instrument_names_them(tmp_path, instrument, name):
    assert write_run(tmp_path, instrument=instrument).name.startswith(name)


def test_a_prefix_and_a_suffix_stand_around_the_name_but_not_in_run_info(tmp_path):
    run = write_run(tmp_path, prefix="Exome_20", suffix="repeat")
    assert run.name.startswith("Exome_20_260302_M00879_0031_")
    assert run.name.endswith("_repeat")
    assert '<Run Id="260302_' in (run / "4_QC/sequencing_stats/RunInfo.xml").read_text()


def test_an_archived_run_holds_its_fastqs_and_records_where_labs_keep_them(tmp_path):
    run = write_run(tmp_path, samples=1)
    assert names_below(run) == [
        "0_fastq/26W0031-01_S1_L001_R1_001.fastq.gz",
        "0_fastq/26W0031-01_S1_L001_R2_001.fastq.gz",
        "0_fastq/Undetermined_S0_L001_R1_001.fastq.gz",
        "0_fastq/Undetermined_S0_L001_R2_001.fastq.gz",
        "4_QC/sequencing_stats/CopyComplete.txt",
        "4_QC/sequencing_stats/RTAComplete.txt",
        "4_QC/sequencing_stats/RunInfo.xml",
        "4_QC/sequencing_stats/runParameters.xml",
        "SampleSheet.csv",
    ]


def test_bcl_convert_puts_fastqs_into_folders_of_projects(tmp_path):
    run = write_run(tmp_path, layout="bclconvert", samples=1, project="Heart", reads=1)
    assert "Unaligned/Heart/26W0031-01_S1_L001_R1_001.fastq.gz" in names_below(run)
    assert "Unaligned/Logs/FastqComplete.txt" in names_below(run)


def test_the_number_of_a_sample_is_its_place_among_the_samples_of_the_sheet(tmp_path):
    samples = [DemoSample("b", lanes=(2,)), DemoSample("a", lanes=(1,)), DemoSample("c")]
    run = write_run(tmp_path, instrument="HiSeq 2500", samples=samples, reads=1)
    fastqs = [name for name in names_below(run / "0_fastq") if not name.startswith("Undetermined")]
    assert fastqs == [
        "a_S1_L001_R1_001.fastq.gz",
        "b_S3_L002_R1_001.fastq.gz",
        "c_S2_L001_R1_001.fastq.gz",
        "c_S2_L002_R1_001.fastq.gz",
    ]


def test_fastqs_can_be_missing_or_empty(tmp_path):
    run = write_run(tmp_path, samples=2, missing=("*-01_*_R2_*",), empty=("*-02_*",))
    fastqs = {path.name: gzip.decompress(path.read_bytes()) for path in (run / "0_fastq").iterdir()}
    assert "26W0031-01_S1_L001_R2_001.fastq.gz" not in fastqs
    assert fastqs["26W0031-02_S2_L001_R1_001.fastq.gz"] == b""
    assert fastqs["26W0031-01_S1_L001_R1_001.fastq.gz"].count(b"\n") == 8


@pytest.mark.parametrize("instrument", INSTRUMENTS)
def test_writing_a_run_twice_changes_nothing(tmp_path, instrument):
    first, second = (
        {name: (run / name).read_bytes() for name in names_below(run)}
        for run in (write_run(tmp_path, instrument=instrument) for _ in range(2))
    )
    assert first == second


def test_the_demo_archive_holds_everything_a_scan_can_meet(tmp_path):
    runs = write_demo_archive(tmp_path)
    sheets = [(run / "SampleSheet.csv").read_text() for run in runs if (run / "SampleSheet.csv").exists()]
    assert len(sheets) == len(runs) - 1
    assert any(sheet.startswith("[Header],") for sheet in sheets)
    assert any("FileFormatVersion,2" in sheet for sheet in sheets)
    assert any(sheet.startswith("FCID,Lane") for sheet in sheets)
    assert (tmp_path / "pilot" / ".variantgrid_skip_flowcell").exists()
    assert [run.name for run in runs if (run / ".variantgrid_skip_flowcell").exists()] == [runs[3].name]
    assert not list((tmp_path / "cardio_panel" / "validation_2026").glob("*.xml"))

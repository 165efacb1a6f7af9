"""The real Picard converts real base calls: right reads in right samples, under BCL Convert's names."""

import gzip
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from child_processes import wait_until
from converting import make_job

from sequencing.converters import (
    Conversion,
    ConversionJob,
    ConversionProblem,
    Verdict,
    convert,
    find_converter,
    judge,
)
from sequencing.demo import DemoRun, DemoSample, clusters_of, write_barcoded_run

ROOT = Path(__file__).resolve().parents[3]

READS = {"26W0031-01": 40, "26W0031-02": 25, "26W0031-03": 0}
SAMPLES = [
    DemoSample("26W0031-01", "Panel"),
    DemoSample("26W0031-02", "Heart", lanes=(1,)),
    DemoSample("26W0031-03", ""),
]
FIELDS = {"samples": SAMPLES, "lanes": 2}


class Converted(NamedTuple):
    job: ConversionJob
    conversion: Conversion
    verdict: Verdict
    told: list[tuple[float | None, int]]
    before: dict[str, tuple[int, int]]


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with size and mtime."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def reads_in(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()[1::4]


def written(lane: int, sample_id: str | None, read: int) -> list[str]:
    """The bases that were written into the base calls: of a sample, or of none."""
    clusters = clusters_of(DemoRun(cycles=26, **FIELDS), lane, READS)
    place = {1: 0, 2: -1}[read]
    return [c.reads[place] for c in clusters if c.passes and (c.sample and c.sample.sample_id) == sample_id]


@pytest.fixture(scope="module")
def barcoded(tmp_path_factory, picard) -> Converted:
    """A run of two lanes with three samples, one of them empty, converted once for all tests of this file.

    Its folder is named as people name folders: Debian's starter of Picard breaks arguments at spaces.
    """
    root = tmp_path_factory.mktemp("picard")
    run = write_barcoded_run(root / "from the instrument", reads_per_sample=READS, **FIELDS)
    before = listing(run)
    job = make_job(run, root / "FASTQ files" / "run.partial")
    told: list[tuple[float | None, int]] = []
    conversion = convert(picard, job, logs=root / "logs", progress=lambda *one: told.append(one))
    return Converted(job, conversion, judge(job), told, before)


@pytest.mark.parametrize("read", [1, 2])
@pytest.mark.parametrize(
    ("lane", "sample_id", "name"),
    [
        (1, "26W0031-01", "Panel/26W0031-01_S1_L001"),
        (2, "26W0031-01", "Panel/26W0031-01_S1_L002"),
        (1, "26W0031-02", "Heart/26W0031-02_S2_L001"),
        (1, "26W0031-03", "26W0031-03_S3_L001"),
        (2, "26W0031-03", "26W0031-03_S3_L002"),
        (1, None, "Undetermined_S0_L001"),
        (2, None, "Undetermined_S0_L002"),
    ],
)
def test_each_sample_gets_its_own_reads_and_no_others(barcoded, lane, sample_id, name, read):
    assert reads_in(barcoded.job.output / f"{name}_R{read}_001.fastq.gz") == written(lane, sample_id, read)


def test_files_are_those_that_bcl_convert_would_publish_and_nothing_else_is_left(barcoded):
    names = set(listing(barcoded.job.output))
    assert names == {
        *(path for path, _size in barcoded.conversion.files),
        "SampleSheet.csv",
        "converter.json",
    }
    assert len(barcoded.conversion.files) == 14


def test_its_own_verdict_is_good_and_warns_of_the_empty_sample(barcoded):
    assert barcoded.verdict.problems == ()
    (warning,) = barcoded.verdict.warnings
    assert warning.code == "empty_fastq"
    assert warning.message.count("26W0031-03_S3") == 4


def test_the_verdict_names_project_sample_lane_read_and_reads_of_each_file(barcoded):
    told = {(f.project, f.sample_id, f.lane, f.read): f.reads for f in barcoded.verdict.files}
    assert told["Heart", "26W0031-02", 1, "R2"] == 25
    assert told["", "26W0031-03", 2, "R1"] == 0
    assert told["", "Undetermined", 2, "R1"] == 12


def test_figures_are_what_was_written(barcoded):
    figures = barcoded.conversion.figures
    of_sample = {(one.lane, one.sample_id): one for one in figures.samples}
    assert of_sample[1, "26W0031-02"].reads == 25
    assert of_sample[1, "26W0031-01"].perfect == 36
    assert of_sample[1, "26W0031-01"].one_mismatch == 4
    assert of_sample[2, "26W0031-03"].reads == 0
    assert [(one.lane, one.reads) for one in figures.undetermined] == [(1, 12), (2, 12)]
    assert figures.total == 40 + 25 + 12 + 40 + 12


def test_the_most_frequent_unknown_index_comes_first(barcoded):
    unknown = [one for one in barcoded.conversion.figures.unknown if one.lane == 1]
    stray = next(c for c in clusters_of(DemoRun(cycles=26, **FIELDS), 1, READS) if c.sample is None)
    others = Counter(
        c.reads[1:3] for c in clusters_of(DemoRun(cycles=26, **FIELDS), 1, READS) if not c.sample
    )
    assert others[unknown[0].index, unknown[0].index2] == unknown[0].reads == 6
    assert len(unknown) == len(others)
    assert stray.reads[1:3] in {(one.index, one.index2) for one in unknown}


def test_figures_survive_the_database(barcoded):
    figures = barcoded.conversion.figures
    assert type(figures).from_json(figures.to_json()) == figures


def test_the_raw_run_is_as_it_was(barcoded):
    assert listing(barcoded.job.run_folder) == barcoded.before


def test_progress_goes_up_step_by_step(barcoded):
    shares = [share for share, _size in barcoded.told]
    assert shares == sorted(shares)
    assert set(shares) >= {0.0, 0.25, 0.5, 0.75}


def test_names_of_reads_tell_instrument_run_flow_cell_and_lane(barcoded):
    path = barcoded.job.output / "Heart/26W0031-02_S2_L001_R2_001.fastq.gz"
    first = gzip.decompress(path.read_bytes()).decode().splitlines()[0]
    assert first.startswith(f"@M00879:31:{barcoded.job.run_info.flowcell}:1:1101:")
    assert " 2:N:0:" in first


def test_the_version_is_as_the_program_prints_it(picard):
    assert picard.version[0].isdigit()
    assert Path(picard.program).is_absolute()


def test_what_an_earlier_try_left_is_emptied_and_lanes_are_joined(tmp_path, picard):
    """Four rows of one sample, as 10x sheets have them, and no lane splitting: all in one file."""
    indexes = ["ACGTACGTAC", "TTGGCCAATT", "GATTACAGAT", "CCAACCGGTT"]
    clusters = [
        DemoSample(f"s{n}", "Panel", index=index, index2="ACACACACAC") for n, index in enumerate(indexes)
    ]
    run = write_barcoded_run(tmp_path, samples=clusters, reads_per_sample=5, lanes=2)
    rows = [f"Cells,{index},ACACACACAC,Panel" for index in indexes]
    (run / "SampleSheet.csv").write_text(
        "[Header]\nFileFormatVersion,2\n[BCLConvert_Settings]\nNoLaneSplitting,true\n"
        "CreateFastqForIndexReads,1\n[BCLConvert_Data]\nSample_ID,index,index2,Sample_Project\n"
        + "\n".join(rows)
        + "\n"
    )
    job = make_job(run, tmp_path / "out")
    (job.output / "Panel").mkdir(parents=True)
    (job.output / "converter.json").write_text("{}")
    (job.output / "Panel" / "Old_S9_R1_001.fastq.gz").write_bytes(b"half a fi")
    (job.output / "_work").mkdir()
    (job.output / "_work" / "run").symlink_to(run)
    conversion = convert(picard, job, logs=tmp_path / "logs")
    assert [path for path, _size in conversion.files] == [
        *(f"Panel/Cells_S1_{read}_001.fastq.gz" for read in ("I1", "I2", "R1", "R2")),
        *(f"Undetermined_S0_{read}_001.fastq.gz" for read in ("I1", "I2", "R1", "R2")),
    ]
    verdict = judge(job)
    assert verdict.problems == ()
    assert {file.reads for file in verdict.files if file.project == "Panel"} == {2 * 4 * 5}
    assert reads_in(job.output / "Panel/Cells_S1_I1_001.fastq.gz").count("GATTACAGAT") == 2 * 5
    assert (run / "Data").is_dir()


def test_promise_17_a_worker_killed_while_picard_runs_leaves_no_java_and_the_next_try_succeeds(
    tmp_path, picard
):
    run = write_barcoded_run(tmp_path, samples=1)
    job = make_job(run, tmp_path / "out")
    worker = (
        "import sys\nfrom pathlib import Path\nfrom converting import make_job\n"
        "from sequencing.converters import convert, find_converter\n"
        "run, out = Path(sys.argv[1]), Path(sys.argv[2])\n"
        "convert(find_converter(['picard']), make_job(run, out), logs=out.parent / 'logs')\n"
    )
    command = [sys.executable, "-c", worker, str(run), str(job.output)]
    paths = f"{ROOT}:{Path(__file__).parent}"
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})
    javas = wait_until(lambda: processes_in(job.output / "_work"), "Picard runs")
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: not processes_in(job.output / "_work"), f"the processes {javas} have ended")
    assert not list(job.output.rglob("*_001.fastq.gz"))
    convert(picard, job, logs=tmp_path / "logs")
    assert judge(job).is_good


def processes_in(folder: Path) -> list[int]:
    """The processes that work in a folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if os.readlink(link) == str(folder):
                found.append(int(link.parent.name))
        except OSError:
            continue
    return found


def filter_of(run: Path, lane: int) -> list[bool]:
    """Whether each cluster of a lane passes, by its filter files: a header of 12 bytes, then a byte each."""
    files = sorted((run / f"Data/Intensities/BaseCalls/L00{lane}").glob("*.filter"))
    return [bool(flag & 1) for path in files for flag in path.read_bytes()[12:]]


SINGLE = "[Header]\nIEMFileVersion,4\n[Data]\nLane,Sample_ID,Sample_Project\n{rows}"


@pytest.mark.parametrize(
    ("folder", "clusters"),
    [
        ("files/wtsi-npg__bambi/test/data/160916_miseq_0966_FC", {1: 2000, 2: 2000}),
        ("files/wtsi-npg__bambi/test/data/160919_hiseq2500_4966_FC", {1: 6000}),
        ("derived/160919_hiseq4000_7984_FC", {1: 4000}),
        ("derived/160919_hiseqx_0557_FC", {1: 4000}),
    ],
)
def test_real_runs_without_barcodes_are_converted(tmp_path, picard, corpus, folder, clusters):
    """Lane 2 of the MiSeq run is on disk, and RunInfo.xml does not know of it."""
    filters = {lane: filter_of(corpus / folder, lane) for lane in clusters}
    assert {lane: len(flags) for lane, flags in filters.items()} == clusters
    reads = {lane: sum(flags) for lane, flags in filters.items()}
    sheet_file = tmp_path / "SampleSheet.csv"
    sheet_file.write_text(SINGLE.format(rows="".join(f"{lane},Whole{lane},Pilot\n" for lane in reads)))
    job = make_job(corpus / folder, tmp_path / "out", sheet_file)
    conversion = convert(picard, job, logs=tmp_path / "logs")
    verdict = judge(job)
    assert verdict.problems == ()
    assert {file.lane: file.reads for file in verdict.files} == reads
    assert {one.lane: one.reads for one in conversion.figures.samples} == reads
    assert [file.path for file in verdict.files if file.lane == 1] == [
        "Pilot/Whole1_S1_L001_R1_001.fastq.gz",
        "Pilot/Whole1_S1_L001_R2_001.fastq.gz",
    ]


def test_base_calls_cut_short_fail_with_picards_own_words(tmp_path, picard):
    run = write_barcoded_run(tmp_path, samples=1)
    calls = run / "Data/Intensities/BaseCalls/L001/C30.1/s_1_1101.bcl.gz"
    calls.write_bytes(calls.read_bytes()[:-12])
    job = make_job(run, tmp_path / "out")
    with pytest.raises(ConversionProblem) as told:
        convert(picard, job, logs=tmp_path / "logs")
    assert told.value.code == "failed"
    assert "s_1_1101.bcl.gz" in told.value.sentence
    assert "Unexpected end of ZLIB input stream" in told.value.sentence
    assert "Exception" in told.value.log.read_text()
    assert not list(job.output.rglob("*.fastq.gz"))


def test_a_converter_is_found_by_the_path_that_the_settings_tell(tmp_path):
    program = tmp_path / "my-bcl2fastq"
    program.write_text(
        "#!/bin/sh\necho 'BCL to FASTQ file converter'\necho 'bcl2fastq v2.20.0.422'\nexit 0\n"
    )
    program.chmod(0o755)
    found = find_converter(["bcl-convert", "bcl2fastq"], {"bcl2fastq": str(program)})
    assert found
    assert (found.name, found.program, found.version) == ("bcl2fastq", str(program), "bcl2fastq v2.20.0.422")


def test_a_converter_that_is_set_and_not_there_is_never_passed_over(tmp_path):
    """The disk of /opt may be away: another converter's FASTQs are not what the lab validated."""
    absent = tmp_path / "opt" / "bcl-convert"
    with pytest.raises(
        ConversionProblem, match=f"bcl-convert is set to {absent}, which is not there"
    ) as told:
        find_converter(["bcl-convert", "picard"], {"bcl-convert": str(absent)})
    assert told.value.code == "no_converter"
    absent.parent.mkdir()
    absent.write_text("#!/bin/sh\n")  # and may not be run
    with pytest.raises(ConversionProblem, match="may not be run"):
        find_converter(["bcl-convert", "picard"], {"bcl-convert": str(absent)})

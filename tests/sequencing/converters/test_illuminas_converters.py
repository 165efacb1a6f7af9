"""bcl-convert and bcl2fastq: what they are asked, and what their reports say.

They may not be passed on, so that stand-ins take their place here: small programs that write the files and
reports that Illumina's guides describe. Their figures and names are made up.
"""

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from child_processes import wait_until
from converting import make_job

from sequencing.converters import (
    ConversionProblem,
    Converter,
    Limits,
    SampleReads,
    UnknownIndex,
    convert,
    find_converter,
    judge,
)
from sequencing.converters.bcl2fastq import read_figures as read_stats_json
from sequencing.converters.bcl_convert import read_figures as read_reports
from sequencing.demo import DemoSample, write_run
from sequencing.illumina.sample_sheet import parse_sample_sheet

HEAD = f"""#!{sys.executable}
import gzip, json, os, sys
if "--version" in sys.argv:
    print(os.path.basename(sys.argv[0]), "Version 00.000.000.4.2.7")
    sys.exit()
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
def fastq(path, lane, read, index, count=2):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    name = "@M1:31:FC:{{}}:1101:{{}}:1 {{}}:N:0:{{}}\\nACGT\\n+\\nFFFF\\n"
    text = "".join(name.format(lane, n, read, index) for n in range(count))
    with open(path, "wb") as file:
        file.write(gzip.compress(text.encode()))
def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").write(text)
"""
BCL_CONVERT = """
out = options["--output-directory"]
assert "AAAACCCC,GGGGTTTT" in open(options["--sample-sheet"]).read()
samples = {"Panel/A_S1": "AAAACCCC+GGGGTTTT", "Heart/B_S2": "CCCCAAAA+TTTTGGGG", "Undetermined_S0": ""}
for sample, index in samples.items():
    for read in (1, 2):
        fastq(f"{out}/{sample}_L001_R{read}_001.fastq.gz", 1, read, index)
write(f"{out}/Reports/Demultiplex_Stats.csv",
    "Lane,SampleID,Sample_Project,Index,# Reads,# Perfect Index Reads,# One Mismatch Index Reads,"
    "# Two Mismatch Index Reads,% Reads,% Perfect Index Reads\\n"
    "1,A,Panel,AAAACCCC-GGGGTTTT,2,1,1,0,0.3,0.5\\n1,B,Heart,CCCCAAAA-TTTTGGGG,2,2,0,0,0.3,1.0\\n"
    "1,Undetermined,,,2,0,0,0,0.3,0.0\\n")
write(f"{out}/Reports/Top_Unknown_Barcodes.csv",
    "Lane,index,index2,# Reads,% of Unknown Barcodes,% of All Reads\\n1,GGGGGGGG,AGATCTCG,2,1.0,0.3\\n")
write(f"{out}/Logs/FastqComplete.txt", "")
"""
BCL2FASTQ = """
out = options["--output-dir"]
samples = {"Panel/A_S1": "AAAACCCC+GGGGTTTT", "Heart/B/Skin_S2": "CCCCAAAA+TTTTGGGG", "Undetermined_S0": ""}
for sample, index in samples.items():
    for read in (1, 2):
        fastq(f"{out}/{sample}_L001_R{read}_001.fastq.gz", 1, read, index)
lane = {"LaneNumber": 1, "TotalClustersPF": 6, "Undetermined": {"NumberReads": 2}, "DemuxResults": [
    {"SampleId": "A", "SampleName": "A", "NumberReads": 2, "IndexMetrics": [
        {"IndexSequence": "AAAACCCC+GGGGTTTT", "MismatchCounts": {"0": 1, "1": 1}}]},
    {"SampleId": "B", "SampleName": "Skin", "NumberReads": 2, "IndexMetrics": [
        {"IndexSequence": "CCCCAAAA+TTTTGGGG", "MismatchCounts": {"0": 2, "1": 0}}]}]}
write(f"{out}/Stats/Stats.json", json.dumps({"Flowcell": "FC", "ConversionResults": [lane],
    "UnknownBarcodes": [{"Lane": 1, "Barcodes": {"GGGGGGGG+AGATCTCG": 2}}]}))
"""
BODIES = {"bcl-convert": BCL_CONVERT, "bcl2fastq": BCL2FASTQ}


@pytest.fixture
def stand_in(tmp_path):
    """Makes a stand-in for a converter, optionally with more to do at its end."""

    def make(name, more="") -> Converter:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(HEAD + BODIES[name] + more)
        path.chmod(0o755)
        found = find_converter([name], {name: str(path)})
        assert found
        return found

    return make


@pytest.fixture
def job(tmp_path):
    samples = [
        DemoSample("A", "Panel", index="AAAACCCC", index2="GGGGTTTT"),
        DemoSample("B", "Heart", "Skin", index="CCCCAAAA", index2="TTTTGGGG"),
    ]
    run = write_run(tmp_path / "incoming", samples=samples, layout="native", fastqs=False)
    return make_job(run, tmp_path / "out" / "run.partial", threads=8)


@pytest.mark.parametrize("name", ["bcl-convert", "bcl2fastq"])
def test_a_run_is_converted_judged_and_counted(job, stand_in, tmp_path, name):
    conversion = convert(stand_in(name), job, logs=tmp_path / "logs")
    figures = conversion.figures
    assert [
        (one.sample_id, one.project, one.reads, one.perfect, one.one_mismatch) for one in figures.samples
    ] == [
        ("A", "Panel", 2, 1, 1),
        ("B", "Heart", 2, 2, 0),
    ]
    assert (figures.total, figures.notes) == (6, ())
    assert figures.unknown == (UnknownIndex(1, "GGGGGGGG", "AGATCTCG", 2),)
    verdict = judge(job)
    assert verdict.problems == ()
    assert {(f.project, f.sample_id, f.lane, f.read) for f in verdict.files} == {
        (project, sample, 1, read)
        for project, sample in (("Panel", "A"), ("Heart", "B"), ("", "Undetermined"))
        for read in ("R1", "R2")
    }
    assert conversion.converter.version.endswith("Version 00.000.000.4.2.7")


def test_bcl_convert_is_asked_for_folders_of_projects_and_for_our_copy_of_the_sheet(job, stand_in, tmp_path):
    ((_program, *argv),) = convert(stand_in("bcl-convert"), job, logs=tmp_path / "logs").commands
    assert argv == [
        "--bcl-input-directory", str(job.run_folder), "--output-directory", str(job.output),
        "--sample-sheet", str(job.output / "SampleSheet.csv"), "--bcl-sampleproject-subdirectories", "true",
        "--bcl-num-parallel-tiles", "1", "--bcl-num-conversion-threads", "8",
        "--bcl-num-compression-threads", "8", "--bcl-num-decompression-threads", "8", "--force",
    ]  # fmt: skip


def test_bcl2fastq_writes_nothing_into_the_run_folder_and_gets_the_sheets_settings_as_options(
    job, stand_in, tmp_path
):
    text = job.sheet_file.read_text().replace(
        "[Settings]", "[Settings]\nNoLaneSplitting,1\nCreateFastqForIndexReads,1"
    )
    job.sheet_file.write_text(text)
    job = make_job(job.run_folder, job.output, threads=8)
    ((_program, *argv),) = convert(stand_in("bcl2fastq"), job, logs=tmp_path / "logs").commands
    assert argv[argv.index("--interop-dir") + 1] == str(job.output / "InterOp")
    assert argv[-2:] == ["--no-lane-splitting", "--create-fastq-for-index-reads"]


def test_promise_21_a_sheet_edited_before_the_conversion_stops_it(job, stand_in, tmp_path):
    job.sheet_file.write_text(job.sheet_file.read_text().replace("AAAACCCC", "AAAACCCG"))
    with pytest.raises(ConversionProblem) as told:
        convert(stand_in("bcl-convert"), job, logs=tmp_path / "logs")
    assert told.value.code == "sheet_changed"
    assert not job.output.exists()


@pytest.mark.parametrize("name", ["bcl-convert", "bcl2fastq"])
def test_promise_21_a_sheet_edited_meanwhile_stops_it_and_the_converter_read_the_checked_one(
    job, stand_in, tmp_path, name
):
    more = f"\nopen({str(job.sheet_file)!r}, 'a').write('C,TTTTTTTT,TTTTTTTT,Panel\\n')\n"
    with pytest.raises(ConversionProblem) as told:
        convert(stand_in(name, more), job, logs=tmp_path / "logs")
    assert told.value.code == "sheet_changed"
    assert "TTTTTTTT,TTTTTTTT" not in (job.output / "SampleSheet.csv").read_text()


@pytest.mark.parametrize("bad", ["../../etc", "/etc/passwd", "-o", "a\x00b", "CON", "Undetermined", "a b"])
def test_promise_49_names_that_are_not_safe_start_no_converter(job, stand_in, tmp_path, bad):
    job.sheet_file.write_text(job.sheet_file.read_text().replace("A,A,", f"{bad},A,"))
    job = make_job(job.run_folder, job.output)
    with pytest.raises(ConversionProblem) as told:
        convert(stand_in("bcl-convert"), job, logs=tmp_path / "logs")
    assert told.value.code == "unsafe_sheet"
    assert "row 18: no file can be called after" in told.value.sentence
    assert not job.output.exists()
    assert not (tmp_path / "logs").exists()


def test_a_folder_that_is_not_ours_is_left_as_it_is(job, stand_in, tmp_path):
    job.output.mkdir(parents=True)
    (job.output / "thesis.txt").write_text("years of work")
    with pytest.raises(ConversionProblem) as told:
        convert(stand_in("bcl-convert"), job, logs=tmp_path / "logs")
    assert told.value.code == "output_not_ours"
    assert (job.output / "thesis.txt").read_text() == "years of work"


def test_a_link_in_the_place_of_the_output_is_not_followed(job, stand_in, tmp_path):
    job.output.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "converter.json").write_text("{}")
    job.output.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConversionProblem, match="was not made by a conversion"):
        convert(stand_in("bcl-convert"), job, logs=tmp_path / "logs")
    assert (tmp_path / "elsewhere" / "converter.json").exists()


def test_promise_20_the_same_job_delivered_three_times_starts_one_process(job, stand_in, tmp_path):
    started, go_on = tmp_path / "started", tmp_path / "go_on"
    more = (
        f"\nimport time\nopen({str(started)!r}, 'a').write('once\\n')\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.05)\n"
    )
    converter = stand_in("bcl-convert", more)
    with ThreadPoolExecutor(3) as pool:
        tries = [pool.submit(convert, converter, job, logs=tmp_path / f"logs{n}") for n in range(3)]
        wait_until(lambda: sum(one.done() for one in tries) == 2 and started.exists(), "two were refused")
        go_on.touch()
        errors = [one.exception() for one in tries]
    assert sorted(getattr(error, "code", "") for error in errors) == ["", "busy", "busy"]
    assert started.read_text() == "once\n"
    assert judge(job).is_good


def test_the_folder_stays_locked_until_the_converter_of_a_killed_worker_has_ended(job, stand_in, tmp_path):
    """Or a slow end of the one would write into the output of the next."""
    held, ended = tmp_path / "held", tmp_path / "ended"
    more = (
        f"\nimport signal, time\ndef end(*_):\n    while os.path.exists({str(held)!r}): time.sleep(0.05)\n"
        f"    open({str(ended)!r}, 'w').close(); sys.exit(1)\n"
        f"signal.signal(signal.SIGTERM, end)\nopen({str(held)!r}, 'w').close()\ntime.sleep(1000)"
    )
    converter = stand_in("bcl-convert", more)
    worker = os.fork()
    if not worker:
        try:
            convert(converter, job, logs=tmp_path / "logs")
        finally:
            os._exit(1)
    wait_until(held.exists, "the converter runs")
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    with pytest.raises(ConversionProblem) as told:
        convert(stand_in("bcl-convert"), job, logs=tmp_path / "logs2")
    assert told.value.code == "busy"
    held.unlink()
    wait_until(ended.exists, "the converter has ended")

    def succeeds():
        with suppress(ConversionProblem):
            return convert(stand_in("bcl-convert"), job, logs=tmp_path / "logs2")

    assert wait_until(succeeds, "the folder is free")


def test_converting_twice_gives_the_same_files(job, stand_in, tmp_path):
    first = convert(stand_in("bcl-convert"), job, logs=tmp_path / "logs")
    (job.output / "Panel" / "Old_S7_L001_R1_001.fastq.gz").write_bytes(b"of an earlier sheet")
    assert convert(stand_in("bcl-convert"), job, logs=tmp_path / "logs").files == first.files


def test_a_failing_converter_tells_its_last_words_and_its_log(job, stand_in, tmp_path):
    more = "\nprint('ERROR: index hopping is not enabled'); sys.exit(255)"
    with pytest.raises(ConversionProblem) as told:
        convert(stand_in("bcl-convert", more), job, logs=tmp_path / "logs")
    assert told.value.log == tmp_path / "logs" / "bcl-convert.log"
    assert "index hopping" in told.value.sentence


def test_limits_are_those_of_the_whole_conversion(job, stand_in, tmp_path):
    more = "\nimport time\ntime.sleep(1000)"
    limits = Limits(seconds=1, silence_seconds=100, log_bytes=1000)
    with pytest.raises(ConversionProblem) as told:
        convert(stand_in("bcl-convert", more), job, logs=tmp_path / "logs", limits=limits)
    assert told.value.code == "too_long"


def test_a_full_disk_is_told_and_the_converter_ends(job, stand_in, tmp_path, small_disk):
    disk = small_disk("64k")
    more = "\nimport time\nprint(os.getpid(), flush=True)\nwhile True: print('x' * 1000)"
    with pytest.raises(ConversionProblem) as told:
        convert(stand_in("bcl-convert", more), job, logs=disk)
    assert told.value.code == "no_space"
    assert told.value.sentence == f"No space left on device; the disk at {disk} has 0 B free."
    pid = (disk / "bcl-convert.log").read_text().split()[0]
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), "the converter has ended")


@pytest.mark.parametrize("name", ["bcl-convert", "bcl2fastq"])
def test_a_missing_or_broken_report_loses_no_fastq(job, stand_in, tmp_path, name):
    report = {"bcl-convert": "Reports/Demultiplex_Stats.csv", "bcl2fastq": "Stats/Stats.json"}[name]
    conversion = convert(stand_in(name, f"\nos.remove(f'{{out}}/{report}')"), job, logs=tmp_path / "logs")
    assert conversion.figures.samples == ()
    assert conversion.figures.notes == (f"{name} left no {report}.",)
    broken = f"\nopen(f'{{out}}/{report}', 'w').write('{{\"ConversionResults\": [1]}}')"
    figures = convert(stand_in(name, broken), job, logs=tmp_path / "logs").figures
    assert figures.samples == ()
    assert judge(job).is_good


SHEET = parse_sample_sheet(b"[Data]\nSample_ID,index,Sample_Project\nA,AAAACCCC,Panel\n")


def test_reports_of_older_bcl_convert_have_fewer_columns():
    stats = (
        "Lane,SampleID,Index,# Reads,# Perfect Index Reads,# One Mismatch Index Reads,"
        "# of >= Q30 Bases (PF),Mean Quality Score (PF)\n1,A,AAAACCCC-,413403,413000,403,877964362,34.53\n"
    )
    figures = read_reports({"Reports/Demultiplex_Stats.csv": stats}, SHEET)
    assert figures.samples == (SampleReads(1, "Panel", "A", "AAAACCCC", 413403, 413000, 403),)


def test_of_unknown_indexes_the_most_frequent_are_kept():
    rows = "".join(f"1,{'A' * 8},{n:08d},{n},0.1,0.1\n" for n in range(1, 100))
    text = "Lane,index,index2,# Reads,% of Unknown Barcodes,% of All Reads\n" + rows
    unknown = read_reports({"Reports/Top_Unknown_Barcodes.csv": text}, SHEET).unknown
    assert len(unknown) == 20
    assert unknown[0].reads == 99


def test_bcl2fastq_without_indexes_tells_no_mismatches():
    result = {"SampleId": "A", "SampleName": "A", "NumberReads": 7}
    stats = {"ConversionResults": [{"LaneNumber": 2, "DemuxResults": [result]}], "UnknownBarcodes": []}
    figures = read_stats_json({"Stats/Stats.json": json.dumps(stats)}, SHEET)
    assert figures.samples == (SampleReads(2, "Panel", "A", "", 7),)
    assert figures.undetermined == ()

"""A converter's exit code proves nothing: what it wrote is judged, file by file and byte by byte."""

import gzip
import hashlib
import re
import threading

import pytest
import xxhash
from converting import make_job

from sequencing.converters import ConversionProblem, judge, onboard_fastqs
from sequencing.demo import DemoSample, write_run

ACID = {"A": ("AAAACCCC", "GGGGTTTC"), "B": ("CCCCAAAA", "TTTTGGGA"), "C": ("GATTACAG", "CAGATTAC")}


def fastq(lane, read, index, count=3):
    """A FASTQ, packed."""
    records = (f"@M1:31:FC:{lane}:1101:{n}:1 {read}:N:0:{index}\nACGT\n+\nFFFF\n" for n in range(count))
    return gzip.compress("".join(records).encode())


class Output:
    """A run of two lanes and three samples, and an output folder as a converter should leave it."""

    def __init__(self, folder, **fields):
        samples = [
            DemoSample(name, project, index=ACID[name][0], index2=ACID[name][1])
            for name, project in (("A", "Panel"), ("B", "Panel"), ("C", ""))
        ]
        fields = {"samples": samples, "lanes": 2, "layout": "native", "fastqs": False, **fields}
        self.run = write_run(folder / "incoming", **fields)
        self.folder = folder / "out"
        self.job = make_job(self.run, self.folder)
        for sample in self.job.sheet.samples:
            for lane in (1, 2):
                for read in (1, 2):
                    path = self.path(sample.sample_id, lane, read)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(fastq(lane, read, "+".join(ACID[sample.sample_id])))

    def path(self, name, lane=1, read=1):
        project = "" if name == "C" else "Panel"
        return self.folder / project / f"{name}_S{'ABC'.index(name) + 1}_L00{lane}_R{read}_001.fastq.gz"

    def problems(self):
        return {problem.code: str(problem) for problem in judge(self.job).problems}


@pytest.fixture
def output(tmp_path):
    return Output(tmp_path)


def test_what_is_all_there_is_good(output):
    (output.folder / "Undetermined_S0_L001_R1_001.fastq.gz").write_bytes(fastq(1, 1, ""))
    verdict = judge(output.job)
    assert verdict.is_good
    assert verdict.warnings == ()
    assert len(verdict.files) == 13
    assert {(f.project, f.sample_id) for f in verdict.files if f.path.startswith("C_")} == {("", "C")}


def test_promise_18_a_missing_fastq_is_a_failure(output):
    output.path("B", lane=2, read=2).unlink()
    assert output.problems() == {
        "missing_fastq": "1 FASTQ is missing: B_S2_L002_R2_001.fastq.gz "
        '(found "Panel/B_S2_L002_R2_001.fastq.gz"). Convert again; read the converter\'s log for the reason.'
    }


def test_promise_18_an_empty_folder_is_a_failure_of_all(output, tmp_path):
    (tmp_path / "empty").mkdir()
    (problem,) = judge(output.job, tmp_path / "empty").problems
    assert problem.message.startswith("12 FASTQs are missing: A_S1_L001_R1_001.fastq.gz")


@pytest.mark.parametrize("kept", [0, 1, 11, -1, -8])
def test_promise_18_a_truncated_fastq_is_a_failure(output, kept):
    path = output.path("A")
    path.write_bytes(path.read_bytes()[:kept])
    assert "truncated_fastq" in output.problems() or "pair_differs" in output.problems()


def test_promise_18_a_flipped_byte_is_a_failure(output):
    content = bytearray(output.path("A").read_bytes())
    for place in range(10, len(content)):
        content[place] ^= 4
        output.path("A").write_bytes(content)
        assert output.problems(), f"byte {place}"
        content[place] ^= 4


def test_promise_18_a_fastq_cut_between_two_gzip_members_is_a_failure(output):
    """As a converter killed between two blocks leaves it: every checksum is right."""
    whole = output.path("A")
    whole.write_bytes(fastq(1, 1, "+".join(ACID["A"])) + fastq(1, 1, "+".join(ACID["A"])))
    assert "R1 6, R2 3" in output.problems()["pair_differs"]


def test_gzip_streams_one_after_the_other_are_one_fastq(output):
    for read in (1, 2):
        path = output.path("A", read=read)
        path.write_bytes(path.read_bytes() * 3 + gzip.compress(b""))
    verdict = judge(output.job)
    assert verdict.is_good
    assert {file.reads for file in verdict.files if file.sample_id == "A" and file.lane == 1} == {9}


def test_promise_18_a_fastq_whose_lines_are_no_whole_reads_is_a_failure(output):
    output.path("A").write_bytes(gzip.compress(b"@x\nACGT\n+\n"))
    assert "no whole reads" in output.problems()["truncated_fastq"]
    output.path("A").write_bytes(gzip.compress(b"<html>\n\n\n\n"))
    assert "no whole reads" in output.problems()["truncated_fastq"]


def test_promise_18_a_fastq_of_a_sample_that_the_sheet_has_not_is_a_failure(output):
    (output.folder / "Panel" / "Z_S9_L001_R1_001.fastq.gz").write_bytes(fastq(1, 1, "ACGT"))
    assert "of no sample, lane or read" in output.problems()["unexpected_fastq"]


@pytest.mark.parametrize(
    "name", ["A_S1_L003_R1_001", "A_S1_L001_I1_001", "A_S1_L001_R1_002", "A_S5_L001_R1_001"]
)
def test_promise_18_a_fastq_of_another_lane_read_or_part_is_a_failure(output, name):
    (output.folder / "Panel" / f"{name}.fastq.gz").write_bytes(fastq(1, 1, "+".join(ACID["A"])))
    assert "unexpected_fastq" in output.problems()


def test_promise_18_pairs_are_compared_whatever_the_sample_is_called(output):
    sheet = output.run / "SampleSheet.csv"
    sheet.write_text(sheet.read_text().replace("A,", "A_R1,", 1))
    output.job = make_job(output.run, output.folder)
    for lane in (1, 2):
        for read in (1, 2):
            path = output.path("A", lane, read)
            path.rename(path.with_name(path.name.replace("A_", "A_R1_", 1)))
    assert output.problems() == {}
    path.with_name("A_R1_S1_L001_R1_001.fastq.gz").write_bytes(fastq(1, 1, "+".join(ACID["A"]), count=2))
    assert "R1 2, R2 3" in output.problems()["pair_differs"]


def test_promise_18_two_samples_that_changed_places_are_a_failure(output):
    one, other = output.path("A").read_bytes(), output.path("B").read_bytes()
    output.path("A").write_bytes(other)
    output.path("B").write_bytes(one)
    assert "has the index" in output.problems()["wrong_sample"]


@pytest.mark.parametrize(
    ("lane", "read", "said"), [(2, 1, "first read is of lane 2"), (1, 2, "first read is an R2")]
)
def test_promise_18_a_lane_or_read_in_the_place_of_another_is_a_failure(output, lane, read, said):
    output.path("A").write_bytes(output.path("A", lane, read).read_bytes())
    assert said in output.problems()["wrong_sample"]


@pytest.mark.parametrize(
    "index",
    [
        "AAAACCCC+GGGGTTTC",
        "AAAACCCCGGGGTTTC",  # Picard
        "AAAACCCC+GAAACCCC",  # i5 the other way round
        "AATACCCC+GGGGTTTN",  # as read, with an error
        "AAAACCCC",  # another length says nothing
        "1",
        "",
    ],
)
def test_an_index_written_in_another_way_is_no_wrong_sample(output, index):
    output.path("A").write_bytes(fastq(1, 1, index))
    assert output.problems() == {}


def test_promise_18_an_expected_empty_sample_is_a_warning(output):
    for read in (1, 2):
        output.path("C", read=read).write_bytes(gzip.compress(b""))
    verdict = judge(output.job)
    assert verdict.is_good
    assert [warning.code for warning in verdict.warnings] == ["empty_fastq"]


def test_a_link_is_no_fastq(output, tmp_path):
    output.path("A").rename(tmp_path / "elsewhere.fastq.gz")
    output.path("A").symlink_to(tmp_path / "elsewhere.fastq.gz")
    assert set(output.problems()) == {"linked_fastq", "missing_fastq"}


def test_a_lane_on_disk_that_run_info_does_not_know_must_be_converted_too(output):
    (output.run / "Data/Intensities/BaseCalls/L003").mkdir(parents=True)
    assert "6 FASTQs are missing" in output.problems()["missing_fastq"]


def test_nobody_misses_a_control(output):
    for read in (1, 2):
        output.path("C", read=read).unlink()
    assert not judge(output.job).is_good
    assert judge(output.job, control_pattern=re.compile("^C$")).is_good


# ---- What was judged --------------------------------------------------------------------------------


def test_promise_13_every_file_has_the_md5_of_its_bytes(output):
    path = output.path("A")
    path.write_bytes(path.read_bytes() * 3 + bytes(100))  # three gzip streams, and the padding of a tape
    other = output.path("A", read=2)
    other.write_bytes(other.read_bytes() * 3)
    for read in (1, 2):
        packed = output.path("B", read=read)
        packed.rename(packed.with_name(packed.name.replace(".gz", ".ora")))
    verdict = judge(output.job)
    assert verdict.is_good, verdict.problems
    for file in verdict.files:
        path = output.folder / file.path
        assert file.md5 == hashlib.md5(path.read_bytes()).hexdigest()
        assert file.xxh3 == xxhash.xxh3_128(path.read_bytes()).hexdigest()
        assert (file.size, file.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)


def test_a_fastq_that_is_not_whole_has_no_hashes(output):
    output.path("A").write_bytes(output.path("A").read_bytes()[:-8])
    assert [file.path for file in judge(output.job).files if not file.md5 and not file.xxh3] == [
        "Panel/A_S1_L001_R1_001.fastq.gz"
    ]


def test_progress_and_stop_are_told_and_asked_in_the_callers_thread(output):
    told = []
    asked = []
    judge(
        output.job,
        progress=lambda *shares: told.append((threading.get_ident(), *shares)),
        stop=lambda: asked.append(threading.get_ident()),
    )
    total = sum(path.stat().st_size for path in output.folder.rglob("*.gz"))
    assert told[-1] == (threading.get_ident(), total, total)
    assert set(asked) == {threading.get_ident()}


def test_reading_that_would_take_hours_stops_when_it_is_asked_to(output):
    with output.path("A").open("ab") as file:
        file.truncate(1 << 37)  # zeros after a gzip stream are padding
    with pytest.raises(ConversionProblem) as problem:
        judge(output.job, stop=lambda: True)
    assert problem.value.code == "stopped"


# ---- On board ---------------------------------------------------------------------------------------


@pytest.fixture
def on_board(tmp_path):
    """Analyses 9 and 10 of a NovaSeq X; the newest is complete."""
    made = Output(tmp_path, instrument="NovaSeq X", sheet="v2")
    for number in (9, 10):
        data = made.run / "Analysis" / str(number) / "Data"
        (data / "BCLConvert").mkdir(parents=True)
        (data / "Secondary_Analysis_Complete.txt").touch()
    made.folder.rename(made.run / "Analysis/10/Data/BCLConvert/fastq")
    (made.run / "Analysis/9/Data/BCLConvert/fastq").mkdir()
    return made


def test_fastqs_of_the_newest_analysis_on_board_are_adopted_once_judged(on_board):
    found = onboard_fastqs(on_board.run)
    assert found
    assert found.analysis == 10
    assert judge(on_board.job, found.folder).is_good
    (found.folder / "C_S3_L002_R1_001.fastq.gz").unlink()
    assert not judge(on_board.job, found.folder).is_good


def test_an_analysis_on_board_that_is_not_complete_is_not_adopted(on_board):
    (on_board.run / "Analysis/10/Data/Secondary_Analysis_Complete.txt").unlink()
    assert onboard_fastqs(on_board.run) is None


def test_fastqs_on_board_may_lie_deeper(on_board):
    data = on_board.run / "Analysis/10/Data"
    (data / "BCLConvert").rename(data / "DragenGermline")
    found = onboard_fastqs(on_board.run)
    assert found
    assert found.folder == data / "DragenGermline" / "fastq"


@pytest.mark.parametrize(
    "place", ["Analysis", "Analysis/10", "Analysis/10/Data", "Analysis/10/Data/BCLConvert/fastq"]
)
def test_no_link_leads_out_of_the_run(on_board, tmp_path, place):
    (on_board.run / place).rename(tmp_path / "elsewhere")
    (on_board.run / place).symlink_to(tmp_path / "elsewhere")
    found = onboard_fastqs(on_board.run)
    assert found is None or found.analysis == 9


def test_a_run_without_analysis_has_none(tmp_path):
    assert onboard_fastqs(tmp_path) is None
    (tmp_path / "Analysis" / "1").mkdir(parents=True)
    assert onboard_fastqs(tmp_path) is None


def test_ora_files_are_taken_with_a_warning(output):
    for lane in (1, 2):
        for read in (1, 2):
            path = output.path("A", lane, read)
            path.rename(path.with_name(path.name.replace(".gz", ".ora")))
    verdict = judge(output.job)
    assert verdict.is_good, verdict.problems
    assert [warning.code for warning in verdict.warnings] == ["not_read_through"]

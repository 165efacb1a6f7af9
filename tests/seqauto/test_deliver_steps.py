"""What back up and convert make of disks, sheets and converters that are not as they should be."""

import gzip
import json
import os
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from child_processes import wait_until
from delivering import (
    deliver,
    delivery_of,
    events_of,
    land_run,
    look,
    rules_for,
    snapshot,
    state_of,
    step_of,
)
from delivering_faults import (
    HANG,
    begin_again,
    fastq_made,
    fastqs_made,
    hanging,
    instruct_converter,
    is_alive,
    starts,
)

from seqauto import decisions, deliveries
from seqauto.decisions import DecisionRefused
from seqauto.models.deliveries import DeliveryState, StepState
from sequencing.demo import DemoSample
from sequencing.disk import DiskError

pytestmark = pytest.mark.django_db


@pytest.fixture
def rules(tmp_path):
    """A lab without S3: its deliveries come to rest at the upload, which names no bucket."""
    return rules_for(tmp_path)


def no_bucket_only(run: Path) -> bool:
    return step_of(run, "convert").state == StepState.DONE and step_of(run, "upload").code == "no_bucket"


def failed(run: Path, kind: str, code: str):
    """The step, which failed for this reason and says what to do."""
    step = step_of(run, kind)
    assert (step.state, step.code, step.traceback) == (StepState.FAILED, code, ""), (
        step.error + step.traceback
    )
    assert step.remedy
    delivery = delivery_of(run)
    assert (delivery.state, delivery.reason, delivery.remedy) == (
        DeliveryState.WAITING,
        step.error,
        step.remedy,
    )
    return step


def retry(run: Path, rules) -> None:
    decisions.retry(delivery_of(run), None)
    deliver(rules)


def settle(rules) -> list[int]:
    """Look until back up is queued; returns that step."""
    for _ in range(5):
        if steps := look(rules):
            return steps
    raise AssertionError("nothing settled")


# ---- back up ----


def test_promise_10_a_run_that_does_not_fit_waits_for_room_and_other_runs_go_on(rules, small_disk):
    disk = small_disk("1m")
    full = replace(rules, backup_dir=disk)
    run = land_run(full, number=2)
    before = snapshot(run)
    for _ in range(3):
        assert look(full) == []
    waiting = delivery_of(run)
    assert (waiting.state, step_of(run, "back_up").state) == (DeliveryState.DELIVERING, StepState.WAITING)
    assert waiting.reason.startswith("Back up: Waits for room: needs ")
    assert " and a reserve of 1.1 GB, " in waiting.reason
    assert waiting.reason.endswith(f" free on {disk}.")
    assert "by itself" in waiting.remedy
    assert sum("Waits for room" in text for text in events_of(run)) == 1
    assert (list(disk.iterdir()), snapshot(run)) == ([], before)
    deliver(rules)
    assert no_bucket_only(run)
    assert delivery_of(run).reason == step_of(run, "upload").error


@pytest.mark.parametrize("kind", ["back_up", "convert"])
def test_promise_10_a_folder_that_is_not_mounted_is_never_made(rules, kind):
    folder = {"back_up": rules.backup_dir, "convert": rules.fastq_dir}[kind]
    folder.rmdir()
    run = land_run(rules)
    deliver(rules)
    step = failed(run, kind, "no_folder")
    assert str(folder) in step.error
    assert "Mount" in step.remedy
    assert not folder.exists()
    folder.mkdir()
    retry(run, rules)
    assert no_bucket_only(run)


def test_promise_12_a_source_that_is_written_during_the_copy_is_never_backed_up(rules):
    run = land_run(rules)
    steps = settle(rules)
    ended = threading.Event()

    def write() -> None:
        with (run / "late.log").open("ab", buffering=0) as file:
            while not ended.wait(0.0005):
                file.write(b"x")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_until((run / "late.log").exists, "the instrument writes again")
        deliveries.work_on(steps[0], rules)
    finally:
        ended.set()
        writer.join()
    failed(run, "back_up", "source_changed")
    assert [path for path in rules.backup_dir.iterdir() if not path.name.startswith(".")] == []
    deliver(rules)  # the look sees that files changed, and the run begins again by itself
    assert no_bucket_only(run)
    assert snapshot(rules.backup_dir / run.name) == snapshot(run)


def test_promise_14_an_older_copy_stays_as_it_is_when_it_cannot_be_verified(rules):
    run = land_run(rules)
    deliver(rules)
    copy = rules.backup_dir / run.name / "RunInfo.xml"
    status, content = copy.stat(), copy.read_bytes()
    copy.write_bytes(content[:-2] + b"\0" + content[-1:])
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    before = snapshot(rules.backup_dir)
    begin_again(run, "back_up", rules)
    step = failed(run, "back_up", "damaged")
    assert "RunInfo.xml" in step.error
    assert snapshot(rules.backup_dir) == before


def test_promise_14_a_run_that_changed_leaves_the_copy_of_what_it_was(rules):
    run = land_run(rules)
    deliver(rules)
    before = snapshot(rules.backup_dir)
    (run / "RunInfo.xml").write_text((run / "RunInfo.xml").read_text() + "\n")
    deliver(rules)
    assert step_of(run, "back_up").figures["folder"].endswith("_2")
    assert before.items() <= snapshot(rules.backup_dir).items()


def test_promise_07_a_backup_that_is_none_of_this_run_is_a_conflict(rules):
    run = land_run(rules)
    (rules.backup_dir / run.name).mkdir()
    (rules.backup_dir / run.name / "RunInfo.xml").write_text("of another lab's run")
    before = snapshot(rules.backup_dir)
    deliver(rules)
    assert "is there already" in failed(run, "back_up", "conflict").error
    assert snapshot(rules.backup_dir) == before


def test_an_empty_folder_where_backups_were_is_a_disk_that_is_away(rules):
    deliver_one = land_run(rules)
    deliver(rules)
    shutil.rmtree(rules.backup_dir)
    rules.backup_dir.mkdir()
    run = land_run(rules, number=32)
    deliver(rules)
    assert "is empty, although" in failed(run, "back_up", "no_folder").error
    assert not any(rules.backup_dir.iterdir()), deliver_one
    (rules.backup_dir / ".seqauto_root").touch()
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    assert step_of(run, "back_up").state == "done"


# ---- every step once more ----


def test_every_step_done_again_comes_to_the_same(tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    run = land_run(rules)
    deliver(rules)
    instruct_converter(rules, "raise SystemExit('nobody needs it')")
    made, objects = snapshot(tmp_path / "fastq"), s3_server.objects()
    for kind in ("back_up", "convert", "upload"):
        first = step_of(run, kind).figures
        begin_again(run, kind, rules)
        assert state_of(run) == DeliveryState.DELIVERED, step_of(run, kind).error
        again = step_of(run, kind).figures
        changed = {key for key in first if first[key] != again[key]}
        assert changed <= {"verified_at", "already_there", "projects"}
    before, after = (
        [{**project, "uploaded_at": "", "verified_by": ""} for project in figures["projects"]]
        for figures in (first, again)
    )
    assert before == after
    assert (snapshot(tmp_path / "fastq"), s3_server.objects()) == (made, objects)
    assert starts(rules) == 0


# ---- what the converter made ----


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def exchange_index(path: Path) -> None:
    text = gzip.decompress(path.read_bytes()).decode()
    index = text.splitlines()[0].rpartition(":")[2]
    path.write_bytes(gzip.compress(text.replace(index, "T" * 10 + "+" + "G" * 10).encode()))


def add_a_stranger(path: Path) -> None:
    shutil.copy(path, path.with_name("Nobody_S9_L001_R1_001.fastq.gz"))


@pytest.mark.parametrize(
    ("spoil", "code", "says"),
    [
        (Path.unlink, "missing_fastq", "1 FASTQ is missing"),
        (cut, "truncated_fastq", "middle of its gzip stream"),
        (exchange_index, "wrong_sample", "TTTTTTTTTT+GGGGGGGGGG"),
        (add_a_stranger, "unexpected_fastq", "Nobody"),
    ],
)
def test_promise_18_exit_0_with_wrong_fastqs_is_a_failure(rules, spoil, code, says):
    run = land_run(rules)
    whole = {path: path.read_bytes() for path in fastqs_made(rules, run).rglob("*.gz")}
    spoil(fastq_made(rules, run, "*-02_S2_L001_R1_*"))
    deliver(rules)
    step = failed(run, "convert", "fastqs")
    assert [problem["code"] for problem in step.problems] == [code]
    assert says in step.error
    assert not (rules.fastq_dir / run.name).exists()
    for path in fastqs_made(rules, run).rglob("*.gz"):
        path.unlink()
    for path, content in whole.items():
        path.write_bytes(content)
    retry(run, rules)
    assert no_bucket_only(run)


def test_promise_18_an_empty_sample_is_a_warning(rules):
    run = land_run(rules, empty=["*-02_S2_*"])
    deliver(rules)
    step = step_of(run, "convert")
    assert step.state == StepState.DONE, step.error
    assert [warning["code"] for warning in step.figures["warnings"]] == ["empty_fastq"]
    assert no_bucket_only(run)


def test_a_converter_that_fails_says_so_with_its_log(rules):
    run = land_run(rules)
    instruct_converter(rules, "sys.exit('Sample sheet: something only Illumina knows')")
    deliver(rules)
    step = failed(run, "convert", "failed")
    assert "something only Illumina knows" in step.error
    assert "something only Illumina knows" in Path(step.log).read_text()
    assert not (rules.fastq_dir / run.name).exists()


def test_promise_19_a_converter_that_hangs_is_ended_with_its_children(rules):
    run = land_run(rules)
    instruct_converter(rules, HANG)
    deliver(replace(rules, converter=replace(rules.converter, silence_minutes=1 / 60)))
    step = failed(run, "convert", "silent")
    assert "said and wrote nothing" in step.error
    assert len(hanging(rules)) == 2
    assert not any(map(is_alive, hanging(rules)))
    assert not (rules.fastq_dir / run.name).exists()


def test_promise_19_a_converter_that_says_too_much_fills_neither_disk_nor_page(rules):
    run = land_run(rules)
    instruct_converter(rules, "for _ in range(100_000): print('x' * 100, file=sys.stderr)\nsys.exit(3)")
    deliver(rules)
    step = failed(run, "convert", "failed")
    assert Path(step.log).stat().st_size < 3_000_000
    assert len(step.error) < 1000


def test_a_run_without_any_converter_waits(rules, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    run = land_run(rules)
    deliver(replace(rules, converter=replace(rules.converter, programs={})))
    assert "looked for bcl-convert" in failed(run, "convert", "no_converter").error


def test_a_converter_that_is_set_and_not_there_is_told_with_its_setting(rules):
    run = land_run(rules)
    converter = replace(
        rules.converter, wanted=["bcl-convert", "picard"], programs={"bcl-convert": "/nowhere"}
    )
    deliver(replace(rules, converter=converter))
    step = failed(run, "convert", "no_converter")
    assert "bcl-convert is set to /nowhere, which is not there" in step.error
    assert "SEQAUTO_CONVERTER_PROGRAMS" in step.remedy


def test_a_fastq_folder_that_cannot_be_written_is_named(rules):
    run = land_run(rules)
    (rules.fastq_dir / run.name).write_text("a file where a folder should be")
    deliver(rules)
    step = failed(run, "convert", "io_error")
    assert run.name in step.error
    assert "mounted" in step.remedy


# ---- sheets ----


def test_promise_21_a_sheet_edited_during_the_conversion_stops_it(rules):
    run = land_run(rules)
    instruct_converter(rules, "(run / 'SampleSheet.csv').open('a').write('# edited\\n')")
    deliver(rules)
    assert "SampleSheet.csv was changed" in failed(run, "convert", "sheet_changed").error
    assert not (rules.fastq_dir / run.name).exists()


BAD_SAMPLES = [
    DemoSample("A", index="AAAACCCC", index2="GGGGTTTT"),
    DemoSample("B", index="AAAACCCC", index2="GGGGTTTT"),
    DemoSample("C", index="ACGTACG", index2="ACGTACGT"),
]


def test_promise_22_every_error_of_a_sheet_is_listed_before_anything_is_converted(rules):
    run = land_run(rules, samples=BAD_SAMPLES)
    instruct_converter(rules, "")
    deliver(rules)
    step = failed(run, "convert", "sheet")
    assert {problem["code"] for problem in step.problems} == {"duplicate_index", "mixed_index_lengths"}
    assert all(problem["row"] and problem["remedy"] for problem in step.problems)
    assert "and 1 more" in step.error
    assert starts(rules) == 0
    assert not list(rules.fastq_dir.glob("*"))


def test_promise_22_named_errors_may_be_overridden_with_a_reason(rules):
    run = land_run(rules, samples=BAD_SAMPLES)
    deliver(rules)
    decisions.override(delivery_of(run), None, ["duplicate_index"], "one library, sequenced twice")
    deliver(rules)
    step = failed(run, "convert", "sheet")
    assert [problem["code"] for problem in step.problems] == ["mixed_index_lengths"]
    decisions.override(delivery_of(run), None, ["mixed_index_lengths"], "cut by the kit")
    deliver(rules)
    assert no_bucket_only(run)


HOSTILE = [
    "../../etc",
    "/etc/passwd",
    "-rf",
    "CON",
    "a b\u202e",
    "Undetermined",
    "a;touch x",
    "$(touch x)",
    "é",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("column", ["sample_id", "project"])
def test_promise_49_hostile_names_are_refused_whatever_anybody_decides(rules, name, column):
    good = {"sample_id": "A", "project": "Panel", "index": "AAAACCCC", "index2": "GGGGTTTT"}
    run = land_run(rules)
    rows = "Sample_ID,Sample_Project,index,index2\n{sample_id},{project},{index},{index2}\n"
    sheet = "[Header]\nIEMFileVersion,4\n[Data]\n" + rows.format(**{**good, column: name})
    (run / "SampleSheet.csv").write_text(sheet)
    instruct_converter(rules, "")
    deliver(rules)
    step = failed(run, "convert", "sheet")
    codes = {problem["code"] for problem in step.problems} & {"hostile_name", "unsafe_name"}
    assert codes, step.problems
    with pytest.raises(DecisionRefused):
        decisions.override(delivery_of(run), None, sorted(codes), "we have always called it so")
    delivery = delivery_of(run)
    delivery.overrides = [problem["code"] for problem in step.problems]
    delivery.save()
    retry(run, rules)
    assert step_of(run, "convert").state == StepState.FAILED
    assert starts(rules) == 0
    assert not (rules.fastq_dir / run.name).exists()


# ---- FASTQs that are there already ----


def test_fastqs_that_got_their_name_before_the_worker_died_are_found(rules):
    run = land_run(rules)
    deliver(rules)
    figures = step_of(run, "convert").figures
    instruct_converter(rules, "raise SystemExit(1)")
    begin_again(run, "convert", rules)
    assert step_of(run, "convert").figures == figures
    assert starts(rules) == 0


def edit_sheet(run: Path, made: Path) -> None:
    text = (run / "SampleSheet.csv").read_text()
    (run / "SampleSheet.csv").write_text(text.replace("Investigator", "Somebody") + "# another\n")


def lose_a_fastq(run: Path, made: Path) -> None:
    next(made.rglob("*.fastq.gz")).unlink()


def forget_the_record(run: Path, made: Path) -> None:
    (made / "seqauto_conversion.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (edit_sheet, "made with another sample sheet"),
        (lose_a_fastq, "is gone, or is not what was made"),
        (forget_the_record, "was not made here"),
    ],
)
def test_other_fastqs_in_the_way_are_a_conflict_that_converting_again_solves(rules, spoil, says):
    run = land_run(rules)
    deliver(rules)
    made = rules.fastq_dir / run.name / "Unaligned"
    spoil(run, made)
    before = snapshot(made)
    begin_again(run, "convert", rules)
    step = failed(run, "convert", "conflict")
    assert says in step.error
    assert "Convert again" in step.remedy
    decisions.convert_again(delivery_of(run), None, "as the page says")
    deliver(rules)
    assert no_bucket_only(run)
    assert step_of(run, "convert").figures["folder"] == f"{made}_2"
    assert snapshot(made) == before


def shell_out(run: Path, record: dict, made: Path, secret: Path) -> None:
    record["log"] = str(secret)


def climb_out(run: Path, record: dict, made: Path, secret: Path) -> None:
    file = {**record["files"][0], "path": os.path.relpath(secret, made), "size": secret.stat().st_size}
    record["files"].append(file)


def name_a_place(run: Path, record: dict, made: Path, secret: Path) -> None:
    record["files"][0] |= {"path": str(secret), "size": secret.stat().st_size}


def link_a_fastq(run: Path, record: dict, made: Path, secret: Path) -> None:
    fastq = made / record["files"][0]["path"]
    fastq.rename(secret)
    fastq.symlink_to(secret)


def link_the_folder(run: Path, record: dict, made: Path, secret: Path) -> None:
    made.rename(secret.with_name("elsewhere"))
    made.symlink_to(secret.with_name("elsewhere"))


def garble(run: Path, record: dict, made: Path, secret: Path) -> None:
    record["files"] = {"path": 1}


def swap_bytes(run: Path, record: dict, made: Path, secret: Path) -> None:
    """Whole FASTQs, of as many reads and the right sample, and not those that were made."""
    for fastq in made.rglob("*-01_S1_L001_*.fastq.gz"):
        text = gzip.decompress(fastq.read_bytes()).decode()
        fastq.write_bytes(gzip.compress(text.replace("A", "C").replace("@C", "@A").encode()))


@pytest.mark.parametrize(
    "forge", [shell_out, climb_out, name_a_place, link_a_fastq, link_the_folder, garble, swap_bytes]
)
def test_promise_49_a_record_beside_fastqs_leads_nowhere_else(rules, tmp_path, forge):
    """Whoever may write into the FASTQ folder could have written it."""
    run = land_run(rules)
    deliver(rules)
    made = rules.fastq_dir / run.name / "Unaligned"
    secret = tmp_path / "secret.env"
    secret.write_text("SECRET_KEY=abc")
    record = json.loads((made / "seqauto_conversion.json").read_text())
    forge(run, record, made, secret)
    (made / "seqauto_conversion.json").write_text(json.dumps(record))
    begin_again(run, "convert", rules)
    step = failed(run, "convert", "conflict")
    assert step.log == ""
    assert step.figures == {}
    decisions.convert_again(delivery_of(run), None, "as the page says")


def test_what_a_record_says_besides_what_converters_tell_is_not_taken(rules):
    run = land_run(rules)
    deliver(rules)
    figures = step_of(run, "convert").figures
    path = rules.fastq_dir / run.name / "Unaligned" / "seqauto_conversion.json"
    record = json.loads(path.read_text())
    for file in record["files"]:
        file["project"] = "Stolen"
    path.write_text(json.dumps(record | {"folder": "/etc", "manifest": "/etc/passwd", "bytes": -1}))
    begin_again(run, "convert", rules)
    again = step_of(run, "convert").figures
    assert again | {"listing": figures["listing"]} == figures  # the record is listed too


def test_fastqs_of_base_calls_that_changed_since_are_not_taken_for_new_ones(rules):
    run = land_run(rules)
    deliver(rules)
    (run / "Data/Intensities/BaseCalls/L001/C1.1/s_1_1101.bcl").write_bytes(b"\1\0\0\0\7")
    shutil.move(rules.backup_dir / run.name, rules.backup_dir / "before")
    shutil.move(rules.backup_dir / f"{run.name}.manifest.tsv", rules.backup_dir / "before.manifest.tsv")
    deliver(rules)
    assert "before files of the run changed" in failed(run, "convert", "conflict").error


def test_what_a_killed_conversion_left_is_no_obstacle(rules):
    run = land_run(rules)
    partial = rules.fastq_dir / f".{run.name}.1.partial"
    partial.mkdir()
    (partial / "converter.json").write_text("{}")
    (partial / "half.fastq.gz").write_bytes(b"half")
    deliver(rules)
    assert no_bucket_only(run)
    assert not partial.exists()
    assert not list(rules.fastq_dir.rglob("half.fastq.gz"))


def test_what_an_adoption_left_is_no_obstacle_to_a_conversion(rules):
    run = land_run(rules)
    partial = rules.fastq_dir / f".{run.name}.1.partial"
    for left in (partial, partial.with_name(f".{partial.name}.partial")):
        left.mkdir()
        (left / "half.fastq.gz").write_bytes(b"half")
    partial.with_name(f"{partial.name}.manifest.tsv").write_text("of another try\n")
    deliver(rules)
    assert no_bucket_only(run), step_of(run, "convert").error
    assert [path.name for path in rules.fastq_dir.iterdir()] == [run.name]


# ---- stopped ----


def convert_step_of(rules) -> int:
    """The step that converts, queued, once the run is backed up."""
    for step in settle(rules):
        deliveries.work_on(step, rules)
    (step,) = deliveries.next_steps(rules)
    return step


def test_promise_17_fastqs_of_a_worker_that_was_stopped_get_no_name(rules, monkeypatch):
    """It was asked to end, or has lost its step, while the last FASTQ was read."""
    run = land_run(rules)
    module = sys.modules["seqauto.steps.convert"]
    really_judge = module.judge

    def judge_and_be_stopped(*arguments, **keywords):
        verdict = really_judge(*arguments, **keywords)
        deliveries.stop_working()
        return verdict

    monkeypatch.setattr(module, "judge", judge_and_be_stopped)
    try:
        deliveries.work_on(convert_step_of(rules), rules)
    finally:
        deliveries.start_working()
        monkeypatch.undo()
    assert step_of(run, "convert").state == StepState.WAITING
    assert not (rules.fastq_dir / run.name / "Unaligned").exists()
    deliver(rules)
    assert no_bucket_only(run)


# ---- on board ----


def demultiplexed_on_board(rules, run: Path) -> None:
    data = run / "Analysis" / "1" / "Data"
    (data / "BCLConvert").mkdir(parents=True)
    shutil.copytree(fastqs_made(rules, run), data / "BCLConvert" / "fastq")
    (data / "Secondary_Analysis_Complete.txt").touch()


def test_fastqs_that_the_instrument_made_are_adopted(rules):
    run = land_run(rules, instrument="NovaSeq X", lanes=1)
    demultiplexed_on_board(rules, run)
    instruct_converter(rules, "raise SystemExit(1)")
    deliver(rules)
    assert no_bucket_only(run), step_of(run, "convert").error
    figures = step_of(run, "convert").figures
    assert (figures["converter"], figures["adopted"], starts(rules)) == ("on board", True, 0)
    assert [path.name for path in rules.fastq_dir.iterdir()] == [run.name]


def test_what_a_killed_adoption_left_is_no_obstacle(rules):
    run = land_run(rules, instrument="NovaSeq X", lanes=1)
    demultiplexed_on_board(rules, run)
    partial = rules.fastq_dir / f".{run.name}.1.partial"
    partial.mkdir()
    (partial / "half.fastq.gz").write_bytes(b"half")
    partial.with_name(f"{partial.name}.manifest.tsv").write_text("of another try\n")
    deliver(rules)
    assert no_bucket_only(run), step_of(run, "convert").error
    assert [path.name for path in rules.fastq_dir.iterdir()] == [run.name]


def test_what_a_killed_conversion_left_is_no_obstacle_to_an_adoption(rules):
    run = land_run(rules, instrument="NovaSeq X", lanes=1)
    demultiplexed_on_board(rules, run)
    partial = rules.fastq_dir / f".{run.name}.1.partial"
    partial.mkdir()
    (partial / "converter.json").write_text("{}")
    deliver(rules)
    assert no_bucket_only(run), step_of(run, "convert").error
    assert [path.name for path in rules.fastq_dir.iterdir()] == [run.name]


def test_converting_again_demultiplexes_what_was_adopted_before(rules):
    run = land_run(rules, instrument="NovaSeq X", lanes=1)
    demultiplexed_on_board(rules, run)
    instruct_converter(rules, "")
    deliver(rules)
    assert (step_of(run, "convert").figures["adopted"], starts(rules)) == (True, 0)
    decisions.convert_again(delivery_of(run), None, "the sheet was another one")
    deliver(rules)
    assert no_bucket_only(run), step_of(run, "convert").error
    figures = step_of(run, "convert").figures
    assert (figures["converter"], figures.get("adopted"), starts(rules)) == ("bcl-convert", None, 1)


def test_promise_18_fastqs_of_the_instrument_are_judged_too(rules):
    run = land_run(rules, instrument="NovaSeq X", lanes=1)
    cut(fastq_made(rules, run, "*-02_S2_L001_R1_*"))
    demultiplexed_on_board(rules, run)
    deliver(rules)
    assert failed(run, "convert", "fastqs").problems[0]["code"] == "truncated_fastq"
    assert not (rules.fastq_dir / run.name).exists()


def test_a_sheet_that_was_corrected_after_the_backup_is_kept_beside_it(rules):
    run = land_run(rules)
    sheet = run / "SampleSheet.csv"
    good = sheet.read_bytes()
    sheet.write_text("[Data]\nSample_ID,index\n../x,ACGT\n")
    deliver(rules)
    failed(run, "convert", "sheet")
    before = snapshot(rules.backup_dir)
    sheet.write_bytes(good)
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    (kept,) = rules.backup_dir.glob(f"{run.name}.SampleSheet.*.csv")
    assert kept.read_bytes() == good
    assert before.items() <= snapshot(rules.backup_dir).items()


def test_a_run_that_was_mended_as_its_remedy_says_is_backed_up_as_it_is_now(rules):
    run = land_run(rules)
    info = run / "RunInfo.xml"
    good = info.read_bytes()
    info.write_text("<RunInfo")
    deliver(rules)
    failed(run, "convert", "no_run_info")
    info.write_bytes(good)
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    backup = Path(step_of(run, "back_up").figures["folder"])
    assert step_of(run, "convert").state == StepState.DONE
    assert (backup / "RunInfo.xml").read_bytes() == good
    assert (rules.backup_dir / run.name / "RunInfo.xml").read_text() == "<RunInfo"


def test_a_step_that_ends_well_on_a_run_that_changed_before_it_is_not_done(rules):
    """Nobody has listed the run since: the step itself sees it at its end."""
    run = land_run(rules)
    look(rules)
    (step,) = look(rules)
    (run / "late.log").write_text("one more file")
    assert deliveries.work_on(step, rules)
    assert (state_of(run), step_of(run, "back_up").state) == (DeliveryState.SETTLING, StepState.WAITING)


def test_a_disk_that_fails_when_a_step_has_ended_is_told_as_such(rules, monkeypatch):
    run = land_run(rules)
    look(rules)
    (step,) = look(rules)

    def fail(_delivery):
        raise DiskError(f"{run}: Input/output error")

    monkeypatch.setattr(deliveries, "look_for_changes", fail)
    deliveries.work_on(step, rules)
    assert "Input/output error" in failed(run, "back_up", "io_error").error
    monkeypatch.undo()
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    assert step_of(run, "back_up").state == StepState.DONE

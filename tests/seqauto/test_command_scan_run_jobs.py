"""`manage.py scan_run_jobs` as a person meets it: a process of its own, from arguments to exit code."""

import json
import os
import pty
import shutil
import signal
import subprocess

import pytest
from child_processes import Child, Children, SlowDisk, wait_until
from scanning import scan_well

from seqauto.models import Message, Scan, ScanLease, SequencingFile, SequencingRun
from seqauto.models.scans import ScanSource, ScanStatus

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def runs(archive, write_run):
    """Three whole runs of four samples: 30 FASTQs, of which 24 are samples'."""
    return [write_run(archive / "haem", number=number) for number in (31, 32, 33)]


def scan_in_a_child(children: Children, *arguments: str, **environment: str) -> Child:
    child = children.scan(*arguments, **environment)
    child.returncode()
    return child


def last_scan() -> Scan:
    return Scan.objects.latest("pk")


def test_off_a_terminal_it_prints_plain_lines(children):
    child = scan_in_a_child(children)
    scan = last_scan()
    assert child.returncode() == 0, child.err
    assert child.out == (
        f"SeqAuto Run {scan.pk}: Finished. 3 runs, 3 new or changed; files +30 −0 ~0; "
        "open: 0 errors, 0 warnings.\n"
    )
    assert "\nScanning Files: 3 runs, 45 files\n" in child.err
    assert "Create Models: 3 of 3 runs" in child.err
    assert "\r" not in child.err
    assert "\033" not in child.err


def test_it_runs_at_once_without_queue_or_task_id(children):
    scan_in_a_child(children, CELERY_BROKER_URL="redis://127.0.0.1:1/0")
    scan = last_scan()
    assert (scan.status, scan.source, scan.task_id) == (ScanStatus.FINISHED, ScanSource.COMMAND_LINE, "")


def test_on_a_terminal_it_draws_a_bar(children):
    terminal, ours = pty.openpty()
    process = subprocess.Popen(
        [*children.manage_py, "scan_run_jobs"], env=children.environment, stdout=ours, stderr=ours
    )
    os.close(ours)
    shown = b""
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:
        pass  # Linux says so where the last process has left the terminal.
    os.close(terminal)
    assert process.wait(timeout=90) == 0, shown.decode()
    assert "\r\033[K##############################" in shown.decode()
    assert "3 of 3 runs" in shown.decode()


def test_one_run_is_not_called_runs(children, runs):
    for run in runs[1:]:
        shutil.rmtree(run)
    child = scan_in_a_child(children)
    assert "Create Models: 1 of 1 run, " in child.err
    assert "Finished. 1 run, 1 new or changed" in child.out


def test_json_is_one_object_on_stdout_and_nothing_else(children, runs):
    (runs[0] / "SampleSheet.csv").write_text("no sheet at all")
    child = scan_in_a_child(children, "--json")
    answer = json.loads(child.out)
    scan = last_scan()
    assert child.returncode() == 0
    assert child.out.count("\n") == 1
    assert (answer["scan_id"], answer["status"]) == (scan.pk, "finished")
    assert set(answer["seconds"]) == {"Scanning Files", "Create Models"}
    assert all(seconds > 0 for seconds in answer["seconds"].values())
    assert answer["runs"] == {"found": 3, "changed": 3, "skipped": 0}
    assert sum(answer["files"]["fastq"].values()) == SequencingFile.objects.count() == 30
    assert answer["messages"]["error"] == Message.objects.open().filter(severity="error").count() > 0


def test_an_error_ends_with_1_and_says_what_to_do_on_stderr(children, archive):
    shutil.rmtree(archive)
    child = scan_in_a_child(children, "--json")
    scan = last_scan()
    assert child.returncode() == 1
    assert scan.status == ScanStatus.ERROR
    assert json.loads(child.out)["error"] == scan.error != ""
    assert scan.error in child.err
    assert scan.remedy in child.err
    assert "Traceback" not in child.err


# ---- from earlier lists ----


def test_earlier_lists_are_recorded_without_looking_at_the_disk(children, archive, runs):
    first = scan_well()
    SequencingRun.objects.all().delete()
    child = scan_in_a_child(children, "--reuse-prev-scan-id", str(first.pk), "--json")
    scan = last_scan()
    assert child.returncode() == 0, child.err
    assert scan.scanning_files_at is None
    assert scan.reused_scan == first
    assert set(json.loads(child.out)["seconds"]) == {"Create Models"}
    assert SequencingRun.objects.count() == 3
    assert SequencingFile.objects.filter(data_state="complete").count() == 30


@pytest.mark.parametrize("number", ["0", "99999999999999999999"])
def test_a_scan_that_never_was_cannot_be_reused(children, number):
    child = scan_in_a_child(children, f"--reuse-prev-scan-id={number}")
    assert child.returncode() == 1
    assert f"There is no SeqAuto Run {number}." in child.err
    assert "Traceback" not in child.err
    assert not Scan.objects.exists()


def test_a_scan_without_lists_cannot_be_reused(children):
    without_lists = Scan.objects.create(source=ScanSource.BUTTON, status=ScanStatus.ERROR)
    child = scan_in_a_child(children, "--reuse-prev-scan-id", str(without_lists.pk))
    assert child.returncode() == 1
    assert f"SeqAuto Run {without_lists.pk} has no file lists to start from." in child.err
    assert list(Scan.objects.all()) == [without_lists]


# ---- other options ----


@pytest.mark.parametrize("types", ["fastq,bam", ""])
def test_an_unknown_file_type_is_named_with_those_that_are_known(children, types):
    child = scan_in_a_child(children, f"--process-types={types}")
    wrong = next(name for name in types.split(",") if name != "fastq")
    assert child.returncode() != 0
    assert f"{wrong!r} is no file type; known are fastq." in child.err
    assert "Traceback" not in child.err
    assert not Scan.objects.exists()


def test_a_known_file_type_is_processed(children):
    child = scan_in_a_child(children, "--process-types", "fastq")
    assert child.returncode() == 0, child.err
    assert last_scan().options == {"process_types": ["fastq"]}
    assert SequencingFile.objects.count() == 30


def test_promise_41_only_accept_missing_believes_that_most_is_gone(children, archive, runs):
    scan_well()
    for run in runs:
        shutil.rmtree(run)
    doubting = scan_in_a_child(children)
    assert doubting.returncode() == 1
    assert "--accept-missing" in doubting.err
    assert set(SequencingFile.objects.values_list("data_state", flat=True)) == {"complete"}
    believing = scan_in_a_child(children, "--accept-missing")
    assert believing.returncode() == 0, believing.err
    assert set(SequencingFile.objects.values_list("data_state", flat=True)) == {"deleted"}


def test_switched_off_it_says_which_switch(children):
    child = scan_in_a_child(children, SEQAUTO_ENABLED="false")
    assert child.returncode() == 1
    assert "SEQAUTO_ENABLED is false" in child.err
    assert child.out == ""
    assert not Scan.objects.exists()


# ---- two at once, and interruptions ----


def test_promise_38_a_second_command_says_who_holds_the_lease(children, slow_disk):
    first = children.scan(**slow_disk.environment)
    slow_disk.wait_until_asked()
    second = scan_in_a_child(children)
    running = Scan.objects.get()
    assert second.returncode() == 1
    assert f"SeqAuto Run {running.pk} on " in second.err
    assert f"process {first.process.pid} is running. Add --wait" in second.err
    slow_disk.let_go()
    assert first.returncode() == 0, first.err
    assert Scan.objects.get().status == ScanStatus.FINISHED


def test_promise_38_a_command_that_waits_runs_when_the_other_has_ended(children, slow_disk):
    first = children.scan(**slow_disk.environment)
    slow_disk.wait_until_asked()
    second = children.scan("--wait")
    wait_until(lambda: "Waiting: SeqAuto Run" in second.err, "the second command waits")
    assert set(Scan.objects.values_list("status", flat=True)) == {"scanning_files", "created"}
    slow_disk.let_go()
    assert (first.returncode(), second.returncode()) == (0, 0), second.err
    earlier, later = Scan.objects.order_by("pk")
    assert {earlier.status, later.status} == {ScanStatus.FINISHED}
    assert earlier.finished_at <= later.scanning_files_at
    assert (earlier.files_appeared, later.files_appeared) == (30, 0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_scan_is_an_error_and_frees_the_lease_at_once(children, slow_disk, number, code):
    child = children.scan(**slow_disk.environment)
    slow_disk.wait_until_asked()
    child.send(number)
    assert child.returncode() == code
    scan = Scan.objects.get()
    assert (scan.status, scan.is_running, scan.error) == (
        ScanStatus.ERROR,
        False,
        "The scan was interrupted.",
    )
    assert ScanLease.objects.get().token is None
    assert "Traceback" not in child.err
    scan_well()  # Without waiting for anything.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_interrupted_while_it_waits_leaves_no_scan_that_waits_for_ever(children, slow_disk, number):
    first = children.scan(**slow_disk.environment)
    slow_disk.wait_until_asked()
    second = children.scan("--wait")
    wait_until(lambda: "Waiting: SeqAuto Run" in second.err, "the second command waits")
    second.send(number)
    assert second.returncode() == 128 + number
    assert Scan.objects.get().status == ScanStatus.SCANNING_FILES
    slow_disk.let_go()
    assert first.returncode() == 0, first.err


def test_a_signal_while_runs_are_recorded_leaves_whole_runs_only(
    children, archive, write_run, slow_disk: SlowDisk
):
    for number in range(100, 160):
        write_run(archive / "many", number=number, samples=24)
    child = children.scan()
    wait_until(SequencingRun.objects.exists, "the first run is recorded")
    child.send(signal.SIGTERM)
    assert child.returncode() == 143, "the archive is too small for this machine: the scan had ended"
    assert Scan.objects.get().error == "The scan was interrupted."
    recorded = SequencingRun.objects.filter(group="many")
    assert recorded.count() < 60
    assert {run.samples.count() for run in recorded} <= {24}
    scan_well()
    assert SequencingFile.objects.filter(run__group="many").count() == 60 * (24 + 1) * 2

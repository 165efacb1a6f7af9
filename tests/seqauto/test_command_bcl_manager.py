"""`manage.py bcl_manager`: what it refuses, what it prints, and how it ends."""

import json
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from child_processes import wait_until
from delivering import delivery_of, events_of, land_run, rules_for, state_of, step_of
from delivering_faults import HANG, bcl_manager, environment_of, hanging, instruct_converter, is_alive
from django.core.management import call_command
from django.core.management.base import CommandError
from faulty_proxy import FaultyProxy

from seqauto.models import Delivery, IncomingFolder
from seqauto.models.deliveries import DeliveryState, StepState

pytestmark = pytest.mark.django_db(transaction=True)


# ---- what it refuses ----


@pytest.fixture
def folders(tmp_path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("incoming", "backup", "fastq")}
    for folder in made.values():
        folder.mkdir()
    return made


def refusal(*, bucket: str = "fastqs", **folders: Path) -> str:
    """What the command says when it refuses to start, before it has looked at anything."""
    arguments = [f"--{name}-dir={folder}" for name, folder in folders.items() if name != "incoming"]
    watched = [str(folders["incoming"])] if "incoming" in folders else []
    with pytest.raises(CommandError) as caught:
        call_command("bcl_manager", *watched, *arguments, f"--s3-fastq-bucket={bucket}", "--once")
    assert caught.value.returncode != 0
    assert not IncomingFolder.objects.exists()
    return str(caught.value)


def test_it_refuses_to_start_without_folders_and_a_bucket(folders):
    assert "SEQAUTO_INCOMING_DIRS" in refusal()
    said = refusal(incoming=folders["incoming"], bucket="")
    assert said.splitlines() == [
        f"--{name} is needed." for name in ("backup-dir", "fastq-dir", "s3-fastq-bucket")
    ]


@pytest.mark.parametrize("name", ["incoming", "backup", "fastq"])
def test_it_refuses_a_folder_that_is_not_there(folders, name):
    folders[name].rmdir()
    assert refusal(**folders) == f"The {NAMES[name]} {folders[name]} is not there."


@pytest.mark.parametrize("option", ["--backup-dir=", "--fastq-dir=", ""])
def test_it_refuses_a_folder_without_a_name_as_an_unset_variable_gives(folders, option):
    """It would be the folder that the command was given in."""
    with pytest.raises(CommandError, match="name of a folder is empty"):
        call_command("bcl_manager", *([str(folders["incoming"]), option] if option else [""]), "--once")


NAMES = {"incoming": "incoming folder", "backup": "backup folder", "fastq": "FASTQ folder"}


@pytest.mark.parametrize("name", ["backup", "fastq"])
def test_it_refuses_to_write_into_the_watched_folder(folders, name):
    inside = folders["incoming"] / "inside"
    inside.mkdir()
    said = refusal(**{**folders, name: inside})
    assert said == f"The {NAMES[name]} {inside} lies inside the incoming folder {folders['incoming']}."


def test_it_refuses_a_watched_folder_inside_another(folders):
    inside = folders["backup"] / "inside"
    inside.mkdir()
    said = refusal(**{**folders, "incoming": inside})
    assert said == f"The incoming folder {inside} lies inside the backup folder {folders['backup']}."


def test_it_refuses_one_folder_for_two_things_by_whatever_name(folders):
    link = folders["incoming"].with_name("link")
    link.symlink_to(folders["backup"])
    assert "are the same" in refusal(**{**folders, "fastq": link})


@pytest.mark.parametrize("switch", ["SEQAUTO_ENABLED", "UPLOAD_ENABLED"])
def test_it_refuses_where_deliveries_are_switched_off(folders, settings, switch):
    setattr(settings, switch, False)
    assert switch in refusal(**folders)


def test_a_refusal_is_an_exit_code_and_sentences_without_a_stack_trace(children, folders):
    child = children.manage("bcl_manager", str(folders["incoming"]), "--backup-dir", str(folders["incoming"]))
    assert child.returncode() == 1
    assert "CommandError" in child.err
    assert "are the same" in child.err
    assert "Traceback" not in child.err


# ---- what it does ----


@pytest.fixture
def rules(tmp_path, s3_server):
    return rules_for(tmp_path, s3_server)


def test_all_options_of_the_old_script_work_without_any_setting(children, rules, s3_server):
    run = land_run(rules)
    (s3_server.bucket.parent / "lab-logs").mkdir()
    unset = dict.fromkeys((name for name in environment_of(rules) if "DIR" in name or "S3" in name), "")
    environment = {**environment_of(rules), **unset, "SEQAUTO_VAR_DIR": str(rules.logs_dir.parent)}
    child = children.manage(
        "bcl_manager", rules.roots[0],
        "--backup-dir", str(rules.backup_dir), "--fastq-dir", str(rules.fastq_dir),
        "--s3-fastq-bucket", rules.s3.bucket, "--s3-fastq-key", "lab/runs",
        "--s3-log-bucket", "lab-logs", "--s3-log-key", "logs/delivery.log",
        "--s3-endpoint-url", rules.s3.endpoint_url, "--once", "--json", **environment,
    )  # fmt: skip
    assert child.returncode() == 0, child.err
    assert "lab/runs/Panel/M00879_31/meta.json" in s3_server.objects()
    shipped = (s3_server.bucket.parent / "lab-logs" / "logs" / "delivery.log").read_text()
    local = (rules.logs_dir.parent / "deliveries" / "delivery.log").read_text()
    assert shipped == local
    assert all(text.partition("\n")[0] in local for text in events_of(run))
    told = json.loads(child.out)
    assert told["deliveries"] == {"delivered": 1}
    assert told["steps"] == {kind: {"done": 1} for kind in ("settle", "back_up", "convert", "upload")}
    assert told["bytes"]["settle"] == told["bytes"]["back_up"] == delivery_of(run).bytes
    assert told["bytes"]["upload"] > 0
    assert told["problems"] == []


def test_once_ends_at_once_where_there_is_nothing_to_do(children, rules):
    child = bcl_manager(children, rules, "--once", "--json")
    assert child.returncode() == 0, child.err
    assert json.loads(child.out) == {"deliveries": {}, "steps": {}, "bytes": {}, "problems": []}


def test_once_waits_for_no_instrument(children, rules):
    run = land_run(rules, markers=["RTAComplete.txt"], instrument="NovaSeq 6000")
    child = bcl_manager(children, rules, "--once", "--json")
    assert child.returncode() == 0, child.err
    assert json.loads(child.out)["deliveries"] == {"sequencing": 1}
    assert state_of(run) == DeliveryState.SEQUENCING


def test_once_delivers_the_others_and_says_in_the_end_that_one_waits(children, rules):
    broken, good = land_run(rules, number=1), land_run(rules, number=2)
    (broken / "SampleSheet.csv").write_text("[Data]\nSample_ID,index\n../x,ACGT\n")
    child = bcl_manager(children, rules, "--once", "--json")
    assert child.returncode() == 1
    assert "wait for a person" in child.err
    told = json.loads(child.out)
    assert told["deliveries"] == {"waiting": 1, "delivered": 1}
    (problem,) = told["problems"]
    assert problem["run"] == str(broken)
    assert problem["reason"]
    assert problem["remedy"]
    assert state_of(good) == DeliveryState.DELIVERED


def test_once_says_that_a_watched_disk_failed(children, rules):
    """Another disk stands where the known one was."""
    land_run(rules)
    assert bcl_manager(children, rules, "--once").returncode() == 0
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", rules.roots[0]]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        child = bcl_manager(children, rules, "--once", "--json")
        assert child.returncode() == 1, child.err
    finally:
        subprocess.run(["umount", "--lazy", rules.roots[0]], check=True)
    told = json.loads(child.out)
    assert told["deliveries"] == {"delivered": 1}
    assert [problem["run"] for problem in told["problems"]] == [None]
    assert "another disk" in told["problems"][0]["reason"]


def test_exit_on_error_ends_as_soon_as_a_step_fails(children, rules):
    run = land_run(rules)
    instruct_converter(rules, "sys.exit(3)")
    child = bcl_manager(children, rules, "--exit-on-error", "--json")
    assert child.returncode() == 1
    assert "wait for a person" in child.err
    assert json.loads(child.out)["deliveries"] == {"waiting": 1}
    assert step_of(run, "convert").state == StepState.FAILED


def test_without_once_it_finds_what_lands_while_it_watches(children, rules):
    child = bcl_manager(children, rules)
    wait_until(IncomingFolder.objects.exists, "it watches")
    run = land_run(rules)
    wait_until(lambda: Delivery.objects.filter(path=str(run), state="delivered"), "the run is delivered")
    assert child.process.poll() is None


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_request_to_end_leaves_no_child_and_lets_its_step_begin_again(children, rules, number, code):
    run = land_run(rules)
    instruct_converter(rules, HANG)
    child = bcl_manager(children, rules, "--json")
    wait_until(lambda: hanging(rules), "the converter runs")
    child.send(number)
    assert child.returncode() == code
    assert "Traceback" not in child.err
    assert not any(map(is_alive, hanging(rules)))
    assert json.loads(child.out)["steps"]["convert"] == {"waiting": 1}
    assert step_of(run, "convert").deaths == 0
    assert not (rules.fastq_dir / run.name).exists()


# ---- the log in S3 ----


def test_promise_28_a_log_that_cannot_be_shipped_stops_nothing(children, rules, s3_server):
    run = land_run(rules)

    def cut_the_log(request, ask):
        return None if request.path.startswith("/lab-logs") else ask(request)

    with FaultyProxy(s3_server.port) as line, line.faulty(cut_the_log):
        s3 = replace(rules.s3, endpoint_url=line.endpoint, log_bucket="lab-logs")
        child = bcl_manager(children, replace(rules, s3=s3), "--once")
        assert child.returncode() == 0, child.err
        assert [request for request in line.requests if request.path.startswith("/lab-logs")]
    assert state_of(run) == DeliveryState.DELIVERED
    assert "was not copied to s3://lab-logs" in child.err
    local = (rules.logs_dir.parent / "deliveries" / "delivery.log").read_text()
    assert all(text.partition("\n")[0] in local for text in events_of(run))

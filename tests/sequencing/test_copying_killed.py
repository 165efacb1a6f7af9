"""kill -9 of a copy at any moment: the final name is absent or hash-correct, and the next try converges."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from child_processes import ROOT, wait_until
from ordinary_user import unreadable

from sequencing.copying import CopyProblem, copy_verified, list_folder, manifest_path, read_manifest, verify

# The kernel is asked to kill at the nth call that opens, makes, names, changes or removes something.
COPY = """
import os, signal, sys
from pathlib import Path
from sequencing.copying import copy_verified

calls, last = 0, int(sys.argv[3])
def count(event, args):
    global calls
    if event == "open" or event.startswith(("os.", "fcntl.")):
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)

source, destination = map(Path, sys.argv[1:3])
sys.addaudithook(count)
copy_verified(source, destination, reserve=0, threads=2)
print(calls)
"""
NEVER = 0


@pytest.fixture
def run(tmp_path) -> Path:
    folder = tmp_path / "incoming" / "run"
    for number in range(12):
        file = folder / f"Data/L00{number % 3}/s_{number}.bcl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(10_000))
    (folder / "link").symlink_to("Data")
    (folder / "Data").chmod(0o555)
    return folder


@pytest.fixture
def backup(tmp_path) -> Path:
    (tmp_path / "backup").mkdir()
    return tmp_path / "backup" / "run"


def start(source: Path, destination: Path, kill_at: int = NEVER) -> subprocess.Popen:
    command = [sys.executable, "-c", COPY, str(source), str(destination), str(kill_at)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def killed(source: Path, destination: Path, at: int) -> bool:
    child = start(source, destination, at)
    child.communicate(timeout=90)
    return child.returncode == -signal.SIGKILL


def is_absent_or_correct(destination: Path) -> bool:
    return not destination.exists() or verify(destination, read_manifest(manifest_path(destination))) == ()


def test_promise_09_kill_at_any_moment_leaves_the_final_name_absent_or_hash_correct(run, tmp_path):
    (tmp_path / "whole").mkdir()
    whole, _ = start(run, tmp_path / "whole" / "run").communicate(timeout=90)
    before, calls = list_folder(run).stamp, int(whole)
    moments = {*range(1, calls, calls // 16), *range(calls - 12, calls + 1)}
    outcomes = set()
    for moment in sorted(moments):
        backup = tmp_path / f"backup_{moment}" / "run"
        backup.parent.mkdir()
        assert killed(run, backup, moment)
        assert is_absent_or_correct(backup)
        outcomes.add(backup.exists())
        made = copy_verified(run, backup, reserve=0)
        assert verify(backup, made.manifest) == ()
        assert sorted(os.listdir(backup.parent)) == ["run", "run.manifest.tsv"]
    assert outcomes == {False, True}
    assert list_folder(run).stamp == before


def test_promise_09_tries_that_are_killed_one_after_the_other_converge(run, backup):
    moment = 20
    while killed(run, backup, moment):
        assert is_absent_or_correct(backup)
        moment += 20
    assert copy_verified(run, backup, reserve=0).already_there
    assert sorted(os.listdir(backup.parent)) == ["run", "run.manifest.tsv"]


@pytest.mark.parametrize("written", [1, 20_000_000, 63_000_000])
def test_promise_09_a_kill_while_a_large_file_is_written_leaves_no_final_name(run, backup, written):
    (run / "large").write_bytes(os.urandom(64_000_000))
    copied = backup.with_name(".run.partial") / "large"
    child = start(run, backup)
    wait_until(lambda: child.poll() is not None or _size(copied) >= written, "so much is written")
    child.kill()
    child.communicate(timeout=90)
    assert is_absent_or_correct(backup)
    made = copy_verified(run, backup, reserve=0)
    assert verify(backup, made.manifest) == ()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_promise_09_two_copies_to_one_place_at_once_do_not_harm_one_another(run, backup):
    problems = []

    def another(_done: int, _total: int) -> None:
        with pytest.raises(CopyProblem) as caught:
            copy_verified(run, backup, reserve=0)
        problems.append(caught.value.code)

    made = copy_verified(run, backup, reserve=0, progress=another)
    assert set(problems) == {"busy"}
    assert verify(backup, made.manifest) == ()


def test_promise_09_what_a_killed_try_left_in_folders_that_nobody_may_write_is_no_obstacle(run, backup):
    left = backup.with_name(".run.partial") / "Data" / "L000"
    left.mkdir(parents=True)
    (left / "s_0.bcl").touch()
    for folder in (left, left.parent, left.parent.parent):
        folder.chmod(0o555)
    (backup.parent / "other").mkdir()
    with unreadable(backup.parent / "other"):  # root too is bound by permission bits meanwhile
        made = copy_verified(run, backup, reserve=0)
    assert verify(backup, made.manifest) == ()

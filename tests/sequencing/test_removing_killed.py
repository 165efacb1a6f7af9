"""kill -9 at any moment: a folder is whole at its place or in quarantine, or going; a next try converges."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from child_processes import ROOT

from sequencing.copying import list_folder
from sequencing.removing import (
    QUARANTINE,
    forget,
    list_tombstones,
    put_back,
    quarantined_at,
    remove,
    unexplained,
)

# The kernel is asked to kill at the nth call that opens, makes, names, changes or removes something.
MOVE = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from sequencing.removing import forget, list_tombstones, put_back, quarantine, remove

calls, last = 0, int(sys.argv[3])
def count(event, args):
    global calls
    if event == "open" or event.startswith(("os.", "fcntl.")):
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)

def always(folder):
    return True

def anything(inside, status):
    return True

action, root = sys.argv[1], Path(sys.argv[2])
stones = list_tombstones(root)
sys.addaudithook(count)
if action == "quarantine":
    quarantine(root / "run", root, looks_like=always, when=datetime.now(UTC), why={})
elif action == "put_back":
    put_back(stones[0], root)
elif action == "remove":
    remove(stones[0], root, looks_like=always, is_proven=anything)
elif action == "forget":
    forget(stones[0], root)
print(calls)
"""
NEVER = 0


@pytest.fixture
def root(tmp_path) -> Path:
    return write_root(tmp_path / "incoming")


def write_root(root: Path) -> Path:
    for number in range(6):
        file = root / f"run/Data/L00{number % 2}/s_{number}.bcl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"bases" * number)
        os.utime(file, (0, 0))
    (root / "run/link").symlink_to("Data")
    os.utime(root / "run/link", (0, 0), follow_symlinks=False)
    (root / "run/Data").chmod(0o555)
    (root / "run").chmod(0o555)
    return root


def run(action: str, root: Path, kill_at: int = NEVER) -> int | None:
    """How many calls it made; None where it was killed."""
    command = [sys.executable, "-c", MOVE, action, str(root), str(kill_at)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=90)
    assert done.returncode == (-signal.SIGKILL if kill_at else 0)
    return None if kill_at else int(done.stdout)


def calls_of(action: str, root: Path) -> int:
    return run(action, root) or 0


def anything(_inside: str, _status: os.stat_result) -> bool:
    return True


def never(_folder: Path) -> bool:
    raise AssertionError("nobody asks again of a folder that is half removed")


def digest(root: Path) -> str:
    return list_folder(root / "run").digest


def finish(root: Path) -> None:
    """What a caller does after a crash: forget the tombstones of folders that never moved, and begin anew."""
    for stone in list_tombstones(root):
        if stone.state == "in_place":
            forget(stone, root)
    if (root / "run").exists():
        run("quarantine", root)
    (stone,) = list_tombstones(root)
    remove(stone, root, looks_like=lambda _folder: True, is_proven=anything)
    forget(stone, root)
    assert (os.listdir(root), list_tombstones(root)) == ([QUARANTINE], ())


def test_promise_33_a_quarantine_killed_at_any_moment_leaves_the_folder_whole_in_one_place(tmp_path):
    whole, outcomes = digest(write_root(tmp_path / "whole")), set()
    for moment in range(1, calls_of("quarantine", tmp_path / "whole") + 1):
        root = write_root(tmp_path / str(moment))
        run("quarantine", root, moment)
        stones = list_tombstones(root)
        here = root / "run" if (root / "run").exists() else quarantined_at(stones[0], root)
        assert list_folder(here).digest == whole
        outcomes.add(tuple(stone.state for stone in stones))
        finish(root)
    assert outcomes == {(), ("in_place",), ("quarantined",)}


def test_promise_33_a_put_back_killed_at_any_moment_leaves_the_folder_whole_in_one_place(tmp_path):
    def quarantined(name: str) -> Path:
        root = write_root(tmp_path / name)
        run("quarantine", root)
        return root

    whole, outcomes = digest(write_root(tmp_path / "same")), set()
    for moment in range(1, calls_of("put_back", quarantined("whole")) + 1):
        root = quarantined(str(moment))
        run("put_back", root, moment)
        (stone,) = list_tombstones(root)
        outcomes.add(stone.state)
        put_back(stone, root)
        assert digest(root) == whole
        finish(root)
    assert outcomes == {"quarantined", "in_place"}


def test_promise_33_a_removal_killed_at_any_moment_is_never_whole_again_and_is_finished_later(tmp_path):
    def quarantined(name: str) -> Path:
        root = write_root(tmp_path / name)
        run("quarantine", root)
        return root

    whole, outcomes = digest(write_root(tmp_path / "same")), set()
    for moment in range(1, calls_of("remove", quarantined("whole")) + 1):
        root = quarantined(str(moment))
        run("remove", root, moment)
        assert not (root / "run").exists()
        (stone,) = list_tombstones(root)
        outcomes.add(stone.state)
        if stone.state == "quarantined":
            assert list_folder(quarantined_at(stone, root)).digest == whole
        else:
            with pytest.raises(Exception, match="removed already") as caught:
                put_back(stone, root)
            assert caught.value.code == "half_removed"
            remove(stone, root, looks_like=never, is_proven=anything)
        finish(root)
    assert outcomes == {"quarantined", "half_removed"}


def test_promise_33_removals_killed_one_after_the_other_converge(root):
    run("quarantine", root)
    (stone,) = list_tombstones(root)
    stops = [24 + 3 * number for number in range(50)]
    tries = 0
    while stone.state != "removed":
        command = [sys.executable, "-c", MOVE, "remove", str(root), str(stops[tries])]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=90)
        (stone,) = list_tombstones(root)
        tries += 1
    assert tries > 2
    finish(root)


def test_promise_33_a_forgetting_killed_at_any_moment_forgets_all_or_nothing(tmp_path):
    def removed(name: str) -> Path:
        root = write_root(tmp_path / name)
        run("quarantine", root)
        run("remove", root)
        return root

    for moment in range(1, calls_of("forget", removed("whole")) + 1):
        root = removed(str(moment))
        run("forget", root, moment)
        assert [stone.state for stone in list_tombstones(root)] in (["removed"], [])
        assert len(unexplained(root)) == 0


def test_promise_33_a_removal_killed_among_many_files_is_finished_later(root):
    for number in range(5000):
        (root / "run" / "Data" / "L000" / f"t_{number}.bcl").touch()
    run("quarantine", root)
    (stone,) = list_tombstones(root)
    for files in (1000, 3000):
        run("remove", root, files)
        assert [now.state for now in list_tombstones(root)] == ["half_removed"]
    left = len(list_folder(quarantined_at(stone, root)).entries)
    assert 500 < left < 4000
    assert remove(stone, root, looks_like=never, is_proven=anything).files <= left
    finish(root)

"""What is moved into quarantine, put back and removed; when it is refused; that nothing else is touched."""

import os
import re
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from child_processes import wait_until
from ordinary_user import unreadable

from sequencing.copying import list_folder
from sequencing.removing import (
    QUARANTINE,
    Removed,
    RemoveProblem,
    Tombstone,
    forget,
    list_tombstones,
    put_back,
    quarantine,
    quarantined_at,
    remove,
    unexplained,
)

NOW = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
WHY = {"certificate": 17, "rule": "source, 21 days"}


@pytest.fixture
def root(tmp_path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


@pytest.fixture
def run(root) -> Path:
    return write_run(root / "exome" / "150202_NS500318_0047_AH3KLMBGXX")


@pytest.fixture
def outside(tmp_path) -> Path:
    return write_run(tmp_path / "elsewhere")


_listeners: list[Callable[[str, tuple], None]] = []


@pytest.fixture(scope="module")
def _audit_hook() -> None:
    """Python keeps an audit hook for ever, so there is one, with nobody listening between tests."""
    sys.addaudithook(lambda event, arguments: [listen(event, arguments) for listen in [*_listeners]])


@pytest.fixture
def at_each_call(_audit_hook) -> Iterator[list[Callable[[str, tuple], None]]]:
    """What is appended here is called right before each call that opens, names or removes something."""
    yield _listeners
    _listeners.clear()


def write_run(folder: Path) -> Path:
    (folder / "Data" / "L001").mkdir(parents=True)
    (folder / "Thumbnail_Images").mkdir()
    (folder / "RunInfo.xml").write_bytes(b"<RunInfo/>")
    for number in range(5):
        (folder / "Data" / "L001" / f"s_{number}.bcl").write_bytes(b"bases" * 20)
    return folder


def as_proven(folder: Path) -> Callable[[Path], bool]:
    digest = list_folder(folder).digest
    return lambda now: list_folder(now).digest == digest


def always(_folder: Path) -> bool:
    return True


def anything(_inside: str, _status: os.stat_result) -> bool:
    return True


def take(folder: Path, root: Path, looks_like=None) -> Tombstone:
    return quarantine(folder, root, looks_like=looks_like or as_proven(folder), when=NOW, why=WHY)


def state(root: Path) -> list[str]:
    return [stone.state for stone in list_tombstones(root)]


def refused(action: Callable[..., object], *arguments, **options) -> RemoveProblem:
    with pytest.raises(RemoveProblem) as caught:
        action(*arguments, **options)
    assert caught.value.sentence.endswith(".")
    assert caught.value.remedy.endswith(".")
    return caught.value


# ---- the way of a folder ----


def test_a_folder_goes_into_quarantine_is_removed_and_forgotten(run, root):
    proven = as_proven(run)
    stone = take(run, root)
    assert not run.exists()
    assert proven(quarantined_at(stone, root))
    assert list_tombstones(root) == (stone,)
    assert (stone.inside, stone.when, stone.why) == (f"exome/{run.name}", NOW, WHY)
    told: list[tuple[int, int]] = []
    removed = remove(
        stone, root, looks_like=always, is_proven=anything, progress=lambda *done: told.append(done)
    )
    assert removed == Removed(files=6, bytes=510, folders=4)
    assert told == [(0, 0), (6, 510)]
    assert state(root) == ["removed"]
    assert remove(stone, root, looks_like=always, is_proven=anything) == Removed(0, 0, 0)
    forget(stone, root)
    assert (list_tombstones(root), os.listdir(root / QUARANTINE)) == ((), [])
    assert refused(remove, stone, root, looks_like=always, is_proven=anything).code == "gone"


def test_a_folder_is_put_back_as_it_was(run, root):
    run.chmod(0o555)
    before = list_folder(run).stamp
    stone = take(run, root)
    put_back(stone, root)
    put_back(stone, root)
    assert (list_folder(run).stamp, run.stat().st_mode & 0o777) == (before, 0o555)
    assert state(root) == ["in_place"]
    assert refused(remove, stone, root, looks_like=always, is_proven=anything).code == "gone"
    forget(stone, root)
    assert list_tombstones(root) == ()
    assert run.is_dir()


def test_nothing_is_put_back_over_anything(run, root):
    stone = take(run, root)
    run.mkdir()
    assert refused(put_back, stone, root).code == "occupied"
    run.rmdir()
    run.symlink_to("nowhere")
    assert refused(put_back, stone, root).code == "occupied"
    run.unlink()
    run.parent.rmdir()
    assert refused(put_back, stone, root).code == "changed"
    assert state(root) == ["quarantined"]
    run.parent.mkdir()
    put_back(stone, root)
    assert run.is_dir()


def test_a_tombstone_stays_as_long_as_its_folder(run, root):
    stone = take(run, root)
    assert refused(forget, stone, root).code == "occupied"
    assert list_tombstones(root) == (stone,)


def test_a_root_without_quarantine_has_no_tombstones(root):
    assert (list_tombstones(root), unexplained(root)) == ((), ())


def test_what_no_tombstone_explains_is_told_of_and_left_alone(run, root):
    stone = take(run, root)
    yard = root / QUARANTINE
    (yard / "a folder by hand").mkdir()
    (yard / "run.0123456789abcdef.json").write_bytes(b'{"inside": "cut o')
    (yard / "run.0123456789abcdee.json").write_bytes(b'{"inside": "../../etc", "when": "2025-01-01"}\n')
    assert list_tombstones(root) == (stone,)
    assert unexplained(root) == (
        "a folder by hand",
        "run.0123456789abcdee.json",
        "run.0123456789abcdef.json",
    )


def test_a_folder_that_somebody_took_out_of_quarantine_is_missing_not_removed(run, root, tmp_path):
    stone = take(run, root)
    quarantined_at(stone, root).rename(tmp_path / "rescued")
    assert state(root) == ["missing"]
    assert refused(remove, stone, root, looks_like=always, is_proven=anything).code == "gone"
    assert (tmp_path / "rescued" / "RunInfo.xml").exists()


def test_names_of_tombstones_are_plain_whatever_the_folder_is_called(root):
    names = ["-rf", "a\nb", "\udcff", "ö" * 127, "x" * 255, "$(reboot)", ".hidden", "*"]
    stones = [take(write_run(root / name), root) for name in names]
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.[0-9a-f]{16}", stone.id) for stone in stones)
    assert {stone.inside for stone in list_tombstones(root)} == set(names)
    for stone in stones:
        put_back(stone, root)
    assert sorted(os.listdir(root)) == sorted([*names, QUARANTINE])


@pytest.mark.parametrize(
    "id_", ["..", "../../etc/passwd", "a/b.0123456789abcdef", "", "x\0.0123456789abcdef"]
)
def test_promise_49_ids_that_lead_elsewhere_are_refused(id_, run, root):
    stone = take(run, root)
    hostile = Tombstone(id_, stone.inside, NOW, WHY, stone.inode, "quarantined")
    assert refused(remove, hostile, root, looks_like=always, is_proven=anything).code == "gone"


# ---- what is refused ----


def test_promise_32_only_what_lies_below_its_root_goes_into_quarantine(run, root, outside):
    stone = take(write_run(root / "other"), root)
    for folder in (
        root,
        root.parent,
        outside,
        root / ".." / outside.name,
        run / ".." / ".." / ".." / outside.name,
        Path(os.path.relpath(run)),
        root / QUARANTINE,
        quarantined_at(stone, root),
        root / "a\0b",
    ):
        assert refused(take, folder, root, looks_like=always).code == "outside"
    assert (run / "RunInfo.xml").exists()
    assert outside.is_dir()


def test_promise_32_a_folder_reached_through_a_link_is_refused(run, root, outside):
    (root / "link").symlink_to(outside)
    (root / "group").symlink_to(outside.parent)
    (root / "file").touch()
    for folder in (root / "link", root / "group" / outside.name, root / "file", root / "nothing"):
        problem = refused(take, folder, root, looks_like=always)
        assert problem.code == "changed"
        assert "could not be opened" in problem.sentence
    assert (outside / "RunInfo.xml").exists()
    assert not (root / QUARANTINE).exists()


def test_a_root_may_be_reached_through_a_link(run, root, tmp_path):
    (tmp_path / "disk").symlink_to(root)
    stone = take(tmp_path / "disk" / "exome" / run.name, tmp_path / "disk")
    remove(stone, tmp_path / "disk", looks_like=always, is_proven=anything)
    assert state(root) == ["removed"]


def test_promise_32_a_quarantine_that_is_a_link_is_refused(run, root, outside):
    (root / QUARANTINE).symlink_to(outside)
    assert refused(take, run, root).code == "changed"
    assert run.is_dir()


def test_promise_31_a_folder_that_is_not_as_proven_is_not_moved(run, root):
    proven = as_proven(run)
    (run / "Data" / "late.bcl").touch()
    problem = refused(take, run, root, proven)
    assert problem.code == "changed"
    assert str(run) in problem.sentence
    assert run.is_dir()
    assert list_tombstones(root) == ()


def test_promise_31_a_folder_written_to_in_quarantine_is_not_removed(run, root):
    proven = as_proven(run)
    with (run / "RunInfo.xml").open("ab") as writer:  # opened before, as an instrument would have it
        stone = take(run, root, proven)
        writer.write(b"more")
    assert refused(remove, stone, root, looks_like=proven, is_proven=anything).code == "changed"
    assert state(root) == ["quarantined"]
    put_back(stone, root)
    assert (run / "RunInfo.xml").read_bytes().endswith(b"more")


def test_promise_30_a_listing_that_fails_moves_and_removes_nothing(run, root):
    def fails(_folder: Path) -> bool:
        raise ConnectionError("no database")

    proven = as_proven(run)
    with pytest.raises(ConnectionError):
        take(run, root, fails)
    stone = take(run, root)
    with pytest.raises(ConnectionError):
        remove(stone, root, looks_like=fails, is_proven=anything)
    assert list_tombstones(root) == (stone,)
    assert proven(quarantined_at(stone, root))


def test_promise_31_a_folder_exchanged_at_the_last_moment_goes_back_to_its_place(run, root, tmp_path):
    """The exchange is made between the look and the rename, where no order of calls can prevent it."""
    other = write_run(root / "other")
    found = other.stat().st_ino

    def exchange(_folder: Path) -> bool:
        run.rename(tmp_path / "away")
        other.rename(run)
        return True

    assert refused(take, run, root, exchange).code == "changed"
    assert run.stat().st_ino == found
    assert list_tombstones(root) == ()
    assert os.listdir(root / QUARANTINE) == []


def test_promise_31_another_folder_in_quarantine_than_that_of_the_tombstone_is_not_removed(
    run, root, tmp_path
):
    stone = take(run, root)
    place = quarantined_at(stone, root)
    place.rename(tmp_path / "away")
    write_run(place)
    assert refused(remove, stone, root, looks_like=always, is_proven=anything).code == "changed"
    assert refused(put_back, stone, root).code == "changed"
    assert (place / "RunInfo.xml").exists()


# ---- what is removed ----


def test_promise_32_links_go_and_what_they_lead_to_stays(run, root, outside):
    before = list_folder(outside).stamp
    (run / "to_a_folder").symlink_to(outside)
    (run / "to_a_file").symlink_to(outside / "RunInfo.xml")
    (run / "Data" / "up").symlink_to("../../..")
    (run / "nowhere").symlink_to("nothing")
    (run / "itself").symlink_to("itself")
    assert remove(take(run, root), root, looks_like=always, is_proven=anything) == Removed(11, 510, 4)
    assert list_folder(outside).stamp == before
    assert os.listdir(root / "exome") == []


def test_hard_links_elsewhere_keep_their_content_and_free_nothing(run, root, outside):
    os.link(outside / "RunInfo.xml", run / "shared")
    os.link(run / "RunInfo.xml", run / "twice")
    assert remove(take(run, root), root, looks_like=always, is_proven=anything) == Removed(8, 510, 4)
    assert (outside / "RunInfo.xml").read_bytes() == b"<RunInfo/>"


def test_odd_names_and_files_that_are_none_are_removed(run, root):
    for name in (b"\xff\xfe", b"a\nb", b"-rf", b"..a", b" ", b"*", b"x" * 255):
        folder = os.fsencode(run) + b"/" + name
        os.mkdir(folder)
        with open(folder + b"/" + name, "wb"):
            pass
    os.mkfifo(run / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(run)
        server.bind("socket")
        os.chdir(here)
    remove(take(run, root), root, looks_like=always, is_proven=anything)
    assert state(root) == ["removed"]


def test_folders_that_nobody_may_write_or_read_are_removed(run, root, tmp_path):
    run.chmod(0o555)
    (run / "Data").chmod(0o500)
    (run / "Data" / "L001").chmod(0o444)
    (run / "Thumbnail_Images").chmod(0)
    with unreadable(write_run(tmp_path / "other")):  # root too is bound by permission bits meanwhile
        stone = take(run, root, always)
        assert quarantined_at(stone, root).stat().st_mode & 0o777 == 0o555
        assert remove(stone, root, looks_like=always, is_proven=anything) == Removed(6, 510, 4)


def test_a_tree_deeper_than_any_path_is_removed(run, root):
    depth, handle = 3000, os.open(run, os.O_RDONLY)
    for _level in range(depth):
        os.mkdir("d", dir_fd=handle)
        deeper = os.open("d", os.O_RDONLY, dir_fd=handle)
        os.close(handle)
        handle = deeper
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=handle))
    os.close(handle)
    assert remove(take(run, root, always), root, looks_like=always, is_proven=anything) == Removed(
        7, 510, 4 + depth
    )


def test_ten_thousand_files_and_a_thousand_folders_are_removed(run, root):
    for folder in range(1000):
        (run / f"C{folder}.1").mkdir()
        for file in range(10):
            (run / f"C{folder}.1" / f"s_{file}.bcl").touch()
    assert remove(take(run, root), root, looks_like=always, is_proven=anything) == Removed(10_006, 510, 1004)
    assert handles_below(root) == []


def handles_below(folder: Path) -> list[str]:
    """What this process still holds open there; other tests open and close files at the same time."""
    held = []
    for handle in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            held.append(os.readlink(f"/proc/self/fd/{handle}"))
    return [path for path in held if path.startswith(f"{folder}/") or path == str(folder)]


def test_a_removal_that_is_stopped_goes_on_later(run, root):
    stone, asked = take(run, root), iter([False, True])
    problem = refused(remove, stone, root, looks_like=always, is_proven=anything, stop=lambda: next(asked))
    assert problem.code == "stopped"
    assert state(root) == ["half_removed"]
    remove(stone, root, looks_like=always, is_proven=anything)
    assert state(root) == ["removed"]


def test_a_removal_that_is_stopped_before_its_first_file_leaves_a_folder_that_can_be_put_back(run, root):
    stone = take(run, root)
    problem = refused(remove, stone, root, looks_like=always, is_proven=anything, stop=lambda: True)
    assert problem.code == "stopped"
    assert state(root) == ["quarantined"]
    put_back(stone, root)
    assert (run / "RunInfo.xml").exists()


@pytest.mark.parametrize("is_resumed", [False, True])
@pytest.mark.parametrize("late", ["late.bcl", "Data/late.bcl", "Data/L001/s_3.bcl", "empty"])
def test_promise_31_a_name_that_was_not_proven_stays_also_in_what_is_half_removed(
    run, root, late, is_resumed
):
    """It comes after the look at the whole: nothing but the name's own proof can tell."""
    stone = take(run, root)
    left = quarantined_at(stone, root)
    proven = {entry.path: entry.size for entry in list_folder(left).entries}
    if is_resumed:
        asked = iter([False, True])
        refused(remove, stone, root, looks_like=always, is_proven=anything, stop=lambda: next(asked))
    if late == "empty":
        (left / late).mkdir()
    else:
        (left / late).write_bytes(b"nowhere else")

    def is_proven(inside: str, status: os.stat_result) -> bool:
        return proven.get(inside) == (status.st_size if stat.S_ISREG(status.st_mode) else 0)

    problem = refused(remove, stone, root, looks_like=always, is_proven=is_proven)
    assert problem.code == "changed"
    assert str(left / late) in problem.sentence
    assert (left / late).exists()
    assert state(root) == ["half_removed"]


# ---- others at work at the same time ----


def test_two_at_once_do_not_harm_one_another(run, root):
    stone = take(run, root)
    codes = []

    def another(_files: int, _size: int) -> None:
        codes.extend(refused(action, stone, root).code for action in (put_back, forget))
        codes.append(refused(remove, stone, root, looks_like=always, is_proven=anything).code)

    remove(stone, root, looks_like=always, is_proven=anything, progress=another)
    assert set(codes) == {"busy"}
    assert state(root) == ["removed"]


def test_two_that_take_one_folder_at_once_leave_one_tombstone(run, root):
    def another(folder: Path) -> bool:
        take(folder, root, always)
        return True

    assert refused(take, run, root, another).code == "changed"
    assert state(root) == ["quarantined"]


def test_promise_32_a_folder_exchanged_for_a_link_while_it_is_removed_stops_it(run, root, outside, tmp_path):
    before = list_folder(outside).stamp
    stone = take(run, root)
    data = quarantined_at(stone, root) / "Data"

    def exchange(_files: int, _size: int) -> None:
        data.rename(tmp_path / "away")
        data.symlink_to(outside)

    problem = refused(remove, stone, root, looks_like=always, is_proven=anything, progress=exchange)
    assert (problem.code, state(root)) == ("changed", ["half_removed"])
    remove(stone, root, looks_like=always, is_proven=anything)
    assert state(root) == ["removed"]
    assert list_folder(outside).stamp == before
    assert (tmp_path / "away").is_dir()


def test_promise_32_folders_and_links_exchanged_all_the_time_lead_nowhere(run, root, outside):
    before = list_folder(outside).stamp
    for number in range(300):
        (run / "Data" / f"C{number}").mkdir()
        (run / "Data" / f"C{number}" / "s.bcl").touch()
    stone = take(run, root)
    data = quarantined_at(stone, root) / "Data"
    (data / "link").symlink_to(outside)
    is_over, turns = threading.Event(), 0

    def exchange() -> None:
        nonlocal turns
        while not is_over.is_set():
            for name in (f"C{number}" for number in range(0, 300, 7)):
                try:
                    os.rename(data / name, data / "aside")
                    os.rename(data / "link", data / name)
                    os.rename(data / name, data / "link")
                    os.rename(data / "aside", data / name)
                except OSError:
                    return
            turns += 1

    thread = threading.Thread(target=exchange)
    thread.start()
    wait_until(lambda: turns or not thread.is_alive(), "names are exchanged")
    stops = set()
    while state(root) != ["removed"]:
        try:
            remove(stone, root, looks_like=always, is_proven=anything)
        except RemoveProblem as problem:
            stops.add(problem.code)
    is_over.set()
    thread.join()
    assert stops <= {"changed"}
    assert list_folder(outside).stamp == before


def test_promise_32_a_folder_moved_out_while_it_is_removed_stops_it(run, root, tmp_path, at_each_call):
    """What lies in it when it is moved may go, as it was proven; nothing above its new place does."""
    stone = take(run, root)
    beside = write_run(tmp_path / "place")

    def move(event: str, arguments: tuple) -> None:
        if event == "os.remove" and arguments[0] == "s_3.bcl":
            at_each_call.clear()
            (quarantined_at(stone, root) / "Data" / "L001").rename(beside / "moved")

    at_each_call.append(move)
    problem = refused(remove, stone, root, looks_like=always, is_proven=anything)
    assert problem.code == "changed"
    assert "was moved while it was removed" in problem.sentence
    assert sorted(os.listdir(beside)) == ["Data", "RunInfo.xml", "Thumbnail_Images", "moved"]
    remove(stone, root, looks_like=always, is_proven=anything)
    assert state(root) == ["removed"]
    assert (beside / "moved").is_dir()

"""Mounts in a run, other disks, full ones, files that cannot be removed: real ones, for the test."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sequencing.copying import list_folder
from sequencing.removing import (
    QUARANTINE,
    RemoveProblem,
    Tombstone,
    forget,
    list_tombstones,
    put_back,
    quarantine,
    quarantined_at,
    remove,
)

NOW = datetime(2025, 3, 1, tzinfo=UTC)
Mount = Callable[..., Path]


@pytest.fixture
def root(tmp_path) -> Path:
    (tmp_path / "incoming").mkdir()
    return tmp_path / "incoming"


@pytest.fixture
def run(root) -> Path:
    return write_run(root / "run")


@pytest.fixture
def outside(tmp_path) -> Path:
    return write_run(tmp_path / "elsewhere")


def write_run(folder: Path) -> Path:
    (folder / "Data").mkdir(parents=True)
    (folder / "RunInfo.xml").write_bytes(b"<RunInfo/>")
    for number in range(5):
        (folder / "Data" / f"s_{number}.bcl").write_bytes(b"bases")
    return folder


def always(_folder: Path) -> bool:
    return True


def anything(_inside: str, _status: os.stat_result) -> bool:
    return True


def take(folder: Path, root: Path, looks_like=always) -> Tombstone:
    return quarantine(folder, root, looks_like=looks_like, when=NOW, why={})


def refused(action: Callable[..., object], *arguments, **options) -> RemoveProblem:
    with pytest.raises(RemoveProblem) as caught:
        action(*arguments, **options)
    return caught.value


def state(root: Path) -> list[str]:
    return [stone.state for stone in list_tombstones(root)]


@pytest.fixture(params=["tmpfs", "bind", "bind with a space in its name"])
def mount_in(request, mount, outside) -> Callable[[Path], Path]:
    """Mounts another disk, or a folder of the same disk, on a new folder in a run."""

    def mount_in(run: Path) -> Path:
        folder = run / "Data" / request.param
        folder.mkdir()
        if request.param == "tmpfs":
            write_run(mount(folder, "-t", "tmpfs", "tmpfs") / "precious")
        else:
            mount(folder, "--bind", outside)
        return folder

    return mount_in


def test_promise_32_a_folder_with_a_mount_in_it_is_not_moved(run, root, mount_in):
    mounted = mount_in(run)
    before = list_folder(mounted).stamp
    problem = refused(take, run, root)
    assert problem.code == "mounted"
    assert str(mounted) in problem.sentence
    assert list_folder(mounted).stamp == before
    assert state(root) == []


def test_promise_32_a_folder_that_is_a_mount_is_not_moved(run, root, mount, outside):
    (root / "other").mkdir()
    mount(root / "other", "--bind", outside)
    assert refused(take, root / "other", root).code == "other_disk"
    assert refused(take, root / "other" / "Data", root).code == "other_disk"
    assert (outside / "Data" / "s_1.bcl").exists()


def test_promise_32_a_mount_that_appears_in_quarantine_stops_the_removal_before_its_first_file(
    run, root, mount_in
):
    stone = take(run, root)
    mount_in(quarantined_at(stone, root))
    before = list_folder(quarantined_at(stone, root)).stamp
    assert refused(remove, stone, root, looks_like=always, is_proven=anything).code == "mounted"
    assert list_folder(quarantined_at(stone, root)).stamp == before
    assert state(root) == ["quarantined"]


def test_promise_32_a_mount_that_appears_while_the_run_is_removed_is_not_entered(run, root, mount_in):
    stone = take(run, root)
    mounted: list[tuple[Path, str]] = []

    def appear(_files: int, _size: int) -> None:
        if not mounted:
            folder = mount_in(quarantined_at(stone, root))
            mounted.append((folder, list_folder(folder).stamp))

    assert (
        refused(remove, stone, root, looks_like=always, is_proven=anything, progress=appear).code
        == "other_disk"
    )
    assert state(root) == ["half_removed"]
    assert refused(remove, stone, root, looks_like=always, is_proven=anything).code == "mounted"
    ((folder, before),) = mounted
    assert list_folder(folder).files >= 6
    assert list_folder(folder).stamp == before


def test_promise_32_a_file_that_is_mounted_upon_while_the_run_is_removed_stops_it(run, root, mount, outside):
    stone = take(run, root)
    before = list_folder(outside).stamp
    file = quarantined_at(stone, root) / "Data" / "s_1.bcl"

    def appear(_files: int, _size: int) -> None:
        mount(file, "--bind", outside / "RunInfo.xml")

    problem = refused(remove, stone, root, looks_like=always, is_proven=anything, progress=appear)
    assert problem.code == "mounted"
    assert str(file) in problem.sentence
    assert list_folder(outside).stamp == before


def test_promise_30_a_root_whose_disk_is_away_has_nothing_removed(tmp_path, mount):
    (tmp_path / "disk").mkdir()
    root = mount(tmp_path / "disk", "-t", "tmpfs", "tmpfs")
    stone = take(write_run(root / "run"), root)
    with away(root):
        for action in (put_back, forget):
            assert refused(action, stone, root).code == "changed"
        problem = refused(remove, stone, root, looks_like=always, is_proven=anything)
        assert problem.code == "changed"
        assert "No such file or directory" in problem.sentence
        assert os.listdir(root) == []
    assert remove(stone, root, looks_like=always, is_proven=anything).files == 6


@contextmanager
def away(disk: Path) -> Iterator[None]:
    """The disk is mounted elsewhere meanwhile, and an empty folder stands in its place."""
    elsewhere = disk.with_name("away")
    elsewhere.mkdir()
    move(disk, elsewhere)
    yield
    move(elsewhere, disk)


def move(disk: Path, place: Path) -> None:
    subprocess.run(["mount", "--bind", disk, place], check=True)
    subprocess.run(["umount", disk], check=True)


def test_a_disk_without_room_for_a_tombstone_keeps_its_run(tmp_path, mount):
    (tmp_path / "disk").mkdir()
    root = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "nr_inodes=9", "tmpfs")  # the root itself is one
    run = write_run(root / "run")
    problem = refused(take, run, root)
    assert problem.code == "no_space"
    assert os.listdir(root) == ["run"]
    (run / "RunInfo.xml").unlink()  # room for the quarantine, not for the tombstone
    assert refused(take, run, root).code == "no_space"
    assert sorted(os.listdir(root)) == [QUARANTINE, "run"]
    assert state(root) == []


def test_a_disk_that_is_read_only_keeps_its_run(tmp_path, mount):
    (tmp_path / "disk").mkdir()
    root = mount(tmp_path / "disk", "-t", "tmpfs", "tmpfs")
    run = write_run(root / "run")
    stone = take(write_run(root / "other"), root)
    subprocess.run(["mount", "-o", "remount,ro", root], check=True)
    assert refused(take, run, root).code == "io_error"
    problem = refused(remove, stone, root, looks_like=always, is_proven=anything)
    assert (problem.code, state(root)) == ("io_error", ["quarantined"])
    assert "Read-only file system" in problem.sentence


def test_promise_33_a_file_that_may_not_be_removed_stops_it_until_somebody_allows_it(run, root):
    stone = take(run, root)
    file = quarantined_at(stone, root) / "Data" / "s_3.bcl"
    done = subprocess.run(["chattr", "+i", file], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs the right to make a file immutable: {done.stderr.strip()}")
    try:
        problem = refused(remove, stone, root, looks_like=always, is_proven=anything)
    finally:
        subprocess.run(["chattr", "-i", file], check=True)
    assert problem.code == "not_allowed"
    assert str(file) in problem.sentence
    assert "immutable" in problem.remedy
    assert state(root) == ["half_removed"]
    remove(stone, root, looks_like=always, is_proven=anything)
    assert state(root) == ["removed"]


def test_promise_33_a_power_cut_never_shows_a_run_whole_whose_removal_began(tmp_path, mount):
    """What the image holds at a moment is all that a machine without power would find."""
    if not shutil.which("mkfs.ext4"):
        pytest.skip("needs mkfs.ext4")
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
    (tmp_path / "disk").mkdir()
    root = mount(tmp_path / "disk", "-o", "loop", image)
    run = write_run(root / "run")
    os.sync()
    digest = list_folder(run).digest

    def after_a_cut(name: str) -> tuple[Path, Tombstone]:
        shutil.copyfile(image, tmp_path / f"{name}.image")
        (tmp_path / name).mkdir()
        found = mount(tmp_path / name, "-o", "loop", tmp_path / f"{name}.image")
        (stone,) = list_tombstones(found)
        assert not (found / "run").exists()
        return found, stone

    stone = take(run, root)
    found, there = after_a_cut("quarantined")
    assert there == stone
    assert list_folder(quarantined_at(there, found)).digest == digest
    asked = iter([False, True])
    refused(remove, stone, root, looks_like=always, is_proven=anything, stop=lambda: next(asked))
    assert after_a_cut("begun")[1].state == "half_removed"
    remove(stone, root, looks_like=always, is_proven=anything)
    assert after_a_cut("removed")[1].state == "removed"

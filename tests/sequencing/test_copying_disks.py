"""Disks that are full, fail, or hold another byte than memory: small real ones, mounted for the test."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sequencing.copying import (
    CopyProblem,
    check_space,
    copy_verified,
    list_folder,
    manifest_path,
    read_manifest,
    verify,
)

MB = 1_000_000


@pytest.fixture
def image_disk(mount, tmp_path) -> Callable[..., tuple[Path, Path]]:
    """Makes a disk of 64 MB in an image file that itself has room for `size` only; returns both."""
    if not shutil.which("mkfs.ext4"):
        pytest.skip("needs mkfs.ext4")

    def make(name: str, size: str = "80m") -> tuple[Path, Path]:
        image = mount(tmp_path / f"below_{name}", "-t", "tmpfs", "-o", f"size={size}", "tmpfs") / "image"
        with image.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", image], check=True)
        return mount(tmp_path / name, "-o", "loop", str(image)), image

    return make


@pytest.fixture
def run(tmp_path) -> Path:
    return write_run(tmp_path / "incoming" / "run")


def write_run(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in range(20):
        (folder / f"s_{number}.bcl").write_bytes(os.urandom(MB))
    return folder


def refused(source: Path, destination: Path, **options) -> CopyProblem:
    before = list_folder(source).stamp
    with pytest.raises(CopyProblem) as caught:
        copy_verified(source, destination, **{"reserve": 0, **options})
    assert list_folder(source).stamp == before
    assert not destination.exists()
    return caught.value


def test_promise_10_a_disk_with_too_little_room_is_refused_before_the_first_byte(run, mount, tmp_path):
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=19m", "tmpfs")
    told: list[int] = []
    problem = refused(run, disk / "run", progress=lambda done, _total: told.append(done))
    assert (problem.code, told) == ("no_space", [])
    assert problem.sentence == f"{disk}/run needs 20 MB, 20 MB are free: 159 kB are missing."
    assert os.listdir(disk) == []


def test_promise_10_the_reserve_stays_free(run, mount, tmp_path):
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=30m", "tmpfs")
    problem = refused(run, disk / "run", reserve=20 * MB)
    assert problem.code == "no_space"
    assert (
        problem.sentence
        == f"{disk}/run needs 20 MB, 31 MB are free, 20 MB stay reserved: 8.6 MB are missing."
    )
    check_space(disk / "run", 20 * MB, reserve=0)
    assert not copy_verified(run, disk / "run", reserve=0).already_there


def test_promise_10_a_disk_that_fills_up_meanwhile_gets_no_final_name_and_a_clear_word(run, mount, tmp_path):
    """Somebody else writes while we do: here the room for names ends, which no figure of bytes tells of."""
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=60m,nr_inodes=15", "tmpfs")
    problem = refused(run, disk / "run")
    assert (problem.code, os.listdir(disk)) == ("no_space", [])
    assert f"{disk}/run/s_" in problem.sentence
    assert "No space left on device" in problem.sentence
    assert "Make room" in problem.remedy


def test_promise_10_a_write_that_finds_no_room_gets_no_final_name(run, mount, tmp_path):
    disk = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=24m", "tmpfs")
    (disk / "neighbour").write_bytes(bytes(10 * MB))
    problem = refused(run, disk / "run", reserve=-10 * MB)
    assert (problem.code, os.listdir(disk)) == ("no_space", ["neighbour"])


def test_promise_10_an_error_that_shows_at_sync_only_gets_no_final_name(run, image_disk):
    disk, _image = image_disk("disk", size="12m")
    problem = refused(run, disk / "run")
    assert problem.code in {"no_space", "io_error"}
    assert f"{disk}/" in problem.sentence


def test_promise_10_a_source_that_cannot_be_read_to_its_end_gets_no_copy(image_disk, tmp_path):
    disk, image = image_disk("disk")
    write_run(disk / "run")
    subprocess.run(["umount", disk], check=True)
    subprocess.run(["mount", "-o", "loop,ro", image, disk], check=True)
    with image.open("r+b") as file:
        file.truncate(12 << 20)
    with pytest.raises(CopyProblem) as caught:
        copy_verified(disk / "run", tmp_path / "copy", reserve=0)
    assert caught.value.code == "io_error"
    assert "Input/output error" in caught.value.sentence
    assert sorted(path.name for path in tmp_path.glob("*copy*")) == []


def test_promise_11_a_byte_that_is_wrong_on_the_disk_and_right_in_memory_is_found(run, image_disk):
    disk, image = image_disk("disk")
    mark = b"a mark that is found again on the disk"
    (run / "s_7.bcl").write_bytes(mark.ljust(MB, b"."))
    made = copy_verified(run, disk / "run", reserve=0)
    (disk / "run" / "s_7.bcl").read_bytes()  # now memory holds it
    position = image.read_bytes().index(mark)
    with image.open("r+b") as file:
        file.seek(position)
        file.write(b"A")
    assert (disk / "run" / "s_7.bcl").read_bytes().startswith(mark)
    assert verify(disk / "run", made.manifest) == ("s_7.bcl has another content",)


def test_promise_09_a_copy_outlives_a_power_cut_right_after_its_end(run, image_disk, mount, tmp_path):
    """What the image holds at that moment is all that a machine without power would find."""
    disk, image = image_disk("disk")
    (run / "Data").mkdir()
    (run / "s_1.bcl").rename(run / "Data" / "s_1.bcl")
    copy_verified(run, disk / "run", reserve=0)
    shutil.copyfile(image, tmp_path / "after_the_cut")
    found = mount(tmp_path / "found", "-o", "loop", str(tmp_path / "after_the_cut"))
    assert verify(found / "run", read_manifest(manifest_path(found / "run"))) == ()

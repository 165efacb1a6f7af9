"""What a verified copy holds, when it is refused, and that nothing it was told not to touch is touched."""

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest
from ordinary_user import unreadable

from sequencing.copying import (
    CopyProblem,
    Entry,
    Manifest,
    copy_verified,
    list_folder,
    manifest_path,
    read_manifest,
    restore,
    verify,
)

MTIME_NS = 1_700_000_000_123_456_789


def write(path: Path, content: bytes = b"bases", mtime_ns: int = MTIME_NS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


@pytest.fixture
def run(tmp_path) -> Path:
    """A run folder with a nested folder, an empty one, an empty file and one of several buffers."""
    folder = tmp_path / "incoming" / "run"
    write(folder / "RunInfo.xml", b"<RunInfo/>").chmod(0o640)
    write(folder / "Data/L001/s_1.bcl", os.urandom(3_000_001))
    write(folder / "Data/L001/s_2.bcl", os.urandom(4096))
    write(folder / "RTAComplete.txt", b"")
    (folder / "Thumbnail_Images").mkdir()
    return folder


@pytest.fixture
def backup(tmp_path) -> Path:
    """Where the copy is to stand."""
    (tmp_path / "backup").mkdir()
    return tmp_path / "backup" / "run"


def copy(source: Path, destination: Path, **options):
    return copy_verified(source, destination, **{"reserve": 0, "threads": 2, **options})


def refused(source: Path, destination: Path, **options) -> CopyProblem:
    with pytest.raises(CopyProblem) as caught:
        copy(source, destination, **options)
    assert caught.value.sentence
    assert caught.value.remedy
    return caught.value


def content(folder: Path) -> dict[str, object]:
    """All that lies in a folder, each file with its content, time and mode; read by other means than ours."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else (path.is_file() and path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode)
        for path in folder.rglob("*")
    }


def left_behind(destination: Path) -> list[str]:
    return sorted(os.listdir(destination.parent))


def flip_a_byte(path: Path, position: int = 0) -> None:
    """Change a file as a failing disk does: same size, same time."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


class Once:
    """A `progress` that does something in the middle of the copy, at the call of that number."""

    def __init__(self, act, call: int = 1) -> None:
        self.act, self.waits = act, call

    def __call__(self, _done: int, _total: int) -> None:
        self.waits -= 1
        if self.waits == 0:
            self.act()


AFTER_COPYING, AFTER_READING_BACK = 1, 2  # small runs tell of their progress at the end of each stage only


# ---- a copy ----


def test_a_copy_is_as_its_source_in_names_contents_times_and_modes(run, backup):
    made = copy(run, backup)
    assert content(backup) == content(run)
    assert (made.folder, made.already_there, made.remarks) == (backup, False, ())
    assert (made.manifest.files, made.manifest.bytes) == (4, 3_004_107)
    assert left_behind(backup) == ["run", "run.manifest.tsv"]


def test_folders_keep_their_times_and_modes_even_where_nobody_may_write(run, backup):
    for folder in (run, run / "Data"):
        folder.chmod(0o555)
        os.utime(folder, ns=(MTIME_NS, MTIME_NS))
    copy(run, backup)
    for folder in (backup, backup / "Data"):
        assert (stat.S_IMODE(folder.stat().st_mode), folder.stat().st_mtime_ns) == (0o555, MTIME_NS)


@pytest.mark.parametrize("algorithm", ["xxh3_128", "sha256"])
def test_the_manifest_beside_the_copy_names_every_file_with_its_hash(run, backup, algorithm):
    made = copy(run, backup, algorithm=algorithm)
    manifest = read_manifest(manifest_path(backup))
    assert manifest == made.manifest
    assert manifest.algorithm == algorithm
    assert {entry.path for entry in manifest.entries} == content(run).keys()
    assert all(entry.hash for entry in manifest.entries if entry.kind == "file")


def test_progress_counts_each_byte_as_copied_and_as_read_back(run, backup):
    told: list[tuple[int, int]] = []
    copy(run, backup, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (2 * 3_004_107, 2 * 3_004_107)
    assert told == sorted(told)


def test_a_copy_that_is_stopped_leaves_nothing(run, backup):
    assert refused(run, backup, stop=lambda: True).code == "stopped"
    assert left_behind(backup) == []


def test_a_folder_is_never_copied_into_itself_nor_over_itself(run, tmp_path):
    before = content(run)
    (tmp_path / "link").symlink_to(run)
    for destination in (run, run / "copy", run.parent, tmp_path / "link" / "copy"):
        assert refused(run, destination).code == "unsafe"
    assert content(run) == before


def test_a_place_whose_disk_is_not_mounted_is_refused_and_not_made(run, tmp_path):
    problem = refused(run, tmp_path / "not_mounted" / "run")
    assert (problem.code, (tmp_path / "not_mounted").exists()) == ("io_error", False)
    assert str(tmp_path / "not_mounted") in problem.sentence


# ---- listings ----


def test_promise_04_listings_are_equal_exactly_where_names_sizes_and_times_are(run):
    before = list_folder(run)
    assert list_folder(run).digest == before.digest
    assert (before.files, before.bytes) == (4, 3_004_107)

    def changed(act) -> bool:
        act()
        listing = list_folder(run)
        is_changed = listing.digest != changed.last
        changed.last = listing.digest
        return is_changed

    changed.last = before.digest
    assert changed(lambda: write(run / "Data/L001/s_2.bcl", b"longer" * 1000))
    assert changed(lambda: os.utime(run / "RunInfo.xml", ns=(0, MTIME_NS + 1)))
    assert changed(lambda: (run / "RTAComplete.txt").rename(run / "CopyComplete.txt"))
    assert changed(lambda: (run / "empty").mkdir())
    assert changed(lambda: (run / "link").symlink_to("RunInfo.xml"))
    assert not changed(lambda: os.utime(run / "Data"))


def test_promise_04_a_file_written_anew_with_its_old_size_and_time_has_another_stamp(run):
    before = list_folder(run)
    flip_a_byte(run / "Data/L001/s_2.bcl")
    after = list_folder(run)
    assert after.digest == before.digest
    assert after.stamp != before.stamp


def test_a_listing_says_at_each_folder_that_it_is_alive(run):
    folders = []
    list_folder(run, alive=lambda: folders.append(1))
    assert len(folders) == 4


# ---- a destination that is there already ----


def test_promise_07_a_folder_of_other_content_is_a_conflict_and_nothing_is_touched(run, backup):
    copy(run, backup)
    write(run / "Data/L001/s_2.bcl", os.urandom(4096))
    before, manifest = content(backup), manifest_path(backup).read_bytes()
    problem = refused(run, backup)
    assert problem.code == "conflict"
    assert "Data/L001/s_2.bcl has another content" in problem.sentence
    assert (content(backup), manifest_path(backup).read_bytes()) == (before, manifest)
    assert left_behind(backup) == ["run", "run.manifest.tsv"]


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere")])
def test_promise_07_whatever_stands_at_the_final_name_without_a_manifest_stays(run, backup, make):
    make(backup)
    before = backup.lstat()
    assert refused(run, backup).code == "conflict"
    assert backup.lstat() == before


def test_promise_07_equal_content_is_recognised_as_done(run, backup):
    made = copy(run, backup)
    os.utime(run / "RunInfo.xml")
    before = content(backup)
    again = copy(run, backup, algorithm="sha256")
    assert (again.already_there, again.manifest) == (True, made.manifest)
    assert content(backup) == before


def test_promise_07_a_manifest_whose_copy_was_moved_away_is_not_overwritten(run, backup):
    copy(run, backup)
    backup.rename(backup.with_name("moved"))
    manifest = manifest_path(backup).read_bytes()
    write(run / "RunInfo.xml", b"another run")
    assert refused(run, backup).code == "conflict"
    assert manifest_path(backup).read_bytes() == manifest
    assert left_behind(backup) == ["moved", "run.manifest.tsv"]


# ---- damage and change ----


@pytest.mark.parametrize("position", [0, 1_048_576, 3_000_000])
def test_promise_11_a_flipped_byte_of_a_copy_is_found(run, backup, position):
    made = copy(run, backup)
    assert verify(backup, made.manifest) == ()
    flip_a_byte(backup / "Data/L001/s_1.bcl", position)
    assert verify(backup, made.manifest) == ("Data/L001/s_1.bcl has another content",)


def test_promise_11_a_byte_flipped_between_writing_and_reading_back_is_found(run, backup):
    partial = backup.with_name(".run.partial")
    problem = refused(run, backup, progress=Once(lambda: flip_a_byte(partial / "RunInfo.xml"), AFTER_COPYING))
    assert problem.code == "damaged"
    assert "RunInfo.xml has another content" in problem.sentence
    assert left_behind(backup) == []


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda copied: (copied / "RunInfo.xml").unlink(), "RunInfo.xml is missing"),
        (lambda copied: write(copied / "more"), "more is not in the manifest"),
        (lambda copied: write(copied / "RunInfo.xml", b""), "RunInfo.xml has 0 bytes and not 10"),
        (lambda copied: (copied / "Thumbnail_Images").rmdir(), "Thumbnail_Images is missing"),
    ],
)
def test_promise_11_what_is_missing_too_much_or_cut_off_in_a_copy_is_found(run, backup, harm, sentence):
    made = copy(run, backup)
    harm(backup)
    assert verify(backup, made.manifest) == (sentence,)


@pytest.mark.parametrize("when", [AFTER_COPYING, AFTER_READING_BACK])
@pytest.mark.parametrize(
    "change",
    [
        lambda run: (run / "RunInfo.xml").open("ab").write(b"more"),
        lambda run: flip_a_byte(run / "Data/L001/s_2.bcl"),
        lambda run: write(run / "Data/L002/s_1.bcl"),
        lambda run: (run / "RTAComplete.txt").unlink(),
        lambda run: (run / "Thumbnail_Images").rmdir(),
        lambda run: os.utime(run / "RunInfo.xml"),
    ],
)
def test_promise_12_a_source_that_changes_during_the_copy_is_never_verified(run, backup, change, when):
    problem = refused(run, backup, progress=Once(lambda: change(run), when))
    assert (problem.code, left_behind(backup)) == ("source_changed", [])
    assert not copy(run, backup).already_there
    assert content(backup) == content(run)


def test_promise_12_a_source_that_changes_while_it_is_recognised_is_not_verified(run, backup):
    copy(run, backup)
    progress = Once(lambda: write(run / "RunInfo.xml", b"<RunInf0/>"))
    assert refused(run, backup, progress=progress).code == "source_changed"


def test_promise_12_a_copy_that_changes_while_it_is_read_is_not_verified(run, backup):
    """What was read first proves nothing of what is written there meanwhile, with its old time."""
    made = copy(run, backup)
    harm = iter([lambda: flip_a_byte(backup / "RunInfo.xml")])
    with pytest.raises(CopyProblem) as caught:
        verify(backup, made.manifest, progress=lambda *_done: next(harm, lambda: None)())
    assert caught.value.code == "source_changed"


def test_some_names_can_be_left_out_of_a_verification_and_no_others(run, backup):
    made = copy(run, backup)
    flip_a_byte(backup / "RunInfo.xml")
    write(backup / "notes.txt")
    assert verify(backup, made.manifest, but={"RunInfo.xml", "notes.txt"}) == ()
    assert verify(backup, made.manifest, but={"RunInfo.xml"}) == ("notes.txt is not in the manifest",)
    flip_a_byte(backup / "Data/L001/s_2.bcl")
    assert len(verify(backup, made.manifest, but={"RunInfo.xml", "notes.txt"})) == 1


def test_promise_13_an_empty_source_is_never_backed_up(tmp_path, backup):
    (tmp_path / "empty" / "Data").mkdir(parents=True)
    assert refused(tmp_path / "empty", backup).code == "empty"
    assert left_behind(backup) == []


def test_promise_13_an_empty_manifest_or_folder_or_a_missing_hash_is_never_equal(run, backup, tmp_path):
    made = copy(run, backup)
    (tmp_path / "empty").mkdir()
    assert verify(tmp_path / "empty", Manifest("xxh3_128", ()))
    assert verify(tmp_path / "empty", made.manifest)
    assert verify(backup, Manifest("xxh3_128", ()))
    without = tuple(entry._replace(hash="") for entry in made.manifest.entries)
    assert "RunInfo.xml has no hash to compare" in verify(backup, Manifest("xxh3_128", without))


def test_promise_14_a_failed_verification_leaves_the_older_copy_as_it_is(run, backup):
    copy(run, backup)
    flip_a_byte(backup / "RunInfo.xml")
    before, manifest = content(backup), manifest_path(backup).read_bytes()
    assert refused(run, backup).code == "damaged"
    assert (content(backup), manifest_path(backup).read_bytes()) == (before, manifest)


# ---- odd sources ----


def test_promise_15_links_are_copied_as_links_and_never_followed(run, backup, tmp_path):
    secret = write(tmp_path / "outside" / "secret", b"secret")
    (run / "inside").symlink_to("Data/L001/s_1.bcl")
    (run / "Data" / "up").symlink_to("../RunInfo.xml")
    (run / "out").symlink_to(secret.parent)
    (run / "Data" / "out").symlink_to("../../secret")
    (run / "nowhere").symlink_to("nothing")
    made = copy(run, backup)
    assert content(backup) == content(run)
    assert [remark.split()[0] for remark in made.remarks] == ["out", "Data/out"]
    assert {entry.target for entry in made.manifest.entries if entry.path == "out"} == {str(secret.parent)}
    assert not verify(backup, made.manifest)
    (backup / "inside").unlink()
    (backup / "inside").symlink_to("RunInfo.xml")
    assert verify(backup, made.manifest) == ("inside leads to RunInfo.xml and not to Data/L001/s_1.bcl",)


def test_promise_15_a_folder_exchanged_for_a_link_during_the_copy_is_not_followed(run, backup, tmp_path):
    write(tmp_path / "outside" / "s_1.bcl", b"secret")

    def exchange() -> None:
        shutil.rmtree(run / "Data" / "L001")
        (run / "Data" / "L001").symlink_to(tmp_path / "outside")

    copy(run, backup)
    assert refused(run, backup, progress=Once(exchange)).code == "source_changed"
    assert refused(run / "Data" / "L001", backup.with_name("other")).code == "source_changed"


@pytest.mark.parametrize(
    "name", [b"tab\there", b"line\nbreak", b"\xff\xfe", "Ü ☃".encode(), b"back\\slash", b"-rf", b" "]
)
def test_promise_15_odd_names_are_copied_and_recorded_faithfully(run, backup, name):
    path = os.path.join(os.fsencode(run), b"Data", name)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
    made = copy(run, backup)
    assert content(backup) == content(run)
    assert read_manifest(manifest_path(backup)) == made.manifest
    assert f"Data/{os.fsdecode(name)}" in {entry.path for entry in made.manifest.entries}
    assert len(made.remarks) == (not os.fsdecode(name).isprintable())


def test_promise_15_fifos_sockets_and_devices_are_told_of_and_never_opened(run, backup):
    os.mkfifo(run / "Data" / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(run)  # the name of a socket may have 107 bytes
        server.bind("socket")
        os.chdir(here)
    problem = refused(run, backup)
    assert problem.code == "unsafe"
    assert "Data/fifo" in problem.sentence
    assert "socket" in problem.sentence
    assert left_behind(backup) == []


@pytest.mark.parametrize("place", ["Data/L001", "RunInfo.xml"])
def test_promise_15_what_cannot_be_read_is_named_and_nothing_is_copied(run, backup, place):
    with unreadable(run / place):
        assert [path for path, _why in list_folder(run).problems] == [place]
        problem = refused(run, backup)
    assert (problem.code, left_behind(backup)) == ("unreadable", [])
    assert place in problem.sentence


def test_promise_15_hard_links_are_copied_as_files(run, backup):
    os.link(run / "RunInfo.xml", run / "Data" / "same")
    copy(run, backup)
    assert content(backup) == content(run)


def test_promise_15_deep_folders_are_copied_and_too_deep_ones_told_of(run, backup):
    deep = "/".join(["d" * 9] * 90)
    write(run / deep / "file")
    copy(run, backup)
    assert content(backup) == content(run)
    write(run / deep / ("e" * 200) / "file")
    assert refused(run, backup.with_name("other")).code == "unreadable"


# ---- restoring ----


def test_promise_16_restoring_gives_the_manifest_exactly(run, backup):
    (run / "link").symlink_to("RunInfo.xml")
    made = copy(run, backup)
    before = content(run)
    os.utime(backup / "RunInfo.xml")  # somebody has touched the backup since; its content is still right
    shutil.rmtree(run)
    restored = restore(backup, run, reserve=0)
    assert content(run) == before
    assert restored.manifest == made.manifest
    assert left_behind(run) == ["run"]
    again = copy(run, backup.with_name("again"))
    assert again.manifest == made.manifest


def test_promise_16_a_damaged_backup_is_not_restored(run, backup, tmp_path):
    copy(run, backup)
    flip_a_byte(backup / "RunInfo.xml")
    with pytest.raises(CopyProblem, match=r"RunInfo\.xml has another content") as caught:
        restore(backup, tmp_path / "restored", reserve=0)
    assert caught.value.code == "damaged"
    assert not (tmp_path / "restored").exists()


def test_promise_16_restoring_twice_is_restoring_once_and_never_over_something_else(run, backup):
    copy(run, backup)
    assert restore(backup, run, reserve=0).already_there
    write(run / "RunInfo.xml", b"changed since")
    before = content(run)
    with pytest.raises(CopyProblem) as caught:
        restore(backup, run, reserve=0)
    assert (caught.value.code, content(run)) == ("conflict", before)


@pytest.mark.parametrize("keep", [0, 20, 100, -1])
def test_promise_13_a_manifest_that_is_cut_off_is_not_believed(run, backup, keep):
    copy(run, backup)
    manifest_path(backup).write_bytes(manifest_path(backup).read_bytes()[:keep])
    with pytest.raises(CopyProblem) as caught:
        read_manifest(manifest_path(backup))
    assert caught.value.code == "damaged"
    assert refused(run, backup).code == "damaged"


def test_promise_13_a_manifest_that_was_changed_is_not_believed(run, backup):
    copy(run, backup)
    text = manifest_path(backup).read_bytes()
    manifest_path(backup).write_bytes(text.replace(b"RunInfo", b"RunInf0"))
    with pytest.raises(CopyProblem, match="cut or changed"):
        read_manifest(manifest_path(backup))


@pytest.mark.parametrize("path", ["../up", "/etc/passwd", "a/../../b", "", ".", "a//b", "nul\0"])
def test_promise_49_a_manifest_that_leads_out_of_its_folder_is_refused(tmp_path, path):
    from sequencing.copying.places import write_manifest

    manifest = Manifest("xxh3_128", (Entry(path, "file", 1, 0, 0o644, "", "0" * 32),))
    write_manifest(manifest, tmp_path / "evil.tsv")
    with pytest.raises(CopyProblem, match="cannot be right"):
        read_manifest(tmp_path / "evil.tsv")

"""What a walk of a disk lists, what it passes over and says so, and when it must not be believed."""

import errno
import os
import re
import signal
from pathlib import Path

import pytest
from ordinary_user import unreadable

from sequencing.disk import (
    NO_FIGURE,
    DiskError,
    discover,
    identify_root,
    look_at_lines,
    printable,
    read_metadata,
    run_folders,
    run_listing,
    walk_run,
    walkers,
)
from sequencing.disk.find_script import run_find_script
from sequencing.disk.walker_process import walk_here
from sequencing.disk.walkers import start_walker, walk_runs

SKIP = ".skip"
RUN = "260302_M00879_0031_000000000-ABCDE"


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def touch_odd(folder: Path, name: bytes) -> None:
    """A file whose name is these bytes."""
    os.close(os.open(os.fsencode(folder) + b"/" + name, os.O_CREAT | os.O_WRONLY))


def found(root: Path, **options):
    return discover(str(root), skip_marker=SKIP, **options)


def runs_in(root: Path, **options) -> dict[str, str]:
    return {os.path.relpath(folder, root): skipped for folder, skipped in found(root, **options).runs}


def fastqs(run: Path, **options) -> list[str]:
    return [file.path for file in walk_run(str(run), **options).found("fastq")]


# ---- finding run folders ----


def test_runs_are_found_in_groups_by_their_names_in_order(tmp_path):
    for place in ("zoo", "exome/2026", "exome", "."):
        (tmp_path / place / RUN).mkdir(parents=True)
    assert list(runs_in(tmp_path)) == [RUN, f"exome/2026/{RUN}", f"exome/{RUN}", f"zoo/{RUN}"]


@pytest.mark.parametrize("name", ["RunInfo.xml", "RunParameters.xml", "runParameters.xml", "SampleSheet.csv"])
def test_a_folder_of_any_name_is_a_run_where_a_runs_own_files_stand(tmp_path, name):
    touch(tmp_path / "exome" / "the good one" / name)
    assert list(runs_in(tmp_path)) == ["exome/the good one"]


@pytest.mark.parametrize(
    "run",
    [
        f"exome/{RUN}/Data/x",
        f"exome/2026/{RUN}/Data/x",
        f"exome/2026/spring/{RUN}/Data/x",
        "exome/renamed/RunInfo.xml",
        "exome/2026/renamed/RunParameters.xml",
    ],
)
def test_a_sheet_lying_about_in_a_group_does_not_hide_the_runs_below(tmp_path, run):
    touch(tmp_path / "exome" / "SampleSheet_template.csv", tmp_path / run, tmp_path / "SampleSheet.csv")
    (tmp_path / "exome" / "beside").mkdir()
    assert list(runs_in(tmp_path)) == [re.sub("/(Data/x|Run.*xml)$", "", run)]


def test_promise_37_a_sheet_hides_no_runs_in_a_group_that_cannot_be_read(tmp_path):
    touch(tmp_path / "exome" / "SampleSheet.csv")
    (tmp_path / "exome" / "2026" / RUN).mkdir(parents=True)
    with unreadable(tmp_path / "exome" / "2026"):
        discovery = found(tmp_path)
    assert (discovery.runs, discovery.unreadable) == ((), (f"{tmp_path}/exome/2026",))


@pytest.mark.parametrize(
    "copy",
    [
        "4_QC/sequencing_stats",
        "Reports",
        "0_fastq/Reports",
        "Data/Intensities/BaseCalls/Reports",
        "a/Reports",
    ],
)
def test_a_copy_of_run_info_that_belongs_to_a_run_does_not_divide_it(tmp_path, copy):
    touch(tmp_path / "exome/renamed/SampleSheet.csv", tmp_path / "exome/renamed" / copy / "RunInfo.xml")
    assert list(runs_in(tmp_path)) == ["exome/renamed"]


def test_a_root_that_is_itself_a_run_folder_is_told_of_and_taken_for_no_archive(tmp_path):
    root = tmp_path / RUN
    touch(root / "RunInfo.xml", root / "Data" / "a_R1.fastq.gz")
    discovery = found(root)
    assert discovery.runs == ()
    assert (str(root), "is itself a run folder; the archive is the folder above it") in discovery.oddities


def test_promise_8_a_folder_that_is_no_run_is_listed_once_and_not_each_of_its_folders(tmp_path):
    (tmp_path / "exome" / RUN).mkdir(parents=True)
    (tmp_path / "exome" / "notes").mkdir()
    (tmp_path / "letters" / "2026" / "may").mkdir(parents=True)
    assert found(tmp_path).without_run == (f"{tmp_path}/exome/notes", f"{tmp_path}/letters")


def test_snapshots_and_lost_and_found_are_no_folders_of_runs(tmp_path):
    for name in (".snapshot", "lost+found"):
        (tmp_path / name / RUN).mkdir(parents=True)
    assert found(tmp_path) == run_folders.Discovery((), (), (), ())


def test_a_marker_skips_all_under_its_folder_and_nothing_beside_it(tmp_path):
    for place in ("exome/2026", "exome", "cardio"):
        (tmp_path / place / RUN).mkdir(parents=True)
    touch(tmp_path / "exome" / SKIP)
    reason = f"{SKIP} in {tmp_path}/exome"
    assert runs_in(tmp_path) == {f"cardio/{RUN}": "", f"exome/{RUN}": reason, f"exome/2026/{RUN}": reason}


def test_promise_37_a_link_in_a_group_is_told_and_what_it_leads_to_was_not_looked_at(tmp_path):
    (tmp_path / "elsewhere" / RUN).mkdir(parents=True)
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "exome").symlink_to(tmp_path / "elsewhere")
    (archive / "genome").symlink_to(tmp_path / "not mounted")
    touch(tmp_path / "notes")
    (archive / "notes").symlink_to(tmp_path / "notes")
    (archive / ".#lock").symlink_to("somebody@somewhere")
    discovery = found(archive)
    assert discovery.runs == ()
    assert sorted(discovery.oddities) == [
        (f"{archive}/exome", "is a link to a folder; links are not followed"),
        (f"{archive}/genome", "is a link that leads nowhere"),
    ]
    assert sorted(discovery.unreadable) == [f"{archive}/exome", f"{archive}/genome"]


def test_promise_37_a_link_of_undecodable_name_in_a_group_is_told_in_plain_text(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", os.fsencode(tmp_path) + b"/ex\xffome")
    assert found(tmp_path).oddities == ((f"{tmp_path}/ex\\udcffome", run_folders.IS_A_LINK),)


def test_what_lies_in_a_run_is_told_by_the_walk_of_that_run_alone(tmp_path):
    touch(tmp_path / "exome/renamed/RunInfo.xml")
    (tmp_path / "exome/renamed/0_fastq").symlink_to("/nowhere")
    assert found(tmp_path).oddities == ()


def test_very_many_folders_without_run_are_found_at_once(tmp_path):
    for number in range(2000):
        (tmp_path / f"letter{number:04}").mkdir()
    looked_at = []
    discovery = found(tmp_path, alive=lambda: looked_at.append(1))
    assert len(discovery.without_run) == 2000
    assert len(looked_at) == 2001


def test_promise_37_an_unreadable_group_is_told_and_the_others_are_found(tmp_path):
    for group in ("exome", "zoo"):
        (tmp_path / group / RUN).mkdir(parents=True)
    with unreadable(tmp_path / "exome"):
        discovery = found(tmp_path)
    assert discovery.runs == ((f"{tmp_path}/zoo/{RUN}", ""),)
    assert discovery.unreadable == (f"{tmp_path}/exome",)
    assert discovery.without_run == ()


def test_promise_37_a_group_of_undecodable_name_is_told(tmp_path):
    os.makedirs(os.fsencode(tmp_path) + b"/ex\xffome/" + RUN.encode())
    assert found(tmp_path).oddities == ((f"{tmp_path}/ex\\udcffome", run_folders.ODD_NAME),)


class Stale:
    """A server that says so many times that its handle of a folder is stale."""

    def __init__(self, really_open, name: str, times: int) -> None:
        self.really_open, self.name, self.times = really_open, name, times

    def __call__(self, path, *args, **options):
        if str(path).rstrip("/").endswith(self.name) and self.times:
            self.times -= 1
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return self.really_open(path, *args, **options)


def test_a_stale_handle_of_a_group_is_looked_at_once_more(tmp_path, monkeypatch):
    (tmp_path / "exome" / RUN).mkdir(parents=True)
    monkeypatch.setattr(os, "scandir", Stale(os.scandir, "exome", times=1))
    assert list(runs_in(tmp_path)) == [f"exome/{RUN}"]
    os.scandir.times = 2
    with pytest.raises(DiskError, match="exome: Stale file handle"):
        found(tmp_path)


def test_a_stale_handle_in_a_run_is_looked_at_once_more_and_nothing_listed_twice(tmp_path, monkeypatch):
    touch(tmp_path / "a_R1.fastq.gz", tmp_path / "0_fastq/b_R1.fastq.gz")
    monkeypatch.setattr(os, "open", Stale(os.open, "0_fastq", times=1))
    assert fastqs(tmp_path) == ["0_fastq/b_R1.fastq.gz", "a_R1.fastq.gz"]


# ---- roots ----


def test_promise_5_a_root_that_cannot_be_read_is_an_error_of_the_disk(tmp_path):
    a_file, a_loop = tmp_path / "file", tmp_path / "loop"
    a_file.touch()
    a_loop.symlink_to(a_loop)
    for root in (tmp_path / "nowhere", a_file, a_loop, tmp_path / ("x" * 300)):
        with pytest.raises(DiskError, match=str(root)):
            identify_root(str(root))
        with pytest.raises(DiskError):
            found(root)
    with unreadable(tmp_path), pytest.raises(DiskError, match="Permission denied"):
        identify_root(str(tmp_path))


def test_a_root_is_known_by_its_device_and_its_sentinel(tmp_path):
    assert identify_root(str(tmp_path)) == run_folders.RootIdentity(os.stat(tmp_path).st_dev, False)
    touch(tmp_path / ".seqauto_root")
    assert identify_root(str(tmp_path)).has_sentinel
    assert identify_root("/proc").device != os.stat(tmp_path).st_dev


# ---- listing one run ----


def test_a_run_lists_the_files_a_scan_knows_with_size_and_time_and_no_others(tmp_path):
    touch(tmp_path / "0_fastq/b_R1.fastq.gz", tmp_path / "0_fastq/a_R1.fastq.gz", tmp_path / "notes.txt")
    touch(tmp_path / "RunInfo.xml", tmp_path / "4_QC/RTAComplete.txt", tmp_path / "SampleSheet.csv")
    os.utime(tmp_path / "RunInfo.xml", ns=(1, 1_700_000_000_123_456_789))
    listing = walk_run(str(tmp_path))
    assert listing.lines["run_info"] == f"{tmp_path}/RunInfo.xml\t1\t1700000000123456789\n"
    assert [file.path for file in listing.found("fastq")] == [
        "0_fastq/a_R1.fastq.gz",
        "0_fastq/b_R1.fastq.gz",
    ]
    assert sorted(listing.lines) == ["fastq", "marker", "run_info", "sample_sheet"]


def test_base_calls_are_not_walked_but_fastqs_beside_them_are_found(tmp_path):
    calls = tmp_path / "Data/Intensities/BaseCalls"
    touch(calls / "L001/C1.1/a_R1.fastq.gz", tmp_path / "InterOp/a_R1.fastq.gz", calls / "a_R1.fastq.gz")
    assert fastqs(tmp_path) == ["Data/Intensities/BaseCalls/a_R1.fastq.gz"]


def test_a_run_with_a_skip_marker_is_skipped_with_its_reason(tmp_path):
    touch(tmp_path / SKIP, tmp_path / "a_R1.fastq.gz")
    listing = walk_run(str(tmp_path), skip_marker=SKIP)
    assert (listing.skipped, listing.lines) == (f"{SKIP} in the run folder", {})
    assert walk_run(str(tmp_path), skip_marker=".other").skipped == ""


def test_a_link_to_a_file_counts_as_the_file_it_leads_to(tmp_path):
    (tmp_path / "store").write_bytes(b"12345")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a_R1.fastq.gz").symlink_to(tmp_path / "store")
    (file,) = walk_run(str(tmp_path / "run")).found("fastq")
    assert (file.path, file.size) == ("a_R1.fastq.gz", 5)


def test_promise_37_a_link_to_a_folder_inside_a_run_is_told_and_its_files_were_not_looked_at(tmp_path):
    touch(tmp_path / "store" / "a_R1.fastq.gz")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "0_fastq").symlink_to(tmp_path / "store")
    listing = walk_run(str(tmp_path / "run"))
    assert listing.lines == {}
    assert listing.oddities == (("0_fastq", "is a link to a folder; links are not followed"),)
    assert listing.unreadable == ("0_fastq",)


def test_links_that_lead_nowhere_or_in_a_circle_spoil_no_other_file(tmp_path):
    touch(tmp_path / "a_R1.fastq.gz", tmp_path / "file")
    (tmp_path / "b_R1.fastq.gz").symlink_to(tmp_path / "nowhere")
    (tmp_path / "c_R1.fastq.gz").symlink_to("c_R1.fastq.gz")
    (tmp_path / "d_R1.fastq.gz").symlink_to(tmp_path / "file" / "x")
    (tmp_path / "fastqs").symlink_to(tmp_path / "not mounted")
    (tmp_path / ".#notes").symlink_to("somebody@somewhere")  # an editor's lock
    (tmp_path / "InterOp").symlink_to(tmp_path / "nowhere")  # holds no files that count
    listing = walk_run(str(tmp_path))
    assert [file.path for file in listing.found("fastq")] == ["a_R1.fastq.gz"]
    assert listing.unreadable == ("b_R1.fastq.gz", "c_R1.fastq.gz", "d_R1.fastq.gz", "fastqs")
    assert listing.oddities == tuple((path, "is a link that leads nowhere") for path in listing.unreadable)


def test_a_pipe_with_the_name_of_a_sheet_is_told_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "SampleSheet.csv")
    listing = walk_run(str(tmp_path))
    assert listing.oddities == (("SampleSheet.csv", "is not a file"),)
    assert (listing.lines, listing.sheet_sha256) == ({}, "")


def test_promise_37_an_unreadable_folder_is_told_and_the_rest_is_listed(tmp_path):
    touch(tmp_path / "0_fastq/a_R1.fastq.gz", tmp_path / "more/b_R1.fastq.gz")
    with unreadable(tmp_path / "0_fastq"):
        listing = walk_run(str(tmp_path))
    assert listing.unreadable == ("0_fastq",)
    assert [file.path for file in listing.found("fastq")] == ["more/b_R1.fastq.gz"]


def test_promise_37_an_unreadable_run_folder_says_that_nothing_is_known_of_it(tmp_path):
    with unreadable(tmp_path):
        assert walk_run(str(tmp_path)).unreadable == ("",)


def test_paths_longer_than_can_be_recorded_are_told_and_the_others_listed(tmp_path):
    inside = "/".join(["x" * 200] * 4)
    longest = f"{inside}/{'y' * 184}_R1.fastq.gz"
    touch(tmp_path / longest, tmp_path / longest.replace("_R1", "z_R1"))
    (tmp_path / inside / ("w" * 200)).mkdir()
    assert len(longest) == 1000
    listing = walk_run(str(tmp_path))
    assert [file.path for file in listing.found("fastq")] == [longest]
    why = "is too long: at most 1,000 characters are recorded"
    assert listing.oddities == (
        (f"{inside}/{'w' * 200}", why),
        (longest.replace("_R1", "z_R1"), why),
    )


def test_a_time_too_late_for_a_database_counts_as_the_latest(tmp_path):
    touch(tmp_path / "a_R1.fastq.gz")
    os.utime(tmp_path / "a_R1.fastq.gz", ns=(1, 10_000_000_000_000_000_000))
    (file,) = walk_run(str(tmp_path)).found("fastq")
    assert file.mtime_ns == 2**63 - 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"a\xff_R1.fastq.gz", "a\\udcff_R1.fastq.gz"),
        (b"a\n_R1.fastq.gz", "a\\n_R1.fastq.gz"),
        (b"a\t9\t9_R1.fastq.gz", "a\\t9\\t9_R1.fastq.gz"),
        (b"a\x1b[31m_R1.fastq.gz", "a\\x1b[31m_R1.fastq.gz"),
    ],
)
def test_promise_37_names_no_list_can_hold_are_told_and_forge_no_line(tmp_path, name, shown):
    touch(tmp_path / "0_fastq/b_R1.fastq.gz")
    touch_odd(tmp_path / "0_fastq", name)
    listing = walk_run(str(tmp_path))
    assert [file.path for file in listing.found("fastq")] == ["0_fastq/b_R1.fastq.gz"]
    assert listing.oddities == ((f"0_fastq/{shown}", run_folders.ODD_NAME),)
    assert listing.unreadable == (f"0_fastq/{shown}",)  # one file may be there that is not listed


def test_promise_37_a_folder_whose_name_no_list_can_hold_is_told(tmp_path):
    os.mkdir(os.fsencode(tmp_path) + b"/0_fastq\xff")
    listing = walk_run(str(tmp_path))
    assert listing.oddities == (("0_fastq\\udcff", run_folders.ODD_NAME),)
    assert listing.unreadable == ("0_fastq\\udcff",)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN])
def test_promise_5_a_failing_disk_ends_the_walk_and_is_no_unreadable_folder(tmp_path, monkeypatch, number):
    touch(tmp_path / "0_fastq/a_R1.fastq.gz")
    really_open = os.open

    def fail(path, *args, **options):
        if str(path).rstrip("/").endswith("0_fastq"):
            raise OSError(number, os.strerror(number))
        return really_open(path, *args, **options)

    monkeypatch.setattr(run_listing.os, "open", fail)
    with pytest.raises(DiskError, match=os.strerror(number)):
        walk_run(str(tmp_path))


def test_the_hash_of_the_sheet_changes_with_its_text_alone(tmp_path):
    sheet = tmp_path / "SampleSheet.csv"
    sheet.write_text("one")
    before = walk_run(str(tmp_path))
    times = (sheet.stat().st_atime_ns, sheet.stat().st_mtime_ns)
    sheet.write_text("two")
    os.utime(sheet, ns=times)
    after = walk_run(str(tmp_path))
    assert after.lines == before.lines  # same size, same time
    assert after.sheet_sha256 != before.sheet_sha256


def test_a_sheet_that_cannot_be_read_says_so_in_place_of_its_hash(tmp_path):
    (tmp_path / "SampleSheet.csv").symlink_to("/proc/self/mem")  # whose first byte is a real I/O error
    assert walk_run(str(tmp_path)).sheet_sha256 == "unreadable: Input/output error"


def test_metadata_is_read_no_further_than_a_parser_would(tmp_path):
    huge = tmp_path / "RunInfo.xml"
    with huge.open("wb") as stream:
        stream.truncate(1 << 30)
    assert len(read_metadata(huge)) == 16 * 1024 * 1024 + 1


def test_printable_leaves_nothing_that_a_terminal_or_a_list_would_obey():
    assert printable("exome_ü 2026") == "exome_ü 2026"
    assert printable("a\x1b[31m\nb\u202ec\udcff") == "a\\x1b[31m\\nb\\u202ec\\udcff"


# ---- many runs, in processes of their own ----


def test_runs_come_in_the_order_asked_for_whatever_walks_them(tmp_path):
    runs = []
    for number in range(120):  # enough for several processes
        touch(tmp_path / f"run{number:03}" / "a_R1.fastq.gz")
        runs.append((str(tmp_path / f"run{number:03}"), "skipped by me" if number == 7 else ""))
    listings = list(walk_here(runs, skip_marker=SKIP))
    assert [listing.folder for listing in listings] == [folder for folder, _skipped in runs]
    assert listings[7].skipped == "skipped by me"
    assert sum(len(listing.found("fastq")) for listing in listings) == 119
    for threads in (1, 16):
        assert list(walk_runs(runs, skip_marker=SKIP, threads=threads)) == listings


def test_a_kind_that_a_script_finds_is_left_out_of_the_walk(tmp_path):
    touch(tmp_path / "a_R1.fastq.gz", tmp_path / "RunInfo.xml")
    (listing,) = walk_runs([(str(tmp_path), "")], skip_marker=SKIP, leave_out={"fastq"})
    assert list(listing.lines) == ["run_info"]


# More than the pipe to a walker, or from one, can hold: whoever writes has to wait for the other.
LONG = [("/nowhere", f"{number:02000}") for number in range(2000)]


def test_promise_5_a_walker_that_dies_is_a_failed_disk():
    walk = walk_runs(LONG, skip_marker=SKIP)
    next(walk)
    for pid in our_walkers():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(DiskError, match="died"):
        list(walk)


def test_promise_5_a_walker_that_cannot_even_start_is_a_failed_disk(monkeypatch):
    monkeypatch.setattr(walkers, "_PROGRAM", "raise SystemExit(3)")
    with pytest.raises(DiskError, match="died"):
        list(walk_runs(LONG, skip_marker=SKIP))


def test_promise_5_a_disk_that_stays_silent_is_given_up_and_no_walker_is_left(monkeypatch):
    monkeypatch.setattr(walkers, "_PROGRAM", "import time; time.sleep(600)  # not walk_as_ordered")
    with pytest.raises(DiskError, match=r"/nowhere: the disk has not answered for 0\.2 seconds"):
        list(walk_runs(LONG, skip_marker=SKIP, silence_seconds=0.2))
    assert not our_walkers()


def test_promise_5_a_disk_that_fails_in_a_walker_fails_in_the_scan(tmp_path, monkeypatch):
    failing = (
        "import os, errno\n"
        "def fail(*args, **options): raise OSError(errno.EIO, 'Input/output error')\n"
        "os.open = fail\n"
    )
    monkeypatch.setattr(walkers, "_PROGRAM", f"{failing}{walkers._PROGRAM}")
    with pytest.raises(DiskError, match="Input/output error"):
        list(walk_runs([(str(tmp_path), "")], skip_marker=SKIP))


def test_promise_5_a_disk_that_hangs_while_runs_are_looked_for_is_given_up(tmp_path, monkeypatch):
    imports, call = walkers._PROGRAM.split("; ")
    hang = "import os, time; os.scandir = os.stat = lambda *args, **options: time.sleep(600)"
    monkeypatch.setattr(walkers, "_PROGRAM", f"{imports}; {hang}; {call}")
    for ask in (
        lambda walker: walker.identify_root(str(tmp_path)),
        lambda walker: walker.discover(str(tmp_path), skip_marker=SKIP),
        lambda walker: walker.look_at_lines([f"{tmp_path}/a"], str(tmp_path)),
    ):
        with start_walker(0.5) as walker, pytest.raises(DiskError, match="has not answered"):
            ask(walker)
    assert not our_walkers()


def test_a_slow_disk_that_lives_is_not_given_up(tmp_path, monkeypatch):
    """Each folder takes a while; together they take longer than the longest silence."""
    runs = [(str(tmp_path / f"group{number}" / RUN), "") for number in range(10)]
    for folder, _skipped in runs:
        touch(Path(folder, "a_R1.fastq.gz"))
    slow = (
        "import os, time\n"
        "def slowly(do): return lambda *args, **options: (time.sleep(0.2), do(*args, **options))[1]\n"
        "os.scandir = slowly(os.scandir)\n"
        "from sequencing.disk import walker_process\n"
        "walker_process.ANSWER_SECONDS = 0\n"
    )
    monkeypatch.setattr(walkers, "_PROGRAM", f"{slow}{walkers._PROGRAM}")
    with start_walker(1.5) as walker:
        assert walker.discover(str(tmp_path), skip_marker=SKIP).runs == tuple(runs)
        listings = list(walk_runs(runs, skip_marker=SKIP, walkers=[walker]))
    assert [len(listing.found("fastq")) for listing in listings] == [1] * 10


def test_a_walker_answers_one_thing_after_the_other(tmp_path):
    touch(tmp_path / "exome" / RUN / "a_R1.fastq.gz")
    with start_walker() as walker:
        assert walker.identify_root(str(tmp_path)) == identify_root(str(tmp_path))
        assert walker.discover(str(tmp_path), skip_marker=SKIP) == found(tmp_path)
        runs = found(tmp_path).runs
        assert list(walk_runs([], skip_marker=SKIP, walkers=[walker])) == []
        assert list(walk_runs(runs, skip_marker=SKIP, walkers=[walker])) == list(
            walk_here(runs, skip_marker=SKIP)
        )
        with pytest.raises(DiskError, match="nowhere: No such file"):
            walker.identify_root(f"{tmp_path}/nowhere")
    assert not our_walkers()


def test_a_scan_that_stops_listening_leaves_no_walker(tmp_path):
    walk = walk_runs(LONG, skip_marker=SKIP)
    next(walk)
    assert our_walkers()
    walk.close()
    assert not our_walkers()


def our_walkers() -> list[int]:
    """Process ids of the walkers that this process started."""
    pids = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"walk_as_ordered" in (status.parent / "cmdline").read_bytes():
                pids.append(int(status.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return pids


# ---- a lab's own find script ----


@pytest.fixture
def script(tmp_path):
    """Writes a shell script and returns its path as a command."""

    def write(text: str) -> str:
        path = tmp_path / "find.sh"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def find(command: str, root: str = "/x") -> list[tuple[str, int, int]]:
    return list(look_at_lines(run_find_script(command, root)))


def test_a_find_scripts_lines_may_have_figures_or_be_looked_at(tmp_path, script):
    touch(tmp_path / "a_R1.fastq.gz")
    command = script(f"printf '/x/b.fastq.gz\\t12\\t34\\n'; echo {tmp_path}/a_R1.fastq.gz; echo")
    mtime = (tmp_path / "a_R1.fastq.gz").stat().st_mtime_ns
    assert find(command) == [
        ("/x/b.fastq.gz", 12, 34), (f"{tmp_path}/a_R1.fastq.gz", 1, mtime)
    ]  # fmt: skip


def test_a_find_script_gets_the_root_after_its_own_arguments(script):
    command = script('printf "%s/%s\\t1\\t1\\n" "$2" "$1"')
    assert find(f"{command} 'two words'", "/root") == [("/root/two words", 1, 1)]


def test_a_find_script_cannot_break_a_name_into_two(script):
    command = script("printf '/x/a\\302\\205b.fastq.gz\\t1\\t1\\n'")  # U+0085, a line end to some
    assert find(command) == [("/x/a\x85b.fastq.gz", 1, 1)]


def test_a_find_scripts_file_that_is_gone_is_left_out(tmp_path, script):
    assert find(script(f"echo {tmp_path}/gone.fastq.gz")) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("echo /x/a.fastq.gz; echo disk full >&2; exit 3", "ended with 3: disk full"),
        ("kill -9 $$", "ended with -9"),
        ("exec sleep 60", "timed out after 1 seconds"),
        ("printf '/x/a.fastq.gz\\0/x/b.fastq.gz\\0'", "prints NUL .* without -print0"),
    ],
)
def test_a_find_script_that_fails_is_a_failed_disk_and_its_lines_count_for_nothing(script, text, why):
    with pytest.raises(DiskError, match=why):
        run_find_script(script(text), "/x", timeout=1)


def test_a_find_script_that_is_not_there_is_a_failed_disk():
    with pytest.raises(DiskError, match="No such file"):
        run_find_script("/nowhere/find.sh", "/x")


def test_a_find_scripts_file_that_may_not_be_looked_at_is_a_failed_disk(tmp_path, script):
    touch(tmp_path / "run" / "a_R1.fastq.gz")
    command = script(f"echo {tmp_path}/run/a_R1.fastq.gz")
    with unreadable(tmp_path / "run"), pytest.raises(DiskError, match="Permission denied"):
        find(command)


def test_a_find_script_that_is_given_up_leaves_nothing_running(tmp_path, script):
    command = script(f"sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' & wait")
    with pytest.raises(DiskError, match="timed out"):
        run_find_script(command, "/x", timeout=1)
    status = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(
    "figures", ["9223372036854775808\t1", "1\t9223372036854775808", "1" * 5000 + "\t1", "1\tx", "1"]
)
def test_figures_that_no_list_can_hold_are_told_by_one_that_is_none(figures):
    (row,) = look_at_lines([f"/nowhere/a.fastq.gz\t{figures}"])
    assert row[0] == "/nowhere/a.fastq.gz"
    assert NO_FIGURE in row[1:]


def test_figures_up_to_the_largest_are_taken():
    assert list(look_at_lines([f"/x\t{2**63 - 1}\t-5"])) == [("/x", 2**63 - 1, -5)]

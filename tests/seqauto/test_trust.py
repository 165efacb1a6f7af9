"""Whether what a walk did not find may count as gone."""

import pytest

from seqauto.known_runs import KnownRun, lies_under
from seqauto.scan_lists import RootReport, RunEntry
from seqauto.trust import why_distrusted


def known(path, files=10, state="complete", is_legacy=False):
    return KnownRun(1, path, None, "", state, is_legacy, files)


def entry(path, files=10, skipped="", unreadable=()):
    return RunEntry("/data", path, skipped, list(unreadable), [], "", "", {"fastq": [0, 0, files]})


def doubt(runs, entries, device_before=None, had_sentinel=False, share=0.5, **report):
    return why_distrusted(
        RootReport("/data", **report),
        {e.folder: e for e in entries},
        runs,
        device_before=device_before,
        had_sentinel=had_sentinel,
        max_lost_share=share,
    )


@pytest.mark.parametrize(
    ("runs", "entries", "believed"),
    [
        ([], [], True),  # a new disk
        ([known("/data/g/a")], [entry("/data/g/a")], True),
        ([known("/data/g/a")], [], False),
        ([known("/data/g/a", files=0)], [], False),  # a run without files is a run
        (
            [known("/data/g/a"), known("/data/g/b")],
            [entry("/data/g/a")],
            True,
        ),  # half
        ([known("/data/g/a"), known("/data/g/b", 11)], [entry("/data/g/a")], False),
        ([known("/data/g/a")], [entry("/data/g/a", files=4)], False),  # 6 of 11
        ([known("/data/g/a")], [entry("/data/g/a", files=5)], True),
        ([known("/data/g/a")], [entry("/data/g/a", files=99)], True),
        ([known("/data/g/a")], [entry("/data/h/a")], True),  # moved to another group
        ([known("/data/g/a")], [entry("/other/h/a")], True),  # moved to another disk
        ([known("/data/g/a")], [entry("/data/g/a", files=0, skipped="marker")], True),
        ([known("/data/g/a")], [entry("/data/g/a", files=0, unreadable=["0_fastq"])], True),
        ([known("/data/g/a", state="deleted")], [], True),  # gone before
        ([known("/data2/g/a")], [], True),  # on a disk whose name begins alike
        ([known("/data/g/a", is_legacy=True)], [], True),  # scans do not touch it
    ],
)
def test_promise_41_a_root_is_believed_unless_it_lost_more_than_its_share(runs, entries, believed):
    assert bool(doubt(runs, entries)) is not believed


def test_promise_41_runs_under_an_unreadable_group_are_not_lost():
    assert not doubt([known("/data/g/a")], [], unreadable=["/data/g"])
    assert doubt([known("/data/g/a")], [], unreadable=["/data/gg", "/data/g/a2"])


def test_promise_41_the_doubt_says_how_much_is_missing():
    assert (
        doubt([known("/data/g/a", files=2999)], [])
        == "/data: 3,000 of 3,000 known runs and files are missing"
    )


@pytest.mark.parametrize(("share", "believed"), [(0.0, False), (0.33, False), (0.34, True), (1.0, True)])
def test_promise_41_the_share_is_the_labs_to_set(share, believed):
    runs = [known(f"/data/g/{name}") for name in "abc"]
    assert bool(doubt(runs, [entry("/data/g/a"), entry("/data/g/b")], share=share)) is not believed


def test_promise_41_a_lost_sentinel_is_doubted_even_where_nothing_is_missing():
    runs, entries = [known("/data/g/a")], [entry("/data/g/a")]
    assert "the file .seqauto_root that marks this disk" in doubt(runs, entries, had_sentinel=True)
    assert not doubt(runs, entries, had_sentinel=True, has_sentinel=True)


def test_promise_41_another_device_is_doubted_as_soon_as_a_tenth_is_missing():
    runs = [known(f"/data/g/{name}") for name in "abcde"]
    entries = [entry(run.path) for run in runs]
    assert not doubt(runs, entries, device_before=1, device=2)
    assert "another disk stands here" in doubt(runs, entries[1:], device_before=1, device=2)
    assert not doubt(runs, entries[1:], device_before=1, device=1)
    assert not doubt(runs, entries[1:], device=2)


def test_a_file_deleted_on_a_disk_that_has_a_new_number_since_a_reboot_stops_no_scan():
    runs = [known(f"/data/g/{name}") for name in "abcde"]
    entries = [entry(run.path) for run in runs[1:]] + [entry(runs[0].path, files=9)]
    assert not doubt(runs, entries, device_before=1, device=2)


def test_a_path_lies_under_a_folder_and_not_beside_it():
    assert lies_under("/a/b/c", ["/x", "/a/b"])
    assert not lies_under("/a/bc", ["/a/b"])
    assert lies_under("/a/b", ["/a/b"])

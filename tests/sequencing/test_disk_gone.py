"""What may be called gone: only what the disk itself says is not there, and not under a bare mount point."""

from ordinary_user import unreadable

from sequencing.disk import empty_folder_above, is_gone


def test_only_what_the_disk_says_is_not_there_is_gone(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "nowhere_link").symlink_to(tmp_path / "nowhere")
    assert is_gone(f"{tmp_path}/nowhere")
    assert is_gone(f"{tmp_path}/file/below")
    assert not is_gone(f"{tmp_path}/file")
    assert not is_gone(f"{tmp_path}/nowhere_link")
    assert not is_gone(f"{tmp_path}/{'x' * 300}")
    with unreadable(tmp_path):
        assert not is_gone(f"{tmp_path}/nowhere")


def test_promise_5_a_group_that_stands_empty_may_be_a_disk_that_is_not_mounted(tmp_path):
    root, mount = str(tmp_path), tmp_path / "exome" / "disk7"
    mount.mkdir(parents=True)
    assert empty_folder_above(f"{mount}/2026/run", root) == str(mount)
    assert empty_folder_above(f"{mount}/run", root) == str(mount)
    (mount / "other").touch()
    assert empty_folder_above(f"{mount}/run", root) == ""


def test_a_root_is_the_highest_folder_that_is_asked(tmp_path):
    root = tmp_path / "archive"
    assert empty_folder_above(f"{root}/run", str(root)) == ""
    root.mkdir()
    assert empty_folder_above(f"{root}/exome/run", str(root)) == str(root)
    assert empty_folder_above(f"{tmp_path}/archive2/run", str(root)) == ""

"""What a walk of one root reports, before anything of it is recorded."""

import pytest

from seqauto.scan_lists import ListReader, ListWriter, RootReport
from seqauto.walking import WalkRules, walk_root

RUN = "260302_M00879_0031_000000000-ABCDE"


@pytest.fixture
def walk(tmp_path):
    """Walks a root by these rules; the lists can be read in tmp_path/lists."""

    def walk(root, **rules) -> RootReport:
        with ListWriter(tmp_path / "lists") as lists:
            report = walk_root(str(root), WalkRules(".skip", **rules), lists, lambda _files: None)
            lists.write_roots([report])
        return report

    return walk


@pytest.fixture
def find_script(tmp_path):
    """Writes a shell script and returns it as the find script of FASTQs."""

    def write(text: str) -> dict[str, str]:
        path = tmp_path / "find.sh"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return {"fastq": str(path)}

    return write


def folders_in(tmp_path) -> list[str]:
    return [entry.folder for entry in ListReader(tmp_path / "lists").runs()]


@pytest.mark.parametrize("written", ["{}/", "{}//", "/{}", "{}/exome/.."])
def test_a_root_may_be_written_in_any_way(tmp_path, walk, written):
    root = tmp_path / "archive"
    (root / "exome" / RUN).mkdir(parents=True)
    report = walk(written.format(root))
    assert (report.path, report.error) == (str(root), "")
    assert folders_in(tmp_path) == [f"{root}/exome/{RUN}"]


def test_the_paths_under_a_root_that_is_a_link_are_those_under_the_link(tmp_path, walk):
    (tmp_path / "disk7" / RUN).mkdir(parents=True)
    (tmp_path / "archive").symlink_to(tmp_path / "disk7")
    assert walk(f"{tmp_path}/archive/").error == ""
    assert folders_in(tmp_path) == [f"{tmp_path}/archive/{RUN}"]


@pytest.mark.parametrize("root", ["/", "//", "/."])
def test_the_whole_system_is_no_archive(walk, root):
    assert walk(root).error == "Archive root / is the whole system: name the folder that holds the runs"


def test_folders_without_run_are_named_one_by_one_up_to_fifty(tmp_path, walk):
    root = tmp_path / "archive"
    (root / "exome" / RUN).mkdir(parents=True)
    for number in range(50):
        (root / "letters" / f"{number:03}").mkdir(parents=True)
        (root / "exome" / f"{number:03}").mkdir()
    report = walk(root)
    assert len(report.without_run) == 51
    assert f"{root}/letters" in report.without_run
    (root / "exome" / "050").mkdir()
    report = walk(root)
    assert report.without_run == [f"{root}/letters"]
    assert report.oddities == [[f"{root}/exome", "holds 51 folders in which there is no run, such as 000"]]


def test_a_folder_of_no_run_is_not_complained_of_where_the_lab_skips_it(tmp_path, walk):
    root = tmp_path / "archive"
    (root / "letters").mkdir(parents=True)
    (root / "notes").mkdir()
    assert walk(root, skip_patterns=["^letters$"]).without_run == [f"{root}/notes"]


def test_run_folders_of_too_long_paths_are_told_and_the_others_walked(tmp_path, walk):
    root = tmp_path / "archive"
    (root / RUN).mkdir(parents=True)
    deep = root / ("x" * 250) / ("y" * 250)
    (deep / RUN).mkdir(parents=True)
    report = walk(root)
    assert report.oddities == [[f"{deep}/{RUN}", "is too long: at most 1,000 characters are recorded"]]
    assert folders_in(tmp_path) == [f"{root}/{RUN}"]


def test_what_a_find_script_finds_outside_of_any_run_is_told_once_a_folder(tmp_path, walk, find_script):
    root = tmp_path / "archive"
    (root / RUN).mkdir(parents=True)
    scripts = find_script(
        f"for n in $(seq 1000); do printf '{root}/lost/%s_R1.fastq.gz\\t1\\t1\\n' $n; done\n"
        f"printf '{root}/one_R1.fastq.gz\\t1\\t1\\n'"
    )
    why = "came from the find script but lies in no run folder"
    assert walk(root, find_scripts=scripts).oddities == [
        [f"{root}/lost/1_R1.fastq.gz", f"{why} (and 999 more there)"],
        [f"{root}/one_R1.fastq.gz", why],
    ]


@pytest.mark.parametrize(
    "figures", ["9223372036854775808\\t1", "1\\t9223372036854775808", "-1\\t1", "big\\tnow"]
)
def test_figures_no_database_holds_spoil_one_file_alone(tmp_path, walk, find_script, figures):
    root = tmp_path / "archive"
    run = root / RUN
    run.mkdir(parents=True)
    scripts = find_script(f"printf '{run}/a_R1.fastq.gz\\t{figures}\\n{run}/b_R1.fastq.gz\\t1\\t1\\n'")
    report = walk(root, find_scripts=scripts)
    ((path, why),) = report.oddities
    assert path == f"{run}/a_R1.fastq.gz"
    assert "a size or time that is no number a list can hold" in why
    lists = ListReader(tmp_path / "lists")
    (entry,) = lists.runs()
    assert [file.path for file in lists.files(entry, "fastq")] == ["b_R1.fastq.gz"]


def test_a_path_of_a_find_script_that_is_too_long_is_told(tmp_path, walk, find_script):
    root = tmp_path / "archive"
    (root / RUN).mkdir(parents=True)
    scripts = find_script(f"printf '{root / RUN}/{'x' * 990}_R1.fastq.gz\\t1\\t1\\n'")
    ((_path, why),) = walk(root, find_scripts=scripts).oddities
    assert why.endswith("is too long: at most 1,000 characters are recorded")

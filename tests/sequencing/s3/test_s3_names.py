import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from uploading import BELOW, RUN

from sequencing.s3 import Outgoing, meta_bytes, meta_document, project_prefix


def test_keys_stand_below_project_and_run():
    assert project_prefix("lab", "MUSCLE", "M00879", 31) == BELOW
    assert project_prefix("", "MUSCLE", "ST-E00107", 104) == "MUSCLE/ST-E00107_104/"
    assert project_prefix("/a/b/", "MUSCLE", "M00879", 31) == "a/b/MUSCLE/M00879_31/"


def test_a_second_conversion_stands_beside_the_first():
    assert project_prefix("lab", "MUSCLE", "M00879", 31, 2) == "lab/MUSCLE/M00879_31_2/"
    assert replace(RUN, attempt=3).prefix("lab") == "lab/MUSCLE/M00879_31_3/"


HOSTILE = [
    "",
    "../x",
    "/etc",
    "a/b",
    "a\0b",
    "a\nb",
    "-rf",
    "CON",
    "default",
    "..",
    ".",
    "a b",
    "é",
    "x" * 101,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_promise_49_a_hostile_id_never_becomes_a_key(text):
    with pytest.raises(ValueError, match="must not stand"):
        project_prefix("lab", text, "M00879", 31)
    with pytest.raises(ValueError, match="must not stand"):
        project_prefix("lab", "MUSCLE", text, 31)


@pytest.mark.parametrize("prefix", ["a//b", "../a", "a/../b", "a\nb", "-a", "a/./b", "a\0"])
def test_promise_49_a_hostile_prefix_never_becomes_a_key(prefix):
    with pytest.raises(ValueError, match="must not stand"):
        project_prefix(prefix, "MUSCLE", "M00879", 31)


@pytest.mark.parametrize(("run_number", "attempt"), [(-1, 1), (31, 0)])
def test_promise_49_no_key_of_a_run_that_cannot_be(run_number, attempt):
    with pytest.raises(ValueError, match="no such run"):
        project_prefix("lab", "MUSCLE", "M00879", run_number, attempt)


NAMES = ["", "../S1.gz", "/S1.gz", "a//S1.gz", "-S1.gz", "S1\n.gz", "meta.json", "x" * 1100]


@pytest.mark.parametrize("name", NAMES)
def test_promise_49_a_hostile_file_name_is_refused_before_asking(name, upload, line, tmp_path):
    with pytest.raises(ValueError, match="must not stand"):
        upload(outgoing=[Outgoing(tmp_path / "any", name, 1)])
    assert line.requests == []


def test_an_upload_of_nothing_and_one_of_two_files_with_one_name_are_refused(upload, files, line):
    with pytest.raises(ValueError, match="0 files with 0 names"):
        upload(outgoing=[])
    with pytest.raises(ValueError, match="2 files with 1 names"):
        upload(outgoing=[files[0], files[0]])
    assert line.requests == []


def test_meta_json_begins_with_the_seven_keys_and_is_the_same_for_the_same():
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    document = meta_document(RUN, now, [("b.fastq.gz", 2, "bb"), ("a.fastq.gz", 1, "aa")])
    assert list(document)[:7] == [
        "project_code", "instrument_id", "run_number", "run_id", "flowcell_id", "sequence_date",
        "upload_time",
    ]  # fmt: skip
    assert document["run_id"] == "M00879_31"
    assert document["sequence_date"] == "2014-02-10"
    assert document["upload_time"] == "2026-03-01T12:00:00+00:00"
    assert document["files"][0] == {"name": "a.fastq.gz", "size": 1, "md5": "aa"}
    assert json.loads(meta_bytes(document)) == document
    again = meta_document(RUN, now, [("a.fastq.gz", 1, "aa"), ("b.fastq.gz", 2, "bb")])
    assert meta_bytes(again) == meta_bytes(document)


def test_a_folder_a_sample_may_stand_in_the_name(upload, files, server):
    moved = [Outgoing(Path(file.path), f"S1/{file.name}", file.size) for file in files]
    upload(outgoing=moved)
    assert f"{BELOW}S1/S1_S1_R1_001.fastq.gz" in server.objects()

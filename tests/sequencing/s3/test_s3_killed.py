"""Promise 23, with real processes that are killed while they upload to a real server."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from faulty_proxy import error
from uploading import BELOW, BUCKET, PART, QUICK, make_client, make_file

from sequencing.s3 import Calls, Options, UploadProblem, abort_leftovers

CHILD = Path(__file__).with_name("upload_in_a_child.py")
REPOSITORY = Path(__file__).resolve().parents[3]


def leftovers(client):
    return client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


def kill_at(line, files, is_the_moment):
    """Upload in a process of its own, and kill -9 it when a request comes that is the moment."""
    reached, may_end = threading.Event(), threading.Event()

    def fault(request, ask):
        if is_the_moment(request):
            if request.body:
                line.ask_partly(request, len(request.body) // 2)
            reached.set()
            may_end.wait(60)
            return None
        return ask(request)

    told = json.dumps([line.endpoint, [[str(file.path), file.name, file.size] for file in files]])
    with line.faulty(fault):
        child = subprocess.Popen([sys.executable, str(CHILD), told], cwd=REPOSITORY)
        try:
            assert reached.wait(60), "the child never came so far"
        finally:
            child.kill()
            child.wait()
            may_end.set()


MOMENTS = {
    "probe": lambda request: "checksum-probe" in request.path,
    "first_byte": lambda request: request.path.endswith(".gz?uploads"),
    "whole_file": lambda request: request.method == "PUT" and request.path.endswith("R1_001.fastq.gz"),
    "first_part": lambda request: request.part == 1,
    "last_part": lambda request: request.part == 3,
    "completion": lambda request: request.method == "POST" and ".gz?uploadId=" in request.path,
    "meta_json": lambda request: request.method == "PUT" and request.path.endswith("meta.json"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_promise_23_kill_9_at_any_moment_leaves_whole_objects_only_and_the_next_try_completes(
    moment, line, files, server, upload
):
    kill_at(line, files, MOMENTS[moment])
    ours = {BELOW + file.name: file.path.read_bytes() for file in files}
    assert server.objects().items() <= ours.items()
    assert len(upload()) == len(files) + 1
    objects = server.objects()
    del objects[BELOW + "meta.json"]
    assert objects == ours
    assert leftovers(make_client(server_endpoint(server), Options(**QUICK))) == []


def server_endpoint(server):
    return f"http://127.0.0.1:{server.port}"


def test_promise_23_leftovers_of_this_run_are_aborted_and_no_others(line, server):
    options = Options(**QUICK)
    client = make_client(line.endpoint, options)
    for run in ("M00879_31/", "M00879_31_2/", "M00879_311/"):
        client.create_multipart_upload(Bucket=BUCKET, Key=f"lab/MUSCLE/{run}S1.fastq.gz")
    assert abort_leftovers(Calls(client, BUCKET, options), BELOW) == 1
    assert [one["Key"] for one in leftovers(client)] == [
        "lab/MUSCLE/M00879_311/S1.fastq.gz",
        "lab/MUSCLE/M00879_31_2/S1.fastq.gz",
    ]
    assert abort_leftovers(Calls(client, BUCKET, options), BELOW) == 0


def test_promise_23_a_try_that_fails_aborts_what_it_began(line, upload, server):
    def fault(request, ask):
        return error(403, "AccessDenied") if request.part == 2 else ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem):
        upload()
    assert leftovers(make_client(line.endpoint, Options(**QUICK))) == []
    assert BELOW + "S2_S2_R1_001.fastq.gz" not in server.objects()


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART])
def test_promise_23_a_connection_cut_at_any_byte_of_a_part_is_made_up_for(
    size, line, upload, server, tmp_path
):
    large = make_file(tmp_path / "L1_S1_R1_001.fastq.gz", 2 * PART)
    cuts = []

    def fault(request, ask):
        if request.part == 1 and not cuts:
            cuts.append(request)
            return line.ask_partly(request, size)
        return ask(request)

    with line.faulty(fault):
        upload(outgoing=[large])
    assert cuts
    assert server.objects()[BELOW + large.name] == large.path.read_bytes()

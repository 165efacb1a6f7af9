"""Promise 25: what stands in S3 already is recognised or refused, and never overwritten."""

from dataclasses import replace
from datetime import date

import pytest
from faulty_proxy import error
from uploading import BELOW, RUN

from sequencing.s3 import UploadProblem


def put(server, key, body):
    path = server.bucket / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def refused(upload, server, **more):
    """The conflict's sentence; nothing was written."""
    before = server.objects()
    with pytest.raises(UploadProblem) as problem:
        upload(**more)
    assert problem.value.code == "conflict"
    assert server.objects() == before
    return problem.value.sentence


def test_promise_25_a_key_with_other_content_of_another_size_is_refused_before_the_first_byte(
    upload, server, files
):
    put(server, BELOW + files[1].name, b"something else")
    assert files[1].name in refused(upload, server)


@pytest.mark.parametrize("which", [0, 2], ids=["whole", "parts"])
def test_promise_25_a_key_with_other_content_of_the_same_size_is_refused(which, upload, server, files):
    put(server, BELOW + files[which].name, bytes(files[which].size))
    with pytest.raises(UploadProblem) as problem:
        upload()
    assert problem.value.code == "conflict"
    objects = server.objects()
    assert objects[BELOW + files[which].name] == bytes(files[which].size)
    assert BELOW + "meta.json" not in objects


@pytest.mark.parametrize("which", [0, 2], ids=["whole", "parts"])
def test_promise_25_a_key_with_our_content_is_recognised(which, upload, server, files):
    put(server, BELOW + files[which].name, files[which].path.read_bytes())
    there = [one.key for one in upload() if one.already_there]
    assert there == [BELOW + files[which].name]


@pytest.mark.parametrize(
    "other", [{"date": date(2019, 2, 10)}, {"flowcell": "000000000-B11CC"}], ids=["date", "flowcell"]
)
def test_promise_25_the_same_instrument_and_run_number_of_another_run_is_refused(other, upload, server, line):
    upload()
    asked = len(line.requests)
    sentence = refused(upload, server, run=replace(RUN, **other))
    assert "tells of another run" in sentence
    assert not [r for r in line.requests[asked:] if r.method in ("PUT", "POST")]


def test_promise_25_another_run_that_never_got_its_meta_json_is_refused_too(upload, server, files, line):
    def fault(request, ask):
        is_meta = request.method == "PUT" and "meta.json" in request.path
        return error(403, "AccessDenied") if is_meta else ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem):
        upload(outgoing=files[:1])
    assert "is none of this run's files" in refused(upload, server, outgoing=files[1:])


def test_promise_25_a_meta_json_of_other_files_is_refused(upload, server, files):
    upload(outgoing=files[:1])
    with pytest.raises(UploadProblem) as problem:
        upload(outgoing=files[:2])
    assert problem.value.code == "conflict"
    assert "tells of other files" in problem.value.sentence


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"not JSON", b'{"project_code": "MUSCLE"}', b"\xff"])
def test_promise_25_a_meta_json_that_cannot_be_read_is_refused(text, upload, server):
    put(server, BELOW + "meta.json", text)
    refused(upload, server)


def test_a_second_conversion_goes_beside_the_first(upload, server):
    upload()
    first = server.objects()
    upload(run=replace(RUN, attempt=2))
    objects = server.objects()
    assert first.items() < objects.items()
    assert "lab/MUSCLE/M00879_31_2/meta.json" in objects


def test_the_runs_of_other_projects_and_numbers_are_left_alone(upload, server):
    put(server, "lab/MUSCLE/M00879_311/S1_S1_R1_001.fastq.gz", b"of run 311")
    put(server, "lab/BRAIN/M00879_31/S1_S1_R1_001.fastq.gz", b"of another project")
    upload()

"""Promise 24: what proves that our bytes stand in S3, and what does not. Promise 27: meta.json is last."""

import base64
import zlib

import pytest
from faulty_proxy import Answer, error
from uploading import BELOW, make_file

from sequencing.s3 import UploadProblem
from sequencing.s3.evidence import Digests, judge

OURS = Digests(5, "5d41402abc4b2a76b9719d911017c592", zlib.crc32(b"hello"))
RIGHT_MD5 = {"ContentLength": 5, "ETag": f'"{OURS.md5}"'}
OTHER_MD5 = {"ContentLength": 5, "ETag": '"00000000000000000000000000000000"'}
RIGHT_CRC, WRONG_CRC = {"ChecksumCRC32": "NhCmhg=="}, {"ChecksumCRC32": "AAAAAA=="}


@pytest.mark.parametrize(
    ("answer", "server_checks", "verdict"),
    [
        (RIGHT_MD5, False, "same"),
        ({"ETag": OURS.md5.upper()}, False, "same"),
        ({**RIGHT_MD5, "ContentLength": 6}, False, "other"),
        ({}, True, "unknown"),
        ({"ContentLength": 5}, True, "unknown"),
        ({"ContentLength": 5, "ETag": ""}, True, "unknown"),
        (OTHER_MD5, True, "unknown"),  # an ETag under a KMS key looks like an MD5 and is none
        ({"ETag": f'"{OURS.md5}-1"'}, True, "unknown"),  # MD5 of the parts' MD5s
        ({**OTHER_MD5, **RIGHT_CRC}, True, "same"),
        ({**OTHER_MD5, **RIGHT_CRC}, False, "unknown"),  # perhaps an echo
        ({**OTHER_MD5, **WRONG_CRC}, True, "other"),
        ({**RIGHT_CRC, "ChecksumType": "COMPOSITE"}, True, "unknown"),
        ({**RIGHT_CRC, "ChecksumType": "FULL_OBJECT"}, True, "same"),
    ],
)
def test_promise_24_only_what_the_server_must_have_computed_is_a_proof(answer, server_checks, verdict):
    assert judge(answer, OURS, server_checks=server_checks)[0] == verdict


def without_etags(request, ask):
    """As a server that keeps no MD5, and echoes the checksums it is sent."""
    answer = ask(request)
    if answer.status == 200 and "meta.json" not in request.path and "uploadId" not in request.path:
        answer.headers = [header for header in answer.headers if header[0].lower() != "etag"]
    return answer


def test_promise_24_without_a_checksum_the_object_is_read_back(line, upload, files):
    with line.faulty(without_etags):
        uploaded = upload()
    assert [one.proof for one in uploaded[:-1]] == ["read_back"] * len(files)


def test_promise_24_without_a_checksum_and_without_reading_back_nothing_is_verified(line, upload, server):
    with line.faulty(without_etags), pytest.raises(UploadProblem) as problem:
        upload(read_back="never")
    assert problem.value.code == "unverified"
    assert "no checksum" in problem.value.sentence
    assert BELOW + "meta.json" not in server.objects()


def flip(body):
    return body[:500] + bytes([body[500] ^ 1]) + body[501:]


def damage(of):
    """Flip one bit of what is on its way to the server."""

    def fault(request, ask):
        if of(request):
            request.body = flip(request.body)
        return ask(request)

    return fault


WHOLE = lambda request: request.method == "PUT" and request.path.endswith("_R1_001.fastq.gz")  # noqa: E731
PART_2 = lambda request: request.part == 2  # noqa: E731


@pytest.mark.parametrize("what", [WHOLE, PART_2], ids=["whole", "part"])
@pytest.mark.parametrize("read_back", ["auto", "always", "never"])
def test_promise_24_a_bit_flipped_on_the_way_is_unverified(what, read_back, line, upload, server):
    with line.faulty(damage(what)), pytest.raises(UploadProblem) as problem:
        upload(read_back=read_back)
    assert problem.value.code == "unverified"
    assert "s3://delivered/lab/MUSCLE/M00879_31/S" in problem.value.sentence
    assert BELOW + "meta.json" not in server.objects()


def test_promise_24_a_bit_flipped_on_the_disk_of_an_echoing_server_is_seen(line, upload, server):
    """The server kept our CRC32 as we sent it; it is not believed, since it did not refuse a wrong one."""

    def fault(request, ask):
        if WHOLE(request):
            request.body = flip(request.body)
        answer = ask(request)
        if request.method in ("HEAD", "PUT") and "uploadId" not in request.path and answer.status == 200:
            crc32 = base64.b64encode(zlib.crc32(line_files[request.path]).to_bytes(4, "big")).decode()
            answer.headers = [h for h in answer.headers if h[0].lower() != "etag"]
            answer.headers.append(("x-amz-checksum-crc32", crc32))
        return answer

    only = make_file(server.bucket.parent.parent / "A_S1_R1_001.fastq.gz", 1000)
    line_files = {f"/delivered/{BELOW}{only.name}": only.path.read_bytes(), "/delivered": b""}
    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        upload(outgoing=[only])
    assert problem.value.code == "unverified"


def test_promise_24_a_damaged_answer_to_reading_back_is_unverified(line, upload):
    def fault(request, ask):
        answer = ask(request)
        if request.method == "GET" and request.path.endswith("_R1_001.fastq.gz"):
            answer.body = flip(answer.body)
        return answer

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        upload(read_back="always")
    assert problem.value.code == "unverified"


def test_promise_24_an_object_that_vanished_is_unverified(line, upload):
    def fault(request, ask):
        answer = without_etags(request, ask)
        return Answer(404) if request.method == "HEAD" and request.path.endswith(".gz") else answer

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        upload()
    assert problem.value.code == "unverified"
    assert "not there" in problem.value.sentence


def test_promise_24_an_object_that_cannot_be_read_back_is_no_success(line, upload, server):
    def fault(request, ask):
        if request.method == "GET" and request.path.endswith(".gz"):
            return error(503, "SlowDown")
        return without_etags(request, ask)

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        upload(attempts=2)
    assert problem.value.code == "unavailable"
    assert BELOW + "meta.json" not in server.objects()


def test_promise_27_meta_json_is_written_after_every_file_is_verified(line, upload, files):
    upload(read_back="always")
    wrote_meta = next(n for n, r in enumerate(line.requests) if r.method == "PUT" and "meta.json" in r.path)
    for file in files:
        proofs = [n for n, r in enumerate(line.requests) if r.method == "GET" and r.path.endswith(file.name)]
        assert proofs
        assert max(proofs) < wrote_meta
    assert not [r for r in line.requests[wrote_meta + 1 :] if r.method in ("PUT", "POST")]


def test_promise_27_without_one_file_there_is_no_meta_json(line, upload, server):
    def fault(request, ask):
        is_last = request.method == "POST" and "uploadId" in request.path
        return error(500, "InternalError") if is_last else ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem):
        upload(attempts=2)
    assert BELOW + "meta.json" not in server.objects()
    assert not line.asked("PUT", "meta.json")

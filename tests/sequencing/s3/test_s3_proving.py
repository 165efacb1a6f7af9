"""Objects that were proven when they were uploaded are proven again, by checksums or by reading them."""

from dataclasses import replace

import pytest
from faulty_proxy import error
from uploading import BUCKET, QUICK, make_client

from sequencing.s3 import KnownObject, Options, UploadProblem, prove_objects
from sequencing.s3.evidence import same_as_known


@pytest.fixture
def known(upload) -> list[KnownObject]:
    """What is known of an uploaded project."""
    return [KnownObject(one.key, one.size, one.md5, one.crc32) for one in upload()]


@pytest.fixture
def prove(line):
    def prove(objects, stop=lambda: False, **more):
        options = Options(**{**QUICK, **more})
        return prove_objects(make_client(line.endpoint, options), BUCKET, objects, options, stop=stop)

    return prove


def without_etags(request, ask):
    """As Amazon answers where an object went in parts: nothing that it says of it is its MD5."""
    answer = ask(request)
    answer.headers = [header for header in answer.headers if header[0].lower() != "etag"]
    return answer


@pytest.mark.parametrize(
    ("answer", "crc32", "is_proven"),
    [
        ({"ETag": '"abc"'}, "", True),
        ({"ETag": '"abd"'}, "", False),
        ({"ETag": '"abd-3"', "ChecksumCRC32": "AAAAAQ=="}, "AAAAAQ==", True),
        ({"ETag": '"abd-3"', "ChecksumCRC32": "AAAAAQ=="}, "AAAAAg==", False),
        ({"ETag": '"abd-3"', "ChecksumCRC32": "AAAAAQ=="}, "", False),
        ({"ETag": '"abd-3"', "ChecksumCRC32": "AAAAAQ==", "ChecksumType": "COMPOSITE"}, "AAAAAQ==", False),
        ({"ETag": '"abd-3"'}, "AAAAAQ==", False),
        ({}, "", False),
    ],
)
def test_promise_24_only_the_checksum_of_the_upload_proves_an_object_again(answer, crc32, is_proven):
    assert same_as_known(answer, "abc", crc32) == is_proven


def test_equal_objects_are_proven_by_their_checksums_without_reading_them(known, prove, line):
    before = len(line.asked("GET"))
    assert (prove(known).differences, prove(known).bytes_read) == ((), 0)
    assert not [request for request in line.asked("GET")[before:] if "fastq" in request.path]


def test_promise_24_what_no_checksum_proves_is_read_back(known, prove, line):
    with line.faulty(without_etags):
        look = prove(known)
    assert (look.differences, look.bytes_read) == ((), sum(one.size for one in known))


def test_promise_24_what_no_checksum_proves_and_may_not_be_read_is_unverified(known, prove, line):
    with line.faulty(without_etags), pytest.raises(UploadProblem) as caught:
        prove(known, read_back="never")
    assert caught.value.code == "unverified"


def test_promise_24_another_object_of_the_same_size_differs(known, prove, server):
    path = server.bucket / known[0].key
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    (difference,) = prove(known).differences
    assert difference == f"s3://{BUCKET}/{known[0].key} holds something else"


def test_absent_objects_and_other_sizes_differ(known, prove, line):
    make_client(line.endpoint, Options()).delete_object(Bucket=BUCKET, Key=known[0].key)
    objects = [known[0], replace(known[1], size=known[1].size + 1), *known[2:]]
    first, second = prove(objects).differences
    assert first.endswith(f"{known[0].key} is not there")
    assert "bytes and not" in second


def test_promise_13_no_object_at_all_is_never_proven(prove):
    assert prove([]).differences


@pytest.mark.parametrize("answer", [(503, "SlowDown"), (403, "AccessDenied"), (500, "InternalError")])
def test_promise_30_an_answer_that_tells_nothing_of_an_object_is_no_difference(known, prove, line, answer):
    def fault(request, ask):
        return error(*answer) if "fastq" in request.path else ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem) as caught:
        prove(known, attempts=2)
    assert caught.value.code in ("unavailable", "no_access")


def test_promise_30_objects_that_went_with_their_bucket_are_no_difference(known, prove, line):
    """It is there when the proof begins, and away when the objects are asked for: as a wrong account is."""
    is_away = False

    def vanish(request, ask):
        nonlocal is_away
        is_away = is_away or "fastq" in request.path
        return error(404, "NoSuchBucket") if is_away else ask(request)

    with line.faulty(vanish), pytest.raises(UploadProblem) as caught:
        prove(known)
    assert caught.value.code == "no_bucket"


def test_objects_that_a_rule_of_their_bucket_removes_are_told_of(known, prove, line):
    def expiring(request, ask):
        answer = ask(request)
        if request.method == "HEAD" and request.path.endswith(known[0].key):
            when = 'expiry-date="Fri, 23 Dec 2026 00:00:00 GMT", rule-id="old"'
            answer.headers.append(("x-amz-expiration", when))
        return answer

    with line.faulty(expiring):
        look = prove(known)
    assert look.differences == ()
    (told,) = look.expiring
    assert known[0].key in told
    assert "23 Dec 2026" in told
    assert prove(known).expiring == ()


def test_a_proof_that_is_stopped_ends(known, prove):
    with pytest.raises(UploadProblem) as caught:
        prove(known, stop=lambda: True)
    assert caught.value.code == "stopped"

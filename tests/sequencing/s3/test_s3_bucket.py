"""Promise 55: the wrong bucket or account is refused before the first byte. And what only Amazon has."""

import base64
import zlib

import pytest
import requests
from faulty_proxy import Answer, FaultyProxy, error
from moto import mock_aws
from uploading import BELOW, BUCKET, QUICK, make_client

from sequencing.s3 import Calls, Options, UploadProblem, check_bucket

OWNER, STRANGER = "111122223333", "444455556666"


def owned_by(account):
    """As Amazon: a request that expects another owner is refused."""

    def fault(request, ask):
        expected = request.headers.get("x-amz-expected-bucket-owner", account)
        return ask(request) if expected == account else Answer(403)

    return fault


def problem_of(upload, **options):
    with pytest.raises(UploadProblem) as problem:
        upload(**options)
    return problem.value


def writes(line):
    return [request for request in line.requests if request.method in ("PUT", "POST", "DELETE")]


def test_promise_55_the_bucket_of_another_account_is_refused_before_the_first_byte(line, upload):
    with line.faulty(owned_by(STRANGER)):
        problem = problem_of(upload, owner=OWNER)
    assert problem.code == "no_access"
    assert OWNER in problem.sentence
    assert writes(line) == []


def test_promise_55_an_endpoint_that_does_not_check_owners_is_refused_where_one_is_set(line, upload):
    problem = problem_of(upload, owner=OWNER)
    assert problem.code == "no_access"
    assert "does not check" in problem.sentence
    assert writes(line) == []


def test_promise_55_every_call_names_the_owner(line, upload, files):
    with line.faulty(owned_by(OWNER)):
        assert len(upload(owner=OWNER, read_back="always")) == len(files) + 1
    owners = [request.headers.get("x-amz-expected-bucket-owner") for request in line.requests]
    assert owners.count("000000000000") == 1
    assert set(owners) == {OWNER, "000000000000"}


def test_promise_55_a_bucket_that_is_not_there_is_refused_before_the_first_byte(line, server, upload):
    server.bucket.rename(server.bucket.with_name("another"))
    assert problem_of(upload).code == "no_bucket"
    assert writes(line) == []


@pytest.mark.parametrize(
    ("status", "code"), [(403, "no_access"), (400, "expired_credentials"), (404, "no_bucket")]
)
def test_promise_55_what_a_look_at_the_bucket_says_is_told(status, code, line):
    """HEAD is answered without words."""
    options = Options(**QUICK)
    with line.faulty(lambda request, ask: Answer(status)), pytest.raises(UploadProblem) as problem:
        check_bucket(Calls(make_client(line.endpoint, options), BUCKET, options))
    assert problem.value.code == code


# ---- what only Amazon has ----


@pytest.fixture
def amazon():
    """moto behind a proxy that refuses wrong checksums, as Amazon does and moto does not."""
    with mock_aws(), MotoProxy(0) as proxy:
        proxy.fault = refuse_wrong_checksums
        make_client(proxy.endpoint, Options(**QUICK)).create_bucket(Bucket=BUCKET)
        yield proxy


class MotoProxy(FaultyProxy):
    """moto answers in this process to whoever asks for Amazon's address."""

    def ask(self, request):
        url = f"https://s3.us-east-1.amazonaws.com{request.path}"
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        answer = requests.request(
            request.method, url, headers=headers, data=request.body, timeout=60, stream=True
        )
        kept = {"content-length", "date", "server", "connection", "transfer-encoding", "content-encoding"}
        told = [(name, value) for name, value in answer.headers.items() if name.lower() not in kept]
        if request.method == "HEAD":
            told.append(("Content-Length", answer.headers.get("Content-Length", "0")))
        return Answer(answer.status_code, told, b"" if request.method == "HEAD" else answer.content)


def refuse_wrong_checksums(request, ask):
    told = request.headers.get("x-amz-checksum-crc32")
    right = base64.b64encode(zlib.crc32(request.body).to_bytes(4, "big")).decode()
    is_of_body = request.method == "PUT"
    return error(400, "BadDigest") if told and is_of_body and told != right else ask(request)


def amazon_client(amazon):
    return make_client(amazon.endpoint, Options(**QUICK))


def test_storage_class_is_kept_and_meta_json_is_json(amazon, upload, files):
    client = amazon_client(amazon)
    upload(client=client, storage_class="STANDARD_IA")
    for name in (files[0].name, files[2].name):
        assert client.head_object(Bucket=BUCKET, Key=BELOW + name)["StorageClass"] == "STANDARD_IA"
    assert client.head_object(Bucket=BUCKET, Key=BELOW + "meta.json")["ContentType"] == "application/json"


def test_promise_24_a_server_that_checks_is_sent_a_crc32_of_every_byte(amazon, upload):
    upload(client=amazon_client(amazon))
    bodies = [r for r in amazon.asked("PUT") if r.body and "probe" not in r.path and r.path != f"/{BUCKET}"]
    assert len(bodies) == 6
    assert all("x-amz-checksum-crc32" in request.headers for request in bodies)
    completed = next(r for r in amazon.asked("POST", "uploadId"))
    assert completed.headers["x-amz-checksum-type"] == "FULL_OBJECT"


def test_when_required_sends_no_checksum_at_all(amazon, upload, files):
    uploaded = upload(client=amazon_client(amazon), checksums="when_required")
    assert len(uploaded) == len(files) + 1
    assert not [r for r in amazon.requests if any("checksum-crc" in name.lower() for name in r.headers)]
    assert not amazon.asked("POST", "checksum-probe")


def test_promise_24_a_bit_flipped_on_the_way_to_a_server_that_checks_is_sent_again(amazon, upload, files):
    damaged = []

    def fault(request, ask):
        if request.part == 2 and not damaged:
            damaged.append(request)
            request.body = b"\xff" + request.body[1:]
        return refuse_wrong_checksums(request, ask)

    with amazon.faulty(fault):
        assert len(upload(client=amazon_client(amazon))) == len(files) + 1
    assert damaged


@pytest.mark.parametrize(("which", "proof"), [(0, "crc32"), (2, "crc32")], ids=["whole", "parts"])
def test_promise_24_a_checked_crc32_proves_what_an_etag_cannot(which, proof, amazon, upload, files):
    """Under a KMS key, and for objects of several parts, the ETag is no MD5."""
    crc32 = base64.b64encode(zlib.crc32(files[which].path.read_bytes()).to_bytes(4, "big")).decode()

    def fault(request, ask):
        answer = refuse_wrong_checksums(request, ask)
        if answer.status == 200 and ".gz" in request.path and not request.part:
            answer.headers = [
                h for h in answer.headers if h[0].lower() not in ("etag", "x-amz-checksum-crc32")
            ]
        if request.method == "HEAD" and request.path.endswith(".gz"):
            answer.headers.append(("x-amz-checksum-crc32", crc32))
        return answer

    with amazon.faulty(fault):
        uploaded = upload(client=amazon_client(amazon), outgoing=[files[which]], read_back="never")
    assert uploaded[0].proof == proof


def test_promise_25_a_writer_that_comes_first_is_not_overwritten(amazon, upload, files):
    """Between our look and our write another object comes to stand there: If-None-Match refuses ours."""
    client, raced = amazon_client(amazon), []

    def fault(request, ask):
        if request.method == "PUT" and request.path.endswith(files[0].name) and not raced:
            raced.append(request)
            client.put_object(Bucket=BUCKET, Key=BELOW + files[0].name, Body=b"another writer's")
        return refuse_wrong_checksums(request, ask)

    with amazon.faulty(fault):
        problem = problem_of(upload, client=client, threads=1)
    assert problem.code == "conflict"
    body = client.get_object(Bucket=BUCKET, Key=BELOW + files[0].name)["Body"].read()
    assert body == b"another writer's"


def test_the_version_of_each_object_is_told(amazon, upload):
    client = amazon_client(amazon)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    assert all(one.version_id for one in upload(client=client))


def test_lists_of_many_pages_are_read_to_their_end(amazon, upload, files, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "1")
    client = amazon_client(amazon)
    upload(client=client)
    assert all(one.already_there for one in upload(client=client))
    assert amazon.asked("GET", "continuation-token")

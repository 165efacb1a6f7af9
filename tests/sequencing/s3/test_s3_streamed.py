"""A large file in one piece, read while it is sent, where a server proves only such objects by their MD5."""

import hashlib
import os
import threading
from dataclasses import replace

import pytest
import xxhash
from faulty_proxy import error
from uploading import BELOW, PART, QUICK, make_client

from sequencing.s3 import Options, Outgoing, UploadProblem
from sequencing.s3.calls import Calls
from sequencing.s3.reading import LocalFile, Streamed
from sequencing.s3.sending import Sender

WHOLE = 4 * PART


@pytest.fixture
def large(files):
    return files[2]


@pytest.fixture
def stream(upload, files):
    """Uploads files of which the third is streamed."""
    return lambda **more: upload(**{"outgoing": files, "whole_bytes": WHOLE, **more})


def of_file(request, file: Outgoing) -> bool:
    return request.method == "PUT" and request.path.endswith(file.name)


def flipped(content: bytes) -> bytes:
    return content[:500] + bytes([content[500] ^ 1]) + content[501:]


def hashed(file: Outgoing) -> Outgoing:
    """As its conversion was judged."""
    content = file.path.read_bytes()
    md5, xxh3 = hashlib.md5(content).hexdigest(), xxhash.xxh3_128(content).hexdigest()
    return replace(file, mtime_ns=file.path.stat().st_mtime_ns, md5=md5, xxh3=xxh3)


@pytest.mark.parametrize("is_hashed", [False, True])
def test_promise_24_a_large_file_goes_in_one_piece_and_is_proven_by_the_answer(
    is_hashed, stream, files, large, line, server
):
    uploaded = stream(outgoing=[hashed(file) for file in files] if is_hashed else files)
    assert [len(request.body) for request in line.requests if of_file(request, large)] == [large.size]
    assert not line.asked("HEAD", large.name)
    content = large.path.read_bytes()
    assert server.objects()[BELOW + large.name] == content
    assert (uploaded[2].proof, uploaded[2].md5) == ("md5", hashlib.md5(content).hexdigest())


def test_a_server_that_checks_checksums_gets_it_in_parts(files, large, line):
    options = Options(**{**QUICK, "whole_bytes": WHOLE})
    calls = Calls(make_client(line.endpoint, options), "delivered", options)
    steps = [
        Sender(calls, server_checks)
        .transfer("key", LocalFile(large.path, large.size, PART), False)
        .step_count
        for server_checks in (False, True)
    ]
    assert steps == [1, 3]


def test_larger_ones_go_in_parts(stream, large, line):
    stream(whole_bytes=large.size - 1)
    assert sorted(request.part for request in line.asked("PUT", large.name) if request.part) == [1, 2, 3]


@pytest.mark.parametrize("is_hashed", [False, True])
def test_promise_27_other_bytes_than_were_judged_never_become_an_object(
    is_hashed, stream, files, large, line, server
):
    outgoing = [hashed(file) if is_hashed else replace(hashed(file), xxh3="") for file in files]
    large.path.write_bytes(flipped(large.path.read_bytes()))
    os.utime(large.path, ns=(1, outgoing[2].mtime_ns))
    with pytest.raises(UploadProblem) as problem:
        stream(outgoing=outgoing)
    assert problem.value.code == "changed_locally"
    assert str(large.path) in problem.value.sentence
    assert not line.asked("PUT", large.name)  # none came whole
    assert BELOW + large.name not in server.objects()
    assert BELOW + "meta.json" not in server.objects()


def test_promise_27_a_file_that_changes_while_it_is_sent_never_becomes_an_object(large, tmp_path):
    body = Streamed(LocalFile(large.path, large.size, PART), lambda _count: None)
    sent = len(body.read())
    with large.path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"?")
    os.utime(large.path, ns=(1, 1))
    with pytest.raises(UploadProblem, match="changed while it was read"):
        sent += sum(map(len, iter(body.read, b"")))
    assert sent < large.size
    assert body.problem


def test_little_of_it_is_in_memory(large):
    body = Streamed(LocalFile(large.path, large.size, PART), lambda _count: None)
    sizes = []
    while part := body.read(-1):
        sizes.append(len(part))
    assert sum(sizes) == large.size == len(body)
    assert max(sizes) <= 1024 * 1024


def test_promise_24_a_bit_flipped_on_the_way_is_unverified(stream, large, line, server):
    def fault(request, ask):
        if of_file(request, large):
            request.body = flipped(request.body)
        return ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        stream(read_back="never")
    assert problem.value.code == "unverified"
    assert BELOW + "meta.json" not in server.objects()


@pytest.mark.parametrize("is_heard", [False, True], ids=["refused", "answer lost"])
def test_promise_26_a_failed_attempt_begins_anew_and_counts_once(
    is_heard, stream, files, large, line, server
):
    tries, told = [], []

    def fault(request, ask):
        if not of_file(request, large) or len(tries) == 2:
            return ask(request)
        tries.append(request)
        if not is_heard:
            return error(503, "SlowDown")
        if len(tries) == 2:
            return error(412, "PreconditionFailed")
        ask(request)
        return None

    with line.faulty(fault):
        uploaded = stream(progress=lambda done, total: told.append((done, total)))
    total = sum(file.size for file in files)
    assert server.objects()[BELOW + large.name] == large.path.read_bytes()
    assert uploaded[2].already_there == is_heard
    assert told[-1] == (total, total)
    assert all(0 <= done <= total for done, _total in told)


def test_promise_25_what_another_wrote_meanwhile_is_compared_and_kept(stream, large, line, server):
    def fault(request, ask):
        if not of_file(request, large):
            return ask(request)
        ask(replace(request, body=bytes(large.size)))
        return error(412, "PreconditionFailed")

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        stream()
    assert problem.value.code == "conflict"
    assert server.objects()[BELOW + large.name] == bytes(large.size)


def test_a_stop_breaks_it_off(stream, large, line, server):
    is_coming = threading.Event()

    def fault(request, ask):
        is_coming.set()
        return ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        stream(stop=is_coming.is_set)
    assert problem.value.code == "stopped"
    assert BELOW + "meta.json" not in server.objects()
    assert stream()[2].md5 == hashlib.md5(large.path.read_bytes()).hexdigest()

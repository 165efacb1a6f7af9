"""Promise 26: failures that pass are waited for, a bounded time; others are told at once, in plain words."""

import threading

import boto3
import pytest
from botocore.config import Config
from faulty_proxy import error
from s3_server import ACCESS_KEY, SECRET_KEY
from uploading import BELOW, BUCKET

from sequencing.s3 import Options, UploadProblem, client_settings


def first_times(count, answer):
    """Each request fails so often before it is let through."""
    seen: dict[tuple[str, str], int] = {}

    def fault(request, ask):
        what = request.method, request.path
        seen[what] = seen.get(what, 0) + 1
        # A look at the bucket is answered without words: 400 tells of credentials there.
        is_spared = request.method == "HEAD" and getattr(answer(), "status", 0) == 400
        return ask(request) if seen[what] > count or is_spared else answer()

    return fault


@pytest.mark.parametrize(
    "answer",
    [
        lambda: error(503, "SlowDown"),
        lambda: error(500, "InternalError"),
        lambda: error(503, "ServiceUnavailable"),
        lambda: error(400, "RequestTimeout"),
        lambda: error(429, "Throttling"),
        lambda: error(502, ""),
        lambda: None,
    ],
    ids=["slow_down", "internal", "unavailable", "timeout", "throttled", "bad_gateway", "cut"],
)
def test_promise_26_failures_that_pass_are_survived(answer, line, upload, files, server):
    with line.faulty(first_times(2, answer)):
        assert len(upload()) == len(files) + 1
    assert {BELOW + file.name: file.path.read_bytes() for file in files}.items() < server.objects().items()


def test_promise_26_answers_that_get_lost_do_not_harm(line, upload, files, server):
    """Each request is heard by the server, and its first answer never arrives."""
    lost = set()

    def fault(request, ask):
        answer = ask(request)
        if (request.method, request.path) in lost:
            return answer
        lost.add((request.method, request.path))
        return None

    with line.faulty(fault):
        assert len(upload()) == len(files) + 1
    assert {BELOW + file.name: file.path.read_bytes() for file in files}.items() < server.objects().items()


def test_promise_26_an_answer_that_never_comes_is_asked_for_again(line, upload, files):
    may_end, held = threading.Event(), []

    def fault(request, ask):
        if request.method == "PUT" and request.path.endswith("_R2_001.fastq.gz") and not held:
            held.append(request)
            may_end.wait(60)
            return None
        return ask(request)

    with line.faulty(fault):
        assert len(upload()) == len(files) + 1
    may_end.set()
    assert held


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT", "POST"])
def test_promise_26_a_server_that_stays_down_is_a_visible_failure_in_the_end(method, line, upload, server):
    def fault(request, ask):
        return error(503, "SlowDown") if request.method == method else ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        upload(attempts=3)
    assert problem.value.code == "unavailable"
    assert f'S3 bucket "{BUCKET}" did not answer' in problem.value.sentence
    assert "3 attempts" in problem.value.sentence
    assert "Retry" in problem.value.remedy
    assert BELOW + "meta.json" not in server.objects()


def test_promise_26_no_server_at_all_is_a_visible_failure(line, upload, server):
    server.process.kill()
    server.process.wait()
    with line.faulty(lambda request, ask: None), pytest.raises(UploadProblem) as problem:
        upload(attempts=2)
    assert problem.value.code == "unavailable"


def test_promise_26_the_pauses_span_minutes_and_are_bounded():
    pauses = list(Options().pauses())
    assert len(pauses) == Options().attempts - 1
    assert 60 < sum(pauses) < 600
    assert max(pauses) <= Options().longest_pause


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda: error(400, "ExpiredToken"), "expired_credentials"),
        (lambda: error(403, "ExpiredToken"), "expired_credentials"),
        (lambda: error(403, "AccessDenied"), "no_access"),
        (lambda: error(403, "SignatureDoesNotMatch"), "no_access"),
        (lambda: error(404, "NoSuchBucket"), "no_bucket"),
        (lambda: error(301, "PermanentRedirect"), "no_bucket"),
        (lambda: error(400, "InvalidStorageClass"), "refused"),
    ],
)
def test_promise_26_what_will_not_pass_is_told_at_once(answer, code, line, upload, server):
    def fault(request, ask):
        return answer() if request.method == "PUT" and request.path.endswith(".gz") else ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        upload(threads=1)
    assert problem.value.code == code
    assert len([r for r in line.asked("PUT") if r.path.endswith(".gz")]) == 1
    assert problem.value.remedy in str(problem.value)
    assert BELOW + "meta.json" not in server.objects()


def test_promise_26_a_stop_does_not_wait_for_a_long_pause(line, upload):
    def fault(request, ask):
        return error(503, "SlowDown") if request.path.endswith(".gz") else ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        upload(first_pause=1e6, longest_pause=1e6, stop=lambda: bool(line.asked("PUT", ".gz")))
    assert problem.value.code == "stopped"


# What is asked in the caller's own thread, in the order of the story.
OWN_CALLS = {
    "bucket": lambda request: request.method == "HEAD" and "/lab" not in request.path,
    "listing": lambda request: "list-type=2" in request.path,
    "leftovers": lambda request: request.method == "GET" and "uploads" in request.path,
    "probe": lambda request: request.method == "POST" and "checksum-probe" in request.path,
    "probe_part": lambda request: request.method == "PUT" and "checksum-probe" in request.path,
    "meta": lambda request: request.method == "GET" and "meta.json" in request.path,
    "meta_put": lambda request: request.method == "PUT" and "meta.json" in request.path,
}


@pytest.mark.parametrize("is_meant", OWN_CALLS.values(), ids=OWN_CALLS)
def test_promise_26_a_stop_ends_every_pause(is_meant, line, upload):
    failed = []

    def fault(request, ask):
        if is_meant(request):
            failed.append(request)
            return error(503, "SlowDown")
        return ask(request)

    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        upload(first_pause=1e6, longest_pause=1e6, stop=lambda: bool(failed))
    assert problem.value.code == "stopped"
    assert len(failed) == 1


@pytest.mark.parametrize("is_meant", OWN_CALLS.values(), ids=OWN_CALLS)
def test_promise_26_a_stop_does_not_wait_for_an_answer_that_never_comes(is_meant, line, upload):
    may_end, held = threading.Event(), []

    def fault(request, ask):
        if is_meant(request):
            held.append(request)
            may_end.wait()
        return ask(request)

    client = boto3.client(
        "s3", endpoint_url=line.endpoint, region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
        config=Config(**{**client_settings(Options()), "read_timeout": 600}),
    )  # fmt: skip
    with line.faulty(fault), pytest.raises(UploadProblem) as problem:
        upload(client=client, stop=lambda: bool(held))
    assert problem.value.code == "stopped"
    may_end.set()


def test_promise_26_it_is_told_why_s3_is_asked_again_and_that_it_answered(line, upload):
    times = iter(range(2))

    def fault(request, ask):
        is_listing = "list-type=2" in request.path
        return error(503, "SlowDown") if is_listing and next(times, None) is not None else ask(request)

    told: list[str] = []
    with line.faulty(fault):
        upload(say=told.append)
    assert told == [
        "S3 does not answer (503 SlowDown): attempt 2 of 10",
        "S3 does not answer (503 SlowDown): attempt 3 of 10",
        "",
    ]


def test_promise_26_what_befalls_other_threads_is_told_in_the_callers(line, upload, files):
    told: list[tuple[str, int]] = []

    def fault(request, ask):
        is_file = request.method == "PUT" and request.path.endswith(".gz")
        return None if is_file and not told else ask(request)

    with line.faulty(fault):
        upload(attempts=1000, say=lambda trouble: told.append((trouble, threading.get_ident())))
    texts = [text for text, _thread in told]
    assert "S3 does not answer (" in texts[0]
    assert "of 1000" in texts[0]
    assert texts[-1] == ""
    assert {thread for _text, thread in told} == {threading.get_ident()}

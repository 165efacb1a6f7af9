"""Promise 26: failures that pass are waited for, a bounded time; others are told at once, in plain words."""

import threading

import pytest
from faulty_proxy import error
from uploading import BELOW, BUCKET

from sequencing.s3 import Options, UploadProblem


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

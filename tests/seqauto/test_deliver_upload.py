"""Uploads of the story through a faulty line to a real S3 server: nothing counts that is not proven."""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from delivering import deliver, delivery_of, land_run, rules_for, state_of, step_of
from delivering_faults import fastqs_made
from faulty_proxy import Answer, FaultyProxy, Request, error

from seqauto import decisions
from seqauto.models.deliveries import DeliveryState, StepState
from sequencing.demo import DemoSample

pytestmark = pytest.mark.django_db


@pytest.fixture
def line(s3_server) -> Iterator[FaultyProxy]:
    with FaultyProxy(s3_server.port) as proxy:
        yield proxy


@pytest.fixture
def rules(tmp_path, s3_server, line):
    """A lab that reaches S3 through the line only."""
    rules = rules_for(tmp_path, s3_server)
    return replace(rules, s3=replace(rules.s3, endpoint_url=line.endpoint))


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Retries that would take minutes take moments."""
    step = sys.modules["seqauto.steps.upload"]
    usual = step.s3_options
    quick = {"attempts": 3, "first_pause": 0.01, "longest_pause": 0.05}
    monkeypatch.setattr(step, "s3_options", lambda rules: replace(usual(rules), **quick))


def failed(run: Path, code: str):
    step = step_of(run, "upload")
    assert (step.state, step.code) == (StepState.FAILED, code), step.error + step.traceback
    assert step.remedy
    assert not step.traceback
    assert state_of(run) == DeliveryState.WAITING
    return step


def retry(run: Path, rules) -> None:
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED, step_of(run, "upload").error


def sent(line: FaultyProxy) -> list[Request]:
    """All requests that could have put a byte into the bucket."""
    return line.asked("PUT") + line.asked("POST")


def is_for(request: Request, pattern: str) -> bool:
    return request.method == "PUT" and pattern in request.path


# ---- whose bucket ----


def test_promise_55_a_bucket_that_does_not_let_us_in_gets_no_byte(rules, line, s3_server):
    """As AWS answers where another account owns it."""
    run = land_run(rules)
    with line.faulty(lambda request, ask: error(403, "AccessDenied")):
        deliver(rules)
    assert s3_server.bucket.name in failed(run, "no_access").error
    assert sent(line) == []
    retry(run, rules)


def test_promise_55_a_server_that_knows_no_owners_gets_no_byte_where_one_is_asked_for(rules, line):
    run = land_run(rules)
    deliver(replace(rules, s3=replace(rules.s3, bucket_owner="123456789012")))
    assert "123456789012" in failed(run, "no_access").error
    assert sent(line) == []
    retry(run, rules)


def test_promise_55_a_bucket_that_is_not_there_gets_no_byte(rules, line):
    run = land_run(rules)
    deliver(replace(rules, s3=replace(rules.s3, bucket="mistyped")))
    assert "mistyped" in failed(run, "no_bucket").error
    assert sent(line) == []


# ---- what arrives ----


def damaged(request: Request) -> Request:
    return replace(request, body=request.body[:-1] + bytes([request.body[-1] ^ 1]))


def test_promise_24_damaged_bytes_are_never_called_uploaded(rules, line, s3_server, impatient):
    """The server believes whatever checksum it is sent."""
    run = land_run(rules)
    with line.faulty(lambda request, ask: ask(damaged(request) if is_for(request, "_R2_") else request)):
        deliver(rules)
    assert step_of(run, "upload").state == StepState.FAILED
    assert "_R2_" in step_of(run, "upload").error
    assert not [key for key in s3_server.objects() if key.endswith("meta.json")]


def test_promise_25_another_object_at_a_key_is_refused_and_stays(rules, s3_server):
    run = land_run(rules)
    key = "runs/Panel/M00879_31/26W0031-01_S1_L001_R1_001.fastq.gz"
    (s3_server.bucket / key).parent.mkdir(parents=True)
    (s3_server.bucket / key).write_bytes(b"of another run")
    deliver(rules)
    assert key in failed(run, "conflict").error
    assert s3_server.objects() == {key: b"of another run"}


def test_promise_25_the_same_run_number_on_another_date_is_refused(rules, s3_server):
    first = land_run(rules)
    deliver(rules)
    assert state_of(first) == DeliveryState.DELIVERED
    before = s3_server.objects()
    second = land_run(rules, date=delivery_of(first).date.replace(year=2027), flowcell="000000000-BBBBB")
    deliver(rules)
    assert "meta.json" in failed(second, "conflict").error
    assert s3_server.objects() == before


def test_promise_26_503s_that_pass_are_survived(rules, line):
    run = land_run(rules)
    busy = iter([503, 500, 503])

    def sometimes(request, ask) -> Answer | None:
        status = next(busy, None) if is_for(request, "fastq.gz") else None
        return error(status, "SlowDown") if status else ask(request)

    with line.faulty(sometimes):
        deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED, step_of(run, "upload").error


def test_promise_26_503s_that_stay_end_in_a_visible_failure(rules, line, impatient):
    run = land_run(rules)
    with line.faulty(lambda request, ask: error(503, "SlowDown")):
        deliver(rules)
    assert "did not answer" in failed(run, "unavailable").error
    retry(run, rules)


def test_promise_26_expired_credentials_are_named_at_once(rules, line):
    run = land_run(rules)
    with line.faulty(lambda request, ask: error(403, "ExpiredToken") if sent(line) else ask(request)):
        deliver(rules)
    assert "Renew" in failed(run, "expired_credentials").remedy
    retry(run, rules)


def test_promise_27_meta_json_comes_after_every_fastq_of_its_project(rules, line, s3_server):
    samples = [DemoSample("A", "Heart"), DemoSample("B", "Panel"), DemoSample("C", "")]
    run = land_run(rules, samples=samples)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED, step_of(run, "upload").error
    written = [path for request in line.asked("PUT") if "?" not in (path := without_operation(request))]
    for project in ("Heart", "Panel", "no_project"):
        below = f"/{s3_server.bucket.name}/runs/{project}/M00879_31/"
        of_project = [path.removeprefix(below) for path in written if path.startswith(below)]
        assert of_project[-1] == "meta.json"
        assert len(of_project) == 3
        meta = json.loads(s3_server.objects()[f"runs/{project}/M00879_31/meta.json"])
        assert [file["name"] for file in meta["files"]] == sorted(of_project[:-1])
        assert meta["project_code"] == project


def test_promise_27_without_one_fastq_there_is_no_meta_json_of_its_project(rules, line, s3_server):
    run = land_run(rules, samples=[DemoSample("A", "Heart"), DemoSample("B", "Panel")])

    def refuse_one(request, ask) -> Answer | None:
        return error(403, "AccessDenied") if is_for(request, "B_S2_L001_R2") else ask(request)

    with line.faulty(refuse_one):
        deliver(rules)
    failed(run, "no_access")
    metas = {key for key in s3_server.objects() if key.endswith("meta.json")}
    assert metas == {"runs/Heart/M00879_31/meta.json"}
    retry(run, rules)
    assert len([key for key in s3_server.objects() if key.endswith("meta.json")]) == 2


def test_promise_27_a_fastq_that_changed_since_it_was_judged_is_not_uploaded(rules, s3_server):
    run = land_run(rules)
    deliver(replace(rules, s3=replace(rules.s3, bucket="")))
    made = Path(step_of(run, "convert").figures["folder"])
    fastq = next(made.rglob("*-01_S1_*_R1_*"))
    fastq.write_bytes(fastq.read_bytes() + b"more")
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    assert fastq.name in failed(run, "changed_locally").error
    assert not [key for key in s3_server.objects() if key.endswith("meta.json")]


def nul_out(fastq: Path) -> None:
    """As a disk does it: of the same size and time."""
    status = fastq.stat()
    fastq.write_bytes(bytes(status.st_size))
    os.utime(fastq, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_promise_27_other_bytes_of_the_same_size_and_time_are_not_uploaded(rules, s3_server):
    run = land_run(rules)
    deliver(replace(rules, s3=replace(rules.s3, bucket="")))
    fastq = next(Path(step_of(run, "convert").figures["folder"]).rglob("*-01_S1_*_R1_*"))
    whole = fastq.read_bytes()
    judged_at = fastq.stat().st_mtime_ns
    nul_out(fastq)
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    assert fastq.name in failed(run, "changed_locally").error
    assert not [key for key in s3_server.objects() if fastq.name in key or key.endswith("meta.json")]
    fastq.write_bytes(whole)
    os.utime(fastq, ns=(judged_at, judged_at))
    retry(run, rules)


def forget_hashes(run: Path) -> None:
    """As conversions before 0.2 left it."""
    step = step_of(run, "convert")
    for file in step.figures["files"]:
        del file["md5"], file["mtime_ns"]
    step.save()


@pytest.mark.parametrize("is_damaged", [False, True])
def test_promise_13_fastqs_without_hashes_are_judged_again_before_they_are_uploaded(
    rules, s3_server, is_damaged
):
    run = land_run(rules)
    deliver(replace(rules, s3=replace(rules.s3, bucket="")))
    forget_hashes(run)
    if is_damaged:
        nul_out(next(Path(step_of(run, "convert").figures["folder"]).rglob("*-01_S1_*_R1_*")))
    decisions.retry(delivery_of(run), None)
    deliver(rules)
    if is_damaged:
        assert "not whole" in failed(run, "fastqs").error
    else:
        assert state_of(run) == DeliveryState.DELIVERED, step_of(run, "upload").error
    assert bool(s3_server.objects()) != is_damaged


def test_a_delivery_of_nothing_is_never_done(rules, s3_server):
    run = land_run(rules)
    for fastq in fastqs_made(rules, run).rglob("*.fastq.gz"):
        if not fastq.name.startswith("Undetermined"):
            fastq.unlink()
    deliver(rules)
    decisions.override(delivery_of(run), None, ["missing_fastq"], "nobody wants them")
    deliver(rules)
    assert step_of(run, "convert").state == StepState.DONE, step_of(run, "convert").error
    assert "nothing to upload" in failed(run, "nothing_to_upload").error
    assert s3_server.objects() == {}
    decisions.convert_again(delivery_of(run), None, "as the page says")


def test_convert_and_upload_tell_their_bytes(rules, s3_server):
    run = land_run(rules)
    deliver(rules)
    made = step_of(run, "convert").figures
    assert made["bytes"] == sum(path.stat().st_size for path in Path(made["folder"]).rglob("*.fastq.gz"))
    assert step_of(run, "upload").figures["bytes"] == sum(map(len, s3_server.objects().values()))


def without_operation(request: Request) -> str:
    """The path of a request; boto3 names the operation of plain ones too."""
    return request.path.removesuffix("?x-id=PutObject")


# ---- names ----


@pytest.mark.parametrize("instrument", ["../../M00879", "M0 0879", "-rf"])
def test_promise_49_an_instrument_of_hostile_name_becomes_no_key(rules, line, instrument):
    run = land_run(rules)
    text = (run / "RunInfo.xml").read_text()
    (run / "RunInfo.xml").write_text(text.replace("<Instrument>M00879<", f"<Instrument>{instrument}<"))
    deliver(rules)
    assert state_of(run) == DeliveryState.WAITING
    (step,) = delivery_of(run).steps.filter(state=StepState.FAILED)
    assert step.code in ("no_run_info", "unsafe_name"), step.error
    assert step.remedy
    assert sent(line) == []

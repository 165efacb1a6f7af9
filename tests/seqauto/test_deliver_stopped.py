"""Delivering processes that are asked to end while they read FASTQs or wait for S3: they do so at once."""

import signal
from dataclasses import replace

import pytest
from child_processes import wait_until
from delivering import land_run, rules_for, step_of
from delivering_faults import bcl_manager, fastq_made
from faulty_proxy import FaultyProxy, error

from seqauto.models import Delivery
from seqauto.models.deliveries import StepState

pytestmark = pytest.mark.django_db(transaction=True)


def test_ctrl_c_ends_the_reading_of_a_fastq_that_would_take_hours(children, tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    run = land_run(rules)
    with fastq_made(rules, run, "*-01_S1_L001_R1_*").open("ab") as file:
        file.truncate(1 << 36)  # zeros after a gzip stream are padding
    child = bcl_manager(children, rules)

    def is_read() -> bool:
        step = step_of(run, "convert") if Delivery.objects.exists() else None
        return bool(step and step.doing.startswith("Reading every") and (step.bytes_total or 0) > 1 << 36)

    wait_until(is_read, "the FASTQs are read, and it is told how far")
    child.send(signal.SIGINT)
    child.returncode()
    assert step_of(run, "convert").state == StepState.WAITING
    assert not (rules.fastq_dir / run.name / "Unaligned").exists()


def test_promise_26_ctrl_c_ends_the_wait_for_s3_and_the_page_tells_of_the_wait(children, tmp_path, s3_server):
    rules = rules_for(tmp_path, s3_server)
    run = land_run(rules)
    with FaultyProxy(s3_server.port) as line:
        line.fault = lambda request, ask: error(503, "SlowDown")
        rules = replace(rules, s3=replace(rules.s3, endpoint_url=line.endpoint))
        child = bcl_manager(children, rules)

        def is_waiting() -> bool:
            step = step_of(run, "upload") if Delivery.objects.exists() else None
            return bool(step and step.doing.startswith("S3 does not answer (503): attempt "))

        wait_until(is_waiting, "it is told that S3 does not answer")
        child.send(signal.SIGINT)
        child.returncode()
        asked = len(line.requests)
    assert step_of(run, "upload").state == StepState.WAITING
    assert asked < 10  # attempts, before the tenth of which it would have failed

"""What follows an upload: a job of AWS Batch or a Celery task, by project code, handed over once."""

import json
import sys
from dataclasses import replace
from datetime import timedelta

import boto3
import kombu
import pytest
from batch_server import BatchServer
from celery import current_app
from child_processes import wait_until
from delivering import deliver, delivery_of, land_run, rules_for, state_of, step_of, steps_of
from delivering_faults import SHORT_LEASE, bcl_manager, environment_of
from django.db.models import F
from django.utils import timezone
from moto import mock_aws
from test_broker import embedded  # noqa: F401

from seqauto import checks, dates, decisions, hooks
from seqauto.delivery_work import Work
from seqauto.hooks import Job, NoAnswer, NotTaken, filled_in, hook_for, parse_hooks
from seqauto.models import AuditEntry, Submission
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from sequencing.demo import DemoSample

pytestmark = pytest.mark.django_db

BATCH = {
    "batch": {
        "job_queue": "exomes",
        "job_definition": "exome-pipeline:4",
        "parameters": {"run": "{run_id}", "from": "{s3_uri}"},
    }
}
CELERY = {"celery": {"task": "pipelines.tasks.start", "queue": "pipelines"}}


# --- Rules ---------------------------------------------------------------------------------------------


def test_a_project_has_its_own_hook_or_that_of_all_others_or_none():
    parsed, problems = parse_hooks({"Exome": BATCH, "Training": None, "*": CELERY})
    assert problems == []
    found = [hook_for(name, parsed) for name in ("Exome", "Other", "Training")]
    assert [hook and hook.kind for hook in found] == ["batch", "celery", None]
    assert hook_for("Other", {}) is None


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("start.sh", "a rule is"),
        ({}, "a rule is"),
        ({"shell": {"command": "rm"}}, "a rule is"),
        ({**BATCH, **CELERY}, "a rule is"),
        ({"batch": {"job_queue": "q"}}, "batch needs job_queue and job_definition"),
        ({"batch": {**BATCH["batch"], "image": "x"}}, "and nothing else"),
        ({"batch": {**BATCH["batch"], "job_queue": ""}}, "job_queue is ''"),
        ({"batch": {**BATCH["batch"], "job_queue": ["q"]}}, "job_queue is"),
        ({"batch": {**BATCH["batch"], "parameters": {"run": "{run.__class__}"}}}, "is unknown"),
        ({"batch": {**BATCH["batch"], "parameters": {"run": 7}}}, "an object of texts"),
        ({"batch": {**BATCH["batch"], "parameters": ["run"]}}, "an object of texts"),
        ({"celery": {"task": "os.system('x')", "queue": "q"}}, "task is"),
        ({"celery": {"task": "a.b", "queue": "q\n"}}, "queue is"),
        ({"celery": {"task": "a.b", "queue": "q", "arguments": {"x": "{password}"}}}, "known are project"),
    ],
)
def test_a_rule_that_cannot_be_carried_out_stops_the_start(settings, rule, why):
    settings.SEQAUTO_AFTER_UPLOAD = {"Exome": rule}
    (error,) = checks._after_upload()
    assert error.msg.startswith("SEQAUTO_AFTER_UPLOAD: 'Exome': ")
    assert why in error.msg


@pytest.mark.parametrize("value", ["", "-rf", "a b", "$(x)", "a\nb", "../x", "ü", "a;b", "{run_id}"])
def test_promise_49_what_must_not_stand_in_an_argument_is_not_handed_on(value):
    with pytest.raises(ValueError, match="is not handed on"):
        filled_in({"x": "run={flowcell}"}, {"flowcell": value})


def test_placeholders_are_filled_in_once_and_other_braces_stay():
    facts = {"run_id": "M00879_31", "project": "Exome"}
    assert filled_in({"a": "{run_id}/{project}", "b": "plain"}, facts) == {
        "a": "M00879_31/Exome",
        "b": "plain",
    }


def test_the_name_of_a_batch_job_is_allowed_there_and_holds_the_whole_id():
    job = Job("0b5c8a44-7d43-4d6e-9b6a-3d1f9f1c2a11", "P" * 100 + ".é_M1_1", {}, {})
    assert len(job.name) <= 128
    assert job.name.isascii()
    assert job.name.endswith("_0b5c8a447d434d6e9b6a3d1f9f1c2a11")


# --- AWS Batch, as moto plays it -----------------------------------------------------------------------


@pytest.fixture
def rules(tmp_path, s3_server):
    return rules_for(tmp_path, s3_server)


def with_hooks(rules, **projects):
    return replace(rules, after_upload=parse_hooks(projects)[0])


@pytest.fixture
def batch(s3_server):
    """AWS Batch with a queue and a job definition; all else goes on to the real S3 server."""
    passed = {"passthrough": {"urls": [rf"http://127\.0\.0\.1:{s3_server.port}/.*"]}}
    with mock_aws(config={"batch": {"use_docker": False}, "core": passed | {"mock_credentials": False}}):
        role = boto3.client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")
        client = boto3.client("batch")
        made = client.create_compute_environment(
            computeEnvironmentName="machines",
            type="UNMANAGED",
            state="ENABLED",
            serviceRole=role["Role"]["Arn"],
        )
        client.create_job_queue(
            jobQueueName="exomes",
            state="ENABLED",
            priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": made["computeEnvironmentArn"]}],
        )
        for _ in range(4):
            client.register_job_definition(
                jobDefinitionName="exome-pipeline",
                type="container",
                containerProperties={"image": "busybox", "vcpus": 1, "memory": 64, "command": ["true"]},
            )
        yield client


def jobs_in(client) -> list[dict]:
    found = client.list_jobs(jobQueue="exomes", filters=[{"name": "JOB_NAME", "values": ["*"]}])
    numbers = [one["jobId"] for one in found["jobSummaryList"]]
    return client.describe_jobs(jobs=numbers)["jobs"] if numbers else []


def test_a_project_with_a_rule_is_submitted_to_batch_once_and_recorded(rules, batch, admin_client):
    rules = with_hooks(rules, Panel=BATCH)
    run = land_run(rules)
    deliver(rules)
    (job,) = jobs_in(batch)
    submission = Submission.objects.get()
    bucket = rules.s3.bucket
    assert job["jobName"] == f"Panel_M00879_31_{submission.job_id.hex}"
    assert job["parameters"] == {"run": "M00879_31", "from": f"s3://{bucket}/runs/Panel/M00879_31/"}
    assert (state_of(run), step_of(run, StepKind.SUBMIT).place) == (DeliveryState.DELIVERED, 5)
    (told,) = step_of(run, StepKind.SUBMIT).figures["submissions"]
    assert told["receipt"] == submission.receipt == job["jobId"]
    page = admin_client.get(delivery_of(run).get_absolute_url()).content.decode()
    assert f"Panel to AWS Batch, queue exomes, job {job['jobId']}" in page
    entry = AuditEntry.objects.get(action="delivery.submitted")
    assert (entry.who, entry.is_person, entry.after["receipt"]) == ("after upload", False, job["jobId"])


def test_a_run_without_a_rule_has_no_such_step(rules):
    rules = with_hooks(rules, Other=BATCH)
    run = land_run(rules)
    deliver(rules)
    assert StepKind.SUBMIT not in steps_of(run)
    assert state_of(run) == DeliveryState.DELIVERED


def test_each_project_is_submitted_by_its_own_rule(rules, batch):
    samples = [DemoSample("S1", project="A"), DemoSample("S2", project="B"), DemoSample("S3", project="C")]
    rules = with_hooks(rules, **{"*": BATCH, "C": None})
    land_run(rules, samples=samples)
    deliver(rules)
    assert sorted(job["jobName"].split("_")[0] for job in jobs_in(batch)) == ["A", "B"]


def test_a_submission_that_was_answered_is_never_sent_again(rules, batch):
    rules = with_hooks(rules, Panel=BATCH)
    run = land_run(rules)
    deliver(rules)
    run_again(run, rules)
    assert len(jobs_in(batch)) == Submission.objects.count() == 1
    assert AuditEntry.objects.filter(action="delivery.submitted").count() == 1


def test_of_two_workers_that_send_at_once_one_submits(rules, batch, monkeypatch):
    rules = with_hooks(rules, Panel=BATCH)
    usual, sent_by_another = Work.must_stop, []

    def while_another_sends(work):
        if not sent_by_another and Submission.objects.exists():
            sent_by_another.append(True)
            sys.modules["seqauto.steps.submit"]._send(work, Submission.objects.get(), rules)
        return usual(work)

    monkeypatch.setattr(Work, "must_stop", while_another_sends)
    run = land_run(rules)
    deliver(rules)
    assert sent_by_another
    assert len(jobs_in(batch)) == 1
    assert state_of(run) == DeliveryState.DELIVERED


def run_again(run, rules) -> None:
    """Let the step wait as if nothing were known of its last try."""
    delivery_of(run).steps.filter(kind=StepKind.SUBMIT).update(state=StepState.WAITING, figures={})
    type(delivery_of(run)).objects.filter(path=str(run)).update(state=DeliveryState.DELIVERING)
    deliver(rules)


def test_another_conversion_is_another_submission(rules, batch, admin_user):
    rules = with_hooks(rules, Panel=BATCH)
    run = land_run(rules)
    deliver(rules)
    decisions.convert_again(delivery_of(run), admin_user, "Other indexes")
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED
    assert sorted(job["parameters"]["from"].split("/")[-2] for job in jobs_in(batch)) == [
        "M00879_31", "M00879_31_2",
    ]  # fmt: skip


def test_what_batch_refuses_waits_for_a_person_and_is_sent_by_the_mended_rule(rules, batch, admin_user):
    wrong = {"batch": {**BATCH["batch"], "job_definition": "no-such-pipeline"}}
    rules = with_hooks(rules, Panel=wrong)
    run = land_run(rules)
    deliver(rules)
    step = step_of(run, StepKind.SUBMIT)
    assert (state_of(run), step.code) == (DeliveryState.WAITING, "refused")
    assert "no-such-pipeline" in step.error
    assert Submission.objects.get().asked_at is None
    decisions.retry(delivery_of(run), admin_user)
    deliver(with_hooks(rules, Panel=BATCH))
    assert (state_of(run), len(jobs_in(batch))) == (DeliveryState.DELIVERED, 1)


# --- Answers that are lost -----------------------------------------------------------------------------


@pytest.fixture
def batch_server(monkeypatch):
    with BatchServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


def test_a_job_whose_answer_was_lost_is_found_by_its_name_and_not_sent_again(rules, batch_server, admin_user):
    rules = with_hooks(rules, Panel=BATCH)
    run = land_run(rules)
    batch_server.swallow = lambda job: True
    deliver(rules)
    assert (state_of(run), step_of(run, "submit").code) == (DeliveryState.WAITING, "no_answer")
    decisions.retry(delivery_of(run), admin_user)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED
    assert batch_server.calls == ["submitjob", "listjobs"]
    assert Submission.objects.get().receipt == batch_server.jobs[0]["jobId"]


def test_a_job_that_never_arrived_is_sent_when_batch_answers_again(rules, batch_server, admin_user):
    rules = with_hooks(rules, Panel=BATCH)
    run = land_run(rules)
    batch_server.swallow = lambda job: bool(batch_server.jobs.clear()) or True
    deliver(rules)
    batch_server.swallow = lambda job: False
    decisions.retry(delivery_of(run), admin_user)
    deliver(rules)
    assert (state_of(run), len(batch_server.jobs)) == (DeliveryState.DELIVERED, 1)
    assert batch_server.calls == ["submitjob", "listjobs", "submitjob"]


def test_a_job_that_batch_may_have_forgotten_is_left_to_a_person(rules, batch_server, admin_user):
    rules = with_hooks(rules, Panel=BATCH)
    run = land_run(rules)
    batch_server.swallow = lambda job: bool(batch_server.jobs.clear()) or True
    deliver(rules)
    batch_server.swallow = lambda job: False
    asked_at = timezone.now() - timedelta(days=2)
    Submission.objects.update(asked_at=asked_at)
    decisions.retry(delivery_of(run), admin_user)
    deliver(rules)
    step = step_of(run, StepKind.SUBMIT)
    assert (step.code, batch_server.jobs) == ("submitted_or_not_1", [])
    assert f"sent on {dates.moment(asked_at)}, was taken: no answer came" in step.error
    decisions.override(delivery_of(run), admin_user, [step.code], "Nothing of it is there")
    deliver(rules)
    assert (state_of(run), len(batch_server.jobs)) == (DeliveryState.DELIVERED, 1)


@pytest.mark.parametrize(
    "asked_ago", [timedelta(days=400), timedelta(days=-400)], ids=["a year ago", "in the future"]
)
def test_an_odd_clock_makes_no_job_known(asked_ago):
    now = timezone.now()
    assert hooks.is_forgotten(now - asked_ago, now)
    assert not hooks.is_forgotten(now - timedelta(minutes=2), now)


@pytest.mark.django_db(transaction=True)
def test_kill_9_between_the_submission_and_its_answer_starts_the_job_once(children, rules):
    run = land_run(rules)
    hook = {"SEQAUTO_AFTER_UPLOAD": json.dumps({"Panel": BATCH})}
    with BatchServer() as server:

        def kill(_job) -> bool:
            children.started[-1].process.kill()
            return True

        server.swallow = kill
        killed = bcl_manager(children, rules, "--once", **hook, **server.environment, **SHORT_LEASE)
        killed.process.wait(timeout=90)
        assert (len(server.jobs), Submission.objects.get().submitted_at) == (1, None)
        server.swallow = lambda job: False
        child = bcl_manager(children, rules, "--once", **hook, **server.environment, **SHORT_LEASE)
        assert child.returncode() == 0, child.err
        assert server.calls == ["submitjob", "listjobs"]
    assert state_of(run) == DeliveryState.DELIVERED
    assert AuditEntry.objects.filter(action="delivery.submitted").count() == 1


# --- Celery --------------------------------------------------------------------------------------------


def taken_from(url: str, queue: str = "pipelines") -> list[kombu.Message]:
    """All messages of a queue."""
    with kombu.Connection(url) as connection, connection.channel() as channel:
        messages = []
        while message := channel.basic_get(queue, no_ack=True):
            messages.append(message)
        return messages


@pytest.fixture
def celery_queue():
    """The queue of the lab's pipelines in this process, empty."""
    url = current_app.conf.broker_url
    with kombu.Connection(url) as connection:
        connection.SimpleQueue("pipelines").clear()
    return lambda: taken_from(url)


def test_a_project_with_a_rule_becomes_a_task_whose_id_is_the_submissions(rules, celery_queue):
    rules = with_hooks(rules, **{"*": CELERY})
    run = land_run(rules)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED
    (message,) = celery_queue()
    assert (message.headers["task"], message.headers["id"]) == (
        "pipelines.tasks.start", str(Submission.objects.get().job_id),
    )  # fmt: skip
    _args, arguments, _options = json.loads(message.body)
    assert arguments == {
        "project": "Panel",
        "run_id": "M00879_31",
        "s3_bucket": rules.s3.bucket,
        "s3_prefix": "runs/Panel/M00879_31/",
    }
    run_again(run, rules)
    assert celery_queue() == []


def test_a_task_that_a_crash_left_in_doubt_is_left_to_a_person(rules, celery_queue, monkeypatch, admin_user):
    rules = with_hooks(rules, **{"*": CELERY})
    run = land_run(rules)
    send = hooks.SENDERS["celery"]

    def send_and_die(job: Job) -> None:
        send(job)
        raise KeyboardInterrupt

    monkeypatch.setitem(hooks.SENDERS, "celery", send_and_die)
    with pytest.raises(KeyboardInterrupt):
        deliver(rules)
    monkeypatch.setitem(hooks.SENDERS, "celery", send)
    deliver(rules)
    step = step_of(run, StepKind.SUBMIT)
    assert step.code == "submitted_or_not_1"
    assert "no broker tells whether it has taken a task" in step.error
    assert [message.headers["id"] for message in celery_queue()] == [str(Submission.objects.get().job_id)]
    decisions.override(delivery_of(run), admin_user, [step.code], "Its queue was emptied by hand")
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED
    assert [message.headers["id"] for message in celery_queue()] == [str(Submission.objects.get().job_id)]


def test_a_word_about_one_doubt_settles_no_later_one(rules, celery_queue, monkeypatch, admin_user):
    rules = with_hooks(rules, **{"*": CELERY})
    run = land_run(rules)
    send = hooks.SENDERS["celery"]

    def no_answer(_job: Job) -> None:
        raise NoAnswer("The line broke")

    monkeypatch.setitem(hooks.SENDERS, "celery", no_answer)
    deliver(rules)
    assert step_of(run, StepKind.SUBMIT).code == "no_answer"
    for hours in (1, 2):
        Submission.objects.update(asked_at=F("asked_at") - timedelta(hours=hours))
        decisions.retry(delivery_of(run), admin_user)
        deliver(rules)
        assert step_of(run, StepKind.SUBMIT).code == "submitted_or_not_1"
        decisions.override(delivery_of(run), admin_user, ["submitted_or_not_1"], "It is not there")
        deliver(rules)
        assert step_of(run, StepKind.SUBMIT).code == "no_answer"
    monkeypatch.setitem(hooks.SENDERS, "celery", send)
    assert celery_queue() == []


def test_a_broker_that_does_not_answer_is_a_problem_that_waits(rules, monkeypatch, admin_user):
    # In this order: where no address for writing is set, it is that of the broker, and is put back as such.
    for name in ("broker_write_url", "broker_url"):
        monkeypatch.setattr(current_app.conf, name, "redis://127.0.0.1:1/0")
    rules = with_hooks(rules, **{"*": CELERY})
    run = land_run(rules)
    with monkeypatch.context() as patch:
        patch.setattr(current_app, "_pool", None)
        patch.setattr(current_app.amqp, "_producer_pool", None)
        deliver(rules)
    step = step_of(run, "submit")
    assert (state_of(run), step.code) == (DeliveryState.WAITING, "no_answer")
    assert "Nothing was sent" in step.remedy
    monkeypatch.undo()
    decisions.retry(delivery_of(run), admin_user)
    deliver(rules)
    assert state_of(run) == DeliveryState.DELIVERED


@pytest.mark.broker
@pytest.mark.alone("broker")
@pytest.mark.django_db(transaction=True)
def test_a_task_arrives_through_a_real_broker(embedded, children, rules):  # noqa: F811
    run = land_run(rules)
    hook = json.dumps({"*": CELERY})
    environment = environment_of(rules, CELERY_BROKER_URL=embedded.url, SEQAUTO_AFTER_UPLOAD=hook)
    child = children.manage("bcl_manager", "--once", **environment)
    assert child.returncode() == 0, child.err
    wait_until(lambda: state_of(run) == DeliveryState.DELIVERED, "the run is delivered")
    (message,) = taken_from(embedded.url)
    assert message.headers["id"] == str(Submission.objects.get().job_id)


def test_no_answer_and_a_refusal_are_told_apart():
    class Client:
        class exceptions:
            class ClientError(Exception):
                response = {"ResponseMetadata": {"HTTPStatusCode": 403}}

        def submit_job(self, **_arguments):
            raise self.exceptions.ClientError("AccessDenied")

    job = Job("id", "title", {"job_queue": "q", "job_definition": "d"}, {})
    with pytest.raises(NotTaken, match="AccessDenied"):
        hooks.submit_to_batch(Client(), job)

"""Submit: what the lab wants started when a project is uploaded, handed over once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from .. import dates
from ..audit import record
from ..delivery_rules import DeliveryRules
from ..delivery_states import override_key
from ..delivery_work import StepInterrupted, StepProblem, Work
from ..hooks import (
    SENDERS,
    Hook,
    Job,
    NoAnswer,
    NotTaken,
    filled_in,
    find_in_batch,
    hook_for,
    is_forgotten,
    submit_to_batch,
)
from ..models import Delivery, DeliveryStep, Submission
from ..models.deliveries import StepKind
from ..s3_clients import batch_client

PLACE = 5


def add_step_where_something_follows(
    delivery: Delivery, projects: list[dict[str, Any]], rules: DeliveryRules
) -> None:
    """Give a delivery its fifth step before its upload is called done; without a rule it has none."""
    if any(hook_for(project["project"], rules.after_upload) for project in projects):
        DeliveryStep.objects.get_or_create(delivery=delivery, kind=StepKind.SUBMIT, defaults={"place": PLACE})


def submit(work: Work, rules: DeliveryRules) -> dict[str, Any]:
    """Hand over each project that something follows; what was answered before is not sent again."""
    uploaded = work.delivery.steps.get(kind=StepKind.UPLOAD).figures
    told = []
    for project in uploaded["projects"]:
        hook = hook_for(project["project"], rules.after_upload)
        if hook:
            work.say(f"Project {project['project']}")
            told.append(_told(_hand_over(work, hook, project, uploaded["bucket"], rules)))
    return {"submissions": told}


def _told(submission: Submission) -> dict[str, Any]:
    return {
        "project": submission.project,
        "kind": submission.kind,
        **submission.job["target"],
        "job_id": str(submission.job_id),
        "receipt": submission.receipt,
        "submitted_at": submission.submitted_at.isoformat() if submission.submitted_at else None,
    }


def _hand_over(
    work: Work, hook: Hook, project: Mapping[str, Any], bucket: str, rules: DeliveryRules
) -> Submission:
    submission, _is_new = Submission.objects.get_or_create(
        delivery=work.delivery,
        conversion=work.delivery.conversion,
        project=project["project"],
        defaults={"kind": hook.kind},
    )
    if submission.submitted_at:
        return submission
    receipt = _found_from_before(work, submission, rules)
    if receipt is None:
        _choose(submission, hook, _facts(work.delivery, project, bucket, submission))
        receipt = _send(work, submission, rules)
    with transaction.atomic():
        submission.submitted_at, submission.receipt = timezone.now(), receipt
        submission.save(update_fields=["submitted_at", "receipt"])
        record(
            "delivery.submitted",
            work.delivery,
            rule="after upload",
            after={name: value for name, value in _told(submission).items() if name != "submitted_at"},
        )
    return submission


def _facts(
    delivery: Delivery, project: Mapping[str, Any], bucket: str, submission: Submission
) -> dict[str, str]:
    """What a rule may name in braces (see hooks.PLACEHOLDERS), as texts."""
    return {
        "project": project["project"],
        "run_id": f"{delivery.instrument}_{delivery.run_number}",
        "run_name": delivery.name,
        "instrument": delivery.instrument,
        "run_number": str(delivery.run_number),
        "flowcell": delivery.flowcell,
        "date": str(delivery.date),
        "conversion": str(delivery.conversion),
        "s3_bucket": bucket,
        "s3_prefix": project["prefix"],
        "s3_uri": f"s3://{bucket}/{project['prefix']}",
        "job_id": str(submission.job_id),
    }


def _choose(submission: Submission, hook: Hook, facts: Mapping[str, str]) -> None:
    """Write down what will be sent, by the rule as it stands now."""
    try:
        parameters = filled_in(hook.parameters, facts)
    except ValueError as error:
        raise StepProblem(
            "unsafe_name",
            f"Nothing was submitted for {submission.project}: {error}.",
            "Correct SEQAUTO_AFTER_UPLOAD, or what the run says of itself, then retry.",
        ) from None
    submission.kind = hook.kind
    submission.job = {
        "title": f"{submission.project}_{facts['run_id']}",
        "target": dict(hook.target),
        "parameters": parameters,
    }
    submission.save(update_fields=["kind", "job"])


def _job(submission: Submission) -> Job:
    job = submission.job
    return Job(str(submission.job_id), job["title"], job["target"], job["parameters"])


def _found_from_before(work: Work, submission: Submission, rules: DeliveryRules) -> str | None:
    """The receipt of a job that was sent before and whose answer was lost; None where it is to be sent."""
    if submission.asked_at is None:
        return None
    why = "no broker tells whether it has taken a task"
    if submission.kind == "batch":
        try:
            found = find_in_batch(batch_client(rules.s3), _job(submission))
        except (NotTaken, NoAnswer) as error:
            raise StepProblem("no_answer", f"{error}.", _LOOK_FIRST) from error
        if found:
            return found
        if not is_forgotten(submission.asked_at, timezone.now()):
            return None
        why = "AWS Batch lists ended jobs for a day only"
    sent_on = dates.moment(submission.asked_at)
    code = f"submitted_or_not_{submission.conversion}"
    told = f"Nobody knows whether the job of {submission.project}, sent on {sent_on}, was taken"
    problem = {
        "severity": "error",
        "code": code,
        "message": told,
        "remedy": _LOOK_YOURSELF,
        "can_override": True,
    }
    if override_key(problem) not in work.delivery.overrides:
        raise StepProblem(code, f"{told}: no answer came, and {why}.", _LOOK_YOURSELF, problems=[problem])
    return None


_LOOK_FIRST = "Retry when it answers: whether the job is there is looked up first, so none is started twice."
_LOOK_YOURSELF = "See whether its results are there. If not, override this: the job is sent again."


def _send(work: Work, submission: Submission, rules: DeliveryRules) -> str:
    """Send the job, having written down that it is sent; return the receiver's id of it."""
    if work.must_stop():
        raise StepInterrupted(f"Nothing was sent for {submission.project}.")
    before, submission.asked_at = submission.asked_at, timezone.now()
    claimed = Submission.objects.filter(pk=submission.pk, asked_at=before, submitted_at=None)
    if not claimed.update(asked_at=submission.asked_at):
        raise StepInterrupted(f"Another worker sends the job of {submission.project}.")
    try:
        if submission.kind == "batch":
            return submit_to_batch(batch_client(rules.s3), _job(submission))
        SENDERS["celery"](_job(submission))
        return str(submission.job_id)
    except NotTaken as error:
        Submission.objects.filter(pk=submission.pk).update(asked_at=before)
        remedy = "Correct SEQAUTO_AFTER_UPLOAD, or what it names, then retry."
        raise StepProblem("refused", f"{error}.", remedy) from error
    except NoAnswer as error:
        if error.sent:
            raise StepProblem("no_answer", f"{error}.", _LOOK_FIRST) from error
        Submission.objects.filter(pk=submission.pk).update(asked_at=before)
        raise StepProblem("no_answer", f"{error}.", "Nothing was sent. Retry when it answers.") from error

"""What follows an upload, by project code: a job of AWS Batch, or a Celery task of the lab's own.

What "once" means. A submission's id is stored before anything is sent, and one that was answered is never
sent again. Where no answer came (a crash, a broken line), a Batch job is looked for by its name, which holds
the id, before it is sent again: Batch itself knows no such id, so one that it lists late may run twice. A
Celery task may come twice, both times with the same task id, by which its receiver knows the second.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

KINDS = ("batch", "celery")
EVERY_OTHER_PROJECT = "*"

#: Batch keeps ended jobs on its list for a day at least; after that "not listed" tells nothing.
BATCH_REMEMBERS = timedelta(hours=20)

#: What a rule may name in braces. All of it was proven to stand in S3 keys or file names.
PLACEHOLDERS = {
    "project": "the project code",
    "run_id": "instrument_run number",
    "run_name": "the run folder's name",
    "instrument": "the instrument's serial number",
    "run_number": "the run's number",
    "flowcell": "the flow cell",
    "date": "the day the run started, 2026-11-21",
    "conversion": "1, or the number of a later conversion",
    "s3_bucket": "the bucket",
    "s3_prefix": "what all keys of this project's run begin with",
    "s3_uri": "s3://bucket/prefix",
    "job_id": "the id by which a second delivery of the same job is known",
}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,1023}")  # no argument, no shell, no markup
_TASK = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_QUEUE = re.compile(r"[A-Za-z0-9_.-]{1,255}")
_BATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_:/-]{0,511}")  # a name, one with its revision, or an ARN

#: What a task is told where the rule names no arguments.
USUAL_ARGUMENTS = {name: f"{{{name}}}" for name in ("project", "run_id", "s3_bucket", "s3_prefix")}


@dataclass(frozen=True, slots=True)
class Hook:
    """What a lab wants started when a project is uploaded. `target` says where, `parameters` with what."""

    kind: str
    target: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)


Hooks = Mapping[str, Hook | None]  # by project code


def parse_hooks(rules: Mapping[str, Any]) -> tuple[dict[str, Hook | None], list[str]]:
    """The hooks of SEQAUTO_AFTER_UPLOAD, and all that is wrong with it, a sentence each.

    `null` for a project says that nothing follows, whatever "*" says.
    """
    hooks, problems = dict[str, Hook | None](), list[str]()
    for project, rule in rules.items():
        try:
            hooks[project] = None if rule is None else _parse(rule)
        except ValueError as error:
            problems.append(f"{project!r}: {error}.")
    return hooks, problems


def _parse(rule: Any) -> Hook:
    if not isinstance(rule, dict) or len(rule) != 1 or next(iter(rule)) not in KINDS:
        raise ValueError('a rule is {"batch": {…}}, {"celery": {…}} or null')
    ((kind, told),) = rule.items()
    wanted = _BATCH if kind == "batch" else _CELERY
    optional = "parameters" if kind == "batch" else "arguments"
    if not isinstance(told, dict) or set(told) - {optional} != set(wanted):
        raise ValueError(f"{kind} needs {' and '.join(wanted)}, may have {optional}, and nothing else")
    for name, pattern in wanted.items():
        if not isinstance(told[name], str) or not pattern.fullmatch(told[name]):
            raise ValueError(f"{name} is {told[name]!r}, which cannot be one")
    parameters = told.get(optional, USUAL_ARGUMENTS if kind == "celery" else {})
    _check_parameters(parameters)
    return Hook(kind, {name: told[name] for name in wanted}, dict(parameters))


_BATCH = {"job_queue": _BATCH_NAME, "job_definition": _BATCH_NAME}
_CELERY = {"task": _TASK, "queue": _QUEUE}


def _check_parameters(parameters: Any) -> None:
    texts = [*parameters, *parameters.values()] if isinstance(parameters, dict) else [None]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("what is handed over is an object of texts")
    for text in parameters.values():
        if unknown := set(_PLACEHOLDER.findall(text)) - set(PLACEHOLDERS):
            known = ", ".join(PLACEHOLDERS)
            raise ValueError(f"{{{min(unknown)}}} is unknown; known are {known}")


def hook_for(project: str, hooks: Hooks) -> Hook | None:
    """What follows the upload of a project; None for nothing."""
    return hooks[project] if project in hooks else hooks.get(EVERY_OTHER_PROJECT)


def filled_in(parameters: Mapping[str, str], facts: Mapping[str, str]) -> dict[str, str]:
    """The parameters with their placeholders filled in.

    Raises ValueError where a fact is unknown, or holds what must not stand in an argument.
    """

    def fact(match: re.Match[str]) -> str:
        name = match.group(1)
        value = facts.get(name, "")
        if not _PLAIN.fullmatch(value):
            raise ValueError(f"{{{name}}} is {value!r}, which is not handed on")
        return value

    return {name: _PLACEHOLDER.sub(fact, text) for name, text in parameters.items()}


# ---- those who take jobs ----


class NotTaken(Exception):
    """The receiver said no, and has nothing of it."""


class NoAnswer(Exception):
    """Nobody knows whether the receiver has it; unless it was not `sent`, for then it has not."""

    def __init__(self, sentence: str, *, sent: bool = True) -> None:
        super().__init__(sentence)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is sent: to `target`, with `parameters`, known by `id`; `title` is for people to read."""

    id: str
    title: str
    target: Mapping[str, str]
    parameters: Mapping[str, str]

    @property
    def name(self) -> str:
        """At most 128 of the characters that Batch allows in a job's name; the id stands whole at its end."""
        return f"{re.sub('[^A-Za-z0-9_-]', '_', self.title)[:90]}_{self.id.replace('-', '')}"


def submit_to_batch(client: Any, job: Job) -> str:
    """Send a job to AWS Batch once, without a retry; return the id that Batch gives it.

    Raises NotTaken, or NoAnswer where the line or the server broke.
    """
    answer = _asked(
        client,
        "submit_job",
        jobName=job.name,
        jobQueue=job.target["job_queue"],
        jobDefinition=job.target["job_definition"],
        parameters=dict(job.parameters),
    )
    return str(answer["jobId"])


def find_in_batch(client: Any, job: Job) -> str:
    """Batch's own id of a job of this name, in whatever state; "" where none is listed.

    Raises NotTaken or NoAnswer.
    """
    ask = {"jobQueue": job.target["job_queue"], "filters": [{"name": "JOB_NAME", "values": [job.name]}]}
    while True:
        answer = _asked(client, "list_jobs", **ask)
        found: Sequence[Mapping[str, Any]] = answer["jobSummaryList"]
        for one in found:
            if one["jobName"].lower() == job.name.lower():
                return str(one["jobId"])
        if not answer.get("nextToken"):
            return ""
        ask["nextToken"] = answer["nextToken"]


def _asked(client: Any, call: str, **arguments: Any) -> Any:
    try:
        return getattr(client, call)(**arguments)
    except client.exceptions.ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        kind = NotTaken if 400 <= status < 500 else NoAnswer
        raise kind(f"AWS Batch says {error}") from error
    except Exception as error:  # of lines and credentials; what did not leave here counts as unanswered too
        raise NoAnswer(f"AWS Batch did not answer: {type(error).__name__}: {error}") from error


SendTask = Callable[[Job], None]

#: Who sends Celery's tasks: the tasks' package puts its door here when the site starts, for stories know no
#: Celery. Raises NoAnswer.
SENDERS: dict[str, SendTask] = {}


def is_forgotten(asked_at: datetime, now: datetime) -> bool:
    """Whether Batch may have taken an ended job off its list since it was asked."""
    return now - asked_at > BATCH_REMEMBERS or asked_at > now

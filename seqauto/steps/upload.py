"""Upload: the FASTQs of each project to S3, each object proven, its meta.json last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from django.utils import timezone

from sequencing.s3 import Outgoing, ProjectRun, Uploaded, upload_project

from ..delivery_rules import DeliveryRules
from ..delivery_work import StepProblem, Work
from ..models import Delivery
from ..models.deliveries import StepKind
from ..s3_clients import s3_client, s3_options
from .common import step_problems
from .convert import judged_files
from .submit import add_step_where_something_follows


def upload(work: Work, rules: DeliveryRules) -> dict[str, Any]:
    """Send the FASTQs of each project, prove each object, and write its meta.json last."""
    if not rules.s3.bucket:
        raise StepProblem(
            "no_bucket", "No bucket is named for FASTQs.", "Set SEQAUTO_S3_FASTQ_BUCKET, then retry."
        )
    made = work.delivery.steps.get(kind=StepKind.CONVERT).figures
    with step_problems():
        projects = _by_project(judged_files(work, rules, made), rules.s3.no_project)
    if not projects:
        raise _nothing_to_upload()
    client, options = s3_client(rules.s3), s3_options(rules.s3)
    total = sum(file["size"] for files in projects.values() for file in files)
    runs = {project: _project_run(work.delivery, project, rules.s3.prefix) for project in sorted(projects)}
    done, uploaded = 0, []
    for project, run in runs.items():
        _say(work, project, "")
        files = projects[project]
        with step_problems():
            objects = upload_project(
                client,
                rules.s3.bucket,
                rules.s3.prefix,
                run,
                [_outgoing(made["folder"], file) for file in files],
                options,
                now=timezone.now(),
                progress=partial(_tell, work, done, total),
                stop=work.must_stop,
                say=partial(_say, work, project),
            )
        done += sum(file["size"] for file in files)
        uploaded.append(_uploaded(project, run.prefix(rules.s3.prefix), objects))
    add_step_where_something_follows(work.delivery, uploaded, rules)
    return {
        "bucket": rules.s3.bucket,
        "bytes": sum(project["bytes"] for project in uploaded),
        "projects": uploaded,
        "left_out": _LEFT_OUT,
    }


def _nothing_to_upload() -> StepProblem:
    return StepProblem(
        "nothing_to_upload",
        "No FASTQ of any sample was made, so there is nothing to upload.",
        "Check the sample sheet and what the converter says, then press Convert again.",
    )


def _say(work: Work, project: str, trouble: str) -> None:
    work.say(trouble or f"Project {project}")


def _tell(work: Work, before: int, total: int, done: int, _of_project: int) -> None:
    work.progress(before + done, total)


_LEFT_OUT = "Reads of no sample (Undetermined) are not uploaded."


def _outgoing(folder: str, file: Mapping[str, Any]) -> Outgoing:
    path = Path(folder, file["path"])
    known = file["size"], file["mtime_ns"], file["md5"], file.get("xxh3", "")
    return Outgoing(path, path.name, *known)


def _by_project(files: Iterable[Mapping[str, Any]], no_project: str) -> dict[str, list[Mapping[str, Any]]]:
    projects: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for file in files:
        if file["sample_id"] != "Undetermined":
            projects[file["project"] or no_project].append(file)
    return projects


def _project_run(delivery: Delivery, project: str, prefix: str) -> ProjectRun:
    """One project's share of the run, of which a key can be made."""
    if not delivery.instrument or delivery.run_number is None or delivery.date is None:
        raise StepProblem(
            "unnamed_run",
            "The run does not say its instrument, number and date, of which its address in S3 is made.",
            "Put the instrument's RunInfo.xml into the run folder, then retry.",
        )
    run = ProjectRun(
        project,
        delivery.instrument,
        delivery.run_number,
        delivery.flowcell,
        delivery.date,
        delivery.conversion,
    )
    try:
        run.prefix(prefix)
    except ValueError as error:
        remedy = "Correct it in RunInfo.xml, the sample sheet or the settings, then retry."
        raise StepProblem("unsafe_name", f"{error}.", remedy) from None
    return run


def _uploaded(project: str, prefix: str, objects: Iterable[Uploaded]) -> dict[str, Any]:
    rows = [
        {"key": one.key, "size": one.size, "checksum": f"md5 {one.md5}", "crc32": one.crc32}
        | {"version": one.version_id}
        for one in objects
    ]
    return {
        "project": project,
        "prefix": prefix,
        "files": len(rows),
        "bytes": sum(row["size"] for row in rows),
        "verified_by": ", ".join(sorted({one.proof for one in objects})),
        "uploaded_at": timezone.now().isoformat(),
        "objects": rows,
    }

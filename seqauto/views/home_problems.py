"""What needs a person, as the page Today tells it: what it is, why, and the next steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.html import format_html

from seqauto import decisions
from seqauto import scans as scan_story
from seqauto.models import Delivery, Scan
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.models.runs import RunState
from seqauto.models.scans import ScanStatus, Severity
from seqauto.needs import Folder
from seqauto.roles import CAN_DELIVER, CAN_START, may_retry
from seqauto.server_status import WorkerState
from seqauto.templatetags.delivery_looks import NOT_WATCHED
from seqauto.templatetags.looks import SIGNS, plural, printable, when
from seqauto.templatetags.status_looks import worker_word

from . import PageRequest
from .storage import Running

if TYPE_CHECKING:
    from seqauto.today import ToldDelivery
    from seqauto.today_runs import ToldRun

LONGEST_TITLE = 70


@dataclass(frozen=True, slots=True)
class NextStep:
    """A link, or, where it changes something, a button."""

    word: str
    url: str
    icon: str = ""
    is_post: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """`look` is bad or warn; texts may hold control characters, which the page spells out."""

    key: str
    look: str
    title: str
    why: str
    remedy: str = ""
    steps: Sequence[NextStep] = ()
    commands: Sequence[str] = ()

    @property
    def sign(self) -> str:
        return SIGNS[self.look]

    @property
    def kind(self) -> str:
        """`run` or `delivery` of those of which there may be many."""
        return self.key.partition("-")[0]


class May:
    """What the one who looks at the page may do."""

    def __init__(self, request: PageRequest) -> None:
        user = request.user
        self.scan = user.has_perm(CAN_START) and not scan_story.why_disabled()
        self.deliver, self.retry = user.has_perm(CAN_DELIVER), may_retry(user)
        self.see_status = user.is_superuser


# --- Runs ----------------------------------------------------------------------------------------------


def of_run(run: ToldRun, delivery: Delivery | None, may: May) -> Problem:
    if run.has_sheet_errors and run.state == RunState.ERROR:
        return _sheet(run, delivery, may)
    if run.state == RunState.INCOMPLETE:
        return _missing(run, delivery, may)
    if run.state == RunState.DELETED:
        return _deleted(run, may)
    return _other(run, may)


def name_of(run: ToldRun) -> str:
    return run.experiment_name or run.name


def _missing(run: ToldRun, delivery: Delivery | None, may: May) -> Problem:
    verb = "is" if run.files_missing == 1 else "are"
    count = f"{run.files_missing:,} of {plural(run.files_expected, 'FASTQ')}"
    sent = ""
    if delivery and delivery.state == DeliveryState.DELIVERED and delivery.delivered_at:
        sent = format_html("The run was delivered to S3 ({}).", when(delivery.delivered_at))
    return Problem(
        key=f"run-{run.pk}",
        look="warn",
        title=f"{name_of(run)}: {count} {verb} not on the archive",
        why=format_html("{} {}", printable(_whose(run)), sent),
        steps=[NextStep("Show expected paths", f"{run.get_absolute_url()}#missing"), *_rescan(run, may)],
    )


def _whose(run: ToldRun) -> str:
    """`Sample H-2230, R1 and R2.`, `Samples H-1 and H-2.`, `12 samples, H-2218 and H-2229 among them.`"""
    facts = run.missing
    if not facts:
        return ""
    first, last, gone = facts["first"], facts["last"], _gone(facts)
    if facts["samples"] > 2:
        return f"{facts['samples']:,} samples, {first} and {last} among them.{gone}"
    if facts["samples"] == 2:
        return f"Samples {first} and {last}.{gone}"
    reads = " and ".join(dict.fromkeys(read for read in (facts["first_read"], facts["last_read"]) if read))
    return f"Sample {first}{', ' if reads else ''}{reads}.{gone}" if first else gone.strip()


def _gone(facts: dict[str, int]) -> str:
    """Whether they were here before; most never were."""
    if not facts["gone"]:
        return ""
    if facts["gone"] < facts["files"]:
        return f" {facts['gone']:,} of them {'was' if facts['gone'] == 1 else 'were'} here before."
    return " It was here before." if facts["gone"] == 1 else " They were here before."


def _sheet(run: ToldRun, delivery: Delivery | None, may: May) -> Problem:
    message = run.message or {}
    place = f" ({message['place']})" if message.get("place") else ""
    waits = "Conversion waits. " if delivery and is_stopped_at(delivery, StepKind.CONVERT) else ""
    steps = [
        NextStep("See the sheet", reverse("run_sheet", args=[run.pk])),
        NextStep("Check a corrected sheet", f"{reverse('check_sheet')}?run={run.pk}"),
    ]
    if delivery and waits:
        steps.append(NextStep("Delivery", f"{delivery.get_absolute_url()}#{StepKind.CONVERT}"))
    return Problem(
        key=f"run-{run.pk}",
        look="bad",
        title=f"{name_of(run)}: {_as_clause(run.state_reason)}",
        why=f"{waits}{message.get('text', '')}{place}",
        remedy=message.get("remedy", ""),
        steps=steps,
    )


def _as_clause(sentence: str) -> str:
    """`The sample sheet has 3 errors.` behind a colon."""
    return sentence[:1].lower() + sentence[1:].removesuffix(".")


def _deleted(run: ToldRun, may: May) -> Problem:
    return Problem(
        key=f"run-{run.pk}",
        look="bad",
        title=f"{name_of(run)}: its folder is gone from the archive",
        why="If that was meant, nothing needs doing. If not, restore the folder and scan again.",
        steps=[NextStep("See what it held", run.get_absolute_url()), *_rescan(run, may)],
    )


def _other(run: ToldRun, may: May) -> Problem:
    message = run.message or {}
    reason = run.state_reason if run.state == RunState.ERROR else ""
    text = message.get("text") or reason
    is_short = 0 < len(reason) <= LONGEST_TITLE
    return Problem(
        key=f"run-{run.pk}",
        look="warn" if message.get("severity") == Severity.WARNING else "bad",
        title=f"{name_of(run)}: {_as_clause(reason)}" if is_short else f"{name_of(run)} needs a look",
        why="" if is_short and text == reason else text,
        remedy=message.get("remedy", ""),
        steps=[NextStep("See its messages", reverse("run_messages", args=[run.pk])), *_rescan(run, may)],
    )


def _rescan(run: ToldRun, may: May) -> list[NextStep]:
    address = reverse("run_rescan", args=[run.pk])
    return [NextStep("Rescan this run", address, "arrow-repeat", is_post=True)] if may.scan else []


# --- Deliveries ----------------------------------------------------------------------------------------

_WORK = {
    StepKind.SETTLE: "settling",
    StepKind.BACK_UP: "the backup",
    StepKind.CONVERT: "conversion",
    StepKind.UPLOAD: "the upload",
    StepKind.SUBMIT: "submission",
}
_WHAT = {
    DeliveryState.STALLED: "sequencing has stalled",
    DeliveryState.RUN_FAILED: "the run has failed on the instrument",
    DeliveryState.CONFLICT: "two folders claim to be this run",
}


def is_stopped_at(delivery: Delivery, kind: StepKind) -> bool:
    return any(step.kind == kind and step.state == StepState.FAILED for step in delivery.steps.all())


def of_delivery(delivery: ToldDelivery, may: May) -> Problem:
    failed = next((step for step in delivery.steps.all() if step.state == StepState.FAILED), None)
    what = _WHAT.get(DeliveryState(delivery.state), "it waits for a person")
    if failed:
        what = f"{_WORK[StepKind(failed.kind)]} has stopped"
    address = f"{delivery.get_absolute_url()}{f'#{failed.kind}' if failed else ''}"
    steps = [NextStep("See what is amiss", address)]
    if failed and failed.code == decisions.FASTQS_IN_THE_WAY:
        steps += [NextStep("Convert again", address)] if may.deliver else []
    elif failed and may.retry:
        steps.append(NextStep("Retry", reverse("delivery_retry", args=[delivery.pk]), "arrow-repeat", True))
    return Problem(
        key=f"delivery-{delivery.pk}",
        look="warn" if delivery.state == DeliveryState.STALLED else "bad",
        title=f"{delivery.experiment or delivery.name}: {what}",
        why=delivery.reason,
        remedy=delivery.remedy,
        steps=steps,
    )


def unrecognised(count: int) -> Problem:
    is_one = count == 1
    return Problem(
        key="unrecognised",
        look="warn",
        title=f"{plural(count, 'folder')} on the incoming disks {'is no run' if is_one else 'are no runs'}",
        why="SeqAuto leaves alone what it does not recognise: it is neither backed up nor delivered.",
        steps=[NextStep("See which", f"{reverse('deliveries')}?state={DeliveryState.UNRECOGNISED}")],
    )


def stranded(count: int) -> Problem:
    return Problem(
        key="stranded",
        look="warn",
        title=f"{plural(count, 'run')} {'lies' if count == 1 else 'lie'} in a folder that nobody watches",
        why=NOT_WATCHED,
        steps=[NextStep("See which", f"{reverse('deliveries')}?state=person")],
    )


# --- Scans, workers, folders, disks, clean-up ----------------------------------------------------------


def of_scans(ended: Scan | None, live: Scan | None, may: May) -> list[Problem]:
    if ended is None or ended.status != ScanStatus.ERROR:
        return []
    steps = [NextStep("What to do", f"{ended.get_absolute_url()}#what-to-do")]
    if may.scan and not live:
        steps.append(NextStep("Scan again", reverse("start_scan"), "hdd-network", is_post=True))
    return [Problem("scan", "bad", "The last disk scan stopped", ended.error, ended.remedy, steps)]


def of_workers(workers: Sequence[WorkerState], may: May) -> list[Problem]:
    silent = [worker for worker in workers if worker.needs_a_person]
    if not silent:
        return []
    look = "bad" if any(worker.look == "bad" for worker in silent) else "warn"
    told = [f"{worker.name} {worker_word(worker).word}" for worker in silent]
    todo = " ".join(dict.fromkeys(worker.todo for worker in silent))
    remedy = todo if may.see_status else "Tell whoever looks after this server."
    if len(silent) == 1:
        title, why = f"{silent[0].name}: {worker_word(silent[0]).word}", f"Its work: {silent[0].does}."
    else:
        title, why = f"{len(silent)} of {len(workers)} processes need a look", f"{'; '.join(told)}."
    commands = [command for worker in silent for command in worker.commands] if may.see_status else []
    steps = [NextStep("Server status", reverse("server_status"))] if may.see_status else []
    return [Problem("workers", look, title, why, remedy, steps, list(dict.fromkeys(commands)))]


def of_folders(folders: Iterable[Folder], workers_are_well: bool) -> list[Problem]:
    """A folder that nobody watches is told only where no silent process is the cause."""
    return [
        Problem(
            key=f"folder-{number}",
            look=folder.look,
            title=f"The incoming folder {folder.path}: {folder.word.lower()}",
            why=folder.reason or "Runs that land there are not noticed.",
            remedy=folder.remedy,
            steps=[NextStep("Deliveries", reverse("deliveries"))],
        )
        for number, folder in enumerate(folders)
        if folder.look == "bad" or (folder.look == "warn" and workers_are_well)
    ]


def of_disks(low: Sequence[str], running: Sequence[Running]) -> list[Problem]:
    short = [run for run in running if run.fits is False]
    steps = [
        NextStep("See what is safe to delete", reverse("clean_up")),
        NextStep("Storage", reverse("storage")),
    ]
    found = []
    if short:
        word = "A run that is" if len(short) == 1 else f"{len(short)} runs that are"
        why = "; ".join(f"{one.delivery.name}: {one.lacking}" for one in short)
        found.append(Problem("short", "bad", f"{word} being sequenced will not fit", f"{why}.", "", steps))
    if low:
        title = f"{plural(len(low), 'disk')} {'is' if len(low) == 1 else 'are'} nearly full"
        found.append(Problem("low", "warn", title, " ".join(low), "", steps))
    return found


def of_removals(proposed: int, stopped: int) -> list[Problem]:
    """Of so many runs; `proposed` where somebody must approve."""
    steps = [NextStep("See them", reverse("clean_up"))]
    found = []
    if stopped:
        title = f"Clean-up of {plural(stopped, 'run')} has stopped"
        found.append(
            Problem("stopped", "bad", title, "Nothing more is removed of it until somebody looks.", "", steps)
        )
    if proposed:
        title = f"Clean-up of {plural(proposed, 'run')} waits for approval"
        found.append(Problem("proposed", "warn", title, "A second person says whether it may go.", "", steps))
    return found

"""Disk scans: the page that starts and lists them, one scan's page, its lists."""

from itertools import groupby
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from seqauto import scan_lists
from seqauto import scans as story
from seqauto.models import Scan, SequencingRun
from seqauto.models.samples import DataState
from seqauto.models.scans import ScanSource, ScanStatus, Severity
from seqauto.roles import CAN_START
from seqauto.tables import ScanTable
from seqauto.tasks.scan_run_jobs import queue_scan
from seqauto.tasks.schedule import next_scheduled_at
from seqauto.templatetags import looks

from . import PageRequest
from .progress import Progress, progress_of

SCANS_A_PAGE = 25
CHANGES_A_PAGE = 200
CHANGES_AT_A_GLANCE = 5
MESSAGES_AT_A_GLANCE = 5


@require_safe
def scans(request: HttpRequest) -> HttpResponse:
    story.fail_abandoned_scans()
    newest_first = Scan.objects.newest_first().select_related("started_by")
    before = number_in(request, "before")
    page = newest_first.filter(pk__lt=before) if before else newest_first
    rows = list(page[: SCANS_A_PAGE + 1])
    shown = rows[:SCANS_A_PAGE]
    unused = () if any(scan.scripts_and_jobs_at for scan in shown) else ("scripts_and_jobs",)
    context = {
        "table": ScanTable(shown, exclude=unused),
        "older": shown[-1].pk if len(rows) > SCANS_A_PAGE else None,
        "is_first_page": not before,
        "progress": _live_progress(),
        "last_success": newest_first.filter(status=ScanStatus.FINISHED).first(),
        "last_ended": newest_first.filter(status__in=[ScanStatus.FINISHED, ScanStatus.ERROR]).first(),
        "disabled": story.why_disabled(),
        "next_at": next_scheduled_at(timezone.now()),
        "can_start": request.user.has_perm(CAN_START),
        "roots": settings.SEQAUTO_SCAN_ROOTS,
    }
    return render(request, "scans/list.html", context)


def number_in(request: HttpRequest, name: str) -> int:
    """A number of the query string; 0 where it is none, or larger than any row's."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else 0


def _live_progress() -> Progress | None:
    """The scan at work, else the one that is next."""
    running = Scan.objects.running().select_related("started_by").first()
    if running:
        return progress_of(running)
    waiting = Scan.objects.waiting().select_related("started_by").order_by("pk").first()
    return progress_of(waiting) if waiting else None


@require_safe
def scans_live(request: HttpRequest) -> HttpResponse:
    """The panel of the list: the scan at work; when none is any more, the one that has just ended."""
    story.fail_abandoned_scans()
    progress = _live_progress()
    if progress is None:
        ended = Scan.objects.newest_first().select_related("started_by").first()
        progress = progress_of(ended) if ended else None
    return _live(request, progress, "scans_live")


@require_safe
def scan_live(request: HttpRequest, pk: int) -> HttpResponse:
    """The panel of one scan's page."""
    story.fail_abandoned_scans()
    return _live(request, _progress_with_queue(_scan(pk)), "scan_live")


def _live(request: HttpRequest, progress: Progress | None, url_name: str) -> HttpResponse:
    response = render(request, "scans/live.html", {"progress": progress, "live_url_name": url_name})
    if progress and request.GET.get("seen") != progress.mark:
        # The tables of the page fetch themselves anew: once a stage, not once a poll.
        response["HX-Trigger-After-Settle"] = "scan-moved-on"
    return response


def _progress_with_queue(scan: Scan) -> Progress:
    ahead = None
    if scan.status == ScanStatus.CREATED:
        ahead = Scan.objects.running().first() or Scan.objects.waiting().filter(pk__lt=scan.pk).last()
    return progress_of(scan, ahead)


@require_POST
@permission_required(CAN_START, raise_exception=True)
def start_scan(request: PageRequest) -> HttpResponse:
    ask_for_scan(request)
    return redirect("scans")


@require_POST
@permission_required(CAN_START, raise_exception=True)
def scan_again(request: PageRequest, pk: int) -> HttpResponse:
    """Start a scan that records the lists of an earlier one anew, without looking at the disks."""
    earlier = _scan(pk)
    if earlier.ended_at is None:
        messages.error(request, f"No scan was started. {earlier} is still writing its lists.")
        return redirect(earlier)
    ask_for_scan(request, earlier)
    return redirect("scans")


def ask_for_scan(request: PageRequest, reused_scan: Scan | None = None) -> None:
    """Queue a scan, unless one of the kind waits already, and tell the user what will happen."""
    waiting = Scan.objects.waiting().exclude(source=ScanSource.COMMAND_LINE)
    if twin := waiting.filter(reused_scan=reused_scan).first():
        what = f"the lists of scan {reused_scan.pk}" if reused_scan else "all that is there by then"
        messages.info(request, f"Scan {twin.pk} waits already and will see {what}.")
        return
    try:
        scan = story.create_scan(ScanSource.BUTTON, user=request.user, reused_scan=reused_scan)
    except story.ScanProblem as problem:
        messages.error(request, f"No scan was started. {problem} {problem.remedy}")
        return
    try:
        queue_scan(scan)
    except OperationalError:
        messages.warning(
            request,
            f"Scan {scan.pk} waits: the message broker does not answer, so no worker has heard of it. "
            "It starts by itself when the broker is back.",
        )
        return
    running = Scan.objects.running().first()
    if running and running.pk != scan.pk:
        messages.info(request, f"Scan {scan.pk} waits and starts when scan {running.pk} has ended.")


@require_safe
def scan(request: HttpRequest, pk: int) -> HttpResponse:
    story.fail_abandoned_scans()
    scan = _scan(pk)
    context = {
        "scan": scan,
        "progress": _progress_with_queue(scan),
        "state": looks.state_of(ScanStatus(scan.status)),
        "stamps": _stamps(scan),
        "found": _found(scan),
        "changes": _changes_at_a_glance(scan),
        "message_groups": _message_groups(scan),
        "lists": scan_lists.names_and_sizes(story.lists_folder(scan)),
        "can_run_again": request.user.has_perm(CAN_START) and _has_whole_lists(scan),
        "disabled": story.why_disabled(),
        "options": {key.replace("_", " "): value for key, value in scan.options.items() if value},
    }
    return render(request, "scans/scan.html", context)


def _has_whole_lists(scan: Scan) -> bool:
    """Whether another scan can start from the lists of this one."""
    return scan.ended_at is not None and (story.lists_folder(scan) / scan_lists.ROOTS).is_file()


def _scan(pk: int) -> Scan:
    return get_object_or_404(Scan.objects.select_related("started_by", "reused_scan"), pk=pk)


def _stamps(scan: Scan) -> list[tuple[str, Any]]:
    end = "Error" if scan.error_at else "Finished"
    return [
        ("Created", scan.created_at),
        ("Scanning Files", scan.scanning_files_at),
        ("Create Models", scan.create_models_at),
        ("Scripts and Jobs", scan.scripts_and_jobs_at),
        (end, scan.ended_at),
    ]


def _found(scan: Scan) -> list[tuple[str, looks.State, int]]:
    """What the archive held when the scan ended: (file type, state, files)."""
    return [
        (file_type, looks.state_of(DataState(state)), count)
        for file_type, states in sorted((scan.files_by_state or {}).items())
        for state, count in sorted(states.items())
    ]


def _changes_at_a_glance(scan: Scan) -> list[dict[str, Any]]:
    counts = zip(
        scan_lists.CHANGES, (scan.files_appeared, scan.files_vanished, scan.files_changed), strict=True
    )
    return [
        {
            "kind": kind,
            "count": count,
            "rows": _change_rows(scan, kind, 0, min(count, CHANGES_AT_A_GLANCE)),
        }
        for kind, count in counts
    ]


def _change_rows(scan: Scan, kind: str, start: int, stop: int) -> list[dict[str, Any]]:
    """Lines of a change list, each with its run where the database still knows it."""
    lines = scan_lists.read_changes(story.lists_folder(scan), kind, start, stop) if stop else []
    folders = {run_folder for run_folder, _path in lines}
    runs = {run.path: run for run in SequencingRun.objects.filter(path__in=folders).only("path", "name")}
    return [{"folder": folder, "path": path, "run": runs.get(folder)} for folder, path in lines]


def _message_groups(scan: Scan) -> list[dict[str, Any]]:
    """Messages by what to do: a few of each kind and how many there are, in one query however many."""
    kind = [F("severity"), F("code")]
    ranked = (
        scan.messages()
        .annotate(
            place_in_kind=Window(RowNumber(), partition_by=kind, order_by="pk"),
            of_kind=Window(Count("pk"), partition_by=kind),
        )
        .filter(place_in_kind__lte=MESSAGES_AT_A_GLANCE)
        .select_related("run__experiment")
    )
    order = {severity: place for place, severity in enumerate(Severity.values)}
    rows = sorted(ranked, key=lambda message: (order[message.severity], message.code, message.pk))
    return [
        _message_group(list(group)) for _kind, group in groupby(rows, lambda row: (row.severity, row.code))
    ]


def _message_group(rows: list[Any]) -> dict[str, Any]:
    first = rows[0]
    same_remedy = len({row.remedy for row in rows}) == 1
    return {
        "state": looks.severity_state(first.severity),
        "code": first.code,
        "remedy": first.remedy if same_remedy else "",
        "messages": rows,
        "count": first.of_kind,
        "more": first.of_kind - len(rows),
    }


@require_safe
def scan_changes(request: HttpRequest, pk: int, kind: str) -> HttpResponse:
    """One change list, page by page."""
    if kind not in scan_lists.CHANGES:
        raise Http404
    scan = _scan(pk)
    start = number_in(request, "from")
    rows = _change_rows(scan, kind, start, start + CHANGES_A_PAGE + 1)
    context = {
        "scan": scan,
        "kind": kind,
        "count": getattr(scan, f"files_{kind}"),
        "rows": rows[:CHANGES_A_PAGE],
        "first": start + 1,
        "last": start + min(len(rows), CHANGES_A_PAGE),
        "earlier": max(0, start - CHANGES_A_PAGE) if start else None,
        "later": start + CHANGES_A_PAGE if len(rows) > CHANGES_A_PAGE else None,
        "has_list": (story.lists_folder(scan) / f"{kind}.tsv").is_file(),
    }
    return render(request, "scans/changes.html", context)


@require_safe
def scan_list(request: HttpRequest, pk: int, name: str) -> FileResponse:
    """One of the text files that the scan left, as it lies on the disk."""
    folder = story.lists_folder(_scan(pk))
    # Only a name that the folder itself tells is ever opened, so none can lead out of it.
    if name not in dict(scan_lists.names_and_sizes(folder)):
        raise Http404
    return FileResponse(
        (folder / name).open("rb"),
        as_attachment=True,
        filename=f"scan_{pk}_{name}",
        content_type="text/plain; charset=utf-8",
    )

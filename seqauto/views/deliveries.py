"""Deliveries: what became of each run folder on the incoming disks, and what people decide about it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, BinaryIO
from zlib import crc32

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Count, Exists, OuterRef, Prefetch, Q, QuerySet, Value, When
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from seqauto import decisions, needs
from seqauto.delivery_rules import rules_of_settings
from seqauto.filters import DeliveryFilter
from seqauto.log_shipping import log_copy
from seqauto.models import Delivery, DeliveryStep, IncomingFolder, SequencingRun
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.needs import IN_HAND, IN_NEED
from seqauto.roles import CAN_CLEAN_UP, CAN_DELIVER, CAN_HOLD, may_retry
from seqauto.tables import DeliveryTable, show_page
from seqauto.tasks.deliveries import queue_ready_steps
from seqauto.templatetags import looks
from seqauto.templatetags.delivery_looks import BUSY, NOT_WATCHED, busy_step, is_stranded

from . import PageRequest
from .evidence import ROWS_SHOWN, Evidence, Problem, evidence_of, problems_of
from .removals import clean_up_of

DELIVERIES_A_PAGE = 25
IN_NEED_AT_A_GLANCE = 8
EVENTS_SHOWN = 100
LOG_TAIL_BYTES = 4_096

LAST_NIGHT = timedelta(hours=24)


# --- All deliveries ------------------------------------------------------------------------------------


@require_safe
def deliveries(request: HttpRequest) -> HttpResponse:
    stranded = needs.stranded()
    totals = _totals(stranded)
    mark = _mark_of_all(totals)
    filters = ListFilter(request.GET, queryset=_listed(stranded))
    table = DeliveryTable(filters.qs)
    show_page(table, request, DELIVERIES_A_PAGE)
    in_need = list(_in_need_first(stranded)[: IN_NEED_AT_A_GLANCE + 1])
    context = {
        "filter": filters,
        "table": table,
        "live": _live_part(reverse("deliveries_live"), mark, (row.record for row in table.paginated_rows)),
        "totals": totals,
        "folders": needs.incoming_folders(),
        "log_copy": log_copy(rules_of_settings()),
        "in_need": in_need[:IN_NEED_AT_A_GLANCE],
        "not_watched": NOT_WATCHED,
        "more_in_need": len(in_need) > IN_NEED_AT_A_GLANCE,
        "can_deliver": request.user.has_perm(CAN_DELIVER),
        "can_retry": may_retry(request.user),
    }
    return render(request, "deliveries/list.html", context)


class ListFilter(DeliveryFilter):
    """Lets "needs a person" be what the first lines of the page count."""

    def by_state(self, queryset: QuerySet[Delivery], name: str, value: str) -> QuerySet[Delivery]:
        return queryset.filter(IN_NEED) if value == "person" else super().by_state(queryset, name, value)


def _listed(stranded: Q) -> QuerySet[Delivery]:
    deliveries = Delivery.objects.newest_first().annotate(is_stranded=stranded)
    return needs.with_experiment(_with_steps(deliveries))


def _with_steps(queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Their steps in order, without what only a delivery's own page shows."""
    steps = DeliveryStep.objects.order_by("place").defer("figures", "problems", "traceback")
    return queryset.prefetch_related(Prefetch("steps", steps))


def _in_need_first(stranded: Q) -> QuerySet[Delivery]:
    """What needs a person; folders that are no runs come last, for there may be many."""
    runs_first = Case(When(state=DeliveryState.UNRECOGNISED, then=Value(1)), default=Value(0))
    failed = DeliveryStep.objects.filter(delivery=OuterRef("pk"), state=StepState.FAILED)
    in_the_way = failed.filter(kind=StepKind.CONVERT, code=decisions.FASTQS_IN_THE_WAY)
    in_need = Delivery.objects.annotate(is_stranded=stranded).filter(IN_NEED)
    in_need = in_need.annotate(has_failed=Exists(failed), has_fastqs_in_the_way=Exists(in_the_way))
    return needs.with_experiment(in_need).order_by(runs_first, "-found_at", "-pk")


def _totals(stranded: Q) -> dict[str, int]:
    ended = Q(complete_at__gte=timezone.now() - LAST_NIGHT)
    sequencing = Q(state=DeliveryState.SEQUENCING, is_stranded=False)
    return Delivery.objects.annotate(is_stranded=stranded).aggregate(
        all=Count("pk"),
        in_need=Count("pk", filter=IN_NEED),
        in_hand=Count("pk", filter=Q(state__in=IN_HAND, is_stranded=False)),
        sequencing=Count("pk", filter=sequencing),
        held=Count("pk", filter=Q(state=DeliveryState.HELD)),
        ended=Count("pk", filter=ended),
        arrived=Count("pk", filter=ended & Q(state=DeliveryState.DELIVERED)),
    )


# --- What changes while one looks ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LivePart:
    """The part of a page that asks again: `mark` is what it shows, `of` the runs whose bars it holds."""

    address: str
    mark: str
    is_live: bool
    said: str
    of: str


def _live_part(address: str, mark: Mark, shown: Iterable[Delivery]) -> LivePart:
    of = ",".join(str(delivery.pk) for delivery in shown if _is_in_hand(delivery))
    return LivePart(address, mark.digest, mark.is_live, mark.said, of)


@dataclass(frozen=True, slots=True)
class Mark:
    """Where all that a page shows stands; another digest means that the page is out of date."""

    digest: str
    is_live: bool
    said: str


def _mark(facts: Any, is_live: bool, said: str) -> Mark:
    return Mark(f"{crc32(repr(facts).encode()):08x}", is_live, said)


def _mark_of_all(totals: dict[str, int]) -> Mark:
    states = dict(Delivery.objects.order_by().values_list("state").annotate(Count("pk")))
    busy = list(DeliveryStep.objects.filter(state__in=BUSY).order_by("pk").values_list("pk", "state"))
    troubled = list(IncomingFolder.objects.exclude(error="").values_list("path"))
    in_need, in_hand = totals["in_need"], totals["in_hand"]
    said = f"{in_need:,} waiting for a person, {in_hand:,} in hand"
    # What is queued for a run that nobody watches may never begin.
    is_live = bool(in_hand) or any(state == StepState.RUNNING for _step, state in busy)
    return _mark((sorted(states.items()), in_need, busy, troubled), is_live, said)


def _mark_of(delivery: Delivery) -> Mark:
    steps = [(step.kind, step.state, step.attempts) for step in delivery.steps.all()]
    facts = (delivery.state, delivery.is_held, delivery.reason, is_stranded(delivery), steps)
    return _mark(facts, _is_in_hand(delivery), looks.printable(f"{delivery}: {delivery.get_state_display()}"))


def _is_in_hand(delivery: Delivery) -> bool:
    return not is_stranded(delivery) and (delivery.state in IN_HAND or busy_step(delivery) is not None)


@require_safe
def deliveries_live(request: HttpRequest) -> HttpResponse:
    """The bars of the runs that the list shows; the list is fetched anew when a state has changed."""
    numbers = [int(part) for part in request.GET.get("of", "").split(",") if _is_number(part)]
    stranded = needs.stranded()
    chosen = Delivery.objects.filter(pk__in=numbers[:DELIVERIES_A_PAGE]).annotate(is_stranded=stranded)
    mark = _mark_of_all(_totals(stranded))
    return _live(request, reverse("deliveries_live"), mark, list(_with_steps(chosen)))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 16


@require_safe
def delivery_live(request: HttpRequest, pk: int) -> HttpResponse:
    delivery = get_object_or_404(_with_steps(Delivery.objects.annotate(is_stranded=needs.stranded())), pk=pk)
    return _live(request, reverse("delivery_live", args=[pk]), _mark_of(delivery), [delivery])


def _live(request: HttpRequest, address: str, mark: Mark, shown: list[Delivery]) -> HttpResponse:
    context = {"live": _live_part(address, mark, shown), "shown": shown}
    response = render(request, "deliveries/live.html", context)
    if request.GET.get("seen") != mark.digest:
        # The page fetches itself anew: once a change of state, not once a poll.
        response["HX-Trigger-After-Settle"] = "deliveries-moved-on"
    return response


# --- One delivery --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepPart:
    """A step of the timeline."""

    step: DeliveryStep
    evidence: Evidence
    problems: list[Problem]
    overridable: list[tuple[str, int]]
    """(code, how many problems have it) of what a person may pass over."""
    log_tail: str
    has_log: bool
    retry_is_vain: bool
    """FASTQs are in the way of new ones; only a conversion under another number passes them."""

    @property
    def is_done(self) -> bool:
        return self.step.state == StepState.DONE

    @property
    def tells_of_earlier(self) -> bool:
        """Whether it keeps what an attempt before this one found and made; that need not hold now."""
        left = self.problems or self.has_log
        return not self.is_done and bool(self.step.figures or (left and self.step.state != StepState.FAILED))

    @property
    def bytes(self) -> int:
        """How much it has moved: what it wrote down at its end, for progress is told once a second."""
        has_moved = self.is_done and self.step.kind != StepKind.SETTLE
        return (has_moved and self.evidence.bytes) or self.step.bytes_done

    @property
    def bytes_a_second(self) -> float | None:
        seconds = self.step.duration.total_seconds() if self.step.duration else 0
        return self.bytes / seconds if seconds else None


@require_safe
def delivery(request: PageRequest, pk: int) -> HttpResponse:
    known = Delivery.objects.annotate(is_stranded=needs.stranded()).prefetch_related("steps")
    delivery = get_object_or_404(known, pk=pk)
    may_convert = decisions.can_be_converted_again(delivery.steps.all())
    steps = [_step_part(step, may_convert) for step in delivery.steps.all()]
    may_decide = request.user.has_perm(CAN_DELIVER)
    context = {
        "delivery": delivery,
        "live": _live_part(reverse("delivery_live", args=[pk]), _mark_of(delivery), [delivery]),
        "run": _run_of(delivery),
        "steps": steps,
        "is_failed": any(part.step.state == StepState.FAILED for part in steps),
        "can_deliver": may_decide,
        "can_retry": may_retry(request.user),
        "actions": _actions(delivery) if may_decide else [],
        "events": list(delivery.events.all()[: EVENTS_SHOWN + 1]),
        "events_shown": EVENTS_SHOWN,
        "rows_shown": ROWS_SHOWN,
        "clean_up": clean_up_of(delivery, request, timezone.now()),
        "can_hold": request.user.has_perm(CAN_HOLD),
        "can_clean_up": request.user.has_perm(CAN_CLEAN_UP),
    }
    return render(request, "deliveries/delivery.html", context)


def _run_of(delivery: Delivery) -> SequencingRun | None:
    """The same run, as scans know it."""
    if not delivery.identity:
        return None
    return SequencingRun.objects.filter(identity=delivery.identity).select_related("experiment").first()


def _step_part(step: DeliveryStep, can_be_converted_again: bool) -> StepPart:
    has_failed = step.state == StepState.FAILED
    codes = decisions.overridable_codes(step) if has_failed else []
    problems = problems_of(step.problems)
    return StepPart(
        step=step,
        evidence=evidence_of(step),
        problems=problems,
        overridable=[(code, sum(problem.code == code for problem in problems)) for code in codes],
        log_tail=_tail(step.log) if has_failed else "",
        has_log=bool(step.log),
        retry_is_vain=has_failed and step.kind == StepKind.CONVERT and can_be_converted_again,
    )


@dataclass(frozen=True, slots=True)
class Action:
    """A form at the head of the page, whose reason is kept."""

    url_name: str
    word: str
    icon: str
    says: str
    needs_reason: bool = True


HOLD = Action(
    "delivery_hold", "Hold", "pause-circle", "No further step begins; one at work goes on to its end."
)
RELEASE = Action("delivery_release", "Release", "play-circle", "Its steps go on.", needs_reason=False)
DELIVER_NOW = Action(
    "delivery_deliver_now",
    "Deliver now",
    "fast-forward-circle",
    "Begin without all of the instrument's markers. Its files must still lie unchanged for a while first.",
)
CONVERT_AGAIN = Action(
    "delivery_convert_again",
    "Convert again",
    "arrow-repeat",
    "Demultiplex anew with the sample sheet as it is now, and upload that. What is there stays as it is.",
)


def _actions(delivery: Delivery) -> list[Action]:
    """What may be decided about it as it stands; retrying and overriding stand at the step that failed."""
    steps = delivery.steps.all()
    offered = {
        RELEASE: delivery.is_held,
        HOLD: steps and not delivery.is_held and delivery.state != DeliveryState.GONE,
        DELIVER_NOW: decisions.can_be_forced(delivery),
        CONVERT_AGAIN: decisions.can_be_converted_again(steps),
    }
    return [action for action, is_offered in offered.items() if is_offered]


# --- Files that a step left ----------------------------------------------------------------------------


@require_safe
def delivery_log(request: HttpRequest, pk: int, kind: str) -> FileResponse:
    """What the program of a step said, as it lies on the disk."""
    step = get_object_or_404(DeliveryStep, delivery=pk, kind=kind)
    return _as_download(step.log, f"delivery_{pk}_{kind}.log")


@require_safe
def delivery_manifest(request: HttpRequest, pk: int) -> FileResponse:
    """Path, size, time and hash of each file of the backup."""
    step = get_object_or_404(DeliveryStep, delivery=pk, kind=StepKind.BACK_UP)
    path = step.figures.get("manifest") if isinstance(step.figures, dict) else None
    return _as_download(path, f"delivery_{pk}_manifest.txt")


def _as_download(path: Any, filename: str) -> FileResponse:
    try:
        file = _open_regular(path)
    except (OSError, ValueError) as missing:
        raise Http404("It is not there, or no longer kept.") from missing
    return FileResponse(file, as_attachment=True, filename=filename, content_type="text/plain; charset=utf-8")


def _open_regular(path: Any) -> BinaryIO:
    """Open a file that a step recorded. Raises OSError or ValueError for whatever is not a plain file."""
    if not isinstance(path, str) or not os.path.isabs(path):
        raise ValueError("no path")
    # A link is not followed, and a pipe does not make the page wait.
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise ValueError("not a file")
    return os.fdopen(number, "rb")


def _tail(path: str) -> str:
    """The end of a log; its first line is whole."""
    try:
        with _open_regular(path) as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - LOG_TAIL_BYTES))
            text = file.read(LOG_TAIL_BYTES).decode(errors="replace")
    except (OSError, ValueError):
        return ""
    return text.partition("\n")[2] or text if length > LOG_TAIL_BYTES else text


# --- What people decide --------------------------------------------------------------------------------


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=500, required=False)


Decision = Callable[[Delivery, User, str], None]


def _decide(
    request: PageRequest, pk: int, decision: Decision, done: str, begins: bool = True
) -> HttpResponse:
    """Carry out a decision, tell what became of it, and let the steps that it freed begin."""
    delivery, form = get_object_or_404(Delivery, pk=pk), ReasonForm(request.POST)
    if not form.is_valid():
        messages.error(
            request, f"Nothing was changed. The reason: {' '.join(map(str, form.errors['reason']))}"
        )
        return redirect(delivery)
    try:
        decision(delivery, request.user, form.cleaned_data["reason"])
    except decisions.DecisionRefused as refused:
        messages.error(request, looks.printable(f"Nothing was changed. {refused} {refused.remedy}"))
        return redirect(delivery)
    if begins and Delivery.objects.filter(needs.stranded(), pk=pk).exists():
        messages.warning(request, f"Your decision is kept. {NOT_WATCHED}")
        return redirect(delivery)
    messages.success(request, done)
    if begins:
        _tell_workers(request)
    return redirect(delivery)


def _tell_workers(request: HttpRequest) -> None:
    try:
        queue_ready_steps()
    except OperationalError:
        messages.warning(
            request,
            "The message broker does not answer, so no worker has heard of it. "
            "It starts by itself when the broker is back.",
        )


@require_POST
def delivery_retry(request: PageRequest, pk: int) -> HttpResponse:
    if not may_retry(request.user):
        raise PermissionDenied
    return _decide(request, pk, decisions.retry, "The step is tried again.")


@require_POST
@permission_required(CAN_DELIVER, raise_exception=True)
def delivery_override(request: PageRequest, pk: int) -> HttpResponse:
    def override(delivery: Delivery, user: User, reason: str) -> None:
        decisions.override(delivery, user, request.POST.getlist("code"), reason)

    return _decide(request, pk, override, "Overridden: the step is tried again without these errors.")


@require_POST
@permission_required(CAN_DELIVER, raise_exception=True)
def delivery_hold(request: PageRequest, pk: int) -> HttpResponse:
    return _decide(request, pk, decisions.hold, "On hold: no further step begins.", begins=False)


@require_POST
@permission_required(CAN_DELIVER, raise_exception=True)
def delivery_release(request: PageRequest, pk: int) -> HttpResponse:
    return _decide(request, pk, decisions.release, "Released: its steps go on.")


@require_POST
@permission_required(CAN_DELIVER, raise_exception=True)
def delivery_deliver_now(request: PageRequest, pk: int) -> HttpResponse:
    return _decide(request, pk, decisions.deliver_now, "It begins as soon as its files lie still.")


@require_POST
@permission_required(CAN_DELIVER, raise_exception=True)
def delivery_convert_again(request: PageRequest, pk: int) -> HttpResponse:
    return _decide(request, pk, decisions.convert_again, "It is converted again, under a new number.")

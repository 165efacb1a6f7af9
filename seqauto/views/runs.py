"""The list of runs, and what can be done with several of them at once."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from seqauto import scans as story
from seqauto.audit import record
from seqauto.filters import NEEDS_A_LOOK, RunFilter
from seqauto.models import Message, SequencingRun
from seqauto.models.runs import RunState
from seqauto.roles import CAN_FLAG, CAN_START
from seqauto.tables import FLAGS, Found, RunTable, show_page, sort_as_asked
from seqauto.templatetags.looks import plural

from . import PageRequest
from .columns import column_choice, hidden_columns, shown_columns
from .exports import table_response
from .scans import ask_for_scan

RUNS_A_PAGE = 25
NONE_CHOSEN = "No run was chosen: tick the runs that are meant."


@require_safe
def runs(request: PageRequest) -> HttpResponse:
    filters, actions = _filtered(request), _actions(request)
    shown = shown_columns(request, "runs")
    is_choosing = bool(actions["flag_form"] or actions["can_scan"])
    hidden = hidden_columns(RunTable, ["chosen", *shown] if is_choosing else shown)
    table = RunTable(Found(filters.qs, _with_counts), exclude=hidden)
    show_page(table, request, RUNS_A_PAGE)
    totals = _totals(filters.qs)
    context = {
        "filter": filters,
        "table": table,
        "totals": totals,
        "has_any": totals["runs"] or SequencingRun.objects.exists(),
        "columns": column_choice("runs", shown),
        "is_choosing": is_choosing,
        **actions,
    }
    return render(request, "runs/list.html", context)


def _totals(runs: QuerySet[SequencingRun]) -> dict[str, int]:
    return runs.order_by().aggregate(
        runs=Count("pk"),
        in_need=Count("pk", filter=Q(state__in=NEEDS_A_LOOK)),
        # Of a run that is still made nothing is missing yet.
        found=Coalesce(Sum("files_found", filter=~Q(state=RunState.RUNNING)), 0),
        expected=Coalesce(Sum("files_expected", filter=~Q(state=RunState.RUNNING)), 0),
    )


def _filtered(request: HttpRequest) -> RunFilter:
    runs = SequencingRun.objects.newest_first().annotate(open_messages=_open_messages())
    return RunFilter(request.GET, queryset=runs)


def _open_messages() -> Coalesce:
    open_here = Message.objects.open().filter(run=OuterRef("pk")).order_by().values("run")
    return Coalesce(Subquery(open_here.annotate(count=Count("pk")).values("count")), 0)


def _with_counts(pks: Sequence[int]) -> QuerySet[SequencingRun]:
    """The rows of a page, and how many messages are open for each."""
    runs = SequencingRun.objects.filter(pk__in=pks).select_related("sequencer", "experiment")
    return runs.annotate(open_messages=_open_messages())


@require_safe
def runs_export(request: HttpRequest) -> StreamingHttpResponse:
    """What the filter lets through, as it is sorted and with the columns that show, as CSV."""
    table = RunTable(Found(_filtered(request).qs, _with_counts))
    sort_as_asked(table, request)
    return table_response("runs.csv", RunTable, shown_columns(request, "runs"), table.data.read)


# ---- several runs at once ----

WHAT = [(name, f"Flag: {word}") for name, (_icon, word) in FLAGS.items()] + [
    (f"-{name}", f"Take off: {word}") for name, (_icon, word) in FLAGS.items()
]
SMALL = {"class": "form-control form-control-sm"}


class FlagForm(forms.Form):
    what = forms.ChoiceField(choices=WHAT, widget=forms.Select({"class": "form-select form-select-sm"}))
    why = forms.CharField(
        max_length=500,
        widget=forms.TextInput(SMALL | {"placeholder": "One sentence, kept in each run's history"}),
        error_messages={"required": "Say why in one sentence: it is kept in each run's history."},
    )


def _actions(request: PageRequest) -> dict[str, Any]:
    """What this person may do with the runs that are chosen."""
    return {
        "flag_form": FlagForm() if request.user.has_perm(CAN_FLAG) else None,
        "can_scan": request.user.has_perm(CAN_START),
        "disabled": story.why_disabled(),
    }


def _chosen(request: HttpRequest) -> QuerySet[SequencingRun]:
    """The runs that were ticked, kept as they are until the transaction ends."""
    sent = request.POST.getlist("run")
    pks = [int(text) for text in sent if text.isascii() and text.isdecimal() and len(text) < 16]
    return SequencingRun.objects.select_for_update().filter(pk__in=pks).order_by("pk")


def _back(request: HttpRequest) -> HttpResponse:
    query = QueryDict(request.POST.get("query", "")).urlencode()
    return redirect(f"{reverse('runs')}?{query}" if query else "runs")


@require_POST
@permission_required(CAN_FLAG, raise_exception=True)
def runs_flag(request: PageRequest) -> HttpResponse:
    form = FlagForm(request.POST)
    if not form.is_valid():
        problems = " ".join(str(problem) for errors in form.errors.values() for problem in errors)
        messages.error(request, f"No run was flagged. {problems}")
        return _back(request)
    flag, is_set = form.cleaned_data["what"].removeprefix("-"), not form.cleaned_data["what"].startswith("-")
    with transaction.atomic():
        chosen = list(_chosen(request))
        changed = [run for run in chosen if getattr(run, flag) != is_set]
        for run in changed:
            _flag(request, run, flag, is_set, form.cleaned_data["why"])
    _tell_flagged(request, len(chosen), len(changed), flag, is_set)
    return _back(request)


def _flag(request: PageRequest, run: SequencingRun, flag: str, is_set: bool, why: str) -> None:
    word = FLAGS[flag][1]
    setattr(run, flag, is_set)
    run.save(update_fields=[flag, "updated_at"])
    record(
        "run.flags_set", run, user=request.user, before={word: not is_set}, after={word: is_set}, reason=why
    )


def _tell_flagged(request: HttpRequest, chosen: int, changed: int, flag: str, is_set: bool) -> None:
    if not chosen:
        messages.error(request, NONE_CHOSEN)
        return
    same = chosen - changed
    already = f"{same:,} {'was' if same == 1 else 'were'} so already"
    if not changed:
        messages.info(request, f"No flag was changed: {already}.")
        return
    done = f"{plural(changed, 'run')} {'' if is_set else 'no longer '}flagged {FLAGS[flag][1]}"
    messages.success(request, f"{done}; {already}." if same else f"{done}.")


@require_POST
@permission_required(CAN_START, raise_exception=True)
def runs_rescan(request: PageRequest) -> HttpResponse:
    if refusal := story.why_disabled():
        messages.error(request, f"No run was marked for a rescan. {refusal}")
        return _back(request)
    with transaction.atomic():
        chosen = list(_chosen(request))
        marked = [run for run in chosen if not run.is_legacy]
        for run in marked:
            _mark_for_rescan(request, run)
    _tell_marked(request, len(chosen), len(marked))
    if marked:
        ask_for_scan(request)
    return _back(request)


def _mark_for_rescan(request: PageRequest, run: SequencingRun) -> None:
    before, after = {"read anew by the next scan": not run.fingerprint}, {"read anew by the next scan": True}
    story.request_rescan(run)
    record("run.rescan_asked", run, user=request.user, before=before, after=after)


def _tell_marked(request: HttpRequest, chosen: int, marked: int) -> None:
    if not chosen:
        messages.error(request, NONE_CHOSEN)
        return
    legacy = chosen - marked
    if marked:
        messages.success(request, f"The next scan reads {plural(marked, 'run')} anew.")
    if legacy:
        messages.warning(request, f"{plural(legacy, 'legacy run')} left out: scans never update those.")

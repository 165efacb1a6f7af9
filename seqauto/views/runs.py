"""Runs: the list, and one run's files, sample sheet, messages, history and flags."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required, user_passes_test
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from seqauto import scans as story
from seqauto.audit import record
from seqauto.filters import RunFilter
from seqauto.models import AuditEntry, Delivery, Message, SampleSheet, SequencingRun, SequencingSample
from seqauto.models.deliveries import StepState
from seqauto.models.runs import RunState
from seqauto.models.samples import DataState
from seqauto.tables import FLAGS, RunTable, show_page
from seqauto.templatetags import looks

from . import PageRequest
from .scans import CAN_START, ask_for_scan

RUNS_A_PAGE = 25
SAMPLES_A_PAGE = 96
MISSING_SHOWN = 12
OTHERS_SHOWN = 50
MESSAGES_SHOWN = 20
SHEET_CHARACTERS_SHOWN = 200_000

IS_LEGACY = "It is a legacy run, which scans never update."

IS_MISSING = Q(data_state__in=[DataState.NON_EXISTENT, DataState.DELETED, DataState.ERROR])


@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    filters = RunFilter(request.GET, queryset=_listed_runs())
    table = RunTable(filters.qs)
    show_page(table, request, RUNS_A_PAGE)
    context = {
        "filter": filters,
        "table": table,
        "totals": filters.qs.aggregate(
            runs=Count("pk"),
            in_need=Count("pk", filter=Q(state__in=[RunState.INCOMPLETE, RunState.ERROR, RunState.DELETED])),
            found=Coalesce(Sum("files_found"), 0),
            expected=Coalesce(Sum("files_expected"), 0),
        ),
        "has_any": filters.qs.exists() or SequencingRun.objects.exists(),
    }
    return render(request, "runs/list.html", context)


def _listed_runs() -> QuerySet[SequencingRun]:
    open_here = Message.objects.open().filter(run=OuterRef("pk")).order_by().values("run")
    counted = open_here.annotate(count=Count("pk")).values("count")
    return (
        SequencingRun.objects.newest_first()
        .select_related("sequencer", "experiment")
        .annotate(open_messages=Coalesce(Subquery(counted), 0))
    )


def _run(pk: int) -> SequencingRun:
    return get_object_or_404(
        SequencingRun.objects.select_related("sequencer", "experiment", "first_scan", "last_scan"), pk=pk
    )


def _run_context(request: HttpRequest, run: SequencingRun, tab: str) -> dict[str, Any]:
    """What the head of every page of a run shows."""
    sheets = run.sample_sheets.defer("content")
    return {
        "run": run,
        "tab": tab,
        "sheet_count": sheets.count(),
        "sheet": sheets.filter(is_current=True).first(),
        "open_messages": run.messages.open().count(),
        "delivery": _delivery_of(run),
        "can_scan": request.user.has_perm(CAN_START),
        "is_legacy": IS_LEGACY if run.is_legacy else "",
        "disabled": story.why_disabled(),
        "flags": [word for field, (_icon, word) in FLAGS.items() if getattr(run, field)],
    }


def _delivery_of(run: SequencingRun) -> Delivery | None:
    """How the run came here, where an incoming disk was watched then."""
    if not run.identity:
        return None
    steps = Delivery.objects.annotate(
        step_count=Count("steps"), steps_done=Count("steps", filter=Q(steps__state=StepState.DONE))
    )
    return steps.filter(identity=run.identity).first()


# --- Files ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A row of the matrix: a sample and, for each column, its files."""

    sample: SequencingSample
    indexes: list[str]
    cells: list[list[looks.State]]


@require_safe
def run(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    missing = run.files.filter(IS_MISSING, is_expected=True).order_by("path")
    others = run.files.filter(Q(is_expected=False) | Q(sample=None), data_state=DataState.COMPLETE)
    shown = list(others.order_by("path")[: OTHERS_SHOWN + 1])
    page = Paginator(_samples_in_need_first(run), SAMPLES_A_PAGE).get_page(request.GET.get("page"))
    columns = _matrix_columns(run)
    context = _run_context(request, run, "files") | {
        "todo": run.messages.open().order_by("severity", "pk")[:MESSAGES_SHOWN],
        "missing": missing[:MISSING_SHOWN],
        "missing_count": missing.count(),
        "columns": [_column_title(*column) for column in columns],
        "page": page,
        "rows": _matrix_rows(run, list(page), columns),
        "others": shown[:OTHERS_SHOWN],
        "more_others": len(shown) > OTHERS_SHOWN,
    }
    return render(request, "runs/files.html", context)


def _samples_in_need_first(run: SequencingRun) -> QuerySet[SequencingSample]:
    in_need = Q(files__data_state__in=[DataState.NON_EXISTENT, DataState.DELETED, DataState.ERROR])
    return run.samples.annotate(in_need=Count("files", filter=in_need & Q(files__is_expected=True))).order_by(
        "-in_need", "number"
    )


Column = tuple[str, int | None, str]  # file type, lane, read


def _matrix_columns(run: SequencingRun) -> list[Column]:
    slots = run.files.exclude(sample=None).order_by().values_list("file_type", "lane", "read").distinct()
    return sorted(slots, key=lambda slot: (slot[0] != "fastq", slot[0], slot[1] or 0, slot[2]))


def _column_title(file_type: str, lane: int | None, read: str) -> str:
    name = "" if file_type == "fastq" else file_type.upper()
    return " ".join(part for part in (f"L{lane}" if lane else "", read, name) if part)


def _matrix_rows(
    run: SequencingRun, samples: list[SequencingSample], columns: list[Column]
) -> list[SampleRow]:
    places = {column: place for place, column in enumerate(columns)}
    cells: dict[int | None, list[list[looks.State]]] = {
        sample.pk: [[] for _ in columns] for sample in samples
    }
    for file in run.files.filter(sample__in=samples).order_by("path"):
        place = places.get((file.file_type, file.lane, file.read))
        if place is not None:  # else a scan has recorded it since the columns were read
            cells[file.sample_id][place].append(looks.file_state(file))
    return [SampleRow(sample, _indexes(sample), cells[sample.pk]) for sample in samples]


def _indexes(sample: SequencingSample) -> list[str]:
    """Each index once; a sample stands on a row a lane, often with the same one."""
    return list(dict.fromkeys(sample.indexes.split()))


@require_safe
def run_missing(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """Full paths of the files that should be there and are not, a line each."""
    run = get_object_or_404(SequencingRun, pk=pk)
    files = run.files.filter(IS_MISSING, is_expected=True).order_by("path")
    lines = (f"{looks.printable(run.path)}/{looks.printable(path)}\n" for path in _paths(files))
    return StreamingHttpResponse(lines, content_type="text/plain; charset=utf-8")


def _paths(files: Any) -> Iterator[str]:
    yield from files.values_list("path", flat=True).iterator(chunk_size=2000)


# --- Sample sheet, messages, history -------------------------------------------------------------------


@require_safe
def run_sheet(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    versions = list(run.sample_sheets.defer("content").order_by("-version"))
    wanted = request.GET.get("version", "")
    named = [sheet for sheet in versions if str(sheet.version) == wanted]
    current = [sheet for sheet in versions if sheet.is_current]
    shown = next(iter(named or current or versions), None)
    text = shown.text if shown else ""
    context = _run_context(request, run, "sheet") | {
        "versions": versions,
        "shown": shown,
        "lines": _sheet_lines(shown, text[:SHEET_CHARACTERS_SHOWN]) if shown else [],
        "is_cut": len(text) > SHEET_CHARACTERS_SHOWN,
        "problems": _problems(shown) if shown else [],
    }
    return render(request, "runs/sheet.html", context)


def _problems(sheet: SampleSheet) -> list[dict[str, Any]]:
    """Errors first, then in the order of the rows."""
    rows = sorted(sheet.problems, key=lambda row: (row["severity"] != "error", row.get("row") or 0))
    return [row | {"state": looks.severity_state(row["severity"])} for row in rows]


def _sheet_lines(sheet: SampleSheet, text: str) -> list[tuple[int, str, str]]:
    """(line number, text, worst severity of its problems) for each line of a sheet."""
    severities: dict[int, str] = {}
    for problem in sheet.problems:
        if problem.get("row") and severities.get(problem["row"]) != "error":
            severities[problem["row"]] = problem["severity"]
    lines = text.removesuffix("\n").split("\n")
    return [(number, line, severities.get(number, "")) for number, line in enumerate(lines, start=1)]


@require_safe
def run_messages(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    page = Paginator(run.messages.order_by("closed_at", "-pk"), 50).get_page(request.GET.get("page"))
    return render(request, "runs/messages.html", _run_context(request, run, "messages") | {"page": page})


@require_safe
def run_history(request: HttpRequest, pk: int) -> HttpResponse:
    run = _run(pk)
    entries = AuditEntry.objects.filter(kind=SequencingRun._meta.model_name, key=pk).newest_first()
    context = _run_context(request, run, "history") | {
        "entries": Paginator(entries, 50).get_page(request.GET.get("page")),
        "versions": run.sample_sheets.defer("content").select_related("scan"),
    }
    return render(request, "runs/history.html", context)


# --- What people may change ----------------------------------------------------------------------------


def staff_only(view: Any) -> Any:
    def check(user: Any) -> bool:
        if user.is_staff:
            return True
        raise PermissionDenied

    return user_passes_test(check)(view)


class FlagsForm(forms.ModelForm):
    why = forms.CharField(
        max_length=500,
        widget=forms.TextInput({"class": "form-control"}),
        help_text="One sentence, kept in the run's history.",
    )

    class Meta:
        model = SequencingRun
        fields = list(FLAGS)
        help_texts = {
            "is_gold_standard": "A reference that other runs are measured against.",
            "is_bad": "Its data should not be used.",
            "is_hidden": "Left out of the lists unless asked for.",
            "is_legacy": "Never updated by scans.",
        }
        widgets = {name: forms.CheckboxInput({"class": "form-check-input"}) for name in FLAGS}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # The page sends back what it showed: a flag that somebody else has changed since, and this person has
        # not touched, stays as it is.
        for name in FLAGS:
            self.fields[name].show_hidden_initial = True

    def changed_flags(self) -> list[str]:
        """The flags that the person changed, and that do not stand so already."""
        return [
            name
            for name in FLAGS
            if name in self.changed_data and self.initial[name] != self.cleaned_data[name]
        ]


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
def run_flags(request: PageRequest, pk: int) -> HttpResponse:
    if request.method != "POST":
        run = _run(pk)
        return _flags_page(request, run, FlagsForm(instance=run))
    with transaction.atomic():
        run = get_object_or_404(SequencingRun.objects.select_for_update(), pk=pk)
        form = FlagsForm(request.POST, instance=run)
        if not form.is_valid():
            return _flags_page(request, _run(pk), form)
        changed = form.changed_flags()
        if changed:
            # Only the flags: a scan may write the run's other fields at this moment.
            run.save(update_fields=[*changed, "updated_at"])
            record(
                "run.flags",
                run,
                user=request.user,
                before={FLAGS[name][1]: form.initial[name] for name in changed},
                after={FLAGS[name][1]: form.cleaned_data[name] for name in changed},
                reason=form.cleaned_data["why"],
            )
    messages.success(request, "Flags saved." if changed else "No flag was changed.")
    return redirect(run)


def _flags_page(request: HttpRequest, run: SequencingRun, form: FlagsForm) -> HttpResponse:
    context = _run_context(request, run, "flags") | {"form": form}
    return render(request, "runs/flags.html", context, status=422 if form.errors else 200)


@require_POST
@permission_required(CAN_START, raise_exception=True)
def run_rescan(request: PageRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(SequencingRun, pk=pk)
    refusal = IS_LEGACY if run.is_legacy else story.why_disabled()
    if refusal:
        messages.error(request, f"The run was not marked for a rescan. {refusal}")
        return redirect(run)
    with transaction.atomic():
        was_asked_for = not run.fingerprint
        story.request_rescan(run)
        record(
            "run.rescan",
            run,
            user=request.user,
            before={"read anew by the next scan": was_asked_for},
            after={"read anew by the next scan": True},
        )
    messages.success(request, "The next scan reads this run anew.")
    ask_for_scan(request)
    return redirect(run)

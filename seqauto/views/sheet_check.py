"""Check a sample sheet: what is wrong with it, where, and what will come of it. Nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods

from seqauto.models import SequencingRun
from sequencing.checking import (
    TOOLS,
    Finding,
    FullCheck,
    LaneIndexes,
    MarkedSheet,
    Pair,
    distances,
    full_check,
    mark_sheet,
)
from sequencing.illumina.run_info import Read, RunInfo
from sequencing.illumina.sheet_text import LARGEST_SHEET, decode_sheet

from .scans import number_in

BOX_BYTES = 1_000_000
"""A longer text does not go back into its box: two of them could not be sent again."""
SAMPLES_NAMED = 200
MATRIX_SIZE = 48
MATRIX_CELLS = 6_000


@require_http_methods(["GET", "HEAD", "POST"])
def check_sheet(request: HttpRequest) -> HttpResponse:
    """The form; and below it what was found in the sheet that was sent, or in that of `?run=`."""
    run = _run(request)
    if request.method == "POST":
        sheet, run_info = _given(request, "sheet"), _given(request, "run_info")
    else:
        sheet, run_info = _current_sheet(run), None
    context: dict[str, Any] = {
        "run": run,
        "run_facts": _run_facts(run) if run else None,
        "is_empty": request.method == "POST" and sheet is None,
        "sheet_box": _box(decode_sheet(sheet, []) if sheet else ""),
        "run_info_box": _box(run_info.decode("utf-8-sig", "replace") if run_info else ""),
    }
    if sheet is not None:
        context |= _result(sheet, run_info if run_info is not None else context["run_facts"])
    return render(request, "sheet_check/check.html", context, status=422 if context["is_empty"] else 200)


# --- What is given -------------------------------------------------------------------------------------


def _run(request: HttpRequest) -> SequencingRun | None:
    """The run that the sheet is for, where the page was asked for from there."""
    runs = SequencingRun.objects.select_related("sequencer")
    if request.method == "POST":
        number = request.POST.get("run", "")
        return runs.filter(pk=number).first() if number.isascii() and number.isdecimal() else None
    if "run" not in request.GET:
        return None
    if not (pk := number_in(request, "run")):
        raise Http404
    return get_object_or_404(runs, pk=pk)


def _given(request: HttpRequest, name: str) -> bytes | None:
    """The file that was chosen, or else the text that was pasted; of a file no more than parsers look at."""
    if (file := request.FILES.get(f"{name}_file")) is not None:
        return file.read(LARGEST_SHEET + 1)
    text = request.POST.get(name, "")
    return text.encode() if text.strip() else None


def _current_sheet(run: SequencingRun | None) -> bytes | None:
    sheet = run.sample_sheets.filter(is_current=True).first() if run else None
    return bytes(sheet.content) if sheet else None


def _run_facts(run: SequencingRun) -> RunInfo | None:
    """What the last scan kept of the run's RunInfo.xml."""
    if not run.reads:
        return None
    return RunInfo(
        run_id=run.name,
        run_number=run.run_number,
        run_number_text=str(run.run_number or ""),
        flowcell=run.flowcell,
        instrument=run.sequencer.serial if run.sequencer else "",
        date=run.date,
        date_text="",
        reads=tuple(Read(n, cycles, is_index) for n, (cycles, is_index) in enumerate(run.reads, 1)),
        lane_count=run.lane_count,
    )


def _box(text: str) -> str | None:
    """What stands in a box, so that it can be mended and checked again; None where it is too long."""
    return text if len(text.encode()) <= BOX_BYTES else None


# --- What is found -------------------------------------------------------------------------------------


def _result(sheet: bytes, run_info: bytes | RunInfo | None) -> dict[str, Any]:
    check = full_check(sheet, run_info)
    marked = mark_sheet(sheet, check.findings)
    named = _named_fastqs(check)
    return {
        "check": check,
        "look": _look(check),
        "tools": [_Tool(tool, check.starts(tool), check.reads_family(tool)) for tool in TOOLS],
        "problems": list(_problems(check.findings, marked)),
        "marked": marked,
        "fastqs": named,
        "samples_left_out": max(len(check.sheet.samples) - SAMPLES_NAMED, 0) if named else 0,
        "lanes": list(_lanes(check.lanes)),
        "directions": _directions(check),
    }


def _look(check: FullCheck) -> str:
    if check.count("error") or check.count("refused"):
        return "bad"
    return "warn" if check.findings else "ok"


@dataclass(frozen=True, slots=True)
class _Tool:
    name: str
    starts: bool
    reads_family: bool


@dataclass(frozen=True, slots=True)
class _Problem:
    """A finding, and the address of its cell within the page, "" where it has none."""

    finding: Finding
    anchor: str


def _problems(findings: Sequence[Finding], marked: MarkedSheet) -> Iterator[_Problem]:
    for finding, place in zip(findings, marked.anchors, strict=True):
        if place is None:
            yield _Problem(finding, "")
        else:
            row, column = place
            yield _Problem(finding, f"row-{row}" if column < 0 else f"cell-{row}-{column}")


@dataclass(frozen=True, slots=True)
class _Fastq:
    sample_id: str
    paths: Sequence[str]
    """By each of `TOOLS`, "" where it writes none."""


def _named_fastqs(check: FullCheck) -> list[_Fastq]:
    by_tool = [
        {(file.sample, file.lane, file.read): file.path for file in check.fastqs(tool, SAMPLES_NAMED)}
        for tool in TOOLS
    ]
    slots = dict.fromkeys(slot for files in by_tool for slot in files)
    return [
        _Fastq(slot[0][1] if slot[0] else "", [files.get(slot, "") for files in by_tool]) for slot in slots
    ]


@dataclass(frozen=True, slots=True)
class _Lane:
    """Indexes of a lane; `matrix` is its lower half, a row a barcode, none where it would be too large."""

    indexes: LaneIndexes
    matrix: Sequence[Sequence[Pair]]

    @property
    def rows(self) -> Iterator[tuple[Any, Sequence[Pair]]]:
        return zip(self.indexes.barcodes, self.matrix, strict=False)


def _lanes(lanes: Sequence[LaneIndexes]) -> Iterator[_Lane]:
    left = MATRIX_CELLS
    for lane in lanes:
        size = len(lane.barcodes)
        fits = 1 < size <= MATRIX_SIZE and size * size // 2 <= left
        left -= size * size // 2 if fits else 0
        yield _Lane(lane, list(distances(lane.barcodes)) if fits else ())


def _directions(check: FullCheck) -> list[tuple[str, str, bool]]:
    """(converter, how it wants the second index, whether the sheet is likely so), as far as it is known."""
    told = check.orientation
    if told is None:
        return []
    wanted = [(tool, told.wanted[tool]) for tool in TOOLS if check.reads_family(tool)]
    return [(tool, way, way == told.written) for tool, way in wanted if way]

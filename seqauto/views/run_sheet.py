"""A run's sample sheet: each version as it was read, and what two of them have otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from seqauto.models import SampleSheet, SequencingFile, SequencingRun
from seqauto.templatetags import looks
from sequencing.expected import ExpectedFile, RunFacts, expected_files, lanes_of_run, reads_of_run
from sequencing.illumina.run_info import Read, RunInfo
from sequencing.illumina.sample_sheet import SampleSheet as Sheet
from sequencing.illumina.sample_sheet import parse_sample_sheet
from sequencing.layout import Layout, recognise_layout
from sequencing.sheet_difference import (
    ChangedLine,
    FileEffects,
    SheetDifference,
    changed_lines,
    file_effects,
    sheet_difference,
)

from .run import address_of, run_context, run_of

SHEET_CHARACTERS_SHOWN = 200_000
#: Larger versions, and runs with more files to expect, are not compared while somebody waits.
LARGEST_COMPARED = 1_000_000
MOST_FILES_COMPARED = 20_000
FILES_LEARNT_FROM = 400
LINES_SHOWN = 400
CHANGES_SHOWN = 100
FILES_SHOWN = 10


@require_safe
def run_sheet(request: HttpRequest, pk: int) -> HttpResponse:
    run = run_of(pk)
    versions = list(run.sample_sheets.defer("content").order_by("-version"))
    shown = _named(versions, request.GET.get("version")) or _in_force(versions)
    against = shown and (_named(versions, request.GET.get("against")) or _before(versions, shown))
    text = shown.text if shown else ""
    context = run_context(request, run, "sheet") | {
        "versions": versions,
        "shown": shown,
        "against": against,
        "rows": _sheet_rows(shown, text[:SHEET_CHARACTERS_SHOWN]) if shown else "",
        "is_cut": len(text) > SHEET_CHARACTERS_SHOWN,
        "problems": _problems(shown) if shown else [],
        "comparison": _compared(run, against, shown) if shown and against and against != shown else None,
        "check_address": address_of("check_sheet"),
    }
    return render(request, "runs/sheet.html", context)


def _named(versions: Sequence[SampleSheet], number: str | None) -> SampleSheet | None:
    return next((sheet for sheet in versions if str(sheet.version) == number), None)


def _in_force(versions: Sequence[SampleSheet]) -> SampleSheet | None:
    return next((sheet for sheet in versions if sheet.is_current), next(iter(versions), None))


def _before(versions: Sequence[SampleSheet], shown: SampleSheet) -> SampleSheet | None:
    return next((sheet for sheet in versions if sheet.version < shown.version), None)


def _problems(sheet: SampleSheet) -> list[dict[str, Any]]:
    """Errors first, then in the order of the rows."""
    rows = sorted(sheet.problems, key=lambda row: (row["severity"] != "error", row.get("row") or 0))
    return [row | {"state": looks.severity_state(row["severity"])} for row in rows]


def _sheet_rows(sheet: SampleSheet, text: str) -> SafeString:
    """A row of a table for each line of a sheet, with its number; those with problems in their colour.

    Made here and not by the template, which would take ten times as long for thousands of lines.
    """
    severities: dict[int, str] = {}
    for problem in sheet.problems:
        if problem.get("row") and severities.get(problem["row"]) != "error":
            severities[problem["row"]] = problem["severity"]
    marks = {number: format_html(' class="{}"', severity) for number, severity in severities.items()}
    lines = enumerate(text.removesuffix("\n").split("\n"), start=1)
    return format_html_join(
        "\n",
        '<tr id="row-{}"{}><th scope="row">{}</th><td>{}</td></tr>',
        ((number, marks.get(number, ""), number, looks.printable(line)) for number, line in lines),
    )


# --- Two versions --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the newer of two versions has otherwise: in words, line by line, and the files that it touches.

    `is_too_large` where nobody should wait for it; `why_no_files` says why no files can be told.
    """

    words: list[str]
    more_words: int
    blocks: list[list[ChangedLine]]
    is_cut: bool
    files: list[FileGroup]
    why_no_files: str = ""
    is_too_large: bool = False


class AffectedFile(NamedTuple):
    """A path that a change touches, its name after it if that is another, and the file as known now."""

    path: str
    renamed: str
    state: looks.State | None


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Files that a change touches alike; the first of them."""

    title: str
    sign: str
    count: int
    files: list[AffectedFile]

    @property
    def more(self) -> int:
        return self.count - len(self.files)


def _compared(run: SequencingRun, before: SampleSheet, after: SampleSheet) -> Comparison:
    if max(len(before.content), len(after.content)) > LARGEST_COMPARED:
        return Comparison([], 0, [], False, [], is_too_large=True)
    old, new = parse_sample_sheet(bytes(before.content)), parse_sample_sheet(bytes(after.content))
    words = _words(sheet_difference(old, new))
    blocks = changed_lines(before.text, after.text)
    effects, why_no_files = _effects(run, old, new)
    return Comparison(
        words=words[:CHANGES_SHOWN],
        more_words=max(0, len(words) - CHANGES_SHOWN),
        blocks=_first_lines(blocks),
        is_cut=sum(map(len, blocks)) > LINES_SHOWN,
        files=_affected(run, effects),
        why_no_files=why_no_files,
    )


def _first_lines(blocks: Sequence[list[ChangedLine]]) -> list[list[ChangedLine]]:
    left, shown = LINES_SHOWN, []
    for block in blocks:
        shown.append(block[:left])
        left -= len(shown[-1])
        if not left:
            break
    return shown


def _words(difference: SheetDifference) -> list[str]:
    """A line a change: `H-2230: index TAAGGCGA → CAAGGCGA`."""
    renumbered = ", ".join(f"{one.what} {one.before} → {one.after}" for one in difference.renumbered[:5])
    more = len(difference.renumbered) - 5
    return [
        *(f"{sample.sample_id}: added" for sample in difference.added),
        *(f"{sample.sample_id}: removed" for sample in difference.removed),
        *(f"{one.before}: renamed to {one.after}" for one in difference.renamed),
        *(
            f"{one.what}: {one.field} {one.before or looks.NOTHING} → {one.after or looks.NOTHING}"
            for one in (*difference.changed, *difference.sections)
        ),
        *([f"Numbered anew: {renumbered}{f' and {more:,} more' if more > 0 else ''}"] if renumbered else []),
    ]


# --- Files that a change touches -----------------------------------------------------------------------

NOTHING_TOUCHED = FileEffects((), (), ())


def _effects(run: SequencingRun, before: Sheet, after: Sheet) -> tuple[FileEffects, str]:
    """Which files the change touches, as a scan would expect them; else why that cannot be told."""
    if not (before.is_usable and after.is_usable):
        broken = "An error in one of the two versions keeps it from being used: "
        return NOTHING_TOUCHED, f"{broken}files are judged by the last version without one."
    info = _run_info(run)
    layout = _layout(run, after, info)
    facts = [RunFacts(info, sheet, run_name=run.name) for sheet in (before, after)]
    if max(_many(one, layout) for one in facts) > MOST_FILES_COMPARED:
        return NOTHING_TOUCHED, "The run has too many files to compare them here."
    return file_effects(*(_expected(one, layout) for one in facts)), ""


def _expected(facts: RunFacts, layout: Layout) -> list[ExpectedFile]:
    pattern = settings.SEQAUTO_CONTROL_SAMPLE_PATTERN
    return expected_files(facts, layout, control_pattern=re.compile(pattern) if pattern else None)


def _many(facts: RunFacts, layout: Layout) -> int:
    samples = len(facts.sheet.samples) if facts.sheet else 0
    return samples * len(lanes_of_run(facts, layout)) * len(reads_of_run(facts, layout))


def _run_info(run: SequencingRun) -> RunInfo | None:
    """RunInfo.xml as far as the run's row tells; without its reads the sheets themselves tell more."""
    if not run.reads:
        return None
    reads = tuple(Read(number, cycles, is_index) for number, (cycles, is_index) in enumerate(run.reads, 1))
    serial = run.sequencer.serial if run.sequencer else ""
    return RunInfo(run.name, run.run_number, "", run.flowcell, serial, run.date, "", reads, run.lane_count)


def _layout(run: SequencingRun, sheet: Sheet, info: RunInfo | None) -> Layout:
    """Where the run's FASTQs lie, learnt from those that are known, there or not; some of them are enough."""
    known = (
        run.files.filter(file_type="fastq").order_by("-is_expected", "-path").values_list("path", flat=True)
    )
    return recognise_layout(list(known[:FILES_LEARNT_FROM]), sheet, info, settings.SEQAUTO_FASTQ_PATTERNS)


def _affected(run: SequencingRun, effects: FileEffects) -> list[FileGroup]:
    """Those that the change touches, by how, each with what is known of it now."""
    old_names = [one.before for one in effects.renamed[:FILES_SHOWN]]
    shown = {*effects.wanted[:FILES_SHOWN], *effects.unwanted[:FILES_SHOWN], *old_names}
    known = {file.path: file for file in run.files.filter(path__in=shown)} if shown else {}
    groups = [
        _group("+", "expected besides", [(path, "") for path in effects.wanted], known),
        _group("−", "no longer expected", [(path, "") for path in effects.unwanted], known),
        _group("→", "expected under another name", effects.renamed, known),
    ]
    return [group for group in groups if group.count]


def _group(
    sign: str, how: str, paths: Sequence[tuple[str, str]], known: Mapping[str, SequencingFile]
) -> FileGroup:
    files = [
        AffectedFile(path, _shortened(path, after), looks.file_state(known[path]) if path in known else None)
        for path, after in paths[:FILES_SHOWN]
    ]
    return FileGroup(f"{looks.plural(len(paths), 'file')} {how}", sign, len(paths), files)


def _shortened(before: str, after: str) -> str:
    """A path without the folder that it shares with the one before it."""
    folder = before.rpartition("/")[0]
    return after.removeprefix(f"{folder}/") if folder else after

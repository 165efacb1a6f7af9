"""The sample sheet of a run through time, and the samples that it describes.

Every version is kept. Files and samples follow the newest version that can be used: a sheet that is broken
today does not undo what was known yesterday.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass

from sequencing.disk import printable
from sequencing.expected import SampleKey, is_control_sample, sample_key
from sequencing.illumina.sample_sheet import Sample, SampleRow, meaningful_key, parse_sample_sheet
from sequencing.illumina.sample_sheet import SampleSheet as Sheet
from sequencing.illumina.sheet_text import LARGEST_SHEET
from sequencing.reading import SheetFile

from . import bulk
from .messages import Notice
from .models import SampleSheet, Scan, SequencingRun, SequencingSample


@dataclass(slots=True)
class Sheets:
    """What a scan makes of a run's sheet: the version to add, if it is new, and the one that files follow."""

    new: SampleSheet | None
    in_force: Sheet | None
    notices: list[Notice]
    problem: str = ""  # why the run needs a person before anything else; "" where its sheet serves

    @property
    def samples(self) -> tuple[Sample, ...]:
        return self.in_force.samples if self.in_force else ()

    @classmethod
    def of(cls, run: SequencingRun, file: SheetFile | None, scan: Scan, *, is_there: bool) -> Sheets:
        """Compare the sheet on disk (None: none, or it `is_there` but cannot be read) with known versions."""
        current = run.sample_sheets.filter(is_current=True).first() if run.pk else None
        last_usable = _last_usable(run) if current else None
        if file is None:
            if is_there:
                return cls(None, last_usable, [], "The sample sheet cannot be read.")
            notice = _lost(current) if current else _never_seen()
            return cls(None, last_usable, [notice], "" if last_usable else notice.text)
        version = _version(run, file, current, scan)
        notices = []
        if current and current.sha256 == version.sha256:
            # The same text, though newer code may understand it otherwise.
            version.pk, version.version, version.change = current.pk, current.version, current.change
            version.scan_id, version.seen_at = current.scan_id, current.seen_at
            new = version if _facts(version) != _facts(current) else None
        else:
            new = version
            notices = _changes(file.sheet, last_usable, version)
        if file.sheet.is_usable:
            return cls(new, file.sheet, notices)
        if last_usable:
            notices.append(_older_in_force())
        count = len(file.sheet.errors)
        return cls(new, last_usable, notices, f"The sample sheet has {count} error{'s'[: count > 1]}.")

    def save(self, run: SequencingRun) -> None:
        if self.new:
            if self.new.version > 1:
                run.sample_sheets.exclude(pk=self.new.pk).filter(is_current=True).update(is_current=False)
            self.new.run = run
            self.new.save()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _last_usable(run: SequencingRun) -> Sheet | None:
    version = run.sample_sheets.filter(is_usable=True).order_by("-version").first()
    return parse_sample_sheet(bytes(version.content)) if version else None


def _version(run: SequencingRun, file: SheetFile, before: SampleSheet | None, scan: Scan) -> SampleSheet:
    return SampleSheet(
        run=run,
        version=before.version + 1 if before else 1,
        path=file.path,
        format=file.sheet.version,
        sha256=_sha256(file.content),
        content=file.content if len(file.content) <= LARGEST_SHEET else b"",
        problems=[asdict(problem) for problem in file.sheet.problems],
        is_usable=file.sheet.is_usable,
        sample_count=len(file.sheet.samples) if file.sheet.is_usable else 0,
        scan=scan,
    )


def _facts(version: SampleSheet) -> tuple[object, ...]:
    """What a version says of its text, apart from the text."""
    return version.path, version.format, version.problems, version.is_usable, version.sample_count


def _changes(sheet: Sheet, before: Sheet | None, version: SampleSheet) -> list[Notice]:
    """Say what the new version of a sheet means for the run; nothing for a first version or a broken one."""
    if before is None or not sheet.is_usable:
        return []
    version.change = describe_change(before, sheet)[:500]
    return [
        Notice(
            "info",
            "sheet_changed",
            f"Version {version.version} of the sample sheet: {version.change}",
            place=version.path,
            is_event=True,
        )
    ]


def describe_change(before: Sheet, after: Sheet) -> str:
    """Say in a sentence what changed between two sheets, and whether samples or indexes did."""
    if meaningful_key(before) == meaningful_key(after):
        return "no sample and no index changed, only other text."
    old, new = (
        {sample_key(sample): _barcodes(sample) for sample in sheet.samples} for sheet in (before, after)
    )
    parts = [
        _listed("added", [key for key in new if key not in old]),
        _listed("removed", [key for key in old if key not in new]),
        _listed("with another lane or index", [key for key in new if key in old and new[key] != old[key]]),
    ]
    return f"samples or indexes changed: {'; '.join(filter(None, parts)) or 'their order or rows'}."


def _listed(word: str, keys: Sequence[SampleKey]) -> str:
    if not keys:
        return ""
    names = ", ".join(sample_id for _project, sample_id in keys[:5])
    return f"{len(keys)} {word} ({names}{', …' if len(keys) > 5 else ''})"


def _barcodes(sample: Sample) -> list[tuple[int, str, str]]:
    return sorted((row.lane or 0, row.index, row.index2) for row in sample.rows)


def _never_seen() -> Notice:
    return Notice(
        "error",
        "no_sample_sheet",
        "There is no SampleSheet.csv in this run folder, so nobody knows which FASTQs to expect.",
        "Put the run's sample sheet into the run folder as SampleSheet.csv, then scan again.",
    )


def _lost(current: SampleSheet) -> Notice:
    return Notice(
        "warning",
        "sample_sheet_gone",
        f"The sample sheet is gone from {current.path}; the last version seen still says what to expect.",
        "Put it back; the page of the run shows its text.",
        current.path,
    )


def _older_in_force() -> Notice:
    return Notice(
        "warning",
        "older_sheet_in_force",
        "The sample sheet of today cannot be used; files are still judged by the last version that could be.",
        "Mend the sheet as its other messages say, then scan again.",
    )


# ---- samples ----

_FIELDS = [
    "sample_id", "sample_name", "project", "number", "lanes", "indexes", "is_control", "is_failed", "extra",
]  # fmt: skip


def save_samples(
    run: SequencingRun,
    samples: Sequence[Sample],
    *,
    control_pattern: re.Pattern[str] | None,
    extra_columns: Collection[str],
    is_new_run: bool,
) -> dict[SampleKey, int]:
    """Make the samples of a run those of its sheet; return their ids.

    A sample keeps its row while its project and Sample_ID stay, whatever else is edited, and so its files.
    """
    keys = {sample_key(sample): (_text(sample.project), _text(sample.sample_id)) for sample in samples}
    wanted = {keys[sample_key(sample)]: _values(sample, control_pattern, extra_columns) for sample in samples}
    known = {} if is_new_run else {(row.project, row.sample_id): row for row in run.samples.all()}
    gone = [row.pk for key, row in known.items() if key not in wanted]
    if gone:
        SequencingSample.objects.filter(pk__in=gone).delete()
    changed = [known[key] for key, values in wanted.items() if key in known and _update(known[key], values)]
    SequencingSample.objects.bulk_update(changed, _FIELDS)
    new = {key: values for key, values in wanted.items() if key not in known}
    ids = {key: row.pk for key, row in known.items()}
    ids |= zip(new, _insert(run, list(new.values())), strict=True)
    return {sample: ids[key] for sample, key in keys.items()}


def _insert(run: SequencingRun, rows: Sequence[Sequence[object]]) -> Sequence[int]:
    if not rows:
        return []
    ids = bulk.next_ids(SequencingSample, len(rows))
    bulk.insert_rows(
        SequencingSample,
        ["id", "run", *_FIELDS],
        [[pk, run.pk, *row] for pk, row in zip(ids, rows, strict=True)],
    )
    return ids


def _update(row: SequencingSample, values: Sequence[object]) -> bool:
    before = [getattr(row, name) for name in _FIELDS]
    for name, value in zip(_FIELDS, values, strict=True):
        setattr(row, name, value)
    return before != list(values)


def _values(
    sample: Sample, control_pattern: re.Pattern[str] | None, extra_columns: Collection[str]
) -> list[object]:
    extra: Mapping[str, str] = sample.extra
    return [
        _text(sample.sample_id),
        _text(sample.sample_name),
        _text(sample.project),
        sample.number,
        ",".join(map(str, sample.lanes))[:100],
        " ".join(dict.fromkeys(filter(None, map(_barcode, sample.rows)))),
        is_control_sample(sample, control_pattern),
        sample.failed,
        {name: _text(text) for name, text in extra.items() if "*" in extra_columns or name in extra_columns},
    ]


def _barcode(row: SampleRow) -> str:
    index, index2 = printable(row.index), printable(row.index2)
    return f"{index}+{index2}" if index2 else index


def _text(text: str) -> str:
    """A sheet's text as a column can hold it: printable, and no longer than the column."""
    return printable(text)[:255]

"""The rows of a run's files: what is known of them, and how a comparison is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from sequencing.compare import Comparison, FileRecord, KnownFile
from sequencing.expected import SampleKey

from . import bulk
from .models import SequencingFile, SequencingRun
from .models.samples import DataState

_FILE_FIELDS = [
    "sample", "file_type", "path", "data_state", "is_expected", "lane", "read", "size", "mtime_ns",
    "changed_at",
]  # fmt: skip


def known_files(run: SequencingRun, file_types: Collection[str]) -> list[KnownFile]:
    rows = run.files.filter(file_type__in=file_types).values_list(
        "pk", "file_type", "path", "sample__project", "sample__sample_id",
        "lane", "read", "data_state", "is_expected", "size", "mtime_ns",
    )  # fmt: skip
    return [
        KnownFile(
            pk,
            FileRecord(
                kind,
                path,
                None if sample_id is None else (project, sample_id),
                lane,
                read,
                state,
                is_expected,
                size,
                mtime_ns,
            ),
        )
        for pk, kind, path, project, sample_id, lane, read, state, is_expected, size, mtime_ns in rows
    ]


def save_files(run: SequencingRun, comparison: Comparison, sample_ids: Mapping[SampleKey, int]) -> None:
    """Write a comparison's rows; those forgotten go first, which keeps paths unique on the way."""
    now = timezone.now()
    if comparison.forgotten:
        SequencingFile.objects.filter(pk__in=comparison.forgotten).delete()
    bulk.update_rows(
        SequencingFile,
        _FILE_FIELDS,
        [[pk, *_file_values(record, sample_ids, now)] for pk, record in comparison.updated],
    )
    bulk.insert_rows(
        SequencingFile,
        ["run", *_FILE_FIELDS],
        [[run.pk, *_file_values(record, sample_ids, now)] for record in comparison.new],
    )


def _file_values(record: FileRecord, sample_ids: Mapping[SampleKey, int], now: datetime) -> list[Any]:
    return [
        sample_ids.get(record.sample) if record.sample else None,
        record.file_type,
        record.path,
        record.state,
        record.is_expected,
        record.lane,
        record.read,
        record.size,
        record.mtime_ns,
        now,
    ]


def count_files(run: SequencingRun) -> None:
    """Count the files of all types, where a scan looked at some only."""
    there = Q(data_state=DataState.COMPLETE)
    expected = Q(is_expected=True) & ~Q(data_state=DataState.SKIPPED)
    counts = run.files.aggregate(
        files_expected=Count("pk", filter=expected),
        files_found=Count("pk", filter=expected & there),
        files_total=Count("pk", filter=there),
        bytes_total=Coalesce(Sum("size", filter=there), 0),
    )
    SequencingRun.objects.filter(pk=run.pk).update(**counts)

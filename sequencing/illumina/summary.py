"""What was read from a file, as plain values for JSON: the diagnostic commands print these."""

from __future__ import annotations

from typing import Any

from .errors import Problem
from .run_info import RunInfo
from .run_parameters import RunParameters
from .sample_sheet import SampleRow, SampleSheet

Summary = dict[str, Any]


def summarise_sheet(sheet: SampleSheet) -> Summary:
    """Return what a sheet says. `n_samples` counts rows of samples, `n_distinct_sample_ids` the samples."""
    rows = sheet.rows
    return {
        "version": sheet.version or "none",
        "n_samples": len(rows),
        "n_data_rows": len(rows),
        "n_distinct_sample_ids": len(sheet.samples),
        "lanes": [str(lane) for lane in sorted({row.lane for row in rows if row.lane is not None})],
        "projects": sorted({row.project for row in rows if row.project}),
        "first_sample": _summarise_row(rows[0]) if rows else None,
        "last_sample": _summarise_row(rows[-1]) if rows else None,
        "columns": list(sheet.columns) if sheet.version else None,
        "sections": list(sheet.sections) if sheet.version else None,
        "header": dict(sheet.header) if sheet.version else None,
        "reads": [list(cells) for cells in sheet.reads] if sheet.version else None,
        "should_be_rejected": not sheet.is_usable,
        "errors": [summarise_problem(problem) for problem in sheet.errors],
        "warnings": [summarise_problem(problem) for problem in sheet.warnings],
    }


def summarise_run_info(info: RunInfo) -> Summary:
    """Return what RunInfo.xml says, `reads` as [cycles, whether an index], None where something is absent."""
    return {
        "run_id": info.run_id,
        "run_number": info.run_number_text or None,
        "flowcell": info.flowcell or None,
        "instrument": info.instrument or None,
        "date": info.date_text or None,
        "sequence_date": info.date.isoformat() if info.date else None,
        "reads": [[read.cycles, read.is_index] for read in info.reads],
        "lanes": info.lane_count,
        "surfaces": info.surface_count,
        "swaths": info.swath_count,
        "tiles": info.tile_count,
        "sections_per_lane": info.sections_per_lane,
        "n_tile_names": info.tile_name_count,
        "xml_version": info.xml_version or None,
        "errors": [],
        "warnings": [summarise_problem(problem) for problem in info.problems],
    }


def summarise_run_parameters(parameters: RunParameters) -> Summary:
    """Return what RunParameters.xml says, None where a field is absent or empty."""
    return {
        "root": parameters.root,
        "application_name": parameters.application_name or None,
        "application_version": parameters.application_version or None,
        "instrument_type": parameters.instrument_type or None,
        "instrument_id": parameters.instrument or None,
        "experiment_name": parameters.experiment_name or None,
        "run_id": parameters.run_id or None,
        "rta_version": parameters.rta_version or None,
        "chemistry": parameters.chemistry or None,
        "flowcell_mode": parameters.flowcell_mode or None,
        "run_start_date": parameters.run_start_date or None,
        "errors": [],
        "warnings": [],
    }


def summarise_problem(problem: Problem) -> Summary:
    """Return a problem with its place, the text found and the remedy."""
    return {
        "severity": problem.severity,
        "code": problem.code,
        "row": problem.row,
        "column": problem.column,
        "text": problem.text,
        "message": problem.message,
        "remedy": problem.remedy,
    }


def _summarise_row(row: SampleRow) -> Summary:
    return {
        "id": row.sample_id,
        "name": row.sample_name,
        "index": row.index,
        "index2": row.index2,
        "lane": "" if row.lane is None else str(row.lane),
        "project": row.project,
    }

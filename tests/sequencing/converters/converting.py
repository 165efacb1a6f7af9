"""Jobs for tests of converters."""

from pathlib import Path

from sequencing.converters import ConversionJob
from sequencing.illumina.run_info import parse_run_info
from sequencing.illumina.sample_sheet import parse_sample_sheet


def make_job(run: Path, output: Path, sheet_file: Path | None = None, **fields: object) -> ConversionJob:
    """A job for a run folder, with its own sheet or another."""
    sheet_file = sheet_file or run / "SampleSheet.csv"
    return ConversionJob(
        run_folder=run,
        output=output,
        run_info=parse_run_info((run / "RunInfo.xml").read_bytes()),
        sheet=parse_sample_sheet(sheet_file.read_bytes()),
        sheet_file=sheet_file,
        **{"memory_mb": 400, **fields},  # type: ignore[arg-type]
    )

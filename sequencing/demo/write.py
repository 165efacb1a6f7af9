"""Writes one run folder to disk, below the folder it is given and nowhere else."""

from __future__ import annotations

import gzip
from fnmatch import fnmatch
from pathlib import Path

from .run import DemoRun, bases, fastq_paths
from .texts import marker_of, run_info_of, run_parameters_of, sheet_of


def write_run(folder: Path, **fields: object) -> Path:
    """Write one run folder into `folder` (a group's folder) and return the run folder's path.

    The keywords, all optional, are those of `DemoRun`:

    * `instrument`: a key of INSTRUMENTS; `date`, `number`, `flowcell`, `prefix`, `suffix` make the name
    * `samples`: how many, or a list of DemoSample; `project`
    * `sheet`: "v1", "v2", "casava" or "" for none; `sheet_text`: the sheet's text, word for word
    * `layout`: "archive" (0_fastq and 4_QC/sequencing_stats), "native" (Data/Intensities/BaseCalls) or
      "bclconvert" (Unaligned/<project>)
    * `reads` (1 or 2), `cycles`, `lanes` (of the flow cell), `split_lanes` (FASTQs one a lane)
    * `missing`, `empty`: FASTQ names or patterns (`*_R2_*`) that are not written, or hold no reads
    * `fastqs`, `run_info`, `parameters`: whether these are written at all
    * `markers`: names of the marker files; None for those of the instrument, () for none
    * `experiment_name`: of RunParameters.xml, "" for an empty one

    Writing the same run twice gives the same files.
    """
    run = DemoRun(**fields)  # type: ignore[arg-type]  # the fields are checked by DemoRun itself
    path = folder / run.folder_name
    records = path / "4_QC" / "sequencing_stats" if run.layout == "archive" else path
    records.mkdir(parents=True, exist_ok=True)
    sheet = sheet_of(run)
    if sheet:
        write_text(path / "SampleSheet.csv", sheet)
    if run.run_info:
        write_text(records / "RunInfo.xml", run_info_of(run))
    if run.parameters:
        write_text(records / run.maker.parameters_name, run_parameters_of(run))
    for marker in run.maker.markers if run.markers is None else run.markers:
        write_text(records / marker, marker_of(run, marker))
    if run.fastqs:
        _write_fastqs(path, run)
    return path


def _write_fastqs(path: Path, run: DemoRun) -> None:
    folders = set()
    for place, sample, read in fastq_paths(run):
        target = path / place
        if any(fnmatch(target.name, pattern) for pattern in run.missing):
            continue
        if target.parent not in folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            folders.add(target.parent)
        is_empty = any(fnmatch(target.name, pattern) for pattern in run.empty)
        index = f"{sample.index}+{sample.index2}" if sample else "NNNNNNNNNN+NNNNNNNNNN"
        target.write_bytes(_fastq(run, read, "" if is_empty else index))
    if run.layout == "bclconvert":
        (path / "Unaligned" / "Logs").mkdir(exist_ok=True)
        write_text(path / "Unaligned" / "Logs" / "FastqComplete.txt", "")


def _fastq(run: DemoRun, read: int, index: str) -> bytes:
    """A gzipped FASTQ of two reads, or of none where `index` is ""."""
    source = f"{run.maker.serial}:{run.number}:{run.flowcell_id}"
    records = "".join(
        f"@{source}:1:1101:{x}:1333 {read}:N:0:{index}\n"
        f"{bases(f'{source} {x} {read}', run.cycles)}\n+\n{'F' * run.cycles}\n"
        for x in ((15589, 16221) if index else ())
    )
    return gzip.compress(records.encode(), compresslevel=1, mtime=0)


def write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode())

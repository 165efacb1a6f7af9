"""Judges FASTQs, as converted or as found on board: all there, whole, and of the right samples. Reads only.

What should be there is told by the same rules as in a scan (`expected`, `compare`).
"""

from __future__ import annotations

import os
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from sequencing.compare import FileRecord, compare
from sequencing.expected import RunFacts, SampleKey, expected_files, sample_key
from sequencing.illumina.errors import Problem, shown
from sequencing.illumina.fastq_name import parse_fastq_name
from sequencing.illumina.sample_sheet import Sample
from sequencing.layout import FILE_TYPES, FoundFile, kind_of_file, recognise_layout

from .base_calls import lanes_on_disk
from .fastq_content import FastqContent, ReadName, parse_read_name, read_through
from .job import ConversionJob, facts_of
from .picard import UNDETERMINED, indexes_of
from .problems import ConversionProblem

MOST_INDEX_ERRORS = 2  # in one index, of the first read of a file: another sample's index differs more
_COMPLEMENT = str.maketrans("ACGTN", "TGCAN")
_BASES = re.compile(r"[ACGTN]+").fullmatch
_CONVERT_AGAIN = "Convert again; read the converter's log for the reason."
_BEAT_SECONDS = 0.5  # how often progress is told and a stop is looked for


@dataclass(frozen=True, slots=True)
class JudgedFile:
    """A FASTQ: path inside the output folder, whose it is, and by what it is known again.

    `sample_id` is "Undetermined" for the reads of no sample; `lane` None means all lanes. `reads` is None
    where the file cannot be read through (`.ora`). `mtime_ns` is from before the file was read, `md5` and
    `xxh3` (128 bits) are of all bytes that were read ("" where it is not whole).
    """

    path: str
    project: str
    sample_id: str
    lane: int | None
    read: str
    size: int
    mtime_ns: int
    md5: str
    xxh3: str
    reads: int | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """FASTQs, and what is wrong. With problems nothing may be published; warnings are to be seen."""

    files: tuple[JudgedFile, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]

    @property
    def is_good(self) -> bool:
        return not self.problems


def judge(
    job: ConversionJob,
    output: Path | None = None,
    *,
    control_pattern: re.Pattern[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> Verdict:
    """Judge the FASTQs below `output` (else the job's), reading each from its first byte to its last.

    Missing, damaged, unexpected and misplaced FASTQs are problems; a sample without reads is a warning.
    `progress` hears the bytes read and those of all files; it and `stop` are called in the caller's thread.
    Raises OSError where the disk fails, ConversionProblem "stopped" where `stop` says so.
    """
    output = output or job.output
    facts = facts_of(job.run_info, job.sheet, lanes_on_disk(job.run_folder))
    found, links = _fastqs_below(output)
    records, warnings, problems = _compare(facts, found, control_pattern)
    problems += _listed("linked_fastq", "is a link", "are links", links, "Put the file itself there.")
    there = [record for record in records if record.state == "complete"]
    contents = _read_all(output, there, job.threads, progress, stop)
    problems += _damaged(contents)
    problems += _pairs_that_differ(contents)
    problems += _strayed(contents, facts)
    unread = [record.path for record, content in contents.items() if not content.is_known]
    warnings += _listed(
        "not_read_through", "cannot be read through", "cannot be read through", unread,
        "Its content was not checked; write .gz instead of .ora to have it checked.", "warning",
    )  # fmt: skip
    files = tuple(_judged(record, contents[record]) for record in there)
    return Verdict(files, tuple(problems), tuple(warnings))


def _fastqs_below(folder: Path) -> tuple[list[FoundFile], list[str]]:
    """The FASTQs below a folder, and those that are links: nothing outside the folder is ever read."""
    found, links = [], []
    for parent, _folders, names in os.walk(folder, onerror=_raise):
        for name in names:
            if kind_of_file(name) != "fastq":
                continue
            path = os.path.join(parent, name)
            inside = os.path.relpath(path, folder)
            if os.path.islink(path):
                links.append(inside)
            else:
                status = os.lstat(path)
                found.append(FoundFile(inside, status.st_size, status.st_mtime_ns))
    return sorted(found), sorted(links)


def _raise(error: OSError) -> None:
    raise error


def _judged(record: FileRecord, content: FastqContent) -> JudgedFile:
    project, sample_id = record.sample or ("", UNDETERMINED)
    name = parse_fastq_name(os.path.basename(record.path))
    lane, read = record.lane, record.read
    if record.sample is None and name:
        lane, read = name.lane, name.read
    return JudgedFile(
        record.path,
        project,
        sample_id,
        lane,
        read,
        record.size or 0,
        record.mtime_ns or 0,
        content.md5,
        content.xxh3,
        content.reads if content.is_known else None,
    )


# ---- Reading ----------------------------------------------------------------------------------------

Contents = dict[FileRecord, FastqContent]


class _Tally:
    """Counts the bytes that threads read; ends them where nobody waits for them any more."""

    def __init__(self) -> None:
        self.bytes, self.is_abandoned = 0, False
        self._lock = threading.Lock()

    def note(self, count: int) -> None:
        with self._lock:
            self.bytes += count
        if self.is_abandoned:
            raise _stopped()


def _read_all(
    output: Path,
    records: Sequence[FileRecord],
    threads: int,
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> Contents:
    tally, total = _Tally(), sum(record.size or 0 for record in records)
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        tasks = [pool.submit(read_through, output / record.path, tally.note) for record in records]
        try:
            waiting = set(tasks)
            while waiting:
                ended, waiting = wait(waiting, _BEAT_SECONDS, FIRST_EXCEPTION)
                for task in ended:
                    task.result()
                progress(tally.bytes, total)
                if stop():
                    raise _stopped()
        except BaseException:
            tally.is_abandoned = True
            pool.shutdown(cancel_futures=True)
            raise
    return dict(zip(records, (task.result() for task in tasks), strict=True))


def _stopped() -> ConversionProblem:
    return ConversionProblem("stopped", "Reading the FASTQs was stopped.", "Retry when it may go on.")


# ---- Names ------------------------------------------------------------------------------------------


def _compare(
    facts: RunFacts, found: Sequence[FoundFile], control_pattern: re.Pattern[str] | None
) -> tuple[list[FileRecord], list[Problem], list[Problem]]:
    """Records of all files, expected or there, with warnings and problems."""
    samples = facts.sheet.samples if facts.sheet else ()
    paths = [file.path for file in found]
    layout = recognise_layout(paths, facts.sheet, facts.run_info)
    expected = expected_files(
        facts, layout, control_pattern=control_pattern, file_types={"fastq": FILE_TYPES["fastq"]}
    )
    comparison = compare(expected, [("fastq", file) for file in found], (), samples=samples, layout=layout)
    no_loss = {want.sample for want in expected if want.skip_reason}
    missing = [record.path for record in comparison.new if record.state == "non_existent"]
    extra = [record.path for record in comparison.new if _is_unexpected(record, no_loss)]
    problems = [
        *_listed("missing_fastq", "is missing", "are missing", missing, _CONVERT_AGAIN),
        *_listed(
            "unexpected_fastq", "is of no sample, lane or read of the sheet",
            "are of no sample, lane or read of the sheet", extra,
            "Check that this is the run's sheet and that no other FASTQs lie there.",
        ),
    ]  # fmt: skip
    if not expected:
        message = "The sheet asks for no FASTQ, so nothing can be judged"
        problems.append(Problem("error", "nothing_expected", message, "Correct the sample sheet."))
    warnings = [problem for problem in comparison.problems if problem.code == "empty_fastq"]
    return comparison.new, warnings, problems


def _is_unexpected(record: FileRecord, no_loss: Collection[SampleKey | None]) -> bool:
    if record.state != "complete" or record.is_expected:
        return False
    name = parse_fastq_name(os.path.basename(record.path))
    is_undetermined = name is not None and name.sample == UNDETERMINED and name.part == 1
    return not is_undetermined and (record.sample is None or record.sample not in no_loss)


# ---- Content ----------------------------------------------------------------------------------------


def _damaged(contents: Contents) -> Iterator[Problem]:
    for record, content in contents.items():
        if content.fault:
            message = f"A FASTQ is not whole: {content.fault}"
            yield Problem("error", "truncated_fastq", message, _CONVERT_AGAIN, text=shown(record.path))


def _pairs_that_differ(contents: Contents) -> Iterator[Problem]:
    """R1, R2 and the index reads of a sample and lane hold the same clusters, so as many of them."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for record, content in contents.items():
        name = parse_fastq_name(os.path.basename(record.path))
        if name and content.is_known and not content.fault:
            counts["_*".join(record.path.rsplit(f"_{name.read}", 1))][name.read] = content.reads
    for path, by_read in counts.items():
        if len(set(by_read.values())) > 1:
            told = ", ".join(f"{read} {reads:,}" for read, reads in sorted(by_read.items()))
            message = f"The files of one sample hold different numbers of reads ({told})"
            yield Problem("error", "pair_differs", message, _CONVERT_AGAIN, text=shown(path))


def _strayed(contents: Contents, facts: RunFacts) -> Iterator[Problem]:
    """Files whose first read is of another lane, read or sample than their name says."""
    samples = {sample_key(sample): sample for sample in (facts.sheet.samples if facts.sheet else ())}
    is_casava = facts.sheet is not None and facts.sheet.version == "casava"
    for record, content in contents.items():
        if record.sample is None or (first := parse_read_name(content.first_name)) is None:
            continue
        if reason := _reason_it_strayed(record, first, samples[record.sample], is_casava):
            message = f"A FASTQ holds reads of another place: {reason}"
            yield Problem("error", "wrong_sample", message, _CONVERT_AGAIN, text=shown(record.path))


def _reason_it_strayed(record: FileRecord, first: ReadName, sample: Sample, is_casava: bool) -> str:
    if record.lane is not None and first.lane != record.lane:
        return f"its first read is of lane {first.lane}"
    if record.read in ("R1", "R2") and f"R{first.read}" != record.read:
        return f"its first read is an R{first.read}"
    rows = [row for row in sample.rows if row.lane in (first.lane, None)] or sample.rows
    if not any(_may_be(first.index, *indexes_of(row, is_casava)) for row in rows):
        return f"its first read has the index {shown(first.index, 60)}"
    return ""


def _may_be(found: str, index: str, index2: str) -> bool:
    """Whether the index of a read may be that of a sample: i5 either way round, a few errors allowed.

    BCL Convert writes "i7+i5", Picard both without a sign, some only a number; without bases all may be.
    """
    found = found.upper().replace("+", "")
    if not (_BASES(found) and _BASES(index + index2)):
        return True
    ways = [index + index2, index + index2.translate(_COMPLEMENT)[::-1], index.translate(_COMPLEMENT)[::-1]]
    # Some converters name fewer or more bases than the sheet: then lengths say nothing of the sample.
    return any(len(way) != len(found) or _errors(way, found) <= MOST_INDEX_ERRORS for way in ways[:2])


def _errors(one: str, other: str) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True) if "N" not in (a, b))


def _listed(
    code: str, one: str, many: str, paths: Sequence[str], remedy: str, severity: str = "error"
) -> Iterator[Problem]:
    if paths:
        what = f"1 FASTQ {one}" if len(paths) == 1 else f"{len(paths)} FASTQs {many}"
        names = shown(", ".join(os.path.basename(path) for path in paths))
        kind = "warning" if severity == "warning" else "error"
        yield Problem(kind, code, f"{what}: {names}", remedy, text=shown(paths[0]))  # type: ignore[arg-type]

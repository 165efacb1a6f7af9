"""Sheets, RunInfo and lists of files for tests of what a run should hold. No disk."""

import datetime

from sequencing.compare import KnownFile, compare, paths_seen
from sequencing.expected import RunFacts, expected_files
from sequencing.illumina.run_info import Read, RunInfo
from sequencing.illumina.sample_sheet import parse_sample_sheet
from sequencing.layout import FoundFile, recognise_layout

V1 = "[Header]\nIEMFileVersion,4\n[Reads]\n151\n151\n[Settings]\n{settings}\n[Data]\n{rows}\n"
V2 = (
    "[Header]\nFileFormatVersion,2\n[Reads]\nRead1Cycles,151\nRead2Cycles,151\n"
    "[BCLConvert_Settings]\n{settings}\n[BCLConvert_Data]\n{rows}\n"
)


def sheet(*rows, family=V1, settings=""):
    """A usable sheet of these lines, the column header first."""
    made = parse_sample_sheet(family.format(settings=settings, rows="\n".join(rows)).encode())
    assert made.is_usable, made.problems
    return made


def run_info(cycles=(151, -8, -8, 151), lanes=1, instrument="NS500318", flowcell="H3KLMBGXX"):
    """A RunInfo with these reads; index reads are negative."""
    reads = tuple(Read(number, abs(n), n < 0) for number, n in enumerate(cycles, 1))
    date = datetime.date(2015, 2, 2)
    run_id = f"150202_{instrument}_0047_A{flowcell}"
    return RunInfo(run_id, 47, "47", flowcell, instrument, date, "150202", reads, lanes)


def files(*paths, size=1000, mtime_ns=7):
    """These FASTQs, as a walk finds them."""
    return [("fastq", FoundFile(path, size, mtime_ns)) for path in paths]


def scan(a_sheet, found, known=(), info=None, control_pattern=None, **options):
    """One scan of one run: what should be there, against what is and what was known."""
    info = info or run_info()
    paths = [file.path for _kind, file in found] or paths_seen(known)
    layout = recognise_layout(paths, a_sheet, info)
    expected = expected_files(RunFacts(info, a_sheet), layout, control_pattern=control_pattern)
    samples = a_sheet.samples if a_sheet else ()
    return compare(expected, found, known, samples=samples, layout=layout, **options)


def recorded(comparison, known=()):
    """The rows after a comparison is written, in the order of forgetting, updating and adding.

    Breaks where a step would put two rows on one path, as the database would.
    """
    rows = {one.pk: one.record for one in known if one.pk not in set(comparison.forgotten)}
    for pk, record in comparison.updated:
        rows[pk] = record
        assert len({row.path for row in rows.values()}) == len(rows)
    first = max((one.pk for one in known), default=0) + 1
    rows |= dict(enumerate(comparison.new, first))
    assert len({row.path for row in rows.values()}) == len(rows)
    return [KnownFile(pk, record) for pk, record in rows.items()]


def states(known):
    """Path to state, of all rows."""
    return {one.record.path: one.record.state for one in known}

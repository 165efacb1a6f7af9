"""Sheets and runs to check, as short as the test allows."""

from sequencing.illumina.run_info import Read, RunInfo
from sequencing.illumina.sample_sheet import SampleSheet, parse_sample_sheet


def v2(*rows: str, columns: str = "Sample_ID,index,index2", settings: str = "", header: str = "") -> bytes:
    return (
        f"[Header]\nFileFormatVersion,2\n{header}\n[BCLConvert_Settings]\n{settings}\n[BCLConvert_Data]\n"
        + "\n".join([columns, *rows])
    ).encode()


def v1(*rows: str, columns: str = "Sample_ID,index,index2", header: str = "") -> bytes:
    return (f"[Header]\n{header}\n[Reads]\n151\n151\n[Data]\n" + "\n".join([columns, *rows])).encode()


def sheet(*rows: str, **options: str) -> SampleSheet:
    made = parse_sample_sheet(v2(*rows, **options))
    assert made.is_usable, made.problems
    return made


def run_of(instrument: str, turned: bool = False, lanes: int | None = 1) -> RunInfo:
    """A paired run of this instrument with two indexes of 8 cycles."""
    reads = (Read(1, 151, False), Read(2, 8, True), Read(3, 8, True, turned), Read(4, 151, False))
    return RunInfo("run", 1, "1", "H3KLMBGXX", instrument, None, "", reads, lanes)

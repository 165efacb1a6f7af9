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


V1 = "[Header]\nIEMFileVersion,4\n[Reads]\n151\n151\n[Settings]\n{settings}\n[Data]\n{rows}\n"
V2 = "[Header]\nFileFormatVersion,2\n[BCLConvert_Settings]\n{settings}\n[BCLConvert_Data]\n{rows}\n"
CASAVA = "FCID,Lane,SampleID,SampleRef,Index,Description,Control,Recipe,Operator,SampleProject\n{rows}\n"


def sheet(*rows, family=V1, settings=""):
    """A sheet of these lines, in V1 and V2 the column header first."""
    return parse_sample_sheet(family.format(settings=settings, rows="\n".join(rows)).encode())


def run_info(cycles=(151, -8, -8, 151), lanes=1):
    """A RunInfo with these reads; index reads are negative."""
    reads = "".join(
        f'<Read Number="{number}" NumCycles="{abs(n)}" IsIndexedRead="{"NY"[n < 0]}"/>'
        for number, n in enumerate(cycles, 1)
    )
    return parse_run_info(
        f'<RunInfo><Run Id="150202_NS500318_0047_AH3KLMBGXX" Number="47"><Flowcell>H3KLMBGXX</Flowcell>'
        f"<Instrument>NS500318</Instrument><Date>150202</Date><Reads>{reads}</Reads>"
        f'<FlowcellLayout LaneCount="{lanes}"/></Run></RunInfo>'.encode()
    )

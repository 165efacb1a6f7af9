"""The texts in a run folder of the demo: sample sheet, RunInfo.xml, RunParameters.xml, markers."""

from __future__ import annotations

import datetime

from .run import DemoRun


def sheet_of(run: DemoRun) -> str:
    """The run's sample sheet, "" where it has none."""
    if run.sheet_text is not None:
        return run.sheet_text
    return _SHEETS[run.sheet](run) if run.sheet else ""


def run_info_of(run: DemoRun) -> str:
    reads = "\n".join(
        f'      <Read Number="{number}" NumCycles="{cycles}" IsIndexedRead="{"Y" if is_index else "N"}" />'
        for number, (cycles, is_index) in enumerate(_reads(run), 1)
    )
    return f"""<?xml version="1.0" encoding="utf-8"?>
<RunInfo Version="4">
  <Run Id="{run.run_id}" Number="{run.number}">
    <Flowcell>{run.flowcell_id}</Flowcell>
    <Instrument>{run.maker.serial}</Instrument>
    <Date>{_start(run).strftime(run.maker.run_info_date)}</Date>
    <Reads>
{reads}
    </Reads>
    <FlowcellLayout LaneCount="{run.lane_count}" SurfaceCount="2" SwathCount="1" TileCount="19" />
  </Run>
</RunInfo>
"""


def run_parameters_of(run: DemoRun) -> str:
    maker = run.maker
    return f"""<?xml version="1.0" encoding="utf-8"?>
<RunParameters xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <ApplicationName>{maker.software}</ApplicationName>
  <ApplicationVersion>4.0.2.7</ApplicationVersion>
  <{maker.serial_tag}>{maker.serial}</{maker.serial_tag}>
  <RunId>{run.run_id}</RunId>
  <RunStartDate>{_start(run).strftime(maker.run_info_date)}</RunStartDate>
  <ExperimentName>{run.experiment}</ExperimentName>
</RunParameters>
"""


def _reads(run: DemoRun) -> list[tuple[int, bool]]:
    """Cycles of each read, and whether it is an index read, in the order of sequencing."""
    ends = [(run.cycles, False)] * run.reads
    return [ends[0], (10, True), (10, True), *ends[1:]]


def _start(run: DemoRun) -> datetime.datetime:
    return datetime.datetime.combine(run.date, datetime.time(13, 19, 6))


def marker_of(run: DemoRun, name: str) -> str:
    """What stands in a marker file; NextSeq 500 and MiniSeq word the status in their own way."""
    if name == "RunCompletionStatus.xml" and run.instrument in {"NextSeq 500", "MiniSeq"}:
        status = "<CompletionStatus>CompletedAsPlanned</CompletionStatus>"
    elif name == "RunCompletionStatus.xml":
        status = "<RunStatus>RunCompleted</RunStatus>"
    else:
        return f"{run.date:%-m/%-d/%Y},08:12:44.310,Illumina RTA\n"
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<RunCompletionStatus>\n  {status}\n</RunCompletionStatus>\n'
    )


def _sheet_v1(run: DemoRun) -> str:
    """As Illumina Experiment Manager writes it: CRLF, and every line padded with commas to the same width."""
    with_lanes, with_failed = run.gives_lanes, run.gives_failed
    columns = ["Lane"] if with_lanes else []
    columns += ["Sample_ID", "Sample_Name", "Sample_Plate", "Sample_Well", "index", "index2"]
    columns += ["Sample_Project", "Description"] + (["Failed"] if with_failed else [])
    head = [
        ["[Header]"], ["IEMFileVersion", "5"], ["Experiment Name", run.experiment],
        ["Date", f"{run.date:%-m/%-d/%Y}"], ["Workflow", "GenerateFASTQ"], ["Application", "FASTQ Only"],
        ["Chemistry", "Amplicon"], [], ["[Reads]"], *[[str(run.cycles)]] * run.reads, [], ["[Settings]"],
        ["Adapter", "CTGTCTCTTATACACATCT"], [], ["[Data]"], columns,
    ]  # fmt: skip
    rows = [
        [
            *([str(lane)] if with_lanes else []),
            sample.sample_id, sample.sample_name or sample.sample_id, "P1", "", sample.index, sample.index2,
            sample.project, sample.description, *(["yes" if sample.failed else ""] if with_failed else []),
        ]
        for lane, sample in run.sheet_rows()
    ]  # fmt: skip
    width = len(columns)
    return "".join(",".join(cells + [""] * (width - len(cells))) + "\r\n" for cells in head + rows)


def _sheet_v2(run: DemoRun) -> str:
    with_lanes, with_failed = run.gives_lanes, run.gives_failed
    read_cycles = [f"Read{number}Cycles,{run.cycles}" for number in range(1, run.reads + 1)]
    splitting = "" if run.splits_lanes else "NoLaneSplitting,true"
    head = [
        "[Header]", "FileFormatVersion,2", f"RunName,{run.experiment}", "IndexOrientation,Forward", "",
        "[Reads]", *read_cycles, "Index1Cycles,10", "Index2Cycles,10", "",
        "[BCLConvert_Settings]", "SoftwareVersion,4.2.7", *([splitting] if splitting else []), "",
        "[BCLConvert_Data]",
        ("Lane," if with_lanes else "") + "Sample_ID,index,index2,Sample_Project"
        + (",Failed" if with_failed else ""),
    ]  # fmt: skip
    rows = [
        (f"{lane}," if with_lanes else "")
        + f"{sample.sample_id},{sample.index},{sample.index2},{sample.project}"
        + (f",{'yes' if sample.failed else ''}" if with_failed else "")
        for lane, sample in run.sheet_rows()
    ]
    return "\n".join(head + rows) + "\n"


def _sheet_casava(run: DemoRun) -> str:
    head = "FCID,Lane,SampleID,SampleRef,Index,Description,Control,Recipe,Operator,SampleProject"
    rows = [
        f"{run.flowcell_id},{lane},{sample.sample_id},hg19,{sample.index}-{sample.index2},{sample.description},"
        f"N,R1,lab,{sample.project}"
        for lane, sample in run.sheet_rows()
    ]
    return "\n".join([head, *rows]) + "\n"


_SHEETS = {"v1": _sheet_v1, "v2": _sheet_v2, "casava": _sheet_casava}

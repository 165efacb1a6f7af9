"""CPU time of the formats, beside a plain pass of csv.reader or xml.etree over the same bytes.

    python -m bench.formats [RUN_INFO_OR_RUN_PARAMETERS_XML ...]

Prints a line a file: milliseconds of CPU, ours and the plain pass (best of five rounds), and their ratio.
"""

from __future__ import annotations

import csv
import io
import itertools
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

from sequencing.illumina.run_info import parse_run_info
from sequencing.illumina.run_parameters import parse_run_parameters
from sequencing.illumina.sample_sheet import parse_sample_sheet

ROUNDS = 5
TIMES = 40
HEADER = """[Header],,,,,,,,,,
IEMFileVersion,4,,,,,,,,,
Experiment Name,Bench,,,,,,,,,
[Reads],,,,,,,,,,
151,,,,,,,,,,
[Settings],,,,,,,,,,
Adapter,CTGTCTCTTATACACATCT,,,,,,,,,
[Data],,,,,,,,,,
Lane,Sample_ID,Sample_Name,Sample_Plate,Sample_Well,I7_Index_ID,index,I5_Index_ID,index2,Sample_Project,Description
"""


def main(paths: list[str]) -> None:
    print(f"{'file':60} {'ms':>8} {'plain ms':>9} {'ratio':>6}")
    for rows in (1, 48, 100, 1_000):
        report(f"sample sheet of {rows} rows", sheet_of(rows), parse_sample_sheet, plain_csv)
        report(
            f"sample sheet of {rows} rows, with its samples", sheet_of(rows), parse_with_samples, plain_csv
        )
    report("RunInfo.xml with 6,272 tiles", run_info_of(6_272), parse_run_info, ET.fromstring)
    report("RunInfo.xml without tiles", run_info_of(0), parse_run_info, ET.fromstring)
    for path in map(Path, paths):
        parse = parse_run_info if path.name.lower() == "runinfo.xml" else parse_run_parameters
        report(str(path)[-60:], path.read_bytes(), parse, ET.fromstring)


def parse_with_samples(data: bytes) -> object:
    return parse_sample_sheet(data).samples


def plain_csv(data: bytes) -> object:
    return list(csv.reader(io.StringIO(data.decode())))


def report(name: str, data: bytes, ours: Callable[[bytes], object], plain: Callable[[bytes], object]) -> None:
    our_time, plain_time = cpu_ms(ours, data), cpu_ms(plain, data)
    print(f"{name:60} {our_time:8.3f} {plain_time:9.3f} {our_time / plain_time:6.1f}")


def cpu_ms(call: Callable[[bytes], object], data: bytes) -> float:
    def one_round() -> float:
        start = time.process_time()
        for _ in range(TIMES):
            call(data)
        return (time.process_time() - start) / TIMES * 1000

    return min(one_round() for _ in range(ROUNDS))


def sheet_of(rows: int) -> bytes:
    indexes = map("".join, itertools.product("ACGT", repeat=8))
    lines = (
        f"{n % 4 + 1},S{n:04d},S{n:04d},P1,A1,D7{n},{index},D5{n},{index[::-1]},PROJ{n % 5},some text\n"
        for n, index in zip(range(rows), indexes, strict=False)
    )
    return (HEADER + "".join(lines)).encode()


def run_info_of(tiles: int) -> bytes:
    names = "".join(f"          <Tile>{n % 8 + 1}_{n + 1101}</Tile>\n" for n in range(tiles))
    tile_set = f"<TileSet><Tiles>\n{names}</Tiles></TileSet>" if tiles else ""
    return f"""<?xml version="1.0" encoding="utf-8"?>
<RunInfo Version="6">
  <Run Id="20231215_LH00444_0031_B222WHFLT4" Number="31">
    <Flowcell>222WHFLT4</Flowcell><Instrument>LH00444</Instrument><Date>2023-12-16T07:36:45Z</Date>
    <Reads>
      <Read Number="1" NumCycles="151" IsIndexedRead="N" IsReverseComplement="N"/>
      <Read Number="2" NumCycles="10" IsIndexedRead="Y" IsReverseComplement="N"/>
      <Read Number="3" NumCycles="10" IsIndexedRead="Y" IsReverseComplement="Y"/>
      <Read Number="4" NumCycles="151" IsIndexedRead="N" IsReverseComplement="N"/>
    </Reads>
    <FlowcellLayout LaneCount="8" SurfaceCount="2" SwathCount="4" TileCount="98">{tile_set}</FlowcellLayout>
  </Run>
</RunInfo>
""".encode()


if __name__ == "__main__":
    main(sys.argv[1:])

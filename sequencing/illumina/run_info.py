"""RunInfo.xml: what the instrument says of its run. The truth where a folder's name says otherwise."""

from __future__ import annotations

import datetime
import xml.etree.ElementTree as ET
from dataclasses import dataclass

from .dates import parse_date
from .errors import Problem, RunInfoError, shown
from .run_name import parse_run_name
from .safe_xml import LARGEST_XML, hostile_fields, local_name, parse_xml, too_large

RECOPY = "Copy RunInfo.xml from the instrument again."
# No instrument has more; what a file says beyond is an error that would ask for files without end.
MOST_LANES = 16
MOST_READS = 20


@dataclass(frozen=True, slots=True)
class Read:
    """One read of a run: its number from 1, its length in cycles, and whether it reads an index."""

    number: int
    cycles: int
    is_index: bool
    is_reverse_complement: bool = False


@dataclass(frozen=True, slots=True)
class RunInfo:
    """The content of RunInfo.xml. Texts are as written, "" where absent; counts are None where absent.

    `problems` holds warnings only: fields that are missing or unreadable and that a run can do without.
    """

    run_id: str
    run_number: int | None
    run_number_text: str
    flowcell: str
    instrument: str
    date: datetime.date | None
    date_text: str
    reads: tuple[Read, ...]
    lane_count: int | None
    surface_count: int | None = None
    swath_count: int | None = None
    tile_count: int | None = None
    sections_per_lane: int | None = None
    tile_name_count: int | None = None
    xml_version: str = ""
    problems: tuple[Problem, ...] = ()


def parse_run_info(data: bytes) -> RunInfo:
    """Return the content of a RunInfo.xml; raise RunInfoError, with every cause, where it cannot be read."""
    if len(data) > LARGEST_XML:
        raise too_large(data, RunInfoError)
    data, tile_count = _cut_tiles(data)
    root = parse_xml(data, RunInfoError)
    fields = _first_of_each_name(root)
    if (run := fields.get("Run")) is None:
        found = shown(f"<{local_name(root.tag)}>")
        raise RunInfoError(Problem("error", "not_run_info", "There is no element Run", RECOPY, text=found))
    errors: list[Problem] = []
    warnings: list[Problem] = []
    run_id = _attribute(run, "Id")
    if not run_id:
        errors.append(Problem("error", "no_run_id", "The run has no Id", RECOPY, column="Run Id"))
    flowcell = _text(fields, "Flowcell", warnings)
    instrument = _text(fields, "Instrument", warnings)
    names = {"Run Id": run_id, "Flowcell": flowcell, "Instrument": instrument}
    errors.extend(hostile_fields(names, RECOPY))
    reads = _read_reads(root, errors)
    if errors:
        raise RunInfoError(*errors)
    number_text = _attribute(run, "Number")
    date_text = _text(fields, "Date", warnings)
    layout = fields.get("FlowcellLayout")
    return RunInfo(
        run_id=run_id,
        run_number=_number(number_text),
        run_number_text=number_text,
        flowcell=flowcell,
        instrument=instrument,
        date=_date(date_text, run_id, warnings),
        date_text=date_text,
        reads=reads,
        lane_count=_count(layout, "LaneCount", warnings, most=MOST_LANES),
        surface_count=_count(layout, "SurfaceCount", warnings),
        swath_count=_count(layout, "SwathCount", warnings),
        tile_count=_count(layout, "TileCount", warnings),
        sections_per_lane=_count(layout, "SectionPerLane", warnings),
        tile_name_count=tile_count or None,
        xml_version=_attribute(root, "Version"),
        problems=tuple(warnings),
    )


def _cut_tiles(data: bytes) -> tuple[bytes, int]:
    """Return the XML without the names of its tiles, and how many there were.

    A NovaSeq X names 6,000 tiles, nine tenths of the file, and nobody asks for them.
    """
    start = data.find(b"<Tiles>")
    end = data.find(b"</Tiles>", start)
    # Anything but elements in between, such as a comment, is left to the parser.
    if start < 0 or end < 0 or b"<!" in (tiles := data[start:end]):
        return data, 0
    return data[:start] + data[end + len(b"</Tiles>") :], tiles.count(b"</Tile>")


def _read_reads(root: ET.Element, errors: list[Problem]) -> tuple[Read, ...]:
    elements = [element for element in root.iter() if local_name(element.tag) in ("Read", "RunInfoRead")]
    reads = []
    for place, element in enumerate(elements, 1):
        number = _number(_attribute(element, "Number") or str(place))
        cycles = _cycles(element)
        if number is None or cycles is None:
            text = " ".join(f'{key}="{value}"' for key, value in element.items())
            message = f"Read {place} does not say its number and its number of cycles"
            errors.append(Problem("error", "bad_read", message, RECOPY, column="Read", text=shown(text)))
            continue
        is_index = _is_yes(_attribute(element, "IsIndexedRead")) or any(
            local_name(child.tag) == "Index" for child in element
        )
        reads.append(Read(number, cycles, is_index, _is_yes(_attribute(element, "IsReverseComplement"))))
    if not elements:
        errors.append(Problem("error", "no_reads", "The run lists no reads", RECOPY, column="Reads"))
    if len(elements) > MOST_READS:
        message = f"The run lists more than {MOST_READS} reads"
        errors[:] = [Problem("error", "bad_read", message, RECOPY, column="Reads", text=str(len(elements)))]
    return tuple(reads)


def _cycles(element: ET.Element) -> int | None:
    if text := _attribute(element, "NumCycles"):
        return _number(text)
    # Genome Analyzer, early HiSeq: <Read FirstCycle="1" LastCycle="101" />, with <Index /> inside an index.
    first, last = _number(_attribute(element, "FirstCycle")), _number(_attribute(element, "LastCycle"))
    return last - first + 1 if first is not None and last is not None and last >= first else None


def _attribute(element: ET.Element | None, name: str) -> str:
    """Return an attribute whatever its case ("NumCycles", "numcycles"), "" where absent."""
    if element is None:
        return ""
    if (value := element.get(name)) is None:
        wanted = name.lower()
        value = next((value for key, value in element.items() if key.lower() == wanted), "")
    return value.strip()


def _first_of_each_name(root: ET.Element) -> dict[str, ET.Element]:
    """Return the elements by name: some writers put Flowcell and Instrument beside the Run, not into it."""
    elements: dict[str, ET.Element] = {}
    for element in root.iter():
        elements.setdefault(local_name(element.tag), element)
    return elements


def _text(fields: dict[str, ET.Element], name: str, warnings: list[Problem]) -> str:
    element = fields.get(name)
    text = (element.text or "").strip() if element is not None else ""
    if not text:
        warnings.append(_warning("missing_field", f"The run does not say its {name.lower()}", name, ""))
    return text


def _date(text: str, run_id: str, warnings: list[Problem]) -> datetime.date | None:
    name = parse_run_name(run_id)
    date = parse_date(text, near=name.date if name else None)
    if text and not date:
        warnings.append(_warning("bad_date", "The date cannot be read", "Date", text))
    return date


def _count(
    layout: ET.Element | None, name: str, warnings: list[Problem], most: int = 1_000_000
) -> int | None:
    text = _attribute(layout, name)
    count = _number(text)
    if text and (count is None or count > most):
        warnings.append(_warning("bad_count", f"This is not a number up to {most:,}", name, text))
        return None
    return count


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _is_yes(text: str) -> bool:
    return text.lower() in ("y", "yes", "true", "1")


def _warning(code: str, message: str, element: str, text: str) -> Problem:
    return Problem("warning", code, message, RECOPY, column=element, text=shown(text))

"""RunParameters.xml (runParameters.xml on some instruments): how the run was set up."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from .errors import Problem, RunParametersError, shown
from .safe_xml import hostile_fields, local_name, parse_xml

RECOPY = "Copy RunParameters.xml from the run folder again."
LONGEST_TEXT = 255

# Where each field stands, by instrument; the first that is not empty counts. Names are compared without case.
SPELLINGS: Mapping[str, tuple[str, ...]] = {
    # NextSeq 1000/2000, NovaSeq X, MiSeq i100; NextSeq 500, MiniSeq; iSeq; HiSeq, MiSeq; NovaSeq 6000
    "instrument": ("InstrumentSerialNumber", "InstrumentID", "ScannerID", "InstrumentName"),
    "experiment_name": ("ExperimentName",),
    "application_name": ("ApplicationName", "Application"),
    "application_version": ("ApplicationVersion", "SystemSuiteVersion"),
    "rta_version": ("RTAVersion",),
    # MiSeq writes the assay in Chemistry; HiSeq writes its fluidics in ChemistryVersion
    "chemistry": ("Chemistry", "ChemistryVersion"),
    "flowcell_mode": ("FlowCellMode",),
    "run_id": ("RunID",),
    "run_start_date": ("RunStartDate",),
    "instrument_type": ("InstrumentType",),
}
_WANTED = {name.lower() for names in SPELLINGS.values() for name in names}
# Parts whose fields have the same names and mean something else.
_OTHER_PARTS = frozenset({"consumableinfo", "plannedreads"})


@dataclass(frozen=True, slots=True)
class RunParameters:
    """The content of RunParameters.xml. Every field is the text as written, "" where absent or empty."""

    instrument: str = ""
    experiment_name: str = ""
    application_name: str = ""
    application_version: str = ""
    rta_version: str = ""
    chemistry: str = ""
    flowcell_mode: str = ""
    run_id: str = ""
    run_start_date: str = ""
    root: str = ""
    instrument_type: str = ""


def parse_run_parameters(data: bytes) -> RunParameters:
    """Return the content of a RunParameters.xml; raise RunParametersError where it cannot be read."""
    root = parse_xml(data, RunParametersError)
    root_name = local_name(root.tag)
    if "runparameters" not in root_name.lower():
        message, found = "The file is not a RunParameters.xml", shown(f"<{root_name}>")
        raise RunParametersError(Problem("error", "not_run_parameters", message, RECOPY, text=found))
    found_texts = _wanted_texts(root)
    fields = {
        field: next((found_texts[name.lower()] for name in names if name.lower() in found_texts), "")
        for field, names in SPELLINGS.items()
    }
    errors = hostile_fields({name: fields[name] for name in ("instrument", "run_id")}, RECOPY)
    errors += [
        Problem(
            "error", "too_long", f"The text has {len(text):,} characters", RECOPY, None, name, shown(text)
        )
        for name, text in fields.items()
        if len(text) > LONGEST_TEXT
    ]
    if errors:
        raise RunParametersError(*errors)
    return RunParameters(root=root_name, **fields)


def _wanted_texts(root: ET.Element) -> dict[str, str]:
    """Return the texts of the wanted elements by their name in lower case.

    A field of the run stands above the fields of its parts, so the outermost counts: level by level.
    """
    found: dict[str, str] = {}
    level = [root]
    while level:
        inner = []
        for child in chain.from_iterable(level):
            name = local_name(child.tag).lower()
            if name in _WANTED and (text := (child.text or "").strip()):
                found.setdefault(name, text)
            if len(child) and name not in _OTHER_PARTS:
                inner.append(child)
        level = inner
    return found

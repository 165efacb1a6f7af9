"""Whether an instrument says that its run is complete."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from .errors import FormatError, shown
from .safe_xml import local_name, parse_xml

_RTA = "RTAComplete.txt|RTAComplete.xml"
_COPY = "CopyComplete.txt"
_STATUS = "RunCompletionStatus.xml"

# All that must be there, by model of instrument; "|" stands between alternatives, "*" for any text.
# MiSeq and NextSeq 500/550 write CopyComplete.txt with newer software only, so it cannot be asked for.
MARKERS: Mapping[str, tuple[str, ...]] = {
    "NovaSeq X": (_COPY, _RTA, _STATUS),
    "NextSeq 1000/2000": (_COPY, _RTA, _STATUS),
    "MiSeq i100": (_COPY, _RTA, _STATUS),
    "NovaSeq 6000": (_COPY, _RTA, "SequenceComplete.txt"),
    "NextSeq 500/550": (_RTA, _STATUS),
    "MiniSeq": (_RTA, _STATUS),
    "iSeq 100": (_COPY, _RTA),
    "MiSeq": (_RTA,),
    "HiSeq X": (_RTA, "SequencingComplete.txt"),
    "HiSeq 3000/4000": (_RTA, "SequencingComplete.txt"),
    "HiSeq 2000/2500": (_RTA, "Basecalling_Netcopy_complete*.txt"),
}
_GOOD_STATUS = frozenset({"completedasplanned", "successfullycompleted", "runcompleted", "completed"})
_STATUS_ELEMENTS = frozenset({"completionstatus", "runstatus", "status"})


@dataclass(frozen=True, slots=True)
class Completion:
    """What the marker files of a run say. Never proof that all its data arrived."""

    state: Literal["complete", "running", "failed", "unknown"]
    present: tuple[str, ...]
    missing: tuple[str, ...]
    message: str


def completion(
    model: str,
    names: Collection[str],
    run_completion_status: bytes | None = None,
    markers: Mapping[str, tuple[str, ...]] = MARKERS,
) -> Completion:
    """Return what the marker files (base names) of a run on this model of instrument say.

    `run_completion_status` is the content of RunCompletionStatus.xml, if any: it may tell of a failure.
    """
    wanted = markers.get(model)
    lower_names = [name.lower() for name in names]
    known = wanted if wanted is not None else _all_markers(markers)
    present = tuple(marker for marker in known if _is_present(marker, lower_names))
    if wanted is None:
        named = f"instrument model {shown(model)}" if model else "this instrument"
        found = ", ".join(present) or "none"
        message = f"No markers of completion are known for {named} (found: {found}). A person must decide."
        return Completion("unknown", present, (), message)
    missing = tuple(marker for marker in wanted if marker not in present)
    status, problem = _read_status(run_completion_status)
    if status and status.lower() not in _GOOD_STATUS:
        message = (
            f"The instrument ended the run with the status {shown(status)}. Look at the instrument's log."
        )
        return Completion("failed", present, missing, message)
    if missing:
        listed = ", ".join(marker.replace("|", " or ") for marker in missing)
        return Completion("running", present, missing, f"Not yet written by the instrument: {listed}.")
    if problem:
        return Completion("unknown", present, (), f"RunCompletionStatus.xml cannot be read: {problem}")
    return Completion("complete", present, (), "All markers of completion are there.")


def _all_markers(markers: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(marker for of_model in markers.values() for marker in of_model))


def _is_present(marker: str, lower_names: Collection[str]) -> bool:
    patterns = marker.lower().split("|")
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in lower_names)


def _read_status(data: bytes | None) -> tuple[str, str]:
    """Return the status that RunCompletionStatus.xml gives, and why it cannot be read."""
    if data is None:
        return "", ""
    try:
        root = parse_xml(data, FormatError)
    except FormatError as caught:
        return "", caught.problems[0].message
    for element in root.iter():
        if local_name(element.tag).lower() in _STATUS_ELEMENTS and (text := (element.text or "").strip()):
            return text, ""
    return "", "it holds no status"

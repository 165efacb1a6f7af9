"""Keys, and what `meta.json` says. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from ..illumina.errors import shown
from ..illumina.safe_names import is_safe_id

META_NAME = "meta.json"
LONGEST_KEY = 1024  # bytes; Amazon S3 user guide, "Naming Amazon S3 objects"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class ProjectRun:
    """One project's share of one run: what its objects are named and described by."""

    project: str
    instrument: str
    run_number: int
    flowcell: str
    date: date
    attempt: int = 1  # of the conversion; a later one stands beside the first

    def prefix(self, above: str) -> str:
        return project_prefix(above, self.project, self.instrument, self.run_number, self.attempt)


def project_prefix(prefix: str, project: str, instrument: str, run_number: int, attempt: int = 1) -> str:
    """Return what all keys of a project's run begin with: `prefix/PROJ/M00879_31/`, attempt 2 `…_31_2/`.

    Raises ValueError where a part may not stand in a key; nothing is mended or left out in silence.
    """
    for what, text in (("project code", project), ("instrument", instrument)):
        if not is_safe_id(text):
            raise ValueError(f'The {what} "{shown(text)}" must not stand in an S3 key')
    if run_number < 0 or attempt < 1:
        raise ValueError(f"Run number {run_number}, attempt {attempt}: there is no such run")
    folders = [folder for folder in prefix.strip("/").split("/") if prefix.strip("/")]
    for folder in folders:
        if not _PLAIN.fullmatch(folder):
            raise ValueError(f'"{shown(folder)}" in the prefix "{shown(prefix)}" must not stand in an S3 key')
    run = f"{instrument}_{run_number}" + (f"_{attempt}" if attempt > 1 else "")
    return "/".join([*folders, project, run, ""])


def file_key(prefix: str, name: str) -> str:
    """Return the key of a file by its name below the prefix. Raises ValueError unless the name is plain."""
    key = prefix + name
    if not all(map(_PLAIN.fullmatch, name.split("/"))) or name == META_NAME or len(key) > LONGEST_KEY:
        raise ValueError(f'The file name "{shown(name)}" must not stand in an S3 key')
    return key


def meta_document(
    run: ProjectRun, upload_time: datetime, files: Iterable[tuple[str, int, str]]
) -> dict[str, Any]:
    """Return what `meta.json` says: the seven keys that pipelines know, then each file's name, bytes and MD5.

    MD5, since archives (ENA, SRA, GEO) ask for it when reads are submitted.
    """
    return {
        "project_code": run.project,
        "instrument_id": run.instrument,
        "run_number": run.run_number,
        "run_id": f"{run.instrument}_{run.run_number}",
        "flowcell_id": run.flowcell,
        "sequence_date": run.date.isoformat(),
        "upload_time": upload_time.isoformat(timespec="seconds"),
        "files": [{"name": name, "size": size, "md5": md5} for name, size, md5 in sorted(files)],
    }


def meta_bytes(document: Mapping[str, Any]) -> bytes:
    """The document as JSON; equal documents give equal bytes."""
    return (json.dumps(document, indent=2) + "\n").encode()


def meta_differences(ours: Mapping[str, Any], theirs: bytes) -> list[str]:
    """Return which keys of a `meta.json` that stands there say something else; its upload time may.

    The files are compared only where we name ours: before an upload their hashes are not known.
    """
    try:
        document = json.loads(theirs)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return ["all: it is not a description of a run"]
    return [key for key, value in ours.items() if key != "upload_time" and document.get(key) != value]

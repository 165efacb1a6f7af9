"""`manage.py explain_run PATH`: all that is read from a run folder, and why. Touches no database."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from sequencing.disk import DiskError, read_metadata, walk_run
from sequencing.explain import explain_run, unreadable_run

from ..explained_text import run_lines


class Command(BaseCommand):
    help = (
        "Says all that is read from a run folder and why: name, RunInfo.xml, RunParameters.xml, sample "
        "sheet, completion, expected files and which of them are there, and what is wrong, with remedies. "
        "Ends with 1 where there is an error: the folder, its sheet or its RunInfo.xml cannot be used, or "
        "there is no sheet."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", metavar="PATH", help="the run folder")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        explained = explain_folder(options["path"])
        if options["json"]:
            self.stdout.write(json.dumps(explained, indent=2))
        else:
            for line in run_lines(explained):
                self.stdout.write(line)
        if explained["errors"]:
            sys.exit(1)


def explain_folder(path: str) -> dict[str, Any]:
    name = os.path.basename(os.path.abspath(path))
    folder = os.path.realpath(path)
    try:
        os.scandir(folder).close()
        listing = walk_run(folder)
        skipped = why_skipped(Path(folder))
    except DiskError as error:
        return {"path": path, **unreadable_run(name, str(error))}
    except (OSError, ValueError) as error:
        return {"path": path, **unreadable_run(name, getattr(error, "strerror", None) or str(error))}
    pattern = settings.SEQAUTO_CONTROL_SAMPLE_PATTERN
    explained = explain_run(
        name,
        listing.files,
        lambda inside: read_metadata(Path(folder, inside)),
        now=timezone.now(),
        unreadable=listing.unreadable,
        oddities=listing.oddities,
        control_pattern=re.compile(pattern) if pattern else None,
        fastq_patterns=settings.SEQAUTO_FASTQ_PATTERNS,
        markers=settings.SEQAUTO_MARKERS,
    )
    return {"path": path, "skipped": skipped, **explained}


def why_skipped(folder: Path) -> str | None:
    """Why scans pass over a run folder: by a marker in it or in a group above it, or by its path.

    A folder outside of all archive roots is looked at as if its own group were one.
    """
    roots = [Path(os.path.realpath(root)) for root in settings.SEQAUTO_SCAN_ROOTS]
    root = next((root for root in roots if root in folder.parents), folder.parent)
    inside, marker = folder.relative_to(root), settings.SEQAUTO_SKIP_MARKER
    for place in (folder, *(root / above for above in inside.parents)):
        if os.path.lexists(place / marker):
            return f"scans pass over it: {marker} lies in {place}"
    for pattern in settings.SEQAUTO_SKIP_PATTERNS:
        if re.search(pattern, str(inside)):
            return f"scans pass over it: its path matches the skip pattern {pattern}"
    return None

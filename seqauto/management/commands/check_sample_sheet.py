"""`manage.py check_sample_sheet FILE`: what a sample sheet says, and all that is wrong. No database."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sequencing.checking import full_check
from sequencing.disk import read_metadata
from sequencing.explain import explain_check
from sequencing.illumina.errors import Problem
from sequencing.illumina.summary import summarise_problem

from ..explained_text import sheet_lines


class Command(BaseCommand):
    help = (
        "Says what a sample sheet says, every error and warning with row, column and remedy, whether "
        "converters would start, which indexes can be confused, and which FASTQs would come of it. With "
        "--run-info also whether it fits that run. The page “Check a sample sheet” says the same. "
        "Ends with 1 where there is an error: the sheet, or the RunInfo.xml given, cannot be used."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the sample sheet")
        parser.add_argument("--run-info", metavar="RunInfo.xml", help="of the run that the sheet is for")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        checked = check_sheet(options["file"], options["run_info"])
        if options["json"]:
            self.stdout.write(json.dumps(checked, indent=2))
        else:
            for line in sheet_lines(checked):
                self.stdout.write(line)
        if checked["errors"]:
            sys.exit(1)


def check_sheet(path: str, run_info_path: str | None) -> dict[str, Any]:
    run_info, unreadable = _read(run_info_path) if run_info_path else (None, [])
    sheet, sheet_unreadable = _read(path)
    if sheet is None:
        checked: dict[str, Any] = {"errors": sheet_unreadable, "warnings": []}
    else:
        checked = explain_check(full_check(sheet, run_info))
    return {"path": path, **checked, "errors": [*checked["errors"], *unreadable]}


def _read(path: str) -> tuple[bytes | None, list[dict[str, Any]]]:
    try:
        return read_metadata(Path(path)), []
    except (OSError, ValueError) as error:
        return None, [_unreadable(path, error)]


def _unreadable(path: str, error: OSError | ValueError) -> dict[str, Any]:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    problem = Problem(
        "error",
        "unreadable_file",
        f"The file cannot be read: {why}",
        "Check the path, and that this account may read the file.",
    )
    return {"file": path, **summarise_problem(problem)}

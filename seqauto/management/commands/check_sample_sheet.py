"""`manage.py check_sample_sheet FILE`: what a sample sheet says, and all that is wrong. No database."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sequencing.disk import read_metadata
from sequencing.explain import explain_sheet
from sequencing.illumina.errors import FormatError, Problem
from sequencing.illumina.run_info import RunInfo, parse_run_info
from sequencing.illumina.sample_sheet import parse_sample_sheet
from sequencing.illumina.summary import summarise_problem

from ..explained_text import sheet_lines


class Command(BaseCommand):
    help = (
        "Says what a sample sheet says, and every error and warning with row, column and remedy. With "
        "--run-info also whether it fits that run, and which FASTQs each converter makes of it. "
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
    run_info, run_info_problems = _read_run_info(run_info_path) if run_info_path else (None, [])
    try:
        checked = explain_sheet(parse_sample_sheet(read_metadata(Path(path))), run_info)
    except (OSError, ValueError) as error:
        checked = {"errors": [_unreadable(path, error)], "warnings": []}
    checked["errors"] = [*checked["errors"], *run_info_problems]
    return {"path": path, **checked}


def _read_run_info(path: str) -> tuple[RunInfo | None, list[dict[str, Any]]]:
    try:
        return parse_run_info(read_metadata(Path(path))), []
    except FormatError as error:
        return None, [{"file": path, **summarise_problem(problem)} for problem in error.problems]
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

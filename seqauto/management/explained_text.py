"""What the diagnostic commands print for people: aligned plain lines, in which no text of a file is alive."""

from collections.abc import Iterable, Iterator
from typing import Any

from sequencing.disk import printable

LABEL_WIDTH = 18
_FILE_STATES = {"complete": "found", "non_existent": "MISSING", "running": "not yet", "skipped": "skipped"}


def run_lines(run: dict[str, Any]) -> Iterator[str]:
    """All that was read from a run folder, part by part."""
    yield f"Run folder {printable(run['path'])}"
    if "files_not_checked" in run:
        yield from _name(run)
        yield from _run_info(run["run_info"])
        yield from _run_parameters(run["run_parameters"])
        yield from _sheet_of_run(run["sample_sheet"])
        yield from _completion(run["completion"])
        yield from _files(run)
    yield from _problems(run)


def sheet_lines(sheet: dict[str, Any]) -> Iterator[str]:
    """What a sample sheet says, and what is wrong with it."""
    yield f"Sample sheet {printable(sheet['path'])}"
    if "verdict" in sheet:
        yield f"  {printable(sheet['verdict'])}"
        yield from _sheet(sheet)
        yield from _indexes(sheet)
        yield from _fastqs(sheet)
    yield from _problems(sheet)


def _indexes(sheet: dict[str, Any]) -> Iterator[str]:
    for lane in sheet["indexes"]:
        lanes = ", ".join(map(str, lane["lanes"]))
        more = "at least " if lane["has_more_collisions"] else ""
        yield from _part(
            f"Indexes of lane {lanes}" if lanes else "Indexes",
            ("index pairs", lane["n_index_pairs"]),
            (
                "their lengths",
                "; ".join(f"{one}+{two} bases: {count}" for one, two, count in lane["lengths"]),
            ),
            ("no sequences on", ", ".join(f"row {row}" for row in lane["no_sequences"])),
            ("least distance", lane["least_distance"]),
            ("pairs confusable", f"{more}{lane['n_collisions']}" if lane["n_collisions"] else None),
            ("not compared", lane["not_compared"]),
        )
    direction = sheet["index2_direction"] or {"wanted": {}, "count": 0}
    if direction["count"]:
        sets = " and ".join(direction["sets"])
        known = f" ({direction['known']} of {direction['count']} are {sets} indexes)" if sets else ""
        yield from _part(
            "Direction of the second index",
            ("likely written", f"{direction['written'] or 'nobody can tell'}{known}"),
            *((f"for {tool}", wanted) for tool, wanted in direction["wanted"].items()),
            ("because of", direction["because"]),
        )


def _fastqs(sheet: dict[str, Any]) -> Iterator[str]:
    likely = "" if "expected_fastqs" in sheet else "likely "
    for tool, paths in (sheet.get("expected_fastqs") or sheet["likely_fastqs"]).items():
        yield from _part(f"FASTQs that {tool} {likely}makes of it ({len(paths)})")
        if likely:
            yield f"  {sheet['assumed']}"
        yield from (f"  {printable(path)}" for path in paths)


def _part(title: str, *pairs: tuple[str, object]) -> Iterator[str]:
    """A title and its facts, leaving out those that are not known."""
    yield ""
    yield title
    for label, fact in pairs:
        if fact not in (None, "", []):
            yield f"  {label:<{LABEL_WIDTH}}{printable(str(fact))}"


def _name(run: dict[str, Any]) -> Iterator[str]:
    name, instrument = run["name"] or {}, run["instrument"]
    yield from _part(
        "Name",
        ("says", "nothing: it is not named like a run" if not name else ""),
        ("date", name.get("date")),
        ("instrument", name.get("instrument")),
        ("model", instrument["model"]),
        ("run number", name.get("run_number")),
        ("position", name.get("position")),
        ("flow cell", name.get("flowcell")),
        ("added by the lab", " … ".join(filter(None, (name.get("prefix"), name.get("suffix"))))),
        ("skipped", run["skipped"]),
    )


def _file_of(part: dict[str, Any] | None, what: str) -> list[tuple[str, object]]:
    if part is None:
        return [("file", f"no {what} was found")]
    return [
        ("file", part["file"]),
        ("not used", ", ".join(part["ignored"])),
        ("", "It cannot be read; see the errors." if part["malformed"] else ""),
    ]


def _run_info(info: dict[str, Any] | None) -> Iterator[str]:
    known = info or {}
    yield from _part(
        "RunInfo.xml",
        *_file_of(info, "RunInfo.xml"),
        ("run", known.get("run_id")),
        ("run number", known.get("run_number")),
        ("instrument", known.get("instrument")),
        ("flow cell", known.get("flowcell")),
        ("date", known.get("sequence_date") or known.get("date")),
        ("reads", " + ".join(f"{n}{' (index)' if index else ''}" for n, index in known.get("reads", ()))),
        ("lanes", known.get("lanes")),
    )


def _run_parameters(parameters: dict[str, Any] | None) -> Iterator[str]:
    known = parameters or {}
    software = " ".join(filter(None, (known.get("application_name"), known.get("application_version"))))
    yield from _part(
        "RunParameters.xml",
        *_file_of(parameters, "RunParameters.xml"),
        ("experiment", known.get("experiment_name")),
        ("instrument", known.get("instrument_id")),
        ("software", software),
        ("chemistry", known.get("chemistry")),
    )


def _sheet_of_run(sheet: dict[str, Any] | None) -> Iterator[str]:
    yield from _part("Sample sheet", *_file_of(sheet, "SampleSheet.csv"))
    if sheet and not sheet["malformed"]:
        yield from _sheet(sheet)


def _sheet(sheet: dict[str, Any]) -> Iterator[str]:
    """The facts of a sheet, without a title."""
    facts = _part(
        "",
        ("family", sheet["version"]),
        ("samples", f"{sheet['n_distinct_sample_ids']}, on {sheet['n_samples']} rows"),
        ("lanes", ", ".join(sheet["lanes"]) or "all"),
        ("projects", ", ".join(sheet["projects"])),
        ("first sample", _row(sheet["first_sample"])),
        ("last sample", _row(sheet["last_sample"])),
        ("usable", "no: see the errors" if sheet["errors"] else "yes"),
    )
    yield from list(facts)[2:]


def _row(row: dict[str, Any] | None) -> str:
    return ", ".join(f"{key} {text}" for key, text in row.items() if text) if row else ""


def _completion(completion: dict[str, Any]) -> Iterator[str]:
    yield from _part(
        "Completion, by the instrument's marker files",
        ("state", completion["state"]),
        ("found", ", ".join(completion["present"]).replace("|", " or ")),
        ("not there", ", ".join(completion["missing"]).replace("|", " or ")),
        ("which means", completion["message"]),
    )


def _files(run: dict[str, Any]) -> Iterator[str]:
    yield from _part(
        f"Files: {run['n_found']} of {run['n_expected']} expected ones found",
        ("layout", run["layout"]["name"]),
        ("pattern", run["layout"]["pattern"]),
    )
    for file in run["expected_files"]:
        yield f"  {_FILE_STATES[file['state']]:<{LABEL_WIDTH}}{printable(file['path'])}"
    for path in run["files_not_checked"]:
        yield f"  {'not checked':<{LABEL_WIDTH}}{printable(path)}"
    for file in run["other_files"]:
        yield f"  {'also there':<{LABEL_WIDTH}}{printable(file['path'])}"


def _problems(explained: dict[str, Any]) -> Iterator[str]:
    refused = [problem for problem in explained["warnings"] if problem.get("refused_by")]
    warnings = [problem for problem in explained["warnings"] if not problem.get("refused_by")]
    groups = {"Errors": explained["errors"], "Refused by converters": refused, "Warnings": warnings}
    for title, problems in groups.items():
        if problems:
            yield from _part(f"{title} ({len(problems)})")
            for problem in problems:
                yield from _problem(problem)


def _problem(problem: dict[str, Any]) -> Iterable[str]:
    row, column = problem["row"], problem["column"]
    place = [problem.get("file", ""), f"row {row}" if row else "", f"column {column}" if column else ""]
    where = ", ".join(filter(None, place))
    found = (
        f' (found "{problem["text"]}")'
        if problem["text"] and problem["text"] not in problem["message"]
        else ""
    )
    yield f"  {printable(where + ': ' if where else '')}{printable(problem['message'] + found)}"
    yield f"      {printable(problem['remedy'])}"

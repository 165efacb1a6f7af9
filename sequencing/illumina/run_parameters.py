"""RunParameters.xml (runParameters.xml on some instruments): how the run was set up."""

from __future__ import annotations

from dataclasses import dataclass


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
    raise NotImplementedError

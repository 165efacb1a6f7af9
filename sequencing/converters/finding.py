"""Finds the converters of this machine, and asks them for their versions."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from .job import Converter
from .problems import ConversionProblem
from .running import Limits, Watch, run

# In the order in which they are taken: what Illumina maintains comes first.
CONVERTERS = ("bcl-convert", "bcl2fastq", "picard")
_NAMES = {"picard": ("PicardCommandLine", "picard"), "bcl2fastq": ("bcl2fastq", "bcl2fastq2")}
_VERSION_ARGUMENTS = {"picard": ("IlluminaBasecallsToFastq", "--version")}
_VERSION = re.compile(r"\d+\.\d+")
VERSION_SECONDS = 60.0


def find_converter(
    wanted: Sequence[str] = CONVERTERS, programs: Mapping[str, str] | None = None
) -> Converter | None:
    """Return the first wanted converter that is there, None where none is.

    `programs` are paths (or names on PATH) by converter, from the settings; others are looked for on PATH.
    Raises ConversionProblem "no_converter" for one that is set and not there: a lab that named its converter
    wants no other's FASTQs. Asking Picard for its version takes a second or two.
    """
    for name in wanted:
        if program := _path_of(name, (programs or {}).get(name, "")):
            return Converter(name, program, _version(name, program))
    return None


def _path_of(name: str, told: str) -> str | None:
    candidates = (told,) if told else _NAMES.get(name, (name,))
    if found := next((path for candidate in candidates if (path := shutil.which(candidate))), None):
        return os.path.abspath(found)
    if told:
        sentence = f"{name} is set to {told}, which is not there or may not be run."
        remedy = "Install it there, mount its disk or correct the setting, then retry."
        raise ConversionProblem("no_converter", sentence, remedy)
    return None


def _version(name: str, program: str) -> str:
    """What the program prints of itself; "" where it does not in time."""
    argv = [program, *_VERSION_ARGUMENTS.get(name, ("--version",))]
    with TemporaryDirectory() as folder:
        log = Path(folder) / "version.log"
        limits = Limits(seconds=VERSION_SECONDS, silence_seconds=VERSION_SECONDS, log_bytes=20_000)
        deadline = time.monotonic() + VERSION_SECONDS
        watch = Watch(limits, deadline, Path(folder), progress=lambda _size: None, stop=lambda: False)
        with contextlib.suppress(ConversionProblem):  # Picard tells its version and exits with 1
            run(argv, watch, cwd=Path(folder), log=log)
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    return next((line.removeprefix("Version:")[:100] for line in lines if _VERSION.search(line)), "")

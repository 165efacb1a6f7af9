"""Settings are checked once, when the site or a command starts."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from sequencing.illumina.completion import MARKERS
from sequencing.layout import FILE_TYPES, pattern_problem


@register
def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """All that is wrong with SeqAuto's settings, each with what to do."""
    return [*_roots(), *_patterns(), *_times(), *_lease(), *_find_scripts(), *_markers()]


def _roots() -> Iterator[CheckMessage]:
    roots = [Path(root) for root in settings.SEQAUTO_SCAN_ROOTS]
    for root in roots:
        if not root.is_absolute() or ".." in root.parts or not str(root).isprintable():
            yield Error(f"SEQAUTO_SCAN_ROOTS: {str(root)!r} is no full path.", id="seqauto.E001")
        if root == Path(root.anchor):
            yield Error(
                f"SEQAUTO_SCAN_ROOTS: {str(root)!r} is the whole machine.",
                hint="Name the folders that hold your runs.",
                id="seqauto.E011",
            )
        above = [other for other in roots if other != root and other in root.parents]
        if above or roots.count(root) > 1:
            yield Error(
                f"SEQAUTO_SCAN_ROOTS: {root} would be scanned twice.",
                hint="Name each disk once, and no folder inside another.",
                id="seqauto.E002",
            )


def _patterns() -> Iterator[CheckMessage]:
    expressions = {
        "SEQAUTO_CONTROL_SAMPLE_PATTERN": [settings.SEQAUTO_CONTROL_SAMPLE_PATTERN],
        "SEQAUTO_SKIP_PATTERNS": settings.SEQAUTO_SKIP_PATTERNS,
    }
    for name, texts in expressions.items():
        for text in texts:
            try:
                re.compile(text)
            except re.error as error:
                yield Error(f"{name}: {text!r} is no regular expression: {error}.", id="seqauto.E003")
    for pattern in settings.SEQAUTO_FASTQ_PATTERNS:
        if problem := pattern_problem(pattern):
            yield Error(f"SEQAUTO_FASTQ_PATTERNS: {pattern!r}: {problem}.", id="seqauto.E004")


def _times() -> Iterator[CheckMessage]:
    for time in settings.SEQAUTO_SCAN_TIMES:
        if not re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", time):
            yield Error(
                f"SEQAUTO_SCAN_TIMES: {time!r} is no time.", hint='Write "06:00,19:00".', id="seqauto.E005"
            )


def _lease() -> Iterator[CheckMessage]:
    if settings.SEQAUTO_HEARTBEAT_SECONDS * 2 > settings.SEQAUTO_LEASE_SECONDS:
        yield Error(
            "SEQAUTO_HEARTBEAT_SECONDS must be at most half of SEQAUTO_LEASE_SECONDS.",
            hint="A scan that misses one beat would lose its lease.",
            id="seqauto.E006",
        )


def _find_scripts() -> Iterator[CheckMessage]:
    for kind, command in settings.SEQAUTO_FIND_SCRIPTS.items():
        program = _program(command)
        if kind not in FILE_TYPES:
            yield Error(
                f"SEQAUTO_FIND_SCRIPTS: {kind!r} is no file type; known are {', '.join(FILE_TYPES)}.",
                id="seqauto.E007",
            )
        elif not program:
            yield Error(f"SEQAUTO_FIND_SCRIPTS: {command!r} is no command.", id="seqauto.E008")
        elif not shutil.which(program):
            yield Warning(f"SEQAUTO_FIND_SCRIPTS: {program!r} cannot be run here.", id="seqauto.W001")


def _program(command: Any) -> str:
    try:
        return shlex.split(command)[0] if isinstance(command, str) and command.strip() else ""
    except ValueError:  # a quote that is never closed
        return ""


def _markers() -> Iterator[CheckMessage]:
    for model, names in settings.SEQAUTO_MARKERS.items():
        if model not in MARKERS:
            yield Error(
                f"SEQAUTO_MARKERS: {model!r} is no model of instrument; known are {', '.join(MARKERS)}.",
                id="seqauto.E009",
            )
        elif not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            yield Error(
                f"SEQAUTO_MARKERS: the markers of {model} are no list of names.",
                hint='Write {"MiSeq": ["RTAComplete.txt"]}.',
                id="seqauto.E010",
            )

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

from sequencing.converters import CONVERTERS
from sequencing.illumina.completion import MARKERS
from sequencing.illumina.safe_names import is_safe_id
from sequencing.layout import FILE_TYPES, pattern_problem
from sequencing.s3 import project_prefix

from .clean_up_rules import amiss_with_rules
from .delivery_rules import nested_folders
from .hooks import parse_hooks
from .run_links import amiss_with_links


@register
def check_settings(**_kwargs: Any) -> list[CheckMessage]:
    """All that is wrong with SeqAuto's settings, each with what to do."""
    scans = [*_roots(), *_patterns(), *_times(), *_lease(), *_find_scripts(), *_markers()]
    return [
        *scans,
        *_delivery_folders(),
        *_s3(),
        *_after_upload(),
        *_converters(),
        *_clean_up(),
        *_run_links(),
    ]


@register(deploy=True)
def check_disks(**_kwargs: Any) -> list[CheckMessage]:
    """What only a look at the disks tells: asked for by hand, as one that hangs must not hold up a start."""
    return list(_backup_disk())


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


def _delivery_folders() -> Iterator[CheckMessage]:
    """Only their names are looked at: a disk that is away must not keep the site from starting."""
    named = [("incoming folder", Path(folder)) for folder in settings.SEQAUTO_INCOMING_DIRS]
    others = {"backup folder": settings.SEQAUTO_BACKUP_DIR, "FASTQ folder": settings.SEQAUTO_FASTQ_DIR}
    named += [(what, Path(folder)) for what, folder in others.items() if folder]
    for sentence in nested_folders(named):
        yield Error(
            f"SEQAUTO_INCOMING_DIRS, SEQAUTO_BACKUP_DIR, SEQAUTO_FASTQ_DIR: {sentence}",
            hint="Give each a folder of its own: what is made must never be taken for what landed.",
            id="seqauto.E012",
        )


def _backup_disk() -> Iterator[CheckMessage]:
    backup = settings.SEQAUTO_BACKUP_DIR
    device = _device(backup) if backup else None
    for folder in settings.SEQAUTO_INCOMING_DIRS:
        if device is not None and _device(folder) == device:
            yield Warning(
                f"SEQAUTO_BACKUP_DIR: {backup} lies on the same disk as the incoming folder {folder}.",
                hint="Keep backups on another disk: when this one dies, both copies are gone.",
                id="seqauto.W002",
            )


def _device(folder: Path) -> int | None:
    try:
        return Path(folder).stat().st_dev
    except OSError:
        return None


def _s3() -> Iterator[CheckMessage]:
    if not is_safe_id(settings.SEQAUTO_NO_PROJECT):
        yield Error(
            f"SEQAUTO_NO_PROJECT: {settings.SEQAUTO_NO_PROJECT!r} must not stand in an S3 key.",
            hint="Letters, digits, _ and - only, starting with a letter or digit.",
            id="seqauto.E013",
        )
    try:
        project_prefix(settings.SEQAUTO_S3_FASTQ_PREFIX, "project", "instrument", 1)
    except ValueError as error:
        yield Error(f"SEQAUTO_S3_FASTQ_PREFIX: {error}.", id="seqauto.E014")
    owner = settings.SEQAUTO_S3_BUCKET_OWNER
    if owner and not re.fullmatch("[0-9]{12}", owner):
        yield Error(
            f"SEQAUTO_S3_BUCKET_OWNER: {owner!r} is no account.",
            hint="The twelve digits of an AWS account; nothing where the server knows no accounts.",
            id="seqauto.E015",
        )


def _after_upload() -> Iterator[CheckMessage]:
    for sentence in parse_hooks(settings.SEQAUTO_AFTER_UPLOAD)[1]:
        yield Error(
            f"SEQAUTO_AFTER_UPLOAD: {sentence}",
            hint='Write {"Exome": {"celery": {"task": "pipelines.tasks.start", "queue": "pipelines"}}}.',
            id="seqauto.E018",
        )


def _converters() -> Iterator[CheckMessage]:
    known = ", ".join(CONVERTERS)
    for name in settings.SEQAUTO_CONVERTERS:
        if name not in CONVERTERS:
            yield Error(f"SEQAUTO_CONVERTERS: {name!r} is unknown; known are {known}.", id="seqauto.E016")
    for name, program in settings.SEQAUTO_CONVERTER_PROGRAMS.items():
        if name not in CONVERTERS or not isinstance(program, str):
            yield Error(
                f"SEQAUTO_CONVERTER_PROGRAMS: {name!r}: {program!r} is no converter with its program.",
                hint=f'Write {{"bcl-convert": "/opt/bcl-convert"}}; known are {known}.',
                id="seqauto.E017",
            )


def _clean_up() -> Iterator[CheckMessage]:
    for sentence in amiss_with_rules(settings.SEQAUTO_CLEAN_UP_RULES):
        yield Error(
            f"SEQAUTO_CLEAN_UP_RULES: {sentence}",
            hint='Write {"source": {"days": 21, "proof_days": 30}, "backup": {"enabled": false}}.',
            id="seqauto.E030",
        )


def _run_links() -> Iterator[CheckMessage]:
    for sentence in amiss_with_links(settings.SEQAUTO_RUN_LINKS):
        yield Error(
            f"SEQAUTO_RUN_LINKS: {sentence}",
            hint='Write {"LIMS": "https://lims.lab.example/runs/{experiment}"}.',
            id="seqauto.E019",
        )

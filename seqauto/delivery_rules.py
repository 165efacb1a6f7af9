"""How a lab wants its runs delivered: plain values, from the settings or from a command line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Literal, cast

from django.conf import settings

from .hooks import Hooks, parse_hooks


@dataclass(frozen=True, slots=True)
class S3Rules:
    """A bucket and how to speak to its server; `bucket` "" where the lab has named none."""

    bucket: str = ""
    prefix: str = ""
    endpoint_url: str = ""
    profile: str = ""
    bucket_owner: str = ""
    storage_class: str = ""
    acl: str = ""
    checksums: str = "when_supported"
    log_bucket: str = ""
    log_key: str = ""
    log_seconds: float = 60
    no_project: str = "no_project"


@dataclass(frozen=True, slots=True)
class ConverterRules:
    wanted: Sequence[str]
    programs: Mapping[str, str]
    threads: int
    memory_mb: int
    hours: float
    silence_minutes: float


ReadBack = Literal["auto", "always", "never"]


@dataclass(frozen=True, slots=True)
class ProvingRules:
    """How often copies are read again: so many gigabytes a day, 0 = never; each copy every so many days."""

    gb_a_day: float = 0
    every_days: float = 7
    s3_read_back: ReadBack = "auto"


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """Everything that the story of a delivery needs to know."""

    incoming: Sequence[Path]
    backup_dir: Path | None
    fastq_dir: Path | None
    logs_dir: Path
    s3: S3Rules
    converter: ConverterRules
    markers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    control_pattern: re.Pattern[str] | None = None
    settle_seconds: float = 300
    relist_seconds: float = 3600
    stall_hours: float = 6
    parallel: int = 2
    newest_first: bool = False
    backup_hash: str = "xxh3_128"
    archive: Sequence[Path] = ()  # the roots of scans, of which only free space is asked
    after_upload: Hooks = field(default_factory=dict)

    @property
    def roots(self) -> list[str]:
        return [str(folder) for folder in self.incoming]


def real_folder(folder: Path) -> Path:
    """The folder behind links and dots: one folder spelt twice would be two runs that claim to be one."""
    return Path(os.path.realpath(folder))


def rules_of_settings() -> DeliveryRules:
    control = settings.SEQAUTO_CONTROL_SAMPLE_PATTERN
    return DeliveryRules(
        incoming=[real_folder(folder) for folder in settings.SEQAUTO_INCOMING_DIRS],
        backup_dir=settings.SEQAUTO_BACKUP_DIR,
        fastq_dir=settings.SEQAUTO_FASTQ_DIR,
        logs_dir=settings.SEQAUTO_VAR_DIR / "deliveries",
        s3=S3Rules(
            bucket=settings.SEQAUTO_S3_FASTQ_BUCKET,
            prefix=settings.SEQAUTO_S3_FASTQ_PREFIX,
            endpoint_url=settings.SEQAUTO_S3_ENDPOINT_URL,
            profile=settings.SEQAUTO_S3_PROFILE,
            bucket_owner=settings.SEQAUTO_S3_BUCKET_OWNER,
            storage_class=settings.SEQAUTO_S3_STORAGE_CLASS,
            acl=settings.SEQAUTO_S3_ACL,
            checksums=settings.SEQAUTO_S3_CHECKSUMS,
            log_bucket=settings.SEQAUTO_S3_LOG_BUCKET,
            log_key=settings.SEQAUTO_S3_LOG_KEY,
            log_seconds=settings.SEQAUTO_S3_LOG_SECONDS,
            no_project=settings.SEQAUTO_NO_PROJECT,
        ),
        converter=ConverterRules(
            wanted=settings.SEQAUTO_CONVERTERS,
            programs=settings.SEQAUTO_CONVERTER_PROGRAMS,
            threads=settings.SEQAUTO_CONVERTER_THREADS,
            memory_mb=settings.SEQAUTO_CONVERTER_MEMORY_MB,
            hours=settings.SEQAUTO_CONVERTER_HOURS,
            silence_minutes=settings.SEQAUTO_CONVERTER_SILENCE_MINUTES,
        ),
        markers=settings.SEQAUTO_MARKERS,
        control_pattern=re.compile(control) if control else None,
        settle_seconds=settings.SEQAUTO_SETTLE_SECONDS,
        relist_seconds=settings.SEQAUTO_RELIST_SECONDS,
        stall_hours=settings.SEQAUTO_STALL_HOURS,
        parallel=settings.SEQAUTO_DELIVERY_PARALLEL,
        newest_first=settings.SEQAUTO_DELIVERY_ORDER == "newest_first",
        backup_hash=settings.SEQAUTO_BACKUP_HASH,
        archive=[Path(root) for root in settings.SEQAUTO_SCAN_ROOTS],
        after_upload=parse_hooks(settings.SEQAUTO_AFTER_UPLOAD)[0],
    )


def proving_of_settings() -> ProvingRules:
    return ProvingRules(
        gb_a_day=settings.SEQAUTO_PROVE_GB_A_DAY,
        every_days=settings.SEQAUTO_PROVE_EVERY_DAYS,
        s3_read_back=cast(ReadBack, settings.SEQAUTO_PROVE_S3_READ_BACK),
    )


def fastqs_name(conversion: int) -> str:
    """The folder of a run's FASTQs: Unaligned, as converters call it; a later conversion has its number."""
    return "Unaligned" if conversion == 1 else f"Unaligned_{conversion}"


def amiss_with_folders(rules: DeliveryRules) -> list[str]:
    """All that is wrong with the folders, a sentence each: nested ones would deliver what was delivered."""
    named = [("incoming folder", folder) for folder in rules.incoming]
    named += [("backup folder", rules.backup_dir)] if rules.backup_dir else []
    named += [("FASTQ folder", rules.fastq_dir)] if rules.fastq_dir else []
    missing = [f"The {what} {folder} is not there." for what, folder in named if not folder.is_dir()]
    real = {folder: folder.resolve() for _what, folder in named}
    return missing + nested_folders(named, real)


def nested_folders(named: Sequence[tuple[str, Path]], real: Mapping[Path, Path] | None = None) -> list[str]:
    """Which of these folders are the same, or lie inside one another; `real` are their true places."""
    found = []
    for (what, folder), (other_what, other) in combinations(named, 2):
        place, other_place = (real or {}).get(folder, folder), (real or {}).get(other, other)
        if place == other_place:
            found.append(f"The {what} and the {other_what} are the same: {folder}.")
        elif place in other_place.parents:
            found.append(f"The {other_what} {other} lies inside the {what} {folder}.")
        elif other_place in place.parents:
            found.append(f"The {what} {folder} lies inside the {other_what} {other}.")
    return found

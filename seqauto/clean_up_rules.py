"""How a lab wants its disks cleaned up: plain values, from the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from .delivery_rules import DeliveryRules, rules_of_settings
from .gates import BACKUP, FASTQS, NEEDS, SOURCE, Rule

#: What SEQAUTO_CLEAN_UP_RULES may say of a target.
KNOWN_FIELDS = {"enabled": bool, "days": int, "proof_days": int}


@dataclass(frozen=True, slots=True)
class CleanUpRules:
    """Everything that the story of a clean-up needs to know; `disabled` says why nothing goes here, or ""."""

    delivery: DeliveryRules
    rules: Mapping[str, Rule]
    needs_approval: bool = False
    fastqs_suffice: bool = False
    grace_hours: float = 24
    most_runs: int = 5
    most_bytes: int = 2000 * 10**9
    lease_seconds: int = 60
    heartbeat_seconds: int = 15
    disabled: str = ""


def clean_up_rules_of_settings() -> CleanUpRules:
    return CleanUpRules(
        delivery=rules_of_settings(),
        rules=rules_from(settings.SEQAUTO_CLEAN_UP_RULES),
        needs_approval=settings.SEQAUTO_CLEAN_UP_APPROVAL,
        fastqs_suffice=settings.SEQAUTO_CLEAN_UP_FASTQS_SUFFICE,
        grace_hours=settings.SEQAUTO_CLEAN_UP_GRACE_HOURS,
        most_runs=settings.SEQAUTO_CLEAN_UP_MOST_RUNS,
        most_bytes=settings.SEQAUTO_CLEAN_UP_MOST_GB * 10**9,
        lease_seconds=settings.SEQAUTO_LEASE_SECONDS,
        heartbeat_seconds=settings.SEQAUTO_HEARTBEAT_SECONDS,
        disabled=_why_disabled(),
    )


def rules_from(overrides: Mapping[str, Mapping[str, Any]]) -> dict[str, Rule]:
    """A rule for each target; that for backups is off unless it is switched on."""
    found = {}
    for target in (SOURCE, FASTQS, BACKUP):
        said = dict(overrides.get(target, {}))
        found[target] = Rule(target, is_on=said.pop("enabled", target != BACKUP), **said)
    return found


def amiss_with_rules(overrides: Mapping[str, Any]) -> list[str]:
    """All that is wrong with the texts of such rules, a sentence each."""
    wrong = [f"{target!r} is no target; known are {', '.join(NEEDS)}." for target in overrides.keys() - NEEDS]
    for target in overrides.keys() & NEEDS.keys():
        said = overrides[target]
        if not isinstance(said, dict):
            wrong.append(f"what is said of {target!r} is no JSON object.")
            continue
        for name, value in said.items():
            if type(value) is not KNOWN_FIELDS.get(name) or (type(value) is int and value < 0):
                wrong.append(
                    f"{target!r}: {name!r} cannot be {value!r}; known are {', '.join(KNOWN_FIELDS)}."
                )
    return sorted(wrong)


def _why_disabled() -> str:
    if not settings.SEQAUTO_ENABLED:
        return "Nothing is removed here: SEQAUTO_ENABLED is false."
    return "" if settings.UPLOAD_ENABLED else "Nothing is removed here: UPLOAD_ENABLED is false."

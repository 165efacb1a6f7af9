"""Show what may leave the disks because it is proven to exist elsewhere; remove it only when told to."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from seqauto import clean_up, strays
from seqauto.audit import command_line
from seqauto.clean_up import Candidate, CleanUpRefused
from seqauto.clean_up_rules import CleanUpRules, clean_up_rules_of_settings
from seqauto.clean_up_s3 import asking_the_silent_once
from seqauto.gates import Gate
from seqauto.models import Delivery, Removal
from seqauto.models.clean_up import RemovalState, Target
from seqauto.removal_work import why_held


class Command(BaseCommand):
    help = (
        "Show what may be removed from the incoming, FASTQ and backup disks: every gate, what was seen, and "
        "the bytes that it frees. Nothing is changed without --execute, which moves what may go into "
        "quarantine, and removes what has been there for SEQAUTO_CLEAN_UP_GRACE_HOURS. Ends with 1 where "
        "something has stopped for a person or a named run must stay, and with --execute where something "
        "stands in quarantine that no removal knows."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--execute", action="store_true", help="Do it.")
        parser.add_argument(
            "--run",
            action="append",
            default=[],
            metavar="NAME",
            help="Only this run, by name or path; may come several times. With --execute, what had stopped "
            "goes on, but not beyond the limit of a day: a person says that on the page Safe to delete.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object.")

    def handle(self, **options: Any) -> None:
        rules, names = clean_up_rules_of_settings(), options["run"]
        _refuse_unknown(names)
        signal.signal(signal.SIGTERM, lambda *_args: sys.exit(128 + signal.SIGTERM))
        try:
            with asking_the_silent_once():
                told, is_well = _execute(rules, names) if options["execute"] else _show(rules, names)
        except CleanUpRefused as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(json.dumps(told, indent=1) if options["json"] else "\n".join(_lines(told)))
        if not is_well:
            raise CommandError("Something waits for a person, or must stay.")


def _refuse_unknown(names: list[str]) -> None:
    for name in names:
        if (
            not Delivery.objects.filter(name=name).exists()
            and not Delivery.objects.filter(path=name).exists()
        ):
            raise CommandError(f"No delivery is called {name!r}: write the run folder's name, or its path.")


def _show(rules: CleanUpRules, names: list[str]) -> tuple[dict[str, Any], bool]:
    """The plan as it is now; nothing is changed."""
    planned = clean_up.plan(rules, names)
    removals = list(clean_up.under_way(names))
    under_way = [_removal(removal) for removal in removals]
    size = sum(one.bytes for one in planned if one.may_go)
    plan, told = [_candidate(one) for one in planned], _strays(rules)
    return {"plan": plan, "under_way": under_way, "strays": told, "bytes": size, "executed": False}, _is_well(
        [one for one in planned if names and not one.may_go], removals, []
    )


def _execute(rules: CleanUpRules, names: list[str]) -> tuple[dict[str, Any], bool]:
    by = command_line()
    if names:
        for removal in clean_up.under_way(names).filter(state=RemovalState.STOPPED):
            clean_up.go_on(removal, by, "Named on the command line")
    removals = clean_up.clean_up(rules, by, names)
    left = clean_up.plan(rules, names) if names else clean_up.left_alone(rules)
    size = sum(one.bytes for one in removals if one.state == RemovalState.REMOVED)
    plan, done, told = [_candidate(one) for one in left], [_removal(one) for one in removals], _strays(rules)
    is_well = _is_well(left if names else [], removals, told)
    return {"plan": plan, "under_way": done, "strays": told, "bytes": size, "executed": True}, is_well


def _is_well(must_stay: list[Candidate], removals: list[Removal], strays_told: list[str]) -> bool:
    """Whether nobody has to look: what --help says of the exit code."""
    return not must_stay and not strays_told and all(one.state != RemovalState.STOPPED for one in removals)


def _strays(rules: CleanUpRules) -> list[str]:
    return [stray.sentence for stray in strays.find(rules)]


def _candidate(one: Candidate) -> dict[str, Any]:
    return {
        "run": one.delivery.name,
        "target": one.target,
        "path": str(one.path),
        "files": one.files,
        "bytes": one.bytes,
        "may_go": one.may_go,
        "stays": one.stays,
        "gates": [asdict(gate) for gate in one.gates],
    }


def _removal(one: Removal) -> dict[str, Any]:
    return {
        "run": one.delivery.name,
        "target": one.target,
        "path": one.path,
        "files": one.files,
        "bytes": one.bytes,
        "state": one.state,
        "held": why_held(one),
        "error": one.error,
        "remedy": one.remedy,
    }


def _lines(told: dict[str, Any]) -> list[str]:
    lines = []
    for one in told["plan"]:
        verdict = "may go" if one["may_go"] else "stays" if one["stays"] else "must stay"
        lines += [f"{one['run']}: {Target(one['target']).label} {verdict}", f"  {one['path']!r}"]
        lines += [f"  {_inert(one['stays'])}"] if one["stays"] else []
        lines += [
            f"  {_sign(gate)} {Gate(**gate).heading}: {_inert(gate['evidence'])}" for gate in one["gates"]
        ]
        lines += [f"  frees {one['bytes']:,} bytes", ""] if one["may_go"] else [""]
    for one in told["under_way"]:
        state = RemovalState(one["state"]).label
        lines.append(f"{one['run']}: {Target(one['target']).label}, {one['bytes']:,} bytes: {state}")
        held = f"{one['held']}\n{_HELD[one['state']]}" if one["held"] and one["state"] in _HELD else ""
        texts = "\n".join(text for text in (held, one["error"], one["remedy"]) if text)
        lines += [f"  {_inert(text)}" for text in texts.split("\n") if text]
    lines += [f"Stands in quarantine without a removal: {_inert(text)}" for text in told["strays"]]
    if told["executed"]:
        return [*lines, f"Removed now: {told['bytes']:,} bytes."]
    return [*lines, f"May go: {told['bytes']:,} bytes. Nothing was changed; --execute does it."]


_HELD = dict.fromkeys(
    (RemovalState.PROPOSED, RemovalState.APPROVED, RemovalState.STOPPED, RemovalState.REMOVING),
    "It is not removed while the hold lasts.",
) | {
    RemovalState.QUARANTINED: "It is not removed while the hold lasts; whole, it goes back at the next turn."
}


def _sign(gate: dict[str, Any]) -> str:
    """✓ passed, ✗ closed, ? nobody looked or could look."""
    if gate["passed"]:
        return "✓"
    return "✗" if gate["is_known"] else "?"


def _inert(text: str) -> str:
    """Names from disks must not speak to the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)

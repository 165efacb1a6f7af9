"""Strays: what stands in a quarantine although no removal is under way for it, as after a restored database.

What is whole goes back to its place, where that is free; the rest is left alone and told, until a person has
looked at it. Pages read what the last turn of clean-up told: they wait for no disk.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db import transaction
from django.db.models import Max, Q

from sequencing.disk import printable
from sequencing.removing import (
    QUARANTINE,
    RemoveProblem,
    Tombstone,
    forget,
    list_tombstones,
    put_back,
    unexplained,
)

from . import audit
from .clean_up_rules import CleanUpRules
from .delivery_log import note
from .models import AuditEntry, Delivery, IncomingFolder, Removal
from .models.clean_up import UNDER_WAY
from .removal_rows import By, name_of

log = logging.getLogger(__name__)

TOLD = "quarantine.strays_told"


@dataclass(frozen=True, slots=True)
class Stray:
    """A folder in the quarantine of a root; `stone` is None where no tombstone tells where it came from."""

    root: Path
    name: str
    stone: Tombstone | None

    @property
    def path(self) -> Path:
        return self.root / QUARANTINE / self.name

    @property
    def sentence(self) -> str:
        where = printable(str(self.path))
        if self.stone is None:
            return f"{where} has no tombstone. See what it is, and move it to its place."
        place = printable(str(self.root / self.stone.inside))
        if self.stone.state == "half_removed":
            return f"{where} is what is left of {place}. Compare it with the backup before you remove it."
        return f"{where} is all of {place}. It goes back there at the next turn of clean-up, if that is free."


@dataclass(frozen=True, slots=True)
class Told:
    """What the last turn told of one root."""

    root: str
    at: datetime
    sentences: tuple[str, ...]


def told() -> list[Told]:
    """What was left in quarantine when that was last looked at, by root. Asks the database only."""
    newest = AuditEntry.objects.filter(action=TOLD).order_by().values("name").annotate(last=Max("pk"))
    rows = AuditEntry.objects.filter(pk__in=newest.values("last")).order_by("name")
    found = (Told(row.after["root"], row.at, tuple(row.after["strays"])) for row in rows)
    return [one for one in found if one.sentences]


def find(rules: CleanUpRules) -> list[Stray]:
    """Look at the quarantine of every disk; one that cannot be looked at tells nothing."""
    return [stray for root in _roots(rules) for stray in _strays_of(root) or ()]


def settle(rules: CleanUpRules, by: By) -> None:
    """Put back what is whole and has its place free; tell of the rest, once for each change."""
    for root in _roots(rules):
        strays = _strays_of(root)
        if strays is not None:
            _tell(root, [said for stray in strays if (said := _put_back(stray, by))], by)


def _roots(rules: CleanUpRules) -> list[Path]:
    named = [*rules.delivery.incoming, rules.delivery.backup_dir, rules.delivery.fastq_dir]
    return list(dict.fromkeys(root for root in named if root))


def _strays_of(root: Path) -> list[Stray] | None:
    """None where the disk cannot be looked at."""
    try:
        stones, names = list_tombstones(root), unexplained(root)
    except RemoveProblem as problem:
        log.warning("The quarantine of %s could not be looked at: %s", root, problem)
        return None
    # After the disk: a removal writes its row first, and its tombstone then.
    under_way = {rule.get("token") for rule in _rules_under_way()}
    out_of_place = [stone for stone in stones if stone.state in ("quarantined", "half_removed")]
    strays = [Stray(root, one.id, one) for one in out_of_place if one.why.get("token") not in under_way]
    return strays + [Stray(root, name, None) for name in names if not name.endswith(".json")]


def _rules_under_way() -> Iterator[dict[str, object]]:
    return Removal.objects.filter(state__in=UNDER_WAY).values_list("rule", flat=True).iterator()


def _put_back(stray: Stray, by: By) -> str:
    """What is to be told of it; "" where it stands in its old place again."""
    if stray.stone is None or stray.stone.state != "quarantined":
        return stray.sentence
    place = stray.root / stray.stone.inside
    named = Delivery.objects.filter(Q(path=str(place)) | Q(name=stray.stone.why.get("run")))
    subject = named.order_by("pk").first()
    try:
        with transaction.atomic():  # what is written is taken back where the rename fails
            about = {"path": str(place), "tombstone": stray.name}
            audit.record(
                "quarantine.put_back", subject or IncomingFolder(path=str(stray.root)), after=about,
                rule=name_of(by), reason="No removal is under way for it",
            )  # fmt: skip
            if subject:
                note(subject, "Put back from quarantine: no removal is under way for it")
            put_back(stray.stone, stray.root)
        forget(stray.stone, stray.root)
    except RemoveProblem as problem:
        return f"{stray.sentence} {problem}"
    return ""


def _tell(root: Path, sentences: list[str], by: By) -> None:
    for sentence in sentences:
        log.warning("%s", sentence)
    before = next((one.sentences for one in told() if one.root == str(root)), ())
    if tuple(sentences) == before:
        return
    after = {"root": str(root), "strays": sentences}
    with transaction.atomic():
        audit.record(TOLD, IncomingFolder(path=str(root)), rule=name_of(by), after=after)

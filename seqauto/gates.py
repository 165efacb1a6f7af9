"""The gates before anything is removed: facts in, verdicts out. Only what is known and true opens one. Pure.

Every target has its list of gates; all of them must be open. What nobody could look at (a disk, a database or
S3 that did not answer) is unknown, which is never good enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from . import dates

RULES_VERSION = "2"  # raise it whenever a gate comes, goes, or asks for something else

SOURCE, FASTQS, BACKUP = "source", "fastqs", "backup"

FIRST_POSSIBLE = datetime(2000, 1, 1, tzinfo=UTC)  # no run of these instruments is older
CLOCKS_APART = timedelta(minutes=15)  # what Amazon S3 itself bears: error RequestTimeTooSkewed
INSTRUMENT_AHEAD = timedelta(days=1)  # one that keeps the time of another place is at most 14 hours ahead


@dataclass(frozen=True, slots=True)
class Seen:
    """Whether something is so (None: nobody knows), and what was seen, in words."""

    is_so: bool | None
    text: str


NOT_LOOKED_AT = Seen(None, "Not looked at: a gate above is closed.")


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of what would be removed. A date that nobody knows is None.

    `backup_verified` and `in_s3` tell of the newest proof, good or bad, which was given at
    `backup_verified_at` and `in_s3_at`. `clocks` are what others than the database say it is now;
    `newest_file_at` is the date of the run's newest file, by the instrument's clock; `days_seen` on how many
    days SeqAuto was at work since all was proven.
    """

    delivered: Seen = NOT_LOOKED_AT
    idle: Seen = NOT_LOOKED_AT
    unheld: Seen = NOT_LOOKED_AT
    converted: Seen = NOT_LOOKED_AT
    uploaded: Seen = NOT_LOOKED_AT
    target: Seen = NOT_LOOKED_AT
    unchanged: Seen = NOT_LOOKED_AT
    backup_stands: Seen = NOT_LOOKED_AT
    backup_verified: Seen = NOT_LOOKED_AT
    another_copy: Seen = NOT_LOOKED_AT
    in_s3: Seen = NOT_LOOKED_AT

    found_at: datetime | None = None
    settled_at: datetime | None = None
    backed_up_at: datetime | None = None
    uploaded_at: datetime | None = None
    delivered_at: datetime | None = None
    backup_verified_at: datetime | None = None
    in_s3_at: datetime | None = None
    clocks: Mapping[str, datetime | None] = field(default_factory=dict)
    newest_file_at: datetime | None = None
    days_seen: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """When a target may go: `days` after all was first proven, by proofs not older than `proof_days`."""

    target: str
    is_on: bool = True
    days: int = 21
    proof_days: int = 30
    version: str = RULES_VERSION

    @property
    def needs(self) -> tuple[str, ...]:
        return NEEDS[self.target]

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"needs": list(self.needs)}


@dataclass(frozen=True, slots=True)
class Gate:
    """One gate: what it asks, whether that is so, and what was seen. Unknown is never passed."""

    name: str
    sentence: str
    passed: bool
    is_known: bool
    evidence: str

    @property
    def heading(self) -> str:
        """What is so; of one that nobody could look at, what it asks."""
        return _CLOSED.get(self.name, self.sentence) if self.is_known and not self.passed else self.sentence

    @property
    def why_closed(self) -> str:
        """In words what keeps it closed; of one that nobody could look at, what is not known."""
        lead = f"{self.sentence}: not known"
        if self.is_known:
            lead = "" if self.name in _EVIDENCE_TELLS else _CLOSED.get(self.name, "")
        told = f"{lead}. {self.evidence}" if lead else self.evidence
        return told if told.endswith((".", "?")) else f"{told}."


def closed_gates(judged: Sequence[Gate]) -> list[Gate]:
    """Those that were looked at and are closed; where there is none, those that nobody could look at."""
    known = [gate for gate in judged if gate.is_known and not gate.passed]
    asked = [gate for gate in judged if not gate.is_known and gate.evidence != NOT_LOOKED_AT.text]
    return known or asked or [gate for gate in judged if not gate.passed]


_SENTENCES = {
    "rule": "The rule for it is switched on",
    "delivered": "The run is delivered",
    "idle": "No step is at work, and nothing waits for a person",
    "unheld": "Nobody holds it",
    "converted": "It was converted, and every FASTQ judged",
    "uploaded": "Every FASTQ of every project was uploaded and verified",
    "dates": "All dates are known and in their order",
    "age": "Everything has been proven for long enough",
    "unchanged": "The run folder is as it was when it was delivered",
    "target": "What would go stands there as it was proven",
    "backup_stands": "The backup holds every file of the run",
    "backup_verified": "The backup was read again and is equal to its manifest",
    "another_copy": "Another copy of the base calls stays",
    "in_s3": "Every object is in S3 with our checksum",
    "clock": "The clocks of the database, this machine and S3 agree",
    "instrument_clock": "No file of the run is younger than its delivery",
    "days_passed": "The days since it was proven have really passed",
}

_CLOSED = {
    "rule": "Its rule is switched off",
    "delivered": "The run is not delivered",
    "idle": "A step is not done, or something waits for a person",
    "unheld": "Somebody holds it",
    "converted": "Not every FASTQ is made and judged",
    "uploaded": "Not every FASTQ is uploaded and verified",
    "dates": "Its dates are not in their order",
    "age": "It has not been proven for long enough",
    "unchanged": "The run folder is not as it was when it was delivered",
    "target": "What would go does not stand there as it was proven",
    "backup_stands": "The backup does not hold every file of the run",
    "backup_verified": "The backup is not proven",
    "another_copy": "No other copy of the base calls stays",
    "in_s3": "Not every object is proven to be in S3",
    "clock": "The clocks do not agree",
    "instrument_clock": "A file of the run is younger than its delivery",
    "days_passed": "The days since it was proven have not really passed",
}
_EVIDENCE_TELLS = ("idle", "unheld", "unchanged", "another_copy")  # alone what is wrong

# In the order in which they are shown; the first ones need neither disk nor network.
FROM_THE_DATABASE = (
    "rule", "delivered", "idle", "unheld", "converted", "uploaded", "dates", "age",
)  # fmt: skip
_CLOCKS = ("clock", "instrument_clock", "days_passed")
_ON_THE_BACKUP = ("target", "unchanged", "backup_stands", "backup_verified", "in_s3")
NEEDS: Mapping[str, tuple[str, ...]] = {
    SOURCE: (*FROM_THE_DATABASE, *_ON_THE_BACKUP, *_CLOCKS),
    FASTQS: (*FROM_THE_DATABASE, *_ON_THE_BACKUP, *_CLOCKS),
    BACKUP: (*FROM_THE_DATABASE, "target", "unchanged", "another_copy", "in_s3", *_CLOCKS),
}


def gates(facts: Facts, rule: Rule, now: datetime) -> tuple[Gate, ...]:
    """Judge every gate of a rule; `now` is the database's clock."""
    return tuple(_gate(name, facts, rule, now) for name in rule.needs)


def all_open(judged: Sequence[Gate]) -> bool:
    """Whether it may go: no gate at all opens nothing."""
    return bool(judged) and all(gate.passed for gate in judged)


def _gate(name: str, facts: Facts, rule: Rule, now: datetime) -> Gate:
    seen = _JUDGES[name](facts, rule, now) if name in _JUDGES else getattr(facts, name)
    return Gate(name, _SENTENCES[name], seen.is_so is True, seen.is_so is not None, seen.text)


# ---- what time says ----


def _rule(_facts: Facts, rule: Rule, _now: datetime) -> Seen:
    return Seen(rule.is_on, f"{_days(rule.days)} after its proof; rules version {rule.version}.")


def proven_since(facts: Facts) -> datetime | None:
    """Since when everything has been proven; None as long as it is not."""
    dates = [date for date in _first_proofs(facts).values() if date is not None]
    return max(dates) if len(dates) == len(_first_proofs(facts)) else None


def _first_proofs(facts: Facts) -> dict[str, datetime | None]:
    return {
        "settled": facts.settled_at,
        "backed up": facts.backed_up_at,
        "uploaded": facts.uploaded_at,
        "delivered": facts.delivered_at,
    }


def _dates(facts: Facts, _rule: Rule, now: datetime) -> Seen:
    """A null, future or absurd date is a sign that some clock or record is wrong."""
    found = facts.found_at
    if found is None or not FIRST_POSSIBLE <= found <= now:
        return Seen(False, f"The run was found on {_day(found)}; it is {_day(now)} now.")
    wrong = [
        f"{what}: {_day(date)}"
        for what, date in _first_proofs(facts).items()
        if date is None or not found <= date <= now
    ]
    if wrong:
        return Seen(False, f"Not between {_day(found)} (found) and {_day(now)} (now): {', '.join(wrong)}.")
    return Seen(True, f"All lie between {_day(found)} and now.")


def _age(facts: Facts, rule: Rule, now: datetime) -> Seen:
    since = proven_since(facts)
    if since is None:
        return Seen(False, "Not everything is proven yet.")
    age = timedelta(days=max(rule.days, 0))
    is_old_enough = age <= now - since
    told = f"The last of the proofs is of {_day(since)}; {_days(rule.days)} must have passed"
    from_when = "" if is_old_enough else f", so from {_day(_later(since, age))}"
    return Seen(is_old_enough, f"{told}{from_when}.")


def _later(date: datetime, span: timedelta) -> datetime:
    """However many days a rule asks for."""
    return date + min(span, datetime.max.replace(tzinfo=UTC) - date)


def _backup_verified(facts: Facts, rule: Rule, now: datetime) -> Seen:
    return _fresh(facts.backup_verified, facts.backup_verified_at, rule, now)


def _in_s3(facts: Facts, rule: Rule, now: datetime) -> Seen:
    return _fresh(facts.in_s3, facts.in_s3_at, rule, now)


def _fresh(seen: Seen, at: datetime | None, rule: Rule, now: datetime) -> Seen:
    """A proof, if it is no older than the rule allows."""
    if seen.is_so is not True:
        return seen
    if at is None or not FIRST_POSSIBLE <= at <= now or now - at > timedelta(days=rule.proof_days):
        return Seen(
            False, f"{seen.text} Last proven on {_day(at)}; {rule.proof_days} days ago at most is asked for."
        )
    return seen


def _clock(facts: Facts, _rule: Rule, now: datetime) -> Seen:
    """A clock that is a year ahead would make every run old enough: one clock alone is not believed."""
    known = {whose: at for whose, at in facts.clocks.items() if at is not None}
    if not known or len(known) < len(facts.clocks):
        return Seen(None, "Not every clock could be asked.")
    apart = [f"{whose}: {_day(at)}" for whose, at in known.items() if abs(at - now) > CLOCKS_APART]
    told = f"The database says {_day(now)}"
    return Seen(not apart, f"{told}, but {', '.join(apart)}." if apart else f"{told}, as all others do.")


def _instrument_clock(facts: Facts, _rule: Rule, _now: datetime) -> Seen:
    """A clock that was behind when all was proven, and was set right since, makes a run old at once."""
    newest, delivered = facts.newest_file_at, facts.delivered_at
    if newest is None or delivered is None:
        return Seen(None, "Nobody knows the dates of its files, or of its delivery.")
    told = f"The instrument dated its newest file {_day(newest)}; it was delivered on {_day(delivered)}."
    if not FIRST_POSSIBLE <= newest <= delivered + INSTRUMENT_AHEAD:
        return Seen(False, f"{told} One of the two clocks was wrong: no rule removes it.")
    return Seen(True, told)


def _days_passed(facts: Facts, rule: Rule, _now: datetime) -> Seen:
    """Where one machine is database and S3 too, all clocks jump ahead together; its days at work do not."""
    if facts.days_seen is None:
        return Seen(None, "Nobody knows on which days SeqAuto was at work.")
    told = f"Since then the free space of disks was written down on {_days(facts.days_seen)}"
    enough = 2 * facts.days_seen >= rule.days
    return Seen(enough, f"{told}; half of {_days(rule.days)} is asked for.")


def _days(count: int) -> str:
    return f"{count} day" if count == 1 else f"{count} days"


def _day(date: datetime | None) -> str:
    return dates.moment(date) if date else "an unknown day"


_JUDGES: Mapping[str, Callable[[Facts, Rule, datetime], Seen]] = {
    "rule": _rule,
    "dates": _dates,
    "age": _age,
    "backup_verified": _backup_verified,
    "in_s3": _in_s3,
    "clock": _clock,
    "instrument_clock": _instrument_clock,
    "days_passed": _days_passed,
}

"""A run's way from instrument to archive: how far it has come, as a strip of stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from zlib import crc32

from django.conf import settings
from django.db.models import OuterRef, Prefetch, Subquery
from django.urls import reverse
from django.utils import timezone

from seqauto import needs
from seqauto.clean_up_facts import known
from seqauto.clean_up_rules import clean_up_rules_of_settings
from seqauto.gates import Facts, Rule, gates
from seqauto.models import Delivery, DeliveryStep, Removal, SequencingRun
from seqauto.models.clean_up import RemovalState, Target
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.models.runs import RunState
from seqauto.templatetags import looks
from seqauto.templatetags.delivery_looks import busy_step, is_silent, time_left

NOT_KNOWN = "not known here"
NOT_WATCHED_HERE = "No incoming disk is watched here: SEQAUTO_INCOMING_DIRS names none."
NO_DELIVERY = "SeqAuto knows no delivery of this run: it came here before, or by another way."

#: A step that is to come, at work, done.
WORDS = {
    StepKind.BACK_UP: ("Back up", "Backing up", "Backed up"),
    StepKind.CONVERT: ("Convert", "Converting", "Converted"),
    StepKind.UPLOAD: ("Upload", "Uploading", "Uploaded"),
    StepKind.SUBMIT: ("Submit", "Submitting", "Submitted"),
}
#: A step does nothing until its setting names a place.
NEEDED_SETTINGS = {
    StepKind.BACK_UP: "SEQAUTO_BACKUP_DIR",
    StepKind.CONVERT: "SEQAUTO_FASTQ_DIR",
    StepKind.UPLOAD: "SEQAUTO_S3_FASTQ_BUCKET",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One chip of the strip: a sign, a word, a figure; what it rests on stands on hover."""

    word: str
    look: str
    figure: str
    note: str = ""
    address: str = ""

    @property
    def state(self) -> looks.State:
        return looks.State(self.word, self.look, self.note)


@dataclass(frozen=True)
class Way:
    """What the database knows of a run's way. `removal` is that of its folder on the incoming disk."""

    run: SequencingRun
    delivery: Delivery | None
    removal: Removal | None
    is_rescanned: bool

    @cached_property
    def steps(self) -> Mapping[str, DeliveryStep]:
        return {step.kind: step for step in self.delivery.steps.all()} if self.delivery else {}

    @property
    def is_in_hand(self) -> bool:
        """Whether it goes on within minutes, so that the page goes on asking."""
        return self.is_rescanned or (self.delivery is not None and _is_in_hand(self.delivery))

    @cached_property
    def stages(self) -> list[Stage]:
        kinds = [kind for kind in WORDS if kind != StepKind.SUBMIT or kind in self.steps]
        steps = [_stage_of_step(self, kind) for kind in kinds]
        return [_sequenced(self), *steps, _on_archive(self.run), _safe_to_delete(self)]

    @property
    def mark(self) -> str:
        """What a page has seen; another mark means that it is out of date."""
        steps = [(step.kind, step.state, step.attempts) for step in self.steps.values()]
        delivery = self.delivery and (self.delivery.state, self.delivery.reason, self.delivery.is_held)
        facts = self.run.updated_at, self.run.fingerprint, delivery, steps, self.is_rescanned
        return f"{crc32(repr(facts).encode()):08x}"

    @property
    def said(self) -> str:
        """For screen readers, which hear it when it changes: no running figures."""
        told = (f"{stage.word}" for stage in self.stages if stage.look in ("run", "bad"))
        return looks.printable(", ".join(told))


def way_of(run: SequencingRun) -> Way:
    """The way of a run that knows its `delivery_state` and whether a scan `is_at_work` (see `run_of`)."""
    delivery = _delivery_of(run)
    removal_id = getattr(delivery, "removal", None)
    removal = Removal.objects.defer("manifest", "evidence").get(pk=removal_id) if removal_id else None
    is_rescanned = getattr(run, "is_at_work", False) and not run.fingerprint and not run.is_legacy
    return Way(run, delivery, removal, is_rescanned)


def _delivery_of(run: SequencingRun) -> Delivery | None:
    """How the run came here, where an incoming disk was watched then."""
    state = getattr(run, "delivery_state", None)
    if state is None:
        return None
    # Nothing carries on what has ended, so nobody need watch its folder.
    is_stranded = needs.stranded(() if state in needs.ENDED else None)
    steps = DeliveryStep.objects.order_by("place").defer("problems", "traceback")
    removals = Removal.objects.filter(delivery=OuterRef("pk"), target=Target.SOURCE)
    last = removals.exclude(state=RemovalState.PUT_BACK).order_by("-pk").values("pk")[:1]
    return (
        Delivery.objects.filter(identity=run.identity)
        .annotate(is_stranded=is_stranded, removal=Subquery(last))
        .prefetch_related(Prefetch("steps", steps))
        .first()
    )


def _is_in_hand(delivery: Delivery) -> bool:
    if getattr(delivery, "is_stranded", False):
        return False
    return delivery.state in needs.IN_HAND or busy_step(delivery) is not None


# --- Stages --------------------------------------------------------------------------------------------


def _sequenced(way: Way) -> Stage:
    run, delivery = way.run, way.delivery
    if delivery is None:
        if run.state == RunState.RUNNING:
            return Stage("Sequencing", "run", "no marker of completion yet")
        if run.date is None:
            return Stage("Sequenced", "idle", NOT_KNOWN)
        return Stage("Sequenced", "ok", looks.day(run.date))
    if delivery.state in (DeliveryState.SEQUENCING, DeliveryState.STALLED):
        look = "warn" if delivery.state == DeliveryState.STALLED else "run"
        return Stage("Sequencing", look, _cycles(delivery), delivery.reason)
    if delivery.state == DeliveryState.RUN_FAILED:
        return Stage("Sequenced", "bad", "the run failed", delivery.reason)
    if delivery.complete_at is None:
        return Stage("Sequenced", "idle", NOT_KNOWN, delivery.reason)
    return replace(_ended(delivery, delivery.complete_at), note=_since_when(delivery))


def _cycles(delivery: Delivery) -> str:
    if not delivery.cycles_total:
        return ""
    return f"cycle {min(delivery.cycles or 0, delivery.cycles_total)} of {delivery.cycles_total}"


def _ended(delivery: Delivery, at: datetime) -> Stage:
    """With how long it took, where its folder was seen to grow."""
    took = at - delivery.found_at
    was_watched = took > timedelta(minutes=30)
    return Stage("Sequenced", "ok", in_hours(took) if was_watched else looks.when(at))


def in_hours(span: timedelta) -> str:
    """As people tell the length of a run: `28 h 10 m`."""
    hours, seconds = divmod(int(span.total_seconds()), 3600)
    return f"{hours} h {seconds // 60} m" if 1 <= hours < 100 else looks.duration(span)


def _since_when(delivery: Delivery) -> str:
    return (
        f"From {looks.compact_time(delivery.found_at)}, when its folder was first seen, to its last marker."
    )


def _stage_of_step(way: Way, kind: StepKind) -> Stage:
    to_come, at_work, done = WORDS[kind]
    step = way.steps.get(kind)
    if way.delivery is None or step is None:
        is_off = not settings.SEQAUTO_INCOMING_DIRS
        figure, note = ("off", NOT_WATCHED_HERE) if is_off else (NOT_KNOWN, NO_DELIVERY)
        return Stage(done, "idle", figure, note)
    address = f"{way.delivery.get_absolute_url()}#{kind}"
    if step.state == StepState.DONE:
        return Stage(done, "ok", figure_of(step), _when_done(step), address)
    if step.state == StepState.RUNNING:
        return Stage(at_work, "run", progress_of(step), step.doing, address)
    if step.state == StepState.FAILED:
        return Stage(to_come, "bad", "failed", step.error, address)
    if step.state == StepState.QUEUED:
        return Stage(to_come, "wait", "waits its turn", address=address)
    setting = NEEDED_SETTINGS.get(kind)
    if setting and not getattr(settings, setting):
        return Stage(to_come, "idle", "off", f"{setting} names no place for it.", address)
    return Stage(to_come, "idle", "on hold" if way.delivery.is_held else "not yet", address=address)


def figure_of(step: DeliveryStep) -> str:
    """What a step made, as far as its figures tell: any key of them may be absent."""
    figures = step.figures if isinstance(step.figures, dict) else {}
    told = FIGURES[StepKind(step.kind)](figures)
    return ", ".join(part for part in (told, looks.duration(step.duration) if step.duration else "") if part)


def _of_backup(figures: dict[str, Any]) -> str:
    size = figures.get("bytes")
    return f"{looks.size(size)} verified" if isinstance(size, int) else ""


def _of_conversion(figures: dict[str, Any]) -> str:
    if figures.get("adopted"):
        return "by the instrument"
    return f"{figures.get('converter') or ''} {figures.get('version') or ''}".strip()


def _of_upload(figures: dict[str, Any]) -> str:
    """Without the object that tells of the FASTQs."""
    projects = rows_in(figures.get("projects"))
    if not projects:
        return ""
    objects = [each for project in projects for each in rows_in(project.get("objects"))]
    fastqs = [each for each in objects if not str(each.get("key")).endswith("/meta.json")]
    size = sum(each["size"] for each in fastqs if isinstance(each.get("size"), int))
    verified = " verified" if all(project.get("verified_by") for project in projects) else ""
    return f"{looks.plural(len(fastqs), 'file')}, {looks.size(size)}{verified}"


def rows_in(value: Any) -> list[dict[str, Any]]:
    """Of JSON that may be anything."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _of_submission(figures: dict[str, Any]) -> str:
    rows = figures.get("submissions")
    return looks.plural(len(rows), "job") if isinstance(rows, list) else ""


FIGURES = {
    StepKind.SETTLE: lambda _figures: "",
    StepKind.BACK_UP: _of_backup,
    StepKind.CONVERT: _of_conversion,
    StepKind.UPLOAD: _of_upload,
    StepKind.SUBMIT: _of_submission,
}


def _when_done(step: DeliveryStep) -> str:
    return f"Done {looks.compact_time(step.ended_at)}." if step.ended_at else ""


def progress_of(step: DeliveryStep) -> str:
    if is_silent(step):
        return "no sign of life from its worker"
    left = time_left(step)
    share = "" if step.share is None else f"{step.share * 100:.0f}\u00a0%"
    return ", ".join(part for part in (share, f"about {looks.duration(left)} left" if left else "") if part)


#: How a run that no scan judges complete or incomplete stands on the archive.
NOT_COUNTED = {
    RunState.DELETED: ("bad", "gone"),
    RunState.NOT_SCANNED: ("idle", "no longer scanned"),
    RunState.SKIPPED: ("idle", "skipped"),
    RunState.RUNNING: ("idle", "not yet"),
    RunState.NOTHING_EXPECTED: ("idle", "nothing expected"),
}


def _on_archive(run: SequencingRun) -> Stage:
    state = RunState(run.state)
    if state in NOT_COUNTED:
        return Stage("On archive", *NOT_COUNTED[state], run.state_reason)
    if not run.files_expected:
        return Stage("On archive", "bad", "cannot be told", run.state_reason)
    found = f"{run.files_found:,} of {run.files_expected:,}"
    look = "bad" if state == RunState.ERROR else "ok" if not run.files_missing else "warn"
    return Stage("On archive", look, found, run.state_reason or "FASTQs found of those expected.")


# --- Safe to delete ------------------------------------------------------------------------------------


def _safe_to_delete(way: Way) -> Stage:
    """Whether the run's folder on the incoming disk may go, by its rule."""
    delivery, word = way.delivery, "Safe to delete"
    if delivery is None:
        figure = NOT_KNOWN if settings.SEQAUTO_INCOMING_DIRS else "off"
        return Stage(word, "idle", figure, NO_DELIVERY if figure == NOT_KNOWN else NOT_WATCHED_HERE)
    if way.removal:
        return _removed(way.removal)
    if delivery.gone_at:
        note = "Its folder is no longer on the incoming disk."
        return Stage("Gone", "idle", looks.when(delivery.gone_at), note)
    rule = clean_up_rules_of_settings().rules[Target.SOURCE]
    if not rule.is_on:
        return Stage(word, "idle", "off", "SEQAUTO_CLEAN_UP_RULES keeps run folders.")
    if delivery.state != DeliveryState.DELIVERED:
        return Stage(word, "idle", "not yet", "Only what is delivered may go.")
    now = timezone.now()
    # Only the run folder is judged here, and of it nobody asks for another copy.
    facts = known([delivery], now, fastqs_suffice=True)[delivery.pk]
    return _judged(facts, rule, now)


def _removed(removal: Removal) -> Stage:
    state = looks.removal_state(removal)
    at = removal.ended_at or removal.quarantined_at or removal.proposed_at
    address = reverse("clean_up_removal", args=[removal.pk])
    word = "Run folder removed" if removal.state == RemovalState.REMOVED else "Run folder"
    figure = looks.when(at) if removal.state == RemovalState.REMOVED else state.word.lower()
    return Stage(word, state.look, figure, removal.error, address)


def _judged(facts: Facts, rule: Rule, now: datetime) -> Stage:
    judged = gates(facts, rule, now)
    passed = f"{sum(gate.passed for gate in judged)} of {len(judged)} gates passed"
    closed = [gate for gate in judged if gate.is_known and not gate.passed]
    address = reverse("clean_up")
    if not closed:
        note = "The others are looked at when its removal is proposed."
        return Stage("Safe to delete", "ok", f"could go, {passed}", note, address)
    days = _days_left(facts, rule, now)
    is_only_young = [gate.name for gate in closed] == ["age"]
    when = f"in {looks.plural(days, 'day')}" if is_only_young and days else "not yet"
    return Stage("Safe to delete", "idle", f"{when}, {passed}", closed[0].why_closed, address)


def _days_left(facts: Facts, rule: Rule, now: datetime) -> int:
    """Until everything has been proven for long enough, rounded up."""
    proofs = (facts.settled_at, facts.backed_up_at, facts.uploaded_at, facts.delivered_at)
    last = max((at for at in proofs if at), default=now)
    return max(0, -((now - last - timedelta(days=rule.days)) // timedelta(days=1)))

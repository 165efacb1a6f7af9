"""The story of a second look: backups and objects in S3 are read again, what was proven longest ago first.

A copy that differs is told on its step, which then needs a person; one that cannot be looked at proves
nothing, neither way. Nothing here changes a copy.
"""

from __future__ import annotations

import hashlib
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q
from django.db.models.functions import Now
from django.utils import timezone

from sequencing.copying import CopyProblem, list_folder, read_manifest, verify
from sequencing.disk import empty_folder_above, is_gone
from sequencing.s3 import KnownObject, UploadProblem, prove_objects

from . import audit
from .delivery_log import note
from .delivery_rules import DeliveryRules, ProvingRules
from .delivery_states import DIFFERS, refresh_state
from .delivery_work import STOPPING
from .lease import heartbeat, process_name
from .models import DeliveryStep, Proof, Proving
from .models.clean_up import Target, still_there
from .models.deliveries import DeliveryState, StepKind, StepState
from .s3_clients import s3_client, s3_options

log = logging.getLogger(__name__)

RULE = "re-verification"
MOST_DIFFERENCES = 100  # are kept of one proof
STEP_OF = {Proof.What.BACKUP: StepKind.BACK_UP, Proof.What.S3: StepKind.UPLOAD}
Tell = Callable[[int, int], None]
Stop = Callable[[], bool]


class Unproven(Exception):
    """A copy that could not be looked at: nothing is known of it that was not known before.

    `is_away`: nor could any other copy at its place.
    """

    def __init__(self, sentence: str, *, is_away: bool = False) -> None:
        super().__init__(sentence)
        self.is_away = is_away


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a run, as its step wrote it down, and when it was last proven."""

    step: DeliveryStep
    what: Proof.What
    proven_at: datetime

    def __str__(self) -> str:
        return f"{self.step.delivery.name}: {self.what.label}"


@dataclass(frozen=True, slots=True)
class Found:
    differences: tuple[str, ...]
    bytes_read: int
    manifest_sha256: str = ""
    stamp: str = ""


# ---- the story ----


def prove_due(rules: DeliveryRules, proving: ProvingRules) -> int:
    """Prove copies whose turn has come, until the day's share of bytes is read; return how many.

    One process at a time; a second one does nothing.
    """
    proven = 0
    with _in_hand() as mine:
        if mine is None:
            return 0
        away: set[str] = set()  # what cannot be reached is not asked a hundred times
        for copy in copies():
            if mine.must_stop() or not is_due(copy.proven_at, _last_read(), proving, timezone.now()):
                break
            if copy.what in away or mine.had_trouble_with(copy):
                continue
            try:
                mine.begin(copy)
                proven += prove(copy, rules, proving, tell=mine.tell, stop=mine.must_stop) is not None
            except Unproven as trouble:
                if not mine.must_stop():
                    mine.note_trouble(copy, trouble)
                    away |= {copy.what} if trouble.is_away else set()
    return proven


def copies(names: Iterable[str] = ()) -> list[Copy]:
    """All copies that still stand, or those of some runs; the longest unproven first.

    A date that a wrong clock has set ahead tells nothing.
    """
    stands = Q(state=StepState.DONE) | Q(state=StepState.FAILED, code=DIFFERS)
    steps = DeliveryStep.objects.filter(stands, kind__in=STEP_OF.values()).select_related("delivery")
    if names := list(names):
        steps = steps.filter(delivery__name__in=names)
    steps = still_there(steps, Target.BACKUP).defer("figures", "problems", "traceback")
    now, proofs = timezone.now(), Proof.objects.filter(at__lte=timezone.now())
    rows = proofs.values_list("delivery_id", "what").annotate(Max("at"))
    last = {(delivery, what): at for delivery, what, at in rows}
    found = []
    for step in steps:
        what = next(what for what, kind in STEP_OF.items() if kind == step.kind)
        times = [time for time in (last.get((step.delivery_id, what)), step.ended_at) if time and time <= now]
        found.append(Copy(step, what, max(times, default=_NEVER)))
    return sorted(found, key=lambda copy: (copy.proven_at, copy.step.pk))


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def prove(
    copy: Copy,
    rules: DeliveryRules,
    proving: ProvingRules,
    *,
    tell: Tell = lambda done, total: None,
    stop: Stop = lambda: False,
) -> Proof | None:
    """Look at one copy from first byte to last and record what was found; None where its step changed.

    Raises Unproven where it could not be looked at, or was stopped.
    """
    look = _look_at_backup if copy.what == Proof.What.BACKUP else _look_at_objects
    began = timezone.now()  # what is written while it is read is younger than its proof
    try:
        found = look(copy, rules, proving, tell, stop)
    except (CopyProblem, UploadProblem) as problem:
        sentence = f"{copy} could not be looked at: {problem.sentence.rstrip('.')}."
        raise Unproven(sentence, is_away=problem.code in _AWAY) from problem
    except OSError as error:
        raise Unproven(f"{copy} could not be looked at: {error}.") from error
    return _record(copy, found, began)


_AWAY = ("unavailable", "no_access", "no_bucket", "expired_credentials")


# ---- when ----


def is_due(
    proven_at: datetime, last_read: tuple[datetime, int] | None, proving: ProvingRules, now: datetime
) -> bool:
    """Whether a copy's turn has come: it was proven long enough ago, and the last reading is paid for.

    The next reading begins when the bytes of the last one would have been read at the pace of the setting, so
    that a run larger than a day's share is read too. What a wrong clock has dated ahead counts as now.
    """
    if not proving.gb_a_day or now - proven_at < timedelta(days=proving.every_days):
        return False
    if last_read is None:
        return True
    read_at, size = last_read
    days = min(size / (proving.gb_a_day * 1e9), MOST_DAYS)
    return read_at > now or now - read_at >= timedelta(days=days)


MOST_DAYS = 365.0


def _last_read() -> tuple[datetime, int] | None:
    """When the last copy was read that cost any reading, and its bytes."""
    last = Proof.objects.filter(bytes__gt=0, at__lte=timezone.now()).order_by("-at").first()
    return (last.at, last.bytes) if last else None


# ---- looks ----


def _look_at_backup(
    copy: Copy, rules: DeliveryRules, _proving: ProvingRules, tell: Tell, stop: Stop
) -> Found:
    figures = copy.step.figures
    folder, path = Path(figures["folder"]), Path(figures["manifest"])
    if _is_not_mounted(folder, rules):
        raise Unproven(f"{copy}: nothing lies in {folder.parent}. Is its disk mounted?", is_away=True)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        manifest = read_manifest(path)
    except FileNotFoundError:
        return Found((f"Its manifest {path} is missing.",), 0)
    except CopyProblem as problem:
        if isinstance(problem.__cause__, OSError):
            raise
        return Found((problem.sentence,), 0)
    if differ := manifest_difference(copy.step, digest):
        return Found((differ,), 0, digest)
    if is_gone(str(folder)):
        return Found((f"{folder} is missing.",), 0, digest)
    stamp = list_folder(folder).stamp
    differences = verify(folder, manifest, progress=tell, stop=stop)
    return Found(differences, manifest.bytes, digest, stamp)


def manifest_difference(step: DeliveryStep, digest: str) -> str:
    """In what the manifest is not the one that the backup was made with, as far as that is known; or ""."""
    known = step.figures.get("manifest_sha256") or _digest_at_first_proof(step)
    path = step.figures["manifest"]
    return (
        f"{path} is not the manifest that was written with this backup." if known not in ("", digest) else ""
    )


def _digest_at_first_proof(step: DeliveryStep) -> str:
    """Of backups made by earlier versions, which did not write it down."""
    proofs = Proof.objects.filter(delivery=step.delivery_id, what=Proof.What.BACKUP, is_good=True)
    since = proofs.filter(at__gte=step.ended_at) if step.ended_at else proofs
    return since.order_by("at").values_list("manifest_sha256", flat=True).first() or ""


def _is_not_mounted(folder: Path, rules: DeliveryRules) -> bool:
    """Whether the disk of a backup seems to be away: its mount point is missing, or stands there empty."""
    above = str(folder.parent)
    root = str(rules.backup_dir) if rules.backup_dir in folder.parents else above
    return is_gone(root) or bool(empty_folder_above(str(folder), root))


def _look_at_objects(
    copy: Copy, rules: DeliveryRules, proving: ProvingRules, tell: Tell, stop: Stop
) -> Found:
    figures = copy.step.figures
    options = replace(s3_options(rules.s3), read_back=proving.s3_read_back)
    look = prove_objects(
        s3_client(rules.s3), figures["bucket"], known_objects(figures), options, progress=tell, stop=stop
    )
    return Found(look.differences, look.bytes_read)


def known_objects(figures: Mapping[str, Any]) -> Sequence[KnownObject]:
    """The objects of an upload, by its figures; each has an MD5."""
    return [
        KnownObject(one["key"], one["size"], one["checksum"].removeprefix("md5 "), one.get("crc32", ""))
        for project in figures["projects"]
        for one in project["objects"]
    ]


# ---- records ----


def _record(copy: Copy, found: Found, began: datetime) -> Proof | None:
    """Write the proof, and on its step what follows, unless the copy is another by now, or removed."""
    with transaction.atomic():
        step = DeliveryStep.objects.select_for_update().select_related("delivery").get(pk=copy.step.pk)
        has_begun_again = (step.state, step.figures) != (copy.step.state, copy.step.figures)
        if has_begun_again or _is_removed(step):
            return None
        proof = Proof.objects.create(
            delivery=step.delivery,
            what=copy.what,
            at=began,
            is_good=not found.differences,
            bytes=found.bytes_read,
            differences=list(found.differences[:MOST_DIFFERENCES]),
            manifest_sha256=found.manifest_sha256,
            stamp=found.stamp,
        )
        if found.differences:
            _tell_difference(step, proof, len(found.differences))
        elif step.state == StepState.FAILED:
            _take_back(step)
    return proof


def _is_removed(step: DeliveryStep) -> bool:
    return not still_there(DeliveryStep.objects.filter(pk=step.pk), Target.BACKUP).exists()


def _tell_difference(step: DeliveryStep, proof: Proof, count: int) -> None:
    more = f", and {count - 1} more" if count > 1 else ""
    step.error = f"{_DIFFERS[proof.what]} {proof.differences[0].rstrip('.')}{more}."
    before = {"state": step.state}
    step.state, step.code, step.remedy, step.traceback = StepState.FAILED, DIFFERS, _REMEDY[proof.what], ""
    step.problems = [
        {"severity": "error", "code": DIFFERS, "message": text, "remedy": "", "can_override": False}
        for text in proof.differences
    ]
    step.save(update_fields=["state", "code", "error", "remedy", "problems", "traceback"])
    note(step.delivery, step.error, step=step.kind)
    audit.record(
        "proof.found_different",
        step.delivery,
        rule=RULE,
        before=before,
        after={"state": step.state, "what": proof.what, "proof": proof.pk, "differences": count},
        reason=step.error,
    )
    refresh_state(step.delivery)


_DIFFERS: dict[str, str] = {
    Proof.What.BACKUP: "The backup is no longer what was proven:",
    Proof.What.S3: "Objects in S3 are no longer what was proven:",
}
_REMEDY: dict[str, str] = {
    Proof.What.BACKUP: (
        "Keep the run folder, if it is still there. Look at the disk; move the damaged backup and its "
        "manifest elsewhere, then press Retry: the run is backed up anew. Once it is mended by other means, "
        "“manage.py verify_runs --run NAME” proves it again."
    ),
    Proof.What.S3: (
        "Keep the FASTQs on this server, if they are still there. Find out who changed the bucket; move what "
        "is wrong away, then press Retry: what is missing is uploaded anew. Once it is mended otherwise, "
        "“manage.py verify_runs --run NAME” proves it again."
    ),
}


def _take_back(step: DeliveryStep) -> None:
    """What differed is equal again: a disk was not there, or somebody mended it."""
    delivery, said = step.delivery, step.error
    step.state, step.code, step.error, step.remedy, step.problems = StepState.DONE, "", "", "", []
    step.save(update_fields=["state", "code", "error", "remedy", "problems"])
    note(delivery, f"{step.get_kind_display()}: proven equal again", step=step.kind)
    audit.record(
        "proof.found_equal", delivery, rule=RULE, before={"error": said}, after={"state": step.state}
    )
    refresh_state(delivery)
    if delivery.gone_at and delivery.state == DeliveryState.WAITING:  # its other steps never ended
        delivery.state, delivery.reason, delivery.remedy = DeliveryState.GONE, "", ""
        delivery.save(update_fields=["state", "reason", "remedy"])


# ---- one at a time ----


class _Mine:
    """The job, while it is ours; every write of it is refused once the lease is lost."""

    def __init__(self, token: uuid.UUID) -> None:
        self._row = Proving.objects.filter(pk=1, token=token)
        self._is_lost, self._told = False, 0.0
        day_ago = (timezone.now() - TROUBLE_LASTS).isoformat()
        self._troubles = [one for one in self._row.get().troubles if one["at"] > day_ago]

    def must_stop(self) -> bool:
        return self._is_lost or bool(STOPPING.event.is_set())

    def begin(self, copy: Copy) -> None:
        began = timezone.now()
        self._write(delivery=copy.step.delivery, what=copy.what, started_at=began, done=0, total=0)

    def tell(self, done: int, total: int) -> None:
        if time.monotonic() - self._told >= 1:
            self._told = time.monotonic()
            self._write(done=done, total=total)

    def note_trouble(self, copy: Copy, trouble: Unproven) -> None:
        log.warning("%s", trouble)
        here = {"step": copy.step.pk, "at": timezone.now().isoformat(), "text": str(trouble)}
        self._troubles = [one for one in self._troubles if one["step"] != copy.step.pk] + [here]
        self._write(troubles=self._troubles)

    def had_trouble_with(self, copy: Copy) -> bool:
        """A disk that fails at the end of terabytes is not read to there every few minutes."""
        return any(one["step"] == copy.step.pk for one in self._troubles)

    def renew(self) -> None:
        self._write(lease_until=_expiry())

    def give_back(self) -> None:
        self._write(token=None, lease_until=None, delivery=None, what="", done=0, total=0)

    def _write(self, **values: Any) -> None:
        if not self._row.update(**values):
            self._is_lost = True


TROUBLE_LASTS = timedelta(days=1)


@contextmanager
def _in_hand() -> Iterator[_Mine | None]:
    """Hold the job for this process; None where another one has it."""
    Proving.objects.get_or_create(pk=1)
    token = uuid.uuid4()
    free = Q(token=None) | Q(lease_until=None) | Q(lease_until__lt=Now())
    claimed = Proving.objects.filter(free, pk=1).update(
        token=token, lease_until=_expiry(), worker=process_name()
    )
    if not claimed:
        yield None
        return
    mine = _Mine(token)
    with heartbeat(mine.renew, settings.SEQAUTO_HEARTBEAT_SECONDS):
        try:
            yield mine
        finally:
            mine.give_back()


def _expiry() -> Any:
    return Now() + timedelta(seconds=settings.SEQAUTO_LEASE_SECONDS)

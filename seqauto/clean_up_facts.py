"""Gathers what is known of a folder that might go: from the database, the disks and S3. Changes nothing.

A disk or an S3 that fails leaves its facts unknown; a database that fails raises, and nothing is decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.db.models import Max
from django.db.models.functions import Now
from django.utils import timezone

from sequencing.copying import CopyProblem, Listing, list_folder, manifest_path, read_manifest
from sequencing.copying.listing import Entry
from sequencing.disk import DiskError, is_gone, printable
from sequencing.kinds import kind_of_file
from sequencing.s3 import META_NAME, KnownObject, UploadProblem, prove_objects
from sequencing.s3.bucket import sizes_below
from sequencing.s3.calls import Calls

from .clean_up_rules import CleanUpRules
from .gates import BACKUP, FASTQS, FROM_THE_DATABASE, SOURCE, Facts, Seen, gates
from .holds import holds_at
from .incoming import looks_of
from .models import Delivery, DeliveryStep, Hold, IncomingFolder, Proof, Removal
from .models.clean_up import RemovalState
from .models.deliveries import DeliveryState, StepKind, StepState
from .s3_clients import s3_client, s3_options

S3_ATTEMPTS = 3  # of each call: a plan of many runs does not wait for minutes at each
AWAY = (RemovalState.QUARANTINED, RemovalState.REMOVING, RemovalState.REMOVED)
_MOST_NAMED = 3
_DISK_FAILS = (CopyProblem, DiskError, OSError)
Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the folder of a target stands; None where no step has made one, or no setting names its disk."""

    path: Path | None
    root: Path | None


@dataclass(frozen=True, slots=True)
class Survey:
    """The facts at one moment, by the database's clock, and what would go.

    `digest` is that of its listing, "" where nobody could list it; `manifest` tells of it file by file.
    """

    facts: Facts
    now: datetime
    files: int = 0
    bytes: int = 0
    digest: str = ""
    manifest: str = ""


def place_of(delivery: Delivery, target: str, rules: CleanUpRules) -> Place:
    if target == SOURCE:
        return Place(Path(delivery.path), Path(delivery.root))
    kind = StepKind.CONVERT if target == FASTQS else StepKind.BACK_UP
    folder = _figures(_steps(delivery), kind).get("folder")
    root = rules.delivery.fastq_dir if target == FASTQS else rules.delivery.backup_dir
    return Place(Path(folder) if folder else None, root)


def survey(
    delivery: Delivery,
    target: str,
    rules: CleanUpRules,
    at: Path | None = None,
    *,
    is_thorough: bool = False,
) -> Survey:
    """Look at everything anew; `at` is where the folder stands now, if it is in quarantine.

    Disks and S3 are asked only where the database alone does not close a gate already. A thorough look reads
    objects back that no checksum of S3 proves; another believes their last proof.
    """
    delivery = Delivery.objects.annotate(now=Now()).get(pk=delivery.pk)
    now = delivery.now
    steps = _steps(delivery)
    facts = _from_the_database(delivery, steps, _records([delivery], now), now)
    judged = gates(facts, rules.rules[target], now)
    if any(not gate.passed for gate in judged if gate.name in FROM_THE_DATABASE):
        return Survey(facts, now)
    return _Look(delivery, target, rules, at, steps, is_thorough).survey(facts, now)


# ---- the database ----


def known(deliveries: Sequence[Delivery], now: datetime) -> dict[int, Facts]:
    """What the database alone knows of many deliveries, by primary key; prefetch their steps.

    For pages, which wait for no disk and no network: what only a look would tell is not known.
    """
    records = _records(deliveries, now)
    return {one.pk: _from_the_database(one, _steps(one), records, now) for one in deliveries}


@dataclass(frozen=True, slots=True)
class _Records:
    """What is written of deliveries in other tables: holds and last proofs by delivery, troubles by root."""

    holds: Mapping[int, Hold]
    proofs: Mapping[int, Proof]
    troubles: Mapping[str, str]


def _records(deliveries: Sequence[Delivery], now: datetime) -> _Records:
    of = [delivery.pk for delivery in deliveries]
    newest = Proof.objects.filter(delivery__in=of, what=Proof.What.BACKUP).order_by().values("delivery")
    proofs = Proof.objects.filter(pk__in=newest.annotate(last=Max("pk")).values("last"))
    disks = IncomingFolder.objects.filter(path__in={delivery.root for delivery in deliveries})
    holds = holds_at(now).filter(delivery__in=of).order_by("created_at", "pk")
    return _Records(
        holds={hold.delivery_id: hold for hold in holds},
        proofs={proof.delivery_id: proof for proof in proofs},
        troubles={disk.path: disk.error for disk in disks.exclude(error="")},
    )


def _steps(delivery: Delivery) -> dict[str, DeliveryStep]:
    return {step.kind: step for step in delivery.steps.all()}


def _figures(steps: Mapping[str, DeliveryStep], kind: str) -> Figures:
    """What a step found and made; nothing unless it is done."""
    step = steps.get(kind)
    return step.figures if step and step.state == StepState.DONE else {}


def _from_the_database(
    delivery: Delivery, steps: Mapping[str, DeliveryStep], records: _Records, now: datetime
) -> Facts:
    settle = steps.get(StepKind.SETTLE)
    backup, upload = _figures(steps, StepKind.BACK_UP), _figures(steps, StepKind.UPLOAD)
    backed_up_at = _moment(backup.get("verified_at"))
    uploads = [_moment(project.get("uploaded_at")) for project in upload.get("projects", ())]
    verified, verified_at = _backup_verified(records.proofs.get(delivery.pk), backed_up_at)
    return Facts(
        delivered=_delivered(delivery),
        idle=_idle(delivery, steps, records.troubles.get(delivery.root, "")),
        unheld=_unheld(delivery, records.holds.get(delivery.pk)),
        converted=_converted(delivery, _figures(steps, StepKind.CONVERT)),
        uploaded=_uploaded(_figures(steps, StepKind.CONVERT), upload),
        backup_verified=verified,
        backup_verified_at=verified_at,
        found_at=delivery.found_at,
        settled_at=settle.ended_at if settle and settle.state == StepState.DONE else None,
        backed_up_at=backed_up_at,
        uploaded_at=max((at for at in uploads if at), default=None) if all(uploads) else None,
        delivered_at=delivery.delivered_at,
    )


def _moment(text: object) -> datetime | None:
    """A date of a step's figures; None for one that is none, or says no zone."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _delivered(delivery: Delivery) -> Seen:
    state = f"{delivery.get_state_display()}. {delivery.reason}".strip()
    return Seen(delivery.state == DeliveryState.DELIVERED, state)


_OF_EVERY_RUN = (StepKind.SETTLE, StepKind.BACK_UP, StepKind.CONVERT, StepKind.UPLOAD)


def _idle(delivery: Delivery, steps: Mapping[str, DeliveryStep], trouble: str) -> Seen:
    open_steps = [f"{step.get_kind_display()}: {step.get_state_display()}" for step in steps.values()
                  if step.state != StepState.DONE]  # fmt: skip
    missing = [kind.label for kind in _OF_EVERY_RUN if kind not in steps]
    if open_steps or missing:
        return Seen(False, f"Not done: {', '.join(open_steps + missing)}.")
    if delivery.needs_a_person:
        return Seen(False, f"It waits for a person: {delivery.reason}")
    return Seen(False, trouble) if trouble else Seen(True, "Every step is done.")


def _unheld(delivery: Delivery, hold: Hold | None) -> Seen:
    if delivery.is_held:
        return Seen(False, "The delivery is on hold.")
    if hold is None:
        return Seen(True, "No hold.")
    until = f" until {hold.until:%Y-%m-%d}" if hold.until else ""
    return Seen(False, f"{hold.user_name} holds it{until}: {hold.reason}")


def _converted(delivery: Delivery, made: Figures) -> Seen:
    files = made.get("files")
    if not files:
        return Seen(False, "No FASTQs are recorded.")
    if not delivery.listing or made.get("run_listing") != delivery.listing:
        return Seen(False, "The FASTQs were made before files of the run changed.")
    return Seen(True, f"{len(files):,} FASTQs of {made.get('converter', 'a converter')}, all judged.")


def _uploaded(made: Figures, upload: Figures) -> Seen:
    """Every FASTQ of a sample is an object of its size, with its checksum; no object proves nothing."""
    projects = upload.get("projects") or []
    objects = [one for project in projects for one in project.get("objects", ())]
    if not upload.get("bucket") or not objects:
        return Seen(False, "No objects are recorded.")
    unproven = [project["project"] for project in projects if not project.get("verified_by")]
    unproven += [one["key"] for one in objects if not str(one.get("checksum", "")).startswith("md5 ")]
    if unproven:
        return Seen(False, f"Not verified: {_some(unproven)}.")
    wanted = Counter(
        (one["path"].rpartition("/")[2], one["size"])
        for one in made.get("files", ())
        if one["sample_id"] != "Undetermined"
    )
    there = Counter((one["key"].rpartition("/")[2], one["size"]) for one in objects)
    missing = wanted - there
    if missing or not wanted or any(not _has_meta(project) for project in projects):
        names = [name for name, _size in missing] or [META_NAME]
        return Seen(False, f"Not among the objects: {_some(names)}.")
    size = sum(one["size"] for one in objects)
    return Seen(
        True, f"{len(objects):,} objects, {size:,} bytes, in s3://{upload['bucket']}, each with its MD5."
    )


def _has_meta(project: Figures) -> bool:
    return any(one["key"].endswith(f"/{META_NAME}") for one in project.get("objects", ()))


def _backup_verified(newest: Proof | None, backed_up_at: datetime | None) -> tuple[Seen, datetime | None]:
    """The newest word on the backup: read again since, or read back when it was made."""
    proof = _since(newest, backed_up_at)
    if proof:
        said = f"Read again on {proof.at:%Y-%m-%d %H:%M}: "
        said += f"{proof.bytes:,} bytes as in the manifest." if proof.is_good else _some(proof.differences)
        return Seen(proof.is_good, said), proof.at
    if backed_up_at is None:
        return Seen(False, "The backup was never verified."), None
    return Seen(
        True, f"Read back and equal when it was made, on {backed_up_at:%Y-%m-%d %H:%M}."
    ), backed_up_at


def _newest_proof(delivery: Delivery, what: str, made_at: datetime | None) -> Proof | None:
    """The last proof of what was made at that time; those of what stood there before count no more."""
    return _since(delivery.proofs.filter(what=what).order_by("-pk").first(), made_at)


def _since(proof: Proof | None, made_at: datetime | None) -> Proof | None:
    return proof if proof and (made_at is None or proof.at >= made_at) else None


# ---- disks and S3 ----


class _Look:
    """One look at all places that hold a run."""

    def __init__(
        self,
        delivery: Delivery,
        target: str,
        rules: CleanUpRules,
        at: Path | None,
        steps: Mapping[str, DeliveryStep],
        is_thorough: bool,
    ) -> None:
        self.is_thorough = is_thorough
        self.delivery, self.target, self.rules, self.steps = delivery, target, rules, steps
        self.place = place_of(delivery, target, rules)
        self.at = at
        self.made = _figures(steps, StepKind.CONVERT)
        self.upload = _figures(steps, StepKind.UPLOAD)

    def survey(self, facts: Facts, now: datetime) -> Survey:
        listing, target = self._target()
        facts = replace(
            facts,
            target=target,
            unchanged=_asked(self._unchanged),
            backup_stands=_asked(self._backup_stands),
            another_copy=_asked(self._another_copy),
        )
        in_s3, in_s3_at, s3_clock = self._in_s3(now)
        clocks = {"this machine": timezone.now(), "S3": s3_clock}
        facts = replace(facts, in_s3=in_s3, in_s3_at=in_s3_at, clocks=clocks)
        if listing is None:
            return Survey(facts, now)
        return Survey(facts, now, listing.files, listing.bytes, listing.digest, self._manifest(listing))

    def _standing_at(self, target: str) -> Path | None:
        """Where a target's folder stands at this moment."""
        return self.at if self.at and target == self.target else place_of(
            self.delivery, target, self.rules).path  # fmt: skip

    def _target(self) -> tuple[Listing | None, Seen]:
        path, root = self.place.path, self.place.root
        if path is None or root is None or root not in path.parents:
            return None, Seen(False, f"{path or 'Its folder'} lies in no folder that the settings name.")
        try:
            listing = list_folder(self.at or path)
            return listing, self._as_proven(listing)
        except _DISK_FAILS as failure:
            return None, Seen(False if is_gone(str(self.at or path)) else None, _words(failure))

    def _as_proven(self, listing: Listing) -> Seen:
        if listing.problems or not listing.files:
            found = [f"{printable(path)} {why}" for path, why in listing.problems]
            return Seen(False, f"Not all of it can be read: {_some(found)}." if found else "It is empty.")
        told = f"{listing.files:,} files, {listing.bytes:,} bytes"
        if self.target == FASTQS and not self.made.get("listing"):
            return Seen(None, f"{told}; nobody knows what was there when they were made. Convert again.")
        if self.target == FASTQS and self.made["listing"] != listing.digest:
            return Seen(False, f"{told}: files came, changed or went since they were made.")
        if self.target == BACKUP and (differ := self._differs_from_manifest(listing, with_times=False)):
            return Seen(False, f"Not as in its manifest: {_some(differ)}.")
        return Seen(True, f"{told} in {printable(str(self.place.path))}.")

    def _unchanged(self) -> Seen:
        path = self._standing_at(SOURCE)
        if self.target != SOURCE and is_gone(str(path)):
            return self._gone()
        is_same = bool(self.delivery.listing) and looks_of(str(path)).data == self.delivery.listing
        return Seen(is_same, "Listed now: nothing changed." if is_same else "Files of the run changed.")

    def _gone(self) -> Seen:
        """A run folder that is away does not change any more; whether it may be away others say."""
        away = Removal.objects.filter(delivery=self.delivery, target=SOURCE, state__in=AWAY).exists()
        is_known = away or self.delivery.gone_at is not None
        return Seen(True if is_known else None, "It was removed." if away else "It is not there any more.")

    def _backup_stands(self) -> Seen:
        backup = self._standing_at(BACKUP)
        if backup is None:
            return Seen(False, "No backup is recorded.")
        if is_gone(str(backup)):
            return Seen(False, f"{backup} is not there.")
        if differ := self._differs_from_manifest(list_folder(backup), with_times=False):
            return Seen(False, f"{backup} is not as in its manifest: {_some(differ)}.")
        source = self._standing_at(SOURCE)
        if source and not is_gone(str(source)) and (differ := self._only_in_one(source)):
            return Seen(False, f"Run folder and backup differ: {_some(differ)}.")
        return Seen(True, f"{backup} holds all of it, by names, sizes and times.")

    def _another_copy(self) -> Seen:
        """For a backup: the run folder, or FASTQs in S3 where a lab says that they suffice."""
        source = self._standing_at(SOURCE)
        if source and not is_gone(str(source)) and not self._only_in_one(source):
            return Seen(True, f"{source} holds all of it, by names, sizes and times.")
        if self.rules.fastqs_suffice:
            return Seen(True, "FASTQs in S3 suffice here.")
        return Seen(False, "This is the only copy of the base calls.")

    def _only_in_one(self, source: Path) -> list[str]:
        """The paths that the run folder has otherwise than the backup."""
        differ = self._differs_from_manifest(list_folder(source), with_times=True)
        return [path for path in differ if not self._is_kept_sheet(source, path)]

    def _differs_from_manifest(self, listing: Listing, *, with_times: bool) -> list[str]:
        """The paths that a listing has otherwise than the backup's manifest; times are those of the run."""
        backup = place_of(self.delivery, BACKUP, self.rules).path
        if backup is None:
            return ["no manifest"]
        entries = read_manifest(manifest_path(backup)).entries
        if not entries or listing.problems:
            return [path for path, _why in listing.problems] or ["no file is in the manifest"]
        return sorted({one[0] for one in _looks(entries, with_times) ^ _looks(listing.entries, with_times)})

    def _is_kept_sheet(self, source: Path, inside: str) -> bool:
        """Whether it is a sample sheet that people edited after the backup, kept beside the FASTQs too."""
        if "/" in inside or kind_of_file(inside) != "sample_sheet" or not (source / inside).is_file():
            return False
        kept = Path(str(self.made.get("folder", ""))).parent / "SampleSheet.csv"
        wanted = self.made.get("sheet_sha256")
        return bool(wanted) and all(
            path.is_file() and sha256(path.read_bytes()).hexdigest() == wanted
            for path in (source / inside, kept)
        )

    def _in_s3(self, now: datetime) -> tuple[Seen, datetime | None, datetime | None]:
        """Whether all objects are there now; when that was last proven; and what time it is there."""
        objects = list(_objects(self.upload))
        if not objects:
            return Seen(False, "No objects are recorded."), None, None
        bucket = str(self.upload["bucket"])
        options = replace(s3_options(self.rules.delivery.s3), attempts=S3_ATTEMPTS)
        options = replace(options, read_back="auto" if self.is_thorough else "never")
        try:
            client = s3_client(self.rules.delivery.s3)
            calls = Calls(client, bucket, options)
            clock = _clock_of(calls.ask("head_bucket"))
            try:
                differ = prove_objects(client, bucket, objects, options).differences
                proven_at: datetime | None = now
            except UploadProblem as problem:
                if problem.code != "unverified":
                    raise
                differ, proven_at = self._sizes_differ(calls, objects), self._last_proven()
        except Exception as error:  # noqa: BLE001  whatever it is, nobody knows what S3 holds
            return Seen(None, f"S3 did not answer: {error}"), None, None
        proof = _newest_proof(self.delivery, Proof.What.S3, None)
        if proof and not proof.is_good and proven_at != now:
            differ = (*differ, *proof.differences)
        if differ:
            return Seen(False, _some(differ)), None, clock
        told = f"{len(objects):,} objects asked for now in s3://{bucket}, each of its size"
        by = "with our checksum" if proven_at == now else "its content proven before"
        return Seen(True, f"{told}, {by}."), proven_at, clock

    def _sizes_differ(self, calls: Calls, objects: Iterable[KnownObject]) -> tuple[str, ...]:
        """For servers that tell no checksum: what is missing or has another size."""
        there: dict[str, int] = {}
        for project in self.upload["projects"]:
            there |= sizes_below(calls, project["prefix"])
        return tuple(
            f"s3://{calls.bucket}/{one.key} is missing or has another size"
            for one in objects
            if there.get(one.key) != one.size
        )

    def _last_proven(self) -> datetime | None:
        """When the content of all objects was last proven: by a proof since, or when they were uploaded."""
        uploads = [_moment(project.get("uploaded_at")) for project in self.upload["projects"]]
        uploaded_at = max((at for at in uploads if at), default=None)
        proof = _newest_proof(self.delivery, Proof.What.S3, uploaded_at)
        return proof.at if proof else uploaded_at

    def _manifest(self, listing: Listing) -> str:
        """What would go, file by file: with the hashes of the backup, or the MD5s of what was uploaded."""
        if self.target == FASTQS:
            md5s = {(Path(one.key).name, one.size): one.md5 for one in _objects(self.upload)}
            return "".join(_line(entry, md5s.get((Path(entry.path).name, entry.size), "")) for entry in
                           listing.entries)  # fmt: skip
        try:
            backup = place_of(self.delivery, BACKUP, self.rules).path
            return manifest_path(backup).read_text("ascii") if backup else ""
        except (OSError, ValueError):  # told by other gates
            return ""


def _looks(entries: Iterable[Entry], with_times: bool) -> set[tuple[str, str, int, str, int]]:
    return {
        (one.path, one.kind, one.size, one.target, one.mtime_ns if with_times and one.kind == "file" else 0)
        for one in entries
    }


def _line(entry: Entry, md5: str) -> str:
    """As in manifests: names as in Python's source code."""
    path = entry.path.encode("unicode_escape").decode("ascii")
    return f"{entry.kind}\t{entry.size}\t{entry.mtime_ns}\t{md5}\t{path}\n"


def _objects(upload: Figures) -> Iterator[KnownObject]:
    for project in upload.get("projects", ()):
        for one in project.get("objects", ()):
            yield KnownObject(
                one["key"], one["size"], one["checksum"].removeprefix("md5 "), one.get("crc32", "")
            )


def _clock_of(answer: Mapping[str, Any]) -> datetime | None:
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(said)
    except (TypeError, ValueError):
        return None


def _asked(look: Callable[[], Seen]) -> Seen:
    """What a look at a disk saw; nobody knows where the disk fails."""
    try:
        return look()
    except _DISK_FAILS as failure:
        return Seen(None, _words(failure))


def _words(failure: BaseException) -> str:
    return getattr(failure, "sentence", "") or str(failure)


def _some(texts: Iterable[str]) -> str:
    named = [printable(str(text)) for text in texts]
    more = f", and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return ", ".join(named[:_MOST_NAMED]) + more

"""Gathers all that is known of a folder that might go: from the database, the disks and S3. Changes nothing.

A disk or an S3 that fails leaves its facts unknown; a database that fails raises, and nothing is decided.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from django.db.models.functions import Now, TruncDate
from django.utils import timezone

from sequencing.copying import (
    CopyProblem,
    Entry,
    Listing,
    Manifest,
    list_folder,
    manifest_path,
    read_manifest,
    verify,
)
from sequencing.disk import DiskError, empty_folder_above, is_gone, printable
from sequencing.kinds import kind_of_file
from sequencing.removing import RemoveProblem, refuse_mounts

from .clean_up_facts import facts_of, figures_of, place_of, records_of, some, steps_of
from .clean_up_rules import CleanUpRules
from .clean_up_s3 import look_at_s3
from .delivery_work import STOPPING
from .gates import BACKUP, FASTQS, FROM_THE_DATABASE, SOURCE, Facts, Seen, gates, proven_since
from .models import Delivery, DeliveryStep, DiskReading, Proof, Removal
from .models.clean_up import AWAY
from .models.deliveries import StepKind
from .proving import known_objects, manifest_difference
from .removal_manifest import manifest_text, strange_names
from .settling import looks_of

_DISK_FAILS = (CopyProblem, DiskError, RemoveProblem, OSError)


@dataclass(frozen=True, slots=True)
class Survey:
    """The facts at one moment, by the database's clock, and what would go.

    `digest` is that of its listing, "" where nobody could list it; `manifest` tells of it name by name.
    """

    facts: Facts
    now: datetime
    files: int = 0
    bytes: int = 0
    digest: str = ""
    manifest: str = ""


def survey(
    delivery: Delivery,
    target: str,
    rules: CleanUpRules,
    at: Path | None = None,
    *,
    is_thorough: bool = False,
    rest_of: str | None = None,
) -> Survey:
    """Look at everything anew; `at` is where the folder stands now, if it is in quarantine.

    Disks and S3 are asked only where the database alone does not close a gate already. A thorough look reads
    the copy that stays instead of a backup, and objects that no checksum of S3 proves; another believes their
    last proof. `rest_of` is the manifest of a folder that is half removed: all that is left must be in it.
    """
    delivery = Delivery.objects.annotate(now=Now()).get(pk=delivery.pk)
    now: datetime = delivery.now
    steps = steps_of(delivery)
    facts = facts_of(delivery, steps, records_of([delivery], now, fastqs_suffice=rules.fastqs_suffice))
    judged = gates(facts, rules.rules[target], now)
    if any(not gate.passed for gate in judged if gate.name in FROM_THE_DATABASE):
        return Survey(facts, now)
    look = _Look(delivery, target, rules, steps, at, rest_of)
    return look.survey(facts, now, is_thorough=is_thorough)


class _Look:
    """One look at all places that hold a run."""

    def __init__(
        self,
        delivery: Delivery,
        target: str,
        rules: CleanUpRules,
        steps: Mapping[str, DeliveryStep],
        at: Path | None,
        rest_of: str | None,
    ) -> None:
        self.delivery, self.target, self.rules, self.steps = delivery, target, rules, steps
        self.place, self.at, self.rest_of = place_of(delivery, target, rules), at, rest_of
        self.backup = place_of(delivery, BACKUP, rules)
        self.made = figures_of(steps, StepKind.CONVERT)
        self.upload = figures_of(steps, StepKind.UPLOAD)

    def survey(self, facts: Facts, now: datetime, *, is_thorough: bool) -> Survey:
        listing, target = self._target()
        if listing is None and target.is_so is False:  # what is not there needs no look at its copies
            return Survey(replace(facts, target=target), now)
        since = proven_since(facts)
        s3 = look_at_s3(self.delivery, self.upload, self.rules.delivery.s3, now, is_thorough=is_thorough)
        facts = replace(
            facts,
            target=target,
            unchanged=_asked(self._unchanged),
            backup_stands=_asked(self._backup_stands),
            another_copy=facts.another_copy
            if facts.another_copy.is_so is False
            else _asked(lambda: self._another_copy(s3.expiring, is_thorough)),
            in_s3=s3.seen,
            in_s3_at=s3.proven_at,
            clocks={"this machine": timezone.now(), "S3": s3.clock},
            newest_file_at=self._newest_file_at(),
            days_seen=_days_seen(since, now),
        )
        if listing is None:
            return Survey(facts, now)
        text = manifest_text(listing.entries, self._hashes())
        return Survey(facts, now, listing.files, listing.bytes, listing.digest, text)

    # ---- what would go ----

    def _target(self) -> tuple[Listing | None, Seen]:
        path, root = self.place.path, self.place.root
        if path is None or root is None or root not in path.parents:
            return None, Seen(False, f"{path or 'Its folder'} lies in no folder that the settings name.")
        try:
            listing = list_folder(self.at or path)
            return listing, self._as_proven(listing)
        except _DISK_FAILS as failure:
            if not is_gone(str(self.at or path)):
                return None, Seen(None, _words(failure))
            return None, _missing(self.at or path, root)

    def _as_proven(self, listing: Listing) -> Seen:
        if listing.problems:
            found = [f"{printable(path)} {why}" for path, why in listing.problems]
            return Seen(False, f"Not all of it can be read: {some(found)}.")
        told = f"{listing.files:,} files, {listing.bytes:,} bytes"
        if self.rest_of is not None:
            strange = strange_names(self.rest_of, listing.entries)
            left = f"{told} are left of it"
            return Seen(not strange, f"{left}; never proven: {some(strange)}." if strange else f"{left}.")
        if not listing.files:
            return Seen(False, "It is empty.")
        if self.target == FASTQS and not self.made.get("listing"):
            return Seen(None, f"{told}; nobody knows what was there when they were made. Convert again.")
        if self.target == FASTQS and self.made["listing"] != listing.digest:
            return Seen(False, f"{told}: files came, changed or went since they were made.")
        if self.target == BACKUP and (differ := self._differs_from_manifest(listing, with_times=False)):
            return Seen(False, f"Not as in its manifest: {some(differ)}.")
        return Seen(True, f"{told} in {printable(str(self.place.path))}.")

    def _hashes(self) -> Callable[[Entry], str]:
        """What is known of a file's content: by the backup's manifest, or by the MD5 of its object."""
        if self.target == FASTQS:
            md5s = {(Path(one.key).name, one.size): one.md5 for one in known_objects(self.upload)}
            return lambda entry: md5s.get((Path(entry.path).name, entry.size), "")
        try:
            entries = self.manifest.entries
        except _DISK_FAILS:  # told by other gates
            entries = ()
        hashes = {one.path: one for one in entries}
        return lambda entry: one.hash if (one := hashes.get(entry.path)) and self._is_same(one, entry) else ""

    def _is_same(self, known: Entry, entry: Entry) -> bool:
        same_time = self.target == BACKUP or known.mtime_ns == entry.mtime_ns
        return (known.kind, known.size) == (entry.kind, entry.size) and same_time

    # ---- the copies that stay ----

    def _standing_at(self, target: str) -> Path | None:
        """Where a target's folder stands at this moment."""
        return self.at if self.at and target == self.target else place_of(
            self.delivery, target, self.rules).path  # fmt: skip

    def _unchanged(self) -> Seen:
        path = self._standing_at(SOURCE)
        if self.target == SOURCE and self.rest_of is not None:
            return Seen(True, "It was as it was delivered when its removal began.")
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
            return _missing(backup, self.backup.root)
        if shared := self._shared_with_what_goes(backup):
            return Seen(False, shared)
        listing = list_folder(backup)
        if differ := self._differs_from_manifest(listing, with_times=False) or self._other_manifest():
            return Seen(False, f"{backup} is not as in its manifest: {some(differ)}.")
        if listing.stamp not in self._proven_stamps():
            again = f"“manage.py verify_runs --run {self.delivery.name}” proves it again"
            return Seen(False, f"Files of {backup} were written or replaced after its last proof; {again}.")
        source = self._standing_at(SOURCE)
        if source and not is_gone(str(source)) and (differ := self._only_in_one(source)):
            return Seen(False, f"Run folder and backup differ: {some(differ)}.")
        return Seen(True, f"{backup} holds all of it, by names, sizes and times.")

    def _proven_stamps(self) -> set[str]:
        """Of the backup, whenever it was read and found good. No clock is asked: file servers have theirs."""
        good = Proof.objects.filter(delivery=self.delivery, what=Proof.What.BACKUP, is_good=True)
        when_made = str(figures_of(self.steps, StepKind.BACK_UP).get("verified_stamp", ""))
        return {when_made, *good.values_list("stamp", flat=True)} - {""}

    def _another_copy(self, expiring: tuple[str, ...], is_thorough: bool) -> Seen:
        """For a backup: the run folder, or FASTQs in S3 where a lab says that they suffice."""
        source = self._standing_at(SOURCE)
        seen = (
            self._source_is_a_copy(source, is_thorough)
            if source
            else Seen(False, "No run folder is recorded.")
        )
        if seen.is_so or not self.rules.fastqs_suffice:
            return seen
        if expiring:
            return Seen(False, f"FASTQs in S3 would suffice, but they are going to expire: {some(expiring)}.")
        return Seen(True, "FASTQs in S3 suffice here; Undetermined reads are lost for ever.")

    def _source_is_a_copy(self, source: Path, is_thorough: bool) -> Seen:
        only = "This is the only copy of the base calls."
        if is_gone(str(source)):
            missing = _missing(source, Path(self.delivery.root))
            return missing if missing.is_so is None else Seen(False, f"{only} {missing.text}")
        if shared := self._shared_with_what_goes(source):
            return Seen(False, f"{only} {shared}")
        if differ := self._only_in_one(source) or self._other_manifest():
            return Seen(False, f"{only} Run folder and backup differ: {some(differ)}.")
        if not is_thorough:
            by = "by names, sizes and times; each byte is read before anything moves"
            return Seen(True, f"{source} holds all of it, {by}.")
        if other := self._contents_differ(source):
            return Seen(False, f"{only} The content of the run folder is another: {some(other)}.")
        return Seen(True, f"{source} was read now: all of it is as in the backup's manifest.")

    def _shared_with_what_goes(self, stays: Path) -> str:
        """Why a copy is none of its own: it is the very folder that goes, shown at a second place, or ""."""
        goes = self._standing_at(self.target)
        try:
            refuse_mounts(stays)
        except RemoveProblem as problem:
            if problem.code != "mounted":
                raise
            return f"{problem.sentence} It may show what is going to be removed."
        if goes is None or is_gone(str(goes)):
            return ""
        return f"{stays} and {goes} are one folder." if os.path.samefile(stays, goes) else ""

    # ---- the backup's manifest ----

    @cached_property
    def manifest(self) -> Manifest:
        """What the backup was proven by. Raises CopyProblem where it cannot be read."""
        return read_manifest(self._manifest_path)

    @property
    def _manifest_path(self) -> Path:
        if self.backup.path is None:
            raise CopyProblem("unreadable", "No backup is recorded.", "Back it up.")
        return manifest_path(self.backup.path)

    def _other_manifest(self) -> list[str]:
        digest = sha256(self._manifest_path.read_bytes()).hexdigest()
        differ = manifest_difference(self.steps[StepKind.BACK_UP], digest)
        return [differ] if differ else []

    def _only_in_one(self, source: Path) -> list[str]:
        """The paths that the run folder has otherwise than the backup, but for sheets that are kept."""
        is_rest = self.target == SOURCE and self.rest_of is not None
        differ = self._differs_from_manifest(list_folder(source), with_times=True, is_rest=is_rest)
        return [path for path in differ if not self._is_kept_sheet(source, path)]

    def _differs_from_manifest(
        self, listing: Listing, *, with_times: bool, is_rest: bool = False
    ) -> list[str]:
        """The paths that a listing has otherwise than the backup's manifest; times are those of the run.

        Of a rest, what is missing is no difference.
        """
        entries = self.manifest.entries
        if not entries or listing.problems:
            return [path for path, _why in listing.problems] or ["no file is in the manifest"]
        known, found = _looks(entries, with_times), _looks(listing.entries, with_times)
        return sorted({one[0] for one in (found - known if is_rest else found ^ known)})

    def _contents_differ(self, source: Path) -> tuple[str, ...]:
        """Read the run folder from first byte to last; sheets that people edited are kept elsewhere too."""
        differ = self._differs_from_manifest(list_folder(source), with_times=True)
        sheets = {path for path in differ if self._is_kept_sheet(source, path)}
        return verify(source, self.manifest, but=sheets, stop=STOPPING.event.is_set)

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

    def _newest_file_at(self) -> datetime | None:
        """By the instrument's clock: a backup keeps the times of its run."""
        try:
            times = [entry.mtime_ns for entry in self.manifest.entries if entry.kind == "file"]
        except _DISK_FAILS:  # told by other gates
            return None
        return datetime.fromtimestamp(max(times) / 1e9, UTC) if times else None


def _looks(entries: Iterable[Entry], with_times: bool) -> set[tuple[str, str, int, str, int]]:
    return {
        (one.path, one.kind, one.size, one.target, one.mtime_ns if with_times and one.kind == "file" else 0)
        for one in entries
    }


def _missing(folder: Path, root: Path | None) -> Seen:
    """A folder that is gone; where its disk seems to be away, nobody knows that."""
    if root is None or is_gone(str(root)) or empty_folder_above(str(folder), str(root)):
        return Seen(None, f"{folder} is not there, nor is anything else. Is its disk mounted?")
    return Seen(False, f"{folder} is not there.")


def _days_seen(since: datetime | None, now: datetime) -> int | None:
    """On how many days free space was written down, as every watcher does all day long."""
    if since is None:
        return None
    days = DiskReading.objects.filter(at__gt=since, at__lte=now).order_by().annotate(day=TruncDate("at"))
    return days.values("day").distinct().count()


def _asked(look: Callable[[], Seen]) -> Seen:
    """What a look at a disk saw; nobody knows where the disk fails."""
    try:
        return look()
    except _DISK_FAILS as failure:
        return Seen(None, _words(failure))


def _words(failure: BaseException) -> str:
    return getattr(failure, "sentence", "") or str(failure)

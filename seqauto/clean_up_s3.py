"""Asks S3 for the objects of a run that might be removed here. Whatever fails leaves it unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sequencing.s3 import KnownObject, UploadProblem, prove_objects
from sequencing.s3.bucket import sizes_below
from sequencing.s3.calls import Calls

from .clean_up_facts import Figures, moment, newest_proof, some
from .delivery_rules import S3Rules
from .gates import Seen
from .models import Delivery, Proof
from .proving import known_objects
from .s3_clients import s3_client, s3_options

S3_ATTEMPTS = 3  # of each call: a plan of many runs does not wait for minutes at each


@dataclass(frozen=True, slots=True)
class SeenInS3:
    """Whether all objects are there, when that was last proven, and what time it is there.

    `expiring` tells of objects which a rule of their bucket is going to remove.
    """

    seen: Seen
    proven_at: datetime | None = None
    clock: datetime | None = None
    expiring: tuple[str, ...] = ()


_Place = tuple[str, str]  # endpoint, bucket
_silent: ContextVar[dict[_Place, str] | None] = ContextVar("silent", default=None)


@contextmanager
def asking_the_silent_once() -> Iterator[None]:
    """In here a bucket that did not answer is not asked again: of many runs only the first waits for it."""
    known = _silent.get()
    token = _silent.set({} if known is None else known)
    try:
        yield
    finally:
        _silent.reset(token)


def look_at_s3(
    delivery: Delivery, upload: Figures, rules: S3Rules, now: datetime, *, is_thorough: bool
) -> SeenInS3:
    """Ask for every object of an upload; a thorough look reads back what no checksum proves."""
    objects = known_objects(upload) if upload else ()
    if not objects:
        return SeenInS3(Seen(False, "No objects are recorded."))
    bucket, silent = str(upload["bucket"]), _silent.get()
    place = (rules.endpoint_url, bucket)
    if silent and place in silent:
        return SeenInS3(Seen(None, f"S3 was not asked again, as it did not answer before: {silent[place]}"))
    options = replace(s3_options(rules), attempts=S3_ATTEMPTS)
    options = replace(options, read_back="auto" if is_thorough else "never")
    try:
        client = s3_client(rules)
        clock = _clock_of(Calls(client, bucket, options).ask("head_bucket"))
        try:
            look = prove_objects(client, bucket, objects, options)
            differ, expiring, proven_at = look.differences, look.expiring, now
        except UploadProblem as problem:
            if problem.code != "unverified":
                raise
            return _by_sizes(delivery, upload, Calls(client, bucket, options), clock)
    except Exception as error:  # noqa: BLE001  whatever it is, nobody knows what S3 holds
        said = getattr(error, "sentence", "") or str(error)  # its remedy speaks of a delivery's page
        if silent is not None and getattr(error, "code", "") == "unavailable":
            silent[place] = said
        return SeenInS3(Seen(None, f"S3 did not answer: {said}"))
    if differ:
        return SeenInS3(Seen(False, some(differ)), None, clock)
    told = f"{_asked_for(objects, bucket)}, with our checksum."
    if expiring:
        told += f" A rule of the bucket removes some of them: {some(expiring)}."
    return SeenInS3(Seen(True, told), proven_at, clock, expiring)


def _by_sizes(delivery: Delivery, upload: Figures, calls: Calls, clock: datetime | None) -> SeenInS3:
    """For servers that tell no checksum: what stands there now, of which the last proof tells the content."""
    objects = known_objects(upload)
    differ = _sizes_differ(upload, calls, objects)
    proof = newest_proof(delivery, Proof.What.S3, None)
    if proof and not proof.is_good:
        differ = (*differ, *proof.differences) or ("Their last proof was not good",)
    if differ:
        return SeenInS3(Seen(False, some(differ)), None, clock)
    told = f"{_asked_for(objects, calls.bucket)}, its content proven before."
    return SeenInS3(Seen(True, told), _last_proven(delivery, upload), clock)


def _asked_for(objects: Sequence[KnownObject], bucket: str) -> str:
    return f"{len(objects):,} objects asked for now in s3://{bucket}, each of its size"


def _sizes_differ(upload: Figures, calls: Calls, objects: Iterable[KnownObject]) -> tuple[str, ...]:
    """What is missing or has another size."""
    there: dict[str, int] = {}
    for project in upload["projects"]:
        there |= sizes_below(calls, project["prefix"])
    return tuple(
        f"s3://{calls.bucket}/{one.key} is missing or has another size"
        for one in objects
        if there.get(one.key) != one.size
    )


def _last_proven(delivery: Delivery, upload: Figures) -> datetime | None:
    """When the content of all objects was last proven: by a proof since, or when they were uploaded."""
    uploads = [moment(project.get("uploaded_at")) for project in upload["projects"]]
    uploaded_at = max((at for at in uploads if at), default=None)
    proof = newest_proof(delivery, Proof.What.S3, uploaded_at)
    return proof.at if proof else uploaded_at


def _clock_of(answer: Mapping[str, Any]) -> datetime | None:
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return parsedate_to_datetime(said)
    except (TypeError, ValueError):
        return None

"""Proves objects anew that were proven when they were uploaded: are they there still, and the same?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from ..illumina.errors import shown
from .bucket import check_bucket
from .calls import Calls, Options, Refused, UploadProblem, stopped
from .evidence import same_as_known
from .sending import digest_of

_BEAT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class KnownObject:
    """What was proven of an object: `crc32` in base64, "" where its server had not shown that it checks."""

    key: str
    size: int
    md5: str
    crc32: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What became of objects: `differences`, a sentence each, () = none; `bytes_read` were read back.

    `expiring` tells, a sentence each, of objects that a lifecycle rule of their bucket is going to remove.
    """

    differences: tuple[str, ...]
    bytes_read: int
    expiring: tuple[str, ...] = ()


class _OneLook(NamedTuple):
    """How one object differs, how many bytes of it were read back, and when it expires; "" where not."""

    difference: str
    bytes_read: int = 0
    expires: str = ""


def prove_objects(
    client: Any,
    bucket: str,
    objects: Sequence[KnownObject],
    options: Options,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> Look:
    """Ask for each object, and read back those that no checksum proves, as `options.read_back` has it.

    Only an answer that an object is absent or different is a difference; no objects at all are never proven.
    `progress` hears the objects looked at and all of them; it and `stop` are called from the caller's thread.
    Raises UploadProblem where S3 cannot be asked, or neither checksum nor reading back can tell.
    """
    calls = Calls(client, bucket, options, stop=stop)
    check_bucket(calls)
    with ThreadPoolExecutor(options.threads, thread_name_prefix="prove") as pool:
        looks = [pool.submit(partial(_look_at, calls, known)) for known in objects]
        try:
            waiting = set(looks)
            while waiting:
                done, waiting = wait(waiting, _BEAT_SECONDS)
                for one in done:
                    one.result()
                progress(len(looks) - len(waiting), len(looks))
                if stop():
                    raise stopped()
        except BaseException:
            calls.halt.set()
            pool.shutdown(cancel_futures=True)
            raise
    found = [look.result() for look in looks]
    differ = tuple(one.difference for one in found if one.difference)
    if differ:
        check_bucket(calls)  # still: an object that went with its bucket is not lost
    nothing = () if objects else (f"s3://{bucket}: no object is named",)
    expiring = tuple(one.expires for one in found if one.expires)
    return Look(nothing + differ, sum(one.bytes_read for one in found), expiring)


def _look_at(calls: Calls, known: KnownObject) -> _OneLook:
    name = f"s3://{calls.bucket}/{shown(known.key, 500)}"
    if calls.halt.is_set():
        raise stopped()
    try:
        head = calls.ask("head_object", Key=known.key, ChecksumMode="ENABLED")
        size, read_back = head.get("ContentLength"), calls.options.read_back
        if size != known.size:
            return _OneLook(f"{name} has {size} bytes and not {known.size:,}")
        expires = f"{name}: {shown(head['Expiration'], 500)}" if head.get("Expiration") else ""
        if same_as_known(head, known.md5, known.crc32) and read_back != "always":
            return _OneLook("", 0, expires)
        if read_back == "never":
            sentence = f"{name} has no checksum that proves it, and reading back is off"
            raise UploadProblem("unverified", sentence, "Allow it to be read back, then prove it again.")
        found = calls.retry("get_object", lambda: digest_of(calls, known.key))
    except Refused as error:
        if not error.is_absence:
            raise
        return _OneLook(f"{name} is not there")
    differs = "" if found == (known.size, known.md5) else f"{name} holds something else"
    return _OneLook(differs, found[0], expires)

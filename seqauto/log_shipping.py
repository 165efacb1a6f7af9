"""Copies the delivery log to S3, in the background: a log that cannot be shipped stops nothing.

The file on this machine is the log; S3 has a copy of all of it, made anew at most once in so many seconds.
Where the file begins anew, as a rotated one does, S3 keeps what it has under a key of its own.
How far the copy has come stands in a small file beside it, for all processes of this machine and for the
pages.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from .delivery_rules import DeliveryRules
from .s3_clients import log_client

log = logging.getLogger(__name__)

LOG_FILE = "delivery.log"
STATE_FILE = "delivery.log.copied"


@dataclass(frozen=True, slots=True)
class LogCopy:
    """How far the copy has come. `seen` is size and mtime of what S3 has, (0, 0) before the first copy.

    `begins` is a digest of its first bytes, by which a log that goes on is told from one that began anew.
    """

    address: str
    begins: str = ""
    seen: tuple[int, int] = (0, 0)
    copied_at: float = 0  # seconds since 1970, as are the next; 0 for never
    tried_at: float = 0
    error: str = ""  # of the last try, "" where it went well

    @property
    def copied(self) -> datetime | None:
        return datetime.fromtimestamp(self.copied_at, UTC) if self.copied_at else None


def ship_log(rules: DeliveryRules, *, patience: float = 0) -> None:
    """Begin to copy the delivery log to its bucket, if it has grown and the last try is long enough ago.

    A process that is about to end waits for it, with `patience` in seconds: the last lines go at once.
    """
    copy = log_copy(rules)
    if copy is None or not _is_behind(copy, rules):
        return
    if patience or not 0 <= time.time() - copy.tried_at < rules.s3.log_seconds:
        thread = threading.Thread(target=_ship, args=(rules, patience), name="log to S3", daemon=True)
        thread.start()
        thread.join(patience)


def log_copy(rules: DeliveryRules) -> LogCopy | None:
    """How far the copy of the log has come; None where none is wanted."""
    if not rules.s3.log_bucket:
        return None
    nothing = LogCopy(f"s3://{rules.s3.log_bucket}/{rules.s3.log_key}")
    try:
        told = json.loads((rules.logs_dir / STATE_FILE).read_text())
        copy = LogCopy(**{**told, "seen": tuple(told["seen"])})
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or what a power cut left of it
        return nothing
    return copy if copy.address == nothing.address else nothing


def _is_behind(copy: LogCopy, rules: DeliveryRules) -> bool:
    with suppress(FileNotFoundError):
        return _stamp(os.stat(rules.logs_dir / LOG_FILE)) != copy.seen
    return False


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def _ship(rules: DeliveryRules, patience: float) -> None:
    """Copy the log as it is now. Whatever goes wrong is kept for the pages; the runs matter more."""
    try:
        with _alone(rules.logs_dir / STATE_FILE, patience) as is_alone:
            copy = log_copy(rules)
            if is_alone and copy and _is_behind(copy, rules):
                _keep(rules, _tried(copy, rules))
    except Exception as error:  # noqa: BLE001  no thread of ours ends with a stack trace on a worker's console
        log.warning("The delivery log was not copied: %s", error)


def _tried(copy: LogCopy, rules: DeliveryRules) -> LogCopy:
    tried = replace(copy, tried_at=time.time())
    try:
        with (rules.logs_dir / LOG_FILE).open("rb") as stream:
            stamp = _stamp(os.fstat(stream.fileno()))  # lines that come meanwhile go with the next copy
            content = stream.read(stamp[0])
        if not _goes_on(copy, content):
            _set_aside(rules, copy)
        _put(rules, rules.s3.log_key, content)
    except Exception as error:  # noqa: BLE001  whatever it is: told on the page, and tried again
        words = f"{type(error).__name__}: {error}"
        if words != copy.error:
            log.warning("The delivery log was not copied to %s: %s", copy.address, words)
        return replace(tried, error=words)
    return replace(tried, begins=_beginning(content), seen=stamp, copied_at=tried.tried_at, error="")


def _goes_on(copy: LogCopy, content: bytes) -> bool:
    """Whether this holds all that was copied, and only more."""
    size = copy.seen[0]
    return 0 < size <= len(content) and _beginning(content[:size]) == copy.begins


def _beginning(content: bytes) -> str:
    return hashlib.sha256(content[:1024]).hexdigest()


def _set_aside(rules: DeliveryRules, copy: LogCopy) -> None:
    """Keep what S3 has of an earlier log under the time of its last copy: rotated, or of a lost machine."""
    client, where = log_client(rules.s3), {"Bucket": rules.s3.log_bucket, "Key": rules.s3.log_key}
    try:
        last = client.head_object(**where, **_owner(rules))["LastModified"]
    except client.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return  # none is there; 403 is the word for that where the account may not list the bucket
        raise
    key = f"{rules.s3.log_key}.{last:%Y%m%dT%H%M%SZ}"
    with suppress(FileNotFoundError):
        rotated = (rules.logs_dir / f"{LOG_FILE}.1").read_bytes()
        if _goes_on(copy, rotated):  # with the lines that came after the last copy
            _put(rules, key, rotated)
            return
    client.copy_object(Bucket=rules.s3.log_bucket, Key=key, CopySource=where, **_owner(rules))


def _put(rules: DeliveryRules, key: str, content: bytes) -> None:
    log_client(rules.s3).put_object(
        Bucket=rules.s3.log_bucket,
        Key=key,
        Body=content,
        ContentType="text/plain; charset=utf-8",
        **_owner(rules),
    )


def _owner(rules: DeliveryRules) -> dict[str, str]:
    return {"ExpectedBucketOwner": rules.s3.bucket_owner} if rules.s3.bucket_owner else {}


def _keep(rules: DeliveryRules, copy: LogCopy) -> None:
    path = rules.logs_dir / STATE_FILE
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(asdict(copy)))
    draft.replace(path)


@contextmanager
def _alone(path: Path, patience: float) -> Iterator[bool]:
    """Whether this process copies, and no other does at this moment; the lock goes with its process."""
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        until = time.monotonic() + patience
        while not (mine := _is_mine(lock.fileno())) and time.monotonic() < until:
            time.sleep(0.05)
        yield mine


def _is_mine(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

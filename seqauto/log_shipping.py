"""Copies the delivery log to S3, in the background: a log that cannot be shipped stops nothing."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from .delivery_rules import DeliveryRules
from .s3_clients import s3_client

log = logging.getLogger(__name__)

LOG_FILE = "delivery.log"
_at_work = threading.Lock()
_shipped: dict[Path, tuple[int, int]] = {}  # size and mtime of what S3 has


def ship_log(rules: DeliveryRules, *, patience: float = 0) -> None:
    """Begin to copy the delivery log to its bucket, if it has grown and no copy is under way.

    A process that is about to end waits for it, with `patience` in seconds.
    """
    file = rules.logs_dir / LOG_FILE
    if rules.s3.log_bucket and file.is_file() and _stamp(file) != _shipped.get(file):
        thread = threading.Thread(target=_ship, args=(rules, file, patience), name="log to S3", daemon=True)
        thread.start()
        thread.join(patience)


def _ship(rules: DeliveryRules, file: Path, patience: float) -> None:
    if not _at_work.acquire(timeout=patience):
        return
    try:
        stamp = _stamp(file)
        owner = {"ExpectedBucketOwner": rules.s3.bucket_owner} if rules.s3.bucket_owner else {}
        with file.open("rb") as stream:
            s3_client(rules.s3).put_object(
                Bucket=rules.s3.log_bucket,
                Key=rules.s3.log_key,
                Body=stream,
                ContentType="text/plain",
                **owner,
            )
        _shipped[file] = stamp
    except Exception as error:  # noqa: BLE001  whatever it is, the runs matter more
        log.warning("The delivery log was not copied to s3://%s: %s", rules.s3.log_bucket, error)
    finally:
        _at_work.release()


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns

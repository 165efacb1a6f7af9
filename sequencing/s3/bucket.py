"""Looks at the bucket before the first byte is sent: is it ours, what stands there, can it be believed?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from .calls import Calls, Passing, Refused, UploadProblem, no_bucket
from .evidence import crc32_base64

PROBE_NAME = "checksum-probe"  # never becomes an object
REFUSES_DAMAGE = frozenset({"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"})

# rclone's word where no upload was ever begun; and a server that knows no such list.
NO_UPLOADS = frozenset({"NoSuchUpload", "501", "NotImplemented"})


def check_bucket(calls: Calls) -> None:
    """Raise UploadProblem unless the bucket is there, ours, and open to us; nothing is written.

    Where an owner is set, a made-up one is asked for too: an endpoint that answers for any account would not
    notice a bucket of the same name in the wrong one.
    """
    try:
        calls.ask("head_bucket")
    except Refused as error:
        raise no_bucket(calls.bucket, error.s3_code) from error
    owner = calls.options.owner
    if owner and not _knows_owners(calls):
        sentence = f'The endpoint does not check that account {owner} owns bucket "{calls.bucket}"'
        raise UploadProblem(
            "no_access", sentence, "Check the endpoint; where it knows no accounts, set no owner."
        )


def _knows_owners(calls: Calls) -> bool:
    nobody = "000000000000" if calls.options.owner != "000000000000" else "000000000001"
    try:
        calls.ask("head_bucket", ExpectedBucketOwner=nobody)
    except UploadProblem as problem:
        if problem.code != "no_access":
            raise
        return True
    return False


def abort_leftovers(calls: Calls, prefix: str) -> int:
    """Abort the multipart uploads that a killed try left below `prefix`; return how many there were.

    Only while no other upload of this run and project goes on.
    """
    leftovers = list(_leftovers(calls, prefix))
    for key, upload_id in leftovers:
        with suppress(Refused):  # gone meanwhile
            calls.ask("abort_multipart_upload", Key=key, UploadId=upload_id)
    return len(leftovers)


def _leftovers(calls: Calls, prefix: str) -> Iterator[tuple[str, str]]:
    place: dict[str, str] = {}
    while True:
        try:
            page = calls.ask("list_multipart_uploads", Prefix=prefix, **place)
        except Refused as error:
            if error.s3_code in NO_UPLOADS:
                return
            raise
        for upload in page.get("Uploads", ()):
            if upload["Key"].startswith(prefix):  # whatever the endpoint makes of the prefix
                yield upload["Key"], upload["UploadId"]
        if not page.get("IsTruncated"):
            return
        place = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def sizes_below(calls: Calls, prefix: str) -> dict[str, int]:
    """Return the keys that stand below `prefix`, with their bytes."""
    sizes: dict[str, int] = {}
    place: dict[str, str] = {}
    while True:
        page = calls.ask("list_objects_v2", Prefix=prefix, **place)
        sizes |= {entry["Key"]: entry["Size"] for entry in page.get("Contents", ())}
        if not page.get("IsTruncated"):
            return sizes
        place = {"ContinuationToken": page["NextContinuationToken"]}


def checks_checksums(calls: Calls, prefix: str) -> bool:
    """Whether it refuses a part with a wrong CRC32: only then is a right one that it reports believed.

    Asked with a multipart upload that is aborted at once: no object comes to be.
    """
    kind = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"}
    try:
        upload_id = calls.ask("create_multipart_upload", Key=prefix + PROBE_NAME, **kind)["UploadId"]
    except Refused:
        return False
    where = {"Key": prefix + PROBE_NAME, "UploadId": upload_id}
    try:
        part = {"PartNumber": 1, "Body": b"SeqAuto", "ChecksumCRC32": crc32_base64(0)}
        calls.attempt(lambda: calls.ask_once("upload_part", **where, **part))
    except (Refused, Passing) as error:
        return error.s3_code in REFUSES_DAMAGE
    finally:
        with suppress(Refused):
            calls.ask("abort_multipart_upload", **where)
    return False

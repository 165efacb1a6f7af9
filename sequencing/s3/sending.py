"""Sends files, whole or in parts, and proves each. What is here runs in many threads at once."""

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ..illumina.errors import shown
from .calls import Calls, Passing, Refused, UploadProblem, stopped
from .evidence import Digests, Proof, Verdict, crc32_base64, judge
from .reading import LocalFile, Streamed

_READ_BACK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An object that is proven to hold our file."""

    key: str
    size: int
    md5: str
    etag: str
    version_id: str  # "" where the bucket keeps no versions
    proof: Proof
    already_there: bool  # from an earlier try, or from one whose answer was lost
    crc32: str = ""  # base64; only where the server has shown that it checks them


class Transfer:
    """One file on its way, whole or in parts. Its lock is held while the file is read: in order, once."""

    def __init__(self, key: str, file: LocalFile, is_there: bool, is_whole: bool) -> None:
        self.key, self.file, self.is_there = key, file, is_there
        self.is_whole = is_whole or file.part_count == 1
        self.lock = threading.Lock()
        self.upload_id = ""
        self.parts_read = 0
        self.parts_sent: list[dict[str, Any]] = []

    @property
    def step_count(self) -> int:
        return 1 if self.is_there or self.is_whole else self.file.part_count

    @property
    def where(self) -> dict[str, str]:
        return {"Key": self.key, "UploadId": self.upload_id}

    def read_part(self) -> tuple[int, bytes]:
        body = self.file.next_part()
        self.parts_read += 1
        return self.parts_read, body


class Shared:
    """An iterator that many threads take from."""

    def __init__(self, steps: Iterator[Transfer]) -> None:
        self._steps, self._lock = steps, threading.Lock()

    def take(self) -> Transfer | None:
        with self._lock:
            return next(self._steps, None)


class Sender:
    def __init__(self, calls: Calls, server_checks: bool) -> None:
        """`server_checks`: the server has shown that it compares the checksums it is sent."""
        self.calls, self.server_checks = calls, server_checks
        self.is_conditional = True  # until the server says that it does not know If-None-Match
        self.sent = 0  # bytes
        self.done: dict[str, Uploaded] = {}
        self._lock = threading.Lock()
        kept = {"StorageClass": calls.options.storage_class, "ACL": calls.options.acl}
        self._settings = {name: value for name, value in kept.items() if value}

    def transfer(self, key: str, file: LocalFile, is_there: bool) -> Transfer:
        """How this file goes to this server."""
        file.counts_crc32 = self.server_checks
        is_whole = not self.server_checks and file.size <= self.calls.options.whole_bytes
        return Transfer(key, file, is_there, is_whole)

    def work(self, steps: Shared) -> None:
        """Take step after step until none is left or the upload is halted."""
        while not self.calls.halt.is_set() and (transfer := steps.take()):
            self._step(transfer)

    def abort(self, transfers: list[Transfer]) -> None:
        """Leave nothing half sent, if S3 can be reached; else the next try aborts it."""
        for transfer in transfers:
            transfer.file.close()
        for transfer in transfers:
            if transfer.upload_id and not self._abort(transfer):
                return

    def put(self, key: str, body: bytes, digests: Digests, **more: str) -> Uploaded:
        checksum = {"ChecksumCRC32": digests.crc32_base64} if self.server_checks else {}
        written = self._create("put_object", Key=key, Body=body, **self._settings, **checksum, **more)
        return self._prove(key, digests, written)

    # ---- steps ----

    def _step(self, transfer: Transfer) -> None:
        if transfer.is_there:
            self._recognise(transfer)
        elif transfer.file.part_count == 1:
            self._send_at_once(transfer)
        elif transfer.is_whole:
            self._stream(transfer)
        else:
            self._send_part(transfer)

    def _note(self, count: int) -> None:
        """So many bytes more are sent, or fewer where they are sent again."""
        if self.calls.halt.is_set():
            raise stopped()
        with self._lock:
            self.sent += count

    def _recognise(self, transfer: Transfer) -> None:
        """Something stands at the key already: it must be our file."""
        for part in transfer.file.parts():
            self._note(len(part))
        self.done[transfer.key] = self._prove(transfer.key, transfer.file.digests, None)

    def _send_at_once(self, transfer: Transfer) -> None:
        body = transfer.file.next_part()
        self.done[transfer.key] = self.put(transfer.key, body, transfer.file.digests)
        self._note(len(body))

    def _stream(self, transfer: Transfer) -> None:
        body = Streamed(transfer.file, self._note)
        written = self._create("put_object", Key=transfer.key, Body=body, **self._settings)
        while body.read():  # the rest, where S3 has answered before it had all
            pass
        self.done[transfer.key] = self._prove(transfer.key, transfer.file.digests, written)

    def _send_part(self, transfer: Transfer) -> None:
        with transfer.lock:
            self._begin(transfer)
            number, body = transfer.read_part()
        checksum = {"ChecksumCRC32": crc32_base64(zlib.crc32(body))} if self.server_checks else {}
        answer = self.calls.ask("upload_part", **transfer.where, PartNumber=number, Body=body, **checksum)
        with transfer.lock:
            transfer.parts_sent.append({"PartNumber": number, "ETag": answer.get("ETag", ""), **checksum})
            is_last = len(transfer.parts_sent) == transfer.file.part_count
        if is_last:
            self._complete(transfer)
        self._note(len(body))

    def _begin(self, transfer: Transfer) -> None:
        if not transfer.upload_id:
            kind = {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"} if self.server_checks else {}
            begun = self.calls.ask("create_multipart_upload", Key=transfer.key, **self._settings, **kind)
            transfer.upload_id = begun["UploadId"]

    def _complete(self, transfer: Transfer) -> None:
        digests, checksum = transfer.file.digests, {}
        if self.server_checks:
            checksum = {"ChecksumCRC32": digests.crc32_base64, "ChecksumType": "FULL_OBJECT"}
        parts = {"Parts": sorted(transfer.parts_sent, key=lambda part: int(part["PartNumber"]))}
        written = self._create(
            "complete_multipart_upload", **transfer.where, MultipartUpload=parts, **checksum
        )
        if not written:
            self._abort(transfer)
        transfer.upload_id = ""
        self.done[transfer.key] = self._prove(transfer.key, digests, written)

    def _abort(self, transfer: Transfer) -> bool:
        """Abort it, if that can be; whether S3 is within reach."""
        try:
            self.calls.ask_once("abort_multipart_upload", **transfer.where)
        except UploadProblem:
            return True
        except Passing as error:
            return bool(error.s3_code)
        return True

    def _create(self, operation: str, **arguments: Any) -> dict[str, Any] | None:
        """Let an object come to be; None where one stands, be it by a try whose answer was lost."""
        condition = {"IfNoneMatch": "*"} if self.is_conditional else {}
        try:
            return self.calls.ask(operation, **arguments, **condition)
        except Refused as error:
            if condition and error.s3_code in ("501", "NotImplemented"):
                self.is_conditional = False
                return self._create(operation, **arguments)
            if error.s3_code in ("412", "PreconditionFailed", "NoSuchUpload"):
                return None
            raise

    # ---- proofs ----

    def _prove(self, key: str, ours: Digests, written: dict[str, Any] | None) -> Uploaded:
        """Accept our bytes only. `written` is S3's answer where we have just written the object.

        What that answer does not prove, and whatever stood there before us, is asked for anew.
        """
        answer = written or {}
        verdict, proof = judge(answer, ours, server_checks=self.server_checks)
        if verdict != "same":
            answer = self._look_at(key)
            verdict, proof = judge(answer, ours, server_checks=self.server_checks)
        read_back = self.calls.options.read_back
        if (verdict == "unknown" and read_back != "never") or (verdict == "same" and read_back == "always"):
            verdict, proof = self._read_back(key, ours), "read_back"
        if verdict == "unknown":
            raise unverified(self.calls, key, "has no checksum that proves it, and reading back is off")
        if verdict == "other" and written:
            raise unverified(self.calls, key, "is not what was sent")
        if verdict == "other":
            raise conflict(self.calls, key, "holds something else than our file")
        etag, version = str(answer.get("ETag", "")).strip('"'), str(answer.get("VersionId", ""))
        crc32 = ours.crc32_base64 if self.server_checks else ""
        return Uploaded(key, ours.size, ours.md5, etag, version, proof, not written, crc32)

    def _look_at(self, key: str) -> dict[str, Any]:
        try:
            return self.calls.ask("head_object", Key=key, ChecksumMode="ENABLED")
        except Refused as error:
            raise unverified(self.calls, key, f"is not there after it was sent ({error.s3_code})") from error

    def _read_back(self, key: str, ours: Digests) -> Verdict:
        """A connection that breaks is tried again."""
        found = self.calls.retry("get_object", lambda: digest_of(self.calls, key))
        return "same" if found == (ours.size, ours.md5) else "other"


def digest_of(calls: Calls, key: str) -> tuple[int, str]:
    """Read an object back: its bytes and its MD5. Raises Passing too."""
    answer = calls.ask_once("get_object", Key=key)
    md5, size = hashlib.md5(usedforsecurity=False), 0
    with calls.plain_words("get_object"), closing(answer["Body"]) as body:
        for chunk in body.iter_chunks(_READ_BACK_BYTES):
            if calls.halt.is_set():
                raise stopped()
            md5.update(chunk)
            size += len(chunk)
    return size, md5.hexdigest()


def unverified(calls: Calls, key: str, what: str) -> UploadProblem:
    sentence = f"s3://{calls.bucket}/{shown(key, 500)} {what}, so it does not count as uploaded"
    return UploadProblem(
        "unverified", sentence, "Look at the object; remove it if it is damaged, then press Retry."
    )


def conflict(calls: Calls, key: str, what: str) -> UploadProblem:
    sentence = f"s3://{calls.bucket}/{shown(key, 500)} {what}; nothing was overwritten"
    remedy = (
        "Find out which is right; move the object away, or deliver under another prefix; then press Retry."
    )
    return UploadProblem("conflict", sentence, remedy)

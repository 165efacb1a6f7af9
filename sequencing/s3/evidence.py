"""What counts as a proof that an object in S3 is our file. Pure.

An S3-compatible server may echo a checksum that it was sent, damaged bytes or not, as `rclone serve s3` does.
So:

- The MD5 of a whole file is never told to the server before its object is judged, neither as a checksum nor
  as metadata. A server that names it as the object's ETag has computed it from the bytes. (Amazon's ETag is
  the MD5 of an object put in one piece and not encrypted with KMS keys; other ETags prove nothing, neither
  way: user guide, "Checking object integrity".)
- A CRC32 is told, so that a server can refuse damaged bytes when they arrive. It counts only where the server
  has shown that it checks, by refusing a wrong one. Amazon keeps it of the whole object (type FULL_OBJECT).
- Where neither settles it, the object is read back.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["same", "other", "unknown"]
Proof = Literal["md5", "crc32", "read_back"]


@dataclass(frozen=True, slots=True)
class Digests:
    """Of the bytes that were read from our disk."""

    size: int
    md5: str  # hexadecimal
    crc32: int

    @property
    def crc32_base64(self) -> str:
        return crc32_base64(self.crc32)


def crc32_base64(crc32: int) -> str:
    """As S3 writes it: base64 of four bytes, the highest first."""
    return base64.b64encode(crc32.to_bytes(4, "big")).decode("ascii")


def judge(answer: Mapping[str, Any], ours: Digests, *, server_checks: bool) -> tuple[Verdict, Proof]:
    """Compare our file with what S3 says of the object, as it answers to a write or to HeadObject.

    "unknown" asks for reading it back.
    """
    if answer.get("ContentLength", ours.size) != ours.size:
        return "other", "md5"
    if str(answer.get("ETag", "")).strip('"').lower() == ours.md5:
        return "same", "md5"
    is_whole = answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
    if server_checks and is_whole and (crc32 := answer.get("ChecksumCRC32")):
        return ("same" if crc32 == ours.crc32_base64 else "other"), "crc32"
    return "unknown", "read_back"


def same_as_known(answer: Mapping[str, Any], md5: str, crc32: str) -> bool:
    """Whether HeadObject's answer proves an object by what was known of it when it was uploaded.

    `crc32` in base64, "" where its server had not shown that it checks them. False asks for reading it back.
    """
    if str(answer.get("ETag", "")).strip('"').lower() == md5:
        return True
    is_whole = answer.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
    return bool(crc32) and is_whole and answer.get("ChecksumCRC32") == crc32

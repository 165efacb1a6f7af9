"""When a disk, and not a file, is at fault."""

from __future__ import annotations

import errno

# What these mean is "the disk is not there", never "the file is gone".
DISK_IS_ILL = frozenset({
    errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.EHOSTDOWN, errno.ETIMEDOUT
})  # fmt: skip


class DiskError(Exception):
    """A root could not be read as a whole. Says where and why; nothing may be concluded from the rest."""


class StaleError(DiskError):
    """A server has put another folder in the place of one that was being read: a second look may find it."""


def disk_error(path: str, error: OSError) -> DiskError:
    kind = StaleError if error.errno == errno.ESTALE else DiskError
    return kind(f"{printable(path)}: {error.strerror or error}")


def printable(text: str) -> str:
    """The text with control characters and undecodable bytes shown as escapes."""
    return text if text.isprintable() else text.encode("unicode_escape", "surrogatepass").decode("ascii")


IS_A_LINK = "is a link to a folder; links are not followed"
LEADS_NOWHERE = "is a link that leads nowhere"
ODD_NAME = "has a name that cannot be written in a list; rename it"
LONGEST_PATH = 1000  # characters that are recorded
TOO_LONG = f"is too long: at most {LONGEST_PATH:,} characters are recorded"

"""Verified copies of run folders, their manifests, and restoring from them. Sources are read only."""

from .backup import DEFAULT_ALGORITHM, Backup, copy_verified, restore, verify
from .files import THREADS
from .listing import Entry, Listing, list_folder
from .manifest import ALGORITHMS, Manifest, differences, read_manifest
from .places import RESERVE_BYTES, check_space, manifest_path, space_needed
from .problems import CopyProblem

__all__ = [
    "ALGORITHMS",
    "DEFAULT_ALGORITHM",
    "RESERVE_BYTES",
    "THREADS",
    "Backup",
    "CopyProblem",
    "Entry",
    "Listing",
    "Manifest",
    "check_space",
    "copy_verified",
    "differences",
    "list_folder",
    "manifest_path",
    "read_manifest",
    "restore",
    "space_needed",
    "verify",
]

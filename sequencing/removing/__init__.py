"""Removes folders that are proven safe elsewhere. Told what, and below which root; never decides whether.

A folder is renamed into quarantine, with a tombstone that tells where it came from and why; it may be put
back as long as nothing of it is removed. A tombstone stays until `forget`, so that the caller can write down
first what became of the folder. Every step may be killed at any byte and run again.
"""

from .handles import refuse_mounts
from .problems import RemoveProblem
from .quarantine import forget, put_back, quarantine, remove
from .tombstones import QUARANTINE, State, Tombstone, list_tombstones, quarantined_at, unexplained
from .tree import IsProven, Removed

__all__ = [
    "QUARANTINE",
    "IsProven",
    "RemoveProblem",
    "Removed",
    "State",
    "Tombstone",
    "forget",
    "list_tombstones",
    "put_back",
    "quarantine",
    "quarantined_at",
    "refuse_mounts",
    "remove",
    "unexplained",
]

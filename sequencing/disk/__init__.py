"""Looks at archive disks: finds run folders, and lists the files of each. Reads only.

`walkers` and `find_script` are imported by their own names: a walker, which loads this package at every scan,
does without them.
"""

from .cycles import cycles_written
from .errors import LONGEST_PATH, ODD_NAME, TOO_LONG, DiskError, printable
from .gone import empty_folder_above, is_gone
from .metadata import read_metadata
from .run_folders import SENTINEL, Discovery, RootIdentity, discover, identify_root
from .run_listing import RunListing, parse_lines, walk_run
from .script_lines import NO_FIGURE, ScriptRow, look_at_lines

__all__ = [
    "LONGEST_PATH",
    "NO_FIGURE",
    "ODD_NAME",
    "SENTINEL",
    "TOO_LONG",
    "Discovery",
    "DiskError",
    "RootIdentity",
    "RunListing",
    "ScriptRow",
    "cycles_written",
    "discover",
    "empty_folder_above",
    "identify_root",
    "is_gone",
    "look_at_lines",
    "parse_lines",
    "printable",
    "read_metadata",
    "walk_run",
]

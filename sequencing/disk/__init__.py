"""Looks at archive disks: finds run folders, and lists the files of each. Reads only."""

from .errors import LONGEST_PATH, ODD_NAME, TOO_LONG, DiskError, printable
from .find_script import NO_FIGURE, ScriptRow, look_at_lines, run_find_script
from .gone import empty_folder_above, is_gone
from .metadata import read_metadata
from .run_folders import Discovery, RootIdentity, discover, identify_root
from .run_listing import RunListing, parse_lines, walk_run
from .walkers import Walker, start_walker, start_walkers, walk_here, walk_runs

__all__ = [
    "LONGEST_PATH",
    "NO_FIGURE",
    "ODD_NAME",
    "TOO_LONG",
    "Discovery",
    "DiskError",
    "RootIdentity",
    "RunListing",
    "ScriptRow",
    "Walker",
    "discover",
    "empty_folder_above",
    "identify_root",
    "is_gone",
    "look_at_lines",
    "parse_lines",
    "printable",
    "read_metadata",
    "run_find_script",
    "start_walker",
    "start_walkers",
    "walk_here",
    "walk_run",
    "walk_runs",
]

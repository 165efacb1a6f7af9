"""Looks at archive disks: finds run folders, and lists the files of each. Reads only."""

from .errors import DiskError, printable
from .find_script import run_find_script
from .gone import empty_folder_above, is_gone
from .metadata import read_metadata
from .run_folders import Discovery, RootIdentity, discover, identify_root
from .run_listing import RunListing, parse_lines, walk_run
from .walkers import walk_here, walk_runs

__all__ = [
    "Discovery",
    "DiskError",
    "RootIdentity",
    "RunListing",
    "discover",
    "empty_folder_above",
    "identify_root",
    "is_gone",
    "parse_lines",
    "printable",
    "read_metadata",
    "run_find_script",
    "walk_here",
    "walk_run",
    "walk_runs",
]

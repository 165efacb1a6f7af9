"""The check of a sample sheet before its run is converted: what is wrong, and what will come of it. Pure."""

from .check import RUN_INFO, TOOLS, Finding, FullCheck, full_check
from .distances import Barcode, LaneIndexes, Pair, collision_problems, distances, lanes_of_sheet
from .marking import MarkedRow, MarkedSection, MarkedSheet, mark_sheet
from .orientation import Orientation

__all__ = [
    "RUN_INFO",
    "TOOLS",
    "Barcode",
    "Finding",
    "FullCheck",
    "LaneIndexes",
    "MarkedRow",
    "MarkedSection",
    "MarkedSheet",
    "Orientation",
    "Pair",
    "collision_problems",
    "distances",
    "full_check",
    "lanes_of_sheet",
    "mark_sheet",
]

"""Small, realistic run folders: for the demo archive, for tests and for measurements.

All names are invented; the sequences are not of any organism.
"""

from .archive import write_demo_archive
from .instruments import INSTRUMENTS
from .run import DemoRun, DemoSample, demo_samples, fastq_paths
from .write import write_run

__all__ = [
    "INSTRUMENTS",
    "DemoRun",
    "DemoSample",
    "demo_samples",
    "fastq_paths",
    "write_demo_archive",
    "write_run",
]

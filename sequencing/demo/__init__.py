"""Small, realistic run folders: for the demo archive, for tests and for measurements.

All names are invented; the sequences are not of any organism.
"""

from .archive import write_demo_archive
from .base_calls import Cluster, clusters_of, write_barcoded_run
from .instruments import INSTRUMENTS
from .run import DemoRun, DemoSample, demo_samples, fastq_paths
from .write import write_run

__all__ = [
    "INSTRUMENTS",
    "Cluster",
    "DemoRun",
    "DemoSample",
    "clusters_of",
    "demo_samples",
    "fastq_paths",
    "write_barcoded_run",
    "write_demo_archive",
    "write_run",
]

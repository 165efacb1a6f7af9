from .audit import AuditEntry
from .clean_up import DiskReading, Hold, Proof, Proving, Removal
from .deliveries import Delivery, DeliveryEvent, DeliveryStep, IncomingFolder
from .runs import Experiment, Sequencer, SequencingRun
from .samples import SampleSheet, SequencingFile, SequencingSample
from .scans import Message, Scan, ScanLease, ScanRoot
from .submissions import Submission
from .workers import RunningQuery, Worker

__all__ = [
    "AuditEntry",
    "Delivery",
    "DeliveryEvent",
    "DeliveryStep",
    "DiskReading",
    "Experiment",
    "Hold",
    "IncomingFolder",
    "Message",
    "Proof",
    "Proving",
    "Removal",
    "RunningQuery",
    "SampleSheet",
    "Scan",
    "ScanLease",
    "ScanRoot",
    "Sequencer",
    "SequencingFile",
    "SequencingRun",
    "SequencingSample",
    "Submission",
    "Worker",
]

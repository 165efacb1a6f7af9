from .audit import AuditEntry
from .clean_up import DiskReading, Hold, Proof, Removal
from .deliveries import Delivery, DeliveryEvent, DeliveryStep, IncomingFolder
from .runs import Experiment, Sequencer, SequencingRun
from .samples import SampleSheet, SequencingFile, SequencingSample
from .scans import Message, Scan, ScanLease, ScanRoot

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
    "Removal",
    "SampleSheet",
    "Scan",
    "ScanLease",
    "ScanRoot",
    "Sequencer",
    "SequencingFile",
    "SequencingRun",
    "SequencingSample",
]

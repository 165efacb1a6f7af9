from .deliveries import Delivery, DeliveryEvent, DeliveryStep, IncomingFolder
from .runs import Experiment, Sequencer, SequencingRun
from .samples import SampleSheet, SequencingFile, SequencingSample
from .scans import Message, Scan, ScanLease, ScanRoot

__all__ = [
    "Delivery",
    "DeliveryEvent",
    "DeliveryStep",
    "Experiment",
    "IncomingFolder",
    "Message",
    "SampleSheet",
    "Scan",
    "ScanLease",
    "ScanRoot",
    "Sequencer",
    "SequencingFile",
    "SequencingRun",
    "SequencingSample",
]

"""What the lists can be narrowed to."""

from .records import AuditFilter, DeliveryFilter, MessageFilter
from .runs import NEEDS_A_LOOK, ExperimentFilter, RunFilter, SequencerFilter
from .samples import FileFilter, SampleFilter

__all__ = [
    "NEEDS_A_LOOK",
    "AuditFilter",
    "DeliveryFilter",
    "ExperimentFilter",
    "FileFilter",
    "MessageFilter",
    "RunFilter",
    "SampleFilter",
    "SequencerFilter",
]

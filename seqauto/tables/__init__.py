"""The tables of the pages: which columns, how each cell looks, and what of it a CSV file has."""

from .deliveries import DeliveryTable, HoldingTable
from .parts import Found, Made, Plain, in_order, in_order_table, show_page, sort_as_asked
from .records import AuditTable, MessageTable
from .runs import FLAGS, ExperimentTable, RunTable, SequencerTable, flag_chips
from .samples import FileTable, SampleTable
from .scans import ScanTable

__all__ = [
    "FLAGS",
    "AuditTable",
    "DeliveryTable",
    "ExperimentTable",
    "FileTable",
    "Found",
    "HoldingTable",
    "Made",
    "MessageTable",
    "Plain",
    "RunTable",
    "SampleTable",
    "ScanTable",
    "SequencerTable",
    "flag_chips",
    "in_order",
    "in_order_table",
    "show_page",
    "sort_as_asked",
]

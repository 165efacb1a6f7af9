"""Converts base calls to FASTQs: with bcl-convert, bcl2fastq or Picard, and judges what they made.

`conversion` tells the story; each converter's command line and reports are known in its own module, and
`running` is the one place where processes start.
"""

from .conversion import convert
from .figures import DemultiplexFigures, LaneReads, SampleReads, UnknownIndex
from .finding import CONVERTERS, find_converter
from .job import Conversion, ConversionJob, Converter
from .judging import JudgedFile, Verdict, judge
from .on_board import OnBoard, onboard_fastqs
from .problems import ConversionProblem
from .running import Limits
from .sheet_check import check_sheet

__all__ = [
    "CONVERTERS",
    "Conversion",
    "ConversionJob",
    "ConversionProblem",
    "Converter",
    "DemultiplexFigures",
    "JudgedFile",
    "LaneReads",
    "Limits",
    "OnBoard",
    "SampleReads",
    "UnknownIndex",
    "Verdict",
    "check_sheet",
    "convert",
    "find_converter",
    "judge",
    "onboard_fastqs",
]

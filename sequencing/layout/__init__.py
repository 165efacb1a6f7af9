"""Which file lives where in a run folder, on an instrument's disk and in an archive. Pure.

Where FASTQs lie is written as a pattern, such as `0_fastq/{sample_id}_{read}.fastq.gz`. The pattern of a run
is learnt from the FASTQs found there, so that what is missing is expected beside what is present; where
nothing is found, it follows from the family of the sample sheet.
"""

from ..kinds import FILE_TYPES, FileType, FoundFile, choose_metadata, is_pruned, kind_of_file
from .owners import SamplesByName, has_own_name, index_text, owner_of, samples_by_name
from .patterns import FIELDS, UNKNOWN_LAYOUT, Layout, fields_of, pattern_problem, pattern_regex, read_path
from .recognise import analysis_number, converter_layout, is_yes, recognise_layout

__all__ = [
    "FIELDS",
    "FILE_TYPES",
    "UNKNOWN_LAYOUT",
    "FileType",
    "FoundFile",
    "Layout",
    "SamplesByName",
    "analysis_number",
    "choose_metadata",
    "converter_layout",
    "fields_of",
    "has_own_name",
    "index_text",
    "is_pruned",
    "is_yes",
    "kind_of_file",
    "owner_of",
    "pattern_problem",
    "pattern_regex",
    "read_path",
    "recognise_layout",
    "samples_by_name",
]

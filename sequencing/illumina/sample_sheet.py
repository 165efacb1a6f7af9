"""SampleSheet.csv: which samples stand in which lane, in the three families labs use."""

from __future__ import annotations

from collections.abc import Hashable

from .sheet_model import Sample, SampleRow, SampleSheet

__all__ = ["Sample", "SampleRow", "SampleSheet", "is_safe_id", "meaningful_key", "parse_sample_sheet"]


def parse_sample_sheet(data: bytes) -> SampleSheet:
    """Return the sheet. Never raises: what is wrong with it stands in its `problems`, all at once."""
    raise NotImplementedError


def is_safe_id(text: str) -> bool:
    """Whether the text may stand in a path, an S3 key or a command line."""
    raise NotImplementedError


def meaningful_key(sheet: SampleSheet) -> Hashable:
    """Return a value that changes only where samples, lanes or indexes do."""
    raise NotImplementedError

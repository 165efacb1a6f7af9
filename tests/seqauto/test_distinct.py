"""The different texts of a column, whatever the number of rows that have each."""

import pytest
from page_rows import add_run

from seqauto.models import SequencingRun
from seqauto.models.distinct import distinct_texts

pytestmark = pytest.mark.django_db


def test_each_text_is_told_once_and_in_order():
    for group in ("haem", "exome", "haem", "", "exome"):
        add_run(group=group)
    assert distinct_texts(SequencingRun, "group") == ["", "exome", "haem"]


def test_no_more_than_asked_for_are_told():
    for group in ("haem", "exome", "trio"):
        add_run(group=group)
    assert distinct_texts(SequencingRun, "group", 2) == ["exome", "haem"]


def test_of_no_rows_there_is_no_text():
    assert distinct_texts(SequencingRun, "group") == []

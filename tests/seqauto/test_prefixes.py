"""Texts found by their first letters: right in every letter's case, and by an index."""

import pytest
from django.db import connection
from django.db.models import QuerySet
from page_rows import add_run

from seqauto.models import SequencingSample
from seqauto.models.prefixes import Folded, starting_with

pytestmark = pytest.mark.django_db

IDS = ["AB-1", "ab-2", "abc", "AC", "a%b", "a_b", "a", "b", "Ab\\c", "ÄB"]


@pytest.fixture
def samples():
    run = add_run()
    for number, sample_id in enumerate(IDS, start=1):
        SequencingSample.objects.create(run=run, sample_id=sample_id, number=number)
    return SequencingSample.objects.order_by("pk")


def ids(rows: QuerySet[SequencingSample]) -> list[str]:
    return list(rows.values_list("sample_id", flat=True))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ab", ["AB-1", "ab-2", "abc", "Ab\\c"]),
        ("AB", ["AB-1", "ab-2", "abc", "Ab\\c"]),
        ("Ab-", ["AB-1", "ab-2"]),
        ("a%", ["a%b"]),
        ("A_", ["a_b"]),
        ("ab\\", ["Ab\\c"]),
        ("ÄB", ["ÄB"]),
        ("abcd", []),
        ("", IDS),
    ],
)
def test_first_letters_are_found_whatever_their_case(samples, text, found):
    assert ids(samples.filter(starting_with("sample_id", text))) == found


def test_samples_stand_in_the_same_order_on_every_database(samples):
    ordered = samples.filter(starting_with("sample_id", "a")).order_by(Folded("sample_id"), "pk")
    assert ids(ordered) == ["a", "a%b", "a_b", "AB-1", "ab-2", "Ab\\c", "abc", "AC"]


def test_a_sample_is_found_by_the_index(samples):
    """Among hundreds of thousands; PostgreSQL is told to take the index, for a small table needs none."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = samples.order_by().filter(starting_with("sample_id", "ab")).explain()
    assert "sample_by_folded_id" in plan

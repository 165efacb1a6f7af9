"""Rows written in bulk read back as if they had been saved one by one, on every database."""

import datetime

import pytest
from django.utils import timezone

from seqauto.bulk import insert_rows, next_ids, update_rows
from seqauto.models import SequencingFile, SequencingRun, SequencingSample

pytestmark = pytest.mark.django_db

UGLY = [
    "", "plain", "tab\there", "line\nhere", "return\rhere", "back\\slash", "\\N", "\\.", "quote'\"",
    "ümläut 🧬", "comma,;", "%s %(x)s", "\x0b\x0c\x85\u2028",
]  # fmt: skip


@pytest.fixture
def run():
    return SequencingRun.objects.create(name="run", path="/data/run", root="/data")


def samples(run, first=1):
    fields = ["id", "run", "sample_id", "sample_name", "project", "number", "lanes", "indexes", "is_control",
              "is_failed", "extra"]  # fmt: skip
    return fields, [
        [
            number,
            run.pk,
            text,
            text,
            f"p{number}",
            number,
            "",
            text,
            number % 2 == 0,
            False,
            {text: [text, None]},
        ]
        for number, text in enumerate(UGLY, first)
    ]


def test_text_of_any_kind_comes_back_as_it_was(run):
    fields, rows = samples(run)
    insert_rows(SequencingSample, fields, rows)
    found = SequencingSample.objects.order_by("pk").values_list(*fields)
    assert [list(row) for row in found] == rows


def test_nothing_numbers_and_times_come_back_as_they_were(run):
    now = timezone.now()
    earlier = datetime.datetime(1999, 12, 31, 23, 59, 59, 123456, tzinfo=datetime.UTC)
    fields = ["run", "sample", "file_type", "path", "data_state", "is_expected", "lane", "read", "size",
              "mtime_ns", "changed_at"]  # fmt: skip
    rows = [
        [run.pk, None, "fastq", "a", "complete", True, None, "", None, None, now],
        [run.pk, None, "fastq", "b", "complete", False, 8, "R1", 2**40, 2**62, earlier],
    ]
    insert_rows(SequencingFile, fields, rows)
    assert [list(row) for row in SequencingFile.objects.order_by("path").values_list(*fields)] == rows
    assert SequencingFile.objects.get(changed_at=earlier).path == "b"


def test_rows_written_in_bulk_equal_rows_that_were_saved(run):
    fields, rows = samples(run)
    insert_rows(SequencingSample, fields, rows[:1])
    written = SequencingSample.objects.values(*fields[2:]).get()
    SequencingSample.objects.all().delete()
    values = dict(zip(fields[2:], rows[0][2:], strict=True))
    SequencingSample.objects.create(run=run, **values)
    assert SequencingSample.objects.values(*fields[2:]).get() == written


def test_ids_taken_beforehand_are_free_and_later_rows_do_not_meet_them(run):
    SequencingSample.objects.create(run=run, sample_id="before", number=1)
    ids = next_ids(SequencingSample, len(UGLY))
    assert len(set(ids)) == len(UGLY)
    fields, rows = samples(run)
    insert_rows(SequencingSample, fields, [[pk, *row[1:]] for pk, row in zip(ids, rows, strict=True)])
    after = SequencingSample.objects.create(run=run, sample_id="after", number=99)
    assert after.pk > max(ids)
    assert SequencingSample.objects.count() == len(UGLY) + 2
    assert min(next_ids(SequencingSample, 1)) > after.pk


def test_ids_of_deleted_rows_are_not_given_again(run):
    ids = next_ids(SequencingSample, len(UGLY))
    fields, rows = samples(run, first=ids[0])
    insert_rows(SequencingSample, fields, rows)
    SequencingSample.objects.all().delete()
    assert min(next_ids(SequencingSample, 1)) > max(ids)


def test_no_rows_are_written_without_harm(run):
    insert_rows(SequencingSample, samples(run)[0], [])
    assert not SequencingSample.objects.exists()


def test_many_rows_cost_few_queries(run, django_assert_max_num_queries):
    fields, _rows = samples(run)
    rows = [[n, run.pk, f"s{n}", "", "", n, "", "", False, False, {}] for n in range(1, 5001)]
    with django_assert_max_num_queries(5):
        insert_rows(SequencingSample, fields, rows)
    assert SequencingSample.objects.count() == 5000


def test_rows_updated_in_bulk_read_back_as_if_they_had_been_saved(run):
    now = timezone.now()
    files = [
        SequencingFile.objects.create(
            run=run,
            file_type="fastq",
            path=f"before {number}",
            data_state="non_existent",
            is_expected=True,
            changed_at=now,
        )
        for number in range(len(UGLY))
    ]
    fields = ["sample", "path", "data_state", "is_expected", "lane", "read", "size", "changed_at"]
    later = now + datetime.timedelta(days=1)
    update_rows(
        SequencingFile,
        fields,
        [
            [
                file.pk,
                None,
                f"{file.pk}{text}",
                "complete",
                False,
                file.pk % 9 or None,
                text[:4],
                2**40,
                later,
            ]
            for file, text in zip(files, UGLY, strict=True)
        ],
    )
    for file, text in zip(files, UGLY, strict=True):
        read = SequencingFile.objects.get(pk=file.pk)
        assert (read.path, read.data_state, read.is_expected) == (f"{file.pk}{text}", "complete", False)
        assert (read.sample, read.lane, read.read) == (None, file.pk % 9 or None, text[:4])
        assert (read.size, read.changed_at, read.file_type) == (2**40, later, "fastq")


def test_no_rows_to_update_ask_the_database_nothing(run, django_assert_num_queries):
    with django_assert_num_queries(0):
        update_rows(SequencingFile, ["path"], [])

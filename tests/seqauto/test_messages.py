"""What people should know is said once, stays open while it holds, and is closed when it is gone."""

import pytest
from django.db import IntegrityError, transaction

from seqauto.messages import Notice, from_problems, say
from seqauto.models import Message, Scan, SequencingRun
from seqauto.models.scans import ScanSource
from sequencing.illumina.errors import Problem

pytestmark = pytest.mark.django_db

GONE = Notice("warning", "gone", "It is gone.", "Put it back.", "a place")
ODD = Notice("info", "odd", "It is odd.")


@pytest.fixture
def scan():
    """Makes a new scan at each call."""
    return lambda: Scan.objects.create(source=ScanSource.BUTTON)


@pytest.fixture
def run():
    return SequencingRun.objects.create(name="run", path="/data/run", root="/data")


def test_a_message_has_all_that_its_notice_says(scan, run):
    first = scan()
    say(first, run, [GONE])
    message = Message.objects.get()
    assert (message.scan, message.run, message.closed_at) == (first, run, None)
    assert (message.severity, message.code, message.text, message.remedy, message.place) == (
        "warning", "gone", "It is gone.", "Put it back.", "a place"
    )  # fmt: skip


def test_what_still_holds_keeps_the_date_it_was_first_said(scan, run):
    first = scan()
    say(first, run, [GONE])
    before = Message.objects.values().get()
    say(scan(), run, [GONE, ODD])
    assert Message.objects.filter(code="gone").values().get() == before
    assert Message.objects.count() == 2


def test_what_is_gone_is_closed_by_the_scan_that_found_it_gone(scan, run):
    say(scan(), run, [GONE, ODD])
    second = scan()
    say(second, run, [ODD])
    gone, odd = Message.objects.order_by("code")
    assert (gone.is_open, gone.closed_by_scan) == (False, second)
    assert odd.is_open


def test_what_comes_back_is_said_anew_beside_the_old(scan, run):
    for notices in ([GONE], [], [GONE]):
        say(scan(), run, notices)
    assert [message.is_open for message in Message.objects.order_by("pk")] == [False, True]


def test_an_event_is_told_and_needs_nobody(scan, run):
    say(scan(), run, [Notice("info", "moved", "It moved.", is_event=True)])
    assert [(message.code, message.is_open) for message in Message.objects.all()] == [("moved", False)]


def test_two_notices_alike_are_one_message_and_others_of_one_code_are_several(scan, run):
    say(scan(), run, [GONE, GONE, Notice("warning", "gone", "Another is gone.", "", "a place")])
    assert Message.objects.count() == 2


def test_runs_and_scans_do_not_close_each_others_messages(scan, run):
    other = SequencingRun.objects.create(name="other", path="/data/other", root="/data")
    say(scan(), run, [GONE])
    say(scan(), None, [GONE])
    say(scan(), other, [])
    assert Message.objects.open().count() == 2
    say(scan(), None, [])
    assert Message.objects.open().get().run == run


@pytest.mark.parametrize("of_a_run", [True, False])
def test_the_database_itself_refuses_to_say_a_thing_twice(run, of_a_run):
    values = {"severity": "info", "code": "odd", "text": "x", "key": "k", "run": run if of_a_run else None}
    Message.objects.create(**values)
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.create(**values)


def test_a_place_too_long_for_its_column_is_cut_and_still_said_once(scan, run):
    notice = Notice("info", "odd", "It is odd.", place="x" * 999)
    say(scan(), run, [notice])
    say(scan(), run, [notice])
    assert len(Message.objects.get().place) == 255


def test_problems_of_one_kind_make_one_notice_with_the_place_of_the_first():
    def problem(row, code="bad_index", severity="warning"):
        return Problem(severity, code, f"Row {row} is bad", "Mend it.", row, "index", "X")

    notices = from_problems(
        [problem(7), problem(9), problem(8, "no_id", "error"), problem(11)], "a/Sheet.csv"
    )
    assert notices == [
        Notice("warning", "bad_index", "Row 7 is bad (found: X). And 2 more of this kind.", "Mend it.",
               "a/Sheet.csv, row 7, column index"),
        Notice("error", "no_id", "Row 8 is bad (found: X).", "Mend it.", "a/Sheet.csv, row 8, column index"),
    ]  # fmt: skip


def test_a_problem_of_a_whole_file_has_the_file_for_its_place():
    (notice,) = from_problems([Problem("error", "too_large", "Too large", "Check it.")], "RunInfo.xml")
    assert notice.place == "RunInfo.xml"

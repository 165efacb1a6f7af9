"""CSV files of the lists: read by spreadsheets and scripts alike, inert, and never whole in memory."""

import csv
import io
import tracemalloc
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from seqauto.views.exports import ROWS_A_CHUNK, csv_response, text_response


def text_of(rows, header=("a",)) -> str:
    return b"".join(csv_response("list.csv", header, rows)).decode()


def rows_of(rows) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text_of(rows).removeprefix("\ufeff"), newline="")))[1:]


def test_the_file_is_a_download_that_says_it_is_utf_8():
    response = csv_response("runs.csv", ["run"], [])
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["Content-Disposition"] == 'attachment; filename="runs.csv"'
    assert b"".join(response) == "\ufeffrun\r\n".encode()


def test_numbers_and_times_stay_what_they_are():
    in_berlin = datetime(2026, 11, 22, 6, 0, 1, 999, tzinfo=timezone(timedelta(hours=1)))
    values = [7, -3, 0.5, Decimal("-1.50"), None, True, in_berlin, date(2026, 11, 22), "H-0001", {}, {"a": 1}]
    assert rows_of([values]) == [
        ["7", "-3", "0.5", "-1.50", "", "True", "2026-11-22T06:00:01+01:00", "2026-11-22", "H-0001", "",
         '{"a": 1}'],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", '=HYPERLINK("http://x")']
)
def test_promise_51_no_text_becomes_a_formula(text):
    ((cell,),) = rows_of([[text]])
    assert cell.startswith("'")
    assert cell.isprintable()


def test_promise_51_control_and_direction_codes_are_spelled_out_and_quotes_stay_in_their_cell():
    assert rows_of([["a\x1b[31m\u202eb", 'say "x",\nthen = y', "Müller, <b>"]]) == [
        [r"a\x1b[31m\u202eb", r'say "x",\nthen = y', "Müller, <b>"]
    ]


@pytest.mark.parametrize("count", [0, 1, ROWS_A_CHUNK, ROWS_A_CHUNK + 1, 3 * ROWS_A_CHUNK])
def test_every_row_comes_once_and_in_order(count):
    assert rows_of([number] for number in range(count)) == [[str(number)] for number in range(count)]


def test_lines_of_text_come_some_hundred_at_a_time():
    response = text_response("paths.txt", (f"/archive/{number}\n" for number in range(ROWS_A_CHUNK + 1)))
    assert response.headers["Content-Disposition"] == 'attachment; filename="paths.txt"'
    first, second = response
    assert (first.count(b"\n"), second) == (ROWS_A_CHUNK, f"/archive/{ROWS_A_CHUNK}\n".encode())


def test_a_long_list_is_never_whole_in_memory():
    rows = (["H-0001_S1_L001_R1_001.fastq.gz" * 3, number] for number in range(100_000))
    tracemalloc.start()
    size = sum(len(chunk) for chunk in csv_response("files.csv", ["path", "n"], rows))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 9_000_000
    assert peak < 1_000_000

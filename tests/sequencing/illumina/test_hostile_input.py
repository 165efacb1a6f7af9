"""No input of any kind raises anything but our own errors, and nothing hostile leaves a sheet as safe."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequencing.illumina.completion import completion
from sequencing.illumina.errors import FormatError, Problem
from sequencing.illumina.fastq_name import parse_fastq_name
from sequencing.illumina.run_info import parse_run_info
from sequencing.illumina.run_name import parse_run_name
from sequencing.illumina.run_parameters import parse_run_parameters
from sequencing.illumina.sample_sheet import is_safe_id, parse_sample_sheet
from sequencing.illumina.summary import summarise_sheet

XML_PARSERS = [parse_run_info, parse_run_parameters]
HOSTILE = [
    "../S1",
    "..",
    ".",
    "/etc/passwd",
    "C:\\Windows",
    "a/b",
    "a\\b",
    "-rf",
    "--output",
    "a\0b",
    "a\x1b[31m",
    "a\u202eb",
    "a\u2028b",
    "CON",
    "nul",
    "com1",
    "LPT9.txt",
    "Undetermined",
    "x" * 300,
]


def sheet_of(sample_id: str = "S1", name: str = "", project: str = "P1") -> bytes:
    cells = ",".join(f'"{cell}"' for cell in (sample_id, name, "ACGT", project))
    return f"[Data]\nSample_ID,Sample_Name,index,Sample_Project\n{cells}\n".encode()


@pytest.mark.parametrize("text", [*HOSTILE, "a\nb"])
@pytest.mark.parametrize("column", ["Sample_ID", "Sample_Name", "Sample_Project"])
def test_promise_49_a_hostile_id_is_rejected_before_any_path_key_or_argument(text, column):
    keyword = {"Sample_ID": "sample_id", "Sample_Name": "name", "Sample_Project": "project"}[column]
    sheet = parse_sample_sheet(sheet_of(**{keyword: text}))
    assert not sheet.is_usable
    assert [(problem.code, problem.row, problem.column) for problem in sheet.errors] == [
        ("hostile_name", 3, column)
    ]
    assert not any(sample.is_safe for sample in sheet.samples)
    assert not is_safe_id(text)


@pytest.mark.parametrize("text", ["S1", "a", "0", "NA12878-2_x", "x" * 100, "console", "com10", "nullify"])
def test_a_plain_id_is_safe(text):
    assert is_safe_id(text)
    assert parse_sample_sheet(sheet_of(text)).samples[0].is_safe


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "a.b", "ä", "_a", "x" * 101, "all", "Default", "stats", "a\n", "S1,"]
)
def test_any_other_id_is_not_safe(text):
    assert not is_safe_id(text)


@given(st.text(max_size=40))
def test_promise_49_what_is_safe_is_always_a_plain_file_name(text):
    if is_safe_id(text):
        assert text.isascii()
        assert all(character.isalnum() or character in "_-" for character in text)
        assert text[0] not in "_-"


def bomb() -> bytes:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 30))
    return (
        f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "lol">{entities}]><RunInfo>&a29;</RunInfo>'.encode()
    )


XML_ATTACKS = {
    "entity bomb": bomb(),
    "entity bomb in UTF-16": bomb().decode().encode("utf-16"),
    "DTD": b'<!DOCTYPE RunInfo SYSTEM "http://example.org/x.dtd"><RunInfo/>',
    "empty DTD": b"<!DOCTYPE RunInfo><RunInfo/>",
    "external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><RunInfo>&e;</RunInfo>',
    "parameter entity": b'<!DOCTYPE x [<!ENTITY % e SYSTEM "http://example.org/">%e;]><RunInfo/>',
    "deep nesting": b"<RunInfo>" + b"<a>" * 190_000,
    "deep nesting closed": b"<a>" * 90_000 + b"</a>" * 90_000,
    "many elements": b"<RunInfo>" + b"<a/>" * 1_000_000,
    "many attributes": b"<RunInfo " + b" ".join(b'a%d="1"' % n for n in range(100_000)) + b"/>",
    "1 GB": bytes(2**30),  # never touched, so it takes no memory
    "DTD hidden in tiles": b"<RunInfo><Tiles><!DOCTYPE x [<!ENTITY e 'x'>]></Tiles></RunInfo>",
}


@pytest.mark.parametrize("attack", XML_ATTACKS)
@pytest.mark.parametrize("parse", XML_PARSERS)
def test_promise_50_dtd_entity_bomb_and_a_gigabyte_are_rejected(parse, attack):
    with pytest.raises(FormatError) as caught:
        parse(XML_ATTACKS[attack])
    assert caught.value.problems[0].remedy


def test_promise_50_a_gigabyte_of_sheet_is_rejected_before_it_is_decoded():
    sheet = parse_sample_sheet(bytes(2**30))
    assert [problem.code for problem in sheet.problems] == ["too_large"]


def test_a_tile_list_with_a_comment_or_an_entity_is_left_to_the_parser():
    run = b'<RunInfo><Run Id="x"><Reads><Read Number="1" NumCycles="9"/></Reads>%s</Run></RunInfo>'
    assert parse_run_info(run % b"<Tiles><!-- </Tiles> --><Tile>1</Tile></Tiles>").run_id == "x"
    with pytest.raises(FormatError):
        parse_run_info(run % b"<Tiles>&e;<![CDATA[</Tiles>")


def problems_of(parse: Callable[[bytes], object], data: bytes) -> tuple[Problem, ...] | None:
    try:
        parse(data)
    except FormatError as error:
        return error.problems
    return None


def is_told_well(problem: Problem) -> bool:
    return bool(
        problem.message and problem.remedy and problem.text.isprintable() and len(problem.text) <= 200
    )


def only_format_errors(data: bytes) -> None:
    for parse in XML_PARSERS:
        problems = problems_of(parse, data)
        assert problems is None or (problems and all(map(is_told_well, problems)))
    sheet = parse_sample_sheet(data)
    assert sheet.rows or sheet.errors
    assert all(map(is_told_well, sheet.problems))
    assert len(sheet.samples) == len({row.sample_id for row in sheet.rows})
    assert summarise_sheet(sheet)["n_samples"] == len(sheet.rows)
    completion("MiniSeq", ["RTAComplete.txt", "RunCompletionStatus.xml"], data)


@given(st.binary(max_size=2000))
def test_any_bytes_give_only_our_own_errors(data):
    only_format_errors(data)


@given(
    st.text(alphabet=st.characters(codec="utf-16"), max_size=500),
    st.sampled_from(["utf-8", "utf-16", "utf-32"]),
)
def test_any_text_in_any_encoding_gives_only_our_own_errors(text, encoding):
    only_format_errors(text.encode(encoding))


PIECES = st.sampled_from(
    ["[Data]", "[Header]", "[BCLConvert_Data]", "Sample_ID", "Lane", "index", "FCID", "S1", "ACGT", "1", "na",
     ",", ",", ",", ";", "\n", "\n", "\r", '"', '"', "#", "\0", " ", "[", "]", "../", "é", "\t", "=1+1",
     "FileFormatVersion,2"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=80))
def test_any_mixture_of_a_sheets_pieces_gives_only_our_own_errors(pieces):
    only_format_errors("".join(pieces).encode())


TAGS = st.sampled_from(
    ['<RunInfo Version="6">', '<Run Id="x" Number="1">', "</Run>", "</RunInfo>", "<Reads>", "</Reads>",
     '<Read Number="1" NumCycles="9" IsIndexedRead="Y"/>', "<Date>", "200117", "</Date>", "<Tiles>",
     "</Tiles>", "<!--", "-->",
     "<RunParameters>", "</RunParameters>", "<Setup>", "</Setup>", "&lt;", "<![CDATA[", "]]>", "<!DOCTYPE x>"]
)  # fmt: skip


@given(st.lists(TAGS, max_size=30))
def test_any_mixture_of_tags_gives_only_our_own_errors(tags):
    only_format_errors("".join(tags).encode())


@given(st.text())
def test_any_text_may_be_tried_as_a_name(text):
    assert parse_run_name(text) is None or parse_run_name(text).date_text in text
    assert parse_fastq_name(text) is None or parse_fastq_name(text).sample in text


@cache
def real_files(corpus: Path) -> list[Path]:
    files = [*corpus.glob("files/**/*.csv"), *corpus.glob("files/**/*.xml")]
    return sorted(path for path in files if path.stat().st_size < 20_000)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_real_file_gives_only_our_own_errors(corpus, data):
    content = bytearray(data.draw(st.sampled_from(real_files(corpus))).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        start = data.draw(st.integers(0, len(content)))
        end = min(len(content), start + data.draw(st.integers(0, 40)))
        content[start:end] = data.draw(st.binary(max_size=20))
    only_format_errors(bytes(content))


UGLY_SHEETS = {
    "quotes": b"[Data]\nSample_ID\n" + b'"a\n' * 40_000,
    "one long line": b"[Data]\nSample_ID\n" + b"a" * 15_000_000,
    "cells": b"[Data]\nSample_ID\n" + b"," * 15_000_000,
    "newlines": b"\n" * 15_000_000 + b"[Data]",
    "brackets": b"[" * 15_000_000,
    "non-breaking spaces": b"Sample_ID\n" + "\xa0x".encode() * 5_000_000,
    "quoted megabytes": b'Sample_ID\n"' + b"a" * 15_000_000 + b'"\n',
    "lane of a million digits": b"Lane,Sample_ID\n" + b"9" * 1_000_000 + b",S1\n",
    "header words": b"sample_id " * 1_500_000,
}


@pytest.mark.parametrize("name", UGLY_SHEETS)
def test_a_sheet_at_the_size_limit_is_answered_without_running_wild(name):
    sheet = parse_sample_sheet(UGLY_SHEETS[name])
    assert sheet.problems
    assert len(sheet.problems) <= 1_001

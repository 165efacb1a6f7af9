"""Two versions of a run's sample sheet on its page: what differs, and which files that touches."""

import re

import pytest
from django.contrib.auth.models import User
from page_rows import add_file, add_run, add_sheet

from seqauto.models import SequencingRun
from seqauto.views import run_sheet

pytestmark = pytest.mark.django_db

COLUMNS = "Sample_ID,Sample_Name,index,index2,Sample_Project"
ROWS = ("H-2229,,TAAGGCGA,TAGATCGC,HAEM", "H-2230,,CGTACTAG,TAGATCGC,HAEM")


@pytest.fixture(autouse=True)
def user(client) -> User:
    user = User.objects.create_user("labstaff")
    client.force_login(user)
    return user


def sheet(*rows: str, settings: str = "Adapter,AGATCGG") -> bytes:
    lines = [
        "[Header]",
        "IEMFileVersion,4",
        "[Reads]",
        "151",
        "151",
        "[Settings]",
        settings,
        "[Data]",
        COLUMNS,
    ]
    return "\n".join([*lines, *rows, ""]).encode()


def run_with(*versions: bytes, **fields) -> SequencingRun:
    """A run that had these sheets, one after the other, and the FASTQs of the samples of `ROWS`."""
    run = add_run(**{"lane_count": 1} | fields)
    for content in versions:
        add_sheet(run, content)
    for number, name in enumerate(("H-2229", "H-2230"), start=1):
        sample = run.samples.create(sample_id=name, project="HAEM", number=number)
        for read in ("R1", "R2"):
            add_file(run, sample, 1, read).save()
    return run


def page(client, run: SequencingRun, query: str = "") -> str:
    """What stands about the change, in words."""
    body = client.get(f"/runs/{run.pk}/sheet/{query}").content.decode()
    section = re.search(r'<section class="panel" id="changed".*?</section>', body, re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", section[0]).split()) if section else ""


def test_a_changed_index_is_told_in_words_and_as_lines_that_differ(client):
    run = run_with(sheet(*ROWS), sheet(ROWS[0].replace("TAAGGCGA", "CAAGGCGA"), ROWS[1]))
    told = page(client, run)
    assert "From version 1 to version 2" in told
    assert "H-2229: index TAAGGCGA → CAAGGCGA" in told
    assert "10 − gone: H-2229,,TAAGGCGA,TAGATCGC,HAEM" in told
    assert "10 + new: H-2229,,CAAGGCGA,TAGATCGC,HAEM" in told
    assert "None: the same files are expected, under the same names." in told


def test_samples_that_come_and_go_tell_which_files_they_touch_and_how_those_stand(client):
    run = run_with(sheet(*ROWS), sheet(ROWS[1], "H-2231,,AAAACCCC,TAGATCGC,HAEM"))
    told = page(client, run)
    assert "H-2231: added" in told
    assert "H-2229: removed" in told
    assert "Numbered anew: H-2230 S2 → S1" in told
    assert "2 files expected besides + 0_fastq/H-2231_S2_L001_R1_001.fastq.gz" in told
    gone = "2 files no longer expected − 0_fastq/H-2229_S1_L001_R1_001.fastq.gz 412\u00a0MB"
    assert gone.replace("\u00a0", " ") in told.replace("\u00a0", " ")
    assert "0_fastq/H-2230_S2_L001_R1_001.fastq.gz → H-2230_S1_L001_R1_001.fastq.gz" in told


def test_changed_settings_are_told(client):
    run = run_with(sheet(*ROWS), sheet(*ROWS, settings="Adapter,CTGTCTC"))
    assert "Settings: Adapter AGATCGG → CTGTCTC" in page(client, run)


def test_text_that_says_nothing_is_told_as_such(client):
    run = run_with(sheet(*ROWS), sheet("# looked at by Anna", *ROWS))
    told = page(client, run)
    assert "No sample and no setting changed, only other text." in told
    assert "+ new: # looked at by Anna" in told


def test_any_two_versions_can_be_compared(client):
    run = run_with(sheet(*ROWS), sheet(ROWS[0]), sheet(ROWS[1]))
    assert "From version 2 to version 3" in page(client, run)
    assert "H-2230: removed" in page(client, run, "?version=2")
    told = page(client, run, "?against=1&version=3")
    assert "From version 1 to version 3" in told
    assert "H-2229: removed" in told
    assert "H-2230: added" in page(client, run, "?against=3&version=1") + page(client, run, "?version=3")


@pytest.mark.parametrize("query", ["?version=9&against=x", "?version=1&against=1", "?against=%00"])
def test_versions_that_are_none_are_answered_calmly(client, query):
    run = run_with(sheet(*ROWS), sheet(ROWS[0]))
    assert client.get(f"/runs/{run.pk}/sheet/{query}").status_code == 200


def test_a_first_version_has_nothing_to_be_compared_with(client):
    assert page(client, run_with(sheet(*ROWS))) == ""


def test_a_version_that_cannot_be_used_says_why_it_touches_no_file(client):
    run = run_with(sheet(*ROWS), sheet(ROWS[0], ROWS[0].replace("H-2229", "")))
    assert "files are judged by the last version without one" in page(client, run)


def test_files_of_controls_are_not_told_as_wanted(client, settings):
    settings.SEQAUTO_CONTROL_SAMPLE_PATTERN = "^NTC"
    run = run_with(sheet(*ROWS), sheet(*ROWS, "NTC-1,,AAAACCCC,TAGATCGC,HAEM"))
    told = page(client, run)
    assert "NTC-1: added" in told
    assert "None: the same files are expected" in told


def test_a_run_of_which_neither_reads_nor_files_are_known_is_compared_all_the_same(client):
    run = add_run(reads=[], lane_count=None, sequencer=None)
    add_sheet(run, sheet(ROWS[0]))
    add_sheet(run, sheet(*ROWS))
    told = page(client, run)
    assert "2 files expected besides + Data/Intensities/BaseCalls/HAEM/H-2230_S2_L001_R1_001.fastq.gz" in told


def test_sheets_too_large_to_be_compared_while_somebody_waits_say_so(client, monkeypatch):
    monkeypatch.setattr(run_sheet, "LARGEST_COMPARED", 10)
    run = run_with(sheet(*ROWS), sheet(ROWS[0]))
    assert "One of the two is too large to be compared here." in page(client, run)


def test_runs_of_very_many_files_tell_all_but_the_files(client, monkeypatch):
    monkeypatch.setattr(run_sheet, "MOST_FILES_COMPARED", 3)
    told = page(client, run_with(sheet(*ROWS), sheet(ROWS[0])))
    assert "H-2230: removed" in told
    assert "The run has too many files to compare them here." in told


def test_long_lists_are_cut_and_say_how_much_more_there_is(client):
    rows = [f"X{number:04d},,,,HAEM" for number in range(1, 301)]
    run = run_with(sheet(*ROWS), sheet(*rows))
    told = page(client, run)
    assert "and 202 more" in told  # of 302 samples that came and went 100 are shown
    assert "600 files expected besides" in told
    assert "and 590 more" in told


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"a\rb\rc", b"x" * 500_000])
def test_versions_of_any_bytes_can_be_compared(client, content):
    run = run_with(sheet(*ROWS), content, sheet(*ROWS))
    for query in ("", "?version=2", "?version=1&against=2"):
        assert client.get(f"/runs/{run.pk}/sheet/{query}").status_code == 200


def test_promise_51_what_a_sheet_says_is_inert_where_versions_are_compared(client):
    nasty = "<script>alert(1)</script>\x1b[31m\u202egnp"
    run = run_with(sheet(*ROWS), sheet(*ROWS, f"{nasty},,{nasty},,{nasty}", settings=f"{nasty},{nasty}"))
    body = client.get(f"/runs/{run.pk}/sheet/").content.decode()
    assert "gnp" in body
    assert "<script>alert" not in body
    assert not {"\x1b", "\u202e"} & set(body)


def test_the_sheet_can_be_checked_from_its_page(client):
    run = run_with(sheet(*ROWS))
    assert f'href="/check-sheet/?run={run.pk}"' in client.get(f"/runs/{run.pk}/sheet/").content.decode()

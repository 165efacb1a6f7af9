"""The page "Check a sample sheet": what it says of a sheet, and that it says what the command says."""

import contextlib
import html
import json
import random
import re

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from page_rows import add_run, add_sheet
from test_access import nothing_is_written

from seqauto.models import AuditEntry
from seqauto.views import sheet_check as views

pytestmark = pytest.mark.django_db

ADDRESS = "/check-sheet/"
GOOD = """[Header]
[Reads]
151
151
[Data]
Sample_ID,Sample_Name,Sample_Project,index,index2
A1,Anna,P1,ACGTACGT,TTTTTTTT
B2,B2,P1,CCCCACGT,TTTTTTTT
"""
V2 = """[Header]
FileFormatVersion,2
[BCLConvert_Settings]
OverrideCycles,Y151;I8;I8;Y151
[BCLConvert_Data]
Lane,Sample_ID,index,index2
1,A1,ACGTACGT,TTTTTTTT
4,B2,ACGTACGTAC,TTTTTTTT
"""
CASAVA = "FCID,Lane,SampleID,SampleRef,Index,SampleProject\nC1,1,A1,hg19,ACGTAC-TTGACA,P1\n"
RUN_INFO = """<?xml version="1.0"?><RunInfo Version="2"><Run Id="150202_NS500318_0047_AH3KLMBGXX" Number="47">
<Flowcell>H3KLMBGXX</Flowcell><Instrument>NS500318</Instrument><Date>150202</Date><Reads>
<Read Number="1" NumCycles="151" IsIndexedRead="N"/><Read Number="2" NumCycles="8" IsIndexedRead="Y"/>
<Read Number="3" NumCycles="8" IsIndexedRead="Y"/><Read Number="4" NumCycles="151" IsIndexedRead="N"/></Reads>
<FlowcellLayout LaneCount="1" SurfaceCount="2" SwathCount="1" TileCount="12"/></Run></RunInfo>"""
HOSTILE = "<script>alert('x')</script>\x1b[31m\u202egnp.exe"


@pytest.fixture(autouse=True)
def user(client) -> User:
    user = User.objects.create_user("labstaff")
    client.force_login(user)
    return user


def check(client, sheet: str | bytes = "", run_info: str | bytes = "", **data):
    """Send a sheet: a text as if pasted, bytes as a file."""
    for name, given in (("sheet", sheet), ("run_info", run_info)):
        if isinstance(given, bytes):
            data[f"{name}_file"] = SimpleUploadedFile(f"{name}.txt", given)
        else:
            data.setdefault(name, given)
    return client.post(ADDRESS, data)


def text_of(response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def part(response, name: str) -> str:
    """The text of one section of the result."""
    body = response.content.decode()
    section = re.search(rf'<section [^>]*id="{name}".*?</section>', body, re.DOTALL)[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", section)).split())


def box_of(response) -> str:
    """What the browser shows in the box: without the newline that HTML passes over."""
    body = response.content.decode()
    inside = re.search(r'<textarea[^>]*id="id_sheet"[^>]*>(.*?)</textarea>', body, re.DOTALL)[1]
    return html.unescape(inside.removeprefix("\n"))


# --- The form ------------------------------------------------------------------------------------------


def test_the_empty_page_says_what_to_do_and_what_will_come_of_it(client):
    page = text_of(client.get(ADDRESS))
    assert "Paste a SampleSheet.csv, or choose the file" in page
    assert "A check changes nothing and keeps nothing." in page


@pytest.mark.parametrize("sheet", ["", " \r\n\t"])
def test_without_a_sheet_it_says_so(client, sheet):
    response = check(client, sheet, RUN_INFO)
    assert response.status_code == 422
    assert "There is no sheet to check" in text_of(response)
    assert "NS500318" in response.content.decode()  # what was given is still there


def test_a_check_writes_nothing(client):
    with nothing_is_written():
        assert check(client, GOOD, RUN_INFO).status_code == 200
    assert not AuditEntry.objects.exists()


def test_the_number_of_queries_does_not_grow_with_the_sheet(client):
    counts = set()
    for count in (1, 500):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            check(client, GOOD + "".join(f"C{n},,P1,,\n" for n in range(count)))
        counts.add(len(queries))
    assert len(counts) == 1
    assert counts.pop() <= 4


# --- The result ----------------------------------------------------------------------------------------


def test_a_good_sheet_is_fine_in_the_first_line(client):
    page = text_of(check(client, GOOD, RUN_INFO))
    verdict = page.index("The sheet is fine: 2 samples, 4 FASTQs.")
    assert verdict < page.index("Text of the sheet")
    assert "Held against the run 150202_NS500318_0047_AH3KLMBGXX" in page


def test_errors_stand_first_numbered_each_with_place_text_and_remedy(client):
    sheet = GOOD + "B 3,,P1,GGGGGGGG,CCCCCCCC\n../x,,P1,AAAAAAAA,CCCCCCCC\n"
    response = check(client, sheet)
    assert "1 error, 1 entry that converters refuse: bcl-convert and bcl2fastq would not start." in text_of(
        response
    )
    first, second = re.findall(r'<li class="prose" id="problem-\d+">.*?</li>', response.content.decode())
    assert "Error" in first
    assert '<a href="#cell-10-0">Row 10, column Sample_ID</a>' in first
    assert '<span class="mono">../x</span>' in first
    assert "Rename it with letters" in first
    assert "Refused" in second
    assert '<a href="#cell-9-0">Row 9' in second


def test_a_marked_cell_has_sign_colour_and_words_and_leads_back_to_its_problem(client):
    body = check(client, GOOD + "../x,,P1,AAAAAAAA,CCCCCCCC\n").content.decode()
    (cell,) = re.findall(r'<td id="cell-9-0".*?</td>', body)
    assert 'class="bad"' in cell
    assert 'href="#problem-1" title="Error: The name holds a slash' in cell
    assert "bi-x-octagon-fill" in cell
    assert '<span class="visually-hidden">Problem 1, error: The name holds a slash' in cell
    assert cell.endswith("../x</td>")


def test_the_sheet_is_a_table_with_sections_rows_and_columns(client):
    body = check(client, GOOD).content.decode()
    assert re.findall(r"\[(Header|Reads|Data)\] <span[^>]*>row (\d)", body) == [
        ("Header", "1"),
        ("Reads", "2"),
        ("Data", "5"),
    ]
    assert re.findall(r'<th scope="col" id="cell-6-\d"[^>]*>(\w+)</th>', body) == [
        "Sample_ID",
        "Sample_Name",
        "Sample_Project",
        "index",
        "index2",
    ]
    assert '<th scope="row" id="row-7" class="">7</th><td>A1</td>' in body


def test_the_names_of_both_converters_stand_side_by_side(client):
    page = part(check(client, GOOD, RUN_INFO), "fastqs")
    assert "2 samples, 4 FASTQs." in page
    assert "A1 A1_S1_L001_R1_001.fastq.gz P1/A1/Anna_S1_L001_R1_001.fastq.gz" in page
    assert "B2 B2_S2_L001_R2_001.fastq.gz P1/B2_S2_L001_R2_001.fastq.gz" in page
    without = part(check(client, GOOD), "fastqs")
    assert "R1 and R2 are told by the section Reads; lane 1 stands for each lane" in without


def test_of_a_sheet_with_errors_no_names_are_told(client):
    assert "No names can be told until the errors are mended." in part(check(client, "[Data]\n"), "fastqs")


def test_version_2_is_held_against_its_run_and_bcl2fastq_does_not_read_it(client):
    response = check(client, V2, RUN_INFO)
    assert "The flow cell has 1 lane" in part(response, "problems")
    assert "The index has 10 bases, and the run reads 8 of the first index" in part(response, "problems")
    assert "version 2" in part(response, "sheet")
    assert "bcl-convert would not start" in part(response, "sheet")
    assert "bcl2fastq does not read this form" in part(response, "sheet")


def test_a_casava_sheet_is_shown_and_no_converter_reads_it(client):
    response = check(client, CASAVA)
    assert "neither bcl-convert nor bcl2fastq would start" in text_of(response)
    assert "CASAVA, without sections" in part(response, "sheet")
    assert "C1 1 A1 hg19 ACGTAC-TTGACA P1" in part(response, "sheet")


def test_indexes_that_can_be_confused_are_told_lane_by_lane(client):
    rows = [
        "1,A,ACGTACGT,TTTTTTTT",
        "1,B,ACGTACGA,TTTTTTTT",
        "2,A,ACGTACGT,TTTTTTTT",
        "2,C,GGGGGGGG,AAAAAAAA",
    ]
    sheet = "[Header]\n[Data]\nLane,Sample_ID,index,index2\n" + "\n".join(rows)
    page = part(check(client, sheet), "indexes")
    assert "Lane 1 Can be confused 1 pair of samples lies so close" in page
    assert "can be confused 1 + 0 A row 4 ACGTACGT+TTTTTTTT B row 5 ACGTACGA+TTTTTTTT" in page
    assert (
        "Lane 2 Can be told apart No read can belong to two of the 2 index pairs; the least distance is 14."
        in page
    )
    assert "4 A 5 B can be confused: 1" in page  # the matrix


def test_a_large_lane_has_its_closest_pairs_and_no_matrix(client):
    bases = "ACGT"
    rows = [
        f"S{n},{''.join(bases[n // 4**k % 4] * 3 for k in range(4))}" for n in range(views.MATRIX_SIZE + 1)
    ]
    sheet = "[Header]\n[Data]\nSample_ID,index\n" + "\n".join(rows)
    page = part(check(client, sheet), "indexes")
    assert "The closest pairs" in page
    assert "All distances" not in page
    assert f"for up to {views.MATRIX_SIZE} indexes a lane" in page


def test_mixed_lengths_and_10x_sets_are_told(client):
    sheet = "[Header]\n[Data]\nSample_ID,index\nA,ACGTACGT\nB,TTTTTT\nC,SI-GA-A1\nD,SI-TT-A1\n"
    page = part(check(client, sheet), "indexes")
    assert "Mixed lengths 8 bases on 1 row, 6 bases on 1 row" in page
    assert "No sequence on 2 rows: SI-GA-A1 (row 6), SI-TT-A1 (row 7)" in page


def test_the_direction_of_the_second_index_is_told_by_set_and_instrument(client):
    sheet = "[Header]\n[Data]\nSample_ID,index,index2\nA,ACGTACGT,CTCTCTAT\nB,TTTTACGT,TATCCTCT\n"
    page = part(check(client, sheet, RUN_INFO), "indexes")
    assert "Likely written forward : 2 of 2 different ones are Nextera indexes that way round." in page
    assert "For the NextSeq 500/550 bcl-convert wants reverse complement ( it is not )" in page
    assert "Which way it is read depends on the instrument" in part(check(client, sheet), "indexes")
    assert "The second index is likely written in the wrong direction" in part(
        check(client, sheet, RUN_INFO), "problems"
    )


# --- The same check as the command ---------------------------------------------------------------------


def by_command(tmp_path, capsys, sheet: bytes, run_info: bytes | None) -> dict:
    (tmp_path / "SampleSheet.csv").write_bytes(sheet)
    options = ["--json"]
    if run_info is not None:
        (tmp_path / "RunInfo.xml").write_bytes(run_info)
        options += ["--run-info", str(tmp_path / "RunInfo.xml")]
    with contextlib.suppress(SystemExit):
        call_command("check_sample_sheet", str(tmp_path / "SampleSheet.csv"), *options)
    return json.loads(capsys.readouterr().out)


def assert_alike(response, said: dict, name: str) -> None:
    """The page says what the command says, and each of its links within the page leads somewhere."""
    keys = ("severity", "code", "row", "column", "text", "message", "remedy")
    on_page = [
        tuple(getattr(problem.finding.problem, key) for key in keys)
        for problem in response.context["problems"]
    ]
    in_command = [tuple(problem[key] for key in keys) for problem in said["errors"] + said["warnings"]]
    assert sorted(map(repr, on_page)) == sorted(map(repr, in_command)), name
    body = response.content.decode()
    assert f"<strong>{html.escape(said['verdict'])}</strong>" in body, name
    assert body.count('id="problem-') == len(in_command), name
    places = re.findall(r' id="([^"]+)"', body)
    assert len(places) == len(set(places)), name
    assert set(re.findall(r'href="#([^"]+)"', body)) <= set(places), name
    shown = [path for fastq in response.context["fastqs"] for path in fastq.paths if path]
    told = said.get("expected_fastqs") or said["likely_fastqs"]
    assert set(shown) <= {path for paths in told.values() for path in paths}, name


@pytest.mark.slow
def test_page_and_command_say_the_same_of_every_real_sheet(client, corpus, tmp_path, capsys):
    entries = [json.loads(line) for line in (corpus / "expected.jsonl").read_text().splitlines()]
    sheets = [entry["file"] for entry in entries if entry["kind"].startswith("samplesheet")]
    seen = set()
    for name in sheets:
        content = (corpus / "files" / name).read_bytes()
        beside = (corpus / "files" / name).with_name("RunInfo.xml")
        run_info = beside.read_bytes() if beside.exists() else None
        if (content, run_info) in seen:
            continue
        seen.add((content, run_info))
        response = check(client, content, run_info if run_info is not None else "")
        assert response.status_code == 200, name
        assert_alike(response, by_command(tmp_path, capsys, content, run_info), name)
    assert len(seen) > 80


@pytest.mark.parametrize("sheet", [GOOD, V2, CASAVA, "nonsense", "[Data]\n", "\x00\x01" * 50, HOSTILE])
@pytest.mark.parametrize("run_info", [None, RUN_INFO, "<RunInfo", ""])
def test_page_and_command_say_the_same_whatever_is_given(sheet, run_info, client, tmp_path, capsys):
    given = (sheet.encode(), None if run_info is None else run_info.encode())
    response = check(client, given[0], "" if given[1] is None else given[1])
    assert_alike(response, by_command(tmp_path, capsys, *given), sheet)


# --- Mend and check again ------------------------------------------------------------------------------


def test_the_box_keeps_the_text_as_it_was_pasted(client):
    hostile = HOSTILE.replace("\x1b", "")  # Python leaves it out of references, a browser does not
    for text in (
        GOOD,
        "\n\n" + GOOD,
        GOOD.replace("Anna", hostile),
        GOOD.replace("\n", "\r\n"),
        "a\ttab,&amp;",
    ):
        response = check(client, text)
        assert box_of(response).replace("\r\n", "\n") == text.replace("\r\n", "\n")
        again = check(client, box_of(response))
        assert part(again, "sheet") == part(response, "sheet")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252", "utf-32"])
def test_a_file_of_any_encoding_is_read_and_its_text_stands_in_the_box(client, encoding):
    text = GOOD.replace("[Header]", "[Header]\nPäle,Ännä").replace("\n", "\r\n")
    response = check(client, text.encode(encoding))
    assert "Päle Ännä" in part(response, "sheet")
    assert "Ännä" in box_of(response)
    assert "[Data] row 6" in part(check(client, box_of(response)), "sheet")


def test_a_chosen_file_counts_and_not_the_text_beside_it(client):
    response = client.post(
        ADDRESS, {"sheet": "nonsense", "sheet_file": SimpleUploadedFile("s.csv", GOOD.encode())}
    )
    assert "The sheet is fine" in text_of(response)
    assert "nonsense" not in response.content.decode()


def test_an_empty_file_is_an_error_of_that_file(client):
    response = check(client, b"")
    assert response.status_code == 200
    assert "The file is empty" in part(response, "problems")


def test_a_text_too_long_for_the_box_is_checked_and_says_where_to_mend_it(client):
    response = check(client, (GOOD + f"# {50 * 'x'}\n" * 30_000).encode())
    assert "The sheet is fine" in text_of(response)
    assert "The sheet is too long to stand here: mend the file" in text_of(response)
    assert box_of(response) == ""


# --- From a run ----------------------------------------------------------------------------------------


def test_from_a_run_its_current_sheet_is_checked_against_what_is_known_of_it(client):
    run = add_run(lane_count=1)
    add_sheet(run, b"nonsense")
    add_sheet(run, GOOD.encode())
    with nothing_is_written():
        response = client.get(ADDRESS, {"run": run.pk})
    page = text_of(response)
    assert "The sheet is fine: 2 samples, 4 FASTQs." in page
    assert f"Held against {run.name} , by what the last scan kept of its RunInfo.xml" in page
    assert box_of(response) == GOOD
    # Mended and sent again, it is still held against the run.
    mended = check(client, GOOD.replace("ACGTACGT,", "ACGTACGTACGT,"), run=run.pk)
    assert "the run reads 8 of the first index" in part(mended, "problems")
    # A RunInfo.xml that is given counts instead.
    single = RUN_INFO.replace('<Read Number="3" NumCycles="8" IsIndexedRead="Y"/>', "")
    assert "The run has no second index read" in part(check(client, GOOD, single, run=run.pk), "problems")


def test_a_run_without_a_sheet_or_without_reads_has_the_form_all_the_same(client):
    bare = add_run(reads=[], sequencer=None)
    assert f"No sample sheet of {bare.name} is known." in text_of(client.get(ADDRESS, {"run": bare.pk}))
    add_sheet(bare, GOOD.encode())
    assert "Without RunInfo.xml" in text_of(client.get(ADDRESS, {"run": bare.pk}))


@pytest.mark.parametrize("run", ["999999", "0", "x", "", "-1", "1" * 50, "²"])
def test_a_run_that_is_not_there_is_answered_calmly(client, run):
    assert client.get(ADDRESS, {"run": run}).status_code == 404
    assert "The sheet is fine" in text_of(check(client, GOOD, run=run))


# --- Hostile and huge ----------------------------------------------------------------------------------


def test_promise_51_hostile_texts_are_inert(client):
    sheet = f"[{HOSTILE}]\nx,{HOSTILE}\n[Header]\n{HOSTILE},{HOSTILE}\n[Data]\n"
    sheet += f"Sample_ID,{HOSTILE},index,Sample_Project\n"
    sheet += f"{HOSTILE},{HOSTILE},{HOSTILE},{HOSTILE}\nA,=cmd(),ACGT,@x\n"
    run_info = RUN_INFO.replace("<Run Id=", f'<Run Id="{html.escape(HOSTILE.replace(chr(27), ""))}" X=')
    for run_info_given in ("", run_info, f"<{HOSTILE}"):
        for given in (sheet, sheet.encode()):
            body = check(client, given, run_info_given).content.decode()
            assert "gnp.exe" in body  # it is on the page, only harmless
            assert "<script>alert" not in body
            assert "\x1b" not in body
            assert "\u202e" not in body


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "&a;" * 10}">' for n in range(12))
    + "]><RunInfo><Run Id='&a11;'/></RunInfo>"
)


@pytest.mark.parametrize(
    ("sheet", "run_info", "said"),
    [
        (GOOD, BOMB, "The file declares a document type or entities"),
        (GOOD, b"<" * 20_000_000, "The file is too large"),
        (GOOD, "\x00" * 100_000, "The file is empty"),
        (b"x" * 20_000_000, "", "The file is too large for a sample sheet"),
        (b"\x00" * 16_000_000, "", "The file is empty"),
        (bytes(range(256)) * 40_000, "", "This is not a text file"),
        (b"[Data]\nSample_ID,index\n" + b'"' * 8_000_000, "", "would not start"),
    ],
)
def test_promise_50_what_is_huge_or_no_text_is_answered_calmly(client, sheet, run_info, said):
    response = check(client, sheet, run_info)
    assert said in text_of(response)
    assert response.status_code == 200


def test_a_sheet_of_more_lines_than_are_read_says_so(client):
    response = check(client, ("[Data]\nSample_ID\n" + "A\n" * 60_000).encode("utf-16"))
    assert "more than 50,000 lines" in text_of(response)


def test_a_text_too_large_to_be_pasted_is_refused_calmly(client):
    response = check(client, "x" * 3_000_000)
    assert response.status_code == 400
    assert "Nothing was changed." in text_of(response)


def test_ten_thousand_rows_are_checked_and_cut_with_a_word(client):
    dice = random.Random(1)
    indexes = ["".join(dice.choices("ACGT", k=10)) for _ in range(20_000)]
    rows = [f"{n % 8 + 1},S{n},{indexes[n]},{indexes[-n - 1]}" for n in range(10_000)]
    rows[9_000] = "1,../x,ACGTACGT,ACGTACGT"
    sheet = "[Header]\n[Data]\nLane,Sample_ID,index,index2\n" + "\n".join(rows)
    response = check(client, sheet.encode())
    page = part(response, "sheet")
    assert "its first rows and every row with a problem are shown" in page
    assert "9004 1" in page
    assert "rows without a problem are not shown" in page
    assert len(response.content) < 2_000_000

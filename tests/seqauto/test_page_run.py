"""The pages of one run: its files, sheet, messages and history, and what people change of it."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from delivery_rows import add_delivery
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from page_rows import add_file, add_message, add_run, add_scan, add_sheet

from seqauto.models import AuditEntry, Scan, SequencingRun
from seqauto.models.runs import RunState
from seqauto.models.samples import DataState
from seqauto.views import run_changes, run_matrix
from seqauto.views import scans as scan_views

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def user(client) -> User:
    user = User.objects.create_user("labstaff")
    client.force_login(user)
    return user


@pytest.fixture
def staff(client) -> User:
    staff = User.objects.create_user("head_of_lab")
    staff.groups.add(Group.objects.get(name="Lab admins"))
    client.force_login(staff)
    return staff


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


# --- One run: files ------------------------------------------------------------------------------------


def test_missing_files_stand_first_with_their_full_paths_to_copy(client):
    run = add_run(samples=3, missing=1)
    response = client.get(run.get_absolute_url())
    page = text_of(response)
    path = f"{run.path}/0_fastq/H-0001_S1_L001_R1_001.fastq.gz"
    assert page.index("1 file missing") < page.index(path) < page.index("H-0002")
    assert f'data-copy="{path}"' in response.content.decode()
    assert page.index("H-0001", page.index("Project Index")) < page.index("H-0002")


def test_samples_with_missing_files_stand_before_the_others(client):
    run = add_run(samples=5)
    run.files.filter(sample__number=4).update(data_state=DataState.NON_EXISTENT)
    body = client.get(run.get_absolute_url()).content.decode()
    assert re.findall(r'<th scope="row"><a [^>]*>(H-\d+)', body)[0] == "H-0004"


@pytest.mark.parametrize(
    ("state", "size", "words"),
    [
        (DataState.COMPLETE, 412_000_000, "412 MB"),
        (DataState.COMPLETE, 28, "empty"),
        (DataState.NON_EXISTENT, None, "missing"),
        (DataState.DELETED, None, "deleted"),
        (DataState.RUNNING, None, "running"),
        (DataState.SKIPPED, None, "skipped"),
        (DataState.ERROR, None, "error"),
    ],
)
def test_each_cell_tells_its_state_by_sign_and_word(client, state, size, words):
    run = add_run(samples=1)
    run.files.update(data_state=state, size=size)
    body = client.get(run.get_absolute_url()).content.decode()
    cells = re.findall(r'<td class="cell">(.*?)</td>', body)
    assert len(cells) == 2
    for cell in cells:
        assert words in re.sub(r"<[^>]+>", "", cell).replace("\u00a0", " ")
        assert 'class="bi bi-' in cell


def test_the_columns_are_the_lanes_and_reads_of_the_run(client):
    body = client.get(add_run(samples=2, lanes=2).get_absolute_url()).content.decode()
    assert re.findall(r'<th scope="col" class="cell">(.*?)</th>', body) == [
        "L1 R1",
        "L1 R2",
        "L2 R1",
        "L2 R2",
    ]


def test_files_recorded_while_the_page_is_made_do_not_break_it(client, monkeypatch):
    run = add_run(samples=1)
    columns_of = run_matrix.columns_of

    def columns_then_scan(counts):
        columns = columns_of(counts)
        add_file(run, run.samples.get(), 2, "R1", path="H-0001_L002_R1.fastq.gz").save()
        return columns

    monkeypatch.setattr(run_matrix, "columns_of", columns_then_scan)
    assert client.get(run.get_absolute_url()).content.decode().count('<td class="cell">') == 2


def test_two_files_for_one_slot_both_show(client):
    run = add_run(samples=1)
    add_file(run, run.samples.get(), 1, "R1", path="copy/H-0001_R1.fastq.gz", size=5_000_000).save()
    body = client.get(run.get_absolute_url()).content.decode()
    assert "412\u00a0MB" in body
    assert "5.0\u00a0MB" in body


def test_files_that_no_sheet_asks_for_are_listed_apart(client):
    run = add_run(samples=1)
    run.files.create(
        file_type="fastq",
        path="Undetermined_S0_R1_001.fastq.gz",
        data_state=DataState.COMPLETE,
        is_expected=False,
        read="R1",
        size=9,
        changed_at=timezone.now(),
    )
    page = text_of(client.get(run.get_absolute_url()))
    assert page.index("Other files found") < page.index("Undetermined_S0_R1_001.fastq.gz")


def test_all_missing_paths_can_be_had_as_text(client):
    run = add_run(samples=40, missing=70)
    assert f"/runs/{run.pk}/missing.txt" in client.get(run.get_absolute_url()).content.decode()
    response = client.get(f"/runs/{run.pk}/missing.txt")
    lines = response.getvalue().decode().splitlines()
    assert len(lines) == 70
    assert lines[0] == f"{run.path}/0_fastq/H-0001_S1_L001_R1_001.fastq.gz"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_run_of_400_samples_is_paged_and_its_queries_do_not_grow(client, django_assert_max_num_queries):
    run = add_run(samples=400, lanes=4, missing=100)
    with django_assert_max_num_queries(15):
        body = client.get(run.get_absolute_url()).content.decode()
    assert body.count('<th scope="row">') == run_matrix.SAMPLES_A_PAGE
    last = client.get(run.get_absolute_url(), {"page": 5}).content.decode()
    assert re.findall(r'<th scope="row"><a [^>]*>(H-\d+)', last)[-1] == "H-0400"


@pytest.mark.parametrize(
    ("errors", "words"),
    [(None, "A sample sheet is missing"), ([], "names none"), (["Row 3"], "cannot be used as it is")],
)
def test_a_run_without_samples_says_why_and_what_to_do(client, errors, words):
    run = add_run()
    if errors is not None:
        problems = [{"severity": "error", "code": "x", "message": text, "remedy": ""} for text in errors]
        add_sheet(run, problems=problems, is_usable=not problems)
    assert words in text_of(client.get(run.get_absolute_url()))


def test_open_messages_stand_on_the_run_s_page_with_what_to_do_and_closed_ones_do_not(client):
    run = add_run()
    add_message(run, place="RunParameters.xml")
    add_message(run, text="Long mended.", closed_at=timezone.now())
    page = text_of(client.get(run.get_absolute_url()))
    told = page.index("RunParameters.xml is absent. RunParameters.xml")
    assert told < page.index("Copy it from the instrument.")
    assert "Long mended." not in page
    assert "Long mended." in text_of(client.get(f"/runs/{run.pk}/messages/"))


def test_a_skipped_run_says_why(client):
    run = add_run(state=RunState.SKIPPED, state_reason="marked by .variantgrid_skip_flowcell")
    assert "marked by .variantgrid_skip_flowcell" in text_of(client.get(run.get_absolute_url()))


def test_a_skipped_run_does_not_say_that_its_sheet_is_missing(client):
    run = add_run(samples=0, state=RunState.SKIPPED)
    page = text_of(client.get(run.get_absolute_url()))
    assert "The run is skipped, so its sample sheet was not read." in page
    assert "A sample sheet is missing" not in page


def test_how_complete_a_run_is_stands_by_type_of_file_with_what_is_there_besides(client):
    run = add_run(samples=4, missing=2)
    run.files.filter(sample__number=4).update(data_state=DataState.SKIPPED, is_expected=False, size=None)
    sample = run.samples.get(number=1)
    add_file(run, sample, 1, "", file_type="bam", path="1_BAM/H-0001.bam", size=9_000_000_000).save()
    add_file(run, sample, 1, "I1", path="I1.fastq.gz", is_expected=False, size=1_000_000).save()
    page = text_of(client.get(run.get_absolute_url())).replace("\u00a0", " ")
    assert "FASTQ 4 / 6 1.6 GB, 2 skipped, 1 other file" in page
    assert "BAM 1 / 1 9.0 GB" in page


def test_a_single_lane_is_not_named_in_every_column(client):
    body = client.get(add_run(samples=1).get_absolute_url()).content.decode()
    assert re.findall(r'<th scope="col" class="cell">(.*?)</th>', body) == ["R1", "R2"]


def test_the_reads_of_each_sample_stand_beside_it_where_a_delivery_counted_them(client):
    delivery = add_delivery()
    run = add_run(samples=2, identity=delivery.identity)
    step = delivery.steps.get(kind="convert")
    rows = [{"lane": lane, "sample_id": "H-0001", "project": "HAEM", "reads": 1_000_000} for lane in (1, 2)]
    step.figures["demultiplexing"] = {"samples": rows}
    step.save()
    body = client.get(run.get_absolute_url()).content.decode()
    assert '<th scope="col" class="num">Reads</th>' in body
    assert re.findall(r'<td class="num">(.*?)</td>', body) == ["2,000,000", "–"]


@pytest.mark.parametrize("counted", [None, [], {}, {"samples": 7}, {"samples": [7, {"reads": "x"}]}])
def test_figures_of_any_kind_break_no_matrix(client, counted):
    delivery = add_delivery()
    delivery.steps.filter(kind="convert").update(figures={"demultiplexing": counted})
    run = add_run(samples=1, identity=delivery.identity)
    assert client.get(run.get_absolute_url()).status_code == 200


def test_without_a_delivery_there_is_no_column_of_reads(client):
    assert ">Reads</th>" not in client.get(add_run(samples=1).get_absolute_url()).content.decode()


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=h-0002", ["H-0002"]),
        ("q=HAEM", ["H-0001", "H-0002", "H-0003"]),
        ("q=TTGA&need=on", ["H-0001"]),
        ("need=on", ["H-0001"]),
        ("q=nothing", []),
        ("q=%00", ["H-0001", "H-0002", "H-0003"]),
        (f"q={'x' * 300}", ["H-0001", "H-0002", "H-0003"]),
    ],
)
def test_the_matrix_can_be_narrowed(client, query, names):
    body = client.get(f"{add_run(samples=3, missing=1).get_absolute_url()}?{query}").content.decode()
    assert re.findall(r'<th scope="row"><a [^>]*>(H-\d+)', body) == names
    assert ("No sample of this run fits." in body) == (not names)


def test_a_sample_leads_to_all_its_runs(client):
    body = client.get(add_run(samples=1).get_absolute_url()).content.decode()
    assert '<a href="/samples/?q=H-0001">H-0001</a>' in body


def test_all_paths_of_many_missing_files_can_be_copied_at_once(client):
    few, many = add_run(samples=2, missing=2), add_run(samples=40, missing=70)
    assert 'data-copy-from=".missing-path"' in client.get(few.get_absolute_url()).content.decode()
    body = client.get(many.get_absolute_url()).content.decode()
    assert f'data-copy-url="/runs/{many.pk}/missing.txt"' in body


def test_that_files_are_missing_is_said_once(client):
    run = add_run(samples=2, missing=1)
    add_message(run, code="files_missing", text="1 of 4 expected files is not there.")
    page = text_of(client.get(run.get_absolute_url()))
    assert "1 of 4 expected files" not in page
    assert "Copy it to where it is expected, or correct the sample sheet" in page
    assert "1 of 4 expected files" in text_of(client.get(f"/runs/{run.pk}/messages/"))


def test_the_files_of_a_run_can_be_had_as_csv_with_their_full_paths(client):
    run = add_run(samples=1, missing=1, name="=run")
    run.files.update(mtime_ns=int(datetime(2026, 11, 20, 3, 30, tzinfo=UTC).timestamp()) * 10**9)
    add_file(run, run.samples.get(), 1, "I1", path="=cmd()", is_expected=False).save()
    response = client.get(f"/runs/{run.pk}/files.csv")
    assert response.streaming
    rows = list(csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"))))
    assert rows[0] == {
        "sample_id": "H-0001",
        "project": "HAEM",
        "file_type": "fastq",
        "lane": "1",
        "read": "R1",
        "is_expected": "True",
        "bytes": "",
        "state": "Non Existent",
        "modified_at": "2026-11-20T03:30:00+00:00",
        "path": f"{run.path}/0_fastq/H-0001_S1_L001_R1_001.fastq.gz",
    }
    assert [row["state"] for row in rows] == ["Non Existent", "Complete", "Complete"]
    assert "=run_files.csv" in response.headers["Content-Disposition"]


def test_links_to_other_systems_open_apart_and_tell_them_nothing(client, settings):
    settings.SEQAUTO_RUN_LINKS = {"LIMS": "https://lims/{name}", "Hub": "https://hub/{experiment}"}
    body = client.get(add_run(name="R 1").get_absolute_url()).content.decode()
    assert '<a class="me-3" href="https://lims/R%201" rel="noopener noreferrer" target="_blank">LIMS' in body
    assert "https://hub" not in body


def test_the_head_tells_instrument_dates_reads_and_kit(client):
    run = add_run(lane_count=4, chemistry="Amplicon v3", flowcell="LK2P9", group="idt/haem")
    page = text_of(client.get(run.get_absolute_url()))
    for words in (
        "M02027 · MiSeq",
        "LK2P9 Amplicon v3",
        "151 + 8 + 8 + 151 index 8 + 8, 4 lanes",
        "first seen",
    ):
        assert words in page
    assert 'href="/runs/?group=idt%2Fhaem"' in client.get(run.get_absolute_url()).content.decode()


TABS = ("", "?page=2", "?q=H&need=on", "live/", "sheet/", "timeline/", "messages/", "history/", "flags/")


@pytest.mark.parametrize("tab", TABS)
def test_no_page_of_a_run_needs_more_than_15_queries_whatever_it_holds(client, staff, tab, settings):
    settings.SEQAUTO_INCOMING_DIRS = ["/incoming"]
    counts = []
    for size in (1, 120):
        delivery = add_delivery()
        run = add_run(samples=size, lanes=2, missing=size, identity=delivery.identity, first_scan=add_scan())
        add_file(run, run.samples.first(), 1, "I1", path="I1.fastq.gz", is_expected=False).save()
        for number in range(size):
            scan = add_scan(started_by=staff)
            add_sheet(run, f"[Data]\nSample_ID,index\nH-{number},ACGT\n".encode(), scan=scan)
            add_message(run, scan=scan, closed_at=timezone.now() if number % 2 else None, closed_by_scan=scan)
        address = f"{run.get_absolute_url()}{tab}"
        client.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        counts.append(len(queries))
    assert max(counts) <= 15
    if tab != "sheet/":  # a first version has nothing to be compared with
        assert counts[1] <= counts[0]


# --- One run: sheet and history ------------------------------------------------------------------------


def test_every_version_of_the_sheet_can_be_read_with_what_changed(client):
    run = add_run()
    add_sheet(run, b"[Data]\nSample_ID\nold\n")
    add_sheet(run, b"[Data]\nSample_ID\nnew\n", change="1 sample replaced.")
    now = text_of(client.get(f"/runs/{run.pk}/sheet/"))
    assert "new" in now
    assert "1 sample replaced." in now
    assert "3 old" in text_of(client.get(f"/runs/{run.pk}/sheet/?version=1"))
    assert "version 2 of 2" in now


def test_problems_of_a_sheet_stand_errors_first_and_jump_to_their_rows(client):
    run = add_run()
    problems = [
        {
            "severity": "warning",
            "code": "w",
            "message": "Odd.",
            "remedy": "",
            "row": 1,
            "column": None,
            "text": "",
        },
        {
            "severity": "error",
            "code": "e",
            "message": "Twice.",
            "remedy": "Change one.",
            "row": 3,
            "column": "index",
        },
    ]
    add_sheet(run, b"[Data]\r\nSample_ID,index\r\na,ACGT\r\n", problems=problems)
    response = client.get(f"/runs/{run.pk}/sheet/")
    body = response.content.decode()
    assert "1 error to mend before the sheet can be used" in text_of(response)
    assert "Row 3 , column index: Twice. Change one." in text_of(response)
    assert body.index("Twice.") < body.index("Odd.")
    assert 'href="#row-3"' in body
    assert '<tr id="row-3" class="error"><th scope="row">3</th><td>a,ACGT</td></tr>' in body


@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", "Ä,Ö".encode("utf-16"), b"a\rb\rc", b"x" * 500_000]
)
def test_a_sheet_of_any_bytes_can_be_looked_at(client, content):
    run = add_run()
    add_sheet(run, content)
    assert client.get(f"/runs/{run.pk}/sheet/").status_code == 200


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_the_rows_of_a_sheet_are_those_that_its_problems_name(client, encoding, line_end):
    content = line_end.join(["[Data]", "Sample_ID,index", "Müller,ACGT", ""]).encode(encoding)
    run = add_run()
    problem = {"severity": "error", "code": "x", "message": "m", "remedy": "", "row": 3, "column": None}
    add_sheet(run, content, problems=[problem])
    body = client.get(f"/runs/{run.pk}/sheet/").content.decode()
    assert '<tr id="row-3" class="error"><th scope="row">3</th><td>Müller,ACGT</td></tr>' in body


def test_a_very_large_sheet_is_shown_in_part_and_says_so(client):
    run = add_run()
    add_sheet(run, b"row\n" * 100_000)
    response = client.get(f"/runs/{run.pk}/sheet/")
    assert "Only its beginning is shown." in text_of(response)


def test_messages_stand_open_ones_first_and_the_worst_of_them_on_top_with_since_and_remedy(client):
    run, scan = add_run(), add_scan()
    now = timezone.now()
    later = now + timedelta(seconds=1)
    add_message(run, severity="info", text="An info.")
    add_message(run, severity="error", text="An error.", remedy="Mend it.")
    add_message(
        run, text="Long mended.", closed_at=now, closed_by_scan=scan, opened_at=now - timedelta(days=3)
    )
    add_message(run, severity="info", text="It was moved.", opened_at=later, closed_at=later)
    add_message(run, text="A warning.")
    page = text_of(client.get(f"/runs/{run.pk}/messages/"))
    order = [
        "3 open",
        "An error.",
        "Mend it.",
        "A warning.",
        "An info.",
        "Closed",
        "It was moved.",
        "Long mended.",
    ]
    places = [page.index(text, page.index("History")) for text in order]
    assert places == sorted(places)
    assert f"closed by {scan}" in re.sub(
        r" closed .*? by ", " closed by ", page[page.index("Long mended.") :]
    )


def test_the_history_tells_people_and_scans_in_one_order_with_who_when_and_why(client, staff):
    scan = add_scan(started_by=staff)
    run = add_run(first_scan=scan, last_scan=add_scan())
    add_sheet(run, scan=scan)
    add_message(run, scan=scan, text="RunParameters.xml is absent.")
    client.post(f"/runs/{run.pk}/flags/", {"is_bad": "on", "why": "Overclustered."})
    page = text_of(client.get(f"/runs/{run.pk}/history/"))
    assert "bad: no → yes Overclustered. head_of_lab" in page
    assert "First seen. Sample sheet, version 1 Opened: RunParameters.xml is absent." in page
    assert f"{scan} , started by head_of_lab" in page
    assert "Read anew." in page
    assert page.index("Overclustered.") < page.index("First seen.")


def test_of_a_scan_that_saw_much_the_history_tells_the_first_and_how_much_more(client):
    scan = add_scan()
    run = add_run(first_scan=scan)
    for number in range(9):
        add_message(run, scan=scan, text=f"Message {number}.")
    assert "and 4 more" in text_of(client.get(f"/runs/{run.pk}/history/"))


# --- What people change --------------------------------------------------------------------------------


def noted() -> list[tuple]:
    """What the audit has, oldest first: (action, before, after, reason)."""
    return list(AuditEntry.objects.order_by("pk").values_list("action", "before", "after", "reason"))


def test_promise_54_a_change_of_flags_leaves_who_what_when_and_why_in_the_history(client, staff):
    run = add_run()
    page = client.post(f"/runs/{run.pk}/flags/", {"is_gold_standard": "on", "why": "Reference."}, follow=True)
    run.refresh_from_db()
    assert run.is_gold_standard
    assert "Flags saved." in text_of(page)
    assert noted() == [("run.flags_set", {"gold standard": False}, {"gold standard": True}, "Reference.")]
    entry = AuditEntry.objects.get(kind="sequencingrun", key=run.pk)
    assert (entry.who, entry.user_id, entry.is_person) == ("head_of_lab", staff.pk, True)
    history = text_of(client.get(f"/runs/{run.pk}/history/"))
    assert "gold standard: no → yes Reference." in " ".join(history.split())
    assert "head_of_lab" in history


def test_promise_54_flags_and_their_audit_row_are_written_together_or_not_at_all(client, staff, monkeypatch):
    run = add_run()

    def fail(*args, **kwargs):
        raise RuntimeError("no audit row")

    monkeypatch.setattr(AuditEntry, "save", fail)
    with pytest.raises(RuntimeError):
        client.post(f"/runs/{run.pk}/flags/", {"is_bad": "on", "why": "Overclustered."})
    run.refresh_from_db()
    assert not run.is_bad


def test_flags_are_not_changed_without_a_reason(client, staff):
    run = add_run()
    response = client.post(f"/runs/{run.pk}/flags/", {"is_bad": "on"})
    run.refresh_from_db()
    assert (response.status_code, run.is_bad) == (422, False)
    assert "This field is required." in text_of(response)


def test_saving_flags_leaves_what_a_scan_writes_meanwhile(client, staff, monkeypatch):
    run = add_run(samples=2)
    real = run_changes.get_object_or_404

    def read_then_scan(*args, **kwargs):
        found = real(*args, **kwargs)
        SequencingRun.objects.filter(pk=run.pk).update(files_found=3, state=RunState.INCOMPLETE)
        return found

    monkeypatch.setattr(run_changes, "get_object_or_404", read_then_scan)
    client.post(f"/runs/{run.pk}/flags/", {"is_bad": "on", "why": "Overclustered."})
    run.refresh_from_db()
    assert (run.is_bad, run.files_found, run.state) == (True, 3, RunState.INCOMPLETE)


def sent_by_browser(form_page, **changes: str) -> dict[str, str]:
    """What a browser sends of the form of flags, with these changes."""
    body = form_page.content.decode()
    shown = re.findall(r'<input type="hidden" name="(initial-\w+)" value="(\w+)"', body)
    ticked = re.findall(r'<input type="checkbox" name="(\w+)"[^>]* checked', body)
    return dict(shown) | dict.fromkeys(ticked, "on") | changes


def test_a_flag_that_somebody_else_set_meanwhile_stays_as_it_is(client, staff):
    run = add_run(is_hidden=True)
    sent = sent_by_browser(client.get(f"/runs/{run.pk}/flags/"), is_gold_standard="on", why="Reference.")
    SequencingRun.objects.filter(pk=run.pk).update(is_bad=True, is_hidden=False)
    client.post(f"/runs/{run.pk}/flags/", sent)
    run.refresh_from_db()
    assert (run.is_gold_standard, run.is_bad, run.is_hidden) == (True, True, False)
    assert noted() == [("run.flags_set", {"gold standard": False}, {"gold standard": True}, "Reference.")]


def test_a_form_that_is_asked_for_its_reason_still_knows_what_it_showed(client, staff):
    run = add_run()
    sent = sent_by_browser(client.get(f"/runs/{run.pk}/flags/"), is_gold_standard="on")
    SequencingRun.objects.filter(pk=run.pk).update(is_bad=True)
    again = client.post(f"/runs/{run.pk}/flags/", sent)
    assert again.status_code == 422
    client.post(f"/runs/{run.pk}/flags/", sent_by_browser(again, why="Reference."))
    run.refresh_from_db()
    assert (run.is_gold_standard, run.is_bad) == (True, True)


def test_a_flag_can_be_taken_off(client, staff):
    run = add_run(is_bad=True)
    sent = sent_by_browser(client.get(f"/runs/{run.pk}/flags/"), why="Looked at again.")
    del sent["is_bad"]
    client.post(f"/runs/{run.pk}/flags/", sent)
    run.refresh_from_db()
    assert not run.is_bad
    assert noted() == [("run.flags_set", {"bad": True}, {"bad": False}, "Looked at again.")]


def test_a_flag_that_stands_so_already_is_not_noted_twice(client, staff):
    run = add_run()
    sent = sent_by_browser(client.get(f"/runs/{run.pk}/flags/"), is_bad="on", why="Overclustered.")
    for words in ("Flags saved.", "No flag was changed."):
        assert words in text_of(client.post(f"/runs/{run.pk}/flags/", sent, follow=True))
    assert len(noted()) == 1


def test_a_legacy_run_offers_no_rescan_and_says_why(client, user):
    user.user_permissions.add(Permission.objects.get(codename="seqauto_scan_initiate"))
    run = add_run(is_legacy=True, fingerprint="f" * 64)
    page = text_of(client.get(run.get_absolute_url()))
    assert "Rescan this run" not in page
    assert "It is a legacy run, which scans never update." in page
    refused = text_of(client.post(f"/runs/{run.pk}/rescan/", follow=True))
    run.refresh_from_db()
    assert "The run was not marked for a rescan. It is a legacy run" in refused
    assert run.fingerprint
    assert not Scan.objects.exists()


def test_rescanning_a_run_makes_the_next_scan_read_it_anew_and_is_noted(client, user, monkeypatch):
    monkeypatch.setattr(scan_views, "queue_scan", lambda scan: None)
    user.user_permissions.add(Permission.objects.get(codename="seqauto_scan_initiate"))
    run = add_run(fingerprint="f" * 64)
    assert "Rescan this run" in text_of(client.get(run.get_absolute_url()))
    page = text_of(client.post(f"/runs/{run.pk}/rescan/", follow=True))
    run.refresh_from_db()
    assert run.fingerprint == ""
    assert Scan.objects.get().started_by == user
    assert "The next scan reads this run anew." in page
    assert [action for action, *_ in noted()] == ["run.rescan_asked", "scan.started"]


def test_users_without_the_permission_see_no_rescan_button(client):
    assert "Rescan this run" not in text_of(client.get(add_run().get_absolute_url()))


def test_a_rescan_is_refused_with_the_reason_while_scanning_is_off(client, user, settings):
    settings.SEQAUTO_ENABLED = False
    user.user_permissions.add(Permission.objects.get(codename="seqauto_scan_initiate"))
    run = add_run(fingerprint="f" * 64)
    page = text_of(client.post(f"/runs/{run.pk}/rescan/", follow=True))
    run.refresh_from_db()
    assert run.fingerprint
    assert "SEQAUTO_ENABLED is false" in page
    assert noted() == []

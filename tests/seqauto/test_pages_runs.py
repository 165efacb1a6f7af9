"""The pages of runs and messages: the lists and their filters, one run's files, sheet, history and flags."""

import re
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from page_rows import add_file, add_message, add_run, add_scan, add_sheet

from seqauto.models import AuditEntry, Experiment, Scan, Sequencer, SequencingRun, SequencingSample
from seqauto.models.runs import RunState
from seqauto.models.samples import DataState
from seqauto.models.scans import ScanStatus
from seqauto.templatetags import looks
from seqauto.views import runs as views
from seqauto.views import scans as scan_views

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def user(client) -> User:
    user = User.objects.create_user("labstaff")
    client.force_login(user)
    return user


@pytest.fixture
def staff(client) -> User:
    staff = User.objects.create_user("head_of_lab", is_staff=True)
    client.force_login(staff)
    return staff


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


# --- The list ------------------------------------------------------------------------------------------


def test_without_any_run_the_page_says_how_to_make_some_appear(client):
    assert "No run is known yet. Scan the disks" in text_of(client.get("/runs/"))


def test_the_list_tells_what_was_found_of_what_each_run_should_have(client):
    run = add_run(samples=12, missing=2, experiment=Experiment.objects.create(name="Haem_26_211"))
    add_message(run)
    page = text_of(client.get("/runs/"))
    assert "1 of 1 run needs a look; 22 of 24 expected FASTQs are there." in page
    for words in ("Haem_26_211", run.name, "MiSeq", "2 FASTQs missing", "22 / 24", "haem"):
        assert words in page


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "abc"),
        ("q=HAEM_26", "a"),
        ("q=LK2P9", "b"),
        ("state=incomplete", "a"),
        ("instrument=model:NextSeq 500", "bc"),
        ("group=exome", "b"),
        ("after=2026-11-02", "bc"),
        ("before=2026-11-02", "ab"),
        ("flag=bad", "c"),
        ("flag=hidden", "d"),
        ("flag=all", "abcd"),
        ("q=haem&group=exome", ""),
        ("state=nonsense&after=yesterday", "abc"),
    ],
)
def test_the_list_can_be_narrowed(client, query, names):
    next_seq, other = (Sequencer.objects.create(serial=f"NB{n}", model="NextSeq 500") for n in (1, 2))
    haem = Experiment.objects.create(name="Haem_26_211")
    add_run(name="run_a", experiment=haem, date=date(2026, 11, 1), samples=1, missing=1)
    add_run(name="run_b", sequencer=next_seq, group="exome", flowcell="LK2P9", date=date(2026, 11, 2))
    add_run(name="run_c", sequencer=other, is_bad=True, date=date(2026, 11, 3))
    add_run(name="run_d", is_hidden=True, date=date(2026, 11, 4))
    body = client.get(f"/runs/?{query}").content.decode()
    assert set(re.findall(r"run_([a-d])", body)) == set(names)


def test_runs_without_a_date_stand_last_and_the_others_newest_first(client):
    for name, day in [("run_a", None), ("run_b", date(2026, 1, 1)), ("run_c", date(2026, 2, 1))]:
        add_run(name=name, date=day)
    body = client.get("/runs/").content.decode()
    assert re.findall(r">run_([abc])<", body) == ["c", "b", "a"]


@pytest.mark.parametrize("column", ["name", "instrument", "date", "group", "state", "found", "open_messages"])
def test_the_list_can_be_sorted_by_each_column_both_ways(client, column):
    add_run(samples=1)
    add_run(name="zzz", group="zzz")
    for sort in (column, f"-{column}"):
        assert "zzz" in text_of(client.get("/runs/", {"sort": sort}))


def test_active_filters_are_chips_that_remove_themselves(client):
    add_run(group="exome")
    body = client.get("/runs/?q=x&group=exome&page=1").content.decode()
    assert re.findall(r'<a class="chip" href="\?([^"]*)"', body) == ["group=exome", "q=x"]


def test_further_runs_are_on_further_pages(client):
    for _ in range(views.RUNS_A_PAGE + 1):
        add_run()
    first = client.get("/runs/").content.decode()
    later = re.search(r'href="([^"]*page=2[^"]*)"', first).group(1)
    assert client.get(f"/runs/{later}").content.decode().count('class="mono">2611') == 1


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
    assert re.findall(r'<th scope="row">(H-\d+)', body)[0] == "H-0004"


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
    columns_of = views._matrix_columns

    def columns_then_scan(run):
        columns = columns_of(run)
        add_file(run, run.samples.get(), 2, "R1", path="H-0001_L002_R1.fastq.gz").save()
        return columns

    monkeypatch.setattr(views, "_matrix_columns", columns_then_scan)
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
    with django_assert_max_num_queries(16):
        body = client.get(run.get_absolute_url()).content.decode()
    assert body.count('<th scope="row">') == views.SAMPLES_A_PAGE
    last = client.get(run.get_absolute_url(), {"page": 5}).content.decode()
    assert re.findall(r'<th scope="row">(H-\d+)', last)[-1] == "H-0400"


@pytest.mark.parametrize(
    ("errors", "words"),
    [(None, "A sample sheet is missing"), ([], "names none"), (["Row 3"], "cannot be used as it is")],
)
def test_a_run_without_samples_says_why_and_what_to_do(client, errors, words):
    run = add_run()
    if errors is not None:
        problems = [{"severity": "error", "code": "x", "message": text, "remedy": ""} for text in errors]
        add_sheet(run, problems=problems)
    assert words in text_of(client.get(run.get_absolute_url()))


def test_open_messages_stand_on_the_run_s_page_with_what_to_do_and_closed_ones_do_not(client):
    run = add_run()
    add_message(run, place="RunParameters.xml")
    add_message(run, text="Long mended.", closed_at=timezone.now())
    page = text_of(client.get(run.get_absolute_url()))
    assert "RunParameters.xml is absent. RunParameters.xml Copy it from the instrument." in page
    assert "Long mended." not in page
    assert "Long mended." in text_of(client.get(f"/runs/{run.pk}/messages/"))


def test_a_skipped_run_says_why(client):
    run = add_run(state=RunState.SKIPPED, state_reason="marked by .variantgrid_skip_flowcell")
    assert "marked by .variantgrid_skip_flowcell" in text_of(client.get(run.get_absolute_url()))


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
    assert noted() == [("run.flags", {"gold standard": False}, {"gold standard": True}, "Reference.")]
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
    real = views.get_object_or_404

    def read_then_scan(*args, **kwargs):
        found = real(*args, **kwargs)
        SequencingRun.objects.filter(pk=run.pk).update(files_found=3, state=RunState.INCOMPLETE)
        return found

    monkeypatch.setattr(views, "get_object_or_404", read_then_scan)
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
    assert noted() == [("run.flags", {"gold standard": False}, {"gold standard": True}, "Reference.")]


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
    assert noted() == [("run.flags", {"bad": True}, {"bad": False}, "Looked at again.")]


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
    assert [action for action, *_ in noted()] == ["run.rescan", "scan.start"]


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


# --- Messages ------------------------------------------------------------------------------------------


def test_open_messages_stand_worst_first_with_links_to_their_runs(client):
    run = add_run()
    for severity in ("info", "error", "warning"):
        add_message(run, severity=severity, text=f"An {severity}.")
    add_message(run, text="Mended.", closed_at=timezone.now())
    response = client.get("/messages/")
    page = text_of(response)
    assert page.index("An error.") < page.index("An warning.") < page.index("An info.")
    assert "3 open" in page
    assert "Mended." not in page
    assert run.get_absolute_url() in response.content.decode()
    assert "Mended." in text_of(client.get("/messages/?closed=too"))


def test_messages_can_be_narrowed_by_severity_and_kind(client):
    add_message(severity="error", code="sheet", text="First.")
    add_message(severity="warning", code="moved", text="Second.")
    assert "Second." not in text_of(client.get("/messages/?severity=error"))
    assert "First." not in text_of(client.get("/messages/?code=moved"))


@pytest.mark.parametrize(
    "address",
    [
        f"/runs/{'9' * 30}/",
        f"/scans/{'9' * 30}/",
        "/runs/?q=%00&state=%00&group=%00&sort=%00&page=-1&after=0000-00-00",
        "/messages/?code=%00&severity=x&page=x&sort=text",
        f"/runs/?page={'9' * 30}",
        "/runs/?sort=experiment__name&sort=-fingerprint",
    ],
)
def test_an_address_of_nonsense_is_answered_calmly(client, address):
    add_run()
    assert client.get(address).status_code in {200, 404}


# --- Promise 51, and the number of queries -------------------------------------------------------------

HOSTILE = "<script>alert('x')</script>\x1b[31m\u202egnp.exe"


@pytest.fixture
def hostile(settings, tmp_path) -> tuple[Scan, SequencingRun]:
    """A scan and a run of which every text that comes from disk or sheet is hostile."""
    settings.SEQAUTO_SCAN_RESOURCES_DIR = tmp_path
    run = add_run(
        **dict.fromkeys(("name", "group", "state_reason", "flowcell", "chemistry"), HOSTILE),
        path=f"/archive/{HOSTILE}",
        experiment=Experiment.objects.create(name=HOSTILE),
        sequencer=Sequencer.objects.create(serial=HOSTILE, model=HOSTILE),
        state=RunState.SKIPPED,
    )
    sample = SequencingSample.objects.create(
        run=run, sample_id=HOSTILE, project=HOSTILE, number=1, indexes=f"{HOSTILE}\n{HOSTILE}2"
    )
    add_file(run, sample, 1, "R1", is_there=False, path=HOSTILE).save()
    add_file(run, sample, 1, "R2", path=f"{HOSTILE}2", is_expected=False).save()
    problem = dict.fromkeys(("code", "message", "remedy", "column", "text"), HOSTILE)
    problem |= {"severity": "error", "row": 1}
    add_sheet(run, HOSTILE.encode(), path=HOSTILE, change=HOSTILE, problems=[problem])
    words = dict.fromkeys(("error", "remedy", "traceback", "worker"), HOSTILE)
    scan = add_scan(ScanStatus.ERROR, **words, task_id="<b>", files_vanished=1)
    add_message(run, scan=scan, code="<b>", text=HOSTILE, remedy=HOSTILE, place=HOSTILE)
    folder = tmp_path / f"scan_{scan.pk}"
    folder.mkdir()
    (folder / "vanished.tsv").write_text(f"/archive/{HOSTILE}\t{HOSTILE}\n")
    return scan, run


PAGES_OF_HOSTILE_TEXT = [
    "/scans/",
    "/scans/live/",
    "/scans/{scan}/",
    "/scans/{scan}/changes/vanished/",
    "/runs/",
    f"/runs/?q={HOSTILE}",
    "/runs/{run}/",
    "/runs/{run}/sheet/",
    "/runs/{run}/messages/",
    "/runs/{run}/history/",
    "/runs/{run}/flags/",
    "/runs/{run}/missing.txt",
    "/messages/",
    "/messages/?code=<b>",
]


@pytest.mark.parametrize("address", PAGES_OF_HOSTILE_TEXT)
def test_promise_51_names_holding_html_or_control_codes_are_inert(client, staff, hostile, address):
    scan, run = hostile
    response = client.get(address.format(scan=scan.pk, run=run.pk))
    body = response.getvalue().decode() if response.streaming else response.content.decode()
    assert response.status_code == 200
    assert "gnp.exe" in body  # The hostile text is on the page, only harmless.
    is_html = response.headers["Content-Type"].startswith("text/html")
    assert not (is_html and "<script>alert" in body)
    # What people read and terminals print; attributes hold the true text, to be copied or sent back.
    shown = re.sub(r'(value|data-copy|href|title)="[^"]*"', "", body)
    assert not {"\x1b", "\u202e"} & set(shown)


def rows_of_many(count: int) -> None:
    for number in range(count):
        run = add_run(samples=2, missing=1, experiment=Experiment.objects.create(name=f"E{number}-{count}"))
        scan = add_scan(started_by=User.objects.create_user(f"user{number}-{count}"), files_appeared=1)
        add_message(run, scan=scan, code=f"code_{number % 3}")
        add_sheet(run, scan=scan)


@pytest.mark.parametrize(
    "address", ["/scans/", "/runs/", "/runs/?sort=-open_messages", "/messages/", "/scans/{}/"]
)
def test_queries_of_a_list_do_not_grow_with_its_rows(client, address, django_assert_num_queries):

    rows_of_many(2)
    address = address.format(Scan.objects.newest_first().first().pk)
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    rows_of_many(20)
    if "/scans/" in address and address != "/scans/":
        address = f"/scans/{Scan.objects.newest_first().first().pk}/"
    with django_assert_num_queries(len(few)):
        client.get(address)


# --- Words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (31, "31 B"), (999, "999 B"), (1_000, "1.0 kB"), (9_949, "9.9 kB"), (412_345_678, "412 MB"),
     (999_600_000, "1.0 GB"), (9_800_000_000, "9.8 GB"), (1_234_000_000_000, "1.2 TB"), (None, "–")],
)  # fmt: skip
def test_sizes_are_told_in_powers_of_a_thousand(count, words):
    assert looks.size(count).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "under 1 s"),
        (4.9, "4 s"),
        (60, "1 m"),
        (131, "2 m 11 s"),
        (11_100, "3 h 5 m"),
        (3_600, "1 h"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_are_told_in_their_two_largest_units(seconds, words):
    assert looks.duration(timedelta(seconds=seconds)) == words


def test_runs_of_a_root_that_is_scanned_no_more_stand_aside_until_asked_for(client):
    here = add_run()
    aside = add_run(state=RunState.NOT_SCANNED, state_reason="Its archive root is no longer scanned.")
    address = reverse("runs")
    assert here.name in text_of(client.get(address))
    assert aside.name not in text_of(client.get(address))
    page = text_of(client.get(address, {"state": "not_scanned"}))
    assert aside.name in page
    assert "Its archive root is no longer scanned." in page


def test_a_skipped_run_does_not_say_that_its_sheet_is_missing(client):
    run = add_run(samples=0, state=RunState.SKIPPED)
    page = text_of(client.get(run.get_absolute_url()))
    assert "The run is skipped, so its sample sheet was not read." in page
    assert "A sample sheet is missing" not in page

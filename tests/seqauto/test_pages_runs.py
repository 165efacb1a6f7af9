"""The lists of runs and messages and their filters, and names from disks on every page of runs and scans."""

import re
from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from page_rows import add_file, add_message, add_run, add_scan, add_sheet

from seqauto.models import Experiment, Scan, Sequencer, SequencingRun, SequencingSample
from seqauto.models.runs import RunState
from seqauto.models.scans import ScanStatus
from seqauto.templatetags import looks
from seqauto.views import runs as views

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
        ("state=nonsense&after=yesterday", ""),
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

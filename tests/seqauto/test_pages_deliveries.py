"""The pages of deliveries: the list and what it says first, one delivery's timeline, what people decide."""

import os
import re
from datetime import timedelta

import pytest
from delivery_rows import GIGABYTE, PROBLEMS, STEPS, add_delivery, fail
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kombu.exceptions import OperationalError
from page_rows import add_run

from seqauto.decisions import FASTQS_IN_THE_WAY
from seqauto.delivery_states import override_key
from seqauto.models import Delivery, DeliveryEvent, DeliveryStep, Experiment, IncomingFolder
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.templatetags.delivery_looks import NOT_WATCHED
from seqauto.views import deliveries as views

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain(client) -> User:
    user = User.objects.create_user("plain")
    client.force_login(user)
    return user


@pytest.fixture
def operator(client) -> User:
    user = User.objects.create_user("operator")
    user.user_permissions.add(Permission.objects.get(codename="seqauto_deliver"))
    client.force_login(user)
    return user


@pytest.fixture(autouse=True)
def told(monkeypatch) -> list[str]:
    """One entry each time that workers were told of steps that may begin; the queue has its own tests."""
    calls: list[str] = []
    monkeypatch.setattr(views, "queue_ready_steps", lambda: calls.append("told"))
    return calls


@pytest.fixture(autouse=True)
def incoming(settings) -> None:
    settings.SEQAUTO_INCOMING_DIRS = ["/incoming"]


def text_of(response) -> str:
    """What a person reads: the page without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).replace("\u00a0", " ").split())


def row_of(client, delivery: Delivery) -> str:
    """What the list says of one delivery, in its table."""
    body = client.get("/deliveries/").content.decode().partition('id="deliveries-table"')[2]
    row = next(row for row in body.split("<tr>") if delivery.name in row)
    return " ".join(re.sub(r"<[^>]+>", " ", row).replace("\u00a0", " ").split())


# --- The list: what it says first ----------------------------------------------------------------------


def test_the_first_lines_say_what_needs_a_person_what_is_in_hand_and_what_arrived(client):
    fail(add_delivery(DeliveryState.WAITING))
    add_delivery(DeliveryState.DELIVERING)
    add_delivery(DeliveryState.SEQUENCING)
    add_delivery(DeliveryState.HELD, is_held=True)
    add_delivery(ago=timedelta(hours=9))
    add_delivery(ago=timedelta(days=3))
    page = text_of(client.get("/deliveries/"))
    assert "1 needs a person ; 1 in hand, 1 still sequencing, 1 on hold." in page
    assert "Of 4 runs that ended in the last 24 hours, 1 is delivered." in page


def test_a_calm_night_is_told_calmly(client):
    add_delivery(ago=timedelta(hours=9))
    add_delivery(ago=timedelta(hours=8))
    page = text_of(client.get("/deliveries/"))
    assert "Nothing needs a person; 0 in hand, 0 still sequencing." in page
    assert "All 2 runs that ended in the last 24 hours are delivered." in page


def test_the_empty_page_says_what_will_appear_and_which_setting_makes_it_so(client, settings):
    assert "will stand here while it is sequenced" in text_of(client.get("/deliveries/"))
    settings.SEQAUTO_INCOMING_DIRS = []
    assert "Set SEQAUTO_INCOMING_DIRS to the folders" in text_of(client.get("/deliveries/"))


def test_what_needs_a_person_stands_first_with_reason_remedy_and_retry(client, operator):
    folder = add_delivery(
        DeliveryState.UNRECOGNISED,
        ago=timedelta(0),
        identity=None,
        reason="It holds no RunInfo.xml.",
        remedy="Move it away.",
    )
    failed = add_delivery(DeliveryState.WAITING)
    step = fail(failed)
    response = client.get("/deliveries/")
    top = text_of(response).partition("Incoming folder")[0]
    assert top.index(step.error) < top.index(step.remedy) < top.index("It holds no RunInfo.xml.")
    assert "Move it away." in top
    retries = re.findall(r'action="(/deliveries/\d+/retry/)"', response.content.decode())
    assert retries == [f"/deliveries/{failed.pk}/retry/"]
    assert folder.get_absolute_url() in response.content.decode()


def test_users_without_the_permission_are_offered_nothing(client):
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery)
    for address in ("/deliveries/", delivery.get_absolute_url()):
        assert '<button class="btn btn-sm btn-quiet" data-once>' not in client.get(address).content.decode()
        assert "csrfmiddlewaretoken" not in client.get(address).content.decode().partition("<main")[2]


def test_many_that_need_a_person_are_a_few_and_a_link_to_all(client, monkeypatch):
    monkeypatch.setattr(views, "IN_NEED_AT_A_GLANCE", 2)
    for _ in range(3):
        add_delivery(DeliveryState.STALLED, reason="No new cycle for 14 hours.")
    body = client.get("/deliveries/").content.decode()
    assert body.count('class="in-need"') == 2
    assert '<a href="?state=person">' in body


# --- Incoming folders ----------------------------------------------------------------------------------


def test_a_folder_that_is_watched_says_when_it_was_looked_at(client):
    IncomingFolder.objects.create(path="/incoming", looked_at=timezone.now() - timedelta(minutes=2))
    assert "Watched /incoming last looked at 2 minutes ago" in text_of(client.get("/deliveries/"))


@pytest.mark.parametrize("looked_at", [None, timedelta(minutes=11)])
def test_a_folder_that_nobody_watches_says_what_to_do(client, looked_at):
    if looked_at:
        IncomingFolder.objects.create(path="/incoming", looked_at=timezone.now() - looked_at)
    page = text_of(client.get("/deliveries/"))
    assert "Not watched /incoming" in page
    assert "Make the watcher run" in page


def test_a_look_that_takes_long_is_no_trouble(client):
    IncomingFolder.objects.create(
        path="/incoming",
        looked_at=timezone.now() - timedelta(minutes=20),
        busy_until=timezone.now() + timedelta(minutes=9),
    )
    assert "Being looked at /incoming" in text_of(client.get("/deliveries/"))


def test_a_folder_that_cannot_be_read_says_why_and_what_to_do(client):
    IncomingFolder.objects.create(
        path="/incoming", looked_at=timezone.now(), error="Stale file handle.", remedy="Mount it again."
    )
    page = text_of(client.get("/deliveries/"))
    assert "Cannot be read /incoming" in page
    assert "Stale file handle. Mount it again." in page


def test_a_folder_that_the_settings_no_longer_name_is_no_cause_for_alarm(client):
    IncomingFolder.objects.create(path="/old", looked_at=timezone.now() - timedelta(days=9))
    page = text_of(client.get("/deliveries/"))
    assert "Not watched any more /old last looked at 9 days ago" in page
    assert page.count("Make the watcher run") == 1  # for the other


# --- Runs in folders that nobody watches any more ------------------------------------------------------

WAITING_STEPS = [StepState.DONE, StepState.WAITING, StepState.WAITING, StepState.WAITING]


def test_a_run_whose_folder_is_not_watched_any_more_needs_a_person_and_says_so(client):
    delivery = add_delivery(DeliveryState.DELIVERING, WAITING_STEPS, root="/old")
    response = client.get("/deliveries/")
    page = text_of(response)
    assert "1 needs a person ; 0 in hand" in page
    assert NOT_WATCHED in page.partition("Incoming folder")[0]
    assert NOT_WATCHED in row_of(client, delivery)
    assert NOT_WATCHED in text_of(client.get(delivery.get_absolute_url()))
    assert delivery.name in text_of(client.get("/deliveries/?state=person")).partition("Found")[2]
    assert seen(response.content.decode()) is None
    assert seen(client.get(delivery.get_absolute_url()).content.decode()) is None


@pytest.mark.parametrize(
    ("state", "needs_one"),
    [
        (DeliveryState.SEQUENCING, True),
        (DeliveryState.SETTLING, True),
        (DeliveryState.HELD, True),
        (DeliveryState.DELIVERED, False),
        (DeliveryState.GONE, False),
    ],
)
def test_only_runs_that_are_not_at_their_end_miss_the_watcher(client, state, needs_one):
    delivery = add_delivery(state, WAITING_STEPS, root="/old")
    assert ("1 needs a person" in text_of(client.get("/deliveries/"))) == needs_one
    assert (NOT_WATCHED in row_of(client, delivery)) == needs_one


@pytest.mark.parametrize(
    ("watch", "is_watched"),
    [
        ({"looked_at": timedelta(minutes=-2)}, True),
        ({"looked_at": timedelta(minutes=-11)}, False),
        ({"looked_at": timedelta(minutes=-11), "busy_until": timedelta(minutes=1)}, True),
        ({"looked_at": None}, False),
    ],
)
def test_a_folder_that_a_command_watches_is_watched(client, watch, is_watched):
    times = {field: since and timezone.now() + since for field, since in watch.items()}
    IncomingFolder.objects.create(path="/elsewhere", **times)
    delivery = add_delivery(DeliveryState.DELIVERING, WAITING_STEPS, root="/elsewhere")
    assert (NOT_WATCHED not in row_of(client, delivery)) == is_watched
    assert f"{int(is_watched)} in hand" in text_of(client.get("/deliveries/"))


def test_a_folder_that_the_settings_name_by_a_link_is_watched(client, settings, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    settings.SEQAUTO_INCOMING_DIRS = [tmp_path / "link"]
    IncomingFolder.objects.create(path=str(tmp_path / "real"), looked_at=timezone.now())
    add_delivery(DeliveryState.DELIVERING, WAITING_STEPS, root=str(tmp_path / "real"))
    page = text_of(client.get("/deliveries/"))
    assert "Nothing needs a person; 1 in hand" in page
    assert page.count("Watched") == 1
    assert "link" not in page


def test_a_step_that_is_still_at_work_is_in_hand_whoever_watches(client, settings):
    settings.SEQAUTO_INCOMING_DIRS = []
    delivery = add_delivery(DeliveryState.DELIVERING, root="/old")
    assert "Back up 41 %" in row_of(client, delivery)
    assert "Nothing needs a person; 1 in hand" in text_of(client.get("/deliveries/"))


@pytest.mark.parametrize(
    ("state", "action"), [(DeliveryState.WAITING, "retry"), (DeliveryState.DELIVERED, "convert-again")]
)
def test_a_decision_on_a_run_that_nobody_watches_says_that_nothing_begins(
    client, operator, told, state, action
):
    delivery = add_delivery(state, root="/old")
    page = post(client, delivery, action, reason="Let it go on")
    assert f"Your decision is kept. {NOT_WATCHED}" in page
    assert "tried again." not in page.partition("History")[0]
    assert told == []
    assert delivery.events.count() == 1


# --- The list: its rows --------------------------------------------------------------------------------


def test_a_row_tells_run_state_steps_reason_and_how_far_it_is(client):
    delivery = add_delivery(DeliveryState.DELIVERING)
    row = row_of(client, delivery)
    assert "MiSeq M02027 Delivering" in row
    assert "Settle: Done Back up: Running Convert: Waiting Upload: Waiting" in row
    assert re.search(r"Back up 41 %, 9\d MB/s, about 1 m 2\d s left", row)


def test_a_row_names_the_experiment_where_a_scan_knows_it(client):
    delivery = add_delivery()
    add_run(identity=delivery.identity, experiment=Experiment.objects.create(name="Haem_26_211"))
    assert f"Haem_26_211 {delivery.name}" in row_of(client, delivery)


@pytest.mark.parametrize(
    ("state", "fields", "words"),
    [
        (DeliveryState.SEQUENCING, {"cycles": 118, "cycles_total": 318}, "Cycle 118 of 318"),
        (DeliveryState.SEQUENCING, {"cycles": None, "cycles_total": None}, "Sequencing"),
        (DeliveryState.STALLED, {"reason": "No new cycle for 14 hours."}, "Stalled No new cycle"),
        (DeliveryState.CONFLICT, {"identity": None, "reason": "Two folders."}, "Conflict Two folders. –"),
        (DeliveryState.DELIVERED, {}, "delivered in 2 h"),
        (DeliveryState.DELIVERED, {"is_held": True}, "Delivered on hold"),
    ],
)
def test_what_a_run_waits_for_is_told_in_words(client, state, fields, words):
    assert words in row_of(client, add_delivery(state, **fields))


def test_a_run_that_settles_says_since_when_it_is_unchanged(client):
    delivery = add_delivery(
        DeliveryState.SETTLING, steps=[StepState.WAITING] * 4, listing_at=timezone.now() - timedelta(days=30)
    )
    assert "Unchanged since" in row_of(client, delivery)


def test_a_queued_step_waits_its_turn(client):
    steps = [StepState.DONE, StepState.QUEUED, StepState.WAITING, StepState.WAITING]
    assert "Back up waits its turn" in row_of(client, add_delivery(DeliveryState.DELIVERING, steps))


def test_a_step_whose_worker_is_silent_says_so_and_promises_no_end(client):
    delivery = add_delivery(DeliveryState.DELIVERING)
    delivery.steps.filter(kind=StepKind.BACK_UP).update(lease_until=timezone.now() - timedelta(minutes=1))
    row = row_of(client, delivery)
    assert "Back up: no sign of life from its worker; it begins again by itself" in row
    assert "left" not in row


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "abc"),
        ("q=RUN_A", "a"),
        ("q=NB5", "b"),
        ("q=lk2p9", "c"),
        ("q=nextseq", "b"),
        ("state=delivering", "b"),
        ("state=person", "c"),
        ("folder=/other", "a"),
        ("q=run&folder=/other&state=person", ""),
        ("state=nonsense", ""),
    ],
)
def test_the_list_can_be_narrowed(client, query, names):
    add_delivery(name="run_a", root="/other")
    add_delivery(DeliveryState.DELIVERING, name="run_b", instrument="NB501009", model="NextSeq 500")
    add_delivery(DeliveryState.STALLED, name="run_c", flowcell="LK2P9")
    table = client.get(f"/deliveries/?{query}").content.decode().partition('id="deliveries-table"')[2]
    assert set(re.findall(r"run_([a-c])<", table)) == set(names)


@pytest.mark.parametrize("column", ["name", "instrument", "state", "found_at", "steps", "in_hand", "reason"])
def test_the_list_can_be_sorted_and_no_column_breaks_it(client, column):
    add_delivery()
    add_delivery(name="zzz")
    for sort in (column, f"-{column}"):
        assert "zzz" in text_of(client.get("/deliveries/", {"sort": sort}))


def test_newest_stand_first_and_older_ones_on_further_pages(client, monkeypatch):
    monkeypatch.setattr(views, "DELIVERIES_A_PAGE", 2)
    for place, name in enumerate("abc"):
        add_delivery(name=f"run_{name}", ago=timedelta(hours=place))
    first = client.get("/deliveries/").content.decode()
    assert re.findall(r"run_([a-c])<", first) == ["a", "b"]
    later = re.search(r'href="([^"]*page=2[^"]*)"', first).group(1)
    assert re.findall(r"run_([a-c])<", client.get(f"/deliveries/{later}").content.decode()) == ["c"]


@pytest.mark.parametrize(
    "address",
    [
        "/deliveries/?page=x&sort=%00",
        f"/deliveries/?page={'9' * 30}",
        "/deliveries/?q=%00",
        "/deliveries/live/?of=x,,²,-1,999999999999999999999&seen=%00",
        "/deliveries/999999999999/",
    ],
)
def test_an_address_of_nonsense_is_answered_calmly(client, address):
    add_delivery()
    assert client.get(address).status_code in {200, 404}


@pytest.mark.parametrize(
    "address", ["/deliveries/", "/deliveries/live/?of=1,2,3,4,5", "/deliveries/?state=person"]
)
def test_queries_of_the_list_do_not_grow_with_its_rows(client, operator, address, django_assert_num_queries):
    def add(count: int) -> None:
        for _ in range(count):
            fail(add_delivery(DeliveryState.WAITING))
            run = add_delivery(DeliveryState.DELIVERING)
            add_run(identity=run.identity, experiment=Experiment.objects.create(name=run.name))

    add(1)
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    add(8)
    with django_assert_num_queries(len(few)):
        client.get(address)


# --- While something is in hand ------------------------------------------------------------------------


def seen(body: str) -> str | None:
    """The address that the page asks again, if it does."""
    found = re.search(r'id="live"[^>]*hx-get="([^"]+)"', body)
    return found and found.group(1).replace("&amp;", "&")


def test_the_list_polls_only_while_something_is_in_hand(client):
    delivery = add_delivery(DeliveryState.DELIVERING)
    address = seen(client.get("/deliveries/").content.decode())
    assert address.endswith(f"&of={delivery.pk}")
    answer = client.get(address)
    assert f'<div id="hand-{delivery.pk}" hx-swap-oob="true">' in answer.content.decode()
    assert "HX-Trigger-After-Settle" not in answer.headers
    assert seen(answer.content.decode()) == address

    delivery.steps.update(state=StepState.DONE)
    Delivery.objects.update(state=DeliveryState.DELIVERED)
    end = client.get(address)
    assert end.headers["HX-Trigger-After-Settle"] == "deliveries-moved-on"
    assert seen(end.content.decode()) is None
    assert seen(client.get("/deliveries/").content.decode()) is None


def test_the_bars_of_runs_on_other_pages_are_not_sent(client):
    shown, other = add_delivery(DeliveryState.DELIVERING), add_delivery(DeliveryState.DELIVERING)
    body = client.get(f"/deliveries/live/?of={shown.pk}").content.decode()
    assert f"hand-{shown.pk}" in body
    assert f"hand-{other.pk}" not in body


def test_a_delivery_s_page_polls_until_its_last_step_has_ended(client):
    delivery = add_delivery(DeliveryState.DELIVERING)
    page = client.get(delivery.get_absolute_url()).content.decode()
    assert f'id="hand-{delivery.pk}"' in page
    address = seen(page)
    assert "HX-Trigger-After-Settle" not in client.get(address).headers
    delivery.steps.filter(kind=StepKind.BACK_UP).update(state=StepState.DONE)
    assert client.get(address).headers["HX-Trigger-After-Settle"] == "deliveries-moved-on"
    Delivery.objects.update(state=DeliveryState.WAITING)
    assert seen(client.get(delivery.get_absolute_url()).content.decode()) is None


def test_a_step_at_work_on_a_held_run_is_still_followed(client):
    delivery = add_delivery(DeliveryState.HELD, STEPS[DeliveryState.DELIVERING], is_held=True)
    assert seen(client.get(delivery.get_absolute_url()).content.decode())


# --- One delivery --------------------------------------------------------------------------------------


def test_a_delivered_run_shows_the_evidence_of_each_step(client):
    delivery = add_delivery()
    page = text_of(client.get(delivery.get_absolute_url()))
    for words in (
        delivery.name,
        "M02027 · MiSeq",
        delivery.path,
        "4,812 · 14 GB",
        "RTAComplete.txt, CopyComplete.txt",
        "took 2 m 11 s, 14 GB at 107 MB/s, on labsrv1:4711",
        f"/backup/{delivery.name}",
        "xxh3-128",
        "1 link was copied as a link: Recipe/current.",
        "Converter bcl-convert Version 4.3.6",
        "Files 24, 9.9 GB",
        "H-2229 has no reads.",
        "12 samples, 3.4 % undetermined 1 sample without reads",
        "H-2218 HAEM TAAGGCGA 1 2,000,000 9.5 %",
        "GGGGGGGG+AGATCTCG 1 310,204 1.5 %",
        f"bcl-convert --bcl-input-directory {delivery.path} --strict-mode true",
        f"HAEM s3://lab-fastq/fastq/HAEM/M02027_{delivery.run_number}",
        "CRC64NVME of each object",
        f"fastq/HAEM/M02027_{delivery.run_number}/HAEM/H-2218_S1_L001_R1_001.fastq.gz 412 MB Zm9vYmFyYmE=",
        "Undetermined reads stay on the server.",
    ):
        assert words in page, words
    assert "Found there already" not in page  # it was not
    assert "Adopted" not in page


def test_a_digest_says_what_it_is_of(client):
    delivery = add_delivery()
    step = delivery.steps.get(kind=StepKind.CONVERT)
    step.figures |= {"manifest_sha256": "a" * 64, "listing": "b" * 32}
    step.save()
    page = text_of(client.get(delivery.get_absolute_url()))
    assert f"Manifest, SHA-256 {'a' * 64}" in page
    assert f"Digest of its listing {'b' * 32}" in page


def test_the_run_of_the_archive_and_its_delivery_lead_to_each_other(client):
    delivery = add_delivery()
    run = add_run(samples=1, identity=delivery.identity, experiment=Experiment.objects.create(name="Haem_1"))
    page = client.get(delivery.get_absolute_url())
    assert run.get_absolute_url() in page.content.decode()
    assert "Haem_1" in text_of(page)
    back = client.get(run.get_absolute_url())
    assert delivery.get_absolute_url() in back.content.decode()
    assert re.search(r"Backed up .* Converted .* Uploaded ", text_of(back))
    assert "knows no delivery" not in text_of(back)
    assert "knows no delivery" in text_of(client.get(add_run(samples=1).get_absolute_url()))


def test_the_failing_step_stands_open_with_its_rows_and_what_to_do(client, operator, tmp_path):
    log = tmp_path / "convert.log"
    log.write_text("first line\n" + "x" * 5000 + "\nlast \x1b[31mline\n")
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery, log=str(log), traceback="Traceback: <here>", attempts=3, deaths=2)
    response = client.get(delivery.get_absolute_url())
    page = text_of(response)
    for words in (
        "SampleSheet.csv has 2 errors, so nothing was converted.",
        "Mend the rows below",
        f"{PROBLEMS[0]['message']} what this means : {PROBLEMS[0]['code']} {PROBLEMS[0]['remedy']} 14 index "
        "TAAGGCGA+TAGATCGC",
        "Override",
        "Duplicate index",
        "attempt 3",
        "Its workers died 2 times in a row.",
        r"last \x1b[31mline",
    ):
        assert words in page, words
    assert "first line" not in page
    assert "No sample id" not in page  # it cannot be overridden
    assert "<details><summary>Stack trace</summary>" in response.content.decode()


def test_what_a_person_decided_is_told_with_who_when_and_why(client, operator):
    delivery = add_delivery()
    for text, name, why in (("Found", "", ""), ("Put on hold", "anna", "New sheet comes")):
        DeliveryEvent.objects.create(delivery=delivery, text=text, user_name=name, reason=why)
    page = text_of(client.get(delivery.get_absolute_url()))
    assert re.search(r"Put on hold: New sheet comes anna, .* Found ", page)


@pytest.mark.parametrize("state", DeliveryState)
def test_a_delivery_of_any_state_and_without_steps_has_its_page(client, operator, state):
    bare = {"identity": None, "instrument": "", "model": "", "flowcell": "", "run_number": None, "date": None}
    delivery = add_delivery(state, steps=(), files=None, bytes=None, remedy="Do this.", **bare)
    page = text_of(client.get(delivery.get_absolute_url()))
    assert delivery.get_state_display() in page
    assert "What to do Do this." in page
    assert "It has no steps" in page
    assert client.get("/deliveries/").status_code == 200


STRANGE = [
    {},
    [],
    "text",
    {
        "surprise": 7,
        "folder": None,
        "files": "many",
        "bytes": "much",
        "verified_at": "yesterday",
        "nested": {"a": 1},
    },
    {
        "verified_at": "2026-99-99T00:00:00Z",
        "markers": "RTAComplete.txt",
        "remarks": "text",
        "commands": ["x", []],
    },
    {
        "demultiplexing": {"samples": [1, {"reads": "x"}], "unknown": {}},
        "projects": [{}, 5],
        "files": [3, {}],
    },
    {"warnings": [{"severity": "dire"}, {"row": "7"}, "x"], "demultiplexing": {"total": 0}, "manifest": 5},
    {"verified_at": "2026-11-21T03:14:31", "first_seen": 5},
]


@pytest.mark.parametrize("figures", STRANGE)
def test_figures_of_any_shape_are_shown_as_far_as_they_go(client, figures):
    delivery = add_delivery()
    delivery.steps.update(figures=figures, problems=[{"severity": "warning"}, 5])
    page = text_of(client.get(delivery.get_absolute_url()))
    assert delivery.name in page
    if "surprise" in figures:
        assert "Surprise 7" in page


def test_figures_of_an_attempt_that_holds_no_more_are_folded_and_say_so(client):
    delivery = add_delivery()
    delivery.steps.update(log="/var/log/of_it")
    earlier = '<details class="earlier"><summary>Of an earlier attempt</summary>'
    assert earlier not in client.get(delivery.get_absolute_url()).content.decode()
    for state in (StepState.WAITING, StepState.QUEUED, StepState.RUNNING, StepState.FAILED):
        delivery.steps.filter(kind=StepKind.BACK_UP).update(state=state, queued_at=timezone.now())
        page = client.get(delivery.get_absolute_url()).content.decode()
        step = page.partition('id="back_up"')[2].partition('id="convert"')[0]
        now, _, before = step.partition(earlier)
        assert "Verified by" not in now
        assert "Manifest" not in now
        assert "Verified by" in before
        assert "Manifest" in before


def test_a_log_stands_with_the_attempt_that_wrote_it(client):
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery, log="/var/log/of_it")
    convert = delivery.steps.get(kind=StepKind.CONVERT)
    assert "Of an earlier attempt" not in text_of(client.get(delivery.get_absolute_url()))
    DeliveryStep.objects.filter(pk=convert.pk).update(state=StepState.RUNNING)
    earlier = text_of(client.get(delivery.get_absolute_url())).partition("Of an earlier attempt")[2]
    assert earlier.index(PROBLEMS[0]["message"]) < earlier.index(" Log ")


def test_size_and_rate_are_of_what_was_made_not_of_the_last_look(client):
    delivery = add_delivery()
    delivery.steps.update(bytes_done=4_300)
    delivery.steps.filter(kind=StepKind.SETTLE).update(bytes_done=0)  # it moves nothing
    page = text_of(client.get(delivery.get_absolute_url()))
    assert "took 2 m 11 s, on labsrv1:4711 Files 4,812" in page  # Settle
    assert "took 2 m 11 s, 14 GB at 107 MB/s" in page  # Back up
    assert page.count("took 2 m 11 s, 9.9 GB at 75 MB/s") == 2  # Convert and Upload
    delivery.steps.update(state=StepState.FAILED)
    assert "4.3 kB" not in page
    assert "4.3 kB at 32 B/s" in text_of(client.get(delivery.get_absolute_url()))


def test_the_object_that_tells_of_the_fastqs_is_not_counted_as_one(client):
    delivery = add_delivery()
    step = delivery.steps.get(kind=StepKind.UPLOAD)
    (project,) = step.figures["projects"]
    project["objects"].append({"key": f"{project['prefix']}/meta.json", "size": 900, "checksum": "md5 0"})
    project["files"] += 1
    step.save()
    upload = text_of(client.get(delivery.get_absolute_url())).partition("Bucket")[2]
    assert "Files 24 Size" in upload
    assert "meta.json" in upload


# --- Log and manifest ----------------------------------------------------------------------------------


def set_paths(delivery: Delivery, log: str, manifest: object) -> None:
    delivery.steps.filter(kind=StepKind.CONVERT).update(log=log)
    delivery.steps.filter(kind=StepKind.BACK_UP).update(figures={"manifest": manifest})


def test_log_and_manifest_are_downloads_of_plain_text(client, tmp_path):
    (tmp_path / "x").write_bytes(b"<script>\xff\n")
    delivery = add_delivery()
    set_paths(delivery, str(tmp_path / "x"), str(tmp_path / "x"))
    page = client.get(delivery.get_absolute_url()).content.decode()
    for part, name in (("log/convert/", "convert.log"), ("manifest/", "manifest.txt")):
        address = f"{delivery.get_absolute_url()}{part}"
        assert address in page
        response = client.get(address)
        assert response.getvalue() == b"<script>\xff\n"
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        expected = f'attachment; filename="delivery_{delivery.pk}_{name}"'
        assert response.headers["Content-Disposition"] == expected


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "relative", "absent", "nul", "empty", "number"])
def test_promise_49_only_a_plain_file_that_the_step_recorded_is_opened(client, tmp_path, kind):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    paths = {
        "folder": str(tmp_path),
        "link": str(tmp_path / "link"),
        "pipe": str(tmp_path / "pipe"),
        "relative": "manage.py",
        "absent": str(tmp_path / "absent"),
        "nul": f"{tmp_path}/secret\0",
        "empty": "",
        "number": 7,
    }
    delivery = add_delivery()
    # What a database may refuse to hold can still stand in the figures of another.
    in_log = paths[kind] if kind not in {"nul", "number"} else ""
    set_paths(delivery, in_log, paths[kind] if kind != "nul" or connection.vendor == "sqlite" else "")
    fail(delivery, log=in_log)
    assert client.get(f"{delivery.get_absolute_url()}log/convert/").status_code == 404
    assert client.get(f"{delivery.get_absolute_url()}manifest/").status_code == 404
    assert "secret" not in client.get(delivery.get_absolute_url()).content.decode().replace("secret</dd>", "")


@pytest.mark.parametrize("kind", ["upload", "..", "settle%2F..", "nonsense"])
def test_promise_49_no_name_of_a_step_leads_to_another_file(client, kind):
    assert client.get(f"{add_delivery().get_absolute_url()}log/{kind}/").status_code == 404


# --- What people decide --------------------------------------------------------------------------------


def post(client, delivery: Delivery, action: str, **data) -> str:
    """Press a button; what the page says then."""
    return text_of(client.post(f"{delivery.get_absolute_url()}{action}/", data, follow=True))


def offered(client, delivery: Delivery) -> set[str]:
    page = client.get(delivery.get_absolute_url()).content.decode()
    return set(re.findall(rf'action="/deliveries/{delivery.pk}/([a-z-]+)/"', page))


def test_retry_lets_the_failed_step_begin_again(client, operator, told):
    delivery = add_delivery(DeliveryState.WAITING)
    step = fail(delivery)
    assert "The step is tried again." in post(client, delivery, "retry")
    step.refresh_from_db()
    assert (step.state, told) == (StepState.WAITING, ["told"])
    assert "No step of" in post(client, delivery, "retry")
    assert told == ["told"]


def test_where_fastqs_are_in_the_way_convert_again_comes_before_retry(client, operator):
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery, code=FASTQS_IN_THE_WAY, error="Unaligned is there and was not made here.", problems=[])
    (panel,) = re.findall(r'class="in-need".*?</li>', client.get("/deliveries/").content.decode(), re.DOTALL)
    assert f'href="{delivery.get_absolute_url()}#convert">Convert again' in panel
    assert "/retry/" not in panel
    step = client.get(delivery.get_absolute_url()).content.decode().partition('id="convert"')[2]
    main, others = re.findall(r"<form.*?</form>", step, re.DOTALL)
    assert "/convert-again/" in main
    assert "btn-accent" in main
    assert "/retry/" in others
    assert "btn-accent" not in others
    assert "It is converted again" in post(client, delivery, "convert-again", reason="As it says")


@pytest.mark.parametrize(
    "fields",
    [{"code": "sheet"}, {"code": FASTQS_IN_THE_WAY, "kind": StepKind.BACK_UP}],
)
def test_where_retry_helps_it_is_what_is_offered(client, operator, fields):
    delivery = add_delivery(DeliveryState.WAITING, WAITING_STEPS)
    fail(delivery, problems=[], **fields)
    assert f'action="{delivery.get_absolute_url()}retry/"' in client.get("/deliveries/").content.decode()
    assert offered(client, delivery) == {"hold", "retry"}


def test_promise_54_a_decision_leaves_who_what_and_why(client, operator):
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery)
    page = post(client, delivery, "override", code="duplicate_index", reason="The lab knows of it")
    event = delivery.events.get()
    assert (event.user, event.user_name, event.reason) == (operator, "operator", "The lab knows of it")
    delivery.refresh_from_db()
    assert delivery.overrides == [override_key(PROBLEMS[0])]
    assert "The lab knows of it operator" in page
    assert f"Overridden Duplicate index: {PROBLEMS[0]['message']}" in page


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"reason": "why", "code": "no_sample_id"}, "cannot be overridden"),
        ({"reason": "why", "code": "made_up"}, "cannot be overridden"),
        ({"reason": "why"}, "cannot be overridden"),
        ({"reason": " ", "code": "duplicate_index"}, "Say why"),
        ({"reason": "x" * 501, "code": "duplicate_index"}, "at most 500 characters"),
        ({"reason": "a\0b", "code": "duplicate_index"}, "Null characters"),
    ],
)
def test_what_cannot_be_overridden_or_has_no_reason_changes_nothing(client, operator, told, data, words):
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery)
    page = post(client, delivery, "override", **data)
    assert "Nothing was changed." in page
    assert words in page
    assert not DeliveryEvent.objects.exists()
    assert told == []


def test_a_run_is_held_and_released(client, operator, told):
    delivery = add_delivery(DeliveryState.DELIVERING)
    assert offered(client, delivery) == {"hold"}
    assert "Say why" in post(client, delivery, "hold")
    page = post(client, delivery, "hold", reason="Wait for the new sheet")
    assert "On hold: no further step begins." in page
    assert told == []
    assert offered(client, delivery) == {"release"}
    assert "Released: its steps go on." in post(client, delivery, "release")
    assert told == ["told"]
    assert offered(client, delivery) == {"hold"}


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        (DeliveryState.SEQUENCING, {"hold", "deliver-now"}),
        (DeliveryState.STALLED, {"hold", "deliver-now"}),
        (DeliveryState.RUN_FAILED, {"hold", "deliver-now"}),
        (DeliveryState.DELIVERING, {"hold"}),
        (DeliveryState.DELIVERED, {"hold", "convert-again"}),
        (DeliveryState.UNRECOGNISED, set()),
        (DeliveryState.CONFLICT, set()),
    ],
)
def test_only_what_can_be_done_is_offered(client, operator, state, actions):
    assert offered(client, add_delivery(state)) == actions


def test_a_stalled_run_can_be_delivered_now(client, operator, told):
    delivery = add_delivery(DeliveryState.STALLED)
    assert "It begins as soon as its files lie still." in post(client, delivery, "deliver-now", reason="Over")
    delivery.refresh_from_db()
    assert (delivery.is_forced, told) == (True, ["told"])
    assert "begun by hand" in text_of(client.get(delivery.get_absolute_url()))


def test_a_delivered_run_can_be_converted_again_under_a_new_number(client, operator, told):
    delivery = add_delivery()
    page = post(client, delivery, "convert-again", reason="New sheet")
    assert "It is converted again, under a new number." in page
    assert "conversion 2" in page
    assert told == ["told"]


def test_without_a_broker_the_page_says_that_it_starts_by_itself(client, operator, monkeypatch):
    def refuse():
        raise OperationalError("Connection refused")

    monkeypatch.setattr(views, "queue_ready_steps", refuse)
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery)
    page = post(client, delivery, "retry")
    assert "The step is tried again." in page
    assert "It starts by itself when the broker is back." in page
    assert not delivery.steps.filter(state=StepState.FAILED).exists()


def test_users_without_the_permission_change_nothing(client):
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery)
    for action in ("retry", "override", "hold", "release", "deliver-now", "convert-again"):
        response = client.post(f"{delivery.get_absolute_url()}{action}/", {"reason": "why"})
        assert response.status_code == 403
    assert not DeliveryEvent.objects.exists()


# --- Promise 51 ----------------------------------------------------------------------------------------

HOSTILE = "<script>alert('x')</script>\x1b[31m\u202egnp.exe"


def hostile(value):
    """The same shape with every text in it hostile."""
    if isinstance(value, dict):
        return {key: hostile(part) for key, part in value.items()} | {HOSTILE: HOSTILE}
    if isinstance(value, list):
        return [hostile(part) for part in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.fixture
def hostile_delivery(settings, tmp_path) -> Delivery:
    """A delivery of which every text that comes from disk, sheet or program is hostile."""
    settings.SEQAUTO_INCOMING_DIRS = [f"/{HOSTILE}"]
    IncomingFolder.objects.create(path=f"/{HOSTILE}", looked_at=timezone.now(), error=HOSTILE, remedy=HOSTILE)
    texts = ("name", "root", "instrument", "model", "flowcell", "reason", "remedy")
    delivery = add_delivery(
        DeliveryState.WAITING,
        path=f"/incoming/{HOSTILE}",
        overrides=[HOSTILE],
        **dict.fromkeys(texts, HOSTILE),
    )
    for step in delivery.steps.all():
        step.figures = hostile(step.figures)
        step.save()
    log = tmp_path / "log"
    log.write_text(HOSTILE)
    words = dict.fromkeys(("error", "remedy", "traceback", "worker", "doing", "code"), HOSTILE)
    fail(
        delivery, problems=[row | {"can_override": True} for row in hostile(PROBLEMS)], log=str(log), **words
    )
    running = dict.fromkeys(("doing", "worker"), HOSTILE)
    delivery.steps.filter(kind=StepKind.UPLOAD).update(state=StepState.RUNNING, **running)
    event = dict.fromkeys(("text", "reason", "user_name"), HOSTILE)
    DeliveryEvent.objects.create(delivery=delivery, **event)
    add_run(identity=delivery.identity, experiment=Experiment.objects.create(name=HOSTILE))
    return delivery


@pytest.mark.parametrize(
    "address",
    [
        "/deliveries/",
        f"/deliveries/?q={HOSTILE}&folder={HOSTILE}",
        "/deliveries/live/?of={pk}",
        "/deliveries/{pk}/",
        "/deliveries/{pk}/live/",
        "/runs/",
    ],
)
def test_promise_51_names_holding_html_or_control_codes_are_inert(
    client, operator, hostile_delivery, address
):
    body = client.get(address.format(pk=hostile_delivery.pk)).content.decode()
    assert "gnp.exe" in body  # The hostile text is on the page, only harmless.
    assert "<script>alert" not in body
    # What people read; attributes hold the true text, to be copied or sent back.
    shown = re.sub(r'(value|data-copy|href|hx-get|title)="[^"]*"', "", body)
    assert not {"\x1b", "\u202e"} & set(shown)


def test_promise_51_notices_of_what_was_decided_are_inert(client, operator, hostile_delivery):
    hostile_delivery.steps.update(state=StepState.DONE)
    body = client.post(f"{hostile_delivery.get_absolute_url()}retry/", follow=True).content.decode()
    assert "<script>alert" not in body
    assert "\x1b" not in re.sub(r'(value|data-copy|href|hx-get|title)="[^"]*"', "", body)


def test_sizes_and_rates_are_told_in_one_way(client):
    delivery = add_delivery(DeliveryState.DELIVERING)
    page = text_of(client.get(delivery.get_absolute_url()))
    assert f"5.7 GB of {14 * GIGABYTE // 10**9} GB" in page

"""Today: the first lines, what needs a person and the next steps, what runs, which runs came last."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from delivery_rows import GIGABYTE, add_delivery, add_step, fail
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from page_rows import add_message, add_run, add_scan, add_sheet

from seqauto import today
from seqauto.models import (
    DiskReading,
    Experiment,
    IncomingFolder,
    Message,
    Removal,
    Scan,
    SequencingFile,
    SequencingRun,
    Worker,
)
from seqauto.models.clean_up import RemovalState
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.models.runs import RunState
from seqauto.models.samples import DataState
from seqauto.models.scans import ScanStatus
from seqauto.views import scans as scan_views
from seqauto.views.home import greeting

pytestmark = pytest.mark.django_db

TERABYTE = 1000 * GIGABYTE
SHEET_ERRORS = {"state": RunState.ERROR, "state_reason": "The sample sheet has 3 errors."}


@pytest.fixture(autouse=True)
def lab(client, settings, monkeypatch) -> User:
    """A lab in which all is well; the one who looks may read only."""
    settings.SEQAUTO_INCOMING_DIRS, settings.SEQAUTO_SCAN_ROOTS = [Path("/incoming")], [Path("/archive")]
    settings.SEQAUTO_BACKUP_DIR, settings.SEQAUTO_FASTQ_DIR = Path("/backup"), Path("/fastq")
    monkeypatch.setattr(scan_views, "queue_scan", lambda scan: None)
    IncomingFolder.objects.create(path="/incoming", looked_at=timezone.now() + timedelta(days=2))
    queues = {"seqauto_single_worker": "worker", "seqauto_delivery": "worker", "": "beat"}
    for queue, kind in queues.items():
        add_worker(f"{queue or 'beat'}@lab", kind, [queue] if queue else [])
    user = User.objects.create_user("plain")
    client.force_login(user)
    return user


def add_worker(name: str, kind: str, queues: list[str], **fields) -> Worker:
    values = {"host": "lab", "pid": 3, "queues": queues, "started_at": Now(), "beat_at": Now()}
    return Worker.objects.create(name=name, kind=kind, **(values | fields))


def recent_run(*args, **fields) -> SequencingRun:
    """A run of today, by its experiment's name if one is given."""
    if name := fields.pop("experiment", ""):
        fields["experiment"] = Experiment.objects.get_or_create(name=name)[0]
    return add_run(*args, **({"date": timezone.localdate()} | fields))


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).replace("\u00a0", " ").split())


def page(client) -> str:
    return text_of(client.get("/")).partition("Log out")[2]


def problems(client) -> list[str]:
    """What stands on the cards of what needs a person."""
    cards = re.findall(r'<section class="panel todo.*?</section>', client.get("/").content.decode(), re.S)
    return [" ".join(re.sub(r"<[^>]+>", " ", card).split()) for card in cards]


def one_problem(client) -> str:
    (problem,) = problems(client)
    return problem


def allow(user: User, *codenames: str) -> None:
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))


# --- The first lines -----------------------------------------------------------------------------------


def test_where_nothing_is_wrong_the_page_is_calm(client):
    recent_run(samples=3)
    add_delivery()
    add_scan()
    said = page(client)
    assert "Nothing needs you." in said
    assert problems(client) == []
    assert "older" not in said


@pytest.mark.parametrize(
    ("hour", "words"), [(3, "evening"), (5, "morning"), (11, "morning"), (12, "afternoon"), (18, "evening")]
)
def test_the_greeting_follows_the_hour_of_the_lab(settings, hour, words):
    settings.TIME_ZONE = "Australia/Adelaide"
    moment = datetime(2026, 11, 21, hour, 59, tzinfo=timezone.get_default_timezone())
    assert greeting(moment.astimezone(UTC)) == f"Good {words}."


def at(monkeypatch, moment: str) -> datetime:
    """Let it be that moment."""
    now = datetime.fromisoformat(moment)
    monkeypatch.setattr(timezone, "now", lambda: now)
    return now


def test_the_second_line_tells_the_time_and_the_night(client, monkeypatch, settings):
    settings.TIME_ZONE = "Europe/London"
    now = at(monkeypatch, "2026-11-21T07:02:03+00:00")
    for hours in (4, 8):
        delivery = add_delivery(complete_at=now - timedelta(hours=hours))
        add_run(samples=60, identity=delivery.identity, date=date(2026, 11, 20))
    add_delivery(complete_at=now - timedelta(hours=14))  # before the night began
    response = client.get("/")
    assert "Saturday 21 November, 07:02 · two runs ended in the night, 120 samples." in text_of(response)
    assert 'title="Saturday 21 November 2026, 07:02:03 GMT"' in response.content.decode()


@pytest.mark.parametrize(
    ("zone", "now", "begin"),
    [
        ("Europe/London", "2026-11-21T07:00+00:00", "2026-11-20T18:00+00:00"),
        ("Europe/London", "2026-03-29T07:00+01:00", "2026-03-28T18:00+00:00"),  # the clock went forward
        ("Europe/London", "2026-10-25T07:00+00:00", "2026-10-24T17:00+00:00"),  # and back
        ("Australia/Adelaide", "2026-11-20T20:30+00:00", "2026-11-20T07:30+00:00"),  # 07:00 on the 21st
        ("America/Santiago", "2026-09-06T16:00+00:00", "2026-09-06T04:00+00:00"),  # a day without midnight
        ("Europe/London", "2026-11-21T12:00+00:00", "2026-11-21T00:00+00:00"),
    ],
)
def test_the_night_begins_and_ends_by_the_lab_s_clock(settings, zone, now, begin):
    settings.TIME_ZONE = zone
    begun = today.begin_of_news(datetime.fromisoformat(now))
    assert begun.astimezone(UTC) == datetime.fromisoformat(
        begin
    )  # a time that no clock shows equals no other


@pytest.mark.parametrize(
    ("hour", "words"), [("11:59", "one run ended in the night"), ("12:00", "no run ended today")]
)
def test_from_noon_on_the_news_are_of_this_day(client, monkeypatch, hour, words):
    at(monkeypatch, f"2026-11-21T{hour}:00+00:00")
    add_delivery(complete_at=datetime(2026, 11, 20, 20, tzinfo=UTC))
    assert words in page(client)


def test_samples_that_nobody_knows_yet_are_not_counted_as_none(client):
    known = add_delivery(ago=timedelta())
    recent_run(samples=24, identity=known.identity)
    add_delivery(ago=timedelta())
    assert "two runs ended" in page(client)
    assert "at least 24 samples" in page(client)


def test_runs_that_came_to_the_archive_by_other_ways_are_news_too_and_old_ones_never(client):
    recent_run(samples=8)
    for _ in range(3):
        recent_run(samples=8, date=date(2019, 5, 1))
    assert "one run reached the archive" in page(client)
    assert ", 8 samples" in page(client)


# --- Runs that need a person ---------------------------------------------------------------------------


def test_missing_fastqs_are_told_with_their_sample_and_where_to_look(client):
    run = recent_run(samples=12, missing=2, experiment="Haem_26_211")
    told = one_problem(client)
    assert told.startswith("Haem_26_211: 2 of 24 FASTQs are not on the archive Sample H-0001, R1 and R2.")
    assert "One thing needs a person." in page(client)
    assert f'href="{run.get_absolute_url()}#missing">Show expected paths' in client.get("/").content.decode()


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (1, "1 of 24 FASTQs is not on the archive Sample H-0001, R1."),
        (4, "Samples H-0001 and H-0002."),
        (23, "12 samples, H-0001 and H-0012 among them."),
    ],
)
def test_whose_fastqs_are_missing_is_told_in_few_words(client, missing, words):
    recent_run(samples=12, missing=missing)
    assert words in one_problem(client)


def test_fastqs_that_were_here_before_are_told_as_such(client):
    recent_run(samples=12, missing=2)
    SequencingFile.objects.filter(data_state=DataState.NON_EXISTENT).update(data_state=DataState.DELETED)
    assert "They were here before." in one_problem(client)
    SequencingFile.objects.filter(data_state=DataState.DELETED, read="R2").update(
        data_state=DataState.NON_EXISTENT
    )
    assert "1 of them was here before." in one_problem(client)


def test_a_run_that_was_delivered_says_so_where_the_archive_misses_its_fastqs(client):
    delivery = add_delivery()
    recent_run(samples=12, missing=2, identity=delivery.identity)
    assert "The run was delivered to S3 (" in one_problem(client)


def test_only_who_may_scan_is_offered_a_rescan_and_it_works(client, lab, settings):
    run = recent_run(samples=1, missing=1, fingerprint="as it was")
    assert "Rescan this run" not in one_problem(client)
    allow(lab, "seqauto_scan_initiate")
    assert "Rescan this run" in one_problem(client)
    (address,) = re.findall(r'<form method="post" action="(/runs/[^"]+)"', client.get("/").content.decode())
    client.post(address)
    run.refresh_from_db()
    assert run.fingerprint == ""
    settings.SEQAUTO_ENABLED = False
    assert "Rescan this run" not in one_problem(client)


def test_a_broken_sheet_is_told_with_its_first_error_and_two_ways_on(client):
    run = recent_run(experiment="Haem_26_210", **SHEET_ERRORS)
    add_sheet(run, is_usable=False)
    place = "SampleSheet.csv, row 14, column index"
    add_message(
        run, severity="error", text="Index ACGT is used twice.", remedy="Give it its own.", place=place
    )
    told = one_problem(client)
    assert told.startswith("Haem_26_210: the sample sheet has 3 errors Index ACGT is used twice. ")
    assert f"({place}) Give it its own. See the sheet" in told
    body = client.get("/").content.decode()
    assert f'href="/runs/{run.pk}/sheet/"' in body
    (address,) = re.findall(r'href="([^"]+)">Check a corrected sheet', body)
    assert client.get(address.replace("&amp;", "&")).status_code == 200


def test_a_run_and_its_delivery_that_wait_for_one_sheet_are_one_thing(client):
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery)
    add_sheet(recent_run(identity=delivery.identity, **SHEET_ERRORS), is_usable=False)
    told = one_problem(client)
    assert "the sample sheet has 3 errors Conversion waits." in told
    assert told.endswith("Delivery : " + told.partition(" Conversion")[0])
    assert "One thing needs a person." in page(client)


@pytest.mark.parametrize("fields", [{"is_bad": True}, {"is_legacy": True}, {"is_hidden": True}])
def test_runs_that_nobody_is_to_mend_are_left_in_peace(client, fields):
    recent_run(samples=2, missing=1, **fields)
    assert problems(client) == []


@pytest.mark.parametrize(
    "state", [DeliveryState.SEQUENCING, DeliveryState.SETTLING, DeliveryState.DELIVERING, DeliveryState.HELD]
)
def test_fastqs_that_are_still_being_made_are_not_missing(client, state):
    delivery = add_delivery(state)
    recent_run(samples=2, missing=4, identity=delivery.identity)
    assert problems(client) == []


def test_a_run_whose_folder_is_gone_is_told(client):
    recent_run(state=RunState.DELETED, state_reason="Its folder is gone.", experiment="Haem_26_209")
    told = one_problem(client)
    assert told.startswith("Haem_26_209: its folder is gone from the archive If that was meant,")
    assert "See what it held" in told


def test_any_other_error_of_a_run_is_told_with_its_message(client):
    run = recent_run(state=RunState.ERROR, state_reason="The sample sheet cannot be read.", experiment="X")
    assert one_problem(client).startswith("X: the sample sheet cannot be read See its messages")
    add_message(run, severity="error", text="Leave to read it is missing.", remedy="Give leave.")
    assert "Leave to read it is missing. Give leave. See its messages" in one_problem(client)


def test_an_error_said_of_a_complete_run_is_told(client):
    add_message(recent_run(samples=1, experiment="X"), severity="error", text="Two folders claim it.")
    assert one_problem(client).startswith("X needs a look Two folders claim it.")


def long_known(**fields) -> SequencingRun:
    """A run of last year, which the archive has known since."""
    run = add_run(samples=2, missing=1, date=timezone.localdate() - timedelta(days=300), **fields)
    SequencingRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(days=299))
    return run


def test_old_things_that_nobody_mends_are_one_line_that_leads_to_all_of_them(client):
    for _ in range(31):
        long_known()
    add_run(date=date(2019, 5, 1), state=RunState.ERROR)
    said = page(client)
    assert problems(client) == []
    assert "Nothing new needs you." in said
    assert "For more than a week: 32 older runs with files missing or errors." in said
    (address,) = re.findall(r'href="([^"]+)">32 older runs', client.get("/").content.decode())
    assert "32" in text_of(client.get(address.replace("&amp;", "&")))


def test_an_old_run_of_which_something_new_is_said_is_told_again(client):
    run = long_known()
    said = add_message(run, opened_at=timezone.now() - timedelta(days=200))
    assert problems(client) == []
    Message.objects.filter(pk=said.pk).update(opened_at=timezone.now() - timedelta(hours=3))
    assert "1 of 4 FASTQs is not on the archive" in one_problem(client)


def test_the_first_scan_of_an_old_archive_drowns_nobody(client):
    for _ in range(3):
        add_message(add_run(samples=2, missing=1, date=date(2019, 5, 1)))
    assert problems(client) == []


def test_a_run_dated_ahead_or_not_at_all_counts_from_when_it_was_found(client):
    for day in (None, date(2099, 1, 1)):
        add_run(samples=2, missing=1, date=day)
    assert len(problems(client)) == 2
    SequencingRun.objects.update(created_at=timezone.now() - timedelta(days=30))
    assert problems(client) == []


# --- Deliveries that need a person ---------------------------------------------------------------------


def test_a_step_that_failed_is_told_with_reason_remedy_and_retry_for_those_who_may(client, lab):
    delivery = add_delivery(DeliveryState.WAITING, name="260101_M1_1_A")
    fail(delivery, StepKind.BACK_UP, error="The disk is full.", remedy="Make room.")
    told = one_problem(client)
    assert told.startswith("260101_M1_1_A: the backup has stopped The disk is full. Make room.")
    assert f"{delivery.get_absolute_url()}#back_up" in client.get("/").content.decode()
    assert "Retry" not in told
    for codename in ("seqauto_retry", "seqauto_deliver"):
        allow(lab, codename)
        assert f'action="/deliveries/{delivery.pk}/retry/"' in client.get("/").content.decode()


def test_where_fastqs_are_in_the_way_another_conversion_is_offered_in_place_of_a_vain_retry(client, lab):
    fail(add_delivery(DeliveryState.WAITING), code="conflict")
    allow(lab, "seqauto_deliver")
    assert "Convert again" in one_problem(client)
    assert "/retry/" not in client.get("/").content.decode()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (DeliveryState.STALLED, "sequencing has stalled"),
        (DeliveryState.RUN_FAILED, "the run has failed on the instrument"),
        (DeliveryState.CONFLICT, "two folders claim to be this run"),
        (DeliveryState.WAITING, "it waits for a person"),
    ],
)
def test_whatever_else_waits_for_a_person_says_why(client, state, words):
    delivery = add_delivery(state, steps=(), reason="Because.", remedy="Do that.")
    assert f"{delivery.name}: {words} Because. Do that. See what is amiss" in one_problem(client)


def test_folders_that_are_no_runs_are_one_thing_however_many(client):
    for _ in range(12):
        add_delivery(DeliveryState.UNRECOGNISED, identity=None)
    assert "12 folders on the incoming disks are no runs" in one_problem(client)
    assert "?state=unrecognised" in client.get("/").content.decode()


def test_runs_in_a_folder_that_nobody_watches_are_one_thing(client):
    for state in (DeliveryState.SETTLING, DeliveryState.SEQUENCING):
        add_delivery(state, root="/elsewhere", steps=())
    assert "2 runs lie in a folder that nobody watches" in one_problem(client)
    assert "None in hand" in page(client)


def test_deliveries_that_have_waited_for_long_are_one_line(client):
    long_ago = timezone.now() - timedelta(days=30)
    for _ in range(3):
        add_delivery(DeliveryState.WAITING, ago=timedelta(days=30), progress_at=long_ago)
    said = page(client)
    assert problems(client) == []
    assert "For more than a week: 3 older deliveries waiting for a person." in said


def test_an_old_delivery_whose_step_failed_last_night_is_news(client):
    long_ago = timezone.now() - timedelta(days=30)
    delivery = add_delivery(DeliveryState.WAITING, ago=timedelta(days=30), progress_at=long_ago)
    fail(delivery, ended_at=timezone.now() - timedelta(hours=5))
    assert "conversion has stopped" in one_problem(client)


def test_many_of_one_kind_neither_flood_the_page_nor_hide_the_other(client):
    for _ in range(20):
        recent_run(samples=2, missing=1)
        fail(add_delivery(DeliveryState.WAITING))
    told = problems(client)
    assert len(told) == 8
    assert sum("FASTQs" in problem for problem in told) == 4
    said = page(client)
    assert "40 things need a person." in said
    assert "And 16 more runs and 16 more deliveries ." in said


# --- Scans, workers, folders, disks, clean-up ----------------------------------------------------------


def test_a_scan_that_stopped_is_told_until_one_succeeds(client, lab):
    add_scan(ScanStatus.ERROR, error="The archive is not there.", remedy="Mount it.")
    told = one_problem(client)
    assert told.startswith("The last disk scan stopped The archive is not there. Mount it. What to do")
    assert "Scan again" not in told
    allow(lab, "seqauto_scan_initiate")
    assert 'action="/scans/start/"' in client.get("/").content.decode()
    add_scan(ScanStatus.CREATE_MODELS)
    assert "Scan again" not in one_problem(client)
    Scan.objects.filter(is_running=True).update(
        status=ScanStatus.FINISHED, is_running=False, finished_at=timezone.now()
    )
    assert problems(client) == []


def test_a_silent_process_is_told_and_how_to_look_after_it_only_to_those_who_can(client, lab):
    Worker.objects.filter(kind="beat").update(beat_at=Now() - timedelta(hours=2))
    told = one_problem(client)
    assert told.startswith("beat@lab: silent since")
    assert "Its work: Starts what is due. Tell whoever looks after this server." in told
    assert "systemctl" not in told
    assert "2 of 3 alive" in page(client)
    User.objects.filter(pk=lab.pk).update(is_superuser=True)
    assert "systemctl status seqauto-beat" in one_problem(client)
    assert "Server status" in one_problem(client)


def test_several_silent_processes_are_one_thing_and_the_cause_of_folders_that_nobody_watches(client):
    Worker.objects.update(beat_at=Now() - timedelta(hours=2))
    IncomingFolder.objects.update(looked_at=timezone.now() - timedelta(hours=2))
    assert one_problem(client).startswith("3 of 3 processes need a look")


def test_a_folder_that_nobody_watches_although_all_processes_work_is_told(client):
    IncomingFolder.objects.update(looked_at=timezone.now() - timedelta(hours=2))
    told = one_problem(client)
    assert told.startswith("The incoming folder /incoming: not watched Runs that land there are not noticed.")
    assert "Make the watcher run" in told


def test_an_incoming_folder_that_cannot_be_read_is_told_with_its_remedy(client):
    IncomingFolder.objects.update(error="Stale file handle.", remedy="Mount it anew.")
    assert "/incoming: cannot be read Stale file handle. Mount it anew." in one_problem(client)


def read(path: str = "/incoming", free: int = 5 * TERABYTE, ago: timedelta = timedelta(), **fields) -> None:
    values = {"total": 10 * TERABYTE, "folders": [path], "at": timezone.now() - ago}
    DiskReading.objects.create(path=path, free=free, **(values | fields))


def test_a_disk_that_is_low_leads_to_what_is_safe_to_delete(client):
    read(free=TERABYTE // 2)
    told = one_problem(client)
    assert told.startswith("1 disk is nearly full /incoming is low: 500 GB of 10 TB free (5 %).")
    assert "See what is safe to delete" in told


def test_a_run_that_will_not_fit_is_told_while_it_is_sequenced(client):
    read(free=2 * TERABYTE, folders=["/incoming", "/backup", "/fastq"])
    growing = {"cycles": 50, "cycles_total": 100, "bytes": 500 * GIGABYTE}
    delivery = add_delivery(DeliveryState.SEQUENCING, **growing)
    assert f"A run that is being sequenced will not fit {delivery.name}:" in one_problem(client)
    DiskReading.objects.update(free=9 * TERABYTE)
    assert problems(client) == []
    assert "the run being sequenced fits" in page(client)


def test_clean_up_that_waits_for_a_person_is_told(client, settings):
    for state in (RemovalState.PROPOSED, RemovalState.STOPPED):
        delivery = add_delivery()
        Removal.objects.create(delivery=delivery, target="source", path=delivery.path, state=state)
    assert one_problem(client).startswith("Clean-up of 1 run has stopped")
    settings.SEQAUTO_CLEAN_UP_APPROVAL = True
    assert problems(client)[1].startswith("Clean-up of 1 run waits for approval")


# --- The cards -----------------------------------------------------------------------------------------


def test_the_scan_card_tells_end_last_success_and_what_comes_next(client, settings):
    from seqauto.tasks import schedule

    assert "No scan yet" in page(client)
    add_scan(ago=timedelta(hours=1))
    schedule.set_up()
    at_end = timezone.localtime(Scan.objects.get().finished_at)
    said = page(client)
    assert f"Finished {at_end:%H:%M}" in said
    assert re.search(r"next (\w{3} )?(06|19):00", said)
    add_scan(ScanStatus.ERROR, ago=timedelta(minutes=5))
    assert re.search(rf"Stopped \d\d:\d\d last success {at_end:%H:%M}", page(client))


def test_a_scan_at_work_shows_how_far_it_is_and_the_page_asks_again(client):
    add_scan(ScanStatus.CREATE_MODELS, ago=timedelta(minutes=2), runs_done=300, runs_total=1204)
    said = page(client)
    assert "Create Models 300 of 1,204 runs" in said
    assert 'hx-trigger="every 10s"' in client.get("/").content.decode()


def test_deliveries_in_hand_are_told_with_step_and_progress(client):
    add_delivery(DeliveryState.DELIVERING, name="260101_M1_1_A")
    add_delivery(DeliveryState.DELIVERED, ago=timedelta(hours=3))
    said = page(client)
    assert "1 backing up 260101_M1_1_A Back up 41 %" in said
    assert "1 delivered in 24 h" in said
    for _ in range(9):
        add_delivery(DeliveryState.DELIVERING)
    assert "10 in hand" in page(client)


def test_disks_tell_their_use_how_full_they_are_and_when_that_ends(client):
    for days in range(5):
        read(free=(4 + days) * TERABYTE, ago=timedelta(days=days), folders=["/incoming", "/backup", "/fastq"])
    full = timezone.localtime(timezone.now() + timedelta(days=4))
    said = page(client)
    assert "Incoming, backups and FASTQs 60 % full, 4.0 TB free" in said
    assert f"Incoming, backups and FASTQs full about {full.day} {full:%b %Y}" in said
    read("/archive", ago=timedelta(hours=3))
    assert "Archive 50 % full, 5.0 TB free silent" in page(client)
    DiskReading.objects.update(at=timezone.now() - timedelta(hours=3))
    assert page(client).count("silent") == 0
    assert "not read for an hour" in page(client)


# --- The latest runs -----------------------------------------------------------------------------------


def rows(client) -> list[str]:
    body = re.search(r"<tbody>(.*?)</tbody>", client.get("/").content.decode(), re.S).group(1)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in body.split("</tr>")[:-1]]


def test_a_run_that_scan_and_delivery_know_is_one_row(client):
    delivery = add_delivery(name="260101_M1_1_A")
    recent_run(samples=48, name="260101_M1_1_A", identity=delivery.identity, experiment="Exome_26_118")
    assert rows(client) == ["Exome_26_118 260101_M1_1_A MiSeq Complete 96 / 96 Delivered"]


def test_runs_that_no_scan_knows_yet_stand_among_the_others_the_newest_first(client):
    day = timezone.localdate()
    recent_run(samples=1, name="middle", date=day - timedelta(days=1))
    cycles = {"cycles": 118, "cycles_total": 318, "model": "NovaSeq X"}
    add_delivery(DeliveryState.SEQUENCING, name="newest", date=day, **cycles)
    add_delivery(DeliveryState.DELIVERING, name="oldest", date=day - timedelta(days=2))
    assert rows(client) == [
        "newest NovaSeq X Sequencing, cycle 118 of 318 – Waits for the run to end",
        "middle MiSeq Complete 2 / 2 –",
        "oldest MiSeq Not scanned yet – Backing up",
    ]


def test_a_step_that_waits_its_turn_says_so(client):
    delivery = add_delivery(DeliveryState.DELIVERING, steps=())
    add_step(delivery, StepKind.UPLOAD, 4, StepState.QUEUED)
    assert rows(client)[0].endswith("Upload waits its turn")


def test_the_latest_runs_are_a_dozen_without_hidden_gone_or_nameless_ones(client):
    recent_run(is_hidden=True)
    recent_run(state=RunState.NOT_SCANNED)
    add_delivery(DeliveryState.UNRECOGNISED, identity=None)
    add_delivery(DeliveryState.GONE)
    assert rows(client) == []
    for _ in range(9):
        recent_run(samples=1)
        add_delivery()
    assert len(rows(client)) == 12


def test_a_clock_that_is_wrong_by_years_puts_no_run_above_all_others_for_ever(client):
    wrong = recent_run(name="from_the_future", date=date(2099, 1, 1))
    SequencingRun.objects.filter(pk=wrong.pk).update(created_at=timezone.now() - timedelta(days=90))
    add_delivery(name="of_the_future_too", date=date(2099, 1, 1), ago=timedelta(days=60))
    recent_run(name="of_today")
    assert [row.partition(" ")[0] for row in rows(client)] == [
        "of_today",
        "of_the_future_too",
        "from_the_future",
    ]


def test_an_empty_site_says_what_will_appear_and_how_to_make_it_so(client, settings):
    said = page(client)
    assert "Runs of the last days will stand here" in said
    assert "The archive on /archive was not scanned yet: scan the disks" in said
    assert "Runs that land on /incoming are delivered by themselves." in said
    add_scan()
    assert "Scans have found no run folder yet on /archive : messages tell what they saw." in page(client)
    settings.SEQAUTO_SCAN_ROOTS = settings.SEQAUTO_INCOMING_DIRS = []
    said = page(client)
    assert "set SEQAUTO_SCAN_ROOTS" in said
    assert "set SEQAUTO_INCOMING_DIRS" in said


# --- What changes while one looks ----------------------------------------------------------------------


def live_address(client) -> str:
    """Where the page asks again; "" where it does not."""
    found = re.search(r'hx-get="(/live/[^"]+)"', client.get("/").content.decode())
    return found.group(1).replace("&amp;", "&") if found else ""


@pytest.mark.parametrize(
    "make", [lambda: add_scan(ScanStatus.CREATED), lambda: add_delivery(DeliveryState.DELIVERING)]
)
def test_the_page_asks_again_only_while_something_runs(client, make):
    add_scan()
    add_delivery(DeliveryState.SEQUENCING)
    assert live_address(client) == ""
    make()
    assert live_address(client)


def test_the_page_is_fetched_anew_when_a_state_has_changed_and_not_before(client):
    delivery = add_delivery(DeliveryState.DELIVERING)
    address = live_address(client)
    answer = client.get(address)
    assert "HX-Trigger-After-Settle" not in answer.headers
    assert "Back up 41" in text_of(answer)
    delivery.steps.filter(state=StepState.RUNNING).update(state=StepState.DONE)
    delivery.state, delivery.delivered_at = DeliveryState.DELIVERED, timezone.now()
    delivery.save()
    answer = client.get(address)
    assert answer.headers["HX-Trigger-After-Settle"] == "today-moved-on"
    assert "every 10s" not in answer.content.decode()


# --- Cost and safety -----------------------------------------------------------------------------------


def questions(client, address: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    return len(asked)


def test_more_rows_ask_no_more_questions(client, lab):
    def add_rows() -> None:
        delivery = add_delivery()
        recent_run(samples=2, missing=1, identity=delivery.identity, experiment=delivery.name)
        run = recent_run(**SHEET_ERRORS)
        add_sheet(run, is_usable=False)
        add_message(run, severity="error")
        fail(add_delivery(DeliveryState.WAITING))
        for state in (DeliveryState.DELIVERING, DeliveryState.SEQUENCING, DeliveryState.UNRECOGNISED):
            add_delivery(state, cycles=1, cycles_total=9)
        add_scan(ScanStatus.ERROR)
        add_scan()
        read()
        read("/archive")

    allow(lab, "seqauto_scan_initiate", "seqauto_retry")
    add_rows()
    client.get("/")
    few = questions(client, "/"), questions(client, "/live/")
    for _ in range(15):
        add_rows()
    assert (questions(client, "/") - 1, questions(client, "/live/")) == few  # one for the new readings
    assert max(few) < 15


def test_the_page_asks_no_disk(client, monkeypatch):
    recent_run(samples=1, missing=1)
    add_delivery(DeliveryState.SEQUENCING, cycles=1, cycles_total=2)
    read()
    client.get("/")  # where configured folders really lie is asked once in a process

    def refuse(*_args, **_more):
        raise AssertionError("A page has looked.")

    for name in ("statvfs", "lstat", "scandir", "listdir"):
        monkeypatch.setattr(f"os.{name}", refuse)
    assert client.get("/").status_code == 200


def test_promise_51_hostile_names_are_inert(client):
    hostile = "<script>alert(1)</script>\x1b[31m\u202e"
    run = recent_run(samples=1, missing=1, experiment=hostile)
    run.samples.update(sample_id=hostile)
    add_message(
        recent_run(name=hostile, **SHEET_ERRORS),
        severity="error",
        text=hostile,
        place=hostile,
        remedy=hostile,
    )
    fail(add_delivery(DeliveryState.WAITING, name=hostile, model=hostile), error=hostile, remedy=hostile)
    add_delivery(DeliveryState.DELIVERING, name=hostile)
    add_scan(ScanStatus.ERROR, error=hostile, remedy=hostile)
    read(path=f"/{hostile}", free=1)
    IncomingFolder.objects.create(path=f"/{hostile}", looked_at=timezone.now(), error=hostile, remedy=hostile)
    body = client.get("/").content.decode() + client.get("/live/").content.decode()
    assert "<script>alert(1)" not in body
    assert "\x1b" not in body
    assert "\u202e" not in body
    assert body.count(r"&lt;script&gt;alert(1)&lt;/script&gt;\x1b[31m\u202e") > 10

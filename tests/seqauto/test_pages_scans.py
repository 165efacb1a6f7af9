"""The pages of disk scans: the button, the list, the live panel, one scan, its lists."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone
from kombu.exceptions import OperationalError
from page_rows import add_message, add_run, add_scan

from seqauto import scan_lists, scans
from seqauto.models import Scan, ScanLease, SequencingRun
from seqauto.models.scans import ScanSource, ScanStatus
from seqauto.views import scans as views

pytestmark = pytest.mark.django_db

BUTTON = "Scan Disk for Sequencing Data"


@pytest.fixture
def operator(client) -> User:
    user = User.objects.create_user("operator")
    user.user_permissions.add(Permission.objects.get(codename="seqauto_scan_initiate"))
    client.force_login(user)
    return user


@pytest.fixture
def plain(client) -> User:
    user = User.objects.create_user("plain")
    client.force_login(user)
    return user


@pytest.fixture(autouse=True)
def queued(monkeypatch) -> list[int]:
    """The scans sent to the worker; the queue itself has its own tests."""
    sent: list[int] = []
    monkeypatch.setattr(views, "queue_scan", lambda scan: sent.append(scan.pk))
    return sent


def text_of(response) -> str:
    """What a person reads: the page without its tags."""
    body = re.sub(r"<(script|style).*?</\1>", "", response.content.decode(), flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


# --- The button ----------------------------------------------------------------------------------------


def test_the_button_queues_a_scan_in_the_name_of_the_user(client, operator, queued):
    assert BUTTON in text_of(client.get("/scans/"))
    page = client.post("/scans/start/", follow=True)
    scan = Scan.objects.get()
    assert (scan.source, scan.started_by, queued) == (ScanSource.BUTTON, operator, [scan.pk])
    assert f"Scan {scan.pk} waits" in text_of(page)


def test_users_without_the_permission_see_no_button(client, plain):
    assert BUTTON not in text_of(client.get("/scans/"))


def test_while_scanning_is_switched_off_the_button_is_disabled_and_says_why(client, operator, settings):
    settings.SEQAUTO_ENABLED = False
    page = client.get("/scans/")
    assert re.search(r"<button[^>]* disabled[^>]*>", page.content.decode())
    assert scans.why_disabled() in text_of(page)
    assert "No scan was started." in text_of(client.post("/scans/start/", follow=True))
    assert not Scan.objects.exists()


def test_pressing_during_a_scan_queues_the_next_and_a_third_press_adds_none(client, operator, held_lease):
    running = add_scan(ScanStatus.CREATE_MODELS, ago=timedelta(minutes=1))
    held_lease(running)
    page = client.post("/scans/start/", follow=True)
    waiting = Scan.objects.get(status=ScanStatus.CREATED)
    assert f"Scan {waiting.pk} waits and starts when scan {running.pk} has ended." in text_of(page)
    assert f"Scan {waiting.pk} waits already" in text_of(client.post("/scans/start/", follow=True))
    assert Scan.objects.count() == 2


def test_without_a_broker_the_page_says_that_the_scan_waits_for_it(client, operator, monkeypatch):
    def refuse(scan):
        raise OperationalError("Connection refused")

    monkeypatch.setattr(views, "queue_scan", refuse)
    page = text_of(client.post("/scans/start/", follow=True))
    assert "the message broker does not answer" in page
    assert "It starts by itself when the broker is back." in page
    assert Scan.objects.get().status == ScanStatus.CREATED


# --- The list ------------------------------------------------------------------------------------------


def test_the_empty_page_says_what_will_appear_and_where_it_will_look(client, plain, archive):
    page = text_of(client.get("/scans/"))
    assert "No scan yet." in page
    assert str(archive) in page


def test_the_empty_page_of_a_site_without_roots_says_which_setting_names_them(client, plain, settings):
    settings.SEQAUTO_SCAN_ROOTS = []
    assert "SEQAUTO_SCAN_ROOTS" in text_of(client.get("/scans/"))


def test_the_list_tells_status_times_counts_and_task_of_each_scan(client, plain):
    scan = add_scan(
        ago=timedelta(days=400),
        started_by=plain,
        runs_found=1203,
        files_seen=96_316,
        files_appeared=288,
        files_vanished=2,
        task_id="c1f0a2d4-77ab-4c0e-9d1e-00000004b69a",
    )
    page = client.get("/scans/")
    row = text_of(page)[text_of(page).index("Task ID") :]
    for words in (
        f"View SeqAuto Run {scan.pk}",
        "Finished",
        "plain",
        "10 s",
        "20 s",
        "1,203",
        "96,316",
        "+288 −2 ~0",
        "288 appeared, 2 vanished, 0 changed",
        "c1f0…9a",
        f"{scan.finished_at:%A}",
    ):
        assert words in row


def test_scans_stand_newest_first_and_older_ones_on_further_pages(client, plain, monkeypatch):
    monkeypatch.setattr(views, "SCANS_A_PAGE", 3)
    numbers = sorted((add_scan().pk for _ in range(5)), reverse=True)
    first = client.get("/scans/").content.decode()
    assert re.findall(r"View SeqAuto Run (\d+)", first) == [str(number) for number in numbers[:3]]
    older = re.search(r'href="(\?before=\d+)"', first).group(1)
    second = client.get(f"/scans/{older}").content.decode()
    assert re.findall(r"View SeqAuto Run (\d+)", second) == [str(number) for number in numbers[3:]]
    assert 'href="?before=' not in second


@pytest.mark.parametrize("before", ["-1", "x", "9" * 40, "²", "'", ""])
def test_a_place_in_the_list_that_is_no_number_shows_its_beginning(client, plain, before):
    scan = add_scan()
    assert f"View SeqAuto Run {scan.pk}" in text_of(client.get("/scans/", {"before": before}))


def test_the_last_error_is_explained_under_the_list(client, plain):
    scan = add_scan(ScanStatus.ERROR, error="Archive root /archive is not there; nothing was changed for it.")
    page = client.get("/scans/")
    assert f"Scan {scan.pk} stopped: {scan.error}" in text_of(page)
    assert f"/scans/{scan.pk}/#what-to-do" in page.content.decode()


def test_an_error_that_a_later_success_has_mended_is_not_explained_again(client, plain):
    add_scan(ScanStatus.ERROR, error="gone")
    add_scan()
    assert "stopped:" not in text_of(client.get("/scans/"))


def test_the_page_tells_the_last_success_and_the_next_scan(client, plain):
    add_scan(ago=timedelta(minutes=58, seconds=50))
    page = text_of(client.get("/scans/"))
    assert "Last success 58 minutes ago" in page
    assert "no next one by schedule" in page


# --- The live panel ------------------------------------------------------------------------------------


@pytest.fixture
def held_lease():
    """Give a scan the lease, as if its worker were alive."""

    def hold(scan: Scan) -> Scan:
        ScanLease.objects.update_or_create(
            pk=1,
            defaults={
                "token": uuid4(),
                "scan": scan,
                "holder": "labsrv1:1",
                "expires_at": timezone.now() + timedelta(hours=1),
            },
        )
        return scan

    return hold


def test_while_a_scan_runs_the_panel_tells_stages_runs_and_time_left_and_polls(client, plain, held_lease):
    scan = add_scan(
        ScanStatus.CREATE_MODELS, timedelta(seconds=50), runs_done=30, runs_total=120, worker="labsrv1"
    )
    held_lease(scan)
    response = client.get("/scans/live/")
    panel = text_of(response)
    assert f"Scan {scan.pk} is running started by schedule, on labsrv1" in panel
    assert "Scanning Files 10 s" in panel
    assert "Scripts and Jobs · off" in panel
    assert "30 of 120 runs" in panel
    assert re.search(r"about [12] m( \d+ s)? left|about \d+ s left", panel)
    assert 'hx-trigger="every 2s"' in response.content.decode()


def test_files_a_second_are_told_during_scanning_files(client, plain, held_lease):
    held_lease(add_scan(ScanStatus.SCANNING_FILES, timedelta(seconds=20), files_seen=20_000, runs_done=7))
    assert re.search(r"20,000 files, [12],\d{3} a second", text_of(client.get("/scans/live/")))


def test_when_nothing_runs_any_more_the_panel_tells_the_end_and_polls_no_longer(client, plain):
    scan = add_scan()
    response = client.get("/scans/live/", {"seen": f"{scan.pk}-create_models"})
    assert f"Scan {scan.pk} has finished" in text_of(response)
    assert "hx-trigger" not in response.content.decode()
    assert response.headers["HX-Trigger-After-Settle"] == "scan-moved-on"


def test_the_table_is_fetched_anew_only_when_the_scan_has_moved_on(client, plain, held_lease):
    scan = held_lease(add_scan(ScanStatus.CREATE_MODELS, timedelta(seconds=20)))
    same = client.get("/scans/live/", {"seen": f"{scan.pk}-create_models"})
    assert "HX-Trigger-After-Settle" not in same.headers


def test_without_a_running_scan_there_is_no_panel_and_no_polling(client, plain):
    add_scan()
    assert "every 2s" not in client.get("/scans/").content.decode()
    assert client.get("/scans/live/").status_code == 200


def test_a_scan_that_no_worker_takes_says_so(client, plain):
    add_scan(ScanStatus.CREATED, ago=timedelta(minutes=5), source=ScanSource.BUTTON)
    assert "Is the process seqauto_single_worker running?" in text_of(client.get("/scans/live/"))


def test_promise_39_a_scan_whose_worker_died_shows_as_error_on_page_view(client, plain):
    scan = add_scan(ScanStatus.CREATE_MODELS, ago=timedelta(minutes=10), worker="labsrv1:1")
    page = text_of(client.get("/scans/"))
    assert f"Scan {scan.pk} stopped: The worker (labsrv1:1) died" in page


# --- One scan ------------------------------------------------------------------------------------------


def test_the_page_of_an_error_tells_what_to_do_and_folds_the_stack_trace(client, plain):
    scan = add_scan(
        ScanStatus.ERROR,
        error="Disk full.",
        remedy="Make room, then scan again.",
        traceback="Traceback: <here>",
    )
    response = client.get(scan.get_absolute_url())
    assert "Disk full." in text_of(response)
    assert "Make room, then scan again." in text_of(response)
    assert "<summary>Stack trace</summary>" in response.content.decode()
    assert "Traceback: &lt;here&gt;" in response.content.decode()


def test_messages_stand_by_what_to_do_a_few_of_each_with_links_to_their_runs(client, plain):
    scan = add_scan()
    runs = [add_run() for _ in range(8)]
    for run in runs:
        add_message(run, scan=scan, opened_at=scan.finished_at)
    error = {"severity": "error", "code": "sheet", "text": "Row 3 has no index.", "remedy": "Mend it."}
    add_message(runs[0], scan=scan, opened_at=scan.finished_at, **error)
    response = client.get(scan.get_absolute_url())
    page = text_of(response)
    assert page.index("Mend it.") < page.index("Copy it from the instrument.")
    assert "8 times" in page
    assert "and 3 more" in page
    assert runs[0].get_absolute_url() in response.content.decode()


def test_a_scan_tells_what_there_was_by_type_and_state(client, plain):
    ended = add_scan(files_by_state={"fastq": {"non_existent": 1, "complete": 1234}})
    page = text_of(client.get(ended.get_absolute_url())).replace("\u00a0", " ")
    assert "FASTQ Complete 1,234 FASTQ Non Existent 1" in page
    assert "What it found" not in text_of(client.get(add_scan().get_absolute_url()))


@pytest.fixture
def scan_with_lists(archive, settings) -> Scan:
    scan = add_scan(files_appeared=450, files_vanished=1)
    run = add_run()
    with scan_lists.ChangeWriter(scans.lists_folder(scan)) as changes:
        changes.add(run.path, appeared=[f"0_fastq/{number:03d}.fastq.gz" for number in range(450)])
        changes.add("/archive/forgotten", vanished=["a.fastq.gz"])
    return scan


def test_what_changed_is_listed_page_by_page_with_links_to_the_runs(client, plain, scan_with_lists):
    scan, run = scan_with_lists, SequencingRun.objects.get()
    page = client.get(scan.get_absolute_url())
    assert "450 appeared, 1 vanished, 0 changed" in text_of(page)
    assert "/archive/forgotten/a.fastq.gz" in text_of(page)
    seen, address = [], reverse("scan_changes", args=[scan.pk, "appeared"])
    while address:
        body = client.get(address).content.decode()
        assert run.get_absolute_url() in body
        seen += re.findall(r"(\d{3})\.fastq\.gz", body)
        later = re.search(r'href="(\?from=\d+)">next', body)
        address = later and reverse("scan_changes", args=[scan.pk, "appeared"]) + later.group(1)
    assert seen == [f"{number:03d}" for number in range(450)]


def test_lists_that_are_no_longer_kept_are_said_to_be_gone(client, plain, archive):
    scan = add_scan(files_appeared=3)
    assert "The list is no longer kept." in text_of(client.get(scan.get_absolute_url()))
    assert "The list is no longer kept." in text_of(client.get(f"/scans/{scan.pk}/changes/appeared/"))


def test_the_file_lists_can_be_downloaded_as_text(client, plain, scan_with_lists):
    scan = scan_with_lists
    assert (
        reverse("scan_list", args=[scan.pk, "vanished.tsv"])
        in client.get(scan.get_absolute_url()).content.decode()
    )
    response = client.get(f"/scans/{scan.pk}/lists/vanished.tsv")
    assert response.getvalue() == b"/archive/forgotten\ta.fastq.gz\n"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Content-Disposition"] == f'attachment; filename="scan_{scan.pk}_vanished.tsv"'


@pytest.mark.parametrize(
    "name",
    ["..%2Fsecret", "%2Fetc%2Fpasswd", "..", "sub", ".", "a%00b", "appeared.tsv%2F..%2F..%2Fsecret", "%20"],
)
def test_promise_49_no_name_of_a_list_leads_out_of_the_scan_s_folder(
    client, plain, scan_with_lists, settings, name
):
    (settings.SEQAUTO_SCAN_RESOURCES_DIR / "secret").write_text("secret")
    (scans.lists_folder(scan_with_lists) / "sub").mkdir()
    assert client.get(f"/scans/{scan_with_lists.pk}/lists/{name}").status_code == 404


# --- From the disk to the page -------------------------------------------------------------------------


def test_what_a_scan_finds_on_the_disk_stands_on_the_pages(client, plain, archive, write_run):
    write_run(archive / "haem", samples=3, missing=["*_R2_*"])
    scan = scans.create_scan(ScanSource.COMMAND_LINE)
    assert scans.run_scan(scan)
    run = SequencingRun.objects.get()
    assert "Finished" in text_of(client.get("/scans/"))
    page = text_of(client.get(run.get_absolute_url()))
    assert f"{run.files_found:,} of {run.files_expected:,} FASTQs found" in page
    assert 0 < run.files_found < run.files_expected
    for sample in run.samples.all():
        assert sample.sample_id in page
    assert f"{run.files_total:,} appeared" in text_of(client.get(scan.get_absolute_url()))


# --- Run again from these lists ------------------------------------------------------------------------

AGAIN = "Run again from these lists"


@pytest.fixture
def scan_of_disks(archive, write_run) -> Scan:
    """A scan that has really walked an archive of one run."""
    write_run(archive / "exome", samples=2)
    scan = scans.create_scan(ScanSource.COMMAND_LINE)
    assert scans.run_scan(scan)
    return scan


def test_a_scan_can_be_run_again_from_its_lists(client, operator, queued, scan_of_disks):
    assert AGAIN in text_of(client.get(f"/scans/{scan_of_disks.pk}/"))
    client.post(f"/scans/{scan_of_disks.pk}/again/")
    again = Scan.objects.newest_first().first()
    assert (again.source, again.started_by, again.reused_scan) == (
        ScanSource.BUTTON,
        operator,
        scan_of_disks,
    )
    assert queued == [again.pk]
    assert scans.run_scan(again)
    again.refresh_from_db()
    assert (again.status, again.scanning_files_at, again.runs_found) == (ScanStatus.FINISHED, None, 1)
    # It wrote no lists of its own.
    assert AGAIN not in text_of(client.get(f"/scans/{again.pk}/"))


def test_pressing_it_twice_queues_one_scan_and_leaves_the_other_button_free(
    client, operator, queued, scan_of_disks
):
    for _ in range(2):
        page = client.post(f"/scans/{scan_of_disks.pk}/again/", follow=True)
    assert len(queued) == 1
    assert f"waits already and will see the lists of scan {scan_of_disks.pk}." in text_of(page)
    client.post("/scans/start/")
    assert Scan.objects.get(pk=queued[1]).reused_scan is None


def test_nothing_is_run_again_where_no_lists_are_kept(client, operator, queued, archive):
    scan = add_scan()
    assert AGAIN not in text_of(client.get(f"/scans/{scan.pk}/"))
    page = client.post(f"/scans/{scan.pk}/again/", follow=True)
    assert f"No scan was started. SeqAuto Run {scan.pk} has no file lists to start from." in text_of(page)
    assert queued == []


def test_nothing_is_run_again_while_its_lists_are_being_written(client, operator, queued, scan_of_disks):
    Scan.objects.filter(pk=scan_of_disks.pk).update(status=ScanStatus.CREATE_MODELS, finished_at=None)
    assert AGAIN not in text_of(client.get(f"/scans/{scan_of_disks.pk}/"))
    page = client.post(f"/scans/{scan_of_disks.pk}/again/", follow=True)
    assert "is still writing its lists" in text_of(page)
    assert queued == []


def test_users_without_the_permission_are_not_offered_it(client, plain, scan_of_disks):
    assert AGAIN not in text_of(client.get(f"/scans/{scan_of_disks.pk}/"))

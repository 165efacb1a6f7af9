"""Several runs at once: flags and rescans of those that were chosen in the list."""

import re

import pytest
from django.contrib.auth.models import Group, User
from page_rows import add_run

from seqauto.models import AuditEntry, Scan, SequencingRun
from seqauto.views import scans as scan_views

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    monkeypatch.setattr(scan_views, "queue_scan", lambda scan: None)


def log_in(client, role: str) -> User:
    user = User.objects.create_user("anna")
    user.groups.add(Group.objects.get(name=role))
    client.force_login(user)
    return user


def words_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def flag(client, runs: list[SequencingRun], **data: str):
    sent = {"run": [run.pk for run in runs], "what": "is_bad", "why": "Overclustered."} | data
    return client.post("/runs/flag/", sent, follow=True)


def rescan(client, runs: list[SequencingRun], **data: str):
    return client.post("/runs/rescan/", {"run": [run.pk for run in runs]} | data, follow=True)


def noted() -> list[tuple]:
    rows = AuditEntry.objects.order_by("pk")
    return list(rows.values_list("action", "name", "before", "after", "reason"))


def test_promise_54_chosen_runs_are_flagged_with_an_entry_each_and_what_was_done_is_told(client):
    log_in(client, "Lab admins")
    first, second, already, other = add_run(), add_run(), add_run(is_bad=True), add_run()
    page = flag(client, [second, first, already], query="q=2611&sort=name")
    assert "2 runs flagged bad; 1 was so already." in words_of(page)
    assert page.redirect_chain == [("/runs/?q=2611&sort=name", 302)]
    assert set(SequencingRun.objects.filter(is_bad=True)) == {first, second, already}
    assert not SequencingRun.objects.get(pk=other.pk).is_bad
    assert noted() == [
        ("run.flags_set", run.name, {"bad": False}, {"bad": True}, "Overclustered.")
        for run in (first, second)
    ]
    assert {entry.who for entry in AuditEntry.objects.all()} == {"anna"}


def test_flags_can_be_taken_off_again(client):
    log_in(client, "Lab admins")
    run, other = add_run(is_hidden=True), add_run()
    page = flag(client, [run, other], what="-is_hidden", why="Looked at again.")
    assert "1 run no longer flagged hidden; 1 was so already." in words_of(page)
    assert not SequencingRun.objects.filter(is_hidden=True).exists()
    assert noted() == [("run.flags_set", run.name, {"hidden": True}, {"hidden": False}, "Looked at again.")]


def test_a_flag_that_all_have_already_is_not_noted_again(client):
    log_in(client, "Lab admins")
    assert "No flag was changed: 1 was so already." in words_of(flag(client, [add_run(is_bad=True)]))
    assert noted() == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"why": " "}, "No run was flagged. Say why in one sentence"),
        ({"what": "is_superuser"}, "No run was flagged. Select a valid choice."),
        ({"run": []}, "No run was chosen: tick the runs that are meant."),
        ({"run": ["x", "-1", "9" * 40]}, "No run was chosen: tick the runs that are meant."),
    ],
)
def test_what_cannot_be_flagged_is_told_and_changes_nothing(client, data, words):
    log_in(client, "Lab admins")
    page = flag(client, [add_run()], **data)
    assert words in words_of(page)
    assert (noted(), SequencingRun.objects.filter(is_bad=True).count()) == ([], 0)


@pytest.mark.django_db(transaction=True)
def test_promise_54_of_several_runs_all_are_flagged_with_their_entries_or_none(client, monkeypatch):
    Group.objects.get_or_create(name="Lab admins")
    client.force_login(User.objects.create_superuser("head_of_lab"))
    runs, save = [add_run(), add_run()], AuditEntry.save

    def save_the_first(entry, *args, **kwargs):
        if entry.key == runs[1].pk:
            raise RuntimeError("by the test")
        save(entry, *args, **kwargs)

    monkeypatch.setattr(AuditEntry, "save", save_the_first)
    with pytest.raises(RuntimeError, match="by the test"):
        flag(client, runs)
    assert (noted(), SequencingRun.objects.filter(is_bad=True).count()) == ([], 0)


def test_flagging_leaves_what_a_scan_has_written_meanwhile(client):
    log_in(client, "Lab admins")
    run = add_run(samples=2)
    SequencingRun.objects.filter(pk=run.pk).update(files_found=3, state="incomplete")
    flag(client, [run])
    run.refresh_from_db()
    assert (run.is_bad, run.files_found, run.state) == (True, 3, "incomplete")


def test_chosen_runs_are_read_anew_by_one_scan(client):
    user = log_in(client, "Scan operators")
    runs = [add_run(fingerprint="f" * 64), add_run(fingerprint="f" * 64)]
    legacy = add_run(fingerprint="f" * 64, is_legacy=True)
    page = words_of(rescan(client, [*runs, legacy]))
    assert "The next scan reads 2 runs anew." in page
    assert "1 legacy run left out: scans never update those." in page
    assert list(SequencingRun.objects.order_by("pk").values_list("fingerprint", flat=True)) == [
        "", "", "f" * 64,
    ]  # fmt: skip
    assert Scan.objects.get().started_by == user
    assert [action for action, *_ in noted()] == ["run.rescan_asked", "run.rescan_asked", "scan.started"]


def test_legacy_runs_alone_start_no_scan(client):
    log_in(client, "Scan operators")
    assert "left out" in words_of(rescan(client, [add_run(is_legacy=True)]))
    assert (Scan.objects.count(), noted()) == (0, [])


def test_a_rescan_of_chosen_runs_is_refused_with_the_reason_while_scanning_is_off(client, settings):
    settings.SEQAUTO_ENABLED = False
    log_in(client, "Scan operators")
    assert "SEQAUTO_ENABLED is false" in words_of(rescan(client, [add_run(fingerprint="f" * 64)]))
    assert noted() == []


@pytest.mark.parametrize(
    ("role", "offered"),
    [("Lab staff", set()), ("Scan operators", {"Rescan"}), ("Lab admins", {"Rescan", "Save flag"})],
)
def test_only_what_somebody_may_do_is_offered(client, role, offered):
    log_in(client, role)
    add_run()
    page = client.get("/runs/").content.decode()
    assert set(re.findall(r"</i> (Rescan|Save flag)</button>", page)) == offered
    assert ('type="checkbox" name="run"' in page) == bool(offered)


def test_each_row_has_its_own_tick_that_says_which_run_it_is(client):
    log_in(client, "Lab admins")
    run = add_run()
    page = client.get("/runs/").content.decode()
    assert f'name="run" value="{run.pk}" form="chosen" aria-label="Choose {run.name}"' in page
    assert '<form id="chosen"' in page


def test_whoever_acts_on_runs_is_led_nowhere_else(client):
    log_in(client, "Lab admins")
    page = flag(client, [add_run()], query="//evil.example")
    assert page.redirect_chain[0][0].startswith("/runs/?")

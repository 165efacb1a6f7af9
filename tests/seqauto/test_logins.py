"""Repeated failed logins are slowed; nobody else is kept out by them."""

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.db.models import F
from django.test import RequestFactory

from seqauto.logins import address_before_the_proxy
from seqauto.models import AuditEntry

pytestmark = pytest.mark.django_db

RIGHT = "the right words of anna"
WRONG = "the wrong words of anna"
OTHER = "quite another one"


@pytest.fixture(autouse=True)
def users():
    for name in ("anna", "bert"):
        User.objects.create_superuser(name, password=RIGHT)


def log_in(client, password, name="anna", page="/accounts/login/", address="10.0.0.1"):
    return client.post(page, {"username": name, "password": password}, REMOTE_ADDR=address)


def fail(client, times, **more):
    for _ in range(times):
        answer = log_in(client, WRONG, **more)
    return answer


@pytest.mark.parametrize("page", ["/accounts/login/", "/admin/login/"])
def test_promise_52_repeated_failed_logins_are_slowed(client, settings, page):
    assert fail(client, settings.SEQAUTO_LOGIN_TRIES - 1, page=page).status_code == 200
    assert fail(client, 1, page=page).status_code == 429
    paused = log_in(client, RIGHT, page=page)
    assert paused.status_code == 429
    assert "Wait 5 m, then try again" in paused.content.decode()
    assert client.get("/runs/").status_code == 302


def test_promise_52_after_the_pause_the_right_password_works(client, settings):
    fail(client, settings.SEQAUTO_LOGIN_TRIES)
    log_in(client, WRONG)  # during the pause: does not make it longer
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=4))
    assert log_in(client, RIGHT).status_code == 429
    AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=2))
    assert log_in(client, RIGHT).status_code == 302


def test_promise_52_nobody_else_is_kept_out(client, settings):
    fail(client, settings.SEQAUTO_LOGIN_TRIES)
    assert log_in(client, RIGHT, name="bert").status_code == 302
    assert log_in(client, RIGHT, address="10.0.0.2").status_code == 302


def test_promise_52_a_success_forgets_the_failures_before_it(client, settings):
    fail(client, settings.SEQAUTO_LOGIN_TRIES - 1)
    log_in(client, RIGHT)
    client.logout()
    assert fail(client, settings.SEQAUTO_LOGIN_TRIES - 1).status_code == 200


def test_promise_53_what_was_typed_is_kept_nowhere(client, settings):
    fail(client, settings.SEQAUTO_LOGIN_TRIES)
    assert AccessAttempt.objects.exists()
    assert WRONG not in str(list(AccessAttempt.objects.values()))


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("1.2.3.4, 10.0.0.7", "10.0.0.7"),  # the first was sent by the client
        ("2001:db8::7", "2001:db8::7"),
        ("", "127.0.0.1"),
        ("1.2.3.4, not an address'--", "127.0.0.1"),
    ],
)
def test_behind_a_proxy_its_word_counts_and_no_forged_one(forwarded, address):
    request = RequestFactory().post("/accounts/login/", HTTP_X_FORWARDED_FOR=forwarded)
    assert address_before_the_proxy(request) == address


def test_a_person_changes_the_own_password_and_the_audit_says_so(client):
    log_in(client, RIGHT)
    typed = {
        "old_password": RIGHT,
        "new_password1": "quite another one",
        "new_password2": "quite another one",
    }
    assert client.post("/accounts/password/", typed).status_code == 302
    assert client.get("/runs/").status_code == 200
    assert User.objects.get(username="anna").check_password(OTHER)
    (entry,) = AuditEntry.objects.all()
    assert (entry.who, entry.action) == ("anna", "user.password_changed")
    assert OTHER not in str(vars(entry))


def test_without_the_old_password_nothing_changes(client):
    log_in(client, RIGHT)
    typed = {
        "old_password": WRONG,
        "new_password1": "quite another one",
        "new_password2": "quite another one",
    }
    answer = client.post("/accounts/password/", typed)
    assert "entered incorrectly" in answer.content.decode()
    assert User.objects.get(username="anna").check_password(RIGHT)
    assert not AuditEntry.objects.exists()

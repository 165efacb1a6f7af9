"""Server status renews itself while somebody looks, and asks nothing while nobody does."""

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from playwright.sync_api import expect

from seqauto.models import Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(open_page):
    User.objects.create_superuser("head_of_lab", password="of the lab")
    page = open_page()
    page.goto("/accounts/login/")
    page.get_by_label("User name").fill("head_of_lab")
    page.get_by_label("Password").fill("of the lab")
    page.get_by_role("button", name="Log in").click()
    return page


def test_a_worker_that_starts_appears_without_a_reload(page):
    page.get_by_role("button", name="head_of_lab").click()
    page.get_by_role("link", name="Server status", exact=True).click()
    processes = page.get_by_role("region", name="Processes, scrolls sideways")
    expect(processes).not_to_contain_text("scans@here")
    Worker.objects.create(
        name="scans@here",
        kind="worker",
        host="here",
        pid=1,
        queues=["seqauto_single_worker"],
        started_at=Now(),
        beat_at=Now(),
    )
    expect(processes).to_contain_text("scans@here", timeout=30_000)  # it is asked for every ten seconds
    expect(processes).to_contain_text("alive")


def test_a_tab_that_nobody_sees_asks_nothing(page):
    page.clock.install()
    page.goto("/status/")
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => window.unseen})")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("unseen = true")
    page.clock.run_for(60_000)
    assert asked == []
    page.evaluate("unseen = false")
    with page.expect_response("**/status/live/"):
        page.clock.run_for(11_000)

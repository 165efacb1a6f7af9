"""Everybody can use every page: axe-core finds nothing against WCAG 2.2 AA, and no page scrolls sideways."""

from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from test_access import MATRIX, address_of, rows

__all__ = ["rows"]  # a fixture

AXE = Path(__file__).with_name("vendor") / "axe-core" / "axe.min.js"
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FIND = """async (levels) => {
    document.querySelectorAll("details").forEach((one) => { one.open = true; });
    const found = await axe.run({ runOnly: levels, resultTypes: ["violations"] });
    const said = (one, node) => `${one.id}: ${node.html.slice(0, 200)}`;
    return found.violations.flatMap((one) => one.nodes.map((node) => said(one, node)));
}"""
#: Django's own pages, whose access is Django's affair.
OURS = sorted(name for name in MATRIX if ":" not in name)


@pytest.fixture
def superuser(rows) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("superuser"))
    return client


def pages(rows, client: Client) -> list[str]:
    """The addresses of whole pages: no downloads, no parts that a page fetches anew."""
    found = []
    for name in OURS:
        if not MATRIX[name].read:
            continue
        answer = client.get(address_of(name, rows))
        is_page = answer.status_code == 200 and not answer.streaming
        if is_page and answer["Content-Type"].startswith("text/html") and b"<main" in answer.content:
            found.append(address_of(name, rows))
    return found


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_every_page_can_be_used_by_everybody(open_page, live_server, rows, superuser, width, dark):
    page = open_page(width=width, dark=dark)
    session = superuser.cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}]
    )
    addresses = pages(rows, superuser)
    assert len(addresses) > 30
    found = {}
    for address in addresses:
        page.goto(address)
        page.evaluate(AXE.read_text())
        if against := page.evaluate(FIND, LEVELS):
            found[address] = against
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.setdefault(address, []).append("scrolls sideways")
    assert found == {}


def test_the_login_can_be_used_by_everybody(open_page, live_server):
    page = open_page(width=390)
    page.goto("/")
    page.evaluate(AXE.read_text())
    assert page.evaluate(FIND, LEVELS) == []

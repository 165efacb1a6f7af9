"""A real browser on a real server of the site."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections

from seqauto import scans
from seqauto.models import Scan
from seqauto.views import scans as scan_views

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def pytest_collection_modifyitems(items) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium(django_db_setup):
    """The browser; closed with its module, for its event loop would stop the tests that come after."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip(f"needs {CHROMIUM}")
    with pytest.MonkeyPatch.context() as patch, playwright.sync_playwright() as running:
        # While Playwright keeps an event loop in this thread, Django would refuse to touch the database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, live_server) -> Iterator[Callable]:
    """Open a window: `open_page(width=390, dark=True)`. What the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def listen(page) -> None:
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: said.type in {"error", "warning"} and complaints.append(said.text))
        page.on("response", lambda got: got.status >= 500 and complaints.append(f"{got.status} {got.url}"))

    def open_page(width: int = 1280, dark: bool = False, **options):
        context = chromium.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": 850},
            color_scheme="dark" if dark else "light",
            **options,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        listen(page)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def operator(transactional_db) -> User:
    user = User.objects.create_user("operator", password="of the lab", is_staff=True)
    may = ["seqauto_scan_initiate", "seqauto_flag"]
    user.user_permissions.set(Permission.objects.filter(codename__in=may))
    return user


@pytest.fixture
def log_in(operator) -> Callable:
    """Log the operator in at the form."""

    def log_in(page) -> None:
        page.goto("/scans/")
        page.fill("#id_username", "operator")
        page.fill("#id_password", "of the lab")
        page.click("main button:has-text('Log in')")
        page.wait_for_selector("h1:has-text('Disk scans')")

    return log_in


@pytest.fixture
def worker(transactional_db, monkeypatch) -> Iterator[threading.Event]:
    """Runs queued scans in threads; each waits before Create Models until the event is set."""
    may_go_on = threading.Event()
    threads: list[threading.Thread] = []
    one_at_a_time = threading.Lock()
    create_models = scans.create_models

    def wait_first(*args) -> None:
        may_go_on.wait(30)
        create_models(*args)

    def work(scan: Scan) -> None:
        with one_at_a_time:
            scans.run_scan(scan)
        connections.close_all()

    def queue(scan: Scan) -> None:
        threads.append(threading.Thread(target=work, args=(scan,)))
        threads[-1].start()

    monkeypatch.setattr(scans, "create_models", wait_first)
    monkeypatch.setattr(scan_views, "queue_scan", queue)
    yield may_go_on
    may_go_on.set()
    for thread in threads:
        thread.join(30)

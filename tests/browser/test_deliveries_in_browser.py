"""A person at the browser: follows a delivery, retries what failed, on any screen and in both themes."""

from datetime import timedelta

import pytest
from delivery_rows import PROBLEMS, add_delivery, add_step, fail
from django.contrib.auth.models import Permission
from django.utils import timezone
from test_scan_in_browser import CONTRASTS

from seqauto.delivery_states import override_key
from seqauto.models import Delivery, DeliveryEvent, IncomingFolder
from seqauto.models.deliveries import DeliveryState, StepKind, StepState
from seqauto.views import deliveries as views


@pytest.fixture
def operator(operator, settings, monkeypatch):
    operator.user_permissions.add(Permission.objects.get(codename="seqauto_deliver"))
    settings.SEQAUTO_INCOMING_DIRS = ["/incoming", "/incoming2"]
    monkeypatch.setattr(views, "queue_ready_steps", lambda: None)
    return operator


@pytest.fixture
def running(operator) -> Delivery:
    return add_delivery(DeliveryState.DELIVERING, ago=timedelta(hours=1))


@pytest.fixture
def failed(operator, tmp_path) -> Delivery:
    log = tmp_path / "convert.log"
    log.write_text("\x1b[31mERROR\x1b[0m\n" * 9)
    delivery = add_delivery(DeliveryState.WAITING)
    fail(delivery, log=str(log), traceback="Traceback")
    DeliveryEvent.objects.create(delivery=delivery, text="Convert failed", reason="")
    return delivery


@pytest.fixture
def every_kind(running, failed) -> list[str]:
    """Addresses of the list and of deliveries in all states."""
    IncomingFolder.objects.create(path="/incoming", looked_at=timezone.now())
    others = [add_delivery(state, reason="Because of this.", remedy="Do that.") for state in DeliveryState]
    return ["/deliveries/", *(each.get_absolute_url() for each in (running, failed, *others))]


def let_back_up_end(delivery: Delivery) -> None:
    """As a worker would: the step is done, the next one runs."""
    delivery.steps.filter(kind__in=[StepKind.BACK_UP, StepKind.CONVERT]).delete()
    add_step(delivery, StepKind.BACK_UP, 2, StepState.DONE)
    add_step(delivery, StepKind.CONVERT, 3, StepState.RUNNING)


def let_all_end(delivery: Delivery) -> None:
    delivery.steps.update(state=StepState.DONE)
    Delivery.objects.filter(pk=delivery.pk).update(state=DeliveryState.DELIVERED, delivered_at=timezone.now())


@pytest.mark.parametrize("is_list", [True, False])
def test_a_delivery_can_be_watched_to_its_end_without_reloading(open_page, log_in, running, is_list):
    page = open_page()
    log_in(page)
    page.goto("/deliveries/" if is_list else running.get_absolute_url())
    hand = f"#hand-{running.pk}"
    page.wait_for_selector(f"{hand} >> text=Back up")
    page.evaluate("window.isTheSamePage = true")

    running.steps.filter(kind=StepKind.BACK_UP).update(bytes_done=7_000_000_000)
    page.wait_for_selector(f"{hand} >> text=/50.%/")
    let_back_up_end(running)
    page.wait_for_selector(f"{hand} >> text=Convert")
    let_all_end(running)
    page.wait_for_selector("main .state.ok >> text=Delivered")
    page.wait_for_selector("#live[hx-get]", state="detached")
    assert page.inner_text(hand) == ""
    assert page.evaluate("window.isTheSamePage")


def test_a_reason_being_typed_outlives_an_update_of_the_page(open_page, log_in, running):
    page = open_page()
    log_in(page)
    page.goto(running.get_absolute_url())
    page.click("summary:has-text('Hold')")
    page.fill("#why-delivery_hold", "Wait for the")
    let_back_up_end(running)
    page.wait_for_selector(f"#hand-{running.pk} >> text=Convert")
    assert page.input_value("#why-delivery_hold") == "Wait for the"
    page.fill("#why-delivery_hold", "Wait for the new sheet")
    page.click("#do-delivery_hold button")
    page.wait_for_selector("main >> text=On hold: no further step begins.")
    assert running.events.get().reason == "Wait for the new sheet"


def test_a_failed_step_is_overridden_from_the_keyboard(open_page, log_in, failed):
    page = open_page()
    log_in(page)
    page.goto(failed.get_absolute_url())
    page.focus("#do-override summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.type("The lab knows of it")
    page.keyboard.press("Enter")
    page.wait_for_selector("main >> text=Overridden: the step is tried again")
    failed.refresh_from_db()
    assert failed.overrides == [override_key(PROBLEMS[0])]


def test_retry_from_the_list_leads_to_the_delivery(open_page, log_in, failed):
    page = open_page()
    log_in(page)
    page.click("button:has-text('Deliveries')")
    page.click("a.dropdown-item:has-text('Deliveries')")
    page.click(".in-need button:has-text('Retry')")
    page.wait_for_url(f"**{failed.get_absolute_url()}")
    page.wait_for_selector("main >> text=The step is tried again.")


def test_everything_works_without_scripts(open_page, log_in, failed):
    page = open_page(java_script_enabled=False)
    log_in(page)
    page.goto(failed.get_absolute_url())
    page.click("summary:has-text('Hold')")
    page.fill("#why-delivery_hold", "No scripts here")
    page.click("#do-delivery_hold button")
    page.wait_for_selector("main >> text=On hold: no further step begins.")


def test_no_page_of_deliveries_scrolls_sideways_on_a_phone(open_page, log_in, every_kind):
    page = open_page(width=390)
    log_in(page)
    for address in every_kind:
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


CUT_OFF = """() => [...document.querySelectorAll("main :is(td, dd, li, p, .prose, .reason)")]
    .filter((each) => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== "inline")
    .filter((each) => !each.querySelector(".table-responsive, pre, .visually-hidden"))
    .map((each) => each.className + ": " + each.textContent.trim().slice(0, 90))"""


@pytest.mark.parametrize("width", [1280, 390])
def test_long_paths_wrap_inside_their_place(open_page, log_in, operator, width):
    path = f"/data/illumina/backup_of_all/{'x' * 60}/260323_M00879_0160_000000000-KWBP4.manifest.tsv"
    words = f"{path} is there already with other content than {path}."
    strange = add_delivery(DeliveryState.CONFLICT, reason=words, remedy=words)
    failed = add_delivery(DeliveryState.WAITING, root=path)
    fail(failed, error=words, remedy=words)
    failed.steps.filter(kind=StepKind.BACK_UP).update(state=StepState.RUNNING, doing=path)
    page = open_page(width=width)
    log_in(page)
    for address in ("/deliveries/", strange.get_absolute_url(), failed.get_absolute_url()):
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        assert page.evaluate(CUT_OFF) == [], address
    page.goto("/deliveries/")
    table = page.locator("#deliveries-table .table-responsive")
    assert table.evaluate("(each) => each.scrollWidth <= each.clientWidth")


def test_a_phone_shows_state_steps_and_progress_of_each_run(open_page, log_in, running):
    add_delivery()
    page = open_page(width=390)
    log_in(page)
    page.goto("/deliveries/")
    for words in ("Delivering", "Delivered", "Back up 41"):
        assert page.locator(f"#deliveries-table >> text={words}").first.is_visible()
    assert page.locator("#deliveries-table .step-signs").last.is_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_of_deliveries_can_be_read_in_both_themes(open_page, log_in, every_kind, dark):
    page = open_page(dark=dark)
    log_in(page)
    for address in every_kind:
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        pale = {name: ratio for name, ratio in page.evaluate(CONTRASTS).items() if ratio < 4.5}
        assert pale == {}, address


def test_promise_51_deliveries_need_no_inline_style_or_script(open_page, log_in, every_kind):
    page = open_page()  # it fails the test where the browser complains
    log_in(page)
    for address in every_kind:
        assert "'unsafe-" not in page.goto(address).headers["content-security-policy"]


def test_promise_51_the_admin_s_page_of_a_delivery_needs_none_either(open_page, log_in, failed, operator):
    operator.is_superuser = True
    operator.save()
    page = open_page()
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))  # the admin has none
    log_in(page)
    page.goto(f"/admin/seqauto/delivery/{failed.pk}/change/")
    assert "Convert failed" in page.inner_text("#content")
    assert page.locator("#content input[type=submit]").count() == 0

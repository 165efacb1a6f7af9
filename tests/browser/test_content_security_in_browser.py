"""The pages need no inline script or style: the browser may refuse them all."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse

from seqauto import scans
from seqauto.models import Scan, SequencingRun
from seqauto.models.scans import ScanSource

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(open_page, archive, write_run, transactional_db):
    """The window of a superuser, after a scan; it fails the test where the browser complains."""
    write_run(archive / "exome", missing=("*_R2_*",))
    assert scans.run_scan(scans.create_scan(ScanSource.COMMAND_LINE))
    User.objects.create_superuser("root", password="of the lab")
    page = open_page()
    page.goto("/")
    page.fill("#id_username", "root")
    page.fill("#id_password", "of the lab")
    page.click("main button:has-text('Log in')")
    page.wait_for_selector("#today")
    return page


def test_promise_51_no_page_needs_an_inline_style_or_script(page):
    scan, run = Scan.objects.get().get_absolute_url(), SequencingRun.objects.get().get_absolute_url()
    parts_of_run = [run + part for part in ("", "sheet/", "messages/", "history/", "flags/")]
    for address in ("/", "/scans/", scan, "/runs/", "/messages/", *parts_of_run):
        assert "'unsafe-" not in page.goto(address).headers["content-security-policy"]


def test_the_admin_works_without_inline_styles_too(page):
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))  # the admin has none
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        page.goto(reverse(f"{name}_changelist"))
        row = model._default_manager.first()
        if row is not None:
            page.goto(reverse(f"{name}_change", args=[row.pk]))

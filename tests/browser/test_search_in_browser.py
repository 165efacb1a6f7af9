"""The search box of the menu, by keyboard alone."""

import pytest
from page_rows import add_run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_key_slash_leads_to_the_box_and_enter_to_the_run(open_page, log_in, width):
    run = add_run(samples=1, flowcell="000000000-A69NA")
    add_run(samples=1)
    page = open_page(width)
    log_in(page)
    page.goto("/runs/")
    page.keyboard.press("/")
    page.locator("#menu-search:focus").wait_for()
    page.keyboard.type("a69na")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{run.get_absolute_url()}")


def test_where_somebody_is_typing_a_slash_is_a_slash(open_page, log_in):
    page = open_page()
    log_in(page)
    page.goto("/search/")
    page.focus("#q")
    page.keyboard.type("/archive/haem")
    assert page.input_value("#q") == "/archive/haem"
    assert page.input_value("#menu-search") == ""

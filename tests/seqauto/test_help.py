"""Help tells of every page, every state and every code, and of none that is gone."""

import ast
import re
from pathlib import Path

import pytest
from delivery_rows import add_delivery, fail
from django.contrib.auth.models import User
from page_rows import add_message, add_run
from test_access import MATRIX

import seqauto
import sequencing
from seqauto.guide import CODES, STATES
from seqauto.guide.pages import PAGES
from seqauto.models.deliveries import DeliveryState
from seqauto.templatetags import looks
from seqauto.templatetags.guide import explained_at, page_of

KNOWN = [code for group in CODES.values() for code in group]

#: Whose calls take a code among their first two arguments.
SAYING = {
    *(
        "Problem",
        "Notice",
        "StepProblem",
        "CopyProblem",
        "ConversionProblem",
        "RemoveProblem",
        "UploadProblem",
    ),
    *("_problem", "_row_problem", "_warning", "_listed", "_refuse"),
}
A_CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
#: Stand where a code does, and are none.
SEVERITIES = {"error", "warning", "info"}
PURE_PAGES = {"home_problems.py", "sheet_difference.py", "sheets.py"}  # have helpers of the same names


def sources():
    for package in (sequencing, seqauto):
        yield from Path(package.__file__).parent.rglob("*.py")


def said_in(path: Path):
    """The codes that a module says, as far as they stand there as they are."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in SAYING:
            keywords = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
            for argument in [*node.args[:3], *keywords]:
                text = getattr(argument, "value", None)
                if isinstance(text, str) and A_CODE.fullmatch(text) and text not in SEVERITIES:
                    yield text
                    break


def test_every_code_that_can_be_said_is_explained():
    said = {code for path in sources() if path.name not in PURE_PAGES for code in said_in(path)}
    assert len(said) > 100
    assert sorted(said - set(KNOWN)) == []


def test_no_code_is_explained_that_nothing_says_any_more():
    words = {
        word
        for path in sources()
        if path.parent.name != "guide"
        for word in re.findall(r"[\"']([a-z][a-z0-9_]*)[\"'{]", path.read_text())
    }
    words |= {word.rstrip("_") for word in words}
    assert sorted(set(KNOWN) - words) == []


def test_a_code_is_explained_once():
    assert len(KNOWN) == len(set(KNOWN))


def test_an_explanation_has_three_whole_sentences():
    for code, explained in ((code, group[code]) for group in CODES.values() for code in group):
        for text in (explained.means, explained.example, explained.remedy):
            assert text.endswith("."), code
            assert "  " not in text, code


def test_every_state_is_explained():
    explained = {type(state): set(states) for states in STATES.values() for state in states}
    assert explained == {kind: set(kind) for kind in looks.LOOKS}


#: Pages of Django itself, parts of pages, and files to download.
WITHOUT_WORDS = {"login", "logout"}


@pytest.mark.parametrize("name", sorted(name for name in MATRIX if MATRIX[name].read and ":" not in name))
def test_every_page_says_what_it_is_for(name):
    assert name in WITHOUT_WORDS or page_of(name), name


def test_no_page_is_explained_that_is_gone():
    addresses = [name for name in MATRIX if not name.startswith("admin:")]
    assert sorted(set(PAGES) - {page_of(name) for name in addresses}) == []


def test_a_code_with_a_number_is_explained_without_it():
    assert explained_at("submitted_or_not_2") == "/help/codes/#submitted_or_not"
    assert explained_at("../evil") == ""
    assert explained_at("") == ""


@pytest.mark.django_db
class TestPages:
    @pytest.fixture(autouse=True)
    def user(self, client):
        client.force_login(User.objects.create_user("labstaff"))

    def test_help_lists_pages_and_states(self, client):
        body = client.get("/help/").content.decode()
        assert "Safe to delete" in body
        assert "Two equal listings are awaited" in body

    def test_help_lists_the_pages_that_not_everybody_sees_to_those_who_do(self, client):
        assert 'href="/status/"' not in client.get("/help/").content.decode()
        client.force_login(User.objects.create_superuser("boss"))
        body = client.get("/help/").content.decode().partition("<h2>Pages</h2>")[2]
        assert ['href="/status/"' in body, 'href="/audit/"' in body] == [True, True]

    def test_who_may_not_see_a_page_learns_who_may(self, client):
        assert "for superusers" in client.get("/status/").content.decode()

    def test_troubleshooting_has_a_place_for_every_code(self, client):
        body = client.get("/help/codes/").content.decode()
        assert [code for code in KNOWN if f'id="{code}"' not in body] == []

    def test_a_page_tells_what_it_is_for(self, client):
        assert PAGES["runs"] in client.get("/runs/").content.decode()

    def test_a_message_leads_to_its_explanation(self, client):
        run = add_run()
        add_message(run, code="no_sample_sheet")
        assert (
            "/help/codes/#no_sample_sheet"
            in client.get(f"{run.get_absolute_url()}messages/").content.decode()
        )

    def test_a_failed_step_leads_to_its_explanation(self, client):
        delivery = add_delivery(DeliveryState.WAITING)
        fail(delivery, code="no_converter")
        assert "/help/codes/#no_converter" in client.get(delivery.get_absolute_url()).content.decode()

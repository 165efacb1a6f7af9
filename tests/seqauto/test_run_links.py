"""Links from a run's page to other systems of the lab."""

import pytest
from page_rows import add_run

from seqauto.checks import check_settings
from seqauto.models import Experiment
from seqauto.run_links import amiss_with_links, links_of

pytestmark = pytest.mark.django_db


def test_a_link_names_what_is_known_of_the_run():
    run = add_run(
        name="R1",
        experiment=Experiment.objects.create(name="Haem_26"),
        flowcell="LK2P9",
        run_number=412,
        group="haem",
    )
    address = "https://lims/{group}/{experiment}/{instrument}_{run_number}/{flowcell}?run={name}"
    assert links_of(run, {"LIMS": address}) == [
        ("LIMS", "https://lims/haem/Haem_26/M02027_412/LK2P9?run=R1"),
    ]


def test_a_link_that_names_what_nobody_knows_is_left_out():
    run = add_run(name="R1", run_number=None)
    links = {"LIMS": "https://lims/{experiment}", "Hub": "https://hub/{run_number}", "Wiki": "https://wiki/"}
    assert links_of(run, links) == [("Wiki", "https://wiki/")]


def test_promise_51_a_hostile_name_stays_one_part_of_the_address():
    run = add_run(name="x", flowcell='../a"b?c#d&e<f>\n{name}')
    ((_word, address),) = links_of(run, {"LIMS": "https://lims/{flowcell}/end"})
    assert address == "https://lims/..%2Fa%22b%3Fc%23d%26e%3Cf%3E%0A%7Bname%7D/end"


@pytest.mark.parametrize(
    "address",
    [
        "https://lims/{name}",
        "http://10.0.0.1:8080/runs?flowcell={flowcell}&x={experiment}",
        "https://lims/{instrument}/{run_number}/{group}#top",
        "https://lims/",
    ],
)
def test_addresses_with_known_placeholders_are_in_order(address):
    assert list(amiss_with_links({"LIMS": address})) == []


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("https://lims/{run}", "{run} is unknown; known are name, flowcell"),
        ("https://lims/{name.__class__}", "is unknown"),
        ("https://lims/{name!r}", "is unknown"),
        ("https://lims/{}", "{} is unknown"),
        ("javascript:alert('{name}')", "does not begin with http"),
        ("ftp://lims/{name}", "does not begin with http"),
        ("lims/{name}", "does not begin with http"),
        ("https:///{name}", "does not begin with http"),
        ("https://lims/a b", "has a space"),
        ("https://{name}.lab/", "placeholder in its host"),
        ("https://lims/{name", "brace without its other"),
        ("https://[lims/{name}", "is no address"),
        (["https://lims"], "is no address with a word"),
        (None, "is no address with a word"),
    ],
)
def test_other_addresses_are_named_when_the_site_starts(settings, address, words):
    settings.SEQAUTO_RUN_LINKS = {"LIMS": address, "Wiki": "https://wiki/"}
    (complaint,) = check_settings()
    assert complaint.id == "seqauto.E019"
    assert "'LIMS'" in complaint.msg
    assert words in complaint.msg


def test_a_link_without_a_word_is_named_when_the_site_starts(settings):
    settings.SEQAUTO_RUN_LINKS = {" ": "https://wiki/"}
    assert [complaint.id for complaint in check_settings()] == ["seqauto.E019"]

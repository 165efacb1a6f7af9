"""What a delivery's own page says of its clean-up: what became of each place, and who holds it."""

import re

import pytest
from delivery_rows import GIGABYTE, add_delivery
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from seqauto.models import Hold, Removal
from seqauto.models.deliveries import DeliveryState

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def plain(client) -> User:
    user = User.objects.create_user("plain")
    client.force_login(user)
    return user


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).replace("\u00a0", " ").split())


def removed_from(delivery, state="removed", **fields) -> Removal:
    values = {"target": "source", "path": delivery.path, "quarantined_at": timezone.now(), "bytes": GIGABYTE}
    return delivery.removals.create(state=state, proposed_by="anna", **(values | fields))


def test_a_delivery_says_what_became_of_each_place_that_held_it(client):
    delivery = add_delivery(gone_at=timezone.now())
    certificate = removed_from(delivery, ended_at=timezone.now())
    going = removed_from(delivery, "quarantined", target="fastqs", path="/fastq/x", tombstone="x.1")
    response = client.get(delivery.get_absolute_url())
    said = text_of(response)
    assert "cleaned up" in said.partition("Instrument")[0]
    assert "Folder, no longer there" in said
    assert "Run folder on the incoming disk Removed" in said
    assert "FASTQs on this server In quarantine" in said
    assert "Backup stands here, 14 GB" in said
    for removal in (certificate, going):
        assert f'href="{reverse("clean_up_removal", args=[removal.pk])}"' in response.content.decode()


def test_a_folder_in_quarantine_is_not_called_cleaned_up_or_gone(client):
    delivery = add_delivery(gone_at=timezone.now())
    removed_from(delivery, "quarantined", tombstone="x.1")
    said = text_of(client.get(delivery.get_absolute_url()))
    assert "In quarantine" in said
    assert "Cleaned up" not in said
    assert "Gone" not in said


def test_a_run_is_held_and_released_on_its_own_page(client):
    delivery = add_delivery()
    address = delivery.get_absolute_url()
    assert reverse("clean_up_hold") not in client.get(address).content.decode()
    holder = User.objects.create_user("holder")
    holder.user_permissions.add(Permission.objects.get(codename="seqauto_hold"))
    client.force_login(holder)
    assert reverse("clean_up_hold") in client.get(address).content.decode()
    data = {"delivery": delivery.pk, "run": delivery.path, "reason": "A trial"}
    response = client.post(reverse("clean_up_hold"), data, follow=True)
    assert response.request["PATH_INFO"] == address
    assert "held against clean-up" in text_of(response)
    assert "Held A trial holder" in text_of(response)
    hold = Hold.objects.get()
    data = {"delivery": delivery.pk, "reason": ""}
    response = client.post(reverse("clean_up_release", args=[hold.pk]), data, follow=True)
    assert response.request["PATH_INFO"] == address
    client.post(reverse("clean_up_release", args=[hold.pk]), data | {"reason": "It is over"})
    assert "held against clean-up" not in text_of(client.get(address))


def test_a_run_that_is_still_on_its_way_has_nothing_to_clean_up(client):
    delivery = add_delivery(DeliveryState.DELIVERING)
    assert 'id="clean-up"' not in client.get(delivery.get_absolute_url()).content.decode()

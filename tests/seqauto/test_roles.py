"""The roles that a lab begins with."""

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command

from seqauto.roles import CAN_APPROVE, CAN_DELIVER, CAN_FLAG, CAN_HOLD, CAN_RETRY, CAN_START, may_retry

pytestmark = pytest.mark.django_db


def person(role: str) -> User:
    user = User.objects.create_user("anna")
    user.groups.add(Group.objects.get(name=role))
    return user


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("Lab staff", set()),
        ("Scan operators", {CAN_START, CAN_RETRY}),
        ("Lab admins", {CAN_START, CAN_RETRY, CAN_DELIVER, CAN_FLAG, CAN_HOLD, CAN_APPROVE}),
    ],
)
def test_each_role_may_do_its_work_and_no_more(role, may):
    user = person(role)
    asked = {CAN_START, CAN_RETRY, CAN_DELIVER, CAN_FLAG, CAN_HOLD, CAN_APPROVE}
    assert {permission for permission in asked if user.has_perm(permission)} == may


def test_no_role_reaches_the_admin_or_is_a_superuser():
    user = person("Lab admins")
    assert not user.is_staff
    assert not user.is_superuser


def test_a_role_that_the_lab_has_changed_stays_as_it_is():
    Group.objects.get(name="Scan operators").permissions.clear()
    call_command("migrate", verbosity=0)
    assert not person("Scan operators").has_perm(CAN_START)


def test_whoever_may_override_may_also_retry():
    user = person("Lab admins")
    assert may_retry(user)
    Group.objects.get(name="Lab admins").permissions.filter(codename="seqauto_retry").delete()
    assert may_retry(User.objects.get(pk=user.pk))

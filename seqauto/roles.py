"""Who may change what: the permissions by name, and the roles that a lab begins with.

Reading needs only a login. A role is a group of Django's own, made once; after that it is the lab's to change
in the admin.
"""

from typing import Any

CAN_START = "seqauto.seqauto_scan_initiate"
CAN_RETRY = "seqauto.seqauto_retry"
CAN_DELIVER = "seqauto.seqauto_deliver"
CAN_FLAG = "seqauto.seqauto_flag"
CAN_HOLD = "seqauto.seqauto_hold"
CAN_CLEAN_UP = "seqauto.seqauto_clean_up"
CAN_APPROVE = "seqauto.seqauto_clean_up_approve"
CAN_READ_AUDIT = "seqauto.view_auditentry"

_OPERATORS = (CAN_START, CAN_RETRY)

ROLES: dict[str, tuple[str, ...]] = {
    "Lab staff": (),
    "Scan operators": _OPERATORS,
    "Lab admins": (*_OPERATORS, CAN_DELIVER, CAN_FLAG, CAN_HOLD, CAN_CLEAN_UP, CAN_APPROVE, CAN_READ_AUDIT),
}


def make_roles(using: str, **_signal: Any) -> None:
    """Make the groups that are not there; after every `migrate`."""
    from django.contrib.auth.models import Group, Permission

    for name, permissions in ROLES.items():
        group, is_new = Group.objects.using(using).get_or_create(name=name)
        if is_new:
            codenames = [permission.partition(".")[2] for permission in permissions]
            known = Permission.objects.using(using).filter(content_type__app_label="seqauto")
            group.permissions.set(known.filter(codename__in=codenames))


def may_retry(user: Any) -> bool:
    """Whoever may override an error may also try again."""
    return user.has_perm(CAN_RETRY) or user.has_perm(CAN_DELIVER)

"""The table of role and action, and the actions behind entries of the audit log."""

import pytest

from panel.domain.accounts import roles
from panel.domain.accounts.roles import ALLOWED, STAFF_ROLES, Action, Role
from panel.domain.errors import RoleNotAllowed


def test_the_owner_may_everything_and_a_customer_nothing() -> None:
    assert set(ALLOWED) == set(Action)
    assert all(roles.may(Role.OWNER, action) for action in Action)
    assert not any(roles.may(Role.CUSTOMER, action) for action in Action)


def test_support_moves_no_money_and_read_only_only_looks() -> None:
    support = {action for action in Action if roles.may(Role.SUPPORT, action)}
    looking = {action for action in Action if roles.may(Role.READ_ONLY, action)}

    assert looking == {Action.LOOK, Action.SEE_FIGURES, Action.EXPORT}
    assert {Action.ANSWER_TICKETS, Action.HANDLE_REFILLS, Action.HANDLE_ORDERS} <= support
    assert not support & {Action.MOVE_MONEY, Action.SET_ORDERS, Action.MANAGE_STAFF, Action.MANAGE_SETTINGS}


def test_staff_and_settings_are_the_owners_alone() -> None:
    assert ALLOWED[Action.MANAGE_STAFF] == ALLOWED[Action.MANAGE_SETTINGS] == (Role.OWNER,)


@pytest.mark.parametrize(
    ("action", "words"), [(Action.MOVE_MONEY, "owner or operator"), (Action.MANAGE_STAFF, "role owner. Yours")]
)
def test_a_refusal_says_which_role_it_needs(action: Action, words: str) -> None:
    with pytest.raises(RoleNotAllowed, match=words):
        roles.check(Role.SUPPORT, action)


@pytest.mark.parametrize(
    ("entry", "action"),
    [
        ("orders cancel", Action.HANDLE_ORDERS),
        ("orders set", Action.SET_ORDERS),
        ("customers deposit T-7KQ2MX", Action.MOVE_MONEY),
        ("second factor turned on", None),
        ("something new", Action.MANAGE_STAFF),
    ],
)
def test_an_entry_of_the_audit_log_has_the_action_of_its_longest_known_beginning(
    entry: str, action: Action | None
) -> None:
    assert roles.action_of(entry) is action


def test_every_role_and_action_has_a_label() -> None:
    assert len({role.label for role in Role}) == len(Role)
    assert len({action.label for action in Action}) == len(Action)
    assert Role.CUSTOMER not in STAFF_ROLES

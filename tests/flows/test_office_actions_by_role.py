"""Every service action of the office, called by every role: it is done, or refused without a trace."""

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable
from dataclasses import fields, is_dataclass

import pytest

import panel.services
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.accounts import roles
from panel.domain.accounts.roles import STAFF_ROLES, Role
from panel.domain.errors import ActionRefused, RoleNotAllowed
from panel.models import User
from panel.services.tickets.operator_actions import Operator
from tests.support import ledger_oracle
from tests.support.factories import an_operator
from tests.support.office_actions import ACTIONS, Call
from tests.support.office_world import World, a_world

# Have an actor and write nothing, or only as a part of an action below.
NO_ACTIONS = {
    "audit_log.check_role",
    "audit_log.write",
    "catalogue.tool_settings.record_change",
    "office.account_access.apply",
    "office.account_access.needs_approval",
    "office.audit_log_search.all_lines",
    "office.audit_log_search.page",
    "office.balance_changes.effect",
    "office.balance_changes.move",
    "office.bulk_actions.requested",
    "office.bulk_actions.named",
    "office.bulk_actions.preview",
    "office.bulk_actions.title",
    "office.manual_orders.check",
    "office.order_actions.effect",
    "office.second_approval.as_change",
    "office.second_approval.as_wanted",
    "office.second_approval.effect_of",
    "orders.goodwill.check",
    "stored_settings.approval_amount.apply",
    "stored_settings.changes.store",
}
# By the command line alone: nobody else may, whatever the role.
ONLY_ON_THE_SERVER = {
    "accounts.two_factor.reset",
    "catalogue.imports.journal.record",
    "catalogue.provider_import.import_services",
    "moving_in.writing.move_in",
}


class Undone(Exception):
    """Ends the transaction of an action that was done."""


def outcome(call: Call, world: World, who: User) -> str:
    """`done`, or why not; the world is as before."""
    try:
        with transaction():
            call(world, who)
            raise Undone
    except Undone:
        return "done"
    except RoleNotAllowed:
        return "refused"
    except ActionRefused as error:
        return "refused" if "no longer has the role" in error.message else error.message


@pytest.mark.parametrize("role", [*STAFF_ROLES, Role.CUSTOMER])
def test_an_action_is_done_by_roles_that_may_do_it_and_refused_to_all_others(role: Role) -> None:
    world, who = a_world(), an_operator(role=role)
    before = ledger_oracle.all_rows()

    outcomes = {name: outcome(call, world, who) for name, (_action, call) in ACTIONS.items()}

    expected = {name: "done" if roles.may(role, action) else "refused" for name, (action, _call) in ACTIONS.items()}
    assert outcomes == expected
    assert ledger_oracle.all_rows() == before


def test_an_action_of_somebody_whose_account_is_disabled_is_refused() -> None:
    world, who = a_world(), an_operator()
    with transaction():
        db.session.get_one(User, who.id).disabled_at = utc_now()

    outcomes = {outcome(call, world, who) for _action, call in ACTIONS.values()}

    assert outcomes == {"refused"}


def test_every_action_with_an_actor_is_known_to_this_test() -> None:
    found = set()
    for module in pkgutil.walk_packages(panel.services.__path__, "panel.services."):
        for name, function in vars(importlib.import_module(module.name)).items():
            is_own = inspect.isfunction(function) and function.__module__ == module.name and not name.startswith("_")
            if is_own and has_actor(function):
                found.add(f"{module.name.removeprefix('panel.services.')}.{name}")

    tried = {name.partition(",")[0] for name in ACTIONS}
    assert found == tried | NO_ACTIONS | ONLY_ON_THE_SERVER


def has_actor(function: Callable[..., object]) -> bool:
    hints = typing.get_type_hints(function)
    hints.pop("return", None)
    named = [kind for kind in hints.values() if is_dataclass(kind)]
    return "actor" in hints or any(
        kind is Operator or "actor" in {each.name for each in fields(kind)} for kind in named
    )

"""Operator access: disabling an operator or changing a role takes two operators, also in a race."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.accounts.roles import Role
from panel.domain.errors import ActionRefused, BadInput, NotFound, PanelError, RoleNotAllowed
from panel.models import AuditLogEntry, Proposal, ProposalKind, User
from panel.services.accounts import sessions
from panel.services.money import ledger
from panel.services.office import account_access, approval_list, second_approval
from panel.services.office.account_access import AccessChange
from panel.services.office.second_approval import Done
from tests.services.office.test_second_approval import LIMIT, acted, wanted
from tests.support.concurrently import run_concurrently, start_in_thread
from tests.support.factories import NOON, a_customer, an_operator, reload

DISABLE, ENABLE = ProposalKind.DISABLE, ProposalKind.ENABLE
GIVE_ROLE, MAKE_CUSTOMER = ProposalKind.GIVE_ROLE, ProposalKind.MAKE_CUSTOMER


def asked(
    user: User, operator: User, kind: ProposalKind, *, reason: str = "Left the company.", role: Role | None = None
) -> Done:
    given = role or (Role.OPERATOR if kind is GIVE_ROLE else Role.CUSTOMER)
    change = AccessChange(kind, user.id, reason, operator.id, operator.email, given)
    with transaction():
        return second_approval.change_access(change, now=NOON)


def approves(proposal_id: int | None, operator_id: int | None) -> Callable[[], Any]:
    def approve() -> Any:
        with transaction():
            return second_approval.confirm(
                proposal_id or 0, operator_id=operator_id, actor="second", balance_nanos=None, now=NOON
            )

    return approve


def state_of(user: User) -> tuple[bool, bool]:
    """Whether the account is an operator's, and whether it is disabled."""
    db.session.rollback()
    row = reload(user)
    return row.is_staff, row.disabled_at is not None


def in_state(kind: ProposalKind) -> User:
    """An account that this change applies to, and that needs two operators."""
    user = a_customer() if kind is GIVE_ROLE else an_operator()
    if kind is ENABLE:
        with transaction():
            account_access.apply(AccessChange(DISABLE, user.id, "A slip.", None, "root"), now=NOON)
    return user


@pytest.mark.both_engines
@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        (DISABLE, (True, False), (True, True)),
        (ENABLE, (True, True), (True, False)),
        (GIVE_ROLE, (False, False), (True, False)),
        (MAKE_CUSTOMER, (True, False), (False, False)),
    ],
)
def test_access_and_role_of_operators_change_when_another_operator_approves(
    kind: ProposalKind, before: tuple[bool, bool], after: tuple[bool, bool]
) -> None:
    first, second, user = an_operator(), an_operator(), in_state(kind)

    done = asked(user, first, kind)
    held = state_of(user)
    with pytest.raises(ActionRefused, match="Another operator"):
        approves(done.proposal_id, first.id)()
    unchanged = state_of(user)
    approves(done.proposal_id, second.id)()

    assert (held, unchanged, state_of(user)) == (before, before, after)
    with pytest.raises(ActionRefused, match="decided before"):
        approves(done.proposal_id, second.id)()
    shown = approval_list.find(done.proposal_id or 0, now=NOON)
    assert shown is not None and (shown.state, shown.decider) == ("confirmed", second.email)


def test_a_customer_is_disabled_and_enabled_by_one_operator() -> None:
    customer, operator = a_customer(), an_operator()

    disabled = asked(customer, operator, DISABLE)
    between = state_of(customer)
    enabled = asked(customer, operator, ENABLE)

    assert (disabled, enabled) == (Done(), Done())
    assert (between, state_of(customer)) == ((False, True), (False, False))


@pytest.mark.parametrize("kind", [DISABLE, MAKE_CUSTOMER])
def test_nobody_decides_about_their_own_account(kind: ProposalKind) -> None:
    first, second = an_operator(), an_operator()

    with pytest.raises(ActionRefused, match="your own account"):
        asked(first, first, kind)
    done = asked(second, first, kind)
    with pytest.raises(ActionRefused, match="your own account"):
        approves(done.proposal_id, second.id)()

    assert state_of(second) == (True, False)


def test_one_proposal_of_a_kind_waits_and_it_is_asked_for_with_a_reason() -> None:
    first, second = an_operator(), an_operator()
    asked(second, first, DISABLE)

    with pytest.raises(ActionRefused, match="waiting for a second operator"):
        asked(second, an_operator(), DISABLE)
    with pytest.raises(BadInput):
        asked(second, first, MAKE_CUSTOMER, reason="")
    with pytest.raises(NotFound):
        asked(User(id=10**9), first, DISABLE)


def test_accounts_that_should_not_become_operators_do_not() -> None:
    operator = an_operator(role=Role.OPERATOR)
    unconfirmed, disabled, closed = a_customer(), a_customer(), a_customer()
    asked(disabled, an_operator(), DISABLE)
    with transaction():
        db.session.execute(update(User).where(User.id == unconfirmed.id).values(email_confirmed_at=None))
        db.session.execute(update(User).where(User.id == closed.id).values(closed_at=NOON))

    for user in (unconfirmed, disabled, closed, operator):
        with pytest.raises(ActionRefused):
            asked(user, an_operator(), GIVE_ROLE)


def test_operator_without_access_can_neither_act_nor_approve_nor_be_approved() -> None:
    first, second, third, customer = an_operator(), an_operator(), an_operator(), a_customer("10")
    of_first = acted(wanted(customer, first, "500")).proposal_id
    of_second = acted(wanted(customer, second, "500")).proposal_id
    approves(asked(first, second, DISABLE).proposal_id, third.id)()

    with pytest.raises(ActionRefused, match="no longer has the role"):
        approves(of_first, third.id)()
    with pytest.raises(ActionRefused, match="disabled or no longer"):
        approves(of_second, first.id)()
    with pytest.raises(ActionRefused, match="disabled or no longer"):
        acted(wanted(customer, first, "1"))


def test_a_disabled_operator_is_none_who_could_approve_and_enabling_forgets_the_reason() -> None:
    user, _other_owner = an_operator(), an_operator()
    others = account_access.active_operators(without=(user.id,))
    with transaction():
        account_access.apply(AccessChange(DISABLE, user.id, "A slip.", None, "root"), now=NOON)
    disabled = (account_access.active_operators(), reload(user).disabled_reason)
    with transaction():
        account_access.apply(AccessChange(ENABLE, user.id, "It was one.", None, "root"), now=NOON)

    assert disabled == (others, "A slip.")
    assert (account_access.active_operators(), reload(user).disabled_reason) == (others + 1, "")


def test_logging_out_everywhere_counts_the_devices_that_were_logged_in() -> None:
    user, counts = a_customer(), []
    for devices in (2, 1, 0):
        with transaction():
            for _ in range(devices):
                sessions.log_in(user, device="A", network="n", now=NOON)
            counts.append(account_access.log_out_everywhere(user.id, reason="Lost.", actor="root", now=NOON))

    assert counts == [2, 1, 0]


def test_only_who_manages_the_staff_logs_them_out_everywhere() -> None:
    owner, operator, support = (an_operator(role=role) for role in (Role.OWNER, Role.OPERATOR, Role.SUPPORT))
    with transaction():
        sessions.log_in(owner, device="A", network="n", now=NOON)

    for actor in (operator, support):
        with pytest.raises(RoleNotAllowed), transaction():
            account_access.log_out_everywhere(owner.id, reason="Lost.", actor=actor.email, now=NOON)
    with transaction():
        assert account_access.log_out_everywhere(owner.id, reason="Lost.", actor=owner.email, now=NOON) == 1


def test_a_change_of_role_and_disabling_log_every_device_out() -> None:
    first, second = an_operator(), an_operator()
    for kind in (DISABLE, MAKE_CUSTOMER):
        user = an_operator()
        with transaction():
            token = sessions.log_in(user, device="A", network="n", has_shown_second_factor=True, now=utc_now()).token
        approves(asked(user, first, kind).proposal_id, second.id)()

        assert sessions.find(token, now=utc_now()) is None


@pytest.mark.both_engines
def test_two_operators_who_approve_each_others_end_at_the_same_moment_leave_one(app: Flask) -> None:
    first, second, third = an_operator(), an_operator(), an_operator()
    ends_first = asked(first, third, MAKE_CUSTOMER).proposal_id
    ends_second = asked(second, third, DISABLE).proposal_id

    answers = run_concurrently(
        app, [approves(ends_first, second.id), approves(ends_second, first.id)], expected=PanelError
    )

    assert [answer is None for answer in answers].count(True) == 1
    assert [state_of(first), state_of(second)].count((True, False)) == 1


@pytest.mark.both_engines
def test_one_proposal_is_made_and_one_change_however_many_do_it_at_the_same_moment(app: Flask) -> None:
    user, operators = an_operator(), [an_operator() for _ in range(5)]
    changes = [AccessChange(DISABLE, user.id, "Left.", each.id, each.email) for each in operators]

    def ask(change: AccessChange) -> Callable[[], Done]:
        def do() -> Done:
            with transaction():
                return second_approval.change_access(change, now=NOON)

        return do

    proposed = run_concurrently(app, [ask(each) for each in changes], expected=PanelError)
    [proposal] = db.session.scalars(select(Proposal)).all()
    others = [each.id for each in map(reload, operators) if each.id != proposal.proposed_by]
    approved = run_concurrently(app, [approves(proposal.id, each) for each in others], expected=PanelError)

    assert sum(isinstance(each, Done) for each in proposed) == 1
    assert sum(each is None for each in approved) == 1
    assert state_of(user) == (True, True)


@pytest.mark.parametrize(
    ("words", "after"),
    [(("disable",), (True, True)), (("role", "customer"), (False, False)), (("role", "owner"), None)],
)
def test_the_command_line_changes_access_alone(
    app: Flask, words: tuple[str, ...], after: tuple[bool, bool] | None
) -> None:
    operator, _other_owner = an_operator(), an_operator()

    done = app.test_cli_runner().invoke(args=["users", words[0], operator.email, *words[1:], "--reason", "Left."])

    assert done.exit_code == (1 if after is None else 0), done.output
    assert state_of(operator) == (after or (True, False))


def test_the_command_line_approves_and_refuses_for_a_panel_with_one_operator(app: Flask) -> None:
    operator, customer = an_operator(), a_customer("10")
    with transaction():
        seen = {"balance_nanos": ledger.balance_nanos(customer.id), "limit_nanos": LIMIT, "now": utc_now()}
        kept, dropped = (
            second_approval.move_or_propose(wanted(customer, operator, amount), **seen).proposal_id
            for amount in ("500", "600")
        )
    run = app.test_cli_runner().invoke

    listed = run(args=["approvals", "list"]).stdout
    approved = run(args=["approvals", "approve", str(kept)])
    twice = run(args=["approvals", "approve", str(kept)])
    refused = run(args=["approvals", "refuse", str(dropped), "--reason", "Not paid."])

    assert [line.split("\t")[:4] for line in listed.splitlines()] == [
        [str(kept), "credit", customer.email, "500.00"],
        [str(dropped), "credit", customer.email, "600.00"],
    ]
    assert (approved.exit_code, twice.exit_code, refused.exit_code) == (0, 1, 0)
    db.session.rollback()
    states = [(each.state, each.decider) for each in approval_list.decided(now=utc_now())]
    assert [state for state, _ in states] == ["refused", "confirmed"]
    assert all("(command line)" in decider for _, decider in states)
    actions = db.session.scalars(
        select(AuditLogEntry.action).where(AuditLogEntry.action.startswith("approvals "))
    ).all()
    assert {"approvals confirm", "approvals refuse"} <= set(actions)


def test_the_only_owner_keeps_the_role_and_the_access() -> None:
    owner, operator = an_operator(), an_operator(role=Role.OPERATOR)
    changes = [(DISABLE, Role.CUSTOMER), (MAKE_CUSTOMER, Role.CUSTOMER), (GIVE_ROLE, Role.OPERATOR)]

    for kind, role in changes:
        with pytest.raises(ActionRefused, match="only owner"), transaction():
            account_access.apply(AccessChange(kind, owner.id, "A slip.", None, "root", role), now=NOON)
    with transaction():
        change = AccessChange(GIVE_ROLE, operator.id, "A partner.", None, "root", Role.OWNER)
        account_access.apply(change, now=NOON)
        account_access.apply(AccessChange(MAKE_CUSTOMER, owner.id, "Left.", None, "root"), now=NOON)

    assert (reload(owner).role, reload(operator).role) == (Role.CUSTOMER, Role.OWNER)


@pytest.mark.both_engines
def test_of_two_owners_who_end_each_other_at_the_same_moment_one_remains(app: Flask) -> None:
    first, second = an_operator(), an_operator()
    helpers = [an_operator(role=Role.OPERATOR) for _ in range(2)]
    ends = [asked(first, second, MAKE_CUSTOMER).proposal_id, asked(second, first, DISABLE).proposal_id]

    answers = run_concurrently(
        app,
        [approves(proposal_id, helper.id) for proposal_id, helper in zip(ends, helpers, strict=True)],
        expected=PanelError,
    )

    assert [answer is None for answer in answers].count(True) == 1
    assert [account_access.is_active_owner(user.id) for user in (first, second)].count(True) == 1


@pytest.mark.both_engines
def test_the_end_of_one_owner_waits_for_the_end_of_another(app: Flask) -> None:
    first, second = an_operator().id, an_operator().id

    def end(owner_id: int) -> None:
        account_access.apply(AccessChange(MAKE_CUSTOMER, owner_id, "Left.", None, "root"), now=NOON)

    def end_second() -> None:
        with transaction():
            end(second)

    with transaction():
        end(first)
        other = start_in_thread(app, end_second)

    with pytest.raises(ActionRefused, match="only owner"):
        other.result(30)
    assert [account_access.is_active_owner(user_id) for user_id in (first, second)] == [False, True]


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.READ_ONLY])
def test_an_owner_alone_gives_and_ends_roles_that_move_no_money(role: Role) -> None:
    owner, user = an_operator(), a_customer()

    given = asked(user, owner, GIVE_ROLE, role=role)
    between = reload(user).role
    ended = asked(user, owner, MAKE_CUSTOMER)

    assert (given, between, ended, reload(user).role) == (Done(), role, Done(), Role.CUSTOMER)


def test_an_operator_approves_what_an_owner_proposed_and_proposes_no_role() -> None:
    owner, operator, user = an_operator(), an_operator(role=Role.OPERATOR), a_customer()

    with pytest.raises(RoleNotAllowed, match="role owner"):
        asked(user, operator, GIVE_ROLE)
    proposal_id = asked(user, owner, GIVE_ROLE).proposal_id
    approves(proposal_id, operator.id)()

    assert reload(user).role == Role.OPERATOR
    shown = approval_list.find(proposal_id or 0, now=NOON)
    assert shown is not None and shown.label == "Change the role to operator"


def test_a_role_proposed_by_somebody_who_is_no_longer_an_owner_is_not_given() -> None:
    owner, second, user = an_operator(), an_operator(), a_customer()
    proposal_id = asked(user, owner, GIVE_ROLE).proposal_id
    with transaction():
        change = AccessChange(GIVE_ROLE, owner.id, "Less work.", None, "root", Role.OPERATOR)
        account_access.apply(change, now=NOON)

    with pytest.raises(ActionRefused, match="no longer has the role"):
        approves(proposal_id, second.id)()

    assert reload(user).role == Role.CUSTOMER

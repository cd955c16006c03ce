"""Approval limit from the office: lowered by one owner, raised only with a second person, and in force for money."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel import app_context
from panel.db import db, transaction
from panel.domain.accounts.roles import Role
from panel.domain.errors import ActionRefused, BadInput, RoleNotAllowed
from panel.models import AuditLogEntry, Proposal, ProposalKind, ProposalState, StoredSetting, User
from panel.services.office import approval_list, second_approval
from tests.support.factories import NOON, a_customer, an_operator, logged_in
from tests.support.page_text import text_of

PAGE = "/office/settings/approvals"
UNIT = 10**9


def save(office: FlaskClient, amount: str, reason: str = "We have grown") -> tuple[int, str]:
    seen = re.search(r'name="seen" value="(\w+)"', office.get(PAGE).text)
    assert seen is not None
    answer = office.post(PAGE, data={"second_operator_amount": amount, "reason": reason, "seen": seen[1]})
    return answer.status_code, answer.location or text_of(answer.text)


def limit(office: FlaskClient) -> int:
    """The limit in force, after a page has brought it to this process."""
    office.get(PAGE)
    return app_context.settings().second_operator_amount


def proposals() -> list[tuple[str, str, int]]:
    db.session.rollback()
    rows = db.session.execute(select(Proposal.kind, Proposal.state, Proposal.amount_nanos).order_by(Proposal.id))
    return [tuple(row) for row in rows]


def propose(owner: User, amount: int, reason: str = "We have grown") -> int:
    with transaction():
        return second_approval.propose_limit(
            amount * UNIT, reason=reason, operator_id=owner.id, actor=owner.email, now=NOON
        )


def confirm(proposal_id: int, person: User | None) -> None:
    number, actor = (None, "root (command line)") if person is None else (person.id, person.email)
    with transaction():
        second_approval.confirm(proposal_id, operator_id=number, actor=actor, balance_nanos=None, now=NOON)


def test_owner_lowers_it_alone_and_raises_it_only_with_somebody_else(app: Flask, client: FlaskClient) -> None:
    owner, other = an_operator(email="olga@example.com"), an_operator(email="omar@example.com")
    office = logged_in(client, owner)
    lowered = save(office, "50")
    in_force = [limit(office)]

    raised = save(office, "500")
    in_force.append(limit(office))
    own = office.post(f"{raised[1]}/confirmation")
    second = logged_in(app.test_client(), other)
    page = text_of(second.get(raised[1]).text)
    approved = second.post(f"{raised[1]}/confirmation")
    in_force.append(limit(office))

    assert (lowered[0], raised, own.status_code, approved.status_code) == (303, (303, "/office/approvals/1"), 409, 303)
    assert in_force == [50, 50, 500]
    assert "Raise the approval limit State Waiting for approval" in page and "We have grown" in page
    assert "one person alone can move up to $500.00 in 24 hours" in page
    assert proposals() == [("approval_limit", "confirmed", 500 * UNIT)]
    db.session.rollback()
    log = select(AuditLogEntry.actor, AuditLogEntry.action, AuditLogEntry.detail)
    found = db.session.execute(log.where(AuditLogEntry.subject == "setting second_operator_amount"))
    assert [tuple(row) for row in found] == [
        ("olga@example.com", "settings change", "From “100” to “50”."),
        ("omar@example.com", "approvals limit", "From “50” to “500”."),
    ]


def test_empty_field_above_the_present_limit_is_a_proposal_too(office: FlaskClient) -> None:
    save(office, "50")

    status, location = save(office, "")

    assert (status, location, limit(office)) == (303, "/office/approvals/1", 50)


@pytest.mark.parametrize("amount", ["-1", "1.5", "$100", "1000000001", "many"])
def test_what_is_no_amount_changes_nothing(office: FlaskClient, amount: str) -> None:
    status, page = save(office, amount)

    assert (status, proposals()) == (422, [])
    assert "Approval limit: enter a whole amount" in page


def test_higher_limit_needs_a_reason(office: FlaskClient) -> None:
    status, page = save(office, "500", reason=" ")

    assert (status, proposals(), limit(office)) == (422, [], 100)
    assert "Write a reason" in page


@pytest.mark.both_engines
def test_one_limit_waits_at_a_time_and_the_command_line_approves_it(app: Flask) -> None:
    owner = an_operator()
    first = propose(owner, 500)

    with pytest.raises(ActionRefused, match="waiting for approval already"):
        propose(an_operator(), 600)
    confirm(first, None)
    again = propose(owner, 100)
    confirm(again, None)

    db.session.rollback()
    assert proposals() == [(ProposalKind.APPROVAL_LIMIT, ProposalState.CONFIRMED, at * UNIT) for at in (500, 100)]
    # The default has no row.
    assert db.session.get(StoredSetting, "second_operator_amount") is None
    assert [each.row.amount_nanos for each in approval_list.decided(now=NOON)] == [100 * UNIT, 500 * UNIT]


def test_only_owners_propose_and_a_customer_never_does(app: Flask) -> None:
    operator = an_operator(role=Role.OPERATOR)

    for person in (operator, a_customer()):
        with pytest.raises(RoleNotAllowed):
            propose(person, 500)
    with pytest.raises(BadInput):
        propose(an_operator(), 500, reason="")

    assert proposals() == []


def test_proposal_of_somebody_who_is_no_owner_any_more_and_under_the_environment_is_refused(app: Flask) -> None:
    owner, other = an_operator(), an_operator()
    number = propose(owner, 500)
    start = app.config["PANEL"]
    app.config["PANEL"] = start.model_copy(update={"second_operator_amount": 20})
    with pytest.raises(ActionRefused, match="PANEL_SECOND_OPERATOR_AMOUNT in the environment sets the limit"):
        confirm(number, other)
    app.config["PANEL"] = start
    with transaction():
        db.session.get_one(User, owner.id).role = Role.OPERATOR

    with pytest.raises(ActionRefused, match="no longer has the role"):
        confirm(number, other)

    assert proposals() == [("approval_limit", "open", 500 * UNIT)]

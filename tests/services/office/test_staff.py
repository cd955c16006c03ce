"""Invitations to the office: mailed once, used once, and worth what the inviter may give."""

import re
from datetime import timedelta

import pytest
from flask import Flask, current_app
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.accounts.roles import Role
from panel.domain.errors import ActionRefused, BadInput, LinkIsSpent, NotFound, PanelError, RoleNotAllowed
from panel.models import AuditLogEntry, Invitation, Mail, ProposalKind, User
from panel.security import encryption
from panel.services.accounts import invitations
from panel.services.office import account_access, second_approval, staff
from panel.services.office.account_access import AccessChange
from panel.services.office.staff import Joined
from tests.support.concurrently import run_concurrently
from tests.support.factories import a_customer, an_operator, reload

EMAIL = "new@example.com"


def invited(owner: User, role: str = "support", email: str = EMAIL) -> str:
    """Invite this address; the token from the email."""
    with transaction():
        staff.invite(email, role, operator_id=owner.id, actor=owner.email, now=utc_now())
    [text] = db.session.scalars(select(Mail.text).where(Mail.kind == "invitation").order_by(Mail.id.desc()).limit(1))
    plain = encryption.decrypt(text, settings=current_app.config["PANEL"])
    found = re.search(r"/invitations/([\w-]{40,})", plain)
    assert found is not None
    return found[1]


def joins(token: str) -> Joined:
    with transaction():
        return staff.join(token, password_hash="a-hash", now=utc_now())


def role_of(user_id: int) -> str:
    db.session.rollback()
    return db.session.get_one(User, user_id).role


@pytest.mark.both_engines
@pytest.mark.parametrize("role", [Role.SUPPORT, Role.READ_ONLY])
def test_an_invitation_makes_one_account_with_its_role(role: Role) -> None:
    token = invited(an_operator(), role)

    joined = joins(token)
    with pytest.raises(LinkIsSpent):
        joins(token)

    user = db.session.get_one(User, joined.user_id)
    assert (user.email, user.role, user.email_confirmed_at is None, joined.waits) == (EMAIL, role, False, False)


@pytest.mark.parametrize("role", [Role.OWNER, Role.OPERATOR])
def test_a_role_that_moves_money_waits_for_a_second_person(role: Role) -> None:
    owner, second = an_operator(), an_operator(role=Role.OPERATOR)

    joined = joins(invited(owner, role))
    before = role_of(joined.user_id)
    with transaction():
        second_approval.confirm(1, operator_id=second.id, actor=second.email, balance_nanos=None, now=utc_now())

    assert (joined.waits, before, role_of(joined.user_id)) == (True, Role.CUSTOMER, role)


def test_an_invitation_gives_nothing_once_its_author_is_no_owner() -> None:
    owner, _other = an_operator(), an_operator()
    token = invited(owner)
    with transaction():
        change = AccessChange(ProposalKind.GIVE_ROLE, owner.id, "Less work.", None, "root", Role.OPERATOR)
        account_access.apply(change, now=utc_now())

    with pytest.raises(LinkIsSpent):
        joins(token)

    assert db.session.scalar(select(User.id).where(User.email == EMAIL)) is None


def test_an_invitation_ends_after_a_week_when_withdrawn_and_when_replaced() -> None:
    owner = an_operator()
    late, withdrawn, replaced = (invited(owner, email=f"{name}@example.com") for name in ("a", "b", "c"))
    newest = invited(owner, email="c@example.com")
    ids = {row.email: row.id for row in db.session.scalars(select(Invitation))}
    with transaction():
        of_late = update(Invitation).where(Invitation.email == "a@example.com")
        db.session.execute(of_late.values(expires_at=utc_now() - timedelta(seconds=1)))
        staff.withdraw(ids["b@example.com"], actor=owner.email, now=utc_now())

    for token in (late, withdrawn, replaced):
        with pytest.raises(LinkIsSpent):
            joins(token)
    with pytest.raises(NotFound), transaction():
        staff.withdraw(ids["b@example.com"], actor=owner.email, now=utc_now())

    assert joins(newest).waits is False


def test_only_owners_invite_and_only_addresses_without_an_account() -> None:
    owner, operator, customer = an_operator(), an_operator(role=Role.OPERATOR), a_customer()

    with pytest.raises(RoleNotAllowed):
        invited(operator)
    with pytest.raises(ActionRefused, match="account with this email already"):
        invited(owner, email=customer.email.upper())
    with pytest.raises(BadInput):
        invited(owner, "customer")
    with pytest.raises(BadInput):
        invited(owner, email="no address")

    assert db.session.scalars(select(Invitation)).all() == []


@pytest.mark.both_engines
def test_of_two_who_use_an_invitation_at_the_same_moment_one_joins(app: Flask) -> None:
    token = invited(an_operator())

    answers = run_concurrently(app, [lambda: joins(token), lambda: joins(token)], expected=PanelError)

    assert sum(isinstance(answer, Joined) for answer in answers) == 1


def test_the_audit_log_has_the_invitation_and_what_came_of_it() -> None:
    owner = an_operator()
    joins(invited(owner))

    lines = db.session.execute(select(AuditLogEntry.action, AuditLogEntry.actor).order_by(AuditLogEntry.id)).all()

    assert [tuple(line) for line in lines] == [
        ("staff invite", owner.email),
        ("staff join", EMAIL),
        ("customers role", owner.email),
    ]


def test_invitations_are_stored_as_hashes_and_deleted_a_week_after_they_ended() -> None:
    token = invited(an_operator())
    stored = db.session.scalars(select(Invitation)).one()
    assert token not in (stored.token_hash, stored.email)

    with transaction():
        kept = invitations.purge(now=stored.expires_at + timedelta(days=6))
        dropped = invitations.purge(now=stored.expires_at + timedelta(days=8))

    assert (kept, dropped) == (0, 1)


def test_the_list_has_everyone_with_a_role_the_owners_first() -> None:
    support, owner = an_operator(role=Role.SUPPORT), an_operator()
    a_customer()

    found = staff.members()

    assert [(each.id, each.role) for each in found] == [(owner.id, Role.OWNER), (support.id, Role.SUPPORT)]
    assert reload(owner).role == Role.OWNER

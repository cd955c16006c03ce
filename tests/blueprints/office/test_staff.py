"""Staff page and the invited person's way into the office."""

import re
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db
from panel.domain.accounts.roles import Role
from panel.models import Mail, User
from panel.security import encryption
from tests.support.factories import PASSWORD, an_operator, logged_in

EMAIL = "new@example.com"


def link_mailed(app: Flask) -> str:
    text = db.session.scalars(select(Mail.text).where(Mail.kind == "invitation").order_by(Mail.id.desc())).first()
    plain = encryption.decrypt(text or "", settings=app.config["PANEL"])
    found = re.search(r"(/invitations/[\w-]{40,})", plain)
    assert found is not None
    return found[1]


def test_an_owner_invites_and_the_invited_person_comes_to_the_office(app: Flask, client: FlaskClient) -> None:
    owner = logged_in(app.test_client(), an_operator())

    sent = owner.post("/office/staff/invitations", data={"email": EMAIL, "role": "support"})
    listed = unescape(owner.get("/office/staff").text)
    link = link_mailed(app)
    opened = client.get(link)
    short = client.post(link, data={"password": "short"})
    joined = client.post(link, data={"password": PASSWORD})
    again = client.get(link)
    client.post("/log-in", data={"email": EMAIL, "password": PASSWORD})
    office = client.get("/office")

    assert (sent.status_code, EMAIL in listed, "Open invitations" in listed) == (303, True, True)
    assert (opened.status_code, EMAIL in opened.text, "role support" in opened.text) == (200, True, True)
    assert opened.headers["Cache-Control"] == "no-store" and link not in opened.text
    assert (short.status_code, joined.status_code, joined.location) == (422, 303, "/invitations/done")
    assert (again.status_code, "no longer works" in again.text) == (410, True)
    assert office.status_code == 303 and office.location.startswith("/account/second-factor")
    user = db.session.scalars(select(User).where(User.email == EMAIL)).one()
    assert user.role == Role.SUPPORT


def test_an_invited_operator_reads_that_the_role_waits(app: Flask, client: FlaskClient) -> None:
    owner = logged_in(app.test_client(), an_operator())
    owner.post("/office/staff/invitations", data={"email": EMAIL, "role": "operator"})

    joined = client.post(link_mailed(app), data={"password": PASSWORD}, follow_redirects=True)
    approvals = unescape(owner.get("/office/approvals").text)

    assert "A second operator must approve your role" in joined.text
    assert "Change the role to operator" in approvals and EMAIL in approvals


def test_a_withdrawn_invitation_is_gone_from_the_page_and_its_link_ends(app: Flask, client: FlaskClient) -> None:
    owner = logged_in(app.test_client(), an_operator())
    owner.post("/office/staff/invitations", data={"email": EMAIL, "role": "support"})
    [action] = re.findall(r'action="(/office/staff/invitations/\d+/withdrawal)"', owner.get("/office/staff").text)

    withdrawn, twice = owner.post(action), owner.post(action)

    assert (withdrawn.status_code, twice.status_code) == (303, 404)
    assert "Open invitations" not in owner.get("/office/staff").text
    assert client.get(link_mailed(app)).status_code == 410


def test_a_wrong_address_or_role_is_shown_at_its_field(app: Flask) -> None:
    owner = logged_in(app.test_client(), an_operator())

    wrong = owner.post("/office/staff/invitations", data={"email": "nobody", "role": "support"})
    none = owner.post("/office/staff/invitations", data={"email": EMAIL, "role": "customer"})

    assert (wrong.status_code, 'id="email-error"' in wrong.text, "nobody" in wrong.text) == (422, True, True)
    assert (none.status_code, 'id="role-error"' in none.text) == (422, True)


def test_the_page_says_who_has_which_role_and_what_it_may_do(app: Flask) -> None:
    owner = logged_in(app.test_client(), an_operator())
    support = an_operator(role=Role.SUPPORT)

    page = unescape(owner.get("/office/staff").text)

    assert support.email in page and f"/office/customers/{support.id}?" in page
    assert "Another owner changes yours" in page
    assert "Cancel orders that no provider has" in page

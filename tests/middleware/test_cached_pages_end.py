"""A cached page is gone in the same second as the session, role or email that it was made for."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.accounts.roles import Role
from panel.models import LinkPurpose, Mail, ProposalKind, User
from panel.security import encryption
from panel.services import password_reset
from panel.services.accounts import email_changes, email_links, users
from panel.services.money import ledger
from panel.services.office import account_access
from panel.services.office.account_access import AccessChange
from panel.services.privacy import closing
from tests.middleware.test_live_poll_304 import poll, tag_for
from tests.support.factories import PASSWORD, a_customer, an_order, logged_in

pytestmark = pytest.mark.both_engines

NEW_EMAIL = "new@example.com"


@dataclass
class Site:
    """A customer with a cached page of the order history in `client`, and a second device, `elsewhere`."""

    app: Flask
    customer: User
    client: FlaskClient
    elsewhere: FlaskClient


@pytest.fixture
def rendered(app: Flask) -> list[str]:
    """Paths that Flask rendered."""
    paths: list[str] = []

    @app.before_request
    def note() -> None:
        paths.append(request.path)

    return paths


@pytest.fixture
def site(app: Flask, rendered: list[str], client: FlaskClient) -> Site:
    customer = a_customer()
    site = Site(app, customer, logged_in(client, customer), logged_in(app.test_client(), customer))
    for _ in range(2):
        assert customer.email in site.client.get("/orders").text
    rendered.clear()
    assert customer.email in site.client.get("/orders").text
    assert rendered == []
    return site


def log_out_here(site: Site) -> None:
    cookie = site.client.get_cookie("session")
    assert cookie is not None
    site.client.post("/log-out")
    # A browser that still has the cookie.
    site.client.set_cookie("session", cookie.value)


def log_out_elsewhere(site: Site) -> None:
    assert site.elsewhere.post("/account/devices/log-out-elsewhere").status_code == 303


def change_password_elsewhere(site: Site) -> None:
    form = {"current_password": PASSWORD, "password": "eight quiet harbors"}
    assert site.elsewhere.post("/account/password", data=form).status_code == 303


def reset_password(site: Site) -> None:
    with transaction():
        link = email_links.make(
            site.customer.id, LinkPurpose.RESET, email=site.customer.email, lasts=password_reset.LASTS, now=utc_now()
        )
    with transaction():
        password_reset.set_password(link, password_hash=users.hash_password("eight quiet harbors"), now=utc_now())


def change_access(kind: ProposalKind, role: Role = Role.CUSTOMER) -> Callable[[Site], None]:
    def change(site: Site) -> None:
        with transaction():
            account_access.apply(AccessChange(kind, site.customer.id, "A test.", None, "root", role), now=utc_now())

    return change


def close(site: Site) -> None:
    with transaction():
        closing.close(site.customer.id, given_up_nanos=ledger.balance_nanos(site.customer.id), now=utc_now())


ENDS: dict[str, Callable[[Site], None]] = {
    "log-out here": log_out_here,
    "log-out elsewhere": log_out_elsewhere,
    "password change": change_password_elsewhere,
    "password reset": reset_password,
    "disabling": change_access(ProposalKind.DISABLE),
    "closing": close,
    "role change": change_access(ProposalKind.GIVE_ROLE, Role.OPERATOR),
}


@pytest.mark.parametrize("way", ENDS)
def test_a_cached_page_ends_with_the_session(site: Site, way: str) -> None:
    ENDS[way](site)

    answer = site.client.get("/orders")

    assert (answer.status_code, answer.location.partition("?")[0]) == (303, "/log-in")
    assert site.customer.email not in answer.text


# An account with moving orders can't be closed, and only those poll.
@pytest.mark.parametrize("way", [way for way in ENDS if way != "closing"])
def test_a_poll_ends_with_the_session(app: Flask, client: FlaskClient, way: str) -> None:
    customer = a_customer("100")
    site = Site(app, customer, logged_in(client, customer), logged_in(app.test_client(), customer))
    order = an_order(customer=customer)
    tag = tag_for(client)
    assert poll(client, tag) == 304

    ENDS[way](site)

    assert order and poll(client, tag) == 401


def test_a_changed_email_is_on_the_next_page(site: Site, rendered: list[str]) -> None:
    old_email = site.customer.email
    with transaction():
        email_changes.ask_to_change(site.customer.id, NEW_EMAIL, now=utc_now())
    for link in links_mailed(site.app):
        with transaction():
            email_changes.open_side(link, now=utc_now())
    rendered.clear()

    page = site.client.get("/orders").text

    assert (NEW_EMAIL in page, old_email in page) == (True, False)
    assert rendered == ["/orders"]


def test_a_page_of_before_a_role_change_is_not_shown_after_the_next_log_in(site: Site) -> None:
    change_access(ProposalKind.GIVE_ROLE, Role.OPERATOR)(site)

    page = logged_in(site.client, site.customer).get("/orders").text

    assert 'href="/office"' in page


def links_mailed(app: Flask) -> list[str]:
    ciphertext = db.session.scalars(select(Mail.text).where(Mail.is_encrypted))
    texts = [encryption.decrypt(text, settings=app.config["PANEL"]) for text in ciphertext]
    return [found[1] for text in texts if (found := re.search(r"/change-email/([\w-]{40,})\n", text))]

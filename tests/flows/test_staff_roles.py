"""Staff roles: every route of the office by every role, and what its pages offer."""

import re
from html import unescape
from html.parser import HTMLParser

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.exceptions import MethodNotAllowed, NotFound

from panel.blueprints.office import access
from panel.blueprints.office.access import office_blueprint
from panel.domain.accounts import roles
from panel.domain.accounts.roles import STAFF_ROLES, Action, Role
from tests.browser.every_page import address_of, fill
from tests.flows.test_roles import path_of
from tests.support import ledger_oracle
from tests.support.factories import an_operator, logged_in
from tests.support.route_rules import Access, routes, rule_of

NOT_THE_OWNER = [role for role in STAFF_ROLES if role is not Role.OWNER]


def office_routes(app: Flask) -> list[tuple[str, str, str]]:
    """Endpoint, method and rule of every route of the office."""
    return [
        (route.endpoint, method, route.rule) for route, method in routes(app) if rule_of(route, method) is Access.OFFICE
    ]


def action_of(app: Flask, endpoint: str) -> Action:
    return access._actions(app)[endpoint]


def test_every_route_of_the_office_has_an_action(app: Flask) -> None:
    missing = [endpoint for endpoint, _, _ in office_routes(app) if endpoint not in access._actions(app)]

    assert len(office_routes(app)) > 100
    assert missing == []


def test_a_changing_route_without_an_action_cannot_be_made() -> None:
    blueprint = office_blueprint("example", reads=Action.LOOK)
    blueprint.get("/example")(lambda: "")

    with pytest.raises(ValueError, match="no action"):
        blueprint.post("/example", endpoint="change")(lambda: "")


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_a_role_gets_what_the_table_says_and_a_403_for_the_rest(app: Flask, client: FlaskClient, role: Role) -> None:
    logged_in(client, an_operator(role=role))
    wrong = []
    for route, method in routes(app):
        if rule_of(route, method) is Access.OFFICE:
            answer = client.open(path_of(route, {}), method=method)
            if (answer.status_code != 403) is not roles.may(role, action_of(app, route.endpoint)):
                wrong.append((route.rule, method, answer.status))

    assert wrong == []


@pytest.mark.parametrize("role", NOT_THE_OWNER)
def test_what_a_role_may_not_do_changes_nothing(app: Flask, client: FlaskClient, role: Role) -> None:
    values = fill(app).values
    logged_in(client, an_operator(role=role))
    before = ledger_oracle.all_rows()
    for endpoint, method, rule in office_routes(app):
        if method != "GET" and not roles.may(role, action_of(app, endpoint)):
            form = {"reason": "A test.", "amount": "1", "confirmed": "yes", "kind": "credit", "role": "owner"}
            client.post(address_of(rule, values) or path_of_rule(app, endpoint), data=form)

    assert ledger_oracle.all_rows() == before


def path_of_rule(app: Flask, endpoint: str) -> str:
    return path_of(next(iter(app.url_map.iter_rules(endpoint))), {})


def test_the_refusal_is_a_page_that_names_the_role_it_needs(client: FlaskClient) -> None:
    logged_in(client, an_operator(role=Role.SUPPORT))

    answer = client.get("/office/profit")

    assert answer.status_code == 403
    assert "Your role doesn’t allow this" in answer.text
    assert "This needs the role owner, operator or read-only. Yours is support." in answer.text


class _Offers(HTMLParser):
    """Collects the links and forms of a page as method and address."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            self.found.add(("GET", values["href"] or ""))
        elif tag == "form":
            self.found.add(((values.get("method") or "get").upper(), values.get("action") or ""))


def offered(page: str) -> set[tuple[str, str]]:
    parser = _Offers()
    parser.feed(page)
    return {(method, unescape(address)) for method, address in parser.found if address.startswith("/office")}


def refused_offers(app: Flask, page: str, role: Role) -> list[tuple[str, str]]:
    """What the page offers although the role may not do it, or nothing is there."""
    adapter, wrong = app.url_map.bind(""), []
    for method, address in sorted(offered(page)):
        try:
            endpoint = adapter.match(re.split(r"[?#]", address)[0], method=method)[0]
        except (NotFound, MethodNotAllowed):
            wrong.append((method, address))
            continue
        if not roles.may(role, action_of(app, endpoint)):
            wrong.append((method, address))
    return wrong


@pytest.mark.parametrize("role", STAFF_ROLES)
def test_no_page_offers_what_the_role_may_not_do(app: Flask, client: FlaskClient, role: Role) -> None:
    values = fill(app).values
    logged_in(client, an_operator(role=role))
    wrong, pages = [], 0
    for endpoint, method, rule in office_routes(app):
        address = address_of(rule, values)
        if method == "GET" and address and roles.may(role, action_of(app, endpoint)):
            answer = client.get(address)
            if answer.status_code == 200 and answer.mimetype == "text/html":
                pages += 1
                wrong += [(address, each) for each in refused_offers(app, answer.text, role)]

    assert pages > 20
    assert wrong == []


def test_a_page_that_offered_too_much_would_be_found(app: Flask) -> None:
    page = '<form method="post" action="/office/vouchers"></form><a href="/office/profit">Profit</a>'

    assert len(refused_offers(app, page, Role.SUPPORT)) == 2
    assert refused_offers(app, page, Role.OWNER) == []


def test_owner_operator_and_support_see_their_forms(app: Flask, client: FlaskClient) -> None:
    values = fill(app).values
    ticket, customer = f"/office/tickets/{values['ticket_id']}", f"/office/customers/{values['customer_id']}"
    forms: dict[Role, tuple[bool, bool, bool]] = {}
    for role in STAFF_ROLES:
        logged_in(client, an_operator(role=role))
        seen = offered(client.get(ticket).text) | offered(client.get(customer).text)
        forms[role] = (
            ("POST", f"{ticket}/answers") in seen,
            ("POST", f"{customer}/money") in seen,
            ("POST", f"{customer}/role") in seen,
        )

    assert forms == {
        Role.OWNER: (True, True, True),
        Role.OPERATOR: (True, True, False),
        Role.SUPPORT: (True, False, False),
        Role.READ_ONLY: (False, False, False),
    }

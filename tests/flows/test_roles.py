"""Access control: every route and method, requested by every role, with and without a two-factor code."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from flask import Flask, current_app
from flask.testing import FlaskClient
from sqlalchemy import event, func, select
from werkzeug.routing import Rule as Route
from werkzeug.test import TestResponse

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import TicketImage, User, WebhookDelivery
from panel.services.accounts import sessions
from panel.services.api import keys as api_keys
from panel.services.api import webhook_endpoints
from panel.services.api.keys import NewKey
from panel.services.tickets import customer_actions
from tests.support import route_rules
from tests.support.factories import NOON, a_customer, an_operator, an_order, logged_in
from tests.support.images import attachments
from tests.support.route_rules import Access, name_of, routes, rule_of
from tests.support.ticket_factories import a_request_id, a_ticket

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
AFAR = {"REMOTE_ADDR": "203.0.113.77"}
# After these there is another session, or none.
ENDS_THE_SESSION = {"POST /log-out", "POST /account/devices/<int:session_id>/log-out"}
MADE_UP = {"int": "987654321", "default": "made-up", "path": "made/up"}


def belongings(owner: User) -> dict[str, str]:
    """One of everything that a customer can own, by the name of the URL argument."""
    settings = current_app.config["PANEL"]
    with transaction():
        device = sessions.log_in(owner, device="Test browser", network="127.0.0.1", now=utc_now())
        key = api_keys.make(owner.id, asked=NewKey("Test"), now=utc_now())
        endpoint = webhook_endpoints.add(
            owner.id, url="https://example.com/hook", balance_low_nanos=None, settings=settings, now=utc_now()
        ).endpoint
    order = an_order(customer=owner, status=Status.PARTIAL)
    delivery_id = db.session.scalar(
        select(func.max(WebhookDelivery.id)).where(WebhookDelivery.endpoint_id == endpoint.id)
    )
    assert delivery_id is not None
    ticket = a_ticket(customer=owner)
    with transaction():
        customer_actions.answer(
            ticket.id, customer_id=owner.id, text="See.", request_id=a_request_id(), attachments=attachments(), now=NOON
        )
    return {
        "order_id": str(order.id),
        "session_id": str(device.session_id),
        "key_id": str(key.key_id),
        "endpoint_id": str(endpoint.id),
        "delivery_id": str(delivery_id),
        "ticket_id": str(ticket.id),
        "image_id": str(db.session.scalars(select(TicketImage.id)).one()),
    }


def path_of(route: Route, things: dict[str, str]) -> str:
    """The route's path with these values; a made-up value for any other argument."""

    def value(match: re.Match[str]) -> str:
        converter, choices, name = match[1] or "default", match[2], match[3]
        return things.get(name) or (choices.split(",")[0].strip(" '") if converter == "any" else MADE_UP[converter])

    return re.sub(r"<(?:(\w+)(?:\(([^)]*)\))?:)?(\w+)>", value, route.rule)


def ask(client: FlaskClient, method: str, path: str) -> TestResponse:
    return client.open(path, method=method, environ_base=AFAR)


def leads_to_log_in(answer: TestResponse) -> bool:
    return answer.status_code == 401 or urlsplit(answer.location or "").path == "/log-in"


def offers(app: Flask, path: str, method: str) -> bool:
    return method in app.url_map.bind("").allowed_methods(path)


def test_every_route_has_a_rule_and_every_rule_its_route(app: Flask) -> None:
    named = {name_of(route, method) for route, method in routes(app)}

    assert [name_of(route, method) for route, method in routes(app) if rule_of(route, method) is None] == []
    assert sorted(set(route_rules.RULES) - named) == []


def test_things_that_are_someones_own_are_known_to_this_test(app: Flask) -> None:
    known = set(belongings(a_customer("1000")))

    asked_for = {
        name for route, method in routes(app) if rule_of(route, method) is Access.OWN for name in route.arguments
    }
    assert asked_for <= known


def test_visitors_are_asked_to_log_in_and_find_no_office(app: Flask, client: FlaskClient) -> None:
    things = belongings(a_customer("1000"))
    wrong = []
    for route, method in routes(app):
        answer = ask(client, method, path_of(route, things))
        if _has_failed(route, answer) or not _is_right_for_visitor(rule_of(route, method), answer):
            wrong.append((name_of(route, method), answer.status, answer.location))

    assert wrong == []


def _is_right_for_visitor(rule: Access | None, answer: TestResponse) -> bool:
    if rule in (Access.PRIVATE, Access.OWN):
        return leads_to_log_in(answer)
    if rule is Access.OFFICE:
        return answer.status_code == 404
    if rule is Access.HOUSE:
        return answer.status_code in (403, 404)
    if rule is Access.KEY:
        return answer.status_code == 200 and set(answer.get_json()) == {"error"}
    return rule is Access.ENTRY or not leads_to_log_in(answer)


def test_office_is_not_there_for_visitors_and_customers_by_any_method(app: Flask, client: FlaskClient) -> None:
    customer = logged_in(app.test_client(), a_customer())
    paths = {path_of(route, {}) for route, method in routes(app) if rule_of(route, method) is Access.OFFICE}
    paths |= {"/office/", "/%6Fffice//orders", "/office/nothing-here", "/office/nothing-here/live"}

    found = [
        (who, method, path)
        for who, browser in (("visitor", client), ("customer", customer))
        for path in sorted(paths)
        for method in METHODS
        if ask(browser, method, path).status_code != 404
    ]

    assert len(paths) > 10
    assert found == []


@pytest.mark.parametrize("path", ["//office", "///office/orders"])
def test_extra_slashes_reveal_nothing_of_the_office_to_visitors(client: FlaskClient, path: str) -> None:
    assert client.get("/", environ_overrides={"PATH_INFO": path}).status_code == 404


def test_office_leads_operators_without_second_factor_to_set_it_up(app: Flask, client: FlaskClient) -> None:
    operator = an_operator()
    logged_in(client, operator, second_factor=False)
    wrong = []
    for route, method in routes(app):
        if rule_of(route, method) is Access.OFFICE:
            answer = ask(client, method, path_of(route, {}))
            is_led = urlsplit(answer.location or "").path == "/account/second-factor" or answer.status_code == 401
            if not is_led or answer.text.count("<main"):
                wrong.append((name_of(route, method), answer.status, answer.location))

    assert wrong == []


def test_office_opens_to_operators_who_have_shown_it(app: Flask, client: FlaskClient) -> None:
    logged_in(client, an_operator())
    wrong = []
    for route, method in routes(app):
        if rule_of(route, method) is Access.OFFICE and method == "GET":
            answer = ask(client, method, path_of(route, {}))
            expected = {200, 303} if not route.arguments else {200, 303, 404}
            if route.endpoint.startswith("office_old_addresses."):
                expected = {301}
            if answer.status_code not in expected or "second-factor" in (answer.location or ""):
                wrong.append((name_of(route, method), answer.status, answer.location))

    assert wrong == []


@pytest.mark.parametrize("is_staff", [False, True])
def test_logged_in_users_can_use_public_routes_and_their_own(app: Flask, client: FlaskClient, is_staff: bool) -> None:
    person = an_operator() if is_staff else a_customer("1000")
    things = belongings(a_customer("1000") if is_staff else person)
    logged_in(client, person)
    wrong = []
    for route, method in routes(app):
        rule = rule_of(route, method)
        if rule in (Access.OFFICE, Access.KEY, Access.HOUSE) or (rule is Access.OWN and (is_staff or method != "GET")):
            continue
        answer = ask(client, method, path_of(route, things))
        if name_of(route, method) in ENDS_THE_SESSION:
            logged_in(client, person)
        elif leads_to_log_in(answer) or _has_failed(route, answer) or (rule is Access.OWN and not _is_shown(answer)):
            wrong.append((name_of(route, method), answer.status, answer.location))

    assert wrong == []


def _is_shown(answer: TestResponse) -> bool:
    return answer.status_code in (200, 303)


def _has_failed(route: Route, answer: TestResponse) -> bool:
    # No worker runs here, and this page reports it.
    return answer.status_code >= 500 and route.rule != "/readyz"


def test_things_of_another_customer_are_not_there(app: Flask, client: FlaskClient) -> None:
    things = belongings(a_customer("1000"))
    strangers = (a_customer("1000"), an_operator())
    found = []
    for stranger in strangers:
        logged_in(client, stranger)
        for route, method in routes(app):
            if rule_of(route, method) is Access.OWN:
                answer = ask(client, method, path_of(route, things))
                if answer.status_code != 404:
                    found.append((stranger.email, name_of(route, method), answer.status))

    assert found == []


def test_changes_without_the_token_of_a_form_are_refused(app: Flask, client: FlaskClient, csrf: None) -> None:
    customer = a_customer("1000")
    things = belongings(customer)
    logged_in(client, customer)
    office = logged_in(app.test_client(), an_operator())
    taken = []
    for route, method in routes(app):
        rule = rule_of(route, method)
        if method == "GET" or route.rule in route_rules.WITHOUT_CSRF:
            continue
        answer = ask(office if rule is Access.OFFICE else client, method, path_of(route, things))
        expected = {303} if rule is Access.ENTRY else {400, 403}
        # A logged-in user is redirected before the form is read.
        if answer.status_code not in expected | {400, 403}:
            taken.append((name_of(route, method), answer.status))

    assert taken == []


def test_methods_that_a_page_does_not_offer_do_nothing(app: Flask, client: FlaskClient) -> None:
    customer = a_customer("1000")
    things = belongings(customer)
    logged_in(client, customer)
    wrong = []
    outside = [route for route, method in routes(app) if rule_of(route, method) is not Access.OFFICE]
    for path in sorted({path_of(route, things) for route in outside}):
        for method in METHODS:
            if not offers(app, path, method):
                answer = ask(client, method, path)
                if answer.status_code != 405:
                    wrong.append((method, path, answer.status))

    assert wrong == []


def test_looking_at_a_page_writes_nothing(app: Flask, client: FlaskClient) -> None:
    customer = a_customer("1000")
    things = belongings(customer)
    logged_in(client, customer)
    office = logged_in(app.test_client(), an_operator())
    writers = []
    for route, method in routes(app):
        if method == "GET":
            browser = office if rule_of(route, method) is Access.OFFICE else client
            with _written() as written:
                ask(browser, method, path_of(route, things))
            if written:
                writers.append((route.rule, written[0][:60]))

    assert writers == []


@contextmanager
def _written() -> Iterator[list[str]]:
    """Collect the writing statements inside this block."""
    written: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield written
    finally:
        event.remove(db.engine, "before_cursor_execute", note)

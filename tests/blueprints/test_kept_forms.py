"""Forms sent after the session ended: they come back as typed after the log-in, for the same account only."""

import html
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from panel.blueprints.shared import kept_forms
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import (
    ApiKey,
    CannedAnswer,
    DepositRequest,
    Incident,
    LoginSession,
    Order,
    Ticket,
    TicketEntry,
    User,
    WebhookEndpoint,
)
from panel.security import encryption
from panel.services.accounts import sessions
from panel.services.money import deposits
from tests.support.factories import (
    LINK,
    PASSWORD,
    a_customer,
    a_tool,
    an_operator,
    an_order,
    logged_in,
    with_second_factor,
)
from tests.support.login_codes import code, found, show_code, show_password
from tests.support.ticket_factories import a_ticket

TEXT = "Where is my order? It's “late” <b>by a day</b>."
MADE = (ApiKey, CannedAnswer, DepositRequest, Incident, Order, Ticket, TicketEntry, WebhookEndpoint)


@dataclass(frozen=True)
class KeptFormCase:
    """A form with its endpoint. The ids of `things` are filled into `path`."""

    endpoint: str
    path: str
    typed: dict[str, str]


CUSTOMERS = [
    KeptFormCase("tickets.open_ticket", "/tickets", {"kind": "other", "subject": "Late", "text": TEXT}),
    KeptFormCase("tickets.answer", "/tickets/{ticket}/answers", {"text": TEXT}),
    KeptFormCase("mass_orders.answer", "/orders/mass", {"lines": f"page-visits | {LINK} | 1000\npage-visits | x | 2"}),
    KeptFormCase("ordering.check", "/orders/check", {"tool": "page-visits", "link": LINK, "quantity": "1234"}),
    KeptFormCase("ordering.place", "/orders", {"tool": "page-visits", "link": LINK, "quantity": "1234", "terms": "1"}),
    KeptFormCase("webhooks.add", "/account/webhooks", {"url": "https://example.com/hook", "balance_low": "25"}),
    KeptFormCase("webhooks.set_balance_low", "/account/webhooks/{endpoint}/balance-low", {"balance_low": "37.5"}),
    KeptFormCase("keys.make", "/account/keys", {"name": "My reseller panel", "networks": "192.0.2.0/24"}),
    KeptFormCase("deposit.add", "/balance/add", {"amount": "12.34"}),
]
OFFICE = [
    KeptFormCase("office_tickets.answer", "/office/tickets/{ticket}/answers", {"text": TEXT, "seen": "1"}),
    KeptFormCase("office_tickets.note", "/office/tickets/{ticket}/notes", {"note": TEXT}),
    KeptFormCase("office_canned_answers.add", "/office/canned-answers", {"name": "Late", "text": TEXT}),
    KeptFormCase("office_announcements.draft", "/office/announcements", {"title": "Late", "text": TEXT}),
    KeptFormCase(
        "office_tool_retirement.schedule",
        "/office/tools/page-visits/retirement",
        {"retires_from": "2026-12-24 14:05", "retire_reason": "Too slow"},
    ),
    KeptFormCase("office_maintenance.close", "/office/maintenance", {"reason": "Late", "until": "2026-12-24 14:05"}),
    KeptFormCase(
        "office_incidents.open_incident", "/office/incidents", {"title": "Slow", "text": TEXT, "phase": "planned"}
    ),
    KeptFormCase(
        "office_customers.move_money", "/office/customers/{customer}/money", {"amount": "12.34", "reason": TEXT}
    ),
    KeptFormCase("office_deposits.confirm", "/office/deposits/{deposit}/confirmation", {"paid_as": "ABC-1234"}),
    KeptFormCase("office_deposits.refuse", "/office/deposits/{deposit}/refusal", {"refusal": TEXT}),
    KeptFormCase("office_order.give", "/office/orders/{order}/goodwill", {"amount": "0.5", "words": TEXT}),
    KeptFormCase("office_order.apply_action", "/office/orders/{order}/actions", {"action": "review", "why": TEXT}),
    KeptFormCase("office_tools.save", "/office/tools/page-visits", {"name": "Visits", "summary": TEXT}),
    KeptFormCase("office_tools.check", "/office/tools/page-visits/check", {"name": "Visits", "summary": TEXT}),
    KeptFormCase("office_tools.check_new", "/office/tools/new/check", {"slug": "page-likes", "summary": TEXT}),
    KeptFormCase("office_settings.change", "/office/settings/site", {"site_name": "Late & Co", "company_name": "Ltd."}),
    KeptFormCase("office_setting_texts.save", "/office/settings/texts/refund-policy", {"text": TEXT}),
    KeptFormCase("office_appearance.change", "/office/settings/appearance", {"light": "#123456", "dark": "#abcdef"}),
    KeptFormCase("office_tools.add", "/office/tools/new", {"slug": "page-likes", "summary": TEXT}),
]


def things_of(customer: User) -> dict[str, object]:
    """Ids of the objects that the forms are about."""
    tool = a_tool("page-visits")
    order = an_order(customer=customer, tool=tool, status=Status.COMPLETED)
    ticket = a_ticket(customer=customer)
    with transaction():
        endpoint = WebhookEndpoint(
            user_id=customer.id,
            url="https://example.com/1",
            encrypted_secret="ciphertext",
            made_at=utc_now(),
        )
        db.session.add(endpoint)
        deposit = deposits.request_deposit(customer.id, amount_nanos=5_000_000_000, now=utc_now())
    return {
        "order": order.id,
        "ticket": ticket.id,
        "endpoint": endpoint.id,
        "deposit": deposit.reference,
        "customer": customer.id,
    }


def rows() -> list[int]:
    db.session.rollback()
    return [db.session.scalar(select(func.count()).select_from(model)) or 0 for model in MADE]


def ended(client: FlaskClient, user: User) -> FlaskClient:
    """A browser whose session has ended; it still has its cookies."""
    client.post("/log-in", data={"email": user.email, "password": PASSWORD})
    logged_in(client, user)
    with transaction():
        sessions.end_all(user.id, now=utc_now())
    return client


def kept_in(page: str) -> str:
    return found(r'name="kept_form" value="([^"]+)"', page)


def log_in(client: FlaskClient, user: User, kept: str) -> TestResponse:
    return show_password(client, user, kept_form=kept)


def has_all(page: str, typed: dict[str, str]) -> bool:
    return all(value in html.unescape(page) for value in typed.values())


@pytest.mark.parametrize("form", CUSTOMERS, ids=lambda form: form.endpoint)
def test_customers_form_survives_the_login_and_is_not_sent(client: FlaskClient, form: KeptFormCase) -> None:
    customer = a_customer()
    path = form.path.format(**things_of(customer))
    before = rows()

    log_in_page = ended(client, customer).post(path, data=form.typed | {"password": "not to be kept"})
    answer = log_in(client, customer, kept_in(log_in_page.text))

    assert log_in_page.status_code == 403
    assert log_in_page.headers["Cache-Control"] == "no-store"
    assert "You’ve been logged out" in log_in_page.text
    assert not any(value in html.unescape(log_in_page.text) for value in form.typed.values() if len(value) > 3)
    assert (answer.status_code, kept_forms.SEND_NOW in html.unescape(answer.text)) == (200, True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert has_all(answer.text, form.typed)
    assert rows() == before


@pytest.mark.parametrize("form", OFFICE, ids=lambda form: form.endpoint)
def test_operators_form_survives_the_login_with_two_factors(client: FlaskClient, form: KeptFormCase) -> None:
    operator = an_operator()
    path = form.path.format(**things_of(a_customer()))
    ended(client, operator)
    secret = with_second_factor(operator)
    before = rows()

    log_in_page = client.post(path, data=form.typed)
    code_page = log_in(client, operator, kept_in(log_in_page.text))
    wrong = show_code(client, "000000", kept_form=kept_in(code_page.text))
    answer = show_code(client, code(secret), kept_form=kept_in(wrong.text))

    assert (log_in_page.status_code, code_page.status_code, wrong.status_code) == (403, 200, 422)
    assert (answer.status_code, kept_forms.SEND_NOW in html.unescape(answer.text)) == (200, True)
    assert has_all(answer.text, form.typed)
    assert rows() == before


def test_every_form_that_is_restored_is_tested_here(app: Flask) -> None:
    not_here = {"office_canned_answers.edit", "office_incidents.publish", "office_incidents.update"}
    not_here |= {"office_announcements.edit", "office_order.set_status", "office_reviews.resolve"}

    endpoints = {form.endpoint for form in (*CUSTOMERS, *OFFICE)}

    assert endpoints | not_here == set(app.extensions["panel.form_renderers"])


@pytest.mark.usefixtures("csrf")
def test_form_restored_after_log_in_can_be_submitted(client: FlaskClient) -> None:
    customer = a_customer()
    kept = kept_in(ended(client, customer).post("/tickets", data=CUSTOMERS[0].typed).text)
    token = found(r'name="csrf_token" value="([^"]+)"', client.get("/log-in").text)

    page = show_password(client, customer, kept_form=kept, csrf_token=token).text
    token, request_id = (found(rf'name="{name}" value="([^"]+)"', page) for name in ("csrf_token", "request_id"))
    sent = client.post("/tickets", data=CUSTOMERS[0].typed | {"csrf_token": token, "request_id": request_id})

    assert sent.status_code == 303
    assert db.session.scalars(select(Ticket.customer_id)).all() == [customer.id]


def test_wrong_password_keeps_the_form(client: FlaskClient) -> None:
    customer = a_customer()
    kept = kept_in(ended(client, customer).post("/balance/add", data={"amount": "12.34"}).text)

    wrong = client.post("/log-in", data={"email": customer.email, "password": "wrong", "kept_form": kept})

    assert (wrong.status_code, kept_in(wrong.text)) == (422, kept)


def test_recovery_code_page_keeps_the_form(client: FlaskClient) -> None:
    customer = a_customer()
    ended(client, customer)
    with_second_factor(customer)
    kept = kept_in(client.post("/balance/add", data={"amount": "12.34"}).text)

    code_page = log_in(client, customer, kept)
    other = show_code(client, "", kept_form=kept_in(code_page.text), choose="1", **{"with": "recovery-code"})

    assert (other.status_code, kept_in(other.text)) == (200, kept)
    assert "Recovery code" in other.text


def test_another_person_who_logs_in_does_not_see_the_form(client: FlaskClient) -> None:
    owner, other = a_customer(), a_customer()
    kept = kept_in(ended(client, owner).post("/tickets", data=CUSTOMERS[0].typed).text)

    answer = log_in(client, other, kept)

    assert (answer.status_code, answer.location) == (303, "/orders")
    assert kept_forms.CANNOT_SHOW in html.unescape(client.get("/orders").text)


def test_customer_never_gets_a_form_of_the_office(app: Flask, client: FlaskClient) -> None:
    customer = a_customer()
    expires_at = (utc_now() + timedelta(hours=1)).isoformat()
    text = json.dumps(["/office/canned-answers", "", [["text", TEXT]], customer.id, expires_at])

    answer = log_in(client, customer, encryption.encrypt(text, settings=app.config["PANEL"]))

    assert (answer.status_code, answer.location) == (303, "/orders")


def test_form_about_an_unknown_object_is_not_restored(client: FlaskClient) -> None:
    customer, ticket = a_customer(), a_ticket()
    kept = kept_in(ended(client, customer).post(f"/tickets/{ticket.id}/answers", data={"text": TEXT}).text)

    answer = log_in(client, customer, kept)

    assert (answer.status_code, answer.location) == (303, "/orders")


CHANGES: list[Callable[[str], str]] = [lambda kept: kept[:-4] + "AAAA", lambda _: "x", lambda _: "", lambda _: "é" * 9]


@pytest.mark.parametrize("change", CHANGES, ids=range(4))
def test_changed_form_is_not_shown_and_the_login_goes_on(client: FlaskClient, change: Callable[[str], str]) -> None:
    customer = a_customer()
    kept = kept_in(ended(client, customer).post("/balance/add", data={"amount": "12.34"}).text)

    answer = log_in(client, customer, change(kept))

    assert (answer.status_code, answer.location) == (303, "/orders")


@pytest.mark.parametrize(("age", "is_shown"), [(timedelta(hours=11), True), (timedelta(hours=13), False)])
def test_form_expires_after_twelve_hours(app: Flask, client: FlaskClient, age: timedelta, is_shown: bool) -> None:
    customer = a_customer()
    expires_at = (utc_now() + kept_forms.LASTS - age).isoformat()
    text = json.dumps(["/balance/add", "", [["amount", "12.34"]], customer.id, expires_at])

    answer = log_in(client, customer, encryption.encrypt(text, settings=app.config["PANEL"]))

    assert (answer.status_code, "12.34" in answer.text) == (200 if is_shown else 303, is_shown)


def test_kept_form_holds_no_secret_and_names_no_other_site(app: Flask, client: FlaskClient) -> None:
    customer = a_customer()
    typed = {"amount": "12.34", "password": "p", "current_password": "p", "csrf_token": "t", "code": "1", "next": "//x"}

    kept = kept_in(ended(client, customer).post("/balance/add", data=typed).text)
    path, _query, fields, owner_id, _expires = json.loads(encryption.decrypt(kept, settings=app.config["PANEL"]))

    assert (path, fields, owner_id) == ("/balance/add", [["amount", "12.34"], ["next", "//x"]], customer.id)
    assert log_in(client, customer, kept).location is None


def test_form_that_is_too_long_is_refused_in_words(client: FlaskClient) -> None:
    answer = ended(client, a_customer()).post("/tickets", data={"text": "x" * 300_000})

    assert (answer.status_code, "kept_form" in answer.text) == (403, False)
    assert "it is too long to be kept" in answer.text


@pytest.mark.parametrize("form", OFFICE, ids=lambda form: form.endpoint)
def test_office_is_not_there_for_browsers_that_never_were_an_operators(client: FlaskClient, form: KeptFormCase) -> None:
    customer = a_customer()
    path = form.path.format(**things_of(customer))

    stranger = client.post(path, data=form.typed)
    of_customer = ended(client, customer).post(path, data=form.typed)

    assert (stranger.status_code, of_customer.status_code) == (404, 404)


def test_other_sites_cannot_fill_in_a_form_of_the_office(client: FlaskClient) -> None:
    ended(client, an_operator())

    answer = client.post("/office/canned-answers", data={"text": TEXT}, headers={"Sec-Fetch-Site": "cross-site"})

    assert (answer.status_code, "kept_form" in answer.text) == (403, False)


def test_nothing_typed_is_a_plain_redirect_to_the_login(client: FlaskClient) -> None:
    answer = ended(client, a_customer()).post("/tickets", data={"text": " "})

    assert (answer.status_code, answer.location) == (303, "/log-in")


def test_login_of_another_window_in_between_still_shows_the_form(client: FlaskClient) -> None:
    customer = a_customer()
    kept = kept_in(ended(client, customer).post("/balance/add", data={"amount": "12.34"}).text)
    log_in(client, customer, "")
    sessions_before = db.session.scalar(select(func.count()).select_from(LoginSession))

    answer = log_in(client, customer, kept)

    assert (answer.status_code, "12.34" in answer.text) == (200, True)
    assert db.session.scalar(select(func.count()).select_from(LoginSession)) == sessions_before

"""Maintenance switch: ordering is refused everywhere with its reason, all else goes on, and it ends by itself."""

import html
import re
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.application import create_app
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, OrderingClosed
from panel.domain.status import Status
from panel.jobs import maintenance as maintenance_sweep
from panel.models import AuditLogEntry, Catalogue, Maintenance, Order
from panel.services import maintenance
from panel.services.money import ledger
from panel.services.orders import placing
from panel.services.orders.placing import Placing
from panel.services.platform import canary
from tests.support.api_clients import a_caller
from tests.support.factories import LINK, NOON, a_customer, a_tool, an_operator, an_order, logged_in
from tests.support.page_text import text_of

HOUR = timedelta(hours=1)
REASON = "We move to a larger server."
FORM = {"tool": "page-visits", "link": LINK, "quantity": "1000", "request_id": "request-of-this-form"}


def close(*, until: datetime | None = None, now: datetime | None = None) -> None:
    now = now or utc_now()
    with transaction():
        maintenance.close(reason=REASON, ends_at=until or now + HOUR, actor="operator", now=now)


def orders() -> int:
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


@pytest.mark.both_engines
def test_no_order_is_placed_until_its_end_and_then_by_itself() -> None:
    customer, tool = a_customer("10"), a_tool("page-visits")
    close(now=NOON)

    def place(request_id: str, at: datetime) -> Order:
        with transaction():
            return placing.place_order(customer.id, asked=Placing(tool.slug, LINK, "1000", request_id), now=at)

    with pytest.raises(OrderingClosed, match=r"until 20 November 2026, 13:00 UTC\. We move") as refused:
        place("before-the-end", NOON + HOUR / 2)
    assert refused.value.retry_after_seconds == 1800
    assert (orders(), ledger.balance_nanos(customer.id)) == (0, 10_000_000_000)

    order = place("after-the-end", NOON + HOUR)
    # The same request again is answered with its order, also while ordering is closed.
    close(now=NOON + 2 * HOUR)
    assert place("after-the-end", NOON + 2 * HOUR).id == order.id
    assert orders() == 1


def test_customers_forms_refuse_and_keep_what_was_typed(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    customer = a_customer("10")
    logged_in(client, customer)
    check = client.post("/orders/check", data=FORM).text
    terms = re.search(r'name="terms" value="([^"]*)"', check)
    assert terms is not None
    close()

    form, again = client.get("/orders/new?tool=page-visits"), client.post("/orders/check", data=FORM)
    placed = client.post("/orders", data=FORM | {"terms": terms[1]})

    assert form.status_code == 200 and "Ordering is closed until" in text_of(form.text)
    for page in (again, placed):
        assert page.status_code == 409
        assert f"{REASON} Nothing was charged." in text_of(page.text)
        assert f'value="{LINK}"' in page.text and 'value="1000"' in page.text
    assert (orders(), ledger.balance_nanos(customer.id)) == (0, 10_000_000_000)


def test_mass_order_refuses_and_keeps_the_lines(client: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")
    lines = f"page-visits | {LINK} | 1000"
    logged_in(client, a_customer("10"))
    check = client.post("/orders/mass", data={"lines": lines}).text
    names = ("request_id", "terms", "lines")
    form = {name: html.unescape(re.search(rf'name="{name}" value="([^"]*)"', check)[1]) for name in names}  # type: ignore[index]
    close()

    checked = client.post("/orders/mass", data={"lines": lines})
    placed = client.post("/orders/mass", data=form | {"step": "place"})

    assert (checked.status_code, placed.status_code) == (409, 422)
    for page in (checked, placed):
        assert REASON in text_of(page.text)
        assert re.search(rf"<textarea[^>]*>\n{re.escape(lines)}</textarea>", html.unescape(page.text))
    assert orders() == 0


def test_api_refuses_add_with_retry_after_and_answers_all_else(client: FlaskClient) -> None:
    customer, tool = a_customer("10"), a_tool()
    order = an_order(customer=customer, tool=tool, status=Status.IN_PROGRESS)
    caller = a_caller(client, customer)
    close()

    refused = caller.post("add", service=tool.id, link=LINK, quantity=1_000)

    assert (refused.status_code, refused.get_json()) == (200, {"error": "Ordering is closed"})
    assert refused.headers["X-Error-Code"] == "ordering_closed"
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600
    assert caller.post("status", order=order.id).get_json()["status"] == "In progress"
    assert "error" not in caller.text("services") + caller.text("balance")
    assert orders() == 1


def test_every_process_says_so_from_the_next_page_on_and_no_longer_after_the_end(
    app: Flask, client: FlaskClient
) -> None:
    customer = a_customer("10")
    other = create_app(app.config["PANEL"]).test_client()
    logged_in(client, customer)
    cookie = client.get_cookie("session")
    assert cookie is not None
    mine = create_app(app.config["PANEL"]).test_client()
    mine.set_cookie("session", cookie.value)
    pages = [(other, "/tools"), (other, "/platform-status"), (mine, "/orders"), (mine, "/orders/new")]
    for _ in range(2):
        assert [path for browser, path in pages if "Ordering is closed" in browser.get(path).text] == []

    close()

    assert [path for browser, path in pages if REASON not in text_of(browser.get(path).text)] == []
    published = other.get("/platform-status.json").get_json()["ordering"]
    assert (published["is_open"], published["reason"]) == (False, REASON)

    with transaction():
        maintenance.reopen(actor="operator", now=utc_now())

    assert [path for browser, path in pages if "Ordering is closed" in browser.get(path).text] == []
    assert other.get("/platform-status.json").get_json()["ordering"] == {"is_open": True}


@pytest.mark.both_engines
def test_sweep_clears_up_after_the_end_once() -> None:
    close(now=NOON)
    version = db.session.scalar(select(Catalogue.version))
    with transaction():
        assert maintenance.end_due(now=NOON + HOUR / 2) == 0

    assert maintenance_sweep.sweep(worker="test") == 1

    assert maintenance_sweep.sweep(worker="test") == 0
    assert db.session.scalars(select(Maintenance)).all() == []
    assert db.session.scalar(select(Catalogue.version)) == (version or 0) + 1
    logged = db.session.scalars(select(AuditLogEntry.action).order_by(AuditLogEntry.id)).all()
    assert logged == ["maintenance begin", "maintenance end"]


def test_the_panels_own_test_orders_go_on() -> None:
    with transaction():
        canary.prepare(key=canary.key_of("maintenance"), now=utc_now())
    close()

    with transaction():
        order = canary.place(now=utc_now())

    assert order.status == Status.PENDING


def test_operators_close_change_and_reopen_and_wrong_ends_change_nothing(client: FlaskClient) -> None:
    logged_in(client, an_operator(email="ada@example.com"))
    until = f"{utc_now() + HOUR:%Y-%m-%d %H:%M}"

    wrong = [
        client.post("/office/maintenance", data={"reason": REASON, "until": text})
        for text in ("", "tomorrow", "2020-01-01 10:00", "2099-01-01 10:00")
    ]
    assert [page.status_code for page in wrong] == [422] * 4
    assert all(f'value="{REASON}"' in page.text for page in wrong)
    assert maintenance.current(now=utc_now()) is None

    assert client.post("/office/maintenance", data={"reason": REASON, "until": until}).status_code == 303
    assert "Ordering is closed" in client.get("/office/maintenance").text
    assert client.post("/office/maintenance", data={"reason": "Still moving", "until": until}).status_code == 303
    closed = maintenance.current(now=utc_now())
    assert closed is not None and closed.reason == "Still moving."

    assert client.post("/office/maintenance/end").status_code == 303
    assert maintenance.current(now=utc_now()) is None
    assert client.post("/office/maintenance/end").status_code == 409
    logged = db.session.execute(select(AuditLogEntry.action, AuditLogEntry.actor).order_by(AuditLogEntry.id)).all()
    assert [tuple(row) for row in logged] == [
        ("maintenance begin", "ada@example.com"),
        ("maintenance begin", "ada@example.com"),
        ("maintenance end", "ada@example.com"),
    ]


def test_reopening_what_is_open_and_a_reason_of_nothing_are_refused() -> None:
    with pytest.raises(ActionRefused), transaction():
        maintenance.reopen(actor="x", now=NOON)
    with pytest.raises(BadInput), transaction():
        maintenance.close(reason=" ", ends_at=NOON + HOUR, actor="x", now=NOON)
    with pytest.raises(BadInput), transaction():
        maintenance.close(reason=REASON, ends_at=NOON, actor="x", now=NOON)

"""Dashboard of the office: today's figures are sums of the ledger, and the first-run checklist follows the state."""

import re
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.domain.resale import UpstreamCharge
from panel.domain.status import Status
from panel.models import Provider, Transfer, TransferKind
from panel.services.money import ledger, order_costs
from panel.services.office import setup_checklist, today
from panel.services.orders import goodwill
from tests.support.factories import a_customer, a_provider, a_tool, an_operator, an_order

LABELS = {
    "payment": "Tell customers how to pay",
    "provider": "Add a provider",
    "catalogue": "Add tools",
    "visible": "Offer the first tool",
    "mail": "Set up email",
    "operators": "Add a second operator",
}


def figure(page: str, name: str) -> str:
    found = re.search(rf'id="today-{name}">(?:<data[^>]*>)?([^<]+)<', page)
    assert found is not None, name
    return found[1]


def summed(kind: TransferKind) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.sum(Transfer.amount_nanos)).where(Transfer.kind == kind)) or 0


def done(app: Flask) -> set[str]:
    db.session.rollback()
    settings = app.config["PANEL"]
    steps = setup_checklist.steps(sends_mail=settings.mail_server is not None)
    return {step.name for step in steps if step.is_done}


def test_figures_of_today_are_the_sums_of_todays_transfers(office: FlaskClient) -> None:
    now = utc_now()
    customer, operator = a_customer("1000"), an_operator()
    with transaction():
        ledger.deposit(customer.id, amount_nanos=7_250_000_000, reason="deposit:today", note="Paid.", now=now)
    kept = an_order(customer=customer, status=Status.COMPLETED, now=now)
    an_order(customer=customer, status=Status.PARTIAL, remains=360, now=now)
    with transaction():
        goodwill.give(kept.id, goodwill.Gift(100_000_000, "Late.", 1, operator.email, operator.id, 10**12), now=now)

    page = office.get("/office").text

    assert figure(page, "orders") == "2"
    assert figure(page, "charged") == money.shown(summed(TransferKind.CHARGE))
    assert figure(page, "revenue") == money.shown(summed(TransferKind.KEEP))
    assert figure(page, "refunds") == money.shown(summed(TransferKind.RETURN) + 100_000_000)
    assert figure(page, "deposits") == "$7.25"
    assert summed(TransferKind.RETURN) == 324_000_000


def test_margin_is_that_of_todays_orders_whose_cost_is_known(office: FlaskClient) -> None:
    now = utc_now()
    assert figure(office.get("/office").text, "margin") == "$0.00"
    an_order(tool=a_tool(), now=now)
    assert figure(office.get("/office").text, "margin") == "Not known"
    order = an_order(tool=a_tool(provider=a_provider("panel_api")), status=Status.COMPLETED, now=now)
    with transaction():
        order_costs.record({order.id: UpstreamCharge(order.charge_nanos - 123_000_000, "USD")}, now=now)

    page = office.get("/office").text

    assert figure(page, "orders") == "2"
    assert figure(page, "margin") == "$0.123"
    assert "without 1 whose cost isn’t known" in page


def test_figures_leave_out_what_is_of_another_day() -> None:
    now = utc_now()
    an_order(status=Status.COMPLETED, now=now)

    tomorrow = today.figures(now=now + timedelta(days=1))

    assert today.figures(now=now).placed.orders == 1
    assert (tomorrow.placed.orders, tomorrow.charged_nanos, tomorrow.revenue_nanos) == (0, 0, 0)


def test_steps_are_done_by_what_is_there_and_the_list_goes_when_all_are(app: Flask, office: FlaskClient) -> None:
    page = office.get("/office").text
    assert [label for label in LABELS.values() if label not in page] == []
    assert "0 of 6 done" in page
    assert page.index('id="setup"') < page.index('id="attention"')
    assert done(app) == set()

    tool = a_tool(is_hidden=True)
    assert done(app) == {"provider", "catalogue"}
    a_tool(provider=db.session.get_one(Provider, tool.provider_id))
    assert done(app) == {"provider", "catalogue", "visible"}
    (app.config["PANEL"].instance / "payment.txt").write_text("Bank 12", encoding="utf-8")
    an_operator()
    assert done(app) == set(LABELS) - {"mail"}
    page = office.get("/office").text
    assert "5 of 6 done" in page
    assert page.index('id="attention"') < page.index('id="setup"'), "what waits is more urgent once the panel can sell"
    assert setup_checklist.steps(sends_mail=True) == []


def test_only_queues_with_something_in_them_need_attention(office: FlaskClient) -> None:
    assert 'id="all-clear"' in office.get("/office").text
    an_order(provider="manual")

    page = office.get("/office").text

    assert 'id="waiting-manual">1<' in page
    assert 'id="clear-approvals"' in page
    assert 'id="queue-approvals"' not in page


def test_back_link_returns_to_the_same_row_of_the_list(office: FlaskClient) -> None:
    order = an_order()
    listed = office.get("/office/orders?status=pending").text
    link = re.search(rf'id="open-{order.id}" href="([^"]+)"', listed)
    assert link is not None

    shown = office.get(link[1].replace("&amp;", "&")).text

    assert f'href="/office/orders?status=pending#order-{order.id}" data-back' in shown
    assert f'<tr id="order-{order.id}"' in listed

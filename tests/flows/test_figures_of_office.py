"""Amounts on the office's pages equal the sums of the ledger's transfers."""

import csv
import io
import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money as words
from panel.domain.review_kind import ReviewKind
from panel.models import Attempt, AttemptState, Order, ProposalKind, Transfer
from panel.services import reviews
from panel.services.money import deposits
from panel.services.office import second_approval
from panel.services.office.balance_changes import BalanceChange
from panel.services.orders import goodwill
from tests.support import ledger_figures
from tests.support.every_outcome import OUTCOMES, World, every_outcome
from tests.support.factories import NOON, an_operator, an_order, logged_in
from tests.support.ledger_figures import order_money
from tests.support.shown_figures import PageFigures, amounts_in, nanos_of, only
from tests.support.ticket_factories import a_ticket


@pytest.fixture
def world() -> World:
    return every_outcome()


@pytest.fixture
def office(client: FlaskClient, world: World) -> FlaskClient:
    return logged_in(client, an_operator(email="olga@example.com"))


def page_of(client: FlaskClient, path: str) -> PageFigures:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return PageFigures(answer.text)


@pytest.mark.both_engines
def test_row_of_an_order_shows_charge_and_refund(office: FlaskClient, world: World) -> None:
    page = page_of(office, f"/office/orders?customer={world.customer.email}")

    for name, order_id in world.orders.items():
        money = order_money(order_id)
        assert page.in_row(f"order-{order_id}") == [money.charged, *([money.returned] if money.returned else [])], name


@pytest.mark.both_engines
def test_page_of_an_order_shows_each_transfer_and_their_sum(office: FlaskClient, world: World) -> None:
    for name, order_id in world.orders.items():
        money = order_money(order_id)

        page = page_of(office, f"/office/orders/{order_id}")

        for line, amount in ledger_figures.transfers_of(order_id).items():
            assert page.in_row(f"line-{line}") == [amount], name
        shown = [only(page.beside(label)) for label in ("Kept", "Returned to the customer", "Held", "Charged")]
        assert shown == [money.kept, money.returned, money.held, money.charged], name
        later = re.search(r"as goodwill: (\$[0-9.]+)\. Of what was kept, (\$[0-9.]+) is left", page.line)
        assert (later is not None) == bool(money.gifts)
        if later is not None:
            given = sum(money.gifts)
            assert [nanos_of(amount) for amount in later.groups()] == [given, money.kept - given]
        most = re.search(r"At most (\$[0-9.]+), which is still kept", page.line)
        assert (most is not None) == (money.kept > sum(money.gifts))
        assert most is None or nanos_of(most[1]) == money.kept - sum(money.gifts)


@pytest.mark.both_engines
def test_page_of_a_customer_shows_balance_orders_and_lines(office: FlaskClient, world: World) -> None:
    lines = ledger_figures.lines(world.customer_id)

    page = page_of(office, f"/office/customers/{world.customer_id}")

    assert only(page.beside("Balance")[:1]) == lines[-1].balance
    assert only(page.beside("On hold for open orders")) == ledger_figures.held(world.customer_id)
    newest = [order_money(number) for number in sorted(world.orders.values(), reverse=True)]
    charged = [figure.nanos for figure in page.figures if figure.label == "Charged"]
    returned = [figure.nanos for figure in page.figures if figure.label == "Returned"]
    assert len(charged) > 5
    assert charged == [money.charged for money in newest][: len(charged)]
    assert returned == [money.returned for money in newest][: len(charged)]
    changes = [figure.nanos for figure in page.figures if figure.label == "Change"]
    assert changes == [line.change for line in reversed(lines)][: len(changes)]
    balances = [figure.nanos for figure in page.figures if figure.label == "Balance"][1:]
    assert balances == [line.balance for line in reversed(lines)][: len(changes)]


@pytest.mark.both_engines
def test_list_of_customers_shows_each_balance(office: FlaskClient, world: World) -> None:
    page = page_of(office, "/office/customers?q=customer-")

    rows = {figure.row for figure in page.figures if figure.row.startswith("customer-")}
    assert len(rows) == 2
    for row in rows:
        assert page.in_row(row) == [ledger_figures.balance(int(row.removeprefix("customer-")))]


@pytest.mark.both_engines
def test_ledger_shows_each_transfer_and_the_sums_of_all(office: FlaskClient, world: World) -> None:
    of_all = {row.id: row.amount_nanos for row in db.session.scalars(select(Transfer))}
    shown = page_of(office, "/office/ledger")
    of_customer = page_of(office, f"/office/ledger?customer={world.customer_id}&account=customer")
    of_holds = page_of(office, f"/office/ledger?customer={world.customer_id}&account=holds")
    rows = list(csv.DictReader(io.StringIO(office.get("/office/ledger.csv").text)))

    for line, amount in of_all.items():
        assert shown.in_row(f"line-{line}") == [amount]
    assert only(shown.beside("Total amount")) == sum(of_all.values())
    lines = ledger_figures.lines(world.customer_id)
    assert only(of_customer.beside("Into")) == sum(line.into for line in lines)
    assert only(of_customer.beside("Out of")) == sum(line.out for line in lines)
    assert only(of_customer.beside("Difference")) == lines[-1].balance
    assert only(of_holds.beside("Difference")) == ledger_figures.held(world.customer_id)
    assert {int(row["line"]): nanos_of(row["amount"]) for row in rows} == of_all


def test_figures_of_a_day_show_what_was_returned(client: FlaskClient) -> None:
    """Two days ago, by the clock: the page is about the last thirty days."""
    at = utc_now().replace(hour=12) - timedelta(days=2)
    every_outcome(now=at)
    logged_in(client, an_operator())

    text = client.get("/office/reports").text

    day = re.search(rf'<tr><th[^>]*><time datetime="{at.date()}">.*?</tr>', text, re.S)
    assert day is not None
    returns = [row.amount_nanos for row in db.session.scalars(select(Transfer).where(Transfer.kind == "return"))]
    assert amounts_in(day[0]) == [sum(returns)]
    assert f'data-label="Orders with a return">{len(returns)}<' in day[0]
    assert f'data-label="Orders placed">{len(OUTCOMES) + 2}<' in day[0]


@pytest.mark.parametrize("kind", ["credit", "debit"])
def test_check_before_a_balance_is_changed_shows_both_balances(office: FlaskClient, world: World, kind: str) -> None:
    before, amount = ledger_figures.balance(world.customer_id), nanos_of("3.217")
    form = {"kind": kind, "amount": "3.217", "reason": "A correction."}

    answer = office.post(f"/office/customers/{world.customer_id}/money", data=form)

    page = PageFigures(answer.text)
    assert answer.status_code == 200
    assert only(page.beside("Balance now")) == before
    assert only(page.beside("Added" if kind == "credit" else "Taken")) == amount
    assert only(page.beside("Balance after")) == before + (amount if kind == "credit" else -amount)


def test_deposit_shows_what_was_asked_for_and_what_it_does(office: FlaskClient, world: World) -> None:
    asked, arrived = nanos_of("41.37"), "41.29"
    with transaction():
        reference = deposits.request_deposit(world.customer_id, amount_nanos=asked, now=NOON).reference
    before = ledger_figures.balance(world.customer_id)

    listed = page_of(office, "/office/deposits")
    one = page_of(office, f"/office/deposits/{reference}")
    form = {"amount": arrived, "paid_as": "Bank 7"}
    checked = PageFigures(office.post(f"/office/deposits/{reference}/confirmation", data=form).text)

    assert listed.beside("Requested") == one.beside("Amount requested") == [asked]
    assert only(checked.beside("Amount requested")) == asked
    assert only(checked.beside("Balance now")) == before
    assert only(checked.beside("Added")) == nanos_of(arrived)
    assert only(checked.beside("Balance after")) == before + nanos_of(arrived)


def test_proposal_shows_its_amount_and_both_balances(client: FlaskClient, world: World) -> None:
    first, second = an_operator(), an_operator()
    before, amount = ledger_figures.balance(world.customer_id), nanos_of("333.219")
    wanted = BalanceChange(
        ProposalKind.DEBIT,
        world.customer_id,
        amount,
        "A correction.",
        second_approval.new_form_key(),
        first.id,
        first.email,
    )
    with transaction():
        done = second_approval.move_or_propose(wanted, balance_nanos=before, limit_nanos=10**9, now=utc_now())
    logged_in(client, second)

    listed, one = page_of(client, "/office/approvals"), page_of(client, f"/office/approvals/{done.proposal_id}")

    assert listed.beside("Amount") == [amount]
    assert only(one.beside("Amount")) == amount
    assert only(one.beside("Balance now")) == before
    assert only(one.beside("Balance after")) == before - amount
    assert f"Approve {words.shown(amount)}" in one.line


@pytest.mark.both_engines
def test_review_says_what_is_returned_if_the_outcome_stays_unknown(office: FlaskClient, world: World) -> None:
    order_id = world.orders["in progress"]
    with transaction():
        provider_id = db.session.get_one(Order, order_id).provider_id
        call = {"order_id": order_id, "provider_id": provider_id, "kind": "add", "at": NOON, "lease_until": NOON}
        db.session.add(Attempt(**call, state=AttemptState.UNKNOWN))
        reviews.open_review(ReviewKind.UNCONFIRMED, order_id=order_id, text="Is it there?", now=NOON)

    listed = office.get("/office/reviews").text
    number = re.search(r'<tr id="review-(\d+)"', listed)
    assert number is not None
    page = page_of(office, f"/office/reviews/{number[1]}")

    shown_amount = re.search(r"cancel order and return (\$[0-9.]+)", page.line)
    assert shown_amount is not None and nanos_of(shown_amount[1]) == order_money(order_id).held


def test_canceling_many_shows_what_goes_back(office: FlaskClient, world: World) -> None:
    another = an_order(customer=world.customer, price="1.3", quantity=457)
    chosen = [world.orders["pending"], another.id]
    held = [order_money(number).held for number in chosen]

    answer = office.post(
        "/office/orders/actions", data={"action": "cancel", "order": chosen, "reason": "It stands still."}
    )

    page = PageFigures(answer.text)
    assert answer.status_code == 200
    assert set(held) <= set(page.beside("Returned"))
    assert sum(held) in page.beside("Returned")
    button = re.search(r"return (\$[0-9.]+)", page.line)
    assert button is not None and nanos_of(button[1]) == sum(held)


def test_ticket_in_the_office_shows_balance_held_and_charges(office: FlaskClient, world: World) -> None:
    money = order_money(world.orders["partial"])
    ticket = a_ticket(customer=world.customer, kind="order", order=world.orders["partial"])

    page = page_of(office, f"/office/tickets/{ticket.id}")

    assert only(page.beside("Balance")) == ledger_figures.balance(world.customer_id)
    assert only(page.beside("On hold for open orders")) == ledger_figures.held(world.customer_id)
    assert page.beside("Charged") == [money.charged, money.returned]
    beside = {
        int(number): nanos_of(amount) for number, amount in re.findall(r"Order (\d+) [^$]*?, (\$[0-9.]+),", page.line)
    }
    assert beside
    assert all(order_money(number).charged == amount for number, amount in beside.items())


def test_room_for_goodwill_is_what_is_kept_and_not_given(world: World) -> None:
    for name, order_id in world.orders.items():
        money = order_money(order_id)
        assert goodwill.room(order_id).left_nanos == money.kept - sum(money.gifts), name

"""Amounts on customers' pages equal the sums of the ledger's transfers."""

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money as words
from panel.domain.status import Status
from panel.services.money import deposits
from tests.support import ledger_figures
from tests.support.every_outcome import OUTCOMES, PRICE, World, every_outcome
from tests.support.factories import LINK, NOON, a_customer, a_tool, an_order, logged_in
from tests.support.ledger_figures import order_money
from tests.support.shown_figures import PageFigures, amounts_in, nanos_of, only
from tests.support.ticket_factories import a_ticket

DAY = NOON.date().isoformat()
PRICE_NANOS = nanos_of(PRICE)


@pytest.fixture
def world(client: FlaskClient) -> World:
    world = every_outcome()
    logged_in(client, world.customer)
    return world


def page_of(client: FlaskClient, path: str) -> PageFigures:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return PageFigures(answer.text)


@pytest.mark.both_engines
def test_bar_and_live_regions_show_the_balance_everywhere(client: FlaskClient, world: World) -> None:
    balance = ledger_figures.balance(world.customer_id)

    for path in ("/orders", f"/orders/{world.orders['partial']}", "/balance", "/tools", "/account"):
        text = client.get(path).text
        bar = re.search(r'<data id="balance" data-nanos="(\d+)" value="([0-9.]+)">([^<]+)</data>', text)
        assert bar is not None
        assert (int(bar[1]), nanos_of(bar[2]), nanos_of(bar[3])) == (balance,) * 3, path
        region = re.search(r'data-balance="([^"]+)" data-balance-plain="([^"]+)" data-balance-nanos="(\d+)"', text)
        assert (region is not None) == path.startswith("/orders")
        if region is not None:
            assert (nanos_of(region[1]), nanos_of(region[2]), int(region[3])) == (balance,) * 3, path


@pytest.mark.both_engines
def test_row_of_the_history_shows_charge_and_refund(client: FlaskClient, world: World) -> None:
    page = page_of(client, "/orders")

    for name, order_id in world.orders.items():
        money = order_money(order_id)
        assert page.in_row(f"order-{order_id}") == [money.charged, *([money.returned] if money.returned else [])], name


@pytest.mark.both_engines
def test_order_page_divides_the_charge_as_the_ledger_does(client: FlaskClient, world: World) -> None:
    for name, order_id in world.orders.items():
        _order_page_is_right(page_of(client, f"/orders/{order_id}"), name, order_id)


def _order_page_is_right(page: PageFigures, name: str, order_id: int) -> None:
    money = order_money(order_id)
    shown = [only(page.beside(words)) for words in ("Kept", "Returned", "Held", "Charged")]
    assert shown == [money.kept, money.returned, money.held, money.charged]
    assert shown[0] + shown[1] + shown[2] == shown[3]
    quantity = OUTCOMES[name][1]
    worked = re.search(rf"{quantity:,} × (\$[0-9.]+) ÷ 1,000 = (\$[0-9.]+)\.", page.line)
    assert worked is not None
    assert (nanos_of(worked[1]), nanos_of(worked[2].rstrip("."))) == (PRICE_NANOS, money.charged)
    later = re.findall(r"Returned later, on [^$]+(\$[0-9.]+), statement line (\d+)", page.line)
    transfers = ledger_figures.transfers_of(order_id)
    assert [nanos_of(amount) for amount, _line in later] == list(money.gifts)
    assert [transfers[int(line)] for _amount, line in later] == list(money.gifts)
    if name == "pending":
        assert money.held in amounts_in(page.line[page.line.index("ends at once") :])


def test_order_page_names_the_lines_of_its_transfers(client: FlaskClient, world: World) -> None:
    for order_id in world.orders.values():
        line = page_of(client, f"/orders/{order_id}").line

        named = dict(re.findall(r"(Returned|Charged)[^$]*? Statement line (\d+)", line))
        lines = {"Returned": ledger_figures.line_of(order_id, "return")}
        lines["Charged"] = ledger_figures.line_of(order_id, "charge")
        assert named == {word: str(number) for word, number in lines.items() if number is not None}


@pytest.mark.both_engines
def test_receipt_shows_what_was_charged_kept_and_returned(client: FlaskClient, world: World) -> None:
    for name in ("partial", "partial, nothing ran", "canceled", "goodwill", "partial with goodwill"):
        order_id = world.orders[name]
        _receipt_is_right(page_of(client, f"/orders/{order_id}/receipt"), world, order_id)


def _receipt_is_right(page: PageFigures, world: World, order_id: int) -> None:
    money = order_money(order_id)
    lead = re.search(r"(\$[0-9.]+) of (\$[0-9.]+) was returned", page.line)
    assert lead is not None
    assert [nanos_of(amount) for amount in lead.groups()] == [money.returned + sum(money.gifts), money.charged]
    shown = [only(page.beside(words)) for words in ("Charged", "Kept", "Returned")]
    assert shown == [money.charged, money.kept, money.returned]
    assert only(page.beside("Price per 1,000")) == PRICE_NANOS
    units = re.search(r"Returned: ([0-9,]+) × (\$[0-9.]+) ÷ 1,000", page.line)
    assert units is not None
    assert int(units[1].replace(",", "")) * nanos_of(units[2]) // 1_000 == money.returned
    after = {line.id: line.balance for line in ledger_figures.lines(world.customer_id)}
    returning = ledger_figures.line_of(order_id, "return")
    assert page.beside("Balance after") == ([after[returning]] if returning else [])
    gifts = [figure.nanos for figure in page.figures if "Statement line" in figure.label]
    assert gifts == list(money.gifts)


def test_receipt_that_returned_nothing_says_so(client: FlaskClient, world: World) -> None:
    order_id = world.orders["partial, all ran"]

    page = page_of(client, f"/orders/{order_id}/receipt")

    assert "$0.00 of" in page.line
    assert only(page.beside("Kept")) == only(page.beside("Charged")) == order_money(order_id).charged
    assert only(page.beside("Returned")) == 0
    assert page.beside("Balance after") == []


@pytest.mark.both_engines
def test_balance_page_shows_what_is_free_held_and_both(client: FlaskClient, world: World) -> None:
    page = page_of(client, "/balance")

    balance, held = ledger_figures.balance(world.customer_id), ledger_figures.held(world.customer_id)
    sums = [figure.nanos for figure in page.figures if figure.label and not figure.row]
    assert sums == [balance, held, balance + held]
    for line in ledger_figures.lines(world.customer_id)[-10:]:
        assert page.in_row(f"line-{line.id}") == [line.out or line.into, line.balance]
        assert page.in_row(f"line-{line.id}", "Out") == ([line.out] if line.out else [])


@pytest.mark.both_engines
def test_statement_page_shows_each_line_and_its_sums(client: FlaskClient, world: World) -> None:
    lines = ledger_figures.lines(world.customer_id)

    page = page_of(client, f"/balance/statement?from={DAY}&to={DAY}")

    assert only(page.beside("Opening")) == 0
    assert only(page.beside("Total in")) == sum(line.into for line in lines)
    assert only(page.beside("Total out")) == sum(line.out for line in lines)
    assert only(page.beside("Closing")) == lines[-1].balance
    for line in lines:
        columns = [page.in_row(f"line-{line.id}", label) for label in ("Out", "In", "Balance")]
        assert columns == [[line.out] if line.out else [], [line.into] if line.into else [], [line.balance]]
    assert len([figure for figure in page.figures if figure.label == "Balance"]) == len(lines)


@pytest.mark.both_engines
def test_check_page_shows_the_balance_before_and_after(client: FlaskClient, world: World) -> None:
    balance, charge = ledger_figures.balance(world.customer_id), 2_111 * PRICE_NANOS // 1_000

    answer = client.post("/orders/check", data={"tool": "odd-visits", "link": LINK, "quantity": "2111"})

    page = PageFigures(answer.text)
    assert only(page.beside("Balance now")) == balance
    assert only(page.beside("This order")) == charge
    assert only(page.beside("Balance after")) == balance - charge
    assert f"2,111 × ${PRICE} ÷ 1,000" in page.line
    button = re.search(r"Place order for (\$[0-9.]+)", page.line)
    assert button is not None and nanos_of(button[1]) == charge


def test_check_page_says_how_much_is_missing(client: FlaskClient, world: World) -> None:
    balance = ledger_figures.balance(world.customer_id)
    quantity = 2_000_003
    charge = quantity * PRICE_NANOS // 1_000

    answer = client.post("/orders/check", data={"tool": "odd-visits", "link": LINK, "quantity": str(quantity)})

    assert answer.status_code == 422
    notice = re.search(
        r"costs (\$[0-9.,]+) and your balance is (\$[0-9.]+): you need (\$[0-9.,]+) more", PageFigures(answer.text).line
    )
    assert notice is not None
    assert [nanos_of(amount) for amount in notice.groups()] == [charge, balance, charge - balance]


@pytest.mark.both_engines
def test_mass_order_shows_each_charge_and_their_sum(client: FlaskClient, world: World) -> None:
    before = ledger_figures.balance(world.customer_id)
    lines = f"odd-visits | {LINK} | 111\nodd-visits | {LINK} | 223"
    charges = [number * PRICE_NANOS // 1_000 for number in (111, 223)]

    checked = PageFigures(client.post("/orders/mass", data={"lines": lines, "request_id": "mass-form-0001"}).text)
    placed = PageFigures(
        client.post("/orders/mass", data={"lines": lines, "request_id": "mass-form-0001", "step": "place"}).text
    )

    assert checked.beside("Charge") == placed.beside("Charge") == charges
    assert only(checked.beside("Balance now")) == before
    assert only(checked.beside("Total of 2 orders")) == sum(charges)
    assert only(checked.beside("Balance after")) == before - sum(charges)
    after = ledger_figures.balance(world.customer_id)
    assert after == before - sum(charges)
    shown = re.search(r"(\$[0-9.]+) was charged\. Your balance is (\$[0-9.]+)\.", placed.line)
    assert shown is not None and [nanos_of(amount) for amount in shown.groups()] == [sum(charges), after]


def test_order_just_placed_says_its_charge(client: FlaskClient, world: World) -> None:
    form = {"tool": "odd-visits", "link": LINK, "quantity": "337", "request_id": "a-form-000001"}

    page = PageFigures(client.post("/orders", data=form, follow_redirects=True).text)

    shown = re.search(r"is placed, and (\$[0-9.]+) is charged", page.line)
    assert shown is not None and nanos_of(shown[1]) == 337 * PRICE_NANOS // 1_000 == only(page.beside("Charged"))


def test_ticket_about_an_order_shows_its_money(client: FlaskClient, world: World) -> None:
    for name in ("completed", "partial", "canceled"):
        money = order_money(world.orders[name])
        ticket = a_ticket(customer=world.customer, kind="order", order=world.orders[name])

        page = page_of(client, f"/tickets/{ticket.id}")

        assert page.beside("Charged") == [money.charged, *([money.returned] if money.returned else [])]


def test_ticket_about_a_line_of_the_statement_shows_its_amount(client: FlaskClient, world: World) -> None:
    for line in ledger_figures.lines(world.customer_id)[-3:]:
        ticket = a_ticket(customer=world.customer, kind="money", line=line.id)

        page = page_of(client, f"/tickets/{ticket.id}")

        assert page.beside("In") == ([line.into] if line.into else [])
        assert page.beside("Out") == ([line.out] if line.out else [])


def test_form_that_was_used_shows_the_charge_of_its_order(client: FlaskClient, world: World) -> None:
    form = {"tool": "odd-visits", "link": LINK, "quantity": "337", "request_id": "a-form-000001"}
    client.post("/orders", data=form)

    page = PageFigures(client.post("/orders", data=form | {"quantity": "400"}).text)

    assert page.beside("Charged") == [337 * PRICE_NANOS // 1_000]


def test_form_shows_the_price_of_what_is_typed(client: FlaskClient, world: World) -> None:
    page = page_of(client, "/orders/price?tool=odd-visits&quantity=2111")

    charge = 2_111 * PRICE_NANOS // 1_000
    after = ledger_figures.balance(world.customer_id) - charge
    assert [figure.nanos for figure in page.figures][:3] == [PRICE_NANOS, charge, after]


def test_requests_to_add_money_show_what_was_asked_for(client: FlaskClient, world: World) -> None:
    open_nanos, refused_nanos = nanos_of("41.37"), nanos_of("63.11")
    with transaction():
        refused = deposits.request_deposit(world.customer_id, amount_nanos=refused_nanos, now=utc_now()).reference
        deposits.refuse(refused, reason="Nothing came.", now=utc_now())
        deposits.request_deposit(world.customer_id, amount_nanos=open_nanos, now=utc_now())

    line = page_of(client, "/balance/add").line

    assert open_nanos in amounts_in(line[: line.index(refused)])
    assert amounts_in(line[line.index(refused) :])[0] == refused_nanos


def test_page_that_closes_an_account_shows_its_balance(client: FlaskClient, world: World) -> None:
    text = client.get("/account/closing").text

    balance = ledger_figures.balance(world.customer_id)
    assert f"{words.shown(balance)} is on your balance" in " ".join(PageFigures(text).text.split())


def test_reliability_page_shows_the_total_returned(client: FlaskClient) -> None:
    """Twenty orders and two, by the clock: the page is about the last ninety days."""
    customer, tool, at = a_customer("1000"), a_tool(price=PRICE), utc_now() - timedelta(days=2)
    orders = [
        an_order(customer=customer, tool=tool, status=Status.CANCELED, quantity=1_001 + 2 * number, now=at).id
        for number in range(20)
    ]
    orders += [
        an_order(customer=customer, tool=tool, status=Status.PARTIAL, quantity=quantity, remains=311, now=at).id
        for quantity in (2_003, 2_011)
    ]

    line = page_of(client, "/reliability").line

    assert f"{len(orders)} of {len(orders)} orders" in line
    after = line[line.index(f"{len(orders)} of {len(orders)} orders") :]
    assert amounts_in(after)[0] == sum(order_money(order_id).returned for order_id in orders)

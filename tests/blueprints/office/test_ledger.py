"""Ledger and audit log in the office: search, and links from a customer's figures to the entries behind them."""

import csv
import html
import io
import re
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient

from panel.db import db, transaction
from panel.domain import money
from panel.domain.lists.order_filters import OrderFilters
from panel.domain.status import Status
from panel.models import AuditLogEntry, User
from panel.services import audit_log
from panel.services.money import ledger
from panel.services.office import audit_log_search, ledger_filters, ledger_search
from panel.services.orders import history as order_history
from tests.support.factories import NOON, a_customer, a_tool, an_order


def found(**given: object) -> tuple[list[int], ledger_search.Sums]:
    """Entries that these filters find, on all pages, and their sums."""
    filters = ledger_filters.parse({name.rstrip("_"): str(value) for name, value in given.items()})
    db.session.rollback()
    return [line.id for line in ledger_search.all_lines(filters)], ledger_search.page(filters).sums


def a_busy_customer() -> User:
    customer, tool = a_customer("10"), a_tool(price="0.90")
    an_order(customer=customer, tool=tool, status=Status.PARTIAL, remains=360)
    an_order(customer=customer, tool=tool, status=Status.COMPLETED)
    an_order(customer=customer, tool=tool, status=Status.CANCELED)
    an_order(customer=customer, tool=tool, status=Status.IN_PROGRESS, quantity=2_000)
    return customer


@pytest.mark.both_engines
def test_balance_and_held_money_are_the_differences_of_the_lines_behind_them() -> None:
    customer, _other = a_busy_customer(), a_busy_customer()

    _lines, of_balance = found(customer=customer.id, account="customer")
    _lines, of_held = found(customer=customer.id, account="holds")

    assert of_balance.difference_nanos == ledger.balance_nanos(customer.id) > 0
    assert of_held.difference_nanos == ledger.held_nanos(customer.id) == 1_800_000_000


@pytest.mark.both_engines
def test_lines_are_found_by_each_filter_and_by_several_together() -> None:
    customer, other = a_busy_customer(), a_busy_customer()
    partial = min(row.id for row in order_history.history_batch(customer.id, filters=OrderFilters()))
    everything, sums = found()

    of_order, _ = found(order=partial)
    of_customer, _ = found(customer=customer.email)
    kinds = {kind: found(kind=kind)[0] for kind in ("charge", "keep", "return", "deposit", "adjustment")}

    assert len(everything) == sums.lines == len(of_customer) * 2
    assert everything == sorted(everything, reverse=True)
    assert len(of_order) == 3
    assert set(of_order) < set(of_customer)
    assert sorted(line for lines in kinds.values() for line in lines) == sorted(everything)
    assert found(amount="0.324")[1].lines == 2
    assert found(amount="0.324", customer=other.id)[1].lines == 1
    assert found(q="DEPOSIT:TEST")[1].lines == 2
    assert found(q="%")[1].lines == 0
    assert found(from_="2026-11-20", to="2026-11-20")[1].lines == len(everything)
    assert found(from_="2026-11-21")[1].lines == 0
    assert found(line=of_order[0])[0] == of_order[:1]


def test_pages_of_the_ledger_follow_one_another_without_a_gap(office: FlaskClient) -> None:
    customer = a_customer("1000")
    tool = a_tool()
    for _ in range(ledger_search.PAGE_SIZE):
        an_order(customer=customer, tool=tool, quantity=10)

    first = office.get("/office/ledger?kind=charge").text
    whole = office.get("/office/ledger").text
    second = office.get(html.unescape(re.search(r'rel="next" href="([^"]+)"', whole)[1])).text

    assert 'rel="next"' not in first
    numbers = [int(number) for page in (whole, second) for number in re.findall(r'<tr id="line-(\d+)"', page)]
    assert numbers == sorted(set(numbers), reverse=True)
    assert len(numbers) == ledger_search.PAGE_SIZE + 1


def test_each_line_names_its_two_accounts(office: FlaskClient) -> None:
    customer = a_customer("10")
    an_order(customer=customer, status=Status.COMPLETED)

    page = html.unescape(office.get("/office/ledger").text)

    for name in ("Deposits", "Held for orders", "Sales"):
        assert re.search(rf'data-label="(From|To)"[^>]*>\s*{name}', page), name
    assert page.count(f'href="/office/customers/{customer.id}">{customer.email}') == 2


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("order=x", "whole number"),
        ("line=0", "whole number"),
        ("customer=nobody@example.com", "no account with this email"),
        ("kind=gift", "no such kind"),
        ("account=mine", "no such account"),
        ("amount=1e5", "Write an amount in digits"),
        ("q=%01", "Search for a part"),
        ("from=2026-13-01", "not a day"),
        ("from=2026-11-21&to=2026-11-20", "Swap them"),
    ],
)
def test_a_filter_that_cannot_be_read_is_a_422_with_what_was_typed(
    office: FlaskClient, query: str, sentence: str
) -> None:
    for path in ("/office/ledger", "/office/ledger.csv"):
        answer = office.get(f"{path}?{query}")
        assert answer.status_code == 422
        assert sentence in html.unescape(answer.text)


def test_files_hold_every_line_and_no_formulas(office: FlaskClient) -> None:
    customer = a_customer("0")
    with transaction():
        ledger.deposit(customer.id, amount_nanos=5, reason="=1+1", note="@SUM(A1)", now=NOON)
        audit_log.write("-do", actor="+anna", subject="=2+2", detail="\ttab", now=NOON)

    lines = list(csv.DictReader(io.StringIO(office.get("/office/ledger.csv").text)))
    log = list(csv.DictReader(io.StringIO(office.get("/office/audit-log.csv").text)))

    assert [(line["amount"], line["reason"], line["note"]) for line in lines] == [
        (money.plain(5), "'=1+1", "'@SUM(A1)"),
    ]
    assert [tuple(line.values())[2:] for line in log] == [("'+anna", "'-do", "'=2+2", "'\ttab", "'-do")]


def test_the_log_is_searched_by_who_what_and_when_in_pages(office: FlaskClient) -> None:
    with transaction():
        for number in range(audit_log_search.PAGE_SIZE + 1):
            audit_log.write("orders set", actor="anna", subject=f"order {number}", detail="<b>why</b>", now=NOON)
        audit_log.write("tools set", actor="bert", subject="tool x", detail="name=Y", now=NOON)

    def log(**given: str) -> str:
        return office.get(f"/office/audit-log?{urlencode(given)}").text

    whole = log(actor="ANN")
    second = office.get(html.unescape(re.search(r'rel="next" href="([^"]+)"', whole)[1])).text
    assert (whole.count("<tr id="), second.count("<tr id=")) == (audit_log_search.PAGE_SIZE, 1)
    assert "<b>why</b>" not in whole and "&lt;b&gt;why" in whole
    assert log(subject="order 7").count("<tr id=") == 1
    assert log(action="tools", detail="NAME=").count("<tr id=") == 1
    assert "No entries match these filters." in log(**{"from": "2026-11-21"})
    assert office.get("/office/audit-log?actor=%00").status_code == 422
    assert db.session.query(AuditLogEntry).count() == audit_log_search.PAGE_SIZE + 2


def test_the_log_says_actions_in_words_and_finds_them_by_words_on_the_page_and_in_the_file(office: FlaskClient) -> None:
    with transaction():
        audit_log.write("tickets answer and close", actor="anna", subject="ticket 3", now=NOON)
        audit_log.write("customers deposit T-5WKCY8", actor="anna", subject="customer 4", now=NOON)

    page = office.get("/office/audit-log").text
    found_page = office.get("/office/audit-log?action=Confirmed a deposit").text
    rows = list(csv.DictReader(io.StringIO(office.get("/office/audit-log.csv?action=answered and closed").text)))

    assert '<td data-label="Action">Answered and closed a ticket</td>' in page and "tickets answer" not in page
    assert (found_page.count("<tr id="), found_page.count(">Confirmed a deposit<")) == (1, 1)
    assert [(row["action"], row["stored action"]) for row in rows] == [
        ("Answered and closed a ticket", "tickets answer and close")
    ]


@pytest.mark.parametrize(
    ("path", "none_at_all", "none_for_filter"),
    [
        ("/office/ledger", "No lines yet.", "/office/ledger?q=nothing"),
        ("/office/audit-log", "No entries yet.", "/office/audit-log?actor=nobody"),
        ("/office/tools", "No tools yet.", "/office/tools?q=nothing"),
    ],
)
def test_empty_list_says_whether_there_is_none_or_none_that_matches(
    office: FlaskClient, path: str, none_at_all: str, none_for_filter: str
) -> None:
    empty, filtered = office.get(path).text, office.get(none_for_filter).text

    assert none_at_all in empty and "match" not in empty.partition(none_at_all)[2][:100]
    assert none_at_all not in filtered and "Show all" in filtered

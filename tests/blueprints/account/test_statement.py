"""Statement for any period: the page and the CSV have the same figures, and they add up."""

import csv
import io
import re
from datetime import date, timedelta

import pytest
from flask import current_app
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from panel.blueprints.account import balance
from panel.blueprints.shared.csv_files import safe_cell
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money
from panel.domain.lists.date_range import Period
from panel.domain.status import Status
from panel.models import User
from panel.services.money import deposits, ledger, statements
from tests.support.factories import NOON, a_customer, a_tool, an_order, logged_in

NOVEMBER = "from=2026-11-01&to=2026-11-30"


def rows_of(answer: TestResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


def a_history(customer: User) -> None:
    """A Partial, a Canceled and a running order, on different days."""
    tool = a_tool(price="0.90")
    an_order(customer=customer, tool=tool, status=Status.PARTIAL, remains=400, now=NOON)
    an_order(customer=customer, tool=tool, status=Status.CANCELED, now=NOON + timedelta(days=2))
    an_order(customer=customer, tool=tool, status=Status.IN_PROGRESS, now=NOON + timedelta(days=4))


def test_confirmed_request_is_named_in_the_statement(client: FlaskClient) -> None:
    customer = a_customer("0")
    amount = money.parse_nanos("7")
    with transaction():
        reference = deposits.request_deposit(customer.id, amount_nanos=amount, now=NOON).reference
        deposits.confirm(reference, amount_nanos=amount, note="Arrived.", now=NOON)
    logged_in(client, customer)

    assert f'Added, reference <span class="id">{reference}</span>: Arrived.' in " ".join(
        client.get(f"/balance/statement?{NOVEMBER}").text.split()
    )
    assert [row["deposit"] for row in rows_of(client.get(f"/balance/statement.csv?{NOVEMBER}"))] == ["", reference, ""]
    assert "open request" not in client.get("/balance").text


@pytest.mark.both_engines
def test_statement_adds_up_and_says_so(client: FlaskClient) -> None:
    customer = a_customer("10")
    a_history(customer)

    page = logged_in(client, customer).get("/balance/statement?from=2026-11-21&to=2026-11-22").text

    assert re.search(r"Opening balance</dt><dd><data[^>]*>\$9\.46", page)
    assert re.search(r"Closing balance</dt><dd><data[^>]*>\$9\.46", page)
    assert re.search(r"Total in</dt><dd><data[^>]*>\$0\.90", page)
    assert "Sums checked:" in page and "2 entries" in page


def test_statement_without_entries_has_no_sums_to_check(client: FlaskClient) -> None:
    page = logged_in(client, a_customer()).get("/balance/statement?from=2020-01-01&to=2020-01-02").text

    assert "There are no entries on these days." in page
    assert "Sums checked" not in page and "Line numbers run" not in page


def test_statement_that_does_not_add_up_says_so(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "of_period", lambda *_given: statements.Statement(1, (), 2))

    page = logged_in(client, a_customer()).get("/balance/statement").text

    assert "The sums differ" in page and "Sums checked" not in page


def test_statement_of_this_month_comes_first(client: FlaskClient) -> None:
    today = utc_now().date()

    page = logged_in(client, a_customer()).get("/balance/statement").text

    assert f'name="from" type="date" value="{today.replace(day=1)}"' in page
    assert f'name="to" type="date" value="{today}"' in page


@pytest.mark.both_engines
@given(first=st.integers(-3, 8), days=st.integers(0, 8))
def test_opening_and_entries_are_the_closing_for_any_days(client: FlaskClient, first: int, days: int) -> None:
    customer = _someone_with_a_history(client)
    start = NOON.date() + timedelta(days=first)
    end = start + timedelta(days=days)

    rows = rows_of(client.get(f"/balance/statement.csv?from={start}&to={end}"))

    opening, *entries, closing = rows
    running = money.parse_nanos(opening["balance"])
    for entry in entries:
        running += _nanos(entry["in"]) - _nanos(entry["out"])
        assert money.parse_nanos(entry["balance"]) == running
        assert start <= date.fromisoformat(entry["at"][:10]) <= end
    assert running == money.parse_nanos(closing["balance"])
    assert statements.of_period(customer, Period(start - timedelta(days=999), end)).closing_nanos == running


def _nanos(text: str) -> int:
    return money.parse_nanos(text) if text else 0


def _someone_with_a_history(client: FlaskClient) -> int:
    known = current_app.extensions.get("test.customer")
    if known is None:
        customer = a_customer("10")
        a_history(customer)
        logged_in(client, customer)
        known = current_app.extensions["test.customer"] = customer.id
    assert isinstance(known, int)
    return known


def test_neighbouring_periods_meet_without_gap_or_overlap(client: FlaskClient) -> None:
    customer = a_customer("10")
    a_history(customer)
    logged_in(client, customer)

    whole = rows_of(client.get("/balance/statement.csv?from=2026-11-19&to=2026-11-30"))
    first = rows_of(client.get("/balance/statement.csv?from=2026-11-19&to=2026-11-22"))
    second = rows_of(client.get("/balance/statement.csv?from=2026-11-23&to=2026-11-30"))

    assert first[-1]["balance"] == second[0]["balance"]
    assert first[1:-1] + second[1:-1] == whole[1:-1]


def test_csv_and_page_carry_the_same_figures(client: FlaskClient) -> None:
    customer = a_customer("10")
    a_history(customer)
    logged_in(client, customer)

    page = client.get(f"/balance/statement?{NOVEMBER}").text
    answer = client.get(f"/balance/statement.csv?{NOVEMBER}")

    assert answer.content_type == "text/csv; charset=utf-8"
    assert "filename=statement-2026-11-01-to-2026-11-30.csv" in answer.headers["Content-Disposition"]
    entries = rows_of(answer)[1:-1]
    shown = re.findall(r'data-label="(?:Out|In|Balance)">(?:<data class="money" value="([^"]+)"[^>]*>)?', page)
    assert shown == [figure for row in entries for figure in (row["out"], row["in"], row["balance"])]
    assert re.findall(r'id="line-(\d+)"', page) == [row["line"] for row in entries]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-11-02&to=2026-11-01", "from"),
        ("from=9999-12-31&to=9999-12-31", "from"),
    ],
)
@pytest.mark.parametrize("page", ["statement", "statement.csv"])
def test_bad_days_are_a_sentence_beside_the_field(client: FlaskClient, page: str, query: str, field: str) -> None:
    answer = logged_in(client, a_customer()).get(f"/balance/{page}?{query}")

    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert f'name="{field}" type="text" value="{query.split("&", maxsplit=1)[0].partition("=")[2]}"' in answer.text


def test_returned_amount_names_the_line_of_its_charge(client: FlaskClient) -> None:
    customer = a_customer("10")
    an_order(customer=customer, status=Status.CANCELED)
    logged_in(client, customer)

    _opening, deposit, charged, returned, _closing = rows_of(client.get(f"/balance/statement.csv?{NOVEMBER}"))

    assert (deposit["reverses"], charged["reverses"], returned["reverses"]) == ("", "", charged["line"])
    assert f"(of line {charged['line']})" in client.get("/balance").text


def test_long_statement_comes_in_pages_that_hold_each_entry_once(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balance, "ENTRIES_PER_PAGE", 3)
    customer = a_customer("100")
    tool = a_tool()
    for _ in range(7):
        an_order(customer=customer, tool=tool)
    logged_in(client, customer)

    pages = [client.get(f"/balance/statement?{NOVEMBER}&page={number}").text for number in (1, 2, 3)]

    lines = [line for page in pages for line in re.findall(r'id="line-(\d+)"', page)]
    assert len(lines) == len(set(lines)) == 8
    assert all("8 entries" in page for page in pages)
    assert "Page 2 of 3" in pages[1]
    for number in ("0", "-1", "99999999999999999999", "x", "²", "4"):
        assert client.get(f"/balance/statement?{NOVEMBER}&page={number}").status_code == 200


def test_long_statement_is_printed_by_parts(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balance, "ENTRIES_PER_PAGE", 2)
    monkeypatch.setattr(balance, "PRINTED_ENTRIES", 4)
    customer, tool = a_customer("100"), a_tool()
    for _ in range(3):
        an_order(customer=customer, tool=tool)
    logged_in(client, customer)
    before = client.get(f"/balance/statement?{NOVEMBER}&page=all").text
    an_order(customer=customer, tool=tool)

    after = client.get(f"/balance/statement?{NOVEMBER}&page=all").text

    assert len(re.findall(r'id="line-', before)) == 4 and "choose fewer days" not in before
    assert len(re.findall(r'id="line-', after)) == 2 and "To print, choose fewer days" in after


def test_lines_of_someone_else_are_in_no_statement(client: FlaskClient) -> None:
    stranger = a_customer("10")
    theirs = an_order(customer=stranger)
    logged_in(client, a_customer("0"))

    for path in (
        "/balance",
        f"/balance/statement?{NOVEMBER}",
        f"/balance/statement.csv?{NOVEMBER}&user_id={stranger.id}",
    ):
        assert f"orders/{theirs.id}" not in client.get(path).text
    assert [row["what"] for row in rows_of(client.get(f"/balance/statement.csv?{NOVEMBER}"))] == [
        "Opening balance",
        "Closing balance",
    ]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_note_that_looks_like_a_formula_stays_text(client: FlaskClient, text: str) -> None:
    customer = a_customer("0")
    with transaction():
        ledger.deposit(customer.id, amount_nanos=money.parse_nanos("5"), reason="deposit:formula", note=text, now=NOON)

    answer = logged_in(client, customer).get(f"/balance/statement.csv?{NOVEMBER}")

    assert safe_cell(text).startswith("'")
    assert rows_of(answer)[1]["note"].startswith("'")

"""Customers in the office: search, detail page, credit and debit with a confirmation, disabling."""

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.domain.status import Status
from panel.models import User
from panel.services.accounts import sessions
from panel.services.money import account_entries, deposits, ledger
from panel.services.office import customers
from tests.support import ledger_oracle
from tests.support.api_clients import a_caller
from tests.support.factories import NOON, PASSWORD, a_customer, a_tool, an_operator, an_order, logged_in, reload

HOSTILE = "<img/src=x>{{7*7}}@example.com"


def hidden(page: str) -> dict[str, str]:
    """Hidden fields of the page's last form with a form key."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found if name != "csrf_token"}


def checked(client: FlaskClient, customer: User, **fields: str) -> TestResponse:
    data = {"kind": "credit", "amount": "5", "reason": "Paid by card."} | fields
    return client.post(f"/office/customers/{customer.id}/money", data=data)


def balance(customer: User) -> str:
    db.session.rollback()
    return money.plain(ledger.balance_nanos(customer.id))


def test_customers_are_found_by_number_and_part_of_the_email_in_pages(office: FlaskClient) -> None:
    first = a_customer(email="anna_b@example.com")
    others = [a_customer(email=f"bert{number}@example.com") for number in range(customers.PAGE_SIZE)]

    by_part = office.get("/office/customers?q=NNA_").text
    by_number = office.get(f"/office/customers?q={first.id}").text
    page = office.get("/office/customers?q=example.com").text
    following = html.unescape(re.search(r'rel="next" href="([^"]+)"', page)[1])

    for found in (by_part, by_number):
        assert f'id="open-{first.id}"' in found
        assert f'id="open-{others[5].id}"' not in found
    assert page.count("<tr id=") == customers.PAGE_SIZE
    assert f'id="customer-{first.id}"' in office.get(following).text
    assert "No accounts match" in office.get("/office/customers?q=%25").text
    assert office.get("/office/customers?q=%00").status_code == 422


def test_one_page_shows_a_customer_from_all_sides(office: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, tool=a_tool("page-visits"), status=Status.PARTIAL, remains=360)
    an_order(customer=customer, quantity=100)
    with transaction():
        request = deposits.request_deposit(customer.id, amount_nanos=money.parse_nanos("25"), now=NOON)
        reference = request.reference

    page = html.unescape(office.get(f"/office/customers/{customer.id}").text)

    assert f'href="/office/orders/{order.id}"' in page
    assert f'href="/office/ledger?order={order.id}"' in page
    assert f'href="/office/deposits/{reference}"' in page
    assert "2: 1 Pending, 1 Partial" in page
    assert re.search(r"On hold for open orders</dt><dd><data[^>]*>\$0\.09<", page)
    assert office.get("/office/customers/999999").status_code == 404


def test_hostile_names_are_text_everywhere(office: FlaskClient) -> None:
    """Sign-up rejects such an email, but older rows may have one."""
    customer = a_customer()
    with transaction():
        db.session.execute(update(User).where(User.id == customer.id).values(email=HOSTILE))

    for path in ("/office/customers", f"/office/customers/{customer.id}"):
        page = office.get(path).text
        assert "<img/src=x>" not in page
        assert "&lt;img/src=x&gt;{{7*7}}@example.com" in page


def test_the_effect_is_shown_before_money_moves_and_the_form_moves_it_once(office: FlaskClient) -> None:
    customer = a_customer("10")

    looked = checked(office, customer, amount="5.50")
    untouched = balance(customer)
    form = hidden(looked.text)
    first, second = (office.post(f"/office/customers/{customer.id}/money", data=form) for _ in range(2))

    assert untouched == "10.00"
    assert re.search(r"Balance now</dt><dd><data[^>]*>\$10\.00<", looked.text)
    assert re.search(r"Balance after</dt><dd><data[^>]*>\$15\.50<", looked.text)
    assert (first.status_code, second.status_code) == (303, 409)
    assert "This form was sent before" in second.text
    assert balance(customer) == "15.50"
    ledger_oracle.assert_consistent()


def test_a_balance_that_changed_in_between_shows_the_effect_again(office: FlaskClient) -> None:
    customer = a_customer("10")
    form = hidden(checked(office, customer, kind="debit").text)
    an_order(customer=customer, quantity=1_000, price="1.00")

    answer = office.post(f"/office/customers/{customer.id}/money", data=form)

    assert answer.status_code == 409
    assert "The balance has changed since you looked." in answer.text
    assert re.search(r"Balance after</dt><dd><data[^>]*>\$4\.00<", answer.text)
    assert balance(customer) == "9.00"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"amount": "abc"}, "Write an amount in digits"),
        ({"amount": ""}, "The amount is missing"),
        ({"amount": "0"}, "more than zero"),
        ({"kind": "debit", "amount": "10.01"}, "A debit never takes more than that"),
        ({"kind": "gift"}, "Choose credit or debit"),
        ({"reason": " "}, "Write a reason"),
    ],
)
def test_invalid_input_is_a_422_with_the_typed_values(
    office: FlaskClient, fields: dict[str, str], sentence: str
) -> None:
    customer = a_customer("10")

    answer = checked(office, customer, **{"reason": "Typed before."} | fields)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert fields.get("reason", "Typed before.").strip() in answer.text
    assert balance(customer) == "10.00"


def test_above_the_limit_another_operator_confirms_on_a_page_of_its_own(app: Flask, office: FlaskClient) -> None:
    customer, second = a_customer("10"), logged_in(app.test_client(), an_operator())
    looked = checked(office, customer, amount="100.01").text

    proposed = office.post(f"/office/customers/{customer.id}/money", data=hidden(looked))
    waiting = html.unescape(office.get(proposed.location).text)
    address = re.search(r'href="(/office/approvals/\d+)"', waiting)[1]
    own = office.get(address).text
    refused = office.post(f"{address}/confirmation", data={"balance": "10000000000"})
    held = balance(customer)
    form = hidden(second.get(address).text)
    confirmed, again_ = (second.post(f"{address}/confirmation", data=form) for _ in range(2))

    assert "A second operator must approve this" in html.unescape(looked)
    assert "Another operator must approve it." in own and "Withdraw the proposal" in own
    assert (refused.status_code, held) == (409, "10.00")
    assert (confirmed.status_code, again_.status_code) == (303, 409)
    assert balance(customer) == "110.01"
    assert "No proposals are waiting for approval." in second.get("/office/approvals").text


def test_a_deposit_is_confirmed_with_what_arrived(office: FlaskClient) -> None:
    customer = a_customer("0")
    with transaction():
        reference = deposits.request_deposit(customer.id, amount_nanos=25_000_000_000, now=NOON).reference
    address = f"/office/deposits/{reference}"

    listed = office.get("/office/deposits").text
    bad = office.post(f"{address}/confirmation", data={"amount": "24.50", "paid_as": ""})
    looked = office.post(f"{address}/confirmation", data={"amount": "24.50", "paid_as": "SEPA 77"})
    first, second = (office.post(f"{address}/confirmation", data=hidden(looked.text)) for _ in range(2))

    assert reference in listed
    assert office.get(f"/office/deposits?q={reference.lower()}").location == address
    assert (bad.status_code, looked.status_code) == (422, 200)
    assert 'value="24.50"' in bad.text
    assert (first.status_code, second.status_code) == (303, 409)
    assert balance(customer) == "24.50"
    assert account_entries.last_entries(customer.id, count=1)[0].note == "Payment SEPA 77"
    assert "No deposits are waiting." in office.get("/office/deposits").text
    assert office.get("/office/deposits/T-AAAAAA").status_code == 404


def test_refused_deposit_shows_its_customer_the_reason(app: Flask, office: FlaskClient) -> None:
    customer = a_customer("0")
    with transaction():
        reference = deposits.request_deposit(customer.id, amount_nanos=25_000_000_000, now=NOON).reference

    empty = office.post(f"/office/deposits/{reference}/refusal", data={"refusal": ""})
    done = office.post(f"/office/deposits/{reference}/refusal", data={"refusal": "It never came."})
    page = logged_in(app.test_client(), customer).get("/balance/add").text

    assert (empty.status_code, done.status_code) == (422, 303)
    assert "It never came." in page and reference in page


def test_disabled_customer_is_logged_out_everywhere_until_enabled_again(app: Flask, office: FlaskClient) -> None:
    customer = a_customer("10")
    browser = logged_in(app.test_client(), customer)
    order = an_order(customer=customer, now=utc_now())
    live = f"/orders/{order.id}/live"
    tag = {"HX-PTag": browser.get(live).headers["HX-PTag"]}
    caller = a_caller(app.test_client(), customer)
    works = caller.call("status", order=order.id)["status"], browser.get(live, headers=tag).status_code

    done = office.post(f"/office/customers/{customer.id}/disable", data={"reason": "Stolen cards."})
    let_in = {"email": customer.email, "password": PASSWORD}
    log_in = app.test_client().post("/log-in", data=let_in)
    wrong = app.test_client().post("/log-in", data=let_in | {"password": "not the password"})
    out = [browser.get("/orders").status_code, browser.get(live, headers=tag).status_code]
    refused = [caller.call("balance"), caller.call("status", order=order.id)]

    assert works == ("Pending", 304)
    assert done.status_code == 303
    assert out == [303, 401]
    assert refused == [{"error": "Invalid API key"}] * 2
    assert "This account is disabled. Reason: Stolen cards. Running" in log_in.text
    assert "disabled" not in wrong.text and "Stolen" not in wrong.text
    assert log_in.status_code in (403, 422)
    assert reload(order).status == "pending"

    office.post(f"/office/customers/{customer.id}/enable", data={"reason": "Cleared."})

    assert caller.call("balance")["balance"]
    assert browser.get("/orders").status_code == 303
    assert app.test_client().post("/log-in", data=let_in).status_code == 303


def test_disabling_needs_a_reason_and_is_never_for_oneself(app: Flask, client: FlaskClient) -> None:
    operator, customer = an_operator(), a_customer()
    office = logged_in(client, operator)

    empty = office.post(f"/office/customers/{customer.id}/disable", data={"role": "customer", "reason": ""})
    own = office.post(f"/office/customers/{operator.id}/disable", data={"reason": "Why not."})
    first, twice = (office.post(f"/office/customers/{customer.id}/disable", data={"reason": "Spam."}) for _ in "12")

    assert (empty.status_code, own.status_code) == (422, 409)
    assert 'href="#access-reason"' in empty.text and 'id="access-reason-error"' in empty.text
    assert (first.status_code, twice.status_code) == (303, 409)
    assert reload(operator).disabled_at is None


def test_logging_out_everywhere_ends_every_device_and_leaves_the_keys(app: Flask, office: FlaskClient) -> None:
    customer = a_customer()
    browsers = [logged_in(app.test_client(), customer) for _ in range(2)]
    caller = a_caller(app.test_client(), customer)

    done = office.post(f"/office/customers/{customer.id}/log-out", data={"reason": "Asked by phone."})

    assert done.status_code == 303
    assert [browser.get("/orders").status_code for browser in browsers] == [303, 303]
    assert sessions.devices(customer.id, now=utc_now()) == []
    assert caller.call("balance")["balance"]
    assert "Asked by phone." in office.get(f"/office/customers/{customer.id}").text


def test_pages_and_files_of_the_office_are_kept_by_nobody_and_shown_to_no_customer(
    app: Flask, office: FlaskClient
) -> None:
    customer, tool = a_customer("10"), a_tool("page-visits")
    browser, halfway = logged_in(app.test_client(), customer), app.test_client()
    logged_in(halfway, an_operator(), second_factor=False)
    paths = ["customers", "approvals", "deposits", "ledger", "ledger.csv", "tools", "providers"]
    paths += ["audit-log", "audit-log.csv"]
    paths += [f"customers/{customer.id}", f"tools/{tool.slug}", f"providers/{tool.provider_id}", "tools/new"]

    for path in paths:
        shown = office.get(f"/office/{path}")
        assert (shown.status_code, shown.headers["Cache-Control"]) == (200, "no-store"), path
        assert path.endswith(".csv") or 'content="noindex"' in shown.text, path
        assert browser.get(f"/office/{path}").status_code == 404, path
        assert app.test_client().get(f"/office/{path}").status_code == 404, path
        assert halfway.get(f"/office/{path}").status_code == 303, path


def test_money_forms_need_their_token(office: FlaskClient, csrf: None) -> None:
    customer = a_customer("10")

    # The money form keeps what was typed.
    for path, status in (("money", 403), ("disable", 400), ("enable", 400), ("log-out", 400)):
        assert office.post(f"/office/customers/{customer.id}/{path}").status_code == status


def test_another_operators_access_and_role_change_with_a_second_operators_approval(
    app: Flask, office: FlaskClient
) -> None:
    target, second = an_operator(), logged_in(app.test_client(), an_operator())
    page = f"/office/customers/{target.id}"

    unreasoned = office.post(f"{page}/role", data={"role": "customer", "reason": ""})
    form = {"role": "customer", "reason": "Left."}
    asked = [office.post(f"{page}/{what}", data=form) for what in ("disable", "role")]
    between = html.unescape(office.get(page).text)
    twice = office.post(f"{page}/disable", data={"reason": "Left."})
    addresses = re.findall(r'href="(/office/approvals/\d+)"', between)
    own = html.unescape(office.get(addresses[0]).text)
    still = reload(target).disabled_at, reload(target).is_staff
    approved = [second.post(f"{address}/confirmation") for address in addresses]
    db.session.rollback()

    assert [answer.status_code for answer in asked] == [303, 303]
    assert (unreasoned.status_code, twice.status_code) == (422, 409)
    assert 'id="role-reason-error"' in unreasoned.text
    assert "Nothing has changed yet" in between and "Propose to disable" in between
    assert "You proposed it. Another operator must approve it." in own
    assert still == (None, True)
    assert [answer.status_code for answer in approved] == [303, 303]
    assert (reload(target).disabled_at is not None, reload(target).is_staff) == (True, False)
    listed = html.unescape(second.get("/office/approvals").text)
    assert "Disable the account" in listed and "Change the role to customer" in listed and "Approved" in listed


def test_the_only_operator_reads_how_to_go_on_from_the_command_line(office: FlaskClient) -> None:
    customer = a_customer("10")
    looked = checked(office, customer, amount="500")
    office.post(f"/office/customers/{customer.id}/money", data=hidden(looked.text))

    page = html.unescape(office.get(f"/office/customers/{customer.id}").text)
    approvals = html.unescape(office.get("/office/approvals").text)

    assert f"flask users role {customer.email} ROLE" in page
    assert "There is only one operator" in approvals and "flask approvals approve" in approvals

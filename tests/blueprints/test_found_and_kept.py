"""Search by order number, links with bars, expired mass orders, CSV for Excel, and one-click unsubscribe."""

import pytest
from flask.testing import FlaskClient

from panel.db import transaction
from panel.domain.lists.order_filters import number_named
from panel.domain.notification_kinds import Notice
from panel.services import audit_log
from panel.services.mail import notifications
from tests.support.factories import NOON, a_customer, a_tool, an_operator, an_order, logged_in
from tests.support.ticket_factories import a_ticket

SPELLINGS = ["{}", "#{}", "order {}", "Order #{}", "ORDER#{}", " order  # {} "]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_an_order_is_found_however_its_number_is_written(client: FlaskClient, spelled: str) -> None:
    customer = a_customer("100")
    found, other = an_order(customer=customer), an_order(customer=customer)
    ticket = a_ticket(customer=customer, order=found.id)
    asked = {"q": spelled.format(found.id)}

    for who, path in ((customer, "/orders"), (an_operator(), "/office/orders")):
        page = logged_in(client, who).get(path, query_string=asked).text
        assert f'id="order-{found.id}"' in page or f"/office/orders/{found.id}" in page
        # A bare number may also be part of a link.
        assert spelled == "{}" or f'id="order-{other.id}"' not in page
    assert f"/office/tickets/{ticket.id}" in client.get("/office/tickets", query_string=asked).text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("62", 62), ("#62", 62), ("Order #62", 62), ("orders 62", None), ("62 orders", None), ("order", None)],
        *[("", None), ("order62", None), ("9" * 19, None), ("ticket 62", None), ("６２", None)],
    ],
)
def test_a_number_is_read_only_where_it_is_one(text: str, number: int | None) -> None:
    assert number_named(text, thing="order") == number


def test_a_link_with_bars_can_be_ordered_by_lines(client: FlaskClient) -> None:
    a_tool("page-visits", link_pattern=r"https://example\.com/.*")
    logged_in(client, a_customer("10"))
    link = "https://example.com/a?x=1|2|3"

    page = client.post("/orders/mass", data={"lines": f"page-visits | {link} | 1000", "step": "check"})

    assert page.status_code == 200
    assert link in page.text
    for line in ("page-visits", "page-visits | 1000"):
        refused = client.post("/orders/mass", data={"lines": line, "step": "check"})
        assert "A line has three parts" in refused.text


@pytest.mark.usefixtures("csrf")
@pytest.mark.parametrize("step", ["check", "place"])
def test_expired_mass_order_keeps_its_lines(client: FlaskClient, step: str) -> None:
    logged_in(client, a_customer("10"))
    lines = "page-visits | https://example.com/page-1 | 1000\npage-likes | x | <b>"

    answer = client.post("/orders/mass", data={"lines": lines, "step": step, "request_id": "the-number-of-this-form"})

    assert answer.status_code == 403
    assert "This form was too old" in answer.text
    assert "page-visits | https://example.com/page-1 | 1000" in answer.text
    assert "<b>" not in answer.text
    assert 'value="the-number-of-this-form"' in answer.text


@pytest.mark.usefixtures("csrf")
@pytest.mark.parametrize(
    "headers", [{"Origin": "https://mail.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
def test_one_click_unsubscribe_may_come_from_another_site(client: FlaskClient, headers: dict[str, str]) -> None:
    user = a_customer()
    path = notifications.unsubscribe_path(user.id, [Notice.TICKET])

    answer = client.post(path, data={"List-Unsubscribe": "One-Click"}, headers=headers)

    assert answer.status_code == 200
    assert not notifications.preferences(user.id)[Notice.TICKET]
    assert client.post("/account/notices", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/orders", "/orders.csv"),
        ("/balance/statement", "/balance/statement.csv"),
        ("/office/ledger", "/office/ledger.csv"),
        ("/office/audit-log", "/office/audit-log.csv"),
        ("/office/orders", "/office/orders.csv"),
        ("/office/customers", "/office/customers.csv"),
        ("/office/deposits", "/office/deposits.csv"),
    ],
)
def test_each_csv_is_also_one_for_excel(client: FlaskClient, address: str, path: str) -> None:
    customer = a_customer("10")
    an_order(customer=customer)
    with transaction():
        audit_log.write("look", actor="operator", subject="order 1", now=NOON)
    logged_in(client, customer if address == "/orders" else an_operator())

    plain, for_excel = client.get(path), client.get(path, query_string={"for": "excel"})

    assert "CSV for Excel</a>" in client.get(address).text
    assert for_excel.data == b"\xef\xbb\xbf" + plain.data
    assert not plain.data.startswith(b"\xef")


@pytest.mark.usefixtures("csrf")
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/tickets", {"kind": "other", "subject": "A subject", "text": "A long text\nof <b>two</b> lines"}),
        ("/tickets/{ticket}/answers", {"text": "A long text\nof <b>two</b> lines"}),
        ("/orders/mass", {"step": "check", "lines": "A long text\nof <b>two</b> lines"}),
    ],
)
def test_a_long_form_is_kept_after_the_session_ended(client: FlaskClient, path: str, fields: dict[str, str]) -> None:
    customer = a_customer("10")
    path = path.replace("{ticket}", str(a_ticket(customer=customer).id))
    fields |= {"request_id": "the-number-of-this-form"}

    logged_out = client.post(path, data=fields)
    again = logged_in(client, customer).post(path, data=fields | {"csrf_token": "of the session before"})

    for answer in (logged_out, again):
        assert answer.status_code == 403
        assert answer.headers["Cache-Control"] == "no-store"
    assert "A long text\nof &lt;b&gt;two&lt;/b&gt; lines" in again.text
    assert 'name="kept_form"' in logged_out.text

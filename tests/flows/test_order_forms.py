"""Order forms of every type: by the API, by the order form, to the provider and back, with exact money."""

import html
import re
from html.parser import HTMLParser

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import BadQuantity
from panel.domain.forms.order_types import TYPES
from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.models import Order, OrderField, Tool, User
from panel.providers import http
from panel.providers.base import Accepted, NewOrder
from panel.providers.panel_api import PanelApi
from panel.services.money import ledger
from panel.services.orders import cancellations, dispatch, order_fields, placing, sync, transitions
from panel.services.orders.placing import Placing
from panel.services.privacy import closing
from tests.support import ledger_oracle
from tests.support.api_clients import PATH, a_caller
from tests.support.factories import LINK, NOON, a_customer, logged_in, new_terms
from tests.support.form_factories import LINES, a_tool_of, given_for, quantity_for

EVERY_TYPE = pytest.mark.parametrize("order_type", TYPES)
PRICE = "12.345678"


def _orders() -> int:
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def _expected_quantity(order_type: str) -> int:
    form = TYPES[order_type]
    return 100 if form.takes_quantity else 1 if form.is_package else len(LINES)


def _placed(order_type: str, customer: User, tool: Tool) -> Order:
    form = TYPES[order_type]
    asked = Placing(tool.slug, LINK, quantity_for(form), "request-000001", None, given_for(form))
    with transaction():
        return placing.place_order(customer.id, asked=asked, now=NOON)


def _sent(provider_id: int) -> NewOrder:
    with transaction():
        [assignment] = dispatch.open_attempts(provider_id, most=1, lease_seconds=60, now=NOON)
        dispatch.record_outcome(assignment.attempt_id, Accepted("901"), now=NOON)
    return assignment.order


@EVERY_TYPE
def test_api_lists_and_places_an_order_of_every_type(client: FlaskClient, order_type: str) -> None:
    form, tool, customer = TYPES[order_type], a_tool_of(order_type, price=PRICE), a_customer("100")
    caller = a_caller(client, customer)
    fields = {"service": tool.id, "link": LINK} | given_for(form)
    if form.takes_quantity:
        fields["quantity"] = "100"

    [service] = caller.call("services")
    answer = caller.call("add", **fields)

    order = db.session.scalars(select(Order)).one()
    assert service["type"] == order_type
    assert answer == {"order": order.id}
    assert order_fields.of_order(order.id) == given_for(form)
    assert (order.quantity, order.is_package) == (_expected_quantity(order_type), form.is_package)
    micros = 12_345_678
    assert order.charge_nanos == order.quantity * micros
    assert ledger.balance_nanos(customer.id) == 100 * 10**9 - order.charge_nanos


@EVERY_TYPE
def test_api_refuses_by_name_what_is_missing_or_not_taken(client: FlaskClient, order_type: str) -> None:
    form, tool, customer = TYPES[order_type], a_tool_of(order_type), a_customer("100")
    caller = a_caller(client, customer)
    fields = {"service": str(tool.id), "link": LINK} | given_for(form)
    if form.takes_quantity:
        fields["quantity"] = "100"
    wrong = {rule.name: fields | {rule.name: ""} for rule in form.fields if rule.is_required}
    wrong |= {"runs": fields | {"runs": "3"}, "answers": fields | {"answers": "x"}}
    if not form.takes_quantity:
        wrong["quantity"] = fields | {"quantity": "7"}

    for name, call in wrong.items():
        answer = caller.post("add", **call)

        assert answer.get_json() == {"error": "Incorrect request"}, name
        assert answer.headers["X-Error-Field"] == name
    assert (_orders(), ledger.balance_nanos(customer.id)) == (0, 100 * 10**9)


def test_too_few_and_too_many_lines_are_the_errors_of_a_quantity(client: FlaskClient) -> None:
    tool, customer = a_tool_of("Custom Comments", minimum=2, maximum=3), a_customer("100")
    caller = a_caller(client, customer)

    few = caller.call("add", service=tool.id, link=LINK, comments="one")
    many = caller.call("add", service=tool.id, link=LINK, comments="1\n2\n3\n4")

    assert few == {"error": "Quantity less than minimal 2"}
    assert many == {"error": "Quantity more than maximum 3"}


@pytest.mark.parametrize("order_type", [name for name, form in TYPES.items() if not form.takes_quantity])
def test_another_quantity_than_the_forms_own_is_refused(client: FlaskClient, order_type: str) -> None:
    form, tool, pieces = TYPES[order_type], a_tool_of(order_type), _expected_quantity(order_type)

    wanted = placing.quote(tool.slug, customer_id=None, link=LINK, quantity=str(pieces), fields=given_for(form))

    assert wanted.quantity == pieces
    with pytest.raises(BadQuantity):
        placing.quote(tool.slug, customer_id=None, link=LINK, quantity="7", fields=given_for(form))


def test_a_json_list_is_a_list_of_lines(client: FlaskClient) -> None:
    tool, customer = a_tool_of("Custom Comments"), a_customer("100")
    key = a_caller(client, customer).key
    call = {"key": key, "action": "add", "service": tool.id, "link": LINK, "comments": ["first", " second "]}

    client.post(PATH, json=call)

    assert order_fields.of_order(db.session.scalars(select(Order.id)).one()) == {"comments": "first\n second "}


@pytest.mark.both_engines
def test_the_same_request_with_other_fields_is_a_conflict(client: FlaskClient) -> None:
    tool, customer = a_tool_of("Custom Comments"), a_customer("100")
    caller = a_caller(client, customer)
    call = {"service": tool.id, "link": LINK, "request_id": "mine-1"}

    first = caller.call("add", **call, comments="one\r\ntwo")
    again = caller.call("add", **call, comments="one\n\ntwo\n")
    other = caller.call("add", **call, comments="one\nthree")

    assert first == again
    assert other == {"error": "Request ID already used"}
    assert _orders() == 1


@pytest.mark.parametrize("now", ["Default", "Package", "Poll", "Invented"])
@pytest.mark.parametrize("before", ["Default", "Custom Comments", "Web Traffic", "Package"])
def test_a_call_sent_again_gets_its_order_though_the_tool_takes_other_fields_now(
    client: FlaskClient, before: str, now: str
) -> None:
    form, tool, customer = TYPES[before], a_tool_of(before), a_customer("100")
    caller = a_caller(client, customer)
    call = {"service": str(tool.id), "link": LINK, "request_id": "mine-1"} | given_for(form)
    if form.takes_quantity:
        call["quantity"] = "100"
    first = caller.call("add", **call)
    new_terms(tool, order_type=now, minimum=1, maximum=1 if now == "Package" else 1_000)

    again = caller.call("add", **call)
    other = caller.call("add", **call | {"request_id": "mine-2"})

    assert first == again
    assert "error" in other or form == TYPES.get(now)
    assert ledger.balance_nanos(customer.id) + sum(db.session.scalars(select(Order.charge_nanos))) == 100 * 10**9


def test_only_an_order_with_the_same_fields_may_be_a_duplicate(client: FlaskClient) -> None:
    tool, customer = a_tool_of("Custom Comments"), a_customer("100")
    caller = a_caller(client, customer)
    call = {"service": tool.id, "link": LINK}

    first = caller.post("add", **call, comments="one\ntwo")
    other = caller.post("add", **call, comments="one\n2")
    again = caller.post("add", **call, comments="one\ntwo")

    assert "X-Possible-Duplicate" not in first.headers
    assert "X-Possible-Duplicate" not in other.headers
    assert again.headers["X-Possible-Duplicate"] == str(first.get_json()["order"])


@EVERY_TYPE
def test_provider_gets_every_field_to_the_byte(
    client: FlaskClient, order_type: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call to a provider, sent to a panel of this product: that panel keeps what the first one has."""
    form, ours, theirs = TYPES[order_type], a_tool_of(order_type), a_tool_of(order_type)
    customer, reseller = a_customer("100"), a_customer("100")
    upstream = PanelApi("https://provider.example/api/v2", a_caller(client, reseller).key, 5)
    calls: list[dict[str, str]] = []

    def post(url: str, fields: dict[str, str], **bounds: object) -> object:
        calls.append(fields)
        return client.post(PATH, data=fields).get_json()

    monkeypatch.setattr(http, "post", post)
    order = _placed(order_type, customer, ours)
    new = _sent(ours.provider_id)
    outcome = upstream.add(NewOrder(new.order_id, str(theirs.id), new.link, new.quantity, new.fields), now=utc_now())

    [call] = calls
    assert isinstance(outcome, Accepted), outcome
    assert ("quantity" in call) == form.takes_quantity
    assert {name: call[name] for name in form.names} == given_for(form)
    there = db.session.get_one(Order, int(outcome.provider_id))
    assert order_fields.of_order(there.id) == order_fields.of_order(order.id) == given_for(form)
    assert there.quantity == order.quantity


@pytest.mark.both_engines
@pytest.mark.parametrize("end", ["completed", "partial", "canceled", "canceled here"])
def test_charge_is_kept_returned_and_held_at_every_step(end: str) -> None:
    """Every type, with the provider's counts, Partial and both kinds of cancel."""
    for order_type, form in TYPES.items():
        customer, tool = a_customer("100"), a_tool_of(order_type, price=PRICE)
        order = _placed(order_type, customer, tool)
        ledger_oracle.assert_consistent(order_ids=[order.id])
        if end == "canceled here":
            with transaction():
                cancellations.request_cancellation(order.id, customer_id=customer.id, now=NOON)
        else:
            _run_to(end, order, form.is_package)
        ledger_oracle.assert_consistent(order_ids=[order.id])
        db.session.refresh(order)
        paid = 100 * 10**9 - ledger.balance_nanos(customer.id)
        assert paid == order.charge_nanos - order.returned_nanos
        if end != "partial":
            assert order.returned_nanos == (0 if end == "completed" else order.charge_nanos)
        elif form.is_package:
            assert (order.status, order.returned_nanos) == (Status.IN_PROGRESS, 0)
        else:
            assert order.returned_nanos == order.charge_nanos // order.quantity
        _end(order)


def _run_to(end: str, order: Order, is_package: bool) -> None:
    with transaction():
        [assignment] = dispatch.open_attempts(order.provider_id, most=1, lease_seconds=60, now=NOON)
        dispatch.record_outcome(assignment.attempt_id, Accepted(f"9{order.id}"), now=NOON)
    # A package's counts are the provider's own, and may be more than its quantity.
    left = "750" if is_package else "1"
    for report in (Report("In progress", left, 12), Report(end.capitalize(), left if end != "completed" else "0")):
        with transaction():
            asks = sync.take_batch(order.provider_id, again_seconds=0, now=NOON)
            sync.apply_reports(asks, dict.fromkeys([order.id], report), now=NOON)
        ledger_oracle.assert_consistent(order_ids=[order.id])


def _end(order: Order) -> None:
    """End an order that is still open, so that the next one is alone in the sweep."""
    db.session.refresh(order)
    if Status(order.status).is_open:
        with transaction():
            locked = transitions.lock_order(order.id)
            transitions.move_order(locked, Status.CANCELED, remains=order.quantity, now=NOON)
        ledger_oracle.assert_consistent(order_ids=[order.id])


class _Fields(HTMLParser):
    """Hidden fields of the form that places the order, as a browser sends them."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self._is_open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._is_open = given.get("action") == "/orders"
        elif self._is_open and tag == "input":
            # A browser sends line ends as CR LF.
            self.fields[str(given["name"])] = str(given["value"]).replace("\n", "\r\n")


@EVERY_TYPE
def test_order_form_places_an_order_of_every_type(client: FlaskClient, order_type: str) -> None:
    form, tool, customer = TYPES[order_type], a_tool_of(order_type, price=PRICE), a_customer("100")
    logged_in(client, customer)
    page = client.get(f"/orders/new?tool={tool.slug}").text
    typed = {name: value.replace("\n", "\r\n") for name, value in given_for(form).items()}

    check = client.post("/orders/check", data={"tool": tool.slug, "link": LINK, "quantity": "100"} | typed)
    hidden = _Fields()
    hidden.feed(check.text)
    placed = client.post("/orders", data=hidden.fields)

    assert check.status_code == 200
    assert ('name="quantity"' in page) == form.takes_quantity
    assert all(f'name="{name}"' in page for name in form.names)
    assert placed.status_code == 303, placed.text
    order = db.session.scalars(select(Order)).one()
    assert order_fields.of_order(order.id) == given_for(form)
    assert order.quantity == _expected_quantity(order_type)
    shown = client.get(f"/orders/{order.id}").text
    for field in order_fields.of_order_shown(order.id, form):
        assert field.text in html.unescape(shown)
        assert field.text in html.unescape(check.text)


@EVERY_TYPE
def test_order_form_says_what_is_missing_under_the_field_and_keeps_the_rest(
    client: FlaskClient, order_type: str
) -> None:
    form, tool, customer = TYPES[order_type], a_tool_of(order_type), a_customer("100")
    logged_in(client, customer)

    for rule in form.fields:
        typed = given_for(form) | {rule.name: ""}
        page = client.post("/orders/check", data={"tool": tool.slug, "link": LINK, "quantity": "100"} | typed)

        is_due = rule.is_required or (rule.required_if and typed.get(rule.required_if[0]) == rule.required_if[1])
        assert page.status_code == (422 if is_due else 200)
        assert (f'id="{rule.name}-error"' in page.text) == bool(is_due)
        assert all(value in html.unescape(page.text) for value in typed.values())
    assert (_orders(), ledger.balance_nanos(customer.id)) == (0, 100 * 10**9)


def test_choices_are_shown_by_their_labels(client: FlaskClient) -> None:
    tool, customer = a_tool_of("Web Traffic"), a_customer("100")
    order = _placed("Web Traffic", customer, tool)
    logged_in(client, customer)
    typed = {"tool": tool.slug, "link": LINK, "quantity": "100"} | given_for(TYPES["Web Traffic"])

    pages = [client.post("/orders/check", data=typed).text, client.get(f"/orders/{order.id}").text]

    for page in pages:
        assert re.search(r'id="field-device"><bdi>([^<]*)', page)[1] == "Mobile and desktop"  # type: ignore[index]


def test_a_field_that_comes_twice_is_refused(client: FlaskClient) -> None:
    tool, customer = a_tool_of("Custom Comments"), a_customer("100")
    logged_in(client, customer)
    typed = {"tool": tool.slug, "link": LINK, "request_id": "request-1", "comments": ["one", "two\nthree"]}

    answer = client.post("/orders", data=typed)

    assert answer.status_code == 422
    assert "This field came more than once. Send it once." in answer.text
    assert _orders() == 0


def test_order_again_fills_in_the_fields(client: FlaskClient) -> None:
    customer = a_customer("100")
    order = _placed("Comment Replies", customer, a_tool_of("Comment Replies"))

    page = html.unescape(logged_in(client, customer).get(f"/orders/new?again={order.id}").text)

    assert f'value="{given_for(TYPES["Comment Replies"])["username"]}"' in page
    assert re.search(r"<textarea[^>]*name=\"comments\"[^>]*>\n" + re.escape("\n".join(LINES)) + "</textarea>", page)


def test_change_the_order_brings_the_form_back_with_everything(client: FlaskClient) -> None:
    tool, customer = a_tool_of("Custom Comments"), a_customer("100")
    form = {"tool": tool.slug, "link": LINK, "comments": "one\r\ntwo"}

    page = logged_in(client, customer).post("/orders/check", data=form | {"change": "order"})

    assert page.status_code == 200
    assert ">\none\r\ntwo</textarea>" in page.text
    assert f'value="{LINK}"' in page.text


def test_an_order_without_funds_is_kept_with_its_fields_or_stays_on_the_page(client: FlaskClient) -> None:
    tool, customer = a_tool_of("Custom Comments", price="900"), a_customer("0.01")
    logged_in(client, customer)
    form = {"tool": tool.slug, "link": LINK}

    short = client.post("/orders/check", data=form | {"comments": "one\ntwo"})
    long = client.post("/orders/check", data=form | {"comments": "\n".join(f"{n:x}" * 90 for n in range(500))})

    assert short.status_code == long.status_code == 422
    path = re.search(r'href="/balance/add\?[^"]*next=([^"&]*)', short.text)
    assert path is not None
    assert "We keep the order for you" in short.text
    assert "Add funds in a new tab" in long.text
    assert "next=" not in long.text.split("Not enough funds")[1].split("</div>")[0]


def test_a_tool_of_an_unknown_type_can_only_be_ordered_once_its_form_is_written(client: FlaskClient) -> None:
    unknown, customer = a_tool_of("Live Stream"), a_customer("100")
    caller = a_caller(client, customer)

    assert caller.call("services") == []
    assert caller.call("add", service=unknown.id, link=LINK, quantity=100) == {"error": "Incorrect service ID"}

    known = a_tool_of("Live Stream", own=("by_quantity", "minutes | Minutes | number | 1-60"))
    answer = caller.call("add", service=known.id, link=LINK, quantity=100, minutes="30")

    assert [service["type"] for service in caller.call("services")] == ["Live Stream"]
    assert order_fields.of_order(answer["order"]) == {"minutes": "30"}


def test_rate_of_a_package_is_the_price_of_one(client: FlaskClient) -> None:
    tool, customer = a_tool_of("Package", price="5250"), a_customer("100")
    caller = a_caller(client, customer)

    [service] = caller.call("services")
    caller.call("add", service=tool.id, link=LINK)

    assert (service["rate"], service["min"], service["max"]) == ("5.25", "1", "1")
    assert ledger.balance_nanos(customer.id) == (100 * 10**9) - 5_250_000_000


def test_closed_account_leaves_no_field_behind() -> None:
    customer = a_customer("100")
    order = _placed("Custom Comments", customer, a_tool_of("Custom Comments"))
    with transaction():
        cancellations.request_cancellation(order.id, customer_id=customer.id, now=NOON)
    with transaction():
        closing.close(customer.id, given_up_nanos=ledger.balance_nanos(customer.id), now=NOON)

    assert list(db.session.scalars(select(OrderField.value))) == [""]

"""Order pages of the office: access, escaped text, and a confirmation before money moves."""

from urllib.parse import quote

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Order, OrderAssignment, Review, User
from panel.providers.base import Unclear
from panel.services.office import assignments
from panel.services.orders import cancellations, dispatch, goodwill
from tests.support import ledger_oracle
from tests.support.browsing import post
from tests.support.factories import NOON, a_customer, a_tool, an_operator, an_order, logged_in, reload

MAX_ROW_BYTES = 940
HOSTILE = "<script>alert(1)</script> {{ 7*7 }} =cmd()"
PAGES = ("/office", "/office/live", "/office/orders", "/office/orders/live", "/office/reviews", "/office/refills")


def by_hand(status: Status = Status.IN_PROGRESS) -> Order:
    return an_order(status=status, provider="manual")


def test_office_is_not_there_for_customers_and_visitors(app: Flask, client: FlaskClient) -> None:
    order = an_order()
    paths = [*PAGES, f"/office/orders/{order.id}", "/office/reviews/1"]
    customer = logged_in(app.test_client(), a_customer())

    assert {browser.get(path).status_code for browser in (client, customer) for path in paths} == {404}


def test_pages_answer_without_any_order(office: FlaskClient) -> None:
    answers = [office.get(path) for path in PAGES]

    assert {(answer.status_code, answer.headers["Cache-Control"]) for answer in answers} == {(200, "no-store")}


def test_unknown_order_is_not_found(office: FlaskClient) -> None:
    paths = ("/office/orders/9", "/office/reviews/9")

    assert {office.get(path).status_code for path in paths} == {404}
    assert {
        office.post(f"{path}{action}").status_code for path in paths for action in ("/assignment", "/resolution")
    } == {404}


def test_region_alone_is_the_region_in_the_page_and_304_while_it_shows_the_same(office: FlaskClient) -> None:
    an_order()
    alone = {address: office.get(f"{address}/live") for address in ("/office", "/office/orders")}
    tags = {address: {"HX-PTag": answer.headers["HX-PTag"]} for address, answer in alone.items()}

    for address, answer in alone.items():
        assert answer.text in office.get(address).text
        assert office.get(f"{address}/live", headers=tags[address]).status_code == 304
    an_order(provider="manual")
    assert {office.get(f"{address}/live", headers=tags[address]).status_code for address in alone} == {200}


def test_paused_list_does_not_poll(office: FlaskClient) -> None:
    an_order()
    assert "data-hx-get" in office.get("/office/orders").text

    assert office.get("/office/orders?live=off&status=pending").headers["Location"] == "/office/orders?status=pending"

    assert "data-hx-get" not in office.get("/office/orders").text


def test_filters_that_cannot_be_read_are_named_and_kept(office: FlaskClient) -> None:
    answer = office.get("/office/orders?queue=none&provider=x&status=nope&from=yesterday&q=kept")

    assert answer.status_code == 422
    assert 'value="kept"' in answer.text
    assert answer.text.count("aria-invalid") == 4


def test_hostile_words_are_text_on_every_page(office: FlaskClient) -> None:
    tool = a_tool(link_pattern=".*")
    order = an_order(tool=tool, link=f"https://example.com/{quote('<b>')}")
    with transaction():
        [taken] = dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=60, now=NOON)
        dispatch.record_outcome(taken.attempt_id, Unclear(HOSTILE), now=NOON)
        db.session.execute(update(Order).where(Order.id == order.id).values(link=HOSTILE, reason=HOSTILE))
    review = db.session.scalars(select(Review)).one()

    shown = [office.get(page).text for page in (f"/office/orders/{order.id}", f"/office/reviews/{review.id}")]

    for text in [*shown, office.get("/office/orders").text]:
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }} =cmd()" in text


def test_status_that_ends_an_order_shows_its_money_before_it_moves(office: FlaskClient) -> None:
    order = by_hand()
    form = {"to": "partial", "remains": "400", "reason": "It broke off.", "version": str(order.version)}
    untouched = ledger_oracle.all_rows()

    status, text = post(office, f"/office/orders/{order.id}/status", **form)

    assert (status, ledger_oracle.all_rows()) == (200, untouched)
    assert "Set to Partial and return $0.36" in text
    assert post(office, f"/office/orders/{order.id}/status", **form, confirmed="yes")[0] == 303
    assert (reload(order).status, order.returned_nanos) == (Status.PARTIAL, 360_000_000)
    ledger_oracle.assert_consistent()


def test_count_is_written_at_once_and_the_order_is_held(office: FlaskClient) -> None:
    order = by_hand()
    form = {"to": "in_progress", "remains": "250", "start_count": "77", "reason": "", "version": str(order.version)}

    assert post(office, f"/office/orders/{order.id}/status", **form)[0] == 303

    assert (reload(order).remains, order.start_count) == (250, 77)
    assert db.session.scalars(select(OrderAssignment.order_id)).one() == order.id


FORMS_THAT_DO_NOT_FIT = (
    ({"to": "partial", "remains": ""}, 422, "what was not delivered"),
    ({"remains": "many"}, 422, "whole number"),
    ({"remains": "1001"}, 422, "from 0 to 1000"),
    ({"to": "completed", "reason": ""}, 422, "needs a reason"),
    ({"to": "pending"}, 409, "cannot become Pending"),
    ({"to": "refill"}, 409, "requested by the customer"),
    ({"to": "sold"}, 422, "Choose a status"),
    ({"version": "1"}, 409, "changed since you opened it"),
)


def test_forms_by_hand_that_do_not_fit_are_refused_in_words(office: FlaskClient) -> None:
    order = by_hand()
    form = {"to": "in_progress", "remains": "250", "reason": "Typed.", "version": str(order.version)}
    untouched = ledger_oracle.all_rows()

    for changes, status, message in FORMS_THAT_DO_NOT_FIT:
        answer = post(office, f"/office/orders/{order.id}/status", **form | changes, confirmed="yes")
        assert (answer[0], message in answer[1]) == (status, True), changes
    assert ledger_oracle.all_rows() == untouched


def test_order_that_another_operator_holds_is_refused(office: FlaskClient) -> None:
    order, otto = by_hand(), an_operator(email="otto@example.com").id
    with transaction():
        assignments.assign(order.id, operator_id=otto, actor="otto", now=utc_now())

    status, text = post(office, f"/office/orders/{order.id}/assignment")

    assert status == 409
    assert "otto@example.com is working on order" in text


def test_goodwill_shows_both_balances_before_it_is_given(office: FlaskClient) -> None:
    order = an_order(status=Status.COMPLETED)
    form = {"amount": "0.25", "words": "It ran late.", "number": "1"}
    untouched = ledger_oracle.all_rows()

    status, text = post(office, f"/office/orders/{order.id}/goodwill", **form)

    assert (status, ledger_oracle.all_rows()) == (200, untouched)
    assert "$999.10" in text
    assert "$999.35" in text
    assert post(office, f"/office/orders/{order.id}/goodwill", **form, confirmed="yes")[0] == 303
    assert post(office, f"/office/orders/{order.id}/goodwill", **form, confirmed="yes")[0] == 409
    assert post(office, f"/office/orders/{order.id}/goodwill", **form | {"amount": "9", "number": "2"})[0] == 422
    assert [gift.amount_nanos for gift in goodwill.given(order.id)] == [250_000_000]


def test_customer_reads_goodwill_on_order_receipt_and_statement(client: FlaskClient) -> None:
    order = an_order(status=Status.COMPLETED)
    operator_id = an_operator().id
    with transaction():
        gift = goodwill.Gift(250_000_000, "It <b>ran</b> late.", 1, "olga", operator_id, 10**9)
        line = goodwill.give(order.id, gift, now=NOON)
    logged_in(client, db.session.get_one(User, order.customer_id))

    pages = [f"/orders/{order.id}", f"/orders/{order.id}/receipt", "/balance/statement?from=2026-11-01&to=2026-11-30"]

    for page in pages:
        text = client.get(page).text
        assert "It &lt;b&gt;ran&lt;/b&gt; late." in text
        assert "0.25" in text
        assert f"line-{line}" in text


def test_cancel_shows_its_money_and_then_returns_it(office: FlaskClient) -> None:
    order = an_order()
    form = {"action": "cancel", "why": "The page is gone.", "version": str(order.version)}

    assert "Cancel order and return $0.90" in post(office, f"/office/orders/{order.id}/actions", **form)[1]
    assert reload(order).status == Status.PENDING
    assert post(office, f"/office/orders/{order.id}/actions", **form, confirmed="yes")[0] == 303
    assert reload(order).status == Status.CANCELED


def test_action_without_reason_or_name_is_refused_under_its_field(office: FlaskClient) -> None:
    order = an_order()

    assert post(office, f"/office/orders/{order.id}/actions", action="review", why="", version="1")[0] == 422
    assert post(office, f"/office/orders/{order.id}/actions", action="sell", why="x", version="1")[0] == 422


def test_bulk_action_is_previewed_then_done_row_by_row(office: FlaskClient) -> None:
    first, second, runs = an_order(), an_order(), an_order(status=Status.IN_PROGRESS)
    chosen = [str(order.id) for order in (first, second, runs)]

    preview = office.post("/office/orders/actions", data={"action": "cancel", "to": "", "order": chosen}).text

    assert "2 of 3 selected orders can be changed this way" in preview
    assert "Cancel 2 orders and return $1.80" in preview
    assert reload(first).status == Status.PENDING
    with transaction():
        cancellations.request_cancellation(second.id, customer_id=second.customer_id, now=NOON)
    confirmed = {"action": "cancel", "reason": "Gone.", "confirmed": "yes", "order": chosen[:2]}
    versions = {f"version-{order_id}": "1" for order_id in chosen}
    done = office.post("/office/orders/actions", data=confirmed | versions).text
    assert "1 done, 1 not changed" in done
    assert "changed since you opened it" in done
    assert (reload(first).status, first.reason) == (Status.CANCELED, "Gone.")
    assert reload(runs).status == Status.IN_PROGRESS
    ledger_oracle.assert_consistent()


def test_bulk_action_needs_orders_an_action_a_status_and_a_reason(office: FlaskClient) -> None:
    order = str(by_hand().id)
    untouched = ledger_oracle.all_rows()

    for form, message in (
        ({"action": "cancel"}, "Select at least one order"),
        ({"action": "", "order": order}, "Choose what to do"),
        ({"action": "move", "order": order}, "Choose the status"),
        ({"action": "review", "order": order, "confirmed": "yes", "reason": ""}, "Write a reason"),
        ({"action": "review", "order": [str(number) for number in range(1, 200)]}, "at most 100"),
    ):
        answer = office.post("/office/orders/actions", data=form)
        assert answer.status_code == 422
        assert message in answer.text
    assert ledger_oracle.all_rows() == untouched


def test_strange_pages_and_cursors_are_the_first(office: FlaskClient) -> None:
    order = an_order()
    odd = ("%C2%B2", "-1", "x", "9" * 30, "0-%C2%B2")

    assert {office.get(f"/office/orders/{order.id}?page={text}").status_code for text in odd} == {200}
    assert {office.get(f"/office/reviews?after={text}").status_code for text in odd} == {200}
    assert {office.get(f"/office/orders?after={text}").status_code for text in odd} == {422}
    assert (
        office.post("/office/orders/actions", data={"action": "ask", "order": ["²", "x", "9" * 30]}).status_code == 422
    )


def test_way_back_leads_nowhere_but_into_the_office(office: FlaskClient) -> None:
    order = an_order()

    for wanted in ("https://evil.example/", "//evil.example", "/orders", "/officer", "/office\\@evil.example"):
        page = office.get(f"/office/orders/{order.id}?back={quote(wanted)}").text
        assert f'href="/office/orders#order-{order.id}" data-back' in page


def test_page_offers_a_button_with_its_name_for_each_action_that_can_be_done(office: FlaskClient) -> None:
    pages = [office.get(f"/office/orders/{an_order(provider=kind).id}").text for kind in ("simulated", "manual")]
    actions = [page.partition('id="money"')[0].partition('id="actions"')[2] for page in pages]

    assert all("Cancel order and return $0.90" in shown and "Open a review" in shown for shown in actions)
    assert ["Set to Processing" in shown for shown in actions] == [False, True]
    assert not any("<select" in shown for shown in actions)
    ended = office.get(f"/office/orders/{an_order(status=Status.COMPLETED).id}").text
    assert "Cancel order" not in ended
    assert "Ask the provider now" not in ended


def test_table_of_orders_has_the_whole_link_which_only_the_style_sheet_cuts(office: FlaskClient) -> None:
    an_order(link="https://example.com/a-page-with-a-rather-long-address-and-its-own-ending")

    page = office.get("/office/orders").text

    assert "<small>example.com/a-page-with-a-rather-long-address-and-its-own-ending</small>" in page


def test_row_of_the_table_of_orders_is_small(office: FlaskClient) -> None:
    """Forty of them are most of the page, whose budget is 80 kB with all that it loads."""
    order = an_order(status=Status.PARTIAL, quantity=1_000, remains=400)

    row = office.get("/office/orders").text.split(f'<tr id="order-{order.id}"')[1].partition("</tr>")[0]

    assert len(row.encode()) <= MAX_ROW_BYTES, row

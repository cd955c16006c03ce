"""Refills, cancellation requests and reviews in the office: each is resolved once, by the rules of its kind."""

from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Order, Refill, Review
from panel.providers.base import Unclear
from panel.services.orders import cancellations, dispatch, refills
from tests.support.browsing import post
from tests.support.factories import NOON, a_tool, an_order, reload


def by_hand(status: Status = Status.IN_PROGRESS) -> Order:
    return an_order(status=status, provider="manual")


def test_refill_by_hand_is_begun_and_ended_with_a_reason(office: FlaskClient) -> None:
    order = by_hand(Status.COMPLETED)
    with transaction():
        refill_id = refills.request_refill(order.id, customer_id=order.customer_id, now=NOON).id
    assert f"Refill {refill_id}" in office.get("/office/refills").text

    assert post(office, f"/office/refills/{refill_id}/beginning")[0] == 303
    assert post(office, f"/office/refills/{refill_id}/end", state="refused", reason="")[0] == 422
    back = f"/office/orders/{order.id}"
    answer = office.post(f"/office/refills/{refill_id}/end", data={"state": "refused", "reason": "No", "back": back})

    assert (answer.status_code, answer.headers["Location"]) == (303, back)
    assert db.session.scalars(select(Refill.reason)).one() == "No"
    assert post(office, f"/office/refills/{refill_id}/end", state="completed", reason="No")[0] == 409
    assert db.session.scalars(select(Review.resolved_at)).one() is not None


def test_cancellation_request_is_answered_once(office: FlaskClient) -> None:
    order = by_hand()
    with transaction():
        stop = cancellations.request_cancellation(order.id, customer_id=order.customer_id, now=NOON).id

    assert post(office, f"/office/cancellations/{stop}/answer", state="accepted", reason="Fine")[0] == 303
    assert post(office, f"/office/cancellations/{stop}/answer", state="refused", reason="Late")[0] == 409


def test_review_of_a_request_leads_to_its_answer_and_is_not_done_before(office: FlaskClient) -> None:
    stopped, refilled = by_hand(), by_hand(Status.COMPLETED)
    with transaction():
        stop = cancellations.request_cancellation(stopped.id, customer_id=stopped.customer_id, now=NOON).id
        refill = refills.request_refill(refilled.id, customer_id=refilled.customer_id, now=NOON).id
    of_stop, of_refill = db.session.scalars(select(Review.id).order_by(Review.id)).all()
    places = {of_stop: f"{stopped.id}?back=/office/reviews#cancellation-{stop}"}
    places[of_refill] = f"{refilled.id}?back=/office/reviews#refill-{refill}"

    assert f">Answer cancellation request {stop}</a>" in office.get(f"/office/reviews/{of_stop}").text
    for review, place in places.items():
        page = office.get(f"/office/reviews/{review}").text
        assert f'href="/office/orders/{place}"' in page and "Mark as resolved" not in page
        assert post(office, f"/office/reviews/{review}/resolution", decision="done", reason="Seen.")[0] == 409
    post(office, f"/office/cancellations/{stop}/answer", state="accepted", reason="Fine")

    assert "Resolved" in office.get(f"/office/reviews/{of_stop}").text


def test_review_is_resolved_as_its_kind_asks(office: FlaskClient) -> None:
    tool = a_tool()
    order = an_order(tool=tool)
    with transaction():
        [taken] = dispatch.open_attempts(tool.provider_id, most=1, lease_seconds=60, now=NOON)
        dispatch.record_outcome(taken.attempt_id, Unclear("502"), now=NOON)
    review = db.session.scalars(select(Review.id)).one()
    address = f"/office/reviews/{review}/resolution"

    assert "Ends automatically" in office.get(f"/office/reviews/{review}").text
    assert post(office, address, decision="", reason="Looked.")[0] == 422
    assert post(office, address, decision="sent-as", sent_as="", reason="Looked.")[0] == 422
    assert "Cancel order and return $0.90" in post(office, address, decision="return", reason="Looked.")[1]
    assert reload(order).status == Status.PENDING
    assert post(office, address, decision="sent-as", sent_as="77", reason="Looked.")[0] == 303
    assert reload(order).provider_order_id == "77"
    assert post(office, address, decision="done", reason="Again.")[0] == 409
    assert "No open reviews" in office.get("/office/reviews").text

"""Public links: unguessable, one order and nothing else, and ended by revoking it and by closing the account."""

import re
from datetime import timedelta

import pytest
from flask import current_app
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused, NotFound
from panel.domain.status import Status
from panel.models import Order, PublicLink, User
from panel.services import public_links
from panel.services.orders import transitions
from panel.services.privacy import closing
from tests.support.factories import NOON, a_customer, an_order, reload

LATER = NOON + timedelta(hours=1)


def share(order: Order, *, shows_money: bool = False) -> str:
    """Share the order; returns the token."""
    settings = current_app.config["PANEL"]
    with transaction():
        public_links.share(
            order.id, customer_id=order.customer_id, shows_money=shows_money, settings=settings, now=NOON
        )
    link = public_links.own(order.id, settings=settings)
    assert link is not None
    return link.token


@pytest.mark.both_engines
def test_token_has_128_random_bits_and_is_stored_only_as_hash_and_ciphertext() -> None:
    customer = a_customer("10")
    tokens = {share(an_order(customer=customer)) for _ in range(5)}

    kept = str(db.session.execute(select(PublicLink.token_hash, PublicLink.encrypted_token)).all())
    assert len(tokens) == 5
    for token in tokens:
        assert re.fullmatch(r"[\w-]{22}", token)
        assert token not in kept


def test_link_shows_the_order_as_it_is_now_and_money_only_if_chosen() -> None:
    order = an_order(status=Status.IN_PROGRESS, quantity=1_000)
    token = share(order)
    before = public_links.find(token)
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.PARTIAL, remains=360, now=LATER)

    after = public_links.find(token)

    assert before is not None and after is not None
    assert (before.status, after.status, after.delivered, after.ended_at) == (
        Status.IN_PROGRESS,
        Status.PARTIAL,
        640,
        LATER,
    )
    assert before.shown != after.shown
    path = [Status.PENDING, Status.PROCESSING, Status.IN_PROGRESS, Status.PARTIAL]
    assert [change.status for change in after.status_changes] == path[::-1]
    assert after.money is None


def test_sharing_again_keeps_the_address_and_changes_what_it_shows() -> None:
    order = an_order(status=Status.PARTIAL, quantity=1_000, remains=360, price="0.90")
    token = share(order)
    before = public_links.find(token)

    assert share(order, shows_money=True) == token

    after = public_links.find(token)
    assert before is not None and after is not None and after.money is not None
    assert before.shown != after.shown
    assert (after.money.charge_nanos, after.money.returned_nanos) == (900_000_000, 324_000_000)


def test_another_customers_order_is_neither_shared_nor_revoked() -> None:
    order, stranger = an_order(), a_customer()
    settings = current_app.config["PANEL"]
    token = share(order)

    with pytest.raises(NotFound), transaction():
        public_links.revoke(order.id, customer_id=stranger.id)
    with pytest.raises(NotFound), transaction():
        public_links.share(order.id, customer_id=stranger.id, shows_money=True, settings=settings, now=NOON)

    found = public_links.find(token)
    assert found is not None and found.money is None


def test_revoked_link_never_works_again_and_the_next_has_another_address() -> None:
    order = an_order()
    token = share(order)

    with transaction():
        public_links.revoke(order.id, customer_id=order.customer_id)

    assert public_links.find(token) is None
    assert share(order) != token
    assert public_links.find(token) is None


@pytest.mark.both_engines
def test_links_end_with_the_account() -> None:
    customer = a_customer("0.90")
    order = an_order(customer=customer, status=Status.COMPLETED, quantity=1_000, price="0.90")
    token = share(order)

    with transaction():
        closing.close(customer.id, given_up_nanos=0, now=LATER)

    assert public_links.find(token) is None
    assert db.session.scalars(select(PublicLink)).all() == []
    with pytest.raises(ActionRefused), transaction():
        public_links.share(
            order.id, customer_id=customer.id, shows_money=False, settings=current_app.config["PANEL"], now=LATER
        )


def test_link_rests_while_the_account_is_disabled() -> None:
    order = an_order()
    token = share(order)

    with transaction():
        db.session.get_one(User, order.customer_id).disabled_at = NOON
    assert public_links.find(token) is None

    with transaction():
        reload(db.session.get_one(User, order.customer_id)).disabled_at = None
    assert public_links.find(token) is not None

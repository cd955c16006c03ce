"""Streams without a session: which topics there are, what their events say, and their limits; on both engines."""

import contextlib
from collections.abc import Callable, Collection
from datetime import timedelta
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import insert, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.platform.component_states import Component, Finding, State
from panel.domain.status import Status
from panel.hub import streams
from panel.hub.application import Hub
from panel.hub.watched_topics import WatchedTopics
from panel.models import Order, PublicLink, User
from panel.security import push_topics
from panel.services import public_links
from panel.services.orders import transitions
from panel.services.platform import canary, measurements
from tests.support.factories import NOON, a_customer, an_order
from tests.support.hub_listeners import listening, run, running
from tests.support.session_cookies import session_cookie

TEST_ORDER, PLATFORM = f"topic={push_topics.Topic.TEST_ORDER}", f"topic={push_topics.Topic.PLATFORM_STATUS}"
AFAR = "203.0.113.7"


def a_test_order() -> None:
    with transaction():
        canary.prepare(key="key-of-the-canary", now=NOON)
        canary.place(now=NOON)


def end_test_order() -> None:
    newest = canary.newest()
    assert newest is not None
    with transaction():
        transitions.move_order(transitions.lock_order(newest.order_id), Status.CANCELED, remains=1, now=utc_now())


def a_round(*, minutes: int) -> None:
    with transaction():
        found = [Finding(Component.SITE, State.OPERATIONAL, 1, "It answers.")]
        measurements.record(found, interval_seconds=60, now=NOON + timedelta(minutes=minutes))


def shared_order(app: Flask, *, token: str = "secret") -> tuple[Order, str]:
    """An order with a public link, and the query of a page that shows it."""
    order = an_order(customer=a_customer("10"), status=Status.IN_PROGRESS, quantity=1_000)
    hashed = public_links.token_hash(token)
    with transaction():
        link = {"token_hash": hashed, "encrypted_token": "x", "shows_money": False, "made_at": NOON}
        db.session.execute(insert(PublicLink).values(order_id=order.id, **link))
    return order, f"topic={quote(push_topics.of_public_order(hashed, key=str(app.secret_key)))}"


def move(order: Order, *, remains: int) -> None:
    with transaction():
        transitions.move_order(
            transitions.lock_order(order.id), Status.IN_PROGRESS, remains=remains, now=utc_now() + timedelta(minutes=1)
        )


@pytest.mark.both_engines
def test_each_topic_hears_of_its_own_changes_alone(app: Flask) -> None:
    a_test_order()
    a_round(minutes=0)
    order, link = shared_order(app)
    changes: list[Callable[[], None]] = [end_test_order, lambda: a_round(minutes=1), lambda: move(order, remains=400)]
    hub = Hub(app)

    async def test() -> None:
        async with contextlib.AsyncExitStack() as opened:
            await opened.enter_async_context(running(hub))
            listeners = [
                await opened.enter_async_context(listening(hub, query=query)) for query in (TEST_ORDER, PLATFORM, link)
            ]
            for listener in listeners:
                await listener.until(lambda listener=listener: len(listener.ids) == 1)  # type: ignore[misc]

            for place, change in enumerate(changes):
                change()
                listener = listeners[place]
                await listener.until(lambda listener=listener: len(listener.ids) == 2)  # type: ignore[misc]

            # A wrong event would have come before the last one.
            assert [len(listener.ids) for listener in listeners] == [2, 2, 2]

    run(test)


def test_events_of_topics_name_no_customer_and_no_order(app: Flask) -> None:
    order, link = shared_order(app, token="secret-of-the-link")
    hub = Hub(app)

    async def test() -> None:
        async with running(hub), listening(hub, query=link) as visitor:
            await visitor.until(lambda: len(visitor.ids) == 1)
            lines = [line for line in visitor.text.splitlines() if line]

            assert lines[1:] == ["event: changed", f"id: {visitor.ids[0]}", f"data: {visitor.ids[0]}"]
            assert len(visitor.ids[0]) == 32 and int(visitor.ids[0], 16)

    run(test)
    # Nor does the address, which proxies log: it has the hash of the secret, never the secret.
    assert "secret-of-the-link" not in link and f"{order.customer_id}.{order.id}" not in link


def test_visitor_who_has_what_is_current_gets_no_event(app: Flask) -> None:
    a_round(minutes=0)
    hub = Hub(app)

    async def test() -> None:
        async with running(hub):
            async with listening(hub, query=PLATFORM) as first:
                await first.until(lambda: len(first.ids) == 1)
            seen = first.ids[0]
            async with (
                listening(hub, query=f"{PLATFORM}&seen={seen}") as page,
                listening(hub, query=PLATFORM, last_event_id=seen) as again,
            ):
                await page.until(lambda: "retry: " in page.text)
                await again.until(lambda: "retry: " in again.text)
                # A wrong event would come before these.
                a_round(minutes=1)
                await page.until(lambda: len(page.ids) == 1)
                await again.until(lambda: len(again.ids) == 1)
                assert page.ids == again.ids != [seen]

    run(test)


@pytest.mark.both_engines
@pytest.mark.parametrize("how", ["revoke", "disable"])
def test_link_that_ends_ends_its_streams(app: Flask, how: str) -> None:
    order, link = shared_order(app)
    hub = Hub(app)

    async def test() -> None:
        async with running(hub), listening(hub, query=link) as visitor:
            await visitor.until(lambda: len(visitor.ids) == 1)

            with transaction():
                if how == "revoke":
                    public_links.revoke(order.id, customer_id=order.customer_id)
                else:
                    db.session.execute(update(User).where(User.id == order.customer_id).values(disabled_at=NOON))

            await visitor.until(lambda: visitor.is_over)
            assert "event: ended" in visitor.text
        async with listening(hub, query=link) as late:
            await late.until(lambda: late.is_over)
            assert late.status == 401
        assert len(hub.streams) == 0

    run(test)


@pytest.mark.parametrize("topic", ["orders", "", "public-order.", "forged", "unsigned", "customer"])
def test_only_a_page_that_was_shown_a_link_can_listen_to_it(app: Flask, topic: str) -> None:
    order, _link = shared_order(app)
    hashed = public_links.token_hash("secret")
    given = {
        "forged": push_topics.of_public_order(hashed, key="another key"),
        "unsigned": f"public-order.{hashed}",
        "customer": str(order.customer_id),
    }
    cookie = session_cookie(app, db.session.get_one(User, order.customer_id))
    hub = Hub(app)

    async def test() -> None:
        # A session doesn't help: with a topic, nobody asks who is logged in.
        async with listening(hub, cookie, query=f"topic={given.get(topic, topic)}x") as listener:
            await listener.until(lambda: listener.is_over)
            assert (listener.status, listener.text) == (401, "")
        assert len(hub.streams) == 0

    run(test)


def test_network_has_a_bounded_number_of_streams_and_others_have_theirs(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_TOPIC_STREAMS_A_NETWORK", 2)
    a_round(minutes=0)
    hub = Hub(app)

    async def test() -> None:
        async with listening(hub, query=PLATFORM, client=AFAR) as first:
            async with (
                listening(hub, query=PLATFORM, client=AFAR, x_forwarded_for="198.51.100.9"),
                # Nobody is trusted to say another address.
                listening(hub, query=PLATFORM, client=AFAR, x_forwarded_for="198.51.100.10") as third,
                listening(hub, query=PLATFORM) as near,
            ):
                await third.until(lambda: third.is_over)
                await near.until(lambda: near.status == 200)
                assert (first.status, third.status) == (200, 204)
            async with listening(hub, query=PLATFORM, client=AFAR) as again:
                await again.until(lambda: again.status == 200)

    run(test)


def test_behind_a_proxy_the_network_is_the_one_that_the_proxy_names(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_TOPIC_STREAMS_A_NETWORK", 1)
    monkeypatch.setattr(app.config["PANEL"], "trusted_proxies", 1)
    a_round(minutes=0)
    hub = Hub(app)

    async def test() -> None:
        async with (
            listening(hub, query=PLATFORM, x_forwarded_for="spoofed, 198.51.100.9") as first,
            listening(hub, query=PLATFORM, x_forwarded_for="other, 198.51.100.9") as second,
            listening(hub, query=PLATFORM, x_forwarded_for="other, 198.51.100.10") as third,
        ):
            await first.until(lambda: first.status == 200)
            await second.until(lambda: second.status == 204)
            await third.until(lambda: third.status == 200)

    run(test)


def test_visitors_cant_take_the_streams_of_customers(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_TOPIC_STREAMS", 1)
    a_round(minutes=0)
    cookie = session_cookie(app, a_customer())
    hub = Hub(app)

    async def test() -> None:
        async with (
            listening(hub, query=PLATFORM) as visitor,
            listening(hub, query=PLATFORM) as refused,
            listening(hub, cookie) as customer,
        ):
            await visitor.until(lambda: visitor.status == 200)
            await refused.until(lambda: refused.status == 204)
            await customer.until(lambda: customer.status == 200)

    run(test)


def test_opening_and_closing_many_streams_of_a_topic_reads_the_database_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_round(minutes=0)
    hub = Hub(app)
    reads: list[int] = []
    read = WatchedTopics.versions

    def counted(self: WatchedTopics, topics: Collection[str]) -> dict[str, str] | None:
        reads.append(len(topics))
        return read(self, topics)

    monkeypatch.setattr(WatchedTopics, "versions", counted)

    async def test() -> None:
        async with listening(hub, query=PLATFORM):
            for _number in range(5):
                async with listening(hub, query=PLATFORM) as visitor:
                    await visitor.until(lambda visitor=visitor: len(visitor.ids) == 1)  # type: ignore[misc]

    run(test)
    assert reads == [1]

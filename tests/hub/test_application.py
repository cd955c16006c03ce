"""Push hub: access, events of a stream, and its end; on both engines."""

import asyncio
import contextlib

import pytest
from flask import Flask
from sqlalchemy import update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.hub.application import Hub
from panel.hub.streams import HEARTBEAT_SECONDS
from panel.models import User
from panel.security.push_topics import Topic
from panel.services import customer_version
from panel.services.accounts import sessions
from tests.support.factories import a_customer, an_operator
from tests.support.hub_listeners import listening, run, running
from tests.support.session_cookies import session_cookie

SITE = "http://127.0.0.1:8000"


def bump(user: User) -> None:
    with transaction():
        customer_version.bump([user.id])


@pytest.mark.both_engines
def test_stream_says_that_its_customer_changed_and_nothing_of_others(app: Flask) -> None:
    mine, other = a_customer(), a_customer()
    cookies = session_cookie(app, mine), session_cookie(app, other)
    hub = Hub(app)

    async def test() -> None:
        async with running(hub), listening(hub, cookies[0]) as my, listening(hub, cookies[1]) as others:
            await my.until(lambda: len(my.ids) == 1)
            await others.until(lambda: len(others.ids) == 1)

            bump(mine)

            await my.until(lambda: len(my.ids) == 2)
            # A wrong event would come before this one.
            bump(other)
            await others.until(lambda: len(set(others.ids)) == 2)
            assert len(set(my.ids)) == len(my.ids) == 2
            assert len(others.ids) == 2
            assert my.headers["content-type"] == "text/event-stream"

    run(test)


def test_page_with_current_versions_gets_no_event_and_one_that_missed_some_gets_one_immediately(app: Flask) -> None:
    customer = a_customer()
    cookie = session_cookie(app, customer)
    hub = Hub(app)

    async def test() -> None:
        async with running(hub):
            async with listening(hub, cookie) as first:
                await first.until(lambda: len(first.ids) == 1)
            async with (
                listening(hub, cookie, last_event_id=first.ids[0]) as second,
                listening(hub, cookie, query=f"seen={first.ids[0]}") as page,
            ):
                await second.until(lambda: "retry: " in second.text)
                await page.until(lambda: "retry: " in page.text)
                # A wrong event would come before these.
                bump(customer)
                await second.until(lambda: len(set(second.ids) - set(first.ids)) == 1)
                await page.until(lambda: len(set(page.ids) - set(first.ids)) == 1)
                assert second.ids == page.ids and len(page.ids) == 1
            async with listening(hub, cookie, last_event_id=first.ids[0]) as third:
                await third.until(lambda: len(third.ids) == 1)
                assert third.ids != first.ids

    run(test)


@pytest.mark.both_engines
@pytest.mark.parametrize("how", ["log_out", "disable"])
def test_session_that_ends_ends_its_stream(app: Flask, how: str) -> None:
    customer = a_customer()
    cookie = session_cookie(app, customer)
    hub = Hub(app)

    def end() -> None:
        with transaction():
            if how == "log_out":
                sessions.end_all(customer.id, now=utc_now())
            else:
                db.session.execute(update(User).where(User.id == customer.id).values(disabled_at=utc_now()))

    async def test() -> None:
        async with running(hub), listening(hub, cookie) as stream:
            await stream.until(lambda: len(stream.ids) == 1)

            end()

            await stream.until(lambda: stream.is_over)
            assert "event: ended" in stream.text
        assert len(hub.streams) == 0

    run(test)


@pytest.mark.both_engines
def test_operator_gets_events_about_any_customer(app: Flask) -> None:
    customer, operator = a_customer(), an_operator()
    cookie = session_cookie(app, operator)
    hub = Hub(app)

    async def test() -> None:
        async with running(hub), listening(hub, cookie) as stream:
            await stream.until(lambda: len(stream.ids) >= 1)
            seen = len(stream.ids)

            bump(customer)

            await stream.until(lambda: len(stream.ids) > seen)

    run(test)


@pytest.mark.parametrize(
    ("wanted", "request_"),
    [
        (401, {}),
        (403, {"origin": "https://evil.example"}),
        (403, {"sec_fetch_site": "cross-site"}),
        (405, {"method": "POST"}),
    ],
)
def test_strangers_and_foreign_sites_get_no_stream(app: Flask, wanted: int, request_: dict[str, str]) -> None:
    cookie = session_cookie(app, a_customer()) if wanted == 403 else ""
    hub = Hub(app)

    async def test() -> None:
        async with listening(hub, cookie, **request_) as listener:
            await listener.until(lambda: listener.is_over)
            assert (listener.status, listener.text) == (wanted, "")

    run(test)


def test_site_on_the_port_beside_may_read_the_stream(app: Flask) -> None:
    cookie = session_cookie(app, a_customer())
    hub = Hub(app)

    async def test() -> None:
        async with listening(hub, cookie, origin=SITE, sec_fetch_site="same-site") as listener:
            await listener.until(lambda: listener.status == 200)
            assert listener.headers["access-control-allow-origin"] == SITE
            assert listener.headers["access-control-allow-credentials"] == "true"

    run(test)


def test_sixth_stream_of_a_session_is_refused_until_one_closes(app: Flask) -> None:
    cookie = session_cookie(app, a_customer())
    hub = Hub(app)

    async def test() -> None:
        async with contextlib.AsyncExitStack() as opened:
            for _number in range(4):
                await opened.enter_async_context(listening(hub, cookie))
            async with listening(hub, cookie) as fifth, listening(hub, cookie) as sixth:
                await fifth.until(lambda: fifth.status == 200)
                await sixth.until(lambda: sixth.status == 204)
            async with listening(hub, cookie) as again:
                await again.until(lambda: again.status == 200)

    run(test)


def test_quiet_stream_gets_comments_and_no_event(app: Flask) -> None:
    customer = a_customer()
    cookie = session_cookie(app, customer)
    hub = Hub(app)

    async def test() -> None:
        async with running(hub), listening(hub, cookie) as stream:
            await stream.until(lambda: len(stream.ids) == 1)

            for _ in range(2 * HEARTBEAT_SECONDS):
                hub.streams.beat()
                await asyncio.sleep(0)

            await stream.until(lambda: stream.text.count(":\n\n") == 2)
            bump(customer)
            await stream.until(lambda: len(stream.ids) == 2)

    run(test)


def test_heartbeats_are_spread_evenly_over_their_time(app: Flask) -> None:
    streams = Hub(app).streams
    opened = [streams.open_topic(Topic.PLATFORM_STATUS, network=str(number), known="") for number in range(92)]
    sent = []

    for _ in range(HEARTBEAT_SECONDS):
        streams.beat()
        due = [stream for stream in opened if stream is not None and stream.is_heartbeat_due]
        sent.append(len(due))
        for stream in due:
            stream.is_heartbeat_due = False

    assert sum(sent) == 92
    assert set(sent) == {2, 3}

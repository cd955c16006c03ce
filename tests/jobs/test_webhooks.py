"""Webhook sweep against local endpoints: signed, in order, at least once, and isolated from each other."""

import base64
import hashlib
import json
import re
import time
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.jobs import webhooks
from panel.models import User, WebhookDelivery
from panel.providers import egress
from panel.services.api import webhook_deliveries, webhook_endpoints, webhook_guide
from panel.services.api.webhook_endpoints import NewSecret
from panel.services.orders import transitions
from tests.support.factories import a_customer, an_order
from tests.support.waiting import until
from tests.support.webhook_listener import WebhookListener, listening

pytestmark = pytest.mark.both_engines


def an_endpoint(app: Flask, server: WebhookListener, customer: User | None = None) -> NewSecret:
    customer = customer or a_customer()
    with transaction():
        return webhook_endpoints.add(
            customer.id, url=server.url, balance_low_nanos=None, settings=app.config["PANEL"], now=utc_now()
        )


def a_test_for(shown: NewSecret) -> None:
    with transaction():
        webhook_endpoints.send_test(shown.endpoint.id, user_id=shown.endpoint.user_id, now=utc_now())


def sweep() -> int:
    return webhooks.sweep(worker="test", wait=True)


def wait_no_longer() -> None:
    """Make the next try due now."""
    with transaction():
        db.session.execute(update(WebhookDelivery).where(WebhookDelivery.due_at.is_not(None)).values(due_at=utc_now()))


def states() -> list[str]:
    db.session.rollback()
    return list(
        db.session.scalars(
            select(WebhookDelivery.state).order_by(WebhookDelivery.endpoint_id, WebhookDelivery.webhook_id)
        )
    )


def is_signed(headers: dict[str, str], body: bytes, *, secret: str, place: int = 0) -> bool:
    """Check the signature as the guide describes it, independently of the panel's code."""
    block = secret.encode().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
    inner.update(headers["Webhook-Timestamp"].encode() + b"." + body)
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner.digest())
    signature = headers["Webhook-Signature"].split(" ")[place]
    return base64.b16decode(signature.removeprefix("v1=").upper()) == outer.digest()


def test_an_orders_moves_arrive_signed_and_in_order_once(app: Flask) -> None:
    order = an_order()
    with listening(app) as server:
        shown = an_endpoint(app, server, db.session.get_one(User, order.customer_id))
        for to, remains in ((Status.PROCESSING, 1_000), (Status.IN_PROGRESS, 900), (Status.PARTIAL, 400)):
            with transaction():
                transitions.move_order(transitions.lock_order(order.id), to, remains=remains, now=utc_now())

        assert (sweep(), sweep()) == (4, 0)

    kinds = [(body["kind"], body["number"], body["order"]["status"]) for body in server.bodies]
    assert kinds == [
        ("order.status_changed", 1, "Processing"),
        ("order.status_changed", 2, "In progress"),
        ("order.status_changed", 3, "Partial"),
        ("order.refunded", 4, "Partial"),
    ]
    for headers, body in server.came:
        assert is_signed(headers, body, secret=shown.secret)
        assert not is_signed(headers, body, secret="whsec_another")
        assert headers["Webhook-Id"] == json.loads(body)["id"]
        assert headers["Content-Type"] == "application/json"
        assert abs(int(headers["Webhook-Timestamp"]) - time.time()) < 60
    assert states() == ["delivered"] * 4


def test_during_a_rotation_both_secrets_sign(app: Flask) -> None:
    with listening(app) as server:
        old = an_endpoint(app, server)
        with transaction():
            new = webhook_endpoints.rotate(
                old.endpoint.id,
                user_id=old.endpoint.user_id,
                fingerprint=webhook_endpoints.secret_fingerprint(old.endpoint),
                settings=app.config["PANEL"],
                now=utc_now(),
            )
        a_test_for(new)
        sweep()

        ((headers, body),) = server.came
        assert is_signed(headers, body, secret=new.secret, place=0)
        assert is_signed(headers, body, secret=old.secret, place=1)

        with transaction():
            new.endpoint.old_secret_until = utc_now() - timedelta(seconds=1)
        a_test_for(new)
        sweep()

    assert len(server.came[1][0]["Webhook-Signature"].split(" ")) == 1


def test_refused_delivery_is_retried_with_the_same_body(app: Flask) -> None:
    with listening(app) as server:
        shown = an_endpoint(app, server)
        a_test_for(shown)
        server.status = 410

        assert (sweep(), sweep()) == (1, 0)
        assert states() == ["waiting"]
        wait_no_longer()
        server.status = 201
        assert sweep() == 1

    assert len(server.came) == 2
    assert server.came[0][1] == server.came[1][1]
    (line,) = webhook_deliveries.recent_deliveries(shown.endpoint.id, count=10)
    assert (line.state, line.tries, line.answer) == ("delivered", 2, "201")


def test_a_worker_killed_between_the_call_and_its_note_makes_it_come_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(app) as server:
        a_test_for(an_endpoint(app, server))

        with monkeypatch.context() as patch:
            patch.setattr(webhook_deliveries, "record_outcome", _killed)
            sweep()
        assert (len(server.came), states()) == (1, ["waiting"])
        assert sweep() == 0, "another worker must not come before the lease is over"
        wait_no_longer()
        sweep()

    assert server.bodies[0] == server.bodies[1]
    assert (len(server.came), states()) == (2, ["delivered"])


def _killed(*_given: object, **_named: object) -> bool:
    raise RuntimeError("as if killed here")


def test_a_hanging_endpoint_delays_nobody_else(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_deliveries, "TIMEOUT_SECONDS", 3)
    with ExitStack() as stack:
        hanging, quick = (stack.enter_context(listening(app)) for _ in range(2))
        hanging.pause_seconds = 5
        stuck, served = an_endpoint(app, hanging), an_endpoint(app, quick)
        for _ in range(3):
            a_test_for(stuck)
            a_test_for(served)
        began = time.monotonic()

        webhooks.sweep(worker="test")
        assert until(lambda: len(quick.came) == 3, seconds=10)
        taken_seconds = time.monotonic() - began
        sweep()
        assert until(lambda: _tries(stuck) != ["", "", ""], seconds=20)

    assert taken_seconds < 3
    assert len(hanging.came) == 1
    assert _tries(stuck) == ["No answer within 3 seconds.", "", ""]


def _tries(shown: NewSecret) -> list[str]:
    db.session.rollback()
    return [line.answer for line in reversed(webhook_deliveries.recent_deliveries(shown.endpoint.id, count=10))]


def test_an_endpoint_whose_address_became_an_inner_one_is_not_called(app: Flask) -> None:
    with listening(app) as server:
        shown = an_endpoint(app, server)
        a_test_for(shown)
        app.config["PANEL"].egress_test_hosts = ""

        sweep()

    assert server.came == []
    assert _tries(shown) == ["The address must start with https://."]


def test_a_removed_endpoint_gets_nothing_more(app: Flask) -> None:
    with listening(app) as server:
        shown = an_endpoint(app, server)
        a_test_for(shown)
        with transaction():
            webhook_endpoints.remove(shown.endpoint.id, user_id=shown.endpoint.user_id, now=utc_now())

        assert sweep() == 0

    assert server.came == []


def test_without_the_encryption_key_nothing_is_sent_unsigned(app: Flask) -> None:
    with listening(app) as server:
        shown = an_endpoint(app, server)
        a_test_for(shown)
        (app.config["PANEL"].instance / "seal_key").unlink()

        sweep()

    assert server.came == []
    assert _tries(shown) == [webhooks.CANNOT_SIGN]


def test_no_database_connection_is_held_during_the_call(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []

    def look(*_given: object, **_named: object) -> egress.HttpResponse:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return egress.HttpResponse(200, "")

    with listening(app) as server:
        shown = an_endpoint(app, server)
        a_test_for(shown)
        db.session.rollback()
        monkeypatch.setattr(egress, "post", look)
        webhooks.serve(shown.endpoint.id)

    assert held == [0]


def test_the_example_of_the_guide_checks_what_we_send(app: Flask) -> None:
    source = re.search(r"```python\n(.*?)```", webhook_guide.FILE.read_text(), re.DOTALL)
    assert source
    example: dict[str, Any] = {}
    exec(source[1], example)
    check = example["is_from_the_panel"]
    with listening(app) as server:
        shown = an_endpoint(app, server)
        a_test_for(shown)
        sweep()

    ((headers, body),) = server.came
    assert check(shown.secret, headers, body)
    assert not check("whsec_another", headers, body)
    assert not check(shown.secret, headers, body + b" ")
    assert not check(shown.secret, {**headers, "Webhook-Timestamp": "1"}, body)

"""Backups made while orders are delivered: after a restore the ledger is correct, and nothing is sent twice."""

import json
import threading
from collections import Counter
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.platform.component_states import Component, Finding, State
from panel.domain.refill import RefillState
from panel.domain.status import Status
from panel.jobs import dispatch, refills, sync, timeouts
from panel.models import Attempt, ComponentDay, Order, Provider, Refill, TicketImage, User
from panel.services import customer_version
from panel.services.accounts import sessions
from panel.services.money import audit, ledger
from panel.services.orders import refills as refilling
from panel.services.platform import measurements
from panel.services.tickets import opening
from tests.support import databases
from tests.support.factories import NOON, a_customer, a_tool, an_order
from tests.support.hostile_provider import HostileProvider
from tests.support.images import a_picture, attachments
from tests.support.other_instance import installation, run
from tests.support.ticket_factories import asking
from tests.support.upstream import a_placed_order, dispatch_round, open_reviews, upstream

pytestmark = pytest.mark.both_engines


def adds(server: HostileProvider) -> Counter[str]:
    """Number of `add` calls for each link."""
    return Counter(call.fields["link"] for call in server.calls if call.action == "add")


def test_under_load_nothing_is_lost_and_nothing_is_sent_twice(
    app: Flask, server: HostileProvider, elsewhere: Flask, tmp_path: Path
) -> None:
    server.takes_orders()
    tool, customer = a_tool(provider=upstream(), provider_service="7"), a_customer("1000")
    tool_id, customer_id = tool.id, customer.id
    stopping, placed = threading.Event(), threading.Event()

    def go_on() -> None:
        number = 0
        with app.app_context():
            while not stopping.is_set() and number < 400:
                number += 1
                an_order(
                    tool=db.session.get_one(type(tool), tool_id),
                    customer=db.session.get_one(User, customer_id),
                    quantity=10,
                    link=f"https://example.com/under-load-{number}",
                    now=utc_now(),
                )
                if number % 3 == 0:
                    dispatch.sweep(worker="test", wait=True)
                if number == 10:
                    placed.set()
            db.session.remove()

    load = threading.Thread(target=go_on)
    load.start()
    assert placed.wait(60)
    done = run(app, "backup", tmp_path / "panel.backup")
    stopping.set()
    load.join(60)
    dispatch.sweep(worker="test", wait=True)
    sent = adds(server)

    with elsewhere.app_context():
        restored = run(elsewhere, "restore", tmp_path / "panel.backup")
        waiting = set(db.session.scalars(select(Order.id).where(Order.provider_order_id.is_(None))))
        reviewed = {review.order_id for review in open_reviews("unconfirmed")}
        for _ in range(2):
            dispatch_round()
        books = audit.audit()

    assert (done.exit_code, restored.exit_code) == (0, 0), restored.output
    assert waiting == reviewed
    assert books.is_sound
    assert books.orders >= 10
    assert adds(server) == sent
    assert set(sent.values()) == {1}


def test_unconfirmed_attempt_is_resolved_by_an_operator_or_its_deadline(
    app: Flask, server: HostileProvider, elsewhere: Flask, tmp_path: Path
) -> None:
    server.takes_orders()
    with transaction():
        db.session.execute(update(Provider).values(paused_at=utc_now(), pause_reason="for the test"))
    first, second, third = (a_placed_order() for _ in range(3))
    first_id, second_id, third_id, customer_id = first.id, second.id, third.id, third.customer_id
    run(app, "backup", tmp_path / "panel.backup")

    with elsewhere.app_context():
        assert run(elsewhere, "restore", tmp_path / "panel.backup").exit_code == 0
        with transaction():
            db.session.execute(update(Provider).values(paused_at=None))
        reviews = {review.order_id: review.id for review in open_reviews("unconfirmed")}
        dispatch_round()
        assert server.count("add") == 0
        run(elsewhere, "reviews", "resolve", reviews[first_id], "--not-sent", "--reason", "It is not in their list.")
        run(elsewhere, "reviews", "resolve", reviews[second_id], "--sent-as", "4711", "--reason", "It is there.")
        dispatch_round()
        with transaction():
            long_ago = utc_now().replace(year=2020)
            db.session.execute(update(Attempt).where(Attempt.order_id == third_id).values(at=long_ago))
        timeouts.sweep(worker="test")
        db.session.rollback()
        ends = {order.id: (order.status, order.provider_order_id) for order in db.session.scalars(select(Order))}
        balance = ledger.balance_nanos(customer_id)

    assert server.count("add") == 1
    assert ends[first_id] == (Status.PENDING, "1001")
    assert ends[second_id] == (Status.PENDING, "4711")
    assert ends[third_id] == (Status.CANCELED, None)
    assert balance == 1_000 * 10**9


def test_a_refill_not_yet_asked_for_is_held_as_well(
    app: Flask, server: HostileProvider, elsewhere: Flask, tmp_path: Path
) -> None:
    tool = a_tool(provider=upstream(), provider_service="7", refill_days=30)
    order = an_order(tool=tool, status=Status.COMPLETED, now=utc_now())
    with transaction():
        refilling.request_refill(order.id, customer_id=order.customer_id, now=utc_now())
    run(app, "backup", tmp_path / "panel.backup")

    with elsewhere.app_context():
        assert run(elsewhere, "restore", tmp_path / "panel.backup").exit_code == 0
        refills.sweep(worker="test", wait=True)
        held = open_reviews("unconfirmed_refill")
        states = list(db.session.scalars(select(Refill.state)))

    assert len(held) == 1
    assert states == [RefillState.REQUESTED]
    assert server.count("refill") == 0


def test_orders_at_their_provider_go_on(app: Flask, server: HostileProvider, elsewhere: Flask, tmp_path: Path) -> None:
    server.takes_orders()
    order = a_placed_order(quantity=1_000)
    order_id = order.id
    dispatch_round()
    run(app, "backup", tmp_path / "panel.backup")
    row = {"charge": "0.1", "start_count": "5", "status": "Completed", "remains": "0", "currency": "USD"}
    server.answers["status"] = _encoded({"1001": row})

    with elsewhere.app_context():
        run(elsewhere, "restore", tmp_path / "panel.backup")
        with transaction():
            db.session.execute(update(Order).values(sync_at=utc_now()))
        sync.sweep(worker="test", wait=True)
        db.session.rollback()
        status = db.session.get_one(Order, order_id).status
        new = a_placed_order()
        new_id = new.id

    assert status == Status.COMPLETED
    assert new_id > order_id


def _encoded(body: object) -> bytes:
    text = json.dumps(body).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(text), text)


def test_images_come_back_byte_for_byte(app: Flask, server: HostileProvider, elsewhere: Flask, tmp_path: Path) -> None:
    rows = select(TicketImage.content, TicketImage.thumbnail).order_by(TicketImage.id)
    customer_id = a_customer().id
    with transaction():
        pair = attachments(a_picture("JPEG"), a_picture())
        opening.open_ticket(customer_id, asked=asking(), attachments=pair, now=NOON)
    before = db.session.execute(rows).all()

    run(app, "backup", tmp_path / "panel.backup")

    with elsewhere.app_context():
        restored = run(elsewhere, "restore", tmp_path / "panel.backup")
        after = db.session.execute(rows).all()
    assert restored.exit_code == 0, restored.output
    assert len(after) == 2 and after == before


def test_a_backup_of_either_engine_is_restored_on_sqlite(app: Flask, server: HostileProvider, tmp_path: Path) -> None:
    """Restored into a folder without a database: the tables are created as the backup needs them."""
    order = an_order(status=Status.PARTIAL, remains=157)
    standing = (order.id, order.kept_nanos, order.returned_nanos, order.placed_at)
    run(app, "backup", tmp_path / "panel.backup")
    other = installation(app, tmp_path / "fresh")

    with other.app_context():
        done = run(other, "restore", tmp_path / "panel.backup")
        found = db.session.scalars(select(Order)).one()
        same = (found.id, found.kept_nanos, found.returned_nanos, found.placed_at)
    databases.close(other)

    assert done.exit_code == 0, done.output
    assert same == standing


def test_a_panel_that_has_measured_itself_is_backed_up_and_restored(
    app: Flask, elsewhere: Flask, tmp_path: Path
) -> None:
    found = [Finding(Component.SITE, State.OPERATIONAL, 12, "It answers.")]
    with transaction():
        measurements.record(found, interval_seconds=60, now=NOON)
    days = select(ComponentDay.component, ComponentDay.day, ComponentDay.operational_seconds)
    before = db.session.execute(days).all()

    done = run(app, "backup", tmp_path / "panel.backup")
    with elsewhere.app_context():
        restored = run(elsewhere, "restore", tmp_path / "panel.backup")
        after = db.session.execute(days).all()

    assert (done.exit_code, restored.exit_code) == (0, 0), (done.output, restored.output)
    assert before == after == [(Component.SITE, NOON.date(), 60)]


def test_no_page_rendered_after_the_backup_passes_for_the_present_one(
    app: Flask, elsewhere: Flask, tmp_path: Path
) -> None:
    customer_id = a_customer().id
    run(app, "backup", tmp_path / "panel.backup")
    for _ in range(3):
        with transaction():
            customer_version.bump([customer_id])
    rendered = db.session.get_one(User, customer_id).state_version

    with elsewhere.app_context():
        run(elsewhere, "restore", tmp_path / "panel.backup")
        restored = db.session.get_one(User, customer_id).state_version

    assert restored > rendered


def test_everybody_is_logged_out_by_a_restore(
    app: Flask, server: HostileProvider, elsewhere: Flask, tmp_path: Path
) -> None:
    customer = a_customer()
    with transaction():
        device = sessions.log_in(customer, device="Phone", network="127.0.0.1", now=utc_now())
    run(app, "backup", tmp_path / "panel.backup")

    with elsewhere.app_context():
        run(elsewhere, "restore", tmp_path / "panel.backup")
        there = sessions.find(device.token, now=utc_now())

    assert there is None
    assert sessions.find(device.token, now=utc_now()) is not None

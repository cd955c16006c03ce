"""The demo, from its command to its last order, with the clock moved forward second by second."""

import re
import time
from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.cli.demo import history, news, reselling
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Order, OrderEvent, OrderRun, Provider, Refill, Terms, Tool, Transfer, User
from panel.providers.simulated import Simulated
from panel.services import delivery_times, test_orders
from panel.services.catalogue import customer_prices, routes
from panel.services.catalogue import tools as catalogue
from panel.services.money import audit
from panel.services.office import queues
from panel.services.office.queue_counts import LatenessLimits
from panel.services.orders import dispatch, fail_over, refills, sync
from panel.services.platform import figures, status_page
from tests.support import ledger_oracle
from tests.support.factories import NOON
from tests.support.page_text import text_of

A_WHILE_SECONDS = 15 * 60
STEP_SECONDS = 3


def flask(app: Flask, *arguments: str) -> str:
    db.session.rollback()
    ended = app.test_cli_runner().invoke(args=arguments)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def sweep(provider: Simulated, provider_id: int, *, now: datetime) -> None:
    """Run the worker's sweeps at this time."""
    with transaction():
        taken = dispatch.open_attempts(provider_id, most=10, lease_seconds=60, now=now)
    for assignment in taken:
        with transaction():
            dispatch.record_outcome(assignment.attempt_id, provider.add(assignment.order, now=now), now=now)
    with transaction():
        asked = sync.take_batch(provider_id, again_seconds=1, now=now)
    with transaction():
        sync.apply_reports(asked, provider.status(asked, now=now), now=now)
    for refill_id in refills.due_ids(provider_id, now=now):
        with transaction():
            task = refills.lease_task(refill_id, again_seconds=1, lease_seconds=60, now=now)
        assert task is not None
        with transaction():
            if task.provider_refill_id is None:
                refills.record_outcome(task, provider.refill(task.ask, now=now), now=now)
            else:
                refills.apply_provider_state(task, provider.refill_status(task.provider_refill_id, now=now), now=now)


def run_for_a_while() -> None:
    """Sweep until no order of the simulator changes any more."""
    row = db.session.scalars(select(Provider).where(Provider.name == "simulator")).one()
    provider, provider_id, now = Simulated(seed=row.name), row.id, utc_now()
    moving = [status for status in Status if status.is_moving]
    # One has no answer from its provider: it waits for an operator. A drip-feed waits for its next run.
    has_runs = select(OrderRun.id).where(OrderRun.order_id == Order.id).exists()
    ours = (Order.provider_id == provider_id, Order.unconfirmed_at.is_(None), ~has_runs)
    left = select(Order.id).where(*ours, Order.status.in_(moving)).limit(1)
    for _ in range(A_WHILE_SECONDS // STEP_SECONDS):
        now += timedelta(seconds=STEP_SECONDS)
        sweep(provider, provider_id, now=now)
        if db.session.scalar(left) is None:
            return
    raise AssertionError(f"orders of the demo still move after {A_WHILE_SECONDS} seconds")


def ways() -> dict[str, list[tuple[str, datetime]]]:
    """By tool: the statuses of its orders, each with the time since the order was placed."""
    rows = db.session.execute(
        select(Tool.slug, OrderEvent.status, OrderEvent.at)
        .join(Order, Order.tool_id == Tool.id)
        .join(OrderEvent, OrderEvent.order_id == Order.id)
        .where(OrderEvent.kind.in_(["placed", "moved"]))
        .order_by(OrderEvent.id)
    )
    found = defaultdict(list)
    for slug, status, at in rows:
        found[slug].append((status, at))
    return found


@pytest.mark.demo
def test_demo_has_something_in_the_queues_of_the_office(app: Flask) -> None:
    limits = LatenessLimits(dispatch_hours=24, stuck_hours=24, unconfirmed_hours=72)
    waiting = {queue.name for queue in queues.all_queues(limits, now=utc_now()) if queue.count}

    assert waiting == {
        "unconfirmed",
        "late",
        "stalled",
        "reviews",
        "cancellations",
        "refills",
        "tickets",
        "manual",
        "deposits",
    }


@pytest.mark.both_engines
def test_demo_says_how_to_pay_and_keeps_an_operators_own_words(app: Flask) -> None:
    file = app.config["PANEL"].instance / "payment.txt"
    flask(app, "demo")
    first = file.read_text(encoding="utf-8")
    file.write_text("Bank 12", encoding="utf-8")
    flask(app, "demo")

    assert "nothing is paid" in first
    assert file.read_text(encoding="utf-8") == "Bank 12"


def test_demo_goes_through_every_status_and_its_ledger_is_consistent(app: Flask) -> None:
    output = flask(app, "demo")
    assert re.search(r"customer +customer@example\.com +\S{12}", output)

    run_for_a_while()

    by_tool = ways()
    assert {status for way in by_tool.values() for status, _ in way} == set(Status)
    assert set(db.session.scalars(select(Refill.state))) == {"completed"}
    assert audit.audit().differences == ()
    ledger_oracle.assert_consistent()


def test_tools_named_after_their_end_get_there_within_a_minute(app: Flask) -> None:
    flask(app, "demo")

    run_for_a_while()

    for end in (Status.PARTIAL, Status.CANCELED):
        way = ways()[f"always-ends-{end.slug}-demo"]
        assert way[-1][0] == end
        assert way[-1][1] - way[0][1] < timedelta(minutes=1)


@pytest.mark.demo
def test_second_demo_adds_nothing(app: Flask) -> None:
    untouched = ledger_oracle.all_rows()

    output = flask(app, "demo")

    assert output.startswith("There are accounts already: the demo adds nothing.")
    assert ledger_oracle.all_rows() == untouched


@pytest.mark.demo
def test_no_order_is_older_than_its_terms(app: Flask) -> None:
    pairs = db.session.execute(select(Order.placed_at, Terms.since).join(Terms, Terms.id == Order.terms_id)).all()
    assert pairs
    assert all(placed_at >= since for placed_at, since in pairs)


def test_demo_has_figures_for_everything_that_is_measured(app: Flask) -> None:
    began = time.monotonic()
    flask(app, "demo")
    took_seconds, now = time.monotonic() - began, utc_now()

    # The demo's past has orders of a link and a quantity alone.
    plain = [tool for tool in catalogue.listed() if tool.form.takes_quantity and not tool.form.fields]
    tools = [tool for tool in plain if not tool.slug.startswith("always-ends-")]
    assert [tool.slug for tool in tools if delivery_times.time_to_start(tool.tool_id, now=now) is None] == []
    assert [tool.slug for tool in tools if delivery_times.time_to_completion(tool.tool_id, now=now) is None] == []
    ends = (Status.COMPLETED, Status.PARTIAL, Status.CANCELED)
    assert [end for end in ends if delivery_times.time_to_end(end, now=now) is None] == []
    assert delivery_times.time_of_refills(now=now) is not None
    share = delivery_times.share_completed(now=now)
    assert share is not None and 85 <= share.percent <= 95
    assert all(day.completed for day in figures.by_day(now=now)[1:-1])
    board = status_page.read(interval_seconds=60, now=now)
    assert {row.measured_days for row in board.rows} == {90}
    assert {row.now.key for row in board.rows if row.typical} >= {"site", "ordering", "dispatch", "order-updates"}
    assert len(board.past) == 2
    # Ten seconds on an idle machine; this one may be busy.
    assert took_seconds < 60


@pytest.mark.both_engines
def test_demo_is_exact_to_the_last_nano_and_marked_as_demo(app: Flask) -> None:
    flask(app, "demo")

    assert audit.audit().differences == ()
    ledger_oracle.assert_consistent()
    others = select(User.email).where(User.email.not_in(("customer@example.com", "operator@example.com", "canary")))
    emails = db.session.scalars(others).all()
    assert len(emails) >= 5
    assert [email for email in emails if not email.startswith("demo-")] == []
    notes = set(db.session.scalars(select(Transfer.note).where(Transfer.kind == "deposit")))
    assert notes == {"Demo balance"}


@pytest.mark.demo
def test_demo_orders_run_in_step_with_their_numbers(app: Flask) -> None:
    placed = db.session.scalars(select(Order.placed_at).where(~test_orders.is_order(Order.id)).order_by(Order.id))
    times = placed.all()
    assert len(times) > 1_000
    assert times == sorted(times)


def test_demo_plans_the_same_orders_in_each_run(app: Flask) -> None:
    with transaction():
        catalogue.import_demo(now=NOON)
    shapes = []
    for now in (NOON, NOON + timedelta(days=3, hours=5)):
        people = [history.Buyer(number, now - timedelta(days=91), "site.example.com") for number in (1, 3)]
        planned = history.plan(people, catalogue.listed(), now=now)
        shapes.append(
            [(order.customer_id, order.quantity, now - order.placed_at, len(order.steps)) for order in planned]
        )

    assert shapes[0] == shapes[1]


@pytest.mark.demo
def test_demo_has_news_and_an_announced_price(client: FlaskClient) -> None:
    page = text_of(client.get("/updates").text)

    assert news.TITLE in page
    assert "Video trailer views : $1.60 per 1,000, now $1.50" in page


@pytest.mark.demo
def test_demo_has_price_groups_and_an_order_that_went_on_to_a_second_provider(app: Flask) -> None:
    [offer] = [each for each in catalogue.listed() if each.slug == reselling.WITH_TWO_PROVIDERS]
    reseller = db.session.scalars(select(User.id).where(User.email == reselling.RESELLER)).one()

    price = customer_prices.of_customer(reseller).of(offer).rate
    [order_id] = db.session.scalars(select(OrderEvent.order_id).where(OrderEvent.text == fail_over.WAITED))

    assert (offer.rate, price) == ("0.45", reselling.FIXED)
    assert [each.provider_name for each in routes.of_tool(offer.tool_id)] == ["simulator", reselling.SECOND]
    where = select(Provider.name).join(Order, Order.provider_id == Provider.id).where(Order.id == order_id)
    assert db.session.scalar(where) == reselling.SECOND
    assert db.session.scalars(select(Provider).where(Provider.paused_at.is_not(None))).all() == []

"""Drip-feed orders: one run after the other, each sent once, and at each step charge = kept + returned + held."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain.errors import BadField, RefillNotAvailable
from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.models import Attempt, AttemptKind, AttemptState, Order, OrderRun, Review, Tool, ToolRoute, User
from panel.providers.base import Accepted, NotSent, Outcome, Refused, Unclear
from panel.services.money import audit, ledger
from panel.services.office import queues, review_resolution
from panel.services.office.queue_counts import LatenessLimits
from panel.services.office.review_resolution import Decision, Resolution
from panel.services.orders import cancellations, dispatch, fail_over, placing, refills, runs, sync, timeouts
from panel.services.orders.placing import Placing
from panel.services.privacy import data_export_tables
from panel.services.providers import health as provider_health
from tests.support import ledger_oracle
from tests.support.concurrently import run_concurrently
from tests.support.factories import LINK, NOON, a_customer, a_provider
from tests.support.form_factories import a_drip_feed_tool
from tests.support.repeats import repetitions

pytestmark = pytest.mark.both_engines
HOUR = timedelta(hours=1)
PIECES, RUNS = 100, 3


class DripFeedPanel:
    """One drip-feed order and its provider, moved step by step at times of the test."""

    def __init__(self, *, now: datetime = NOON) -> None:
        self.now, self.number = now, 900
        self.tool: Tool = a_drip_feed_tool(can_cancel=True, refill_days=30)
        self.customer: User = a_customer("10")
        self.sent: list[tuple[int, int | None]] = []
        self.order_id = self.place("request-000001").id

    def place(self, request_id: str, *, interval: str = "60") -> Order:
        fields = {"runs": str(RUNS), "interval": interval}
        asked = Placing(self.tool.slug, LINK, str(PIECES), request_id, None, fields)
        with transaction():
            return placing.place_order(self.customer.id, asked=asked, now=self.now)

    @property
    def order(self) -> Order:
        db.session.rollback()
        return db.session.scalars(select(Order).where(Order.id == self.order_id)).one()

    @property
    def runs(self) -> list[OrderRun]:
        db.session.rollback()
        return runs.of_order(self.order_id)

    def shown(self) -> list[tuple[str, int]]:
        return [(run.status, run.remains) for run in self.runs]

    def take(self) -> int | None:
        """Commit the intent of what is due now."""
        with transaction():
            taken = dispatch.open_attempts(self.tool.provider_id, most=9, lease_seconds=60, now=self.now)
        assert len(taken) <= 1
        for each in taken:
            self.sent.append((each.order.order_id, each.order.quantity))
            assert not {"runs", "interval"} & set(dict(each.order.fields))
        return taken[0].attempt_id if taken else None

    def send(self, outcome: Outcome | None = None) -> bool:
        """Send what is due now; returns whether anything was."""
        attempt_id = self.take()
        if attempt_id is None:
            return False
        self.number += 1
        with transaction():
            dispatch.record_outcome(attempt_id, outcome or Accepted(str(self.number)), now=self.now)
        return True

    def report(self, status: object, remains: object = None, **more: Any) -> None:
        with transaction():
            asked = sync.take_batch(self.tool.provider_id, again_seconds=1, now=self.now)
            sync.apply_reports(asked, {ask.order_id: Report(status, remains, **more) for ask in asked}, now=self.now)
        self.now += timedelta(seconds=2)

    def cancel(self) -> None:
        with transaction():
            cancellations.request_cancellation(self.order_id, customer_id=self.customer.id, now=self.now)

    def give_up(self) -> None:
        with transaction():
            timeouts.expire_leases(now=self.now)
        with transaction():
            timeouts.give_up(unconfirmed_hours=72, dispatch_hours=24, now=self.now)

    def check(self) -> None:
        """The money and the sums, as they must be at every step."""
        order, price = self.order, self.order.price_micros_per_thousand
        held = order.charge_nanos - order.kept_nanos - order.returned_nanos
        assert order.charge_nanos == RUNS * PIECES * price
        assert held == (order.charge_nanos if Status(order.status).is_open else 0)
        assert ledger.balance_nanos(self.customer.id) == 10 * 10**9 - order.charge_nanos + order.returned_nanos
        left = {Status.COMPLETED: lambda _run: 0, Status.CANCELED: lambda run: run.quantity}
        remains = sum(left.get(Status(run.status), lambda run: run.remains)(run) for run in self.runs)
        assert order.remains == remains
        if not Status(order.status).is_open:
            assert order.returned_nanos == remains * price
            assert all(run.ended_at is not None for run in self.runs)
        ledger_oracle.assert_consistent()
        assert audit.audit().differences == ()


def test_runs_are_sent_at_their_times_and_make_up_the_order(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.check()

    assert panel.send() and not panel.send()
    panel.report("In progress", 40)
    panel.check()
    assert (panel.order.status, panel.order.remains) == (Status.IN_PROGRESS, 240)
    panel.report("Completed", 0)
    assert (panel.order.status, panel.order.remains) == (Status.IN_PROGRESS, 200)
    assert not panel.send()
    panel.now = NOON + HOUR
    assert panel.send()
    panel.report("Partial", 30)
    panel.check()
    panel.now = NOON + 2 * HOUR
    assert panel.send()
    panel.report("Completed", 0)

    panel.check()
    assert panel.shown() == [("completed", 0), ("partial", 30), ("completed", 0)]
    assert (panel.order.status, panel.order.remains) == (Status.PARTIAL, 30)
    assert panel.sent == [(panel.order_id, PIECES)] * RUNS


@pytest.mark.parametrize(("word", "remains"), [("Completed", 0), ("Canceled", None)])
def test_an_order_whose_runs_all_end_alike_ends_so(app: Flask, word: str, remains: int | None) -> None:
    panel = DripFeedPanel()
    for _ in range(RUNS):
        assert panel.send()
        panel.report(word, remains)
        panel.check()
        panel.now += HOUR

    assert Status(panel.order.status).label == word
    assert not panel.send()


def test_a_late_run_keeps_the_distance_to_the_next(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.send()
    panel.now += 5 * HOUR
    panel.report("Completed", 0)
    sent_at = panel.now
    assert panel.send()
    panel.report("Completed", 0)

    panel.now = sent_at + timedelta(minutes=59)
    assert not panel.send()
    panel.now = sent_at + timedelta(minutes=61)
    assert panel.send()


def test_an_order_with_a_long_plan_is_not_given_up_while_its_next_run_is_not_due(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.order_id = panel.place("request-000002", interval="2880").id
    with transaction():
        # The first order would be sent too.
        cancellations.request_cancellation(panel.order_id - 1, customer_id=panel.customer.id, now=NOON)
    panel.send()
    panel.report("Completed", 0)
    panel.now = NOON + 47 * HOUR
    panel.give_up()
    assert panel.order.status == Status.IN_PROGRESS

    panel.now = NOON + 73 * HOUR
    panel.give_up()
    assert (panel.order.status, panel.order.remains) == (Status.PARTIAL, 200)
    assert not panel.send()


def test_unclear_middle_run_is_never_sent_again_and_its_part_comes_back(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.send()
    panel.report("Completed", 0)
    panel.now = NOON + HOUR
    panel.send(Unclear("timed out"))
    for hours in (1, 10, 70):
        panel.now = NOON + hours * HOUR
        assert not panel.send()
        panel.give_up()
        panel.check()
    assert "next run" in dispatch.unconfirmed_text(panel.order.quantity, panel.order.remains)

    panel.now = NOON + 74 * HOUR
    panel.give_up()

    panel.check()
    assert (panel.order.status, panel.order.remains) == (Status.PARTIAL, 200)
    assert panel.shown() == [("completed", 0), ("canceled", 100), ("canceled", 100)]
    assert len(panel.sent) == 2


@pytest.mark.parametrize("decision", [Decision.SENT_AS, Decision.NOT_SENT, Decision.RETURN])
def test_operator_resolves_an_unclear_run(app: Flask, decision: Decision) -> None:
    panel = DripFeedPanel()
    panel.send()
    panel.report("Completed", 0)
    panel.now = NOON + HOUR
    panel.send(Unclear("timed out"))
    db.session.rollback()
    review_id = db.session.scalars(select(Review.id).where(Review.resolved_at.is_(None))).one()

    given = "4711" if decision is Decision.SENT_AS else ""
    with transaction():
        resolution = Resolution(decision, reason="Looked it up.", actor="op", provider_id=given)
        review_resolution.resolve(review_id, resolution, now=panel.now)

    panel.check()
    match decision:
        case Decision.SENT_AS:
            assert panel.runs[1].provider_order_id == "4711"
            assert not panel.send()
        case Decision.NOT_SENT:
            assert panel.send()
        case _:
            assert (panel.order.status, panel.order.remains) == (Status.PARTIAL, 200)
            assert not panel.send()
    panel.check()


def test_worker_killed_between_intent_and_call_of_a_run_sends_it_no_second_time(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.send()
    panel.report("Completed", 0)
    panel.now = NOON + HOUR
    assert panel.take() is not None
    for _ in range(3):
        panel.now += timedelta(minutes=5)
        assert panel.take() is None
        panel.give_up()
        panel.check()

    states = db.session.scalars(select(Attempt.state).order_by(Attempt.id)).all()
    assert list(states) == [AttemptState.SENT, AttemptState.UNKNOWN]
    assert panel.order.unconfirmed_at is not None


def test_cancel_between_runs_returns_what_has_not_begun_at_once(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.send()
    panel.report("Partial", 25)

    panel.cancel()

    panel.check()
    assert (panel.order.status, panel.order.remains) == (Status.PARTIAL, 225)
    panel.now += 9 * HOUR
    assert not panel.send()


def test_cancel_during_a_run_stops_the_later_ones_even_if_the_provider_goes_on(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.send()
    panel.report("In progress", 60)
    panel.cancel()
    with transaction():
        [one] = cancellations.due_ids(panel.tool.provider_id, now=panel.now)
        request = cancellations.lease_request(one, now=panel.now)
        assert request is not None
        cancellations.record_outcome(request, Refused("It can't be stopped.", is_final=True), now=panel.now)
    panel.report("Completed", 0)

    panel.check()
    assert (panel.order.status, panel.order.remains) == (Status.PARTIAL, 200)


def test_final_refusal_of_a_later_run_returns_what_was_not_delivered(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.send()
    panel.report("Completed", 0)
    panel.now += HOUR
    panel.send(Refused("Incorrect link", is_final=True))

    panel.check()
    assert (panel.order.status, panel.order.remains) == (Status.PARTIAL, 200)


def test_order_between_two_runs_is_neither_late_nor_stalled(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.order_id = panel.place("request-000002", interval="2880").id
    limits = LatenessLimits(dispatch_hours=24, stuck_hours=12, unconfirmed_hours=1)
    with transaction():
        cancellations.request_cancellation(panel.order_id - 1, customer_id=panel.customer.id, now=NOON)
    panel.send()
    panel.report("Completed", 0)

    stalled = select(queues.stalled_orders(limits, now=NOON + 40 * HOUR).c.id)
    assert db.session.scalars(stalled).all() == []
    due_long_ago = select(queues.stalled_orders(limits, now=NOON + 70 * HOUR).c.id)
    assert db.session.scalars(due_long_ago).all() == [panel.order_id]


def test_late_report_about_an_earlier_run_changes_nothing(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.send()
    with transaction():
        asked = sync.take_batch(panel.tool.provider_id, again_seconds=1, now=panel.now)
    panel.now += timedelta(seconds=5)
    panel.report("Completed", 0)
    panel.now += HOUR
    panel.send()
    with transaction():
        sync.apply_reports(asked, {asked[0].order_id: Report("Canceled")}, now=panel.now)

    panel.check()
    assert panel.shown() == [("completed", 0), ("pending", 100), ("pending", 100)]


def test_number_of_an_earlier_run_is_not_taken_again(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.send(Accepted("555"))
    panel.report("Completed", 0)
    panel.now += HOUR
    panel.send(Accepted("555"))

    panel.check()
    assert panel.order.unconfirmed_at is not None


def test_two_workers_send_a_due_run_once(app: Flask) -> None:
    panel = DripFeedPanel()
    panel.send()
    panel.report("Completed", 0)
    later, provider_id = panel.now + HOUR, panel.tool.provider_id

    def take() -> int:
        with transaction():
            return len(dispatch.open_attempts(provider_id, most=5, lease_seconds=60, now=later))

    assert sum(run_concurrently(app, [take] * 4)) == 1
    adds = select(func.count()).select_from(Attempt).where(Attempt.kind == AttemptKind.ADD)
    assert db.session.scalar(adds) == 2


def test_same_request_gives_the_same_order_and_half_a_plan_is_refused(app: Flask) -> None:
    panel = DripFeedPanel()
    assert panel.place("request-000001").id == panel.order_id

    for fields, name in (
        ({"runs": "3"}, "interval"),
        ({"interval": "60"}, "runs"),
        ({"runs": "1", "interval": "60"}, "runs"),
    ):
        with pytest.raises(BadField) as error:
            placing.quote(panel.tool.slug, customer_id=None, link=LINK, quantity=str(PIECES), fields=fields)
        assert error.value.field == name


def test_drip_feed_order_has_no_refill(app: Flask) -> None:
    panel = DripFeedPanel()
    for _ in range(RUNS):
        panel.send()
        panel.report("Completed", 0)
        panel.now += HOUR
    with pytest.raises(RefillNotAvailable, match="each run as an order of its own"), transaction():
        refills.request_refill(panel.order_id, customer_id=panel.customer.id, now=panel.now)


@pytest.mark.parametrize("seed", range(repetitions(10, long=200)))
def test_money_adds_up_at_every_step_of_any_plan(app: Flask, engine: str, seed: int) -> None:
    # Each engine gets other plans.
    draw = random.Random(f"{engine} {seed}")
    panel = DripFeedPanel()
    outcomes: list[Outcome | None] = [None] * 5
    outcomes += [Unclear("cut off"), NotSent("no route"), Refused("Not enough funds", is_final=False)]
    outcomes += [Refused("Incorrect link", is_final=True)]
    words = ["Pending", "Processing", "In progress", "In progress", "Completed", "Partial", "Canceled", "Odd"]
    for _step in range(25):
        match draw.choice(["send", "send", "report", "report", "report", "kill", "cancel", "time", "give up"]):
            case "send":
                panel.send(draw.choice(outcomes))
            case "kill" if draw.random() < 0.3:
                panel.take()
            case "report":
                panel.report(draw.choice(words), draw.choice([None, 0, 1, 40, 99, 100, 101, -1, "x"]))
            case "cancel" if draw.random() < 0.2 and cancellations.refusal_reason(panel.order_id) is None:
                panel.cancel()
            case "time":
                panel.now += draw.choice([timedelta(minutes=10), HOUR, 5 * HOUR])
            case "give up":
                panel.now += draw.choice([HOUR, 30 * HOUR])
                panel.give_up()
        panel.check()
    panel.now += 200 * HOUR
    panel.give_up()
    panel.check()
    accepted = select(func.count()).select_from(Attempt).where(Attempt.state == AttemptState.SENT)
    assert (db.session.scalar(accepted) or 0) <= RUNS


def test_run_that_is_due_at_a_paused_provider_goes_to_the_next_one(app: Flask) -> None:
    panel = DripFeedPanel()
    other = a_provider("panel_api", name="other")
    a_drip_feed_tool(provider=other, provider_service="70")
    with transaction():
        route = ToolRoute(tool_id=panel.tool.id, provider_id=other.id, service="70", position=1)
        db.session.add(route)
    assert panel.send()
    panel.report("Completed", 0)
    panel.now = NOON + HOUR

    with transaction():
        provider_health.pause(panel.tool.provider_id, reason="Look.", now=panel.now)
    assert fail_over.waiting(now=panel.now) == [panel.order_id]
    with transaction():
        assert fail_over.pass_on_waiting([panel.order_id], now=panel.now) == 1
    with transaction():
        [taken] = dispatch.open_attempts(other.id, most=9, lease_seconds=60, now=panel.now)
        dispatch.record_outcome(taken.attempt_id, Accepted("7"), now=panel.now)

    assert (taken.order.service, taken.order.quantity) == ("70", PIECES)
    assert [(run.provider_id, run.provider_order_id) for run in panel.runs[:2]] == [
        (panel.tool.provider_id, "901"),
        (other.id, "7"),
    ]
    panel.check()


def test_own_data_has_each_run(app: Flask) -> None:
    panel = DripFeedPanel()
    another = a_customer()
    panel.send()
    panel.report("Completed", 0)

    def rows(user_id: int) -> list[tuple[str, str, str]]:
        [table] = [table for table in data_export_tables.tables(user_id) if table.name == "drip_feed_runs"]
        found = [dict(zip(table.head, map(str, row), strict=True)) for row in table.rows()]
        return [(row["number"], row["status"], row["remains"]) for row in found]

    assert rows(panel.customer.id) == [("1", "Completed", "0"), ("2", "Pending", "100"), ("3", "Pending", "100")]
    assert rows(another.id) == []

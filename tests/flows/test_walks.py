"""Stateful tests (random walks) of orders, including the clock; the ledger is recomputed after each step."""

import itertools
from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import func, select

from panel.db import db, transaction
from panel.domain import errors
from panel.domain.errors import (
    BadInput,
    CancelNotAvailable,
    IllegalTransition,
    InsufficientBalance,
    NotFound,
    RefillNotAvailable,
)
from panel.domain.lists.date_range import Period
from panel.domain.provider_report import Report
from panel.domain.status import Status
from panel.models import Attempt, Order, OrderEvent, Provider, Refill, Review, Transfer
from panel.providers.base import Accepted, Outcome, StatusRequest
from panel.services.money import audit, ledger, statements
from panel.services.orders import cancellations, dispatch, refills, sync, timeouts
from panel.services.orders import manual as manual_orders
from panel.services.orders import placing as order_placing
from panel.services.orders.dispatch import Assignment
from panel.services.orders.placing import Placing
from tests.support import ledger_oracle
from tests.support.factories import LINK, NOON, a_customer, a_provider, a_tool
from tests.support.repeats import repetitions
from tests.support.walk_inputs import FIRST_WORDS, OUTCOMES, PICK, REFILL_WORDS, REMAINS, SECONDS, START_COUNTS, WORDS

LEASE_SECONDS = 60
OPEN = [status for status in Status if status.is_open]
RAN = (Status.COMPLETED, Status.REFILL)
_walks = itertools.count(1)
_given = itertools.count(1)


class Walk(RuleBasedStateMachine):
    """Two customers, a provider with arbitrary answers, an operator with arbitrary input, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.customers: list[int] = []
        self.orders: list[int] = []
        self.asked: dict[int, tuple[int, Placing]] = {}
        self.by_hand: set[int] = set()
        self.under_way: list[Assignment] = []
        self.sent_reports: list[tuple[StatusRequest, Report]] = []
        self.settled: dict[int, tuple[int, int]] = {}
        self.statuses: dict[int, Status] = {}
        self.refills_due: list[int] = []
        self.stops_due: list[int] = []

    @initialize(balance=st.sampled_from(["0.04", "0.06", "1.5"]), outcome=OUTCOMES, word=FIRST_WORDS)
    def begin(self, balance: str, outcome: Outcome | str, word: str) -> None:
        provider = a_provider("simulated", name=f"walk-{next(_walks)}")
        self.provider = provider.id
        self.customers = [a_customer(balance).id, a_customer("0.05").id]
        self.slugs = [
            a_tool(price="0.333333", provider=provider, maximum=60).slug,
            a_tool(price="0.90", provider=provider, maximum=60, can_cancel=False, refill_days=None).slug,
            a_tool(price="0.000001", provider="manual", maximum=60, refill_days=1).slug,
        ]
        for tool in range(3):
            self.place(customer=0, tool=tool, quantity=20)
        self.hand_over(pick=0, outcomes=["accepted", outcome])
        self.report(pick=0, word=word, remains=0, start_count=None)

    # Customers.

    @rule(customer=PICK, tool=PICK, quantity=st.integers(10, 60))
    def place(self, customer: int, tool: int, quantity: int) -> None:
        who, slug = self.customers[customer % 2], self.slugs[tool % 3]
        placing = Placing(slug, LINK, str(quantity), f"walked-{next(_given):08d}")
        could_spend = ledger.balance_nanos(who)
        charge = order_placing.quote(slug, customer_id=None, link=LINK, quantity=str(quantity)).charge_nanos
        try:
            with transaction():
                order_id = order_placing.place_order(who, asked=placing, now=self.now).id
        except InsufficientBalance:
            assert could_spend < charge
            return
        assert ledger.balance_nanos(who) == could_spend - charge
        self.orders.append(order_id)
        self.asked[order_id] = (who, placing)
        if slug == self.slugs[2]:
            self.by_hand.add(order_id)
        self.place_again(order_id)

    def place_again(self, order_id: int) -> None:
        who, placing = self.asked[order_id]
        before = self.written()
        with transaction():
            assert order_placing.place_order(who, asked=placing, now=self.now).id == order_id
        assert self.written() == before

    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        order_id = self.one_of(OPEN, pick)
        with suppress(CancelNotAvailable), transaction():
            cancellations.request_cancellation(order_id, customer_id=self.asked[order_id][0], now=self.now)

    @rule(pick=PICK)
    def ask_for_refill(self, pick: int) -> None:
        order_id = self.one_of(RAN, pick)
        with suppress(RefillNotAvailable), transaction():
            refills.request_refill(order_id, customer_id=self.asked[order_id][0], now=self.now)

    @rule(customer=PICK, amount_nanos=st.sampled_from([1, 9_999, 10**7, 10**8]))
    def deposit(self, customer: int, amount_nanos: int) -> None:
        who, reason = self.customers[customer % 2], f"deposit:walk:{next(_given)}"
        with transaction():
            ledger.deposit(who, amount_nanos=amount_nanos, reason=reason, note="Arrived.", now=self.now)

    # The provider.

    @rule(pick=PICK, outcomes=st.lists(OUTCOMES, max_size=3))
    def hand_over(self, pick: int, outcomes: list[Outcome | str]) -> None:
        """Attempts are recorded; calls are answered immediately, late, more than once, or never."""
        with transaction():
            taken = dispatch.open_attempts(self.provider, most=3, lease_seconds=LEASE_SECONDS, now=self.now)
        self.under_way += taken
        for outcome in outcomes[: len(self.under_way)]:
            assignment = self.under_way[pick % len(self.under_way)]
            pick += 1
            given = "same" if outcome == "same id" else f"given-{next(_given)}"
            with transaction():
                answer = Accepted(given) if isinstance(outcome, str) else outcome
                dispatch.record_outcome(assignment.attempt_id, answer, now=self.now)

    @rule(pick=PICK, word=WORDS, remains=REMAINS, start_count=START_COUNTS)
    def report(self, pick: int, word: object, remains: object, start_count: object) -> None:
        order = db.session.get_one(Order, self.delivered[pick % len(self.delivered)])
        remaining = remains * order.quantity // 100 if type(remains) is int and 0 <= remains <= 100 else remains
        self.sent_reports.append(
            (StatusRequest(order.id, "given", "usual", order.quantity), Report(word, remaining, start_count))
        )
        self.apply_report(*self.sent_reports[-1])

        before = self.written()
        assert self.apply_report(*self.sent_reports[-1]) == 0
        assert self.written() == before, "the same report at once again is no news"

    @rule(pick=PICK, all_at_once=st.booleans())
    def report_again(self, pick: int, all_at_once: bool) -> None:
        newest = {ask.order_id: (ask, report) for ask, report in self.sent_reports}
        chosen = list(newest.values()) if all_at_once else [self.sent_reports[pick % len(self.sent_reports)]]
        with transaction():
            reports = {ask.order_id: report for ask, report in chosen}
            sync.apply_reports([ask for ask, _ in chosen], reports, now=self.now)

    @property
    def delivered(self) -> list[int]:
        return [order_id for order_id in self.orders if order_id not in self.by_hand]

    def apply_report(self, ask: StatusRequest, report: Report) -> int:
        with transaction():
            return sync.apply_reports([ask], {ask.order_id: report}, now=self.now)

    @rule(outcome=OUTCOMES, word=REFILL_WORDS)
    def pass_on_requests(self, outcome: Outcome | str, word: object) -> None:
        self.pass_on_cancellations(outcome)
        self.serve_refills(outcome, word)

    def serve_refills(self, outcome: Outcome | str, word: object) -> None:
        for refill_id in self.refills_due:
            with transaction():
                task = refills.lease_task(refill_id, again_seconds=1, lease_seconds=LEASE_SECONDS, now=self.now)
            if task is None:
                continue
            given = Accepted(f"given-{next(_given)}") if isinstance(outcome, str) else outcome
            with transaction():
                if task.provider_refill_id is None:
                    refills.record_outcome(task, given, now=self.now)
                else:
                    refills.apply_provider_state(task, word, now=self.now)

    def pass_on_cancellations(self, outcome: Outcome | str) -> None:
        for cancellation_id in self.stops_due:
            with transaction():
                request = cancellations.lease_request(cancellation_id, now=self.now)
            if request is not None:
                given = Accepted("stopped") if isinstance(outcome, str) else outcome
                with transaction():
                    cancellations.record_outcome(request, given, now=self.now)

    # Operators and time.

    @rule(pick=PICK, to=st.sampled_from(Status), remains=st.one_of(st.none(), st.integers(-1, 61)))
    def set_by_hand(self, pick: int, to: Status, remains: int | None) -> None:
        order_id = self.orders[pick % len(self.orders)]
        with suppress(BadInput, errors.ActionRefused, IllegalTransition, NotFound), transaction():
            manual_orders.set_order(order_id, to, remains=remains, start_count=None, reason="Typed.", now=self.now)
            assert order_id in self.by_hand

    @rule(seconds=SECONDS)
    def wait(self, seconds: int) -> None:
        """Time passes: back-off ends, and timeouts are applied."""
        self.now += timedelta(seconds=seconds)
        with transaction():
            provider = db.session.get_one(Provider, self.provider)
            provider.paused_at = provider.call_after = None
        self.settle_by_time()

    def settle_by_time(self) -> None:
        with transaction():
            timeouts.expire_leases(now=self.now)
        with transaction():
            timeouts.give_up(unconfirmed_hours=72, dispatch_hours=24, now=self.now)
        with transaction():
            timeouts.expire_refills(unconfirmed_hours=72, now=self.now)

    def teardown(self) -> None:
        """End all open work, since the next walk uses the same database."""
        if self.customers:
            self.now += timedelta(days=1_000)
            self.settle_by_time()
            with transaction():
                db.session.get_one(Provider, self.provider).paused_at = self.now

    # Invariants, checked after each step.

    @invariant()
    def ledger_is_consistent(self) -> None:
        ledger_oracle.assert_consistent(order_ids=self.orders)

    @invariant()
    def audit_agrees(self) -> None:
        assert audit.audit().differences == ()

    @invariant()
    def what_was_settled_stays_settled(self) -> None:
        columns = (Order.id, Order.status, Order.kept_nanos, Order.returned_nanos)
        for order_id, status, kept, returned in db.session.execute(select(*columns).where(Order.id.in_(self.orders))):
            self.statuses[order_id] = Status(status)
            if Status(status).is_open:
                assert order_id not in self.settled
            else:
                assert self.settled.setdefault(order_id, (kept, returned)) == (kept, returned)
        self.refills_due, self.stops_due = (
            [
                each
                for provider_id in of.providers_with_work(now=self.now)
                for each in of.due_ids(provider_id, now=self.now)
            ]
            for of in (refills, cancellations)
        )

    def one_of(self, statuses: Sequence[Status], pick: int) -> int:
        """An order with one of these statuses after the last step; any order if there is none."""
        those = [order_id for order_id in self.orders if self.statuses.get(order_id) in statuses] or self.orders
        return those[pick % len(those)]

    @invariant()
    def statements_close(self) -> None:
        middle, end = (NOON + (self.now - NOON) / 2).date(), self.now.date()
        for customer in self.customers:
            first = statement(customer, NOON.date(), middle)
            second = statement(customer, middle + timedelta(days=1), max(end, middle + timedelta(days=1)))
            assert first.opening_nanos == 0 and first.closing_nanos == second.opening_nanos
            assert second.closing_nanos == ledger.balance_nanos(customer)
            orders = db.session.scalars(select(Order).where(Order.customer_id == customer))
            held = sum(order.charge_nanos for order in orders if Status(order.status).is_open)
            assert ledger.held_nanos(customer) == held

    def written(self) -> tuple[object, ...]:
        """Number of rows so far, and each order's version."""
        tables = (OrderEvent, Transfer, Order, Review, Attempt, Refill)
        counts = [db.session.scalar(select(func.count()).select_from(table)) for table in tables]
        versions = db.session.execute(select(Order.id, Order.version, Order.status, Order.remains)).all()
        return (*counts, tuple(map(tuple, versions)))


def statement(customer: int, first: date, last: date) -> statements.Statement:
    found = statements.of_period(customer, Period(first, last))
    page = statements.page(customer, found, skip=0, most=found.entries)
    assert found.is_checked and page.is_checked
    balances = [found.opening_nanos, *(entry.balance_nanos for entry in page.entries)]
    assert balances[-1] == found.closing_nanos and min(balances) >= 0
    return found


@pytest.mark.both_engines
def test_ledger_is_consistent_after_every_step_of_any_walk(engine: str) -> None:
    walks, steps = (12, 40) if engine == "sqlite" else (4, 30)
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=repetitions(walks, long=walks * 25),
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

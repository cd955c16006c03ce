"""Daily sums of profit and of the whole ledger: exact at any moment, whether or not the worker has added them up."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.lists.date_range import Period
from panel.domain.resale import UpstreamCharge
from panel.domain.status import Status
from panel.jobs import daily_sums
from panel.models import LedgerDay, Order, OrderCost, ProfitChange, TransferKind, User
from panel.services import test_orders
from panel.services.money import audit, ledger_sums, order_costs, profit, profit_sums
from panel.services.money.profit import Grouping
from panel.services.office import ledger_filters, ledger_search
from panel.services.orders import transitions
from tests.support.factories import NOON, a_customer, a_provider, a_tool, an_order, reload

pytestmark = pytest.mark.both_engines

DAYS = Period(NOON.date() - timedelta(days=1), NOON.date())


def wrong() -> list[str]:
    """Days whose sums differ from those computed from the orders."""
    db.session.rollback()
    return [line for period in profit_sums.periods_to_check() for line in profit_sums.wrong_sums(period)]


def a_test_customer() -> User:
    customer = a_customer("10")
    with transaction():
        db.session.get_one(User, customer.id).email = test_orders.CUSTOMER_EMAIL
    return reload(customer)


def changes() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count(ProfitChange.id))) or 0


@pytest.mark.parametrize("adds_up", [False, True])
def test_profit_follows_every_change_of_an_order_and_its_cost(adds_up: bool) -> None:
    customer, tools = a_customer("1000"), [a_tool("first-tool"), a_tool("second-tool")]
    other = a_provider("panel_api", name="Other")

    def check() -> None:
        assert wrong() == []
        if adds_up:
            daily_sums.sweep(worker="w")
            assert changes() == 0
            assert wrong() == []

    orders = [
        an_order(customer=customer, tool=tool, now=NOON - timedelta(days=day)) for tool in tools for day in (0, 1)
    ]
    check()
    for number, order in enumerate(orders):
        with transaction():
            transitions.move_order(transitions.lock_order(order.id), Status.IN_PROGRESS, remains=700, now=NOON)
        with transaction():
            order_costs.record({order.id: UpstreamCharge(10**8 + number, "USD")}, now=NOON)
        check()
        to = (Status.PARTIAL, Status.CANCELED, Status.COMPLETED, Status.PARTIAL)[number]
        remains = 0 if to is Status.COMPLETED else 300
        with transaction():
            transitions.move_order(transitions.lock_order(order.id), to, remains=remains, now=NOON)
        check()
        with transaction():
            order_costs.record({order.id: UpstreamCharge(2 * 10**9 + number, "USD")}, now=NOON)
        check()
    with transaction():
        db.session.execute(update(OrderCost).where(OrderCost.order_id == orders[0].id).values(cost_nanos=None))
        db.session.execute(update(Order).where(Order.id == orders[1].id).values(provider_id=other.id))
    check()

    assert [line.sums.orders for line in profit.report(Grouping.DAY, period=DAYS).lines] == [2, 2]
    assert {line.name for line in profit.report(Grouping.PROVIDER, period=DAYS).lines} >= {"Other"}
    assert audit.audit().differences == ()


def test_an_order_that_only_progresses_logs_no_change() -> None:
    order = an_order(status=Status.IN_PROGRESS)
    before = changes()
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.IN_PROGRESS, remains=10, now=NOON)

    assert changes() == before > 0


def test_test_orders_are_in_no_sums_of_profit() -> None:
    an_order(customer=a_test_customer())

    assert (changes(), wrong(), profit.report(Grouping.TOOL, period=DAYS).lines) == (0, [], [])


def test_by_customer_at_most_so_many_orders_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    customer = a_customer("100")
    for _ in range(3):
        an_order(customer=customer, now=NOON)
    db.session.rollback()
    whole = profit.page(Grouping.CUSTOMER, period=DAYS)
    monkeypatch.setattr(profit, "MAX_ORDERS_BY_CUSTOMER", 2)
    bounded = profit.page(Grouping.CUSTOMER, period=DAYS)

    assert (len(whole.lines), whole.is_too_long) == (1, False)
    assert (bounded.lines, bounded.is_too_long, bounded.total.orders) == ([], True, 3)
    assert len(profit.report(Grouping.CUSTOMER, period=DAYS).lines) == 1


def test_ledger_shows_the_same_before_and_after_its_days_are_added_up() -> None:
    tool, customer = a_tool(price="0.90"), a_customer("100")
    for day, status in enumerate((Status.COMPLETED, Status.PARTIAL, Status.CANCELED, Status.PENDING)):
        an_order(customer=customer, tool=tool, status=status, now=NOON - timedelta(days=day))
    an_order(customer=a_test_customer(), tool=tool, status=Status.COMPLETED)
    day = (NOON - timedelta(days=1)).date().isoformat()
    wanted = [{}, {"from": day, "to": day}, {"to": day}, *({"kind": kind.value} for kind in TransferKind)]
    wanted += [{"account": name} for name in ("holds", "sales", "deposits", "adjustments", "customer")]
    wanted += [{"account": "holds", "kind": "return", "from": day}]

    def shown() -> list[tuple[list[int], ledger_search.Sums]]:
        db.session.rollback()
        pages = [ledger_search.page(ledger_filters.parse(given)) for given in wanted]
        return [([line.id for line in page.lines], page.sums) for page in pages]

    before = shown()
    for given, (ids, sums) in zip(wanted, before, strict=True):
        # Read one after the other, without kept sums and without an index.
        lines = list(ledger_search.all_lines(ledger_filters.parse(given)))
        assert ids == [line.id for line in lines] and sums.lines == len(ids), given
        assert sums.amount_nanos == sum(line.amount_nanos for line in lines), given
    with transaction():
        assert ledger_sums.add_up(now=utc_now(), most=4) > 0
    partly = ledger_sums.summed_up_to()
    assert shown() == before
    daily_sums.sweep(worker="w")
    assert ledger_sums.summed_up_to() > partly
    assert shown() == before
    assert audit.audit(now=utc_now()).differences == ()


def test_transfers_are_added_up_once_they_are_an_hour_old() -> None:
    an_order(customer=a_customer("100"), status=Status.COMPLETED, now=NOON)
    for at in (NOON, NOON + timedelta(minutes=60)):
        with transaction():
            assert ledger_sums.add_up(now=at) == 0
    with transaction():
        added = ledger_sums.add_up(now=NOON + timedelta(hours=1, seconds=1), most=2)
    with transaction():
        assert added + ledger_sums.add_up(now=NOON + timedelta(hours=1, seconds=1)) == 3
    db.session.rollback()
    assert db.session.scalar(select(func.sum(LedgerDay.lines))) == 3

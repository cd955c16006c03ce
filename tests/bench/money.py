"""Ending an order: status, event, two transfers, balance. Measured against six bare statements.

The same step without hash chains runs beside it, to show what the chains cost.
"""

import os
import statistics
import time

from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Account, AccountKind, EventSource, Order
from panel.services.orders import transitions
from panel.services.orders.transitions import Move
from tests.bench import goals, raw
from tests.bench.open_orders import ENGINES, PRICE_MICROS, QUANTITY, panel_with_open_orders
from tests.bench.unchained import unchained

SINGLE = int(os.environ.get("BENCH_SINGLE", str(goals.short(2000, 250))))
BATCHES = int(os.environ.get("BENCH_BATCHES", str(goals.short(100, 25))))
BATCH = 100
TURNS = 25
SINGLE_GOALS = {"sqlite": 0.6, "postgresql": 0.35}
REMAINS = 157
RETURNED = REMAINS * PRICE_MICROS
KEPT = QUANTITY * PRICE_MICROS - RETURNED

# An order's id, its version, its customer and the customer's account.
Row = tuple[int, int, int, int]


def main() -> None:
    orders = 3 * (SINGLE + BATCHES * BATCH)
    for engine in ENGINES:
        with panel_with_open_orders(engine, orders=orders, url="http://127.0.0.1:1/", status=Status.IN_PROGRESS):
            rows = _rows()
            _compare(
                f"{engine}, one at a time", [rows.pop(0) for _ in range(3 * SINGLE)], size=1, goal=SINGLE_GOALS[engine]
            )
            _compare(f"{engine}, batches of {BATCH}", rows, size=BATCH, goal=0.5)


def _rows() -> list[Row]:
    owned = select(Order.id, Order.version, Order.customer_id, Account.id)
    found = db.session.execute(owned.join(Account, Account.user_id == Order.customer_id).order_by(Order.id))
    return [(row[0], row[1], row[2], row[3]) for row in found]


def _compare(name: str, rows: list[Row], *, size: int, goal: float) -> None:
    """Run them in turns, so that other load on the machine affects all of them alike."""
    share = len(rows) // (3 * TURNS)
    parts = iter([rows[start : start + share] for start in range(0, 3 * TURNS * share, share)])
    ours: list[float] = []
    without: list[float] = []
    bare: list[float] = []
    cpu: dict[int, list[float]] = {id(ours): [], id(without): []}
    for turn in range(TURNS):
        steps = [(ours, _ours), (without, _without_chains)]
        for spent, step in steps if turn % 2 else steps[::-1]:
            began = time.process_time()
            spent.append(step(next(parts), size=size))
            cpu[id(spent)].append(time.process_time() - began)
        bare.append(_bare(next(parts), size=size))
    done = share * TURNS
    print(f"{name}: ours {done / sum(ours):,.0f} a second, bare {done / sum(bare):,.0f}")
    goals.report(f"{name}: ours / bare", sum(bare) / sum(ours), at_least=goal)
    time_more, cpu_more = _more(ours, without), _more(cpu[id(ours)], cpu[id(without)])
    goals.report(f"{name}: more time with hash chains", 100 * time_more, unit=" %")
    goals.report(f"{name}: more CPU time with hash chains", 100 * cpu_more, at_most=10, unit=" %")


def _more(ours: list[float], without: list[float]) -> float:
    """Median of neighboring turns: a turn that waited for the disk or another program says nothing about hashes."""
    return statistics.median(one / other for one, other in zip(ours, without, strict=True)) - 1


def _without_chains(rows: list[Row], *, size: int) -> float:
    with unchained():
        return _ours(rows, size=size)


def _ours(rows: list[Row], *, size: int) -> float:
    began = time.perf_counter()
    for start in range(0, len(rows), size):
        with transaction():
            claimed = transitions.lock_orders([row[0] for row in rows[start : start + size]])
            moves = [Move(order, Status.PARTIAL, REMAINS, source=EventSource.PROVIDER) for order in claimed.values()]
            transitions.apply_moves(moves, now=utc_now())
    return time.perf_counter() - began


def _bare(rows: list[Row], *, size: int) -> float:
    db.session.rollback()
    found = db.session.execute(select(Account.kind, Account.id)).all()
    house: dict[str, int] = {row.kind: row.id for row in found}
    holds, sales = house[AccountKind.HOLDS], house[AccountKind.SALES]
    db.session.rollback()
    connection = raw.RawConnection()
    began = time.perf_counter()
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        at = connection.moment(utc_now())
        steps = (
            (raw.ORDER, [_order(row, at) for row in some]),
            (raw.EVENT, [_event(row, at) for row in some]),
            (
                raw.TRANSFER,
                [(holds, account, RETURNED, "return", o, f"return:order:{o}", at) for o, _, _, account in some],
            ),
            (raw.TRANSFER, [(holds, sales, KEPT, "keep", o, f"keep:order:{o}", at) for o, *_ in some]),
            (raw.BALANCE, [(RETURNED, account) for *_, account in some]),
            (raw.CUSTOMER, [(customer,) for _, _, customer, _ in some]),
        )
        connection.begin()
        for statement, values in steps:
            if size == 1:
                connection.one(statement, values[0])
            else:
                connection.many(statement, values)
        connection.commit()
    spent = time.perf_counter() - began
    connection.close()
    return spent


def _order(row: Row, at: object) -> tuple[object, ...]:
    return ("partial", REMAINS, None, KEPT, RETURNED, "", at, None, at, row[0], row[1])


def _event(row: Row, at: object) -> tuple[object, ...]:
    kinds = (row[0], "moved", "provider", "in_progress", "partial", REMAINS, None)
    return (*kinds, KEPT, RETURNED, row[1] + 1, "", "", at)

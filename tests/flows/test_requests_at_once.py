"""Concurrent refill and cancellation requests (double click, two tabs, API): one request, one provider call."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from panel.clock import utc_now
from panel.db import Base, db, transaction
from panel.domain.refill import RefillState
from panel.domain.status import Status
from panel.jobs import cancellations as cancellation_sweep
from panel.jobs import refills as refill_sweep
from panel.jobs import sync
from panel.models import ApiKey, Attempt, Cancellation, LoginSession, Order, Provider, Refill, User
from panel.services.money import ledger
from panel.services.orders import detail as order_detail
from panel.services.orders import refill_endings, refills, request_progress, transitions
from panel.services.orders.detail import OwnOrder
from tests.support import ledger_oracle
from tests.support.api_clients import PATH, a_key
from tests.support.concurrently import run_concurrently
from tests.support.factories import a_customer, a_provider, a_tool, an_order, logged_in, reload
from tests.support.hostile_provider import HostileProvider, hostile_provider, http_response, provider_at

pytestmark = pytest.mark.both_engines

UPSTREAM_ID = "1001"
# Tables that aren't about orders: sessions, and when a key was last used.
ASIDE = {LoginSession.__tablename__, ApiKey.__tablename__}


@pytest.fixture
def server(app: Flask) -> Iterator[HostileProvider]:
    app.config["PANEL"] = app.config["PANEL"].model_copy(update={"provider_timeout_seconds": 5.0})
    with hostile_provider() as server:
        provider_at(server.url, settings=app.config["PANEL"])
        yield server


def upstream_order(status: Status, *, days_ago: float = 0, **terms: object) -> Order:
    """An order in this status at the hostile provider."""
    provider = db.session.scalars(select(Provider).where(Provider.kind == "panel_api")).one()
    tool = a_tool(provider=provider, provider_service="7", **terms)
    at = utc_now() - timedelta(days=days_ago)
    order = an_order(customer=a_customer("1000"), tool=tool, status=status, now=at)
    with transaction():
        attempt = {"order_id": order.id, "provider_id": provider.id, "kind": "add", "state": "sent", "at": at}
        db.session.add(Attempt(**attempt, lease_until=at, answer=UPSTREAM_ID))
        due = {} if status is Status.COMPLETED else {"sync_at": utc_now()}
        row = transitions.lock_order(order.id)
        transitions.set_schedule(row, provider_order_id=UPSTREAM_ID, dispatch_at=None, **due)
    return reload(order)


def ways_to_ask(app: Flask, order: Order, *, form: str, action: str) -> list[Callable[[], str]]:
    """Two requests in each of two tabs, and two over the API; each returns `done` or `refused`."""
    person = db.session.get_one(User, order.customer_id)
    key, order_id = a_key(person), order.id
    tabs = [logged_in(app.test_client(), person) for _ in range(2)]

    def click(tab: int) -> Callable[[], str]:
        def send() -> str:
            client = app.test_client()
            for cookie in tabs[tab]._cookies.values():  # type: ignore[union-attr]
                client.set_cookie(cookie.key, cookie.value)
            status = client.post(f"/orders/{order_id}/{form}").status_code
            return {303: "done", 409: "refused"}[status]

        return send

    def call() -> str:
        field = "orders" if action == "cancel" else "order"
        answer = app.test_client().post(PATH, data={"key": key, "action": action, field: str(order_id)}).get_json()
        is_refused = "error" in answer if isinstance(answer, dict) else isinstance(answer[0][action], dict)
        return "refused" if is_refused else "done"

    return [click(0), click(0), click(1), click(1), call, call]


def _own(order: Order) -> OwnOrder:
    own = order_detail.find(order.id, customer_id=order.customer_id)
    assert own is not None
    return own


def sweep_at_once(app: Flask, sweep: Callable[..., int]) -> None:
    """Run the sweep twice, each time in several workers at the same moment."""
    for _ in range(2):
        run_concurrently(app, [lambda: sweep(worker="test", wait=True)] * 3)


def everything() -> dict[str, list[tuple[object, ...]]]:
    db.session.rollback()
    tables = [table for table in Base.metadata.sorted_tables if table.name not in ASIDE]
    return {table.name: sorted(map(tuple, db.session.execute(select(table))), key=repr) for table in tables}


def test_a_refill_asked_for_on_all_ways_at_once_is_one_task_and_one_call(app: Flask, server: HostileProvider) -> None:
    server.answers |= {
        "refill": http_response({"refill": "31"}),
        "refill_status": http_response({"status": "In progress"}),
    }
    order = upstream_order(Status.COMPLETED, days_ago=3)

    answers = run_concurrently(app, ways_to_ask(app, order, form="refills", action="refill"))
    sweep_at_once(app, refill_sweep.sweep)

    assert sorted(answers) == ["done"] + ["refused"] * 5
    db.session.rollback()
    assert db.session.scalar(select(func.count()).select_from(Refill)) == 1
    assert server.count("refill") == 1
    assert reload(order).status == Status.REFILL
    (story,) = request_progress.refill_stories(_own(order))
    assert [(step.label, step.at is not None) for step in story.steps] == [
        ("Asked", True),
        ("Accepted", True),
        ("Running", True),
        ("Completed", False),
    ]
    ledger_oracle.assert_consistent()


def test_concurrent_cancellations_are_one_request_one_call_and_a_refund_at_the_end(
    app: Flask, server: HostileProvider
) -> None:
    server.answers["cancel"] = http_response([{"order": int(UPSTREAM_ID), "cancel": 1}])
    order = upstream_order(Status.IN_PROGRESS)
    before = ledger.balance_nanos(order.customer_id)

    answers = run_concurrently(app, ways_to_ask(app, order, form="cancellation", action="cancel"))
    sweep_at_once(app, cancellation_sweep.sweep)
    accepted = [each.label for each in request_progress.cancellation_stories(_own(order))]
    untouched = ledger.balance_nanos(order.customer_id)
    server.answers["status"] = http_response({UPSTREAM_ID: {"status": "Partial", "remains": "400", "start_count": "1"}})
    with transaction():
        db.session.execute(update(Order).values(sync_at=utc_now()))
    sync.sweep(worker="test", wait=True)

    assert sorted(answers) == ["done"] + ["refused"] * 5
    assert (accepted, server.count("cancel")) == (["accepted"], 1)
    assert (untouched, reload(order).status) == (before, Status.PARTIAL)
    assert order.returned_nanos == 400 * order.price_micros_per_thousand
    assert ledger.balance_nanos(order.customer_id) == before + order.returned_nanos
    ledger_oracle.assert_consistent()


def test_an_order_that_nobody_has_is_canceled_once_with_all_its_money(app: Flask, server: HostileProvider) -> None:
    provider = db.session.scalars(select(Provider).where(Provider.kind == "panel_api")).one()
    order = an_order(customer=a_customer("1000"), tool=a_tool(provider=provider), now=utc_now())

    answers = run_concurrently(app, ways_to_ask(app, order, form="cancellation", action="cancel"))
    sweep_at_once(app, cancellation_sweep.sweep)

    assert sorted(answers) == ["done"] + ["refused"] * 5
    assert (reload(order).status, order.returned_nanos) == (Status.CANCELED, order.charge_nanos)
    assert ledger.balance_nanos(order.customer_id) == 1_000 * 10**9
    assert server.calls == []
    ledger_oracle.assert_consistent()


@pytest.mark.parametrize(
    ("form", "action", "terms", "status", "days_ago", "reason"),
    [
        ("refills", "refill", {"refill_days": None}, Status.COMPLETED, 1, "This tool does not offer refill."),
        ("refills", "refill", {"refill_days": 30}, Status.COMPLETED, 40, "this order completed 40 days ago."),
        ("refills", "refill", {"refill_days": 30}, Status.IN_PROGRESS, 0, "once the order is Completed."),
        (
            "cancellation",
            "cancel",
            {"can_cancel": False},
            Status.IN_PROGRESS,
            0,
            "This tool does not offer cancellation.",
        ),
        ("cancellation", "cancel", {"can_cancel": True}, Status.COMPLETED, 1, "The order has ended as Completed."),
    ],
)
def test_outside_the_terms_nothing_changes_and_no_provider_is_reached(
    app: Flask,
    server: HostileProvider,
    form: str,
    action: str,
    terms: dict[str, object],
    status: Status,
    days_ago: float,
    reason: str,
) -> None:
    order = upstream_order(status, days_ago=days_ago, **terms)
    ways = ways_to_ask(app, order, form=form, action=action)
    tab = logged_in(app.test_client(), db.session.get_one(User, order.customer_id))
    with transaction():
        db.session.execute(update(Order).values(sync_at=None))
    before = everything()

    page = tab.get(f"/orders/{order.id}").text
    answers = [way() for way in ways]
    refill_sweep.sweep(worker="test", wait=True)
    cancellation_sweep.sweep(worker="test", wait=True)

    assert set(answers) == {"refused"}
    assert everything() == before
    assert server.calls == []
    assert reason in page
    assert f'form="{"refill" if action == "refill" else "cancel"}"' not in page
    assert db.session.scalar(select(func.count()).select_from(Cancellation)) == 0


def test_a_refill_by_the_simulator_and_one_by_hand_go_through_the_same_steps(app: Flask) -> None:
    for kind in ("simulated", "manual"):
        order = an_order(tool=a_tool(provider=a_provider(kind)), status=Status.COMPLETED, now=utc_now())
        with transaction():
            refill_id = refills.request_refill(order.id, customer_id=order.customer_id, now=utc_now()).id
        refill_sweep.sweep(worker="test", wait=True)
        if kind == "manual":
            with transaction():
                refill_endings.begin_by_operator(refill_id, actor="anna", now=utc_now())
            with transaction():
                end = RefillState.REFUSED
                refill_endings.end_by_operator(refill_id, end, reason="The page is gone.", actor="anna", now=utc_now())
        else:
            # The simulator's id holds its start time: a task from a minute ago has ended by now.
            with transaction():
                long_ago = (utc_now() - timedelta(minutes=1)).timestamp()
                ended = {"provider_refill_id": f"refill-{order.id}-{int(long_ago * 1000)}", "due_at": utc_now()}
                db.session.execute(update(Refill).where(Refill.id == refill_id).values(**ended))
            refill_sweep.sweep(worker="test", wait=True)
        (story,) = request_progress.refill_stories(_own(order))

        seen = [step.label for step in story.steps]
        assert reload(order).status == Status.COMPLETED
        assert not story.is_open
        if kind == "manual":
            assert seen == ["Asked", "Accepted", "Running", "Refused"]
            assert story.steps[-1].text == "The page is gone."
        else:
            assert seen == ["Asked", "Accepted", "Completed"]

"""The demo's platform status: 90 days of measurements, two incidents that are over, test orders, and a real audit."""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import current_app
from sqlalchemy import insert

from panel.cli.errors import cli_transaction
from panel.clock import utc_now
from panel.db import db
from panel.domain.platform.component_states import Component, State
from panel.domain.platform.incidents import Phase
from panel.domain.platform.uptime_days import SHOWN_DAYS
from panel.domain.status import Status
from panel.models import EventSource, Measurement
from panel.services.money import audit as auditing
from panel.services.orders import past_orders
from panel.services.orders.past_orders import PastOrder, PastStep
from panel.services.platform import audit_runs, canary, components, incidents, measurements
from panel.services.platform.incidents import UpdateText
from panel.settings import secret_key

ACTOR = "demo"
MEASURED_EVERY = timedelta(minutes=15)
TIMED = {Component.SITE: 60, Component.ORDERING: 35, Component.DISPATCH: 900, Component.UPDATES: 1_500}
TIMED_API = {Component.API: 45}
TEST_ORDERS = 12


@dataclass(frozen=True)
class Trouble:
    """A resolved incident: affected components, times and updates."""

    component: Component
    state: State
    hours_ago: int
    minutes: int
    title: str
    first: str
    last: str
    impact: str


TROUBLE = (
    Trouble(
        Component.UPDATES,
        State.PARTIAL,
        61 * 24 + 5,
        42,
        "Order updates were delayed",
        "We are looking into why delivered counts arrive late. Orders keep running.",
        "A provider answered slowly and held up the others. Each provider now has a queue of its own.",
        "For 42 minutes, order pages showed counts that were up to half an hour old.",
    ),
    Trouble(
        Component.API,
        State.DEGRADED,
        17 * 24 + 9,
        26,
        "The API answered slowly",
        "Calls to the API take several seconds. Orders that were placed are safe.",
        "A report that read too much at once caused it. It now reads in small steps.",
        "For 26 minutes, API calls took up to 6 seconds. No order was lost.",
    ),
)


def fill(*, now: datetime) -> None:
    """Incidents, the days and rounds that the status page reads, and the panel's own test orders."""
    for trouble in TROUBLE:
        _incident(trouble, now=now)
    measurements.add_up(_stretches(now=now))
    db.session.execute(insert(Measurement), list(_rounds(now=now)))
    if current_app.config["PANEL"].canary_seconds:
        _place_test_orders(now=now)


def audit() -> None:
    """Audit all that was written, as the worker does: pages say when the ledger was last checked."""
    db.session.rollback()
    began = time.monotonic()
    found = auditing.audit()
    db.session.rollback()
    with cli_transaction():
        audit_runs.record(found, took_ms=int((time.monotonic() - began) * 1_000), now=utc_now())


def _incident(trouble: Trouble, *, now: datetime) -> None:
    began = now - timedelta(hours=trouble.hours_ago)
    words = UpdateText(Phase.INVESTIGATING, trouble.first, {str(trouble.component): trouble.state})
    request_id = f"demo-incident-{trouble.component}"
    made = incidents.open_incident(trouble.title, words, request_id=request_id, actor=ACTOR, now=began)
    impact = f"{trouble.impact} (This is an example: it happened in the demo only.)"
    over = UpdateText(Phase.RESOLVED, trouble.last, impact=impact)
    incidents.update(made.id, over, actor=ACTOR, now=began + timedelta(minutes=trouble.minutes))


def _stretches(*, now: datetime) -> Iterator[tuple[str, State, datetime, datetime]]:
    """Component states of the last 90 days: operational except during the incidents."""
    first = now - timedelta(days=SHOWN_DAYS)
    for key in (str(Component.PLATFORM), *components.labels()):
        at = first
        for trouble in TROUBLE:
            if key in (trouble.component, Component.PLATFORM):
                began = now - timedelta(hours=trouble.hours_ago)
                yield key, State.OPERATIONAL, at, began
                at = began + timedelta(minutes=trouble.minutes)
                yield key, trouble.state, began, at
        yield key, State.OPERATIONAL, at, now


def _rounds(*, now: datetime) -> Iterator[dict[str, object]]:
    """Probe measurements of the last day."""
    draw = random.Random("rounds of the probes")  # noqa: S311
    last = now.replace(microsecond=0)
    keys = (str(Component.PLATFORM), *components.labels())
    timed = TIMED | (TIMED_API if current_app.config["PANEL"].canary_seconds else {})
    usual = {str(component): value_ms for component, value_ms in timed.items()}
    for back in range(timedelta(hours=23) // MEASURED_EVERY, -1, -1):
        for key in keys:
            value_ms = int(usual[key] * draw.uniform(0.6, 2.2)) if key in usual else None
            at = last - MEASURED_EVERY * back
            yield {"component": key, "at": at, "state": State.OPERATIONAL, "value_ms": value_ms, "text": ""}


def _place_test_orders(*, now: datetime) -> None:
    """The test orders of the last hours: sent, delivered and refunded, as the worker does."""
    every = timedelta(seconds=max(current_app.config["PANEL"].canary_seconds, 60))
    began = now - every * (TEST_ORDERS + 1)
    canary.prepare(key=canary.key_of(secret_key(current_app.config["PANEL"])), now=began)
    offer, customer_id = canary.offer_and_customer()
    draw = random.Random("test orders")  # noqa: S311
    made = []
    for number in range(TEST_ORDERS):
        placed = began + every * (number + 1)
        handed, picked, ran, ended = (
            placed + timedelta(seconds=seconds + draw.uniform(0, 2)) for seconds in (1, 4, 8, 27)
        )
        start = draw.randint(0, 5_000)
        steps = (
            PastStep(handed, None, source=EventSource.US, text="Sent to the provider."),
            PastStep(picked, Status.PROCESSING, canary.QUANTITY),
            PastStep(ran, Status.IN_PROGRESS, canary.QUANTITY, start),
            PastStep(ended, Status.CANCELED, canary.QUANTITY, start),
        )
        provider_order_id = f"demo-test-{number}-{int(handed.timestamp() * 1_000)}"
        request_id = f"canary:{placed:%Y%m%dT%H%M%S}"
        made.append(
            PastOrder(
                customer_id, offer, canary.LINK, canary.QUANTITY, request_id, placed, handed, provider_order_id, steps
            )
        )
    past_orders.insert_orders(made)

"""Events of payment gateways: stored once by their id when they arrive, and worked on by a job.

An event is verified before it gets here. What it says is checked against what we asked for; one that doesn't fit moves
nothing and opens a review.
"""

from datetime import datetime, timedelta

from sqlalchemy import or_, select, update

from panel.db import db, lock_rows, table_of, upsert
from panel.domain.payment import PaymentMethod, PaymentReport, PaymentReportKind
from panel.domain.review_kind import ReviewKind
from panel.models import DepositRequest, PaymentEvent, PaymentEventState
from panel.payments.base import GatewayEvent
from panel.services import reviews
from panel.services.payments import settlement

EVENTS = table_of(PaymentEvent)

MAX_EVENT_BYTES = 256 * 1024
# How much of an event is kept, and for how long. Its row stays, so that a repeated event is recognized.
MAX_RAW_LENGTH = 64 * 1024
RAW_KEPT_FOR = timedelta(days=180)
# A refund may arrive before the payment that it is about is known.
KNOWN_WITHIN = timedelta(hours=1)
LOOK_AGAIN = timedelta(minutes=1)
EVENTS_SHOWN = 100


def receive(method: PaymentMethod, event: GatewayEvent, *, raw: str, now: datetime) -> bool:
    """Store a verified event, unless it is there already. Returns whether it is new."""
    report = event.report
    is_other = report.kind is PaymentReportKind.OTHER
    row = {
        "method": method,
        "event_id": event.id,
        "type": event.type,
        "kind": report.kind,
        "amount_nanos": report.amount_nanos,
        "currency": report.currency,
        "is_live": report.is_live,
        "account": report.account,
        "checkout_id": report.checkout_id,
        "payment_id": report.payment_id,
        "reference": report.reference,
        "raw": raw[:MAX_RAW_LENGTH],
        "received_at": now,
        "state": PaymentEventState.IGNORED if is_other else PaymentEventState.NEW,
        "due_at": None if is_other else now,
        "outcome": "",
    }
    add = upsert(EVENTS).values(row).on_conflict_do_nothing(index_elements=["method", "event_id"])
    return db.session.execute(add.returning(EVENTS.c.id)).first() is not None


def note_forged(method: PaymentMethod, *, why: str, now: datetime) -> None:
    """Open a review about events with a wrong signature: one a day, however many there are."""
    text = (
        f"{now:%d %B %Y}: an event for “{method.label}” was refused. {why} Either somebody else sent it, or the "
        "signing secret in the settings isn’t the gateway’s."
    )
    reviews.open_review(ReviewKind.PAYMENT, text=text, now=now)


def due(*, most: int, now: datetime) -> list[int]:
    """Ids of events to work on, in the order in which they arrived."""
    statement = select(EVENTS.c.id).where(EVENTS.c.due_at <= now).order_by(EVENTS.c.id).limit(most)
    return list(db.session.scalars(statement))


def work_on(event_id: int, *, now: datetime) -> bool:
    """Do what the event says, once; concurrent calls do it once, too. Returns whether it was this call."""
    known = db.session.execute(select(EVENTS).where(EVENTS.c.id == event_id)).one()
    report = PaymentReport(
        PaymentReportKind(known.kind),
        known.amount_nanos,
        known.currency,
        known.is_live,
        known.account,
        known.checkout_id,
        known.payment_id,
        known.reference,
    )
    # Lock order: the customer's account, the deposit, the event.
    deposit = settlement.lock_deposit(PaymentMethod(known.method), report)
    state = db.session.scalar(lock_rows(select(EVENTS.c.due_at).where(EVENTS.c.id == event_id)))
    if state is None:
        return False
    if deposit is None and report.kind is not PaymentReportKind.PAID and now - known.received_at < KNOWN_WITHIN:
        _set(event_id, PaymentEventState.WAITING, due_at=now + LOOK_AGAIN, outcome="The payment is not known yet.")
        return False
    done = settlement.apply(PaymentMethod(known.method), report, deposit, now=now)
    _set(event_id, done.state, due_at=None, outcome=done.text)
    if report.payment_id and done.state is PaymentEventState.APPLIED:
        _wake_waiting(known.method, report.payment_id, now=now)
    return True


def postpone(event_id: int, *, now: datetime) -> None:
    """Work on an event again later that failed for a reason nobody expected."""
    due = (EVENTS.c.id == event_id, EVENTS.c.due_at.is_not(None))
    values = {"due_at": now + LOOK_AGAIN, "outcome": "It could not be worked on. It is tried again every minute."}
    db.session.execute(update(EVENTS).where(*due).values(**values))


def _set(event_id: int, state: PaymentEventState, *, due_at: datetime | None, outcome: str) -> None:
    values = {"state": state, "due_at": due_at, "outcome": outcome}
    db.session.execute(update(EVENTS).where(EVENTS.c.id == event_id).values(**values))


def _wake_waiting(method: str, payment_id: str, *, now: datetime) -> None:
    """Make the events that waited for this payment due now."""
    waiting = (
        EVENTS.c.method == method,
        EVENTS.c.payment_id == payment_id,
        EVENTS.c.state == PaymentEventState.WAITING,
    )
    db.session.execute(update(EVENTS).where(*waiting).values(due_at=now))


def of_deposit(deposit: DepositRequest) -> list[PaymentEvent]:
    """The gateway's events about this deposit, in the order in which they arrived; the latest 100."""
    named = [
        column == value
        for column, value in (
            (PaymentEvent.reference, deposit.reference),
            (PaymentEvent.checkout_id, deposit.checkout_id),
            (PaymentEvent.payment_id, deposit.payment_id),
        )
        if value
    ]
    mine = select(PaymentEvent).where(PaymentEvent.method == deposit.method, or_(*named))
    return list(db.session.scalars(mine.order_by(PaymentEvent.id.desc()).limit(EVENTS_SHOWN)))[::-1]


def purge(*, now: datetime) -> int:
    """Blank the bodies of old events."""
    old = (EVENTS.c.received_at < now - RAW_KEPT_FOR, EVENTS.c.raw != "")
    return len(db.session.execute(update(EVENTS).where(*old).values(raw="").returning(EVENTS.c.id)).all())

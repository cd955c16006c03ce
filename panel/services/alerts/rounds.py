"""Alert rounds: compare what is true with what operators know, and queue one message for all that is new.

State and messages are written in one transaction, with the state locked: however many workers look, each step is sent
once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

from panel.db import db, execute_write, lock_rows, table_of, upsert
from panel.domain.alerts import AlertChannel, AlertFound, AlertKind, AlertState, AlertStep, next_step
from panel.models import Alert, MailKind
from panel.services import webhooks
from panel.services.alerts import conditions, recipients
from panel.services.alerts.recipients import Recipient
from panel.services.mail import outbox
from panel.services.mail import templates as mail_templates
from panel.services.mail.templates import MailText
from panel.services.telegram import outbox as telegram_outbox

_ALERTS = table_of(Alert)


@dataclass(frozen=True, slots=True)
class AlertLine:
    """Line of a message about one kind."""

    kind: AlertKind
    step: AlertStep
    count: int
    detail: str

    @property
    def text(self) -> str:
        if self.step is AlertStep.ENDED:
            return self.kind.label
        return f"{self.kind.label}: {self.count:,}" + (f" ({self.detail})" if self.detail else "")

    @property
    def as_event(self) -> dict[str, str | int]:
        """The line in a webhook."""
        return {"kind": self.kind.value, "state": self.step.value, "count": self.count, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class AlertNow:
    """A kind as the office shows it: what is true now, and since when operators know."""

    kind: AlertKind
    found: AlertFound
    began_at: datetime | None


def is_due(*, now: datetime) -> bool:
    """Whether anything is to be sent or noted; reads only."""
    states = {row[0]: _state(*row[1:]) for row in db.session.execute(_read())}
    found = conditions.found_now(now=now)
    return any(
        next_step(states.get(kind, AlertState()), each, now=now) != (states.get(kind, AlertState()), None)
        for kind, each in found.items()
    )


def notify(*, now: datetime) -> int:
    """Look at every kind once; queue a message to each operator who wants any of it. Returns the number of steps."""
    add = upsert(_ALERTS).on_conflict_do_nothing(index_elements=[_ALERTS.c.kind])
    execute_write(add, [{"kind": kind, "notified_count": 0} for kind in AlertKind])
    rows = db.session.scalars(lock_rows(select(Alert)).execution_options(populate_existing=True)).all()
    found = conditions.found_now(now=now)
    lines = []
    for row in rows:
        kind = AlertKind(row.kind)
        state, step = next_step(_state(row.began_at, row.notified_at, row.notified_count), found[kind], now=now)
        row.began_at, row.notified_at, row.notified_count = state.began_at, state.notified_at, state.notified_count
        if step is not None:
            lines.append(AlertLine(kind, step, found[kind].count, found[kind].detail))
    db.session.flush()
    order = list(AlertKind)
    lines.sort(key=lambda line: order.index(line.kind))
    for to in recipients.all_operators() if lines else ():
        _send(to, lines, now=now)
    return len(lines)


def present(*, now: datetime) -> list[AlertNow]:
    """The kinds that are true now, for the office."""
    began = {kind: began_at for kind, began_at, _notified, _count in db.session.execute(_read())}
    found = conditions.found_now(now=now)
    return [AlertNow(kind, each, began.get(kind)) for kind, each in found.items() if each.count]


def _read() -> Select[str, datetime | None, datetime | None, int]:
    return select(Alert.kind, Alert.began_at, Alert.notified_at, Alert.notified_count)


def _state(began_at: datetime | None, notified_at: datetime | None, notified_count: int) -> AlertState:
    return AlertState(began_at, notified_at, notified_count)


def _send(to: Recipient, lines: Sequence[AlertLine], *, now: datetime) -> None:
    """Queue what this operator wants by each channel."""
    by_channel = {channel: [line for line in lines if to.wants(line.kind, channel)] for channel in AlertChannel}
    if mailed := by_channel[AlertChannel.EMAIL]:
        key = f"alerts:{to.user_id}:{now.isoformat()}"
        outbox.queue(to.email, _written(mailed), user_id=to.user_id, key=key, now=now)
    if messaged := by_channel[AlertChannel.TELEGRAM]:
        telegram_outbox.queue(to.user_id, _written(messaged).as_message, now=now)
    if called := by_channel[AlertChannel.WEBHOOK]:
        webhooks.queue_alert_event(to.user_id, [line.as_event for line in called], now=now)


def _written(lines: Sequence[AlertLine]) -> MailText:
    by_step = {step.value: [line for line in lines if line.step is step] for step in AlertStep}
    return mail_templates.write(MailKind.ALERTS, subject=_subject(lines), **by_step)


def _subject(lines: Sequence[AlertLine]) -> str:
    first = lines[0].text if lines[0].step is not AlertStep.ENDED else f"{lines[0].text}: over"
    return first if len(lines) == 1 else f"{first}, and {len(lines) - 1} more"

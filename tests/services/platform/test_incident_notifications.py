"""Mails about incidents: only to recent customers of affected tools, once when it begins and once when it is over."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.notification_kinds import Notice
from panel.domain.platform.component_states import State, provider_key
from panel.domain.platform.incidents import Phase
from panel.jobs import announcements as announcement_sweep
from panel.models import Incident, Mail, MailKind, Tool, User
from panel.services.mail import notifications
from panel.services.platform import incident_notifications, incidents
from panel.services.platform.incidents import UpdateText, Window
from tests.support.factories import NOON, a_customer, a_provider, a_tool, an_order

HOUR = timedelta(hours=1)
RESOLVED = UpdateText(Phase.RESOLVED, "The disk is replaced.\nEvery order moves again.")


def a_reader(tool: Tool | None, *, placed_at: datetime = NOON, off: bool = False) -> User:
    """A customer with a confirmed address, and an order if there is a tool."""
    customer = a_customer()
    with transaction():
        db.session.get_one(User, customer.id).email_confirmed_at = NOON
        if off:
            notifications.switch_off(customer.id, [Notice.INCIDENT])
    if tool is not None:
        an_order(customer=customer, tool=tool, now=placed_at)
    return customer


def an_incident(parts: Mapping[str, State], *, window: Window | None = None, now: datetime = NOON) -> int:
    words = UpdateText(Phase.PLANNED if window else Phase.INVESTIGATING, "We look into it.", parts)
    with transaction():
        return incidents.open_incident(
            "Orders wait", words, request_id="form-1", window=window, actor="ada", now=now
        ).id


def resolve(incident_id: int, *, now: datetime = NOON + HOUR) -> None:
    with transaction():
        incidents.update(incident_id, RESOLVED, actor="ada", now=now)


def queue(*, now: datetime = NOON + HOUR) -> None:
    while incident_notifications.is_any_to_mail():
        with transaction():
            incident_notifications.queue_mails(now=now)


def mailed() -> list[tuple[str, str]]:
    wanted = select(Mail.email, Mail.subject).where(Mail.kind == MailKind.INCIDENT).order_by(Mail.id)
    return [(email, subject) for email, subject in db.session.execute(wanted)]


def test_customers_of_affected_tools_get_one_mail_at_the_beginning_and_one_at_the_end() -> None:
    broken, other = a_provider("simulated", name="Broken"), a_provider("simulated", name="Other")
    of_broken = a_tool(provider=broken)
    concerned = a_reader(of_broken)
    a_reader(a_tool(provider=other))
    a_reader(of_broken, placed_at=NOON - timedelta(days=31))
    a_reader(of_broken, off=True)
    a_reader(None)

    incident_id = an_incident({provider_key(broken.id): State.MAJOR})
    queue()
    queue()
    assert mailed() == [(concerned.email, "Incident: Orders wait")]

    with transaction():
        words = UpdateText(Phase.MONITORING, "It works again.", {provider_key(broken.id): State.DEGRADED})
        incidents.update(incident_id, words, actor="ada", now=NOON + HOUR)
    queue()
    assert len(mailed()) == 1

    resolve(incident_id)
    queue()
    assert mailed()[1:] == [(concerned.email, "Resolved: Orders wait")]
    text = db.session.scalars(select(Mail.text).order_by(Mail.id.desc())).first()
    assert "The disk is replaced.\nEvery order moves again." in str(text)
    assert "It began 20 November 2026, 12:00 UTC and ended 20 November 2026, 13:00 UTC." in str(text)


def test_incident_of_the_platform_concerns_every_recent_customer() -> None:
    readers = [a_reader(a_tool(provider=a_provider("simulated", name=f"Provider {number}"))) for number in range(2)]
    a_reader(None)

    an_incident({"dispatch": State.PARTIAL})
    queue()

    assert mailed() == [(reader.email, "Incident: Orders wait") for reader in readers]


def test_planned_work_is_mailed_with_its_window() -> None:
    reader = a_reader(a_tool())

    an_incident({}, window=Window(NOON + 24 * HOUR, NOON + 25 * HOUR))
    queue()

    assert mailed() == [(reader.email, "Planned work: Orders wait")]
    text = db.session.scalars(select(Mail.text)).one()
    assert "from 21 November 2026, 12:00 UTC to 21 November 2026, 13:00 UTC" in text


def test_proposal_is_mailed_when_it_is_published_and_never_when_it_is_dismissed() -> None:
    reader = a_reader(a_tool())
    with transaction():
        for component in ("dispatch", "order-updates"):
            incidents.propose(component, title="Slow", text="Measured.", began_at=NOON, now=NOON)
    first, second = db.session.scalars(select(Incident.id).order_by(Incident.id))

    with transaction():
        incidents.dismiss(first, reason="A false alarm.", actor="ada", now=NOON)
        assert not incident_notifications.is_any_to_mail()
        words = UpdateText(Phase.INVESTIGATING, "We look into it.", {"order-updates": State.DEGRADED})
        incidents.publish(second, "Counts come late", words, actor="ada", now=NOON)
    queue()

    assert mailed() == [(reader.email, "Incident: Counts come late")]


def test_news_of_yesterday_is_not_mailed() -> None:
    a_reader(a_tool())
    an_incident({})

    queue(now=NOON + 25 * HOUR)

    assert mailed() == []


def test_customers_are_taken_in_batches_and_repeats_mail_nobody_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident_notifications, "MAILS_AT_ONCE", 2)
    tool = a_tool()
    readers = [a_reader(tool) for _ in range(5)]
    incident_id = an_incident({})

    with transaction():
        assert incident_notifications.queue_mails(now=NOON) == 2
    assert len(mailed()) == 2
    with transaction():
        db.session.get_one(Incident, incident_id).mailed_up_to = 0
    queue()

    assert sorted(email for email, _subject in mailed()) == sorted(reader.email for reader in readers)


def test_sweep_queues_them() -> None:
    reader = a_reader(a_tool(), placed_at=utc_now())
    an_incident({}, now=utc_now())

    assert announcement_sweep.sweep(worker="test") > 0
    assert mailed() == [(reader.email, "Incident: Orders wait")]

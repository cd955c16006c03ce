"""Announcements: drafts are private, each action is logged once, and each customer gets one mail at most."""

import pytest
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, StaleForm
from panel.domain.notification_kinds import Notice
from panel.jobs import announcements as announcement_sweep
from panel.models import Announcement, AuditLogEntry, Mail, User
from panel.services import announcements
from panel.services.mail import notifications
from tests.support.factories import NOON, a_customer, an_operator


def draft(title: str = "New server") -> Announcement:
    with transaction():
        return announcements.draft(
            title=title, text="We moved.\nIt is faster.", audience="everyone", actor="ada", now=NOON
        )


def publish(found: Announcement, *, with_mail: bool = False) -> None:
    with transaction():
        announcements.publish(found.id, is_pinned=False, with_mail=with_mail, seen=found.version, actor="ada", now=NOON)


def a_reader(*, off: bool = False, is_confirmed: bool = True) -> User:
    customer = a_customer()
    with transaction():
        db.session.get_one(User, customer.id).email_confirmed_at = NOON if is_confirmed else None
        if off:
            notifications.switch_off(customer.id, [Notice.ANNOUNCEMENT])
    return customer


def test_draft_is_shown_to_nobody_until_it_is_published() -> None:
    found = draft()
    assert list(announcements.published(is_customer=True)) == []

    publish(found)

    assert [each.title for each in announcements.published(is_customer=False)] == ["New server"]
    with pytest.raises(ActionRefused), transaction():
        announcements.publish(found.id, is_pinned=True, with_mail=True, seen=2, actor="ada", now=NOON)
    logged = db.session.scalars(select(AuditLogEntry.action).order_by(AuditLogEntry.id)).all()
    assert logged == ["announcement draft", "announcement publish"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": ""}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"title": "x" * 121}, "title"),
        ({"text": " \n "}, "text"),
        ({"text": "x" * 4_001}, "text"),
        ({"audience": "nobody"}, "audience"),
    ],
)
def test_wrong_words_keep_nothing(changes: dict[str, str], field: str) -> None:
    typed = {"title": "New server", "text": "We moved.", "audience": "everyone"} | changes
    with pytest.raises(BadInput) as refused, transaction():
        announcements.draft(**typed, actor="ada", now=NOON)

    assert refused.value.field == field
    assert db.session.scalars(select(Announcement)).all() == []


@pytest.mark.both_engines
def test_of_two_operators_the_second_sees_the_first_ones_words() -> None:
    found = draft()
    words = {"text": "Later.", "audience": "customers"}
    with transaction():
        announcements.edit(found.id, title="Newer server", **words, seen=1, actor="ada", now=NOON)

    with pytest.raises(StaleForm), transaction():
        announcements.edit(found.id, title="Old server", **words, seen=1, actor="ben", now=NOON)

    assert announcements.find(found.id).title == "Newer server"


@pytest.mark.both_engines
def test_each_customer_who_wants_it_gets_one_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "MAILS_AT_ONCE", 2)
    readers = [a_reader() for _ in range(3)]
    a_reader(off=True), a_reader(is_confirmed=False), an_operator()
    found = draft()
    publish(found, with_mail=True)

    runs = [announcement_sweep.sweep(worker="test") for _ in range(5)]
    # A batch that is repeated after a crash writes nobody again.
    with transaction():
        announcements.find(found.id).mailed_up_to = 0
    announcement_sweep.sweep(worker="test")

    assert runs == [2, 2, 1, 0, 0]
    mails = db.session.scalars(select(Mail).order_by(Mail.id)).all()
    assert [mail.user_id for mail in mails] == [reader.id for reader in readers]
    assert mails[0].subject == "New server"
    assert "We moved.\nIt is faster.\n" in mails[0].text and f"/updates#announcement-{found.id}" in mails[0].text
    assert mails[0].unsubscribe


def test_withdrawing_ends_the_mails() -> None:
    a_reader()
    found = draft()
    publish(found, with_mail=True)

    with transaction():
        announcements.withdraw(found.id, seen=2, actor="ada", now=NOON)

    assert announcement_sweep.sweep(worker="test") == 0
    assert list(announcements.published(is_customer=True)) == []

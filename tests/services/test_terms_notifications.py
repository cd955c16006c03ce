"""Mails about changed terms: one a day and customer at most, with own prices, never twice about a change."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, func, select, update

from panel.db import db, transaction
from panel.domain.notification_kinds import Notice
from panel.models import Catalogue, KnownPriceList, KnownPrices, Mail, TermsRound, Tool, User
from panel.services import terms_notifications
from panel.services.catalogue import tool_settings
from panel.services.mail import notifications
from panel.services.office import price_groups, tool_editor
from tests.support.factories import NOON, a_customer, a_tool, an_order, new_terms
from tests.support.large_catalogue import fill_catalogue

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

pytestmark = pytest.mark.both_engines


def steps(*, now: datetime) -> int:
    """Step until nothing is due; returns how many mails about terms there are."""
    while terms_notifications.is_due(now=now):
        db.session.rollback()
        with transaction():
            terms_notifications.step(now=now)
        if db.session.get_one(TermsRound, 1).mailed_up_to is None:
            break
    return len(mails())


def mails() -> list[Mail]:
    db.session.rollback()
    return list(db.session.scalars(select(Mail).where(Mail.kind == "terms").order_by(Mail.id)))


def a_user_of(*tools: Tool, off: bool = False) -> User:
    customer = a_customer(balance="100.00")
    for tool in tools:
        an_order(customer=customer, tool=tool)
    with transaction():
        db.session.get_one(User, customer.id).email_confirmed_at = NOON
        if off:
            notifications.switch_off(customer.id, [Notice.TERMS])
    return customer


def set_price(tool: Tool, price: str) -> None:
    with transaction():
        tool_settings.set_field(tool.slug, "price_per_thousand", price, actor="test", now=NOON)


def hide(tool: Tool) -> None:
    with transaction():
        tool_editor.show_or_hide(tool.slug, is_hidden=True, reason="Too slow.", actor="operator", now=NOON)


def test_changes_of_an_hour_come_in_one_mail_to_those_who_used_the_tools() -> None:
    plays, visits, saves, other = a_tool("plays", price="0.90"), a_tool("visits"), a_tool("saves"), a_tool("other")
    customer = a_user_of(plays, visits, saves)
    a_user_of(other), a_user_of(plays, off=True)
    steps(now=NOON)

    set_price(plays, "1.20")
    assert steps(now=NOON) == 0
    new_terms(visits, refill_days=None, minimum=1_500)
    hide(saves)
    assert steps(now=NOON + HOUR / 2) == 0
    assert steps(now=NOON + HOUR) == 1

    (mail,) = mails()
    assert (mail.user_id, mail.subject) == (customer.id, "Changes to 3 tools you use")
    assert "Plays, changed\n  Price per 1,000: $1.20 (before: $0.90)\n" in mail.text and "/tools/plays\n" in mail.text
    assert "  Minimum order: 1,500 (before: 10)\n  Refill: not offered (before: 30 days)\n" in mail.text
    assert "No longer offered:\n- Saves\n" in mail.text
    assert mail.unsubscribe and "Other" not in mail.text


def test_same_change_is_never_mailed_twice_and_the_next_mail_waits_a_day() -> None:
    tool = a_tool("plays", price="0.90")
    a_user_of(tool)
    steps(now=NOON)
    set_price(tool, "1.20")
    steps(now=NOON)
    assert steps(now=NOON + HOUR) == 1

    set_price(tool, "1.30")
    assert steps(now=NOON + 2 * HOUR) == 1
    assert steps(now=NOON + DAY) == 1
    assert steps(now=NOON + DAY + HOUR) == 2
    assert steps(now=NOON + 9 * DAY) == 2

    assert "Price per 1,000: $1.30 (before: $1.20)" in mails()[1].text


def test_prices_are_those_of_the_customer_and_a_fixed_price_has_not_changed() -> None:
    plays, visits = a_tool("plays", price="1.00"), a_tool("visits", price="1.00")
    member = a_user_of(plays, visits)
    with transaction():
        group_id = price_groups.add("Resellers", "10", actor="operator", now=NOON)
        price_groups.set_price(group_id, "visits", "0.80", actor="operator", now=NOON)
        price_groups.give(member.id, group_id, actor="operator", now=NOON)
    steps(now=NOON)

    for tool in (plays, visits):
        set_price(tool, "2.00")
    steps(now=NOON)
    steps(now=NOON + HOUR)

    (mail,) = mails()
    assert mail.subject == "Plays: changed terms"
    assert "Price per 1,000: $1.80 (before: $0.90)" in mail.text and "Visits" not in mail.text


def test_change_that_is_taken_back_and_tools_used_long_ago_make_no_mail() -> None:
    tool, later = a_tool("plays", price="0.90"), a_tool("visits")
    a_user_of(tool, later)
    steps(now=NOON)
    set_price(tool, "1.20")
    steps(now=NOON)
    set_price(tool, "0.90")
    # The same price again is another version, in which customers see no difference.
    assert steps(now=NOON + HOUR) == 0

    new_terms(later, minimum=20)
    steps(now=NOON + 91 * DAY)
    assert steps(now=NOON + 92 * DAY) == 0


def test_terms_of_a_hidden_tool_are_no_news_when_it_is_shown_again() -> None:
    tool = a_tool("plays", price="0.90")
    a_user_of(tool)
    hide(tool)
    steps(now=NOON)

    set_price(tool, "1.20")
    with transaction():
        tool_editor.show_or_hide("plays", is_hidden=False, reason="Fast again.", actor="operator", now=NOON)
    steps(now=NOON)

    assert steps(now=NOON + HOUR) == 0


def test_a_round_that_was_interrupted_goes_on_and_writes_nobody_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms_notifications, "CUSTOMERS_A_STEP", 2)
    tool = a_tool("plays", price="0.90")
    readers = [a_user_of(tool) for _ in range(3)]
    steps(now=NOON)
    set_price(tool, "1.20")
    steps(now=NOON)
    with transaction():
        terms_notifications.step(now=NOON + HOUR)
    # The first batch is repeated, as after a backup was restored.
    with transaction():
        assert terms_notifications.step(now=NOON + HOUR) == 2
    with transaction():
        db.session.execute(update(TermsRound).values(mailed_up_to=0))

    assert steps(now=NOON + HOUR) == 3
    assert [mail.user_id for mail in mails()] == [reader.id for reader in readers]
    # The terms changed once more while the round ran: the next round says what changed since.
    set_price(tool, "1.30")
    steps(now=NOON + 2 * DAY)
    assert steps(now=NOON + 3 * DAY) == 6


def test_thousands_of_changed_tools_make_one_mail_and_few_statements() -> None:
    tool = a_tool("aaa", price="0.90")
    fill_catalogue(300, after=10)
    a_user_of(tool)
    steps(now=NOON)
    with transaction():
        db.session.execute(update(Tool).where(Tool.id != tool.id).values(is_hidden=True))
        db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))
    set_price(tool, "1.20")
    statements: list[str] = []

    steps(now=NOON)
    event.listen(db.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert steps(now=NOON + HOUR) == 1

    assert mails()[0].subject == "Aaa: changed terms"
    assert len(statements) < 60


def test_customers_are_mailed_when_their_group_changes_their_prices() -> None:
    plays, visits, other = a_tool("plays", price="1.00"), a_tool("visits", price="2.00"), a_tool("other", price="3.00")
    member, stranger = a_user_of(plays, visits), a_user_of(plays)
    steps(now=NOON)
    with transaction():
        group_id = price_groups.add("Resellers", "10", actor="operator", now=NOON)
        price_groups.give(member.id, group_id, actor="operator", now=NOON)

    early = steps(now=NOON)
    joined = steps(now=NOON + HOUR)
    with transaction():
        price_groups.set_price(group_id, "visits", "1.50", actor="operator", now=NOON + HOUR)
        price_groups.set_price(group_id, "other", "1.50", actor="operator", now=NOON + HOUR)
        price_groups.change(group_id, name="Resellers", percent="20", actor="operator", now=NOON + HOUR)
    set_price(plays, "1.10")
    steps(now=NOON + 2 * HOUR)
    steps(now=NOON + 2 * DAY)
    assert steps(now=NOON + 9 * DAY) == 3

    assert (early, joined) == (0, 1)
    first, *later = mails()
    own, listed = sorted(later, key=lambda mail: mail.user_id != member.id)
    assert (first.user_id, own.user_id, listed.user_id) == (member.id, member.id, stranger.id)
    assert "$0.90 (before: $1.00)" in first.text and "$1.80 (before: $2.00)" in first.text
    assert "$0.88 (before: $0.90)" in own.text and "$1.50 (before: $1.80)" in own.text
    assert "$1.10 (before: $1.00)" in listed.text and other.name not in own.text
    assert db.session.scalars(select(KnownPrices)).all() == []


def test_price_list_is_stored_once_for_all_customers_of_a_group() -> None:
    tool = a_tool("plays", price="1.00")
    members = [a_user_of(tool) for _ in range(4)]
    steps(now=NOON)
    with transaction():
        group_id = price_groups.add("Resellers", "10", actor="operator", now=NOON)
        for member in members:
            price_groups.give(member.id, group_id, actor="operator", now=NOON)
    steps(now=NOON)
    steps(now=NOON + HOUR)
    before = stored_rows()

    with transaction():
        price_groups.set_price(group_id, "plays", "0.80", actor="operator", now=NOON + 2 * DAY)
    changed = stored_rows()
    with transaction():
        price_groups.set_price(group_id, "plays", "0.70", actor="operator", now=NOON + 2 * DAY)
        price_groups.remove(group_id, actor="operator", now=NOON + 2 * DAY)

    assert (before, changed, stored_rows()) == ((0, 0), (1, 4), (1, 4))
    steps(now=NOON + 2 * DAY)
    steps(now=NOON + 3 * DAY)
    assert stored_rows() == (0, 0)
    assert [mail.text.count("$1.00 (before: $0.90)") for mail in mails()[-4:]] == [1, 1, 1, 1]


def stored_rows() -> tuple[int, int]:
    """How many price lists are stored, and for how many customers."""
    db.session.rollback()
    counts = (db.session.scalar(select(func.count()).select_from(each)) for each in (KnownPriceList, KnownPrices))
    lists, customers = (count or 0 for count in counts)
    return lists, customers


def test_prices_that_were_changed_back_and_accounts_without_mails_leave_nothing_behind() -> None:
    tool = a_tool("plays", price="1.00")
    member = a_user_of(tool)
    steps(now=NOON)
    for percent in ("10", None):
        with transaction():
            group_id = price_groups.add(f"Group {percent}", percent or "20", actor="operator", now=NOON)
            price_groups.give(member.id, group_id if percent else None, actor="operator", now=NOON)

    steps(now=NOON)

    assert steps(now=NOON + HOUR) == 0
    assert db.session.scalars(select(KnownPrices)).all() == []


def test_a_group_that_changes_while_mails_are_written_is_in_the_next_ones() -> None:
    tool = a_tool("plays", price="1.00")
    member = a_user_of(tool)
    steps(now=NOON)
    with transaction():
        group_id = price_groups.add("Resellers", "10", actor="operator", now=NOON)
        price_groups.give(member.id, group_id, actor="operator", now=NOON)
    steps(now=NOON)
    with transaction():
        terms_notifications.step(now=NOON + HOUR)
    with transaction():
        terms_notifications.step(now=NOON + HOUR)
        price_groups.change(group_id, name="Resellers", percent="30", actor="operator", now=NOON + HOUR)

    steps(now=NOON + 2 * HOUR)
    steps(now=NOON + 2 * DAY)

    texts = [mail.text for mail in mails()]
    assert ["$0.90 (before: $1.00)" in texts[0], "$0.70 (before: $0.90)" in texts[1]] == [True, True]

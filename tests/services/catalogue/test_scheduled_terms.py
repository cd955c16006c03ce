"""Scheduled terms: announced right away, applied once when due, also late, and never charged before they are shown."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused, BadInput, NotFound, TermsChanged
from panel.domain.formatting import iso
from panel.domain.status import Status
from panel.models import AuditLogEntry, Mail, Order, ScheduledTerms, Terms, Tool
from panel.services import terms_notifications
from panel.services.api import orders as api_orders
from panel.services.catalogue import scheduled_terms, terms_changes, tool_settings
from panel.services.catalogue.terms_changes import ChangeKind
from panel.services.office import tool_editor
from panel.services.orders import placing
from panel.services.orders.placing import Placing
from tests.services.test_terms_notifications import a_user_of, mails, set_price, steps
from tests.support.concurrently import run_concurrently
from tests.support.factories import LINK, NOON, a_customer, a_tool, an_order, new_terms, reload
from tests.support.repeats import repetitions

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
THEN = NOON + 7 * DAY
BY = {"reason": "Costs rose.", "actor": "operator"}

pytestmark = pytest.mark.both_engines


def schedule(tool: Tool, *, at: timedelta = 7 * DAY, **changes: str) -> int:
    with transaction():
        locked = tool_settings.lock_tool(tool.slug)
        made = scheduled_terms.schedule(locked, changes, effective_at=NOON + at, **BY, now=NOON)
        db.session.flush()
        return made.id


def cancel(tool: Tool, scheduled_id: int) -> None:
    with transaction():
        scheduled_terms.cancel(tool.slug, scheduled_id, **BY, now=NOON + HOUR)


def apply_all(*, days: int = 7) -> int:
    count = 0
    while True:
        with transaction():
            if not scheduled_terms.apply_next(now=NOON + days * DAY):
                return count
        count += 1


def versions(tool: Tool) -> list[tuple[int, int, int]]:
    db.session.rollback()
    columns = (Terms.version, Terms.price_micros_per_thousand, Terms.minimum)
    rows = db.session.execute(select(*columns).where(Terms.tool_id == tool.id).order_by(Terms.version))
    return [tuple(row) for row in rows]


def test_change_is_applied_once_when_it_is_due_as_the_next_version() -> None:
    tool = a_tool(price="0.90", minimum=10)
    schedule(tool, price_per_thousand="1.20", minimum="100")

    early, in_time, again = apply_all(days=6), apply_all(days=7), apply_all(days=8)

    assert (early, in_time, again) == (0, 1, 0)
    assert versions(tool) == [(1, 900_000, 10), (2, 1_200_000, 100)]
    assert scheduled_terms.pending() == []
    assert reload(tool).set_by_hand == "minimum price_per_thousand"
    actions = db.session.scalars(select(AuditLogEntry.action).order_by(AuditLogEntry.id)).all()
    assert actions == ["tools schedule", "tools schedule apply"]


def test_other_fields_stay_as_they_are_when_a_late_worker_applies_it() -> None:
    tool = a_tool(price="0.90", maximum=1_000)
    schedule(tool, price_per_thousand="1.20")
    new_terms(tool, maximum=5_000)

    assert apply_all(days=30) == 1

    terms = db.session.get_one(Terms, reload(tool).terms_id)
    assert (terms.price_micros_per_thousand, terms.maximum, terms.since) == (1_200_000, 5_000, NOON + 30 * DAY)


def test_minimum_and_maximum_may_move_together_and_nonsense_is_refused() -> None:
    tool = a_tool(minimum=10, maximum=1_000)
    with pytest.raises(BadInput):
        schedule(tool, minimum="2000")
    for at in (HOUR - timedelta(seconds=1), 366 * DAY, -DAY):
        with pytest.raises(BadInput) as refused:
            schedule(tool, at=at, minimum="20")
        assert refused.value.field == "effective_from"

    schedule(tool, minimum="2000", maximum="9000")
    with pytest.raises(ActionRefused):
        schedule(tool, minimum="30")

    assert apply_all() == 1
    assert reload(tool).terms_id is not None and versions(tool)[-1][2] == 2_000


def test_change_that_no_longer_fits_leaves_the_terms_and_says_why() -> None:
    tool = a_tool(minimum=10, maximum=1_000)
    number = schedule(tool, minimum="900")
    new_terms(tool, maximum=500)

    assert scheduled_terms.pending() == []
    assert apply_all() == 1

    failed = db.session.get_one(ScheduledTerms, number)
    assert (failed.terms_id, failed.problem) == (None, "The minimum 900 would be above the maximum 500.")
    assert [version[2] for version in versions(tool)] == [10, 10]


def test_canceled_change_is_never_applied_and_canceled_once() -> None:
    tool, other = a_tool(), a_tool()
    number = schedule(tool, price_per_thousand="1.20")
    with pytest.raises(NotFound):
        cancel(other, number)

    cancel(tool, number)

    with pytest.raises(ActionRefused):
        cancel(tool, number)
    assert apply_all() == 0 and len(versions(tool)) == 1
    schedule(tool, price_per_thousand="1.30")


def test_customers_are_mailed_ahead_once_and_not_again_when_it_takes_effect() -> None:
    tool = a_tool("plays", price="0.90")
    customer = a_user_of(tool)
    steps(now=NOON)
    schedule(tool, price_per_thousand="1.20")

    steps(now=NOON)
    assert steps(now=NOON + HOUR) == 1
    apply_all()
    steps(now=THEN + HOUR)
    assert steps(now=THEN + 3 * DAY) == 1

    (mail,) = mails()
    assert (mail.user_id, mail.subject) == (customer.id, f"Plays: new terms from {THEN.day} November 2026, 12:00 UTC")
    assert "  Price per 1,000: $1.20 (now: $0.90)\n" in mail.text
    # A later change is news again, compared with what took effect.
    set_price(tool, "1.30")
    steps(now=THEN + 5 * DAY)
    steps(now=THEN + 6 * DAY)
    assert "  Price per 1,000: $1.30 (before: $1.20)\n" in mails()[-1].text


def test_change_that_takes_effect_before_any_mail_is_mailed_as_changed() -> None:
    tool = a_tool("plays", price="0.90")
    a_user_of(tool)
    steps(now=NOON)
    schedule(tool, at=HOUR, price_per_thousand="1.20")
    apply_all(days=1)

    steps(now=NOON + DAY)
    assert steps(now=NOON + 2 * DAY) == 1

    assert mails()[0].subject == "Plays: changed terms"


def test_who_was_mailed_about_a_change_is_mailed_when_it_is_canceled() -> None:
    tool, unsaid = a_tool("plays", price="0.90"), a_tool("visits")
    a_user_of(tool, unsaid)
    steps(now=NOON)
    number = schedule(tool, price_per_thousand="1.20")
    steps(now=NOON)
    steps(now=NOON + HOUR)
    cancel(tool, number)
    cancel(unsaid, schedule(unsaid, price_per_thousand="5"))

    steps(now=NOON + 2 * DAY)
    assert steps(now=NOON + 3 * DAY) == 2
    assert steps(now=NOON + 5 * DAY) == 2

    assert mails()[-1].subject == "Plays: the announced change won’t happen"
    assert "Visits" not in mails()[-1].text


def test_change_that_takes_effect_while_its_mails_are_queued_is_mailed_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms_notifications, "CUSTOMERS_A_STEP", 1)
    tool = a_tool("plays", price="0.90")
    first, last = a_user_of(tool), a_user_of(tool)
    steps(now=NOON)
    schedule(tool, at=HOUR, price_per_thousand="1.20")
    steps(now=NOON)
    for _ in range(2):
        with transaction():
            terms_notifications.step(now=NOON + HOUR)
    assert [mail.user_id for mail in mails()] == [first.id]

    with transaction():
        assert scheduled_terms.apply_next(now=NOON + HOUR)
    steps(now=NOON + HOUR)
    steps(now=NOON + 2 * DAY)
    steps(now=NOON + 3 * DAY)

    assert last.id in [mail.user_id for mail in mails() if "$1.20 (before: $0.90)" in mail.text]


def test_no_order_is_charged_a_price_that_its_check_page_did_not_show(app: Flask) -> None:
    for number in range(repetitions(3, long=30)):
        tool, customer = a_tool(price="0.90"), a_customer("100")
        schedule(tool, price_per_thousand="1.20")
        shown = reload(tool).terms_id

        def place(each: int, slug: str = tool.slug, customer_id: int = customer.id, shown: int | None = shown) -> int:
            asked = Placing(slug, LINK, "1000", f"request-{each}", terms_id=shown, shown_price=900_000)
            with transaction():
                return placing.place_order(customer_id, asked=asked, now=THEN).id

        def apply_it() -> bool:
            with transaction():
                return scheduled_terms.apply_next(now=THEN)

        calls = [apply_it, *[lambda each=each: place(each) for each in range(4)], apply_it]
        done = run_concurrently(app, calls[::-1] if number % 2 else calls, expected=TermsChanged)

        applied = (done[0], done[-1])
        assert sorted(applied) == [False, True]
        db.session.rollback()
        charged = db.session.execute(select(Order.terms_id, Order.charge_nanos).where(Order.tool_id == tool.id)).all()
        assert all(tuple(row) == (shown, 900_000_000) for row in charged)
        placed = [each for each in done[1:-1] if isinstance(each, int)]
        assert len(placed) == len(charged) and len(versions(tool)) == 2
        # From now on the form with the old terms is refused.
        with pytest.raises(TermsChanged):
            place(99)
    assert db.session.scalars(select(Mail)).all() == []


def retire(tool: Tool) -> int:
    with transaction():
        made = scheduled_terms.schedule_retirement(tool.slug, effective_at=THEN, **BY, now=NOON)
        db.session.flush()
        return made.id


def test_a_retired_tool_is_hidden_once_when_it_is_due_and_its_orders_go_on(app: Flask) -> None:
    tool = a_tool()
    order = an_order(tool=tool)
    retire(tool)

    early = apply_all(days=6)
    at_once = run_concurrently(app, [lambda: apply_all(days=7)] * 4)

    assert (early, sum(at_once), reload(tool).is_hidden) == (0, 1, True)
    assert Status(reload(order).status).is_open and len(versions(tool)) == 1
    actions = db.session.scalars(select(AuditLogEntry.action).order_by(AuditLogEntry.id)).all()
    assert actions == ["tools schedule", "tools hide"]
    (change,) = terms_changes.newest()
    assert change.kind is ChangeKind.RETIRED


def test_a_retirement_in_the_middle_of_a_later_round_makes_no_round_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terms_notifications, "CUSTOMERS_A_STEP", 1)
    tool = a_tool("plays", price="0.90")
    readers = [a_user_of(tool), a_user_of(tool)]
    steps(now=NOON)
    retire(tool)
    steps(now=NOON)
    assert steps(now=NOON + HOUR) == len(readers)
    set_price(tool, "1.20")
    steps(now=THEN - HOUR)
    for _ in range(2):
        with transaction():
            terms_notifications.step(now=THEN)

    assert apply_all() == 1
    mailed = steps(now=THEN)
    steps(now=THEN + 2 * DAY)

    assert steps(now=THEN + 3 * DAY) == mailed == 2 * len(readers)


def test_customers_are_mailed_once_that_a_tool_will_be_retired_and_again_if_it_will_not() -> None:
    plays, visits = a_tool("plays"), a_tool("visits")
    customer = a_user_of(plays, visits)
    steps(now=NOON)
    retire(plays)
    withdrawn = retire(visits)

    steps(now=NOON)
    steps(now=NOON + HOUR)
    cancel(visits, withdrawn)
    steps(now=NOON + DAY)
    steps(now=NOON + 2 * DAY)
    apply_all()
    steps(now=NOON + 8 * DAY)
    steps(now=NOON + 9 * DAY)

    assert reload(customer).id == db.session.scalars(select(Mail.user_id).distinct()).one()
    ahead, taken_back = mails()
    assert ahead.text.count("New orders: no longer accepted (now: accepted)") == 2
    assert "won’t happen" in taken_back.subject


def test_a_tool_that_was_hidden_meanwhile_stays_so_and_a_second_change_is_refused() -> None:
    tool = a_tool()
    retire(tool)
    with pytest.raises(ActionRefused, match="scheduled already"):
        schedule(tool, minimum="20")
    with transaction():
        tool_editor.show_or_hide(tool.slug, is_hidden=True, **BY, now=NOON)

    assert apply_all() == 1

    assert reload(tool).is_hidden
    with pytest.raises(ActionRefused, match="hidden already"):
        retire(tool)


def test_the_list_of_services_names_the_day_until_it_is_withdrawn() -> None:
    tool = a_tool()
    (before,) = api_orders.listed_services()
    number = retire(tool)
    (after,) = api_orders.listed_services()
    cancel(tool, number)
    (again,) = api_orders.listed_services()

    assert after.entry() == {**before.entry(), "retires_at": iso(THEN)}
    assert again.entry() == before.entry()

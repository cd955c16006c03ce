"""Closing an account: no money and no personal data is left, the ledger stays correct, and no race breaks it."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, current_app
from sqlalchemy import delete, select

from panel.db import Base, db, transaction
from panel.domain.errors import ActionRefused, PanelError, StaleForm
from panel.domain.status import Status
from panel.domain.ticket import TicketState
from panel.models import DepositRequest, Mail, Order, Ticket, User
from panel.services.accounts import email_changes, sessions, users
from panel.services.api import keys as api_keys
from panel.services.api import webhook_endpoints
from panel.services.api.keys import NewKey
from panel.services.catalogue import favorites
from panel.services.money import audit, deposits, ledger
from panel.services.orders import placing, refills
from panel.services.orders.placing import Placing
from panel.services.privacy import closing
from panel.services.tickets import opening
from tests.support.factories import (
    LINK,
    NOON,
    a_customer,
    a_tool,
    an_operator,
    an_order,
    reload,
    with_second_factor,
)
from tests.support.ticket_factories import a_ticket, asking

LATER = NOON + timedelta(hours=1)


def close(user: User, *, given_up_nanos: int = 0) -> None:
    with transaction():
        closing.close(user.id, given_up_nanos=given_up_nanos, now=LATER)


def spent_out(**order: Any) -> User:
    """A customer with an empty balance, whose one order has ended."""
    user = a_customer("0.90")
    an_order(customer=user, **{"status": Status.COMPLETED, "price": "0.90", "quantity": 1_000} | order)
    return user


def everything_kept() -> str:
    """Every text of every table, joined."""
    rows = (row for table in Base.metadata.sorted_tables for row in db.session.execute(select(table)))
    return "\n".join(str(tuple(row)) for row in rows)


@pytest.mark.both_engines
def test_closing_leaves_no_personal_data_and_a_consistent_ledger() -> None:
    user = a_customer("0.90", email="ada.lovelace@example.com")
    an_order(customer=user, status=Status.COMPLETED, link="https://example.com/page-of-ada", price="0.90")
    with_second_factor(user)
    with transaction():
        sessions.log_in(
            users.find(user.id), device="Adas phone", network="203.0.113.0/24", has_shown_second_factor=True, now=NOON
        )
        api_keys.make(user.id, asked=NewKey("Adas key", "203.0.113.7"), now=NOON)
        webhook_endpoints.add(
            user.id,
            url="https://ada.example.com/hook",
            balance_low_nanos=None,
            settings=current_app.config["PANEL"],
            now=NOON,
        )
        deposits.request_deposit(user.id, amount_nanos=10**9, now=NOON)
    ciphertext = reload(user).encrypted_totp

    close(user)

    kept = everything_kept()
    db.session.execute(delete(Mail))
    left = everything_kept()
    assert "ada.lovelace@example.com" in kept  # The last mail, on its way.
    for trace in ("ada.lovelace", "page-of-ada", "Adas", "203.0.113", "ada.example.com", ciphertext):
        assert trace not in left, trace
    db.session.rollback()
    assert ledger.balance_nanos(user.id) == 0 and reload(user).closed_at == LATER
    assert audit.audit().is_sound


def test_closed_account_cannot_log_in_and_its_email_is_free() -> None:
    user = spent_out()
    email = user.email
    with transaction():
        device = sessions.log_in(user, device="Firefox", network="unknown", now=NOON)
        key = api_keys.make(user.id, asked=NewKey("Key"), now=NOON)

    close(user)

    assert sessions.find(device.token, now=LATER) is None
    assert api_keys.find(key.text, address="203.0.113.7") is None
    assert users.find_by_email(email) is None
    assert not users.is_password("", users.password_hash_by_email(reload(user).email))
    with transaction():
        assert users.add_user(email, password_hash="x", now=LATER).id != user.id


def test_last_mail_goes_to_a_confirmed_address_alone() -> None:
    confirmed, unconfirmed = spent_out(), spent_out()
    with transaction():
        db.session.get_one(User, unconfirmed.id).email_confirmed_at = None
    email = confirmed.email

    close(confirmed)
    close(unconfirmed)

    [mail] = db.session.query(Mail).filter(Mail.kind == "account_closed")
    assert (mail.email, mail.user_id) == (email, None)


@pytest.mark.parametrize("status", [status for status in Status if status.is_moving])
def test_no_account_closes_while_an_order_moves(status: Status) -> None:
    user = spent_out(status=status)

    with pytest.raises(ActionRefused, match="Some of your orders still move"):
        close(user)

    assert reload(user).closed_at is None


def test_money_is_spent_paid_out_or_given_up_in_figures_first() -> None:
    user = a_customer("0.50")

    with pytest.raises(ActionRefused, match="You still have a balance"):
        close(user)
    with pytest.raises(StaleForm, match="has changed"):
        close(user, given_up_nanos=1)
    close(user, given_up_nanos=500_000_000)

    assert ledger.balance_nanos(user.id) == 0
    assert audit.audit().is_sound


def test_nothing_is_given_up_that_is_not_there() -> None:
    user = a_customer("0")

    with pytest.raises(StaleForm):
        close(user, given_up_nanos=1)


def test_operators_are_not_closed_and_nobody_twice() -> None:
    with pytest.raises(ActionRefused, match="operator"):
        close(an_operator())
    user = spent_out()
    close(user)
    with pytest.raises(ActionRefused, match="This account is closed"):
        close(user)


def test_closed_account_takes_no_money_key_refill_or_ticket() -> None:
    user = spent_out(refill_days=30)
    order_id = db.session.scalars(select(Order.id).where(Order.customer_id == user.id)).one()
    with transaction():
        request = deposits.request_deposit(user.id, amount_nanos=10**9, now=NOON)
    reference, settings = request.reference, current_app.config["PANEL"]
    close(user)
    url = "https://example.com/hook"

    for change in (
        lambda: ledger.deposit(user.id, amount_nanos=1, reason="late", note="", now=LATER),
        lambda: deposits.confirm(reference, amount_nanos=10**9, note="", now=LATER),
        lambda: api_keys.make(user.id, asked=NewKey("Late"), now=LATER),
        lambda: webhook_endpoints.add(user.id, url=url, balance_low_nanos=None, settings=settings, now=LATER),
        lambda: opening.open_ticket(user.id, asked=asking(), now=LATER),
        lambda: refills.request_refill(order_id, customer_id=user.id, now=LATER),
    ):
        with pytest.raises(ActionRefused), transaction():
            change()
    assert db.session.scalars(select(DepositRequest.refused_reason)).one() == closing.DEPOSIT_ENDED
    assert audit.audit().is_sound


@pytest.mark.both_engines
def test_order_placed_at_the_same_moment_comes_first_or_not_at_all(app: Flask) -> None:
    tool = a_tool(price="0.90").slug
    people = [a_customer("0.90") for _ in range(6)]
    outcomes: dict[int, list[str]] = {user.id: [] for user in people}
    start = threading.Barrier(2 * len(people))

    def run(user_id: int, action: str) -> None:
        with app.app_context():
            start.wait()
            try:
                with transaction():
                    if action == "closed":
                        closing.close(user_id, given_up_nanos=900_000_000, now=LATER)
                    else:
                        asked = Placing(tool, LINK, "1000", f"request-{user_id:06d}")
                        placing.place_order(user_id, asked=asked, now=LATER)
                outcomes[user_id].append(action)
            except PanelError:
                pass

    threads = [
        threading.Thread(target=run, args=(user.id, action)) for user in people for action in ("closed", "placed")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(len(done) == 1 for done in outcomes.values()), outcomes
    for user in people:
        is_closed = reload(user).closed_at is not None
        orders = db.session.query(Order).filter(Order.customer_id == user.id).count()
        assert orders == (0 if is_closed else 1)
    assert audit.audit().is_sound


@pytest.mark.both_engines
def test_threads_of_tickets_are_erased_and_those_of_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app.config["PANEL"], "support_email", "help@example.com")
    user, other = spent_out(), a_customer()
    a_ticket(customer=user, subject="My name is Ada", text="My name is Ada")
    a_ticket(customer=other, subject="My name is Grace", text="My name is Grace")

    close(user)

    assert "My name is Ada" not in everything_kept()
    # Subject, message, and the mail that notified us of them.
    assert everything_kept().count("My name is Grace") > 2
    closed, still_open = db.session.query(Ticket).order_by(Ticket.id)
    assert (closed.state, still_open.state) == (TicketState.CLOSED, TicketState.WAITING_FOR_US)


@pytest.mark.parametrize(
    "write",
    [
        lambda user_id, _tool_id: email_changes.ask_to_confirm(user_id, now=NOON),
        lambda user_id, _tool_id: email_changes.ask_to_change(user_id, "new@example.com", now=NOON),
        lambda user_id, tool_id: favorites.choose(user_id, tool_id, now=NOON),
    ],
    ids=["confirm", "change", "favorite"],
)
def test_closed_account_gets_no_link_and_no_favorite(write: Callable[[int, int], Any]) -> None:
    customer, tool = a_customer("0"), a_tool()
    with transaction():
        closing.close(customer.id, given_up_nanos=0, now=NOON)

    with pytest.raises(ActionRefused, match="closed"), transaction():
        write(customer.id, tool.id)

"""Forms that move a customer's money: the effect is shown first, and exactly that effect is confirmed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import flash, get_template_attribute, redirect, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from panel import app_context
from panel.blueprints.office import confirmation
from panel.blueprints.office.confirmation import Confirmation
from panel.blueprints.office.forms import form_key, limit_nanos, seen_nanos, status_of
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import BadInput, PanelError
from panel.models import User
from panel.services.office import balance_changes, second_approval
from panel.services.office.balance_changes import BalanceChange
from panel.services.office.second_approval import Done


@dataclass(frozen=True, slots=True)
class MoneyForm:
    """One form: how its change is read for a key, what its confirmation page says, and where it leads.

    `read` raises PanelError; `refused` shows the page of the form with the error.
    """

    read: Callable[[str], BalanceChange]
    title: str
    facts: Callable[[BalanceChange], Sequence[tuple[str, object]]]
    verb: str
    refused: Callable[[PanelError], str]
    away: str
    done_url: str


def submit(form: MoneyForm) -> ResponseReturnValue:
    """Show what the form would move; once confirmed, move it, or propose it above the limit."""
    try:
        if not confirmation.is_confirmed():
            return _question(form, form.read(second_approval.new_form_key()))
        wanted = form.read(_checked_key(form_key()))
        done = _move(wanted)
    except PanelError as error:
        if _has_balance_moved(error):
            return _question(form, wanted, notice=error.message), 409
        return form.refused(error), status_of(error)
    flash(outcome_message(done, wanted.amount_nanos))
    return redirect(form.done_url, code=303)


def _question(form: MoneyForm, wanted: BalanceChange, *, notice: str = "") -> str:
    effect = balance_changes.effect(wanted, limit_nanos=limit_nanos(), now=utc_now())
    words = shown(abs(effect.change_nanos))
    name = form.verb.lower()
    asked = Confirmation(
        title=form.title,
        facts=form.facts(wanted),
        button=f"Propose to {name} {words}" if effect.needs_second else f"{form.verb} {words}",
        away=form.away,
        effect=effect,
        limit_nanos=limit_nanos(),
        form_key=wanted.form_key,
        notice=notice,
    )
    return confirmation.page(asked)


def _checked_key(key: str) -> str:
    if not key:
        raise BadInput("This form has expired. Check the effect again.", field="")
    return key


def _move(wanted: BalanceChange) -> Done:
    with transaction():
        return second_approval.move_or_propose(
            wanted, balance_nanos=seen_nanos(), limit_nanos=limit_nanos(), now=utc_now()
        )


def _has_balance_moved(error: PanelError) -> bool:
    return error.code == "stale_form" and error.message == second_approval.MOVED_BALANCE


def outcome_message(done: Done, amount_nanos: int) -> str:
    """Flash message with the outcome."""
    if done.proposal_id is not None:
        words = shown(amount_nanos)
        return f"Proposal {done.proposal_id} for {words} is waiting for a second operator. No money has moved yet."
    return f"{shown(done.moved_nanos)} was moved: line {done.transfer_id} of the ledger."


def shown(nanos: int) -> str:
    """An amount in the panel's currency."""
    return app_context.money_text(nanos)


def amount(nanos: int) -> Markup:
    """An amount as a fact of a confirmation page."""
    rendered: Markup = get_template_attribute("components/money.html", "amount")(nanos)
    return rendered


def account_link(user: User) -> Markup:
    """The account as a fact of a confirmation page."""
    address = url_for("office_customers.show", customer_id=user.id)
    return Markup('<a class="break" href="{}">{}</a>').format(address, user.email)

"""Money moved by hand: the effect is shown first, and what was seen is what is agreed to."""

from flask import current_app, render_template

from panel.blueprints.office.forms import limit_nanos, seen_nanos
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import money
from panel.domain.errors import BadInput, PanelError
from panel.services.office import balance_changes, second_approval
from panel.services.office.balance_changes import BalanceChange
from panel.services.office.second_approval import Done


def checked_key(key: str) -> str:
    """The key of the form. Raises BadInput where it has none of ours."""
    if not key:
        raise BadInput("This form has no key of its own. Look at the effect again.", field="")
    return key


def effect_page(template: str, wanted: BalanceChange, *, reason: str = "", **about: object) -> str:
    """What would happen, before it does. Raises what `money_moves.effect` raises."""
    return render_template(
        template,
        wanted=wanted,
        effect=balance_changes.effect(wanted, limit_nanos=limit_nanos(), now=utc_now()),
        amount=money.plain(wanted.amount_nanos),
        limit_nanos=limit_nanos(),
        reason=reason,
        **about,
    )


def agree(wanted: BalanceChange) -> Done:
    """Move what the form showed, or propose it. Raises what `proposals.act` raises."""
    with transaction():
        return second_approval.act(wanted, balance_nanos=seen_nanos(), limit_nanos=limit_nanos(), now=utc_now())


def has_balance_moved(error: PanelError) -> bool:
    """Whether the effect must be shown again, because the balance is no longer what the form showed."""
    return error.code == "stale_form" and error.message == second_approval.MOVED_BALANCE


def said(done: Done, amount_nanos: int) -> str:
    """What came of it, in a sentence."""
    amount = money.shown(amount_nanos, currency=current_app.config["PANEL"].currency)
    if done.proposal_id is not None:
        return f"A second operator must approve {amount}. Nothing moved yet: it is proposal {done.proposal_id}."
    return f"{amount} was moved: line {done.transfer_id} of the ledger."

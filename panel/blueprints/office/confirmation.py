"""Confirmation page of the office: a form is shown with its effect first, and done when it is sent again.

The page holds the same form as hidden fields with `confirmed`, so every action that moves money has one address.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from flask import render_template, request

from panel.services.office.balance_changes import BalanceEffect

# Fields that are not copied: the confirmation's own, and the CSRF token.
_OWN_FIELDS = frozenset({"csrf_token", "confirmed", "form_key", "balance"})


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Contents of a confirmation page: the action with its facts, and the button's label.

    `effect`: the balance before and after, where one customer's balance moves; `notice`: why it is shown again.
    """

    title: str
    facts: Sequence[tuple[str, object]]
    button: str
    away: str
    lead: str = ""
    is_danger: bool = False
    effect: BalanceEffect | None = None
    limit_nanos: int = 0
    form_key: str = ""
    notice: str = ""


def is_confirmed() -> bool:
    """Whether the form comes from its confirmation page."""
    return "confirmed" in request.form


def page(asked: Confirmation) -> str:
    """The confirmation page; it leads back to the address that the form was sent to."""
    typed = [(name, value) for name, value in request.form.items(multi=True) if name not in _OWN_FIELDS]
    return render_template("office/confirm.html", asked=asked, action=request.path, typed=typed)

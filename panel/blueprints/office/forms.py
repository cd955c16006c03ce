"""What the forms and lists of the office have in common: who acts, which page, and what is wrong with a field."""

import re
from typing import cast

from flask import current_app, request

from panel.blueprints.shared.forms import whole_number
from panel.blueprints.shared.template_globals import me
from panel.domain.errors import PanelError
from panel.domain.list_filters import MAX_ID
from panel.domain.money import NANOS_PER_UNIT
from panel.services.accounts.sessions import SignedIn

_KEY = re.compile(r"[0-9a-f]{24}", re.ASCII)


def operator() -> SignedIn:
    """Who acts. Behind the gate there is always somebody."""
    return cast(SignedIn, me())


def number(text: str) -> int | None:
    """The whole number that was written, if it can be that of a row."""
    found = whole_number(text, digits=19)
    return found if found is not None and found <= MAX_ID else None


def after() -> int | None:
    """Beyond which row the page of a list begins."""
    return number(request.args.get("after", ""))


def typed(name: str) -> str:
    """What stands in a field of the form."""
    return request.form.get(name, "").strip()


def form_key() -> str:
    """The key of the form that was sent; an empty one where it has none of ours."""
    key = request.form.get("form_key", "")
    return key if _KEY.fullmatch(key) else ""


def seen_nanos() -> int:
    """The balance that the form showed; one that no balance can be where it does not say."""
    found = number(request.form.get("balance", ""))
    return -1 if found is None else found


def limit_nanos() -> int:
    """Above which amount a second operator must agree."""
    amount: int = current_app.config["PANEL"].second_operator_amount
    return amount * NANOS_PER_UNIT


def status_of(error: PanelError) -> int:
    """422 for what was typed, 409 for what the present state does not allow."""
    return error.http_status if error.http_status in (404, 409) else 422

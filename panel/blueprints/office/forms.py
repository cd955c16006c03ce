"""Helpers of the office's forms and lists: the operator, pagination, and field errors."""

import re
from datetime import UTC, datetime
from typing import cast

from flask import request

from panel import app_context
from panel.blueprints.shared.forms import whole_number
from panel.blueprints.shared.template_globals import me
from panel.domain.errors import BadInput, PanelError
from panel.domain.lists.list_filters import MAX_ID
from panel.domain.money import NANOS_PER_UNIT
from panel.services.accounts.sessions import LoggedIn

_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(?::\d{2})?", re.ASCII)
_KEY = re.compile(r"[0-9a-f]{24}", re.ASCII)


def operator() -> LoggedIn:
    """The logged-in operator. `require_operator` guarantees that there is one."""
    return cast(LoggedIn, me())


def number(text: str) -> int | None:
    """Parse a row id; None for any other text."""
    found = whole_number(text, digits=19)
    return found if found is not None and found <= MAX_ID else None


def after() -> int | None:
    """Pagination cursor: the id after which the page starts."""
    return number(request.args.get("after", ""))


def typed(name: str) -> str:
    """A form field as it was typed."""
    return request.form.get(name, "").strip()


def form_key() -> str:
    """Idempotency key of the form; empty if it has none of ours."""
    key = request.form.get("form_key", "")
    return key if _KEY.fullmatch(key) else ""


def seen_nanos() -> int:
    """The balance in nanos that the form showed; an impossible value if it has none."""
    found = number(request.form.get("balance", ""))
    return -1 if found is None else found


def limit_nanos() -> int:
    """Amount in nanos above which a second operator must approve."""
    return app_context.settings().second_operator_amount * NANOS_PER_UNIT


def status_of(error: PanelError) -> int:
    """HTTP status of an error: 422 for bad input, 409 for a state that doesn't allow the action, 403 for the role."""
    return error.http_status if error.http_status in (403, 404, 409) else 422


def moment(text: str, *, name: str) -> datetime:
    """Parse a day and a time in UTC. Raises BadInput."""
    match = _MOMENT.fullmatch(text.strip())
    try:
        if match is not None:
            return datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=UTC)
    except ValueError:
        pass
    raise BadInput("Write day and time in UTC, such as 2026-11-24 14:05.", field=name)

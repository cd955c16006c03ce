"""Daily spend caps of API keys: the most that a key's new orders of one UTC day may cost.

Returns don't lower what was spent: the cap bounds the damage of a leaked key or a program gone wrong.
"""

from datetime import datetime

from sqlalchemy import bindparam, case, update

from panel.db import db, table_of
from panel.domain import money
from panel.domain.errors import BadInput, BadMoney, SpendCapReached
from panel.models import ApiKey

FIELD = "daily_cap"
KEYS = table_of(ApiKey)

_DAY = bindparam("day", type_=KEYS.c.spent_on.type)
_SPENT = case((KEYS.c.spent_on == _DAY, KEYS.c.spent_nanos), else_=0) + bindparam(
    "nanos", type_=KEYS.c.spent_nanos.type
)
_SPEND = (
    update(KEYS)
    .where(KEYS.c.id == bindparam("key_id"), KEYS.c.daily_cap_nanos >= _SPENT)
    .values(spent_on=_DAY, spent_nanos=_SPENT)
    .returning(KEYS.c.id)
)


def parse(text: str) -> int | None:
    """The typed cap in nanos; None if the field is empty. Raises BadInput for its field."""
    if not text.strip():
        return None
    try:
        nanos = money.parse_nanos(text)
    except BadMoney as error:
        raise BadInput(error.message, field=FIELD) from error
    if nanos == 0:
        raise BadInput("A cap of 0 would allow no order. Choose “Read only” instead, or a larger cap.", field=FIELD)
    return nanos


def spend(key_id: int, *, nanos: int, now: datetime) -> None:
    """Count a new order's charge against the cap of a key that has one. Raises SpendCapReached.

    Call it in the transaction that places the order, with the customer's account locked.
    """
    if db.session.execute(_SPEND, {"key_id": key_id, "nanos": nanos, "day": now.date()}).first() is None:
        raise SpendCapReached("The order would exceed this API key's daily spend cap. Nothing was charged.")


def spent_today(key: ApiKey, *, now: datetime) -> int:
    """Nanos charged today (UTC) with a key that has a cap."""
    return key.spent_nanos if key.spent_on == now.date() else 0

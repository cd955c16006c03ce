"""The balance at a provider below which operators are alerted."""

from datetime import datetime

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain import money
from panel.domain.errors import BadInput, BadMoney, NotFound
from panel.models import Provider
from panel.services import audit_log

FIELD = "balance_low"


def set_bound(provider_id: int, text: str, *, actor: str, now: datetime) -> None:
    """Set the bound in the provider's own currency; an empty text ends it. Raises NotFound or BadInput."""
    provider: Provider | None = db.session.scalar(lock_rows(select(Provider).where(Provider.id == provider_id)))
    if provider is None:
        raise NotFound("There is no such provider.")
    try:
        provider.balance_low_nanos = money.parse_nanos(text) if text else None
    except BadMoney as error:
        raise BadInput(error.message, field=FIELD) from error
    db.session.flush()
    audit_log.write("low balance", actor=actor, subject=f"provider {provider.name}", detail=text or "no bound", now=now)

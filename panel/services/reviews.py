"""Reviews: what an operator must look at. Opening the same one again does nothing."""

import hashlib
from datetime import datetime

from panel.db import change, table_of, upsert
from panel.models import Review


def open_review(
    kind: str,
    *,
    order_id: int | None = None,
    provider_id: int | None = None,
    text: str,
    raw: str = "",
    now: datetime,
) -> bool:
    """Open a review unless this very one was opened before; whether it is new."""
    fingerprint = hashlib.sha256(f"{kind}|{order_id}|{provider_id}|{text}|{raw}".encode()).hexdigest()
    add = upsert(table_of(Review)).values(
        kind=kind,
        order_id=order_id,
        provider_id=provider_id,
        text=text,
        raw=raw,
        fingerprint=fingerprint,
        opened_at=now,
        resolution="",
    )
    return change(add.on_conflict_do_nothing(index_elements=["fingerprint"])) == 1

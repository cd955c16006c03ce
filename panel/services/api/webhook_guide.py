"""Webhook documentation from `content/webhooks.md`, with figures from the delivery code."""

from datetime import timedelta
from functools import cache

from panel.domain import formatting
from panel.domain.status import Status
from panel.services.api import catalogue_events, webhook_deliveries, webhook_endpoints
from panel.services.help.markdown import Prose, read_prose
from panel.settings import ROOT

FILE = ROOT / "content" / "webhooks.md"
_HOUR, _SECOND = timedelta(hours=1), timedelta(seconds=1)


@cache
def guide() -> Prose:
    """The rendered guide: events, expected responses, signature verification."""
    waits = [formatting.duration(wait // _SECOND) for wait in webhook_deliveries.WAITS]
    facts = {
        "first_wait": waits[0],
        "next_waits": ", ".join(waits[1:-1]),
        "last_wait": waits[-1],
        "refill_page_word": Status.REFILL.label,
        "refill_api_word": Status.REFILL.api_word,
        "timeout_seconds": str(webhook_deliveries.TIMEOUT_SECONDS),
        "tools_an_event": str(catalogue_events.TOOLS_AN_EVENT),
        "kept_hours": str(webhook_deliveries.KEPT_FOR // _HOUR),
        "old_hours": str(webhook_endpoints.OLD_SIGNS_FOR // _HOUR),
    }
    return read_prose(FILE.read_text(encoding="utf-8"), facts=facts)

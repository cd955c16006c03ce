"""How a job reaches a provider: its settings from the database, and the adapter of its kind."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from flask import current_app
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from panel import providers
from panel.db import db, transaction
from panel.models import Provider as ProviderRow
from panel.providers.base import Accepted, Outcome, Provider, Refused, Unclear
from panel.security import encryption
from panel.settings import Settings

# How long to wait before an answer is written down again that the database did not take.
WAITS_SECONDS = (0.1, 0.5, 2.0, 5.0)

Result = TypeVar("Result")
log = structlog.get_logger()


def panel_settings() -> Settings:
    return current_app.config["PANEL"]  # type: ignore[no-any-return]


def connect_provider(provider_id: int) -> Provider | None:
    """The provider to call, ready; None for orders fulfilled by hand. Ends the read before the call begins."""
    row = db.session.get_one(ProviderRow, provider_id)
    settings = panel_settings()
    key = encryption.unseal(row.sealed_key, settings=settings) if row.sealed_key else ""
    provider = providers.connect(
        row.kind, name=row.name, url=row.url, key=key, timeout_seconds=settings.provider_timeout_seconds
    )
    db.session.rollback()
    return provider


def is_answer(outcome: Outcome) -> bool:
    """Whether the provider said yes or no, and may be called with the next."""
    match outcome:
        case Accepted() | Refused(is_final=True) | Unclear(is_in_words=True):
            return True
    return False


def record_with_retry(act: Callable[[], Result]) -> Result:
    """Do this in a transaction of its own, and again where the database fails for a moment.

    A provider answers once: were its answer lost, it would not be known whether it has the order.
    """
    for seconds in WAITS_SECONDS:
        try:
            with transaction():
                return act()
        except (OperationalError, InterfaceError, NoConnection):
            log.warning("answer_not_written", again_in_seconds=seconds, exc_info=True)
            time.sleep(seconds)
    with transaction():
        return act()

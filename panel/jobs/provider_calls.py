"""Provider connections for jobs: loads a provider's settings and creates its adapter."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from panel import app_context, providers
from panel.db import db, table_of, transaction
from panel.db.compiled_statements import CompiledStatement
from panel.models import Provider
from panel.providers.base import Accepted, Outcome, ProviderClient, Refused, Unclear
from panel.security import encryption
from panel.settings import Settings

# Retry delays for recording an answer when the database fails.
WAITS_SECONDS = (0.1, 0.5, 2.0, 5.0)

PROVIDERS = table_of(Provider)
_ADDRESS = CompiledStatement(
    lambda: select(PROVIDERS.c.kind, PROVIDERS.c.name, PROVIDERS.c.url, PROVIDERS.c.encrypted_key).where(
        PROVIDERS.c.id == bindparam("provider_id")
    )
)

Result = TypeVar("Result")
log = structlog.get_logger()


def panel_settings() -> Settings:
    """The settings in force, asked for once per sweep or call."""
    return app_context.settings()


def connect_provider(provider_id: int) -> ProviderClient | None:
    """Adapter of the provider; None for manual orders. Ends the read transaction before the call begins."""
    [[kind, name, url, encrypted_key]] = _ADDRESS.fetch({"provider_id": provider_id})
    settings = panel_settings()
    key = encryption.decrypt(encrypted_key, settings=settings) if encrypted_key else ""
    provider = providers.connect(kind, name=name, url=url, key=key, timeout_seconds=settings.provider_timeout_seconds)
    db.session.rollback()
    return provider


def is_answer(outcome: Outcome) -> bool:
    """Whether the provider gave an answer, so that the next order may be sent."""
    match outcome:
        case Accepted() | Refused(is_final=True) | Unclear(is_in_words=True):
            return True
    return False


def record_with_retry(write: Callable[[], Result]) -> Result:
    """Run this in its own transaction, with retries while the database fails.

    A provider answers once: if its answer were lost, nobody would know whether it has the order.
    """
    for seconds in WAITS_SECONDS:
        try:
            with transaction():
                return write()
        except (OperationalError, InterfaceError, NoConnection):
            log.warning("answer_not_written", again_in_seconds=seconds, exc_info=True)
            time.sleep(seconds)
    with transaction():
        return write()

"""How a job reaches a provider: its settings from the database, and the door to its kind."""

from flask import current_app

from panel import providers, sealing
from panel.db import db
from panel.models import Provider as ProviderRow
from panel.providers.base import Provider
from panel.settings import Settings


def panel_settings() -> Settings:
    return current_app.config["PANEL"]  # type: ignore[no-any-return]


def provider_of(provider_id: int) -> Provider | None:
    """The provider to call, ready; None for orders fulfilled by hand. Ends the read before the call begins."""
    row = db.session.get_one(ProviderRow, provider_id)
    settings = panel_settings()
    key = sealing.unseal(row.sealed_key, settings=settings) if row.sealed_key else ""
    provider = providers.connect(
        row.kind, name=row.name, url=row.url, key=key, timeout_seconds=settings.provider_timeout_seconds
    )
    db.session.rollback()
    return provider

"""Row lock of a provider, under which its imports are asked for, applied and undone, so that one runs at a time.

Lock order: the catalogue, then the provider, then an import. The worker locks an import first, but only one that is
worked on: who holds the provider's lock sees that and refuses instead of waiting for it.
"""

from sqlalchemy import select

from panel.db import db, lock_rows
from panel.domain.errors import ActionRefused
from panel.models import CatalogueImport, ImportState, Provider
from panel.services.catalogue.imports import price_rules

_WORKED_ON = [state for state in ImportState if state.is_worked_on]


def lock(provider_id: int) -> Provider:
    """The upstream panel, read again and locked until the transaction ends. Raises NotFound."""
    price_rules.of_provider(provider_id)
    provider: Provider = db.session.scalars(
        lock_rows(select(Provider).where(Provider.id == provider_id)),
        execution_options={"populate_existing": True},
    ).one()
    return provider


def running(provider_id: int) -> CatalogueImport | None:
    """The provider's import that the worker is at, which needn't be the newest: an older one may be undone."""
    found: CatalogueImport | None = db.session.scalar(
        select(CatalogueImport)
        .where(CatalogueImport.provider_id == provider_id, CatalogueImport.state.in_(_WORKED_ON))
        .order_by(CatalogueImport.id.desc())
        .limit(1)
    )
    return found


def lock_idle(provider_id: int) -> Provider:
    """Lock the provider while none of its imports is worked on. Raises NotFound, or Refused while one is."""
    provider = lock(provider_id)
    if running(provider_id) is not None:
        raise ActionRefused("An import of this provider is running. Wait until it ends.")
    return provider

"""Provider imports for tests: a row as panels write it, and the result of an import."""

from panel.db import db, transaction
from panel.domain import resale
from panel.services.catalogue import provider_import, tools
from panel.services.catalogue.imports import lifecycle
from panel.services.catalogue.provider_import import Import
from panel.services.catalogue.provider_markup import Markup
from panel.services.catalogue.tools import ToolOffer
from tests.support.factories import NOON, a_provider


def a_row(service: object = 1, **fields: object) -> dict[str, object]:
    row: dict[str, object] = {
        "service": service,
        "name": "Page visits",
        "type": "Default",
        "category": "Pages",
        "rate": "0.90",
        "min": "50",
        "max": "10000",
        "refill": True,
        "cancel": True,
    }
    return row | fields


def imported(*rows: object, margin: str = "0%", exchange: str = "1", may_fall: bool = True) -> Import:
    provider = a_provider("panel_api")
    markup = Markup(resale.read_margin(margin), resale.read_exchange(exchange))
    with transaction():
        return provider_import.import_services(
            provider, list(rows), markup=markup, may_fall=may_fall, actor="test", now=NOON
        )


def a_preview(*rows: object) -> int:
    """An open preview of the provider's catalogue, as the office asks for it; returns its id."""
    with transaction():
        import_id = lifecycle.request_import(a_provider("panel_api").id, actor="anna", now=NOON).id
        lifecycle.keep(import_id, list(rows), balance_currency="USD", now=NOON)
    return import_id


def offered(slug: str = "page-visits-1") -> ToolOffer:
    db.session.rollback()
    found = tools.find_any(slug)
    assert found is not None
    return found

"""Components of the status page: the platform's parts, then each provider under its public name."""

from sqlalchemy import ColumnElement, select

from panel.db import db
from panel.domain.platform.component_states import COMPONENTS, CORE, PROVIDER_PREFIX, provider_key
from panel.domain.provider_kind import ProviderKind
from panel.models import Provider, Tool


def labels() -> dict[str, str]:
    """Labels by key, in the page's order."""
    return {str(key): COMPONENTS[key].label for key in CORE} | names_of_providers()


def names_of_providers() -> dict[str, str]:
    """Public names of the providers; their internal names are for operators only."""
    rows = db.session.execute(select(Provider.id, Provider.public_name).where(*is_public()).order_by(Provider.id))
    return {provider_key(provider_id): public_name or f"Provider {provider_id}" for provider_id, public_name in rows}


def is_public() -> tuple[ColumnElement[bool], ...]:
    """Conditions on `Provider` to be listed on the status page: automatic, with offered tools."""
    offers = select(Tool.id).where(Tool.provider_id == Provider.id, Tool.is_hidden.is_(False)).exists()
    return (Provider.kind != ProviderKind.MANUAL, offers)


def label_of(key: str, *, known: dict[str, str]) -> str:
    """Label of a component, including those no longer listed."""
    if key.startswith(PROVIDER_PREFIX):
        return known.get(key, f"Provider {key.removeprefix(PROVIDER_PREFIX)}")
    return known.get(key, key)

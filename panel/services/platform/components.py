"""The components there are: the parts of the platform, then each provider under the name that the public may know."""

from sqlalchemy import ColumnElement, select

from panel.db import db
from panel.domain.component_states import COMPONENTS, CORE, PROVIDER_PREFIX, provider_key
from panel.models import Provider, Tool


def labels() -> dict[str, str]:
    """What each component is called, by its key, in the order of the page."""
    return {str(key): COMPONENTS[key].label for key in CORE} | names_of_providers()


def names_of_providers() -> dict[str, str]:
    """What the public calls each provider. Who it really is, is nobody's business but the operator's."""
    rows = db.session.execute(select(Provider.id, Provider.public_name).where(*is_public()).order_by(Provider.id))
    return {provider_key(provider_id): public_name or f"Provider {provider_id}" for provider_id, public_name in rows}


def is_public() -> tuple[ColumnElement[bool], ...]:
    """The conditions on `Provider` under which the status page tells of it: a machine, with tools that are offered."""
    offers = select(Tool.id).where(Tool.provider_id == Provider.id, Tool.is_hidden.is_(False)).exists()
    return (Provider.kind != "manual", offers)


def label_of(key: str, *, known: dict[str, str]) -> str:
    """The name of a component, one that is no longer shown too."""
    if key.startswith(PROVIDER_PREFIX):
        return known.get(key, f"Provider {key.removeprefix(PROVIDER_PREFIX)}")
    return known.get(key, key)

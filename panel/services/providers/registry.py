"""Provider registry: upstream panels, manual delivery and the simulator, with encrypted API keys."""

import hashlib
from datetime import datetime

from sqlalchemy import select

from panel.db import db
from panel.domain.errors import ActionRefused, BadInput
from panel.domain.provider_kind import ProviderKind
from panel.models import Provider
from panel.providers import http
from panel.security import encryption
from panel.security.encryption import DecryptionFailed
from panel.services import test_orders
from panel.settings import Settings

MAX_NAME_LENGTH = 60
MAX_URL_LENGTH = 500


def add_provider(name: str, *, kind: str, url: str = "", encrypted_key: str = "", now: datetime) -> Provider:
    """Add a provider. Raises BadInput for an invalid name, kind, URL or key, Refused for a name in use."""
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable() or name != name.strip():
        raise BadInput(f"Write a name of 1 to {MAX_NAME_LENGTH} characters on one line.", field="name")
    if kind not in list(ProviderKind):
        raise BadInput(f"The kind must be one of {', '.join(ProviderKind)}.", field="kind")
    if kind == ProviderKind.PANEL_API:
        _check_url(url)
        if not encrypted_key:
            raise BadInput("A provider of the kind panel_api needs its key.", field="key")
    elif url or encrypted_key:
        raise BadInput(f"A provider of the kind {kind} has no address and no key.", field="url")
    if find(name) is not None:
        raise ActionRefused(f"There is already a provider called {name}.", field="name")
    provider = Provider(name=name, kind=kind, url=url, encrypted_key=encrypted_key, created_at=now)
    if kind == ProviderKind.PANEL_API:
        provider.balance_due_at = now
    db.session.add(provider)
    db.session.flush()
    return provider


def find(name: str) -> Provider | None:
    """The provider with this name."""
    return db.session.execute(select(Provider).where(Provider.name == name)).scalar()


def listed() -> list[Provider]:
    """All providers, by name, without those for test orders."""
    others = select(Provider).where(Provider.name.not_in(test_orders.OWN_PROVIDERS))
    return list(db.session.execute(others.order_by(Provider.name)).scalars())


def public_name(provider: Provider) -> str:
    """The provider's name on customers' pages: never its internal name, unless an operator chose that."""
    return provider.public_name or f"Provider {provider.id}"


def key_fingerprint(provider: Provider) -> str:
    """Fingerprint of an encrypted key, to notice changes without revealing the key."""
    return hashlib.sha256(provider.encrypted_key.encode()).hexdigest()[:16]


def encrypt(key: str, *, settings: Settings) -> str:
    """Encrypt the key. Raises BadInput for an empty or multi-line key."""
    key = key.strip()
    if not key or not key.isprintable():
        raise BadInput("Write the key as one line of text.", field="key")
    return encryption.encrypt(key, settings=settings)


def decrypt(encrypted_key: str, *, settings: Settings) -> str:
    """Decrypt the key. Raises Refused if this installation can't decrypt it."""
    try:
        return encryption.decrypt(encrypted_key, settings=settings)
    except DecryptionFailed as error:
        raise ActionRefused(
            "A provider’s key can’t be decrypted: it was encrypted with another key than ours."
        ) from error


def _check_url(url: str) -> None:
    if len(url) > MAX_URL_LENGTH or not url.isprintable() or " " in url:
        raise BadInput("Write the provider’s address in full, such as https://panel.example/api/v2.", field="url")
    try:
        http.check_url(url)
    except ValueError as error:
        raise BadInput(str(error), field="url") from error

"""Encryption key check at start: fails early if stored secrets can't be decrypted with the configured key."""

from typing import Any

from sqlalchemy import select

from panel.db import db
from panel.domain.errors import ActionRefused
from panel.models import Provider, PublicLink, StoredSetting, User, WebhookEndpoint
from panel.security.encryption import DecryptionFailed, decrypt, has_key
from panel.settings import Settings

ENCRYPTED: tuple[Any, ...] = (
    Provider.encrypted_key,
    PublicLink.encrypted_token,
    User.encrypted_totp,
    WebhookEndpoint.encrypted_secret,
)
# The newest of each kind, and the one mail server.
_NEWEST = (
    *(select(column).where(column != "").order_by(column.class_.id.desc()).limit(1) for column in ENCRYPTED),
    select(StoredSetting.value).where(StoredSetting.name == "smtp_url"),
)
WHERE = "PANEL_SEAL_KEY, or the file seal_key in the instance folder"


def check(settings: Settings) -> None:
    """Raises Refused if there are encrypted secrets and the newest of a kind can't be decrypted."""
    for newest in _NEWEST:
        if (ciphertext := db.session.scalar(newest)) is None:
            continue
        if not has_key(settings):
            raise ActionRefused(f"The key that encrypted this panel's secrets is lost: put back {WHERE}.")
        try:
            decrypt(ciphertext, settings=settings)
        except DecryptionFailed as error:
            raise ActionRefused(f"This panel's secrets were encrypted with another key: put back {WHERE}.") from error

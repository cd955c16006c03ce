"""Encryption at rest: secrets we must read again are stored in the database encrypted with our key.

The key lies outside the database: in `PANEL_SEAL_KEY`, or in the instance folder with mode 600.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken

from panel.settings import Settings, load_or_create_secret

KEY_FILE = "seal_key"


class DecryptionFailed(Exception):
    """The ciphertext was made with another key, or was changed."""


def has_key(settings: Settings) -> bool:
    """Whether a key exists. Without one, the first encrypted secret creates it."""
    return bool(settings.seal_key) or (settings.instance / KEY_FILE).exists()


def encrypt(text: str, *, settings: Settings) -> str:
    return _fernet(settings).encrypt(text.encode()).decode()


def decrypt(ciphertext: str, *, settings: Settings) -> str:
    """Raises DecryptionFailed."""
    try:
        return _fernet(settings).decrypt(ciphertext.encode()).decode()
    except InvalidToken as error:
        raise DecryptionFailed("a secret cannot be decrypted with this installation's key") from error


def _fernet(settings: Settings) -> Fernet:
    secret = settings.seal_key or load_or_create_secret(settings, KEY_FILE)
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))

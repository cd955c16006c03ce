"""Known-device cookie: the accounts this browser has logged in to before, signed, for 400 days.

It opens nothing. Wrong passwords and codes from a known device are counted for that device alone, so that strangers
who try an account cannot lock its owner out.
"""

import secrets

from flask import Response, after_this_request, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer

from panel.services.accounts import throttles
from panel.settings import Settings

MAX_ACCOUNTS = 5
TOKEN_BYTES = 12


def device_name(user_id: int | None) -> str | None:
    """The device id of this browser for that account, or None if it has never logged in to it."""
    return None if user_id is None else _read().get(str(user_id))


def account_ids() -> list[int]:
    """The accounts that this browser has logged in to, the latest last."""
    return [int(user_id) for user_id in _read()]


def remember(user_id: int) -> None:
    """Set the cookie on the response: this browser is now a known device of the account."""
    devices = _read()
    devices[str(user_id)] = devices.pop(str(user_id), "") or secrets.token_urlsafe(TOKEN_BYTES)
    kept = dict(list(devices.items())[-MAX_ACCOUNTS:])
    settings: Settings = current_app.config["PANEL"]

    @after_this_request
    def set_cookie(response: Response) -> Response:
        response.set_cookie(
            _name(),
            _signer().dumps(kept),
            max_age=throttles.DEVICE_KNOWN_FOR,
            secure=settings.is_https,
            httponly=True,
            samesite="Lax",
        )
        return response


def _read() -> dict[str, str]:
    try:
        found = _signer().loads(request.cookies.get(_name(), ""))
    except BadSignature:
        return {}
    return dict(found)


def _name() -> str:
    return "__Host-device" if current_app.config["PANEL"].is_https else "device"


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="known device")

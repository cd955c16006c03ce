"""Session cookies for HTTP clients other than Flask's."""

import secrets
from typing import cast

from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from panel.clock import utc_now
from panel.db import transaction
from panel.models import User
from panel.services.accounts import sessions


def session_cookie(app: Flask, user: User) -> str:
    """Log the user in and return the session cookie; operators pass two-factor authentication.

    Needs the app's context.
    """
    with transaction():
        device = sessions.log_in(
            user,
            device="Test browser",
            network="127.0.0.1",
            has_shown_second_factor=user.is_staff,
            now=utc_now(),
        )
    signer = cast(SecureCookieSessionInterface, app.session_interface).get_signing_serializer(app)
    assert signer is not None
    # With the CSRF token that a browser has after its first page.
    return str(
        signer.dumps({sessions.TOKEN_KEY: device.token, "_permanent": True, "csrf_token": secrets.token_hex(20)})
    )

"""Flask's session interface, with each cookie's signature verified once, and a mark on responses for the caches."""

from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature

from panel.clock import utc_now
from panel.security.request_identity import MADE_FOR, VISITOR, is_session_cookie
from panel.services.accounts.sessions import TOKEN_KEY, token_hash

# For 10,000 active customers, at about 1 kB each.
MAX_COOKIES = 10_000


@dataclass(frozen=True, slots=True)
class VerifiedCookie:
    """Verified session cookie: content, time of signing, and its token with that token's hash, empty without one."""

    values: dict[str, Any]
    signed_at: datetime
    token: str
    token_hash: str


class SignedSessions(SecureCookieSessionInterface):
    """It takes the same cookies as the middleware does, and marks each response with the user it was made for."""

    def __init__(self) -> None:
        # A valid signature stays valid, so it is verified once. What raises is not cached.
        self._verified = lru_cache(MAX_COOKIES)(self._verify)

    def verified(self, app: Flask, cookie: str) -> VerifiedCookie:
        """The content of this cookie, however old it is. Raises BadSignature."""
        return self._verified(app, app.secret_key, cookie)

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession:
        cookie = request.cookies.get(self.get_cookie_name(app), "")
        try:
            found = self.verified(app, cookie) if cookie else None
        except BadSignature:
            found = None
        if found is None or utc_now() - found.signed_at > app.permanent_session_lifetime:
            return self.session_class()
        # A copy, since a request may change its session. Most hold plain values alone.
        is_plain = all(isinstance(value, str | int | None) for value in found.values.values())
        return self.session_class(found.values if is_plain else deepcopy(found.values))

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        super().save_session(app, session, response)
        person = g.get("_login_user")
        if person is not None and person.is_authenticated:
            request.environ[MADE_FOR] = person.get_id()
        elif not session and not session.modified:
            request.environ[MADE_FOR] = VISITOR

    def _verify(self, app: Flask, _key: object, cookie: str) -> VerifiedCookie:
        serializer = self.get_signing_serializer(app)
        if serializer is None or not is_session_cookie(cookie):
            raise BadSignature("not a cookie of ours")
        values, signed_at = serializer.loads(cookie, return_timestamp=True)
        token = values.get(TOKEN_KEY)
        is_token = isinstance(token, str)
        return VerifiedCookie(values, signed_at, token if is_token else "", token_hash(token) if is_token else "")

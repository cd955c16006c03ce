"""Session and theme cookies of a request, and the mark of the user a response was made for.

Every middleware uses this module, with Flask's own cookie parser. If two parsers read a Cookie header differently, one
user's page could be cached for everyone.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

THEME_COOKIE = "theme"
THEMES = frozenset({"light", "dark"})
MAX_SESSION_COOKIE_LENGTH = 4096
_SESSION_COOKIE = re.compile(r"[A-Za-z0-9_.-]+")
# For 10,000 active customers, at about 1 kB each. Longer headers are not cached, which bounds the memory.
MAX_REMEMBERED = 10_000
MAX_REMEMBERED_LENGTH = 2048

# Key in the WSGI environ where Flask stores whom the response was made for: the session token of a logged-in
# user, or VISITOR if neither a session nor a user was involved. Responses without it are not cached.
MADE_FOR = "panel.made_for"
VISITOR = ""


def cookies_of(environ: "WSGIEnvironment") -> Mapping[str, str]:
    """The cookies as in `flask.request.cookies`: the first of two with the same name."""
    header: str = environ.get("HTTP_COOKIE", "")
    return _remembered(header) if len(header) <= MAX_REMEMBERED_LENGTH else _parsed(header)


def theme_of(environ: "WSGIEnvironment") -> str:
    """The color scheme: `light` or `dark`, otherwise empty."""
    chosen = cookies_of(environ).get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def is_session_cookie(value: str) -> bool:
    """Whether we could have sent this session cookie: a signature is also valid with foreign characters in between."""
    return len(value) <= MAX_SESSION_COOKIE_LENGTH and _SESSION_COOKIE.fullmatch(value) is not None


def _parsed(header: str) -> Mapping[str, str]:
    return Request({"HTTP_COOKIE": header}, populate_request=False).cookies


_remembered = lru_cache(MAX_REMEMBERED)(_parsed)

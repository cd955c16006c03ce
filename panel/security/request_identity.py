"""Session and theme cookies of a request, read by Flask's own parser, and the mark of whom an answer was made for.

Every middleware uses this module. If two parsers read a Cookie header differently, one person's page could be cached
for everybody.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

THEME_COOKIE = "theme"
THEMES = frozenset({"light", "dark"})
# Longer headers are not cached, which bounds the memory.
LONGEST_REMEMBERED = 2048

# Where Flask's side leaves, in the request's environ, whom it made the answer for: the token of a person who is
# logged in, or VISITOR when neither a session nor a person had a part in it. Without the mark nothing is kept.
MADE_FOR = "panel.made_for"
VISITOR = ""


def cookies_of(environ: "WSGIEnvironment") -> Mapping[str, str]:
    """The cookies as `flask.request.cookies` has them: of two with one name, the first."""
    header: str = environ.get("HTTP_COOKIE", "")
    return _remembered(header) if len(header) <= LONGEST_REMEMBERED else _parsed(header)


def theme_of(environ: "WSGIEnvironment") -> str:
    """The choice of colors: `light` or `dark`, else empty."""
    chosen = cookies_of(environ).get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def _parsed(header: str) -> Mapping[str, str]:
    return Request({"HTTP_COOKIE": header}, populate_request=False).cookies


_remembered = lru_cache(maxsize=2048)(_parsed)

"""WSGI environ of an anonymous visitor, for rendering pages that are cached for all of them.

Nothing that one client sent is left in it: only the theme cookie, rebuilt from its value, and the headers that request
limits and logs read. Host and scheme are the site's own.
"""

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from panel.logs import REQUEST_ID
from panel.security.request_identity import THEME_COOKIE, theme_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Where a request came from, and through which proxies.
HEADERS_PASSED_ON = frozenset({"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"})
# How our own links are spelled. Other spellings that lead to a page are answered, but get no cache entry.
_PLAIN_PATH = re.compile(r"/(?:[a-z0-9-]+(?:/[a-z0-9-]+)*)?")


def is_plain_path(path: str) -> bool:
    """Whether the path is spelled as the site's own links are: lower case, no doubled or final slash."""
    return _PLAIN_PATH.fullmatch(path) is not None


def visitor_environ(environ: "WSGIEnvironment", *, public_url: str) -> "WSGIEnvironment":
    """The environ of a visitor who requests this path with this theme."""
    public = urlsplit(public_url)
    visitors = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("HTTP_", "CONTENT_", "panel.", "flask.")) or name in HEADERS_PASSED_ON
    }
    visitors.update(HTTP_HOST=public.netloc, QUERY_STRING="")
    visitors["wsgi.url_scheme"] = public.scheme
    if REQUEST_ID in environ:
        visitors[REQUEST_ID] = environ[REQUEST_ID]
    if theme := theme_of(environ):
        visitors["HTTP_COOKIE"] = f"{THEME_COOKIE}={theme}"
    return visitors

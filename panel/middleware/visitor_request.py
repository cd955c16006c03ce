"""The request of a visitor, for pages that are cached for all of them: nothing that one person sent is left in it.

Only the theme cookie is kept, written again from its value. Of the headers only those stay that request limits and
logs read; Host and scheme are the site's own. So whatever a page reads, it reads the same for everybody.
"""

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from panel.security.request_identity import THEME_COOKIE, theme_of

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# They say from where a request came, and through which proxies.
HEADERS_KEPT = frozenset({"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"})
# The spelling of our own addresses. Any other that leads somewhere is answered, and never a key of its own.
_PLAIN_PATH = re.compile(r"/(?:[a-z0-9-]+(?:/[a-z0-9-]+)*)?")


def is_plain_path(path: str) -> bool:
    """Whether the path is spelled as the site's own links are: lower case, no doubled or final slash."""
    return _PLAIN_PATH.fullmatch(path) is not None


def visitor_environ(environ: "WSGIEnvironment", *, public_url: str) -> "WSGIEnvironment":
    """The environ of a visitor who asks for this path with this choice of colors."""
    public = urlsplit(public_url)
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("HTTP_", "CONTENT_", "panel.", "flask.")) or name in HEADERS_KEPT
    }
    kept.update(HTTP_HOST=public.netloc, QUERY_STRING="")
    kept["wsgi.url_scheme"] = public.scheme
    if theme := theme_of(environ):
        kept["HTTP_COOKIE"] = f"{THEME_COOKIE}={theme}"
    return kept

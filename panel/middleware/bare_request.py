"""WSGI environ for rendering pages that are cached: nothing that one client sent is left in it.

The session and the theme are given as cookies. Of the headers only those stay that request limits and logs read. Host
and scheme are the site's own.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from panel.logs import REQUEST_ID

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Where a request came from, and through which proxies.
HEADERS_PASSED_ON = frozenset({"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"})


def bare_environ(
    environ: "WSGIEnvironment", *, cookies: Mapping[str, str], public_url: str, **more: object
) -> "WSGIEnvironment":
    """The environ of a request for the same address with these cookies, where they have a value, and `more`."""
    public = urlsplit(public_url)
    bare = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("HTTP_", "CONTENT_", "panel.", "flask.")) or name in HEADERS_PASSED_ON
    }
    bare.update({"HTTP_HOST": public.netloc, "wsgi.url_scheme": public.scheme, **more})
    if REQUEST_ID in environ:
        bare[REQUEST_ID] = environ[REQUEST_ID]
    if given := "; ".join(f"{name}={value}" for name, value in cookies.items() if value):
        bare["HTTP_COOKIE"] = given
    return bare

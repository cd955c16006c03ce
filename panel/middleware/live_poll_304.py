"""The answer to "anything new?" before Flask is asked: 304 after one indexed read, when nothing has changed.

A small WSGI layer for GETs of live regions that carry the hash of what is shown. It proves who asks by the
session cookie and the database, each time; for anything but a plain "nothing new" it steps aside.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Flask

from panel.middleware.session_lookup import SessionLookup, address_of
from panel.services.page_version import page_etag

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# The live regions: that of the history, those of single orders, and those of tickets.
PATH_BEGINS, PATH_ENDS = ("/orders/", "/tickets/"), "/live"


class LivePoll304:
    """The layer: called as a WSGI application, around the one given."""

    def __init__(self, inner: "WSGIApplication", app: Flask) -> None:
        self._inner = inner
        self._who = SessionLookup(app)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        tag = environ.get("HTTP_HX_PTAG")
        if tag and self._is_unchanged(tag, environ):
            start_response("304 Not Modified", [("HX-PTag", tag), ("Cache-Control", "no-store"), ("Vary", "Cookie")])
            return ()
        return self._inner(environ, start_response)

    def _is_unchanged(self, tag: str, environ: "WSGIEnvironment") -> bool:
        path: str = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] != "GET" or not (path.startswith(PATH_BEGINS) and path.endswith(PATH_ENDS)):
            return False
        page_versions = self._who.page_versions(environ)
        return page_versions is not None and tag == page_etag(page_versions, address=address_of(environ))

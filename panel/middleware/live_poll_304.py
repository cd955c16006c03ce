"""304 for polls of live regions: answered before Flask with one indexed read, if nothing on the page has changed.

WSGI middleware for GETs that carry the ETag of what is shown. Session and versions are read from the database each
time; any other request, and any doubt, goes on to Flask.
"""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from panel.middleware.session_lookup import SessionLookup, address_of
from panel.services.page_version import page_etag

# The live regions: the history's, and those of each order, ticket and deposit.
PATH_BEGINS, PATH_ENDS = ("/orders/", "/tickets/", "/balance/"), "/live"


class LivePoll304:
    def __init__(self, inner: WSGIApplication, sessions: SessionLookup) -> None:
        self._inner = inner
        self._sessions = sessions

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        tag = environ.get("HTTP_HX_PTAG")
        if tag and self._is_unchanged(tag, environ):
            start_response("304 Not Modified", [("HX-PTag", tag), ("Cache-Control", "no-store"), ("Vary", "Cookie")])
            return []
        return self._inner(environ, start_response)

    def _is_unchanged(self, tag: str, environ: WSGIEnvironment) -> bool:
        path: str = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] != "GET" or not (path.startswith(PATH_BEGINS) and path.endswith(PATH_ENDS)):
            return False
        page_versions = self._sessions.page_versions(environ)
        return page_versions is not None and tag == page_etag(page_versions, address=address_of(environ))

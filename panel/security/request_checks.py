"""Request validation at the edge: the Host header, how many form fields, and text that no database can store.

NUL and unpaired surrogates are refused here for every form, query, path and header, and in `api_calls` for the API's
fields; nothing behind this point looks for them again.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import abort, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge

from panel.domain.errors import UnreadableText
from panel.domain.plain_text import is_storable

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from werkzeug.datastructures import MultiDict

URLENCODED = "application/x-www-form-urlencoded"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# The server joins two Host headers with a comma, and passes an empty one if there is none.
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_NO_HOST = b"This request has no Host header, more than one, or one that names no host.\n"


def require_one_host_header(inner: "WSGIApplication") -> "WSGIApplication":
    """Reject requests without exactly one Host header with a 400."""

    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if _HOST.fullmatch(environ.get("HTTP_HOST", "")) is not None:
            return inner(environ, start_response)
        length = str(len(_NO_HOST))
        start_response("400 Bad Request", [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", length)])
        return (_NO_HOST,) if environ["REQUEST_METHOD"] != "HEAD" else ()

    return application


def check_fields() -> None:
    """404 for such a path, 413 for too many fields, 422 for fields and headers with text that can't be stored.

    The API checks its own fields and answers in its own format.
    """
    if not is_storable(request.path):
        abort(404)
    if request.blueprint == "api":
        return
    _check_headers(request.environ)
    if request.query_string:
        _check_count(request.query_string)
        _check_all(_both(request.args))
    if request.method not in SAFE_METHODS and request.url_rule is not None:
        # Counted in the raw text, before a parser creates an object for each.
        _check_count(request.get_data() if request.mimetype == URLENCODED else b"")
        _check_all(_both(request.form))


def _check_count(text: bytes) -> None:
    if text.count(b"&") >= current_app.config["MAX_FORM_PARTS"]:
        raise RequestEntityTooLarge


def _check_all(texts: Iterable[str]) -> None:
    if not all(map(is_storable, texts)):
        raise UnreadableText(
            "Something you sent contains a character that can’t be stored. Nothing was changed. "
            "Go back, remove it (it may have come along with copied text), and send it again."
        )


def _both(fields: "MultiDict[str, str]") -> Iterable[str]:
    for name, value in fields.items(multi=True):
        yield name
        yield value


def _check_headers(environ: "WSGIEnvironment") -> None:
    headers = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
    if is_storable("".join(headers.values())):
        return
    texts = {name: value for name, value in headers.items() if not is_storable(value)}
    for name in texts:
        # The page that refuses it reads headers too.
        del environ[name]
    _check_all(texts.values())

"""Response cache for the API's `status`: the call that resellers make all day, answered with one or two indexed reads.

WSGI middleware for plain form POSTs with the action `status`. The key is looked up and the rate limit counted as for
any call; anything out of the ordinary goes on to Flask. The version of the customer's orders is read with the key each
time, and the cached answer reused while it is the same.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from flask import Flask

from panel import security
from panel.blueprints.api.errors import Refusal
from panel.blueprints.api.handlers import by_word
from panel.blueprints.api.parsing import form_of, plain_numbers, text_of
from panel.clock import utc_now
from panel.db import db
from panel.db.read_only import read_lock, reader
from panel.lru_cache import LRUCache
from panel.middleware.captured_response import send
from panel.middleware.response_cache import ResponseCache
from panel.services.api import keys as api_keys
from panel.services.api import orders as api_orders
from panel.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
# A hundred ids of any length that orders have, with all commas escaped.
MAX_BODY_LENGTH = 4096
# A parsed form and its response are about 25 kB.
MAX_FORMS = 400


@dataclass(frozen=True, slots=True, eq=False)
class _StatusForm:
    """A parsed call."""

    digest: bytes
    key_hash: str
    order_ids: dict[str, int]
    ids: str | list[int]
    is_many: bool


# The ids of the API key and its owner, and the version of all that this customer's orders show.
_Versions = tuple[int, int, int]


class ApiStatusCache:
    def __init__(self, inner: "WSGIApplication", app: Flask, *, max_forms: int = MAX_FORMS) -> None:
        self._inner = inner
        self._app = app
        self._settings: Settings = app.config["PANEL"]
        # By the hash of a body: the API key in it is not stored.
        self._forms: LRUCache[bytes, _StatusForm] = LRUCache(max_forms)
        self._cache: ResponseCache[_StatusForm, _Versions, bytes] = ResponseCache(
            self._key_of, self._versions_of, max_entries=max_forms
        )
        with app.app_context():
            self._engine = db.engine.dialect.name
            self._lock = read_lock(db.engine)
            self._find = reader(db.engine, api_keys.FIND_NOTED)
            self._statuses = reader(db.engine, api_orders.STATUSES[self._engine], has_many_rows=True)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        found = self._cache.look_up(environ)
        if found is None:
            return self._inner(environ, start_response)
        form, versions, answer = found
        key_id, user_id, _state_version = versions
        if answer is None and (answer := self._answer(form, user_id)) is not None:
            # Only for calls with a valid key: nobody without one can push others out of the cache.
            self._cache.store(form, versions, answer)
            self._forms.set(form.digest, form)
        if answer is None or self._is_over_limit(key_id):
            return self._inner(environ, start_response)
        return send("200 OK", [("Content-Type", "application/json"), security.PRIVATE], answer, start_response)

    def _key_of(self, environ: "WSGIEnvironment") -> _StatusForm | None:
        if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] not in security.API_PATHS:
            return None
        body = _plain_body(environ)
        if not body:
            return None
        digest = hashlib.blake2b(body, digest_size=16).digest()
        return self._forms.get(digest) or self._parse(body, digest)

    def _parse(self, body: bytes, digest: bytes) -> _StatusForm | None:
        try:
            fields = form_of(body)
            if text_of(fields, "action") != "status":
                return None
            key, many = text_of(fields, "key") or "", text_of(fields, "orders")
            order_ids = plain_numbers(many or text_of(fields, "order") or "")
        except (ValueError, Refusal):
            return None
        if order_ids is None or not (many or len(order_ids) == 1):
            return None
        ids = api_orders.ids_value(order_ids.values(), engine=self._engine)
        return _StatusForm(digest, api_keys.key_hash(key), order_ids, ids, is_many=bool(many))

    def _versions_of(self, environ: "WSGIEnvironment", form: _StatusForm) -> _Versions | None:
        since = utc_now() - api_keys.USE_NOTED_EVERY
        with self._lock:
            rows = self._find({"key_hash": form.key_hash, "since": since})
        if not rows:
            return None
        key_id, user_id, networks, state_version = rows[0]
        is_allowed = api_keys.is_allowed(environ.get("REMOTE_ADDR"), networks=networks)
        return (key_id, user_id, state_version) if is_allowed else None

    def _answer(self, form: _StatusForm, user_id: int) -> bytes | None:
        with self._lock:
            rows = self._statuses({"customer_id": user_id, "ids": form.ids})
        if rows is None or not (form.is_many or rows):
            return None
        found = api_orders.status_texts(rows, currency=self._settings.currency)
        text = by_word(form.order_ids, found) if form.is_many else next(iter(found.values()))
        return text.encode()

    def _is_over_limit(self, key_id: int) -> bool:
        most = self._settings.api_requests_a_minute
        return security.hit_rate_limit(self._app, api_keys.rate_name(key_id), most_a_minute=most) is not None


def _plain_body(environ: "WSGIEnvironment") -> bytes | None:
    """The body of a short form, put back for the next reader; None for any other request."""
    length = environ.get("CONTENT_LENGTH") or ""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != FORM or environ.get("QUERY_STRING"):
        return None
    if not (length.isascii() and length.isdigit() and int(length) <= MAX_BODY_LENGTH):
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(body)
    return body

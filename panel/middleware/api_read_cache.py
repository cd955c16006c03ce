"""Response cache for the API's reads: `status`, which resellers call all day, `balance` and `services`.

WSGI middleware for plain form POSTs. The key is looked up and the rate limit counted as for any call; anything out of
the ordinary goes on to Flask. What the answers depend on is read with the key each time: the versions of the customer's
orders and of the catalogue, and the balance.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from flask import Flask

from panel import security
from panel.blueprints.api import handlers
from panel.blueprints.api.errors import Refusal
from panel.blueprints.api.parsing import form_of, plain_numbers, text_of
from panel.clock import utc_now
from panel.db import db
from panel.db.lru_cache import LRUCache
from panel.db.read_only import read_lock, reader
from panel.middleware.captured_response import send
from panel.middleware.response_cache import ResponseCache
from panel.security.rate_limits import RateLimitUse
from panel.services.api import keys as api_keys
from panel.services.api import orders as api_orders
from panel.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
# A hundred ids of any length that orders have, with all commas escaped.
MAX_BODY_LENGTH = 4096
# For 10,000 active customers: a call of one order, and its answer, each weigh some 600 bytes, those of a hundred orders
# 13 kB each.
MAX_BYTES = 8_000_000
CALL_BYTES, ID_BYTES = 500, 130
TIMES_GOOD_SECONDS = 600


@dataclass(frozen=True, slots=True, eq=False)
class _ParsedCall:
    digest: bytes
    key_hash: str
    action: str
    order_ids: dict[str, int]
    is_many: bool


class _Versions(NamedTuple):
    """A row of `FIND_NOTED`: the API key and its owner, the versions of orders and catalogue, and the balance.

    `period`, for `services`: the ten minutes for which its measured times are good.
    """

    networks: str
    key_id: int
    user_id: int
    state_version: int
    catalogue_version: int
    balance_nanos: int
    period: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer as JSON. It counts as a call of this key each time it is sent; one too many is for Flask to refuse."""

    cache: "ApiReadCache"
    key_id: int
    body: bytes

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        use = self.cache.count_call(self.key_id)
        if use.is_over:
            return self.cache.inner(environ, start_response)
        headers = [("Content-Type", "application/json"), security.PRIVATE, *use.headers.items()]
        return send("200 OK", headers, self.body, start_response)


class ApiReadCache(ResponseCache[_ParsedCall, _Versions, _Answer]):
    def __init__(self, inner: "WSGIApplication", app: Flask, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(inner, LRUCache(max_bytes, size_of=lambda entry: CALL_BYTES + len(entry[1].body)))
        self._app = app
        self._settings: Settings = app.config["PANEL"]
        # By the hash of a body: the API key in it is not stored.
        self._calls: LRUCache[bytes, _ParsedCall] = LRUCache(
            max_bytes, size_of=lambda call: CALL_BYTES + ID_BYTES * len(call.order_ids)
        )
        # The same for all customers.
        self._services = lru_cache(2)(self._read_services)
        with app.app_context():
            self._engine = db.engine.dialect.name
            self._lock = read_lock(db.engine)
            self._find = reader(db.engine, api_keys.FIND_NOTED)
            self._statuses = reader(db.engine, api_orders.STATUSES[self._engine], has_many_rows=True)

    def key_of(self, environ: "WSGIEnvironment") -> _ParsedCall | None:
        if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] not in security.API_PATHS:
            return None
        body = _plain_body(environ)
        if not body:
            return None
        digest = hashlib.blake2b(body, digest_size=16).digest()
        return self._calls.get(digest) or _parsed(body, digest)

    def versions_of(self, environ: "WSGIEnvironment", key: _ParsedCall) -> _Versions | None:
        now = utc_now()
        since = now - api_keys.USE_NOTED_EVERY
        with self._lock:
            rows = self._find({"key_hash": key.key_hash, "since": since})
        if not rows:
            return None
        period = int(now.timestamp()) // TIMES_GOOD_SECONDS if key.action == "services" else 0
        versions = _Versions._make((*rows[0], period))
        is_allowed = api_keys.is_allowed(environ.get("REMOTE_ADDR"), networks=versions.networks)
        return versions if is_allowed else None

    def make(self, _environ: "WSGIEnvironment", key: _ParsedCall, versions: _Versions) -> "WSGIApplication":
        text = self._text(key, versions)
        if text is None:
            return self.inner
        answer = _Answer(self, versions.key_id, text.encode())
        # Only for calls with a valid key: nobody without one can push others out of the cache.
        self._calls.set(key.digest, key)
        self.store(key, versions, answer)
        return answer

    def _text(self, call: _ParsedCall, versions: _Versions) -> str | None:
        if call.action == "balance":
            return handlers.balance_text(versions.balance_nanos, currency=self._settings.currency)
        if call.action == "services":
            return self._services(versions.catalogue_version, versions.period)
        return self._read_statuses(call, versions.user_id)

    def _read_services(self, _catalogue_version: int, _period: int) -> str:
        with self._app.app_context():
            return handlers.services_text(now=utc_now())

    def _read_statuses(self, call: _ParsedCall, user_id: int) -> str | None:
        ids = api_orders.ids_value(call.order_ids.values(), engine=self._engine)
        with self._lock:
            rows = self._statuses({"customer_id": user_id, "ids": ids})
        if rows is None or not (call.is_many or rows):
            return None
        found = api_orders.status_texts(rows, currency=self._settings.currency)
        return handlers.by_word(call.order_ids, found) if call.is_many else next(iter(found.values()))

    def count_call(self, key_id: int) -> RateLimitUse:
        most = self._settings.api_requests_a_minute
        return security.hit_rate_limit(self._app, api_keys.rate_name(key_id), most_a_minute=most)


def _parsed(body: bytes, digest: bytes) -> _ParsedCall | None:
    """The call in a form, if it is one of those answered here, with plain numbers where it has ids."""
    try:
        fields = form_of(body)
        action, key = text_of(fields, "action"), api_keys.key_hash(text_of(fields, "key") or "")
        if action in ("balance", "services"):
            return _ParsedCall(digest, key, action, {}, is_many=False)
        if action != "status":
            return None
        many = text_of(fields, "orders")
        order_ids = plain_numbers(many or text_of(fields, "order") or "")
    except (ValueError, Refusal):
        return None
    if order_ids is None or not (many or len(order_ids) == 1):
        return None
    return _ParsedCall(digest, key, action, order_ids, is_many=bool(many))


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

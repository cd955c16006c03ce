"""Response cache for the API's reads: `status`, which resellers call all day, `balance` and `services`.

WSGI middleware for plain form POSTs. The key is looked up and the rate limit counted as for any call; anything out of
the ordinary goes on to Flask. What the answers depend on is read with the key each time: the versions of the customer's
orders and of the catalogue, and the balance.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask

from panel import security
from panel.blueprints.api import handlers
from panel.blueprints.api.parsing import PlainCall, digest_of, plain_body, plain_call
from panel.clock import utc_now
from panel.db import db
from panel.db.lru_cache import LRUCache
from panel.db.read_only import read_lock, reader
from panel.middleware.captured_response import send
from panel.middleware.response_cache import ResponseCache
from panel.security.rate_limits import RateLimitUse
from panel.services.api import keys as api_keys
from panel.services.api import orders as api_orders
from panel.services.catalogue import customer_prices
from panel.settings import Settings

# For 10,000 active customers: a call of one order, and its answer, each weigh some 600 bytes, those of a hundred orders
# 13 kB each.
MAX_BYTES = 8_000_000
CALL_BYTES, ID_BYTES = 500, 130
TIMES_GOOD_SECONDS = 600
# Lists of services, one for each price group that is asked for.
MAX_LISTS = 8


class _Versions(NamedTuple):
    """A row of `FIND_NOTED`: the API key and its owner, the versions of orders and catalogue, the owner's
    price group, and the balance.

    `period`: the ten minutes for which the measured times of `services` are good.
    """

    networks: str
    key_id: int
    user_id: int
    state_version: int
    catalogue_version: int
    group_id: int | None
    balance_nanos: int
    period: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer as JSON. It counts as a call of this key each time it is sent; one too many is for Flask to refuse."""

    cache: "ApiReadCache"
    key_id: int
    body: bytes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        use = self.cache.count_call(self.key_id)
        if use.is_over:
            return self.cache.inner(environ, start_response)
        headers = [("Content-Type", "application/json"), security.PRIVATE, *use.headers.items()]
        return send("200 OK", headers, self.body, start_response)


class ApiReadCache(ResponseCache[PlainCall, _Versions, _Answer]):
    def __init__(self, inner: WSGIApplication, app: Flask, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(inner, LRUCache(max_bytes, size_of=lambda entry: CALL_BYTES + len(entry[1].body)))
        self._app = app
        self._settings: Settings = app.config["PANEL"]
        # By the hash of a body: the API key in it is not stored.
        self._calls: LRUCache[bytes, PlainCall] = LRUCache(
            max_bytes, size_of=lambda call: CALL_BYTES + ID_BYTES * len(call.order_ids)
        )
        # The same for all customers of a price group.
        self._services = lru_cache(MAX_LISTS)(self._read_services)
        with app.app_context():
            self._engine = db.engine.dialect.name
            self._lock = read_lock(db.engine)
            self._find = reader(db.engine, api_keys.FIND_NOTED)
            self._statuses = reader(db.engine, api_orders.STATUSES[self._engine], has_many_rows=True)

    def key_of(self, environ: WSGIEnvironment) -> PlainCall | None:
        if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"] not in security.API_PATHS:
            return None
        body = plain_body(environ)
        return (self._calls.get(digest_of(body)) or plain_call(body)) if body else None

    def versions_of(self, environ: WSGIEnvironment, key: PlainCall) -> _Versions | None:
        now = utc_now()
        with self._lock:
            rows = self._find({"key_hash": key.key_hash, "since": now - api_keys.USE_NOTED_EVERY})
        if not rows:
            return None
        versions = _Versions._make((*rows[0], int(now.timestamp()) // TIMES_GOOD_SECONDS))
        is_allowed = api_keys.is_allowed(environ.get("REMOTE_ADDR"), networks=versions.networks)
        return versions if is_allowed else None

    def make(self, _environ: WSGIEnvironment, key: PlainCall, versions: _Versions) -> WSGIApplication:
        text = self._text(key, versions)
        if text is None:
            return self.inner
        answer = _Answer(self, versions.key_id, text.encode())
        # Only for calls with a valid key: nobody without one can push others out of the cache.
        self._calls.set(key.digest, key)
        self.entries.set(key, (versions, answer))
        return answer

    def _text(self, call: PlainCall, versions: _Versions) -> str | None:
        if call.action == "balance":
            return handlers.balance_text(versions.balance_nanos, currency=self._settings.currency)
        if call.action == "services":
            return self._services(versions.catalogue_version, versions.group_id, versions.period)
        return self._read_statuses(call, versions.user_id)

    def _read_services(self, _catalogue_version: int, group_id: int | None, _period: int) -> str:
        with self._app.app_context():
            return handlers.services_text(customer_prices.of_group(group_id), now=utc_now())

    def _read_statuses(self, call: PlainCall, user_id: int) -> str | None:
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

"""The answer to "how do these orders stand?" before Flask is asked: two indexed reads, and no session.

A small WSGI layer for the one call that resellers make all day, `status` of many orders sent as a plain form.
The key is looked up and the rate counted as for any call; for anything out of the ordinary it steps aside.
Programs ask for the same orders again and again: the answer is kept with the version of the customer's orders
that it was made from, which is read with the key each time, and given again while that stands.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING

from flask import Flask

from panel import security
from panel.blueprints.api.errors import Refusal
from panel.blueprints.api.handlers import by_word
from panel.blueprints.api.parsing import form_of, plain_numbers, text_of
from panel.clock import utc_now
from panel.db import db
from panel.db.read_only import read_lock, reader
from panel.services.api import keys as api_keys
from panel.services.api import orders as api_orders
from panel.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
# A hundred ids of any length that orders have, with all commas escaped.
LONGEST_BODY = 4096
# A form taken apart and its answer are some 25 kB.
MAX_FORMS = 400


@dataclass(slots=True)
class _Asked:
    """A form taken apart, and the last answer to it with the version that it was made from."""

    key_hash: str
    order_ids: dict[str, int]
    ids: str | list[int]
    is_many: bool
    answer: tuple[int, bytes] | None = None


class ApiStatusCache:
    """The layer: called as a WSGI application, around the one given."""

    def __init__(self, inner: "WSGIApplication", app: Flask) -> None:
        self._inner = inner
        self._app = app
        self._settings: Settings = app.config["PANEL"]
        self._forms: OrderedDict[bytes, _Asked] = OrderedDict()
        self._lock = Lock()
        with app.app_context():
            self._engine = db.engine.dialect.name
            self._turn = read_lock(db.engine)
            self._find = reader(db.engine, api_keys.FIND_NOTED)
            self._statuses = reader(db.engine, api_orders.STATUSES[self._engine], has_many_rows=True)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] in security.API_PATHS:
            body = _plain_body(environ)
            answer = self._quick(body, address=environ.get("REMOTE_ADDR")) if body else None
            if answer is not None:
                headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
                start_response("200 OK", [*headers, security.PRIVATE])
                return (answer,)
        return self._inner(environ, start_response)

    def _quick(self, body: bytes, *, address: str | None) -> bytes | None:
        # Of the form, which has the key in it, nothing is kept but a hash.
        name = hashlib.blake2b(body, digest_size=16).digest()
        known = self._forms.get(name)
        asked = known or self._taken_apart(body)
        if asked is None:
            return None
        with self._turn:
            answer = self._answer(asked, address=address)
        if answer is not None and known is None:
            self._keep(name, asked)
        return answer

    def _keep(self, name: bytes, asked: _Asked) -> None:
        """Only forms that were answered are kept: whoever has no key cannot crowd them out."""
        with self._lock:
            self._forms[name] = asked
            if len(self._forms) > MAX_FORMS:
                self._forms.popitem(last=False)

    def _taken_apart(self, body: bytes) -> _Asked | None:
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
        return _Asked(api_keys.key_hash(key), order_ids, ids, is_many=bool(many))

    def _answer(self, asked: _Asked, *, address: str | None) -> bytes | None:
        since = utc_now() - api_keys.USE_NOTED_EVERY
        rows = self._find({"key_hash": asked.key_hash, "since": since})
        if not rows:
            return None
        key_id, user_id, networks, version = rows[0]
        if not api_keys.is_allowed(address, networks=networks):
            return None
        # The version is read before the orders: an answer may be newer than the version it is kept with, never older.
        kept = asked.answer
        if kept is None or kept[0] != version:
            made = self._made(asked, user_id)
            if made is None:
                return None
            kept = asked.answer = (version, made)
        return None if self._is_too_much(key_id) else kept[1]

    def _made(self, asked: _Asked, user_id: int) -> bytes | None:
        rows = self._statuses({"customer_id": user_id, "ids": asked.ids})
        if rows is None or not (asked.is_many or rows):
            return None
        found = api_orders.status_texts(rows, currency=self._settings.currency)
        text = by_word(asked.order_ids, found) if asked.is_many else next(iter(found.values()))
        return text.encode()

    def _is_too_much(self, key_id: int) -> bool:
        most = self._settings.api_requests_a_minute
        return security.hit_rate_limit(self._app, api_keys.rate_name(key_id), most_a_minute=most) is not None


def _plain_body(environ: "WSGIEnvironment") -> bytes | None:
    """The body of a short form, left in place for whoever reads it next; None for any other."""
    length = environ.get("CONTENT_LENGTH") or ""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != FORM or environ.get("QUERY_STRING"):
        return None
    if not (length.isascii() and length.isdigit() and int(length) <= LONGEST_BODY):
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(body)
    return body

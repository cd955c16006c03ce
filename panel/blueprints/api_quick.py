"""The answer to "how do these orders stand?" before Flask is asked: two indexed reads, and no session.

A small WSGI layer for the one call that resellers make all day, `status` of many orders sent as a plain form.
The key is looked up and the rate counted as for any call; for anything out of the ordinary it steps aside.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import TYPE_CHECKING

from flask import Flask

from panel import security
from panel.blueprints.api_acts import by_word
from panel.blueprints.api_calls import form_of, plain_numbers, text_of
from panel.blueprints.api_errors import Refusal
from panel.clock import utc_now
from panel.db import db
from panel.quick_reads import reader, turn
from panel.services import api_keys, api_orders
from panel.services.api_keys import Holder
from panel.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FORM = "application/x-www-form-urlencoded"
# A hundred ids of any length that orders have, with all commas escaped.
LONGEST_BODY = 4096


class QuickStatus:
    """The layer: called as a WSGI application, around the one given."""

    def __init__(self, inner: "WSGIApplication", app: Flask) -> None:
        self._inner = inner
        self._app = app
        self._settings: Settings = app.config["PANEL"]
        with app.app_context():
            self._engine = db.engine.dialect.name
            self._turn = turn(db.engine)
            self._find = reader(db.engine, api_keys.FIND_NOTED)
            self._statuses = reader(db.engine, api_orders.STATUSES[self._engine], has_many_rows=True)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] in security.API_PATHS:
            body = _plain_body(environ)
            with self._turn:
                text = self._answer(body, environ) if body else None
            if text is not None:
                answer = text.encode()
                headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
                start_response("200 OK", [*headers, security.PRIVATE])
                return (answer,)
        return self._inner(environ, start_response)

    def _answer(self, body: bytes, environ: "WSGIEnvironment") -> str | None:
        try:
            fields = form_of(body)
            if text_of(fields, "action") != "status":
                return None
            holder = self._holder(text_of(fields, "key") or "", address=environ.get("REMOTE_ADDR"))
            if holder is None:
                return None
            many = text_of(fields, "orders")
            order_ids = plain_numbers(many or text_of(fields, "order") or "")
        except (ValueError, Refusal):
            return None
        if order_ids is None or not (many or len(order_ids) == 1):
            return None
        ids = api_orders.ids_value(order_ids.values(), engine=self._engine)
        rows = self._statuses({"customer_id": holder.user_id, "ids": ids})
        if rows is None or not (many or rows) or self._is_too_much(holder):
            return None
        found = api_orders.status_texts(rows, currency=self._settings.currency)
        return by_word(order_ids, found) if many else next(iter(found.values()))

    def _holder(self, key: str, *, address: str | None) -> Holder | None:
        since = utc_now() - api_keys.USE_NOTED_EVERY
        rows = self._find({"key_hash": api_keys.key_hash(key), "since": since})
        if not rows:
            return None
        key_id, user_id, networks = rows[0]
        if not api_keys.is_allowed(address, networks=networks):
            return None
        return Holder(key_id, user_id, networks, used_at=None)

    def _is_too_much(self, holder: Holder) -> bool:
        most = self._settings.api_requests_a_minute
        return security.seconds_to_wait(self._app, api_keys.rate_name(holder.key_id), most_a_minute=most) is not None


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

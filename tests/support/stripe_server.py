"""Stand-in for Stripe's API: the endpoints we call, answering as documented, and events signed by Stripe's scheme."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import stripe

KEY = "sk_test_stand_in"
WEBHOOK_SECRET = "whsec_stand_in"


class StripeServer:
    """State of the stand-in. Objects have the fields that we read, and a few around them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sessions: dict[str, dict[str, Any]] = {}
        self.charges: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.is_down = False
        self._by_key: dict[str, tuple[dict[str, str], dict[str, Any]]] = {}
        self._numbers = itertools.count(1)

    def create_session(self, fields: dict[str, str], *, key: str) -> tuple[int, dict[str, Any]]:
        if key in self._by_key:
            earlier, session = self._by_key[key]
            if earlier != fields:
                return 400, {"error": {"type": "idempotency_error", "message": "Keys can only be used with the same"}}
            return 200, session
        number = next(self._numbers)
        session = {
            "id": f"cs_test_{number}",
            "object": "checkout.session",
            "amount_total": int(fields["line_items[0][price_data][unit_amount]"]),
            "client_reference_id": fields["client_reference_id"],
            "created": int(time.time()),
            "currency": fields["line_items[0][price_data][currency]"],
            "customer_email": fields.get("customer_email"),
            "livemode": False,
            "metadata": {"reference": fields["metadata[reference]"]},
            "mode": fields["mode"],
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "success_url": fields["success_url"],
            "url": f"https://checkout.stripe.com/c/pay/cs_test_{number}",
        }
        self.sessions[session["id"]] = session
        self._by_key[key] = (fields, session)
        return 200, session

    def pay(self, reference: str) -> dict[str, Any]:
        """The customer pays on Stripe's page; returns the session."""
        session = next(each for each in self.sessions.values() if each["client_reference_id"] == reference)
        number = next(self._numbers)
        session.update(status="complete", payment_status="paid", payment_intent=f"pi_{number}", url=None)
        self.charges.insert(
            0,
            {
                "id": f"ch_{number}",
                "object": "charge",
                "amount": session["amount_total"],
                "amount_refunded": 0,
                "created": int(time.time()),
                "currency": session["currency"],
                "disputed": False,
                "livemode": False,
                "metadata": dict(session["metadata"]),
                "paid": True,
                "payment_intent": session["payment_intent"],
                "refunded": False,
                "status": "succeeded",
            },
        )
        return session

    def refund(self, session: dict[str, Any], amount: int | None = None) -> dict[str, Any]:
        """Refund the session's charge, wholly or by this much; returns the charge."""
        charge = self._charge_of(session)
        charge["amount_refunded"] += charge["amount"] if amount is None else amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        return charge

    def dispute(self, session: dict[str, Any], *, status: str = "needs_response") -> dict[str, Any]:
        charge = self._charge_of(session)
        charge["disputed"] = True
        return {
            "id": f"du_{next(self._numbers)}",
            "object": "dispute",
            "amount": charge["amount"],
            "charge": charge["id"],
            "currency": charge["currency"],
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "status": status,
        }

    def _charge_of(self, session: dict[str, Any]) -> dict[str, Any]:
        return next(each for each in self.charges if each["payment_intent"] == session["payment_intent"])

    def event(self, kind: str, about: dict[str, Any], *, at: float | None = None, **other: Any) -> tuple[bytes, str]:
        """An event's body and its signature, as Stripe would send it now or at this time."""
        event = {
            "id": f"evt_{next(self._numbers)}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": int(time.time()),
            "data": {"object": about},
            "livemode": about["livemode"],
            "pending_webhooks": 1,
            "type": kind,
            **other,
        }
        body = json.dumps(event)
        header = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, int(at or time.time()))
        return body.encode(), header

    def list_charges(self, query: dict[str, list[str]]) -> dict[str, Any]:
        since, until = (int(query[f"created[{word}]"][0]) for word in ("gte", "lt"))
        found = [each for each in self.charges if since <= each["created"] < until]
        after = query.get("starting_after", [""])[0]
        start = next((place + 1 for place, each in enumerate(found) if each["id"] == after), 0)
        limit = int(query["limit"][0])
        more = len(found) > start + limit
        return {"object": "list", "url": "/v1/charges", "data": found[start : start + limit], "has_more": more}


@contextmanager
def stripe_server() -> Iterator[StripeServer]:
    """The stand-in on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._serve(dict(parse_qsl(body, keep_blank_values=True)))

        def do_GET(self) -> None:
            self._serve({})

        def _serve(self, fields: dict[str, str]) -> None:
            server.calls.append((f"{self.command} {self.path}", fields))
            if server.is_down:
                return self._answer(500, {"error": {"type": "api_error", "message": "Something broke."}})
            if self.headers["Authorization"] != f"Bearer {KEY}":
                return self._answer(401, {"error": {"type": "invalid_request_error", "message": "Invalid API Key"}})
            parts = urlsplit(self.path)
            if (self.command, parts.path) == ("POST", "/v1/checkout/sessions"):
                return self._answer(*server.create_session(fields, key=self.headers["Idempotency-Key"]))
            session = server.sessions.get(parts.path.removeprefix("/v1/checkout/sessions/"))
            if session is not None:
                return self._answer(200, session)
            if parts.path == "/v1/charges":
                return self._answer(200, server.list_charges(parse_qs(parts.query)))
            return self._answer(404, {"error": {"type": "invalid_request_error", "message": "No such object"}})

        def _answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_given: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = StripeServer(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()

"""API endpoint `POST /api/v2`. It always answers with JSON, and reads and sets no cookie.

What happens to a call: its key is looked up, its rate counted, and its action found in the table.
"""

import json

from flask import Blueprint, Flask, Response, current_app, g, request

from panel import security
from panel.blueprints.api.actions import ACTIONS
from panel.blueprints.api.errors import INCORRECT_REQUEST, INVALID_KEY, READ_ONLY_KEY, TOO_MANY, Refusal, refusal_of
from panel.blueprints.api.handlers import ApiResponse, Rendered
from panel.blueprints.api.parsing import Call, fields_of, text_of
from panel.clock import utc_now
from panel.db import transaction, write_if_unlocked
from panel.domain.errors import PanelError
from panel.logs import READ
from panel.security.rate_limits import RateLimitUse
from panel.services.api import keys as api_keys
from panel.services.api.keys import Holder

bp = Blueprint("api", __name__)

ANY_METHOD = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
FAILED_KEYS_A_MINUTE = 60
# Where the call's rate limit is kept until its answer says how much is left.
USE = "api_rate_limit_use"


class TooMany(Exception):
    """Rate limit: too many calls this minute with this key, or with wrong keys from this network."""

    def __init__(self, use: RateLimitUse) -> None:
        super().__init__(use)
        self.use = use


def init_app(app: Flask) -> None:
    security.csrf.exempt(bp)


@bp.route("/api/v2", methods=ANY_METHOD, provide_automatic_options=False)
@bp.route("/api/v2/", methods=ANY_METHOD, provide_automatic_options=False)
def answer() -> Response:
    try:
        done = _run_action()
    except Refusal as refusal:
        status = 429 if refusal.api_error is TOO_MANY else 200
        return _json({"error": refusal.text}, refusal.headers, status=status)
    except TooMany as error:
        headers = {"X-Error-Code": TOO_MANY.code, "Retry-After": str(error.use.seconds_left)}
        return _json({"error": TOO_MANY.text}, headers, status=429)
    return _json(done.body, done.headers)


def _run_action() -> ApiResponse:
    if request.method != "POST":
        raise Refusal(INCORRECT_REQUEST)
    fields = fields_of(request)
    action = ACTIONS.get(text_of(fields, "action") or "")
    holder = _holder(text_of(fields, "key") or "", only_reads=action is not None and action.only_reads)
    if action is None:
        raise Refusal(INCORRECT_REQUEST, field="action")
    if not (action.only_reads or holder.can_order):
        raise Refusal(READ_ONLY_KEY)
    setattr(g, READ, action.only_reads)
    try:
        return action.run(Call(holder, fields, utc_now()))
    except PanelError as error:
        raise refusal_of(error) from error


def _holder(key: str, *, only_reads: bool) -> Holder:
    """The owner of the API key. Its use is recorded first: the action may charge, and must not fail afterwards.

    A call that only reads doesn't wait for other writes: then a later call records the use.
    """
    holder = api_keys.find(key, address=request.remote_addr)
    if holder is None:
        _count(f"wrong-key:{security.client_network()}", most_a_minute=FAILED_KEYS_A_MINUTE)
        raise Refusal(INVALID_KEY)
    _count(api_keys.rate_name(holder.key_id), most_a_minute=current_app.config["PANEL"].api_requests_a_minute)
    now = utc_now()
    if not api_keys.is_use_due(holder, now=now):
        return holder
    if only_reads:
        write_if_unlocked(lambda: api_keys.note_use(holder, now=now))
    else:
        with transaction(is_note=True):
            api_keys.note_use(holder, now=now)
    return holder


def _count(who: str, *, most_a_minute: int) -> None:
    use = security.hit_rate_limit(current_app, who, most_a_minute=most_a_minute)
    setattr(g, USE, use)
    if use.is_over:
        raise TooMany(use)


def _json(body: object, headers: dict[str, str], *, status: int = 200) -> Response:
    text = body if isinstance(body, Rendered) else json.dumps(body, separators=(",", ":"), allow_nan=False)
    answer = Response(text, status=status, mimetype="application/json")
    answer.headers.extend(headers)
    answer.headers["Cache-Control"] = "no-store"
    use: RateLimitUse | None = g.get(USE)
    if use is not None:
        answer.headers.extend(use.headers)
    return answer

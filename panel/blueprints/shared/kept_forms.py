"""Forms sent after the session ended: kept in the log-in page, encrypted, and shown again as typed after the log-in.

Nothing is sent by itself. A form belongs to the account that was logged in: anyone else who logs in does not see it.
"""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Flask, Response, current_app, make_response, request, session
from flask.globals import request_ctx
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import HTTPException

from panel.blueprints.shared import known_devices
from panel.clock import utc_now
from panel.domain.errors import ExpiredForm, PanelError
from panel.security import encryption
from panel.services.accounts import sessions
from panel.services.accounts.sessions import LoggedIn

Renderer = Callable[[ExpiredForm], ResponseReturnValue]

# Field of the log-in forms. It is never part of an address.
FIELD = "kept_form"
LASTS = timedelta(hours=12)
# Encrypted, this still fits into a request.
MAX_CHARACTERS = 200_000
OFFICE = "/office/"
# Never kept. Passwords, codes and provider keys are typed again.
_SECRETS = frozenset({"csrf_token", "password", "current_password", "code", "key", "secret", FIELD})
_RENDERERS = "panel.form_renderers"
SEND_NOW = "You had been logged out, so this was not sent. Check it, then send it."
CANNOT_SHOW = (
    "The form that you sent while you were logged out was not sent, and it can’t be shown again: it belongs to another "
    "account, it is older than 12 hours, or its page is gone."
)


@dataclass(frozen=True, slots=True)
class KeptForm:
    """A form as it was typed: its address, its fields, the account it belongs to if known, and when it expires."""

    path: str
    query: str
    fields: tuple[tuple[str, str], ...]
    owner_id: int | None
    expires_at: datetime


def init_app(app: Flask, renderers: Mapping[str, Renderer]) -> None:
    """Register the forms that can be shown again, by the endpoint that they are sent to."""
    app.extensions[_RENDERERS] = renderers


def renderer_of(endpoint: str | None) -> Renderer | None:
    found: Renderer | None = current_app.extensions[_RENDERERS].get(endpoint or "")
    return found


def is_request_kept() -> bool:
    """Whether this request is a form that can be shown again, with something typed into it."""
    typed = any(value.strip() for name, value in request.form.items() if name not in _SECRETS)
    return request.method == "POST" and typed and renderer_of(request.endpoint) is not None


def encrypt_request() -> str:
    """This request's form, encrypted; empty when it is too long to be kept."""
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in _SECRETS]
    expires_at = (utc_now() + LASTS).isoformat()
    text = json.dumps([request.path, request.query_string.decode("latin-1"), fields, _owner_id(), expires_at])
    return "" if len(text) > MAX_CHARACTERS else encryption.encrypt(text, settings=current_app.config["PANEL"])


def carried() -> str:
    """The encrypted form that the log-in form in this request carries."""
    text = request.form.get(FIELD, "")
    return text if len(text) <= 2 * MAX_CHARACTERS else ""


def shown_again(person: LoggedIn) -> Response | None:
    """The carried form for the person who has just logged in; None if it can't be shown to this person."""
    form = _read(carried())
    if form is None or form.owner_id not in (None, person.id):
        return None
    if form.path.startswith(OFFICE) and not (person.is_staff and person.has_second_factor):
        return None
    try:
        with _as_sent(form):
            again = renderer_of(request.endpoint)
            if again is None:
                return None
            response = make_response(again(ExpiredForm(SEND_NOW)))
    except (HTTPException, PanelError):
        return None
    if response.status_code == ExpiredForm.http_status:
        response.status_code = 200
    response.headers["Cache-Control"] = "no-store"
    return response


def _owner_id() -> int | None:
    """The account of the ended session; without a session cookie, the last one that logged in to in this browser."""
    token = session.get(sessions.TOKEN_KEY)
    owner_id = sessions.owner_id(token) if isinstance(token, str) else None
    return owner_id or next(iter(reversed(known_devices.account_ids())), None)


def _read(ciphertext: str) -> KeptForm | None:
    """The kept form; None if it has expired or was not made here."""
    try:
        parts = json.loads(encryption.decrypt(ciphertext, settings=current_app.config["PANEL"]))
        path, query, fields, owner_id, expires_at = parts
        form = KeptForm(
            path, query, tuple((name, value) for name, value in fields), owner_id, datetime.fromisoformat(expires_at)
        )
    except (encryption.DecryptionFailed, ValueError, TypeError):
        # Other texts are encrypted with the same key, so what opens may still be no form.
        return None
    return form if utc_now() < form.expires_at else None


@contextmanager
def _as_sent(form: KeptForm) -> Iterator[None]:
    """Within this block, `request` is the form as it was sent. Session and person stay those of the log-in."""
    context = request_ctx._get_current_object()  # type: ignore[attr-defined]
    came = context.request
    environ = {name: value for name, value in came.environ.items() if name != "werkzeug.request"}
    environ |= {"PATH_INFO": form.path, "QUERY_STRING": form.query, "wsgi.input": io.BytesIO(), "CONTENT_LENGTH": "0"}
    sent = current_app.request_class(environ)
    rule, view_args = current_app.create_url_adapter(sent).match(  # type: ignore[union-attr]
        method="POST", return_rule=True
    )
    sent.url_rule, sent.view_args = rule, dict(view_args)
    # Files are never kept.
    sent.form, sent.files = ImmutableMultiDict(form.fields), ImmutableMultiDict()
    context.request = sent
    try:
        yield
    finally:
        context.request = came

"""Plain API calls: short forms that only ask for statuses, the balance or the tools, parsed without a Flask request.

Other calls, and anything out of the ordinary in these, are left to `parsing.py`.
"""

import hashlib
import re
from dataclasses import dataclass
from io import BytesIO
from wsgiref.types import WSGIEnvironment

from panel.blueprints.api.errors import Refusal
from panel.blueprints.api.parsing import MAX_IDS, form_of, text_of
from panel.services.api import keys as api_keys

FORM = "application/x-www-form-urlencoded"
# A hundred ids of any length that orders have, with all commas escaped.
MAX_BODY_LENGTH = 4096
_PLAIN_LIST = re.compile(rf"[0-9]{{1,18}}(?:,[0-9]{{1,18}}){{0,{MAX_IDS - 1}}}", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class PlainCall:
    """A parsed call. The digest stands for its body, since the API key in it is not stored."""

    digest: bytes
    key_hash: str
    action: str
    order_ids: dict[str, int]
    is_many: bool


def plain_body(environ: WSGIEnvironment) -> bytes | None:
    """The body of a short form, put back for the next reader; None for any other request."""
    length = environ.get("CONTENT_LENGTH") or ""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != FORM or environ.get("QUERY_STRING"):
        return None
    if not (length.isascii() and length.isdigit() and int(length) <= MAX_BODY_LENGTH):
        return None
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(body)
    return body


def digest_of(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


def plain_call(body: bytes) -> PlainCall | None:
    """The call in this form, if it is a plain one."""
    try:
        fields = form_of(body)
        action, key = text_of(fields, "action"), api_keys.key_hash(text_of(fields, "key") or "")
        many = text_of(fields, "orders")
        order_ids = _numbers(many or text_of(fields, "order") or "")
    except (ValueError, Refusal):
        return None
    if action in ("balance", "services"):
        return PlainCall(digest_of(body), key, action, {}, is_many=False)
    if action == "status" and order_ids and (many or len(order_ids) == 1):
        return PlainCall(digest_of(body), key, action, order_ids, is_many=bool(many))
    return None


def _numbers(text: str) -> dict[str, int]:
    """The ids in a plain comma-separated list, by how they are written; empty for any other text."""
    words = text.split(",") if _PLAIN_LIST.fullmatch(text) else []
    return dict(zip(words, map(int, words), strict=True))

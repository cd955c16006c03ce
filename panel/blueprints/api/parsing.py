"""Strict parsing of API calls: fields from a form, from JSON or from the query string.

Clients differ in how they encode a call, so all three are accepted; values are text or whole numbers, and
anything else is refused.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from urllib.parse import parse_qsl
from wsgiref.types import WSGIEnvironment

from flask import Request
from werkzeug.exceptions import HTTPException

from panel.blueprints.api.errors import INCORRECT_REQUEST, Refusal
from panel.domain.plain_text import is_storable
from panel.services.api.keys import Holder, key_hash

MAX_IDS = 100
MAX_FIELDS = 200
# A number with at most this many digits fits into a BIGINT column.
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
FORM = "application/x-www-form-urlencoded"
# A hundred ids of any length that orders have, with all commas escaped.
MAX_PLAIN_BODY = 4096
_PLAIN_LIST = re.compile(rf"[0-9]{{1,18}}(?:,[0-9]{{1,18}}){{0,{MAX_IDS - 1}}}", re.ASCII)
_IDS = frozenset({"order", "orders", "refill", "refills"})
# The fields of every call.
ALWAYS = ("key", "action")
# Values that clients send for an omitted field.
_NOTHING = frozenset({"undefined", "null"})

Fields = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated API call."""

    holder: Holder
    fields: Fields
    now: datetime

    @property
    def customer_id(self) -> int:
        return self.holder.user_id

    def required(self, name: str) -> str:
        """The field as text, empty if it has no value. Refuses a call without this field."""
        text = text_of(self.fields, name)
        if text is None:
            raise Refusal(INCORRECT_REQUEST, field=name)
        return text

    def optional(self, name: str) -> str | None:
        """The field as text, or None if it is missing or has no value."""
        return text_of(self.fields, name) or None

    def text(self, name: str) -> str:
        """The field exactly as given, a JSON list as lines; empty if it has no value."""
        value = self.fields.get(name)
        if is_empty(value):
            return ""
        lines = value if isinstance(value, list) else [value]
        if any(isinstance(each, bool) or not isinstance(each, str | int) for each in lines):
            raise Refusal(INCORRECT_REQUEST, field=name)
        return "\n".join(str(line) for line in lines)

    def ids(self, many: str, one: str) -> list[str] | None:
        """The ids of the field `many`, or of the field `one` where a list stands there, each once, as written.

        None where no list is. Refuses the call with more than MAX_IDS, or with a list that has none.
        """
        if not is_empty(self.fields.get(many)):
            return _ids(self.fields[many], name=many)
        given = self.fields.get(one)
        is_list = isinstance(given, list) or (isinstance(given, str) and ("," in given or given.lstrip()[:1] == "["))
        return _ids(given, name=one) if is_list else None

    @property
    def given(self) -> set[str]:
        """Names of the fields that have a value, without those of every call."""
        return {name for name, value in self.fields.items() if name not in ALWAYS and not is_empty(value)}

    def refuse_others(self, *names: str) -> None:
        """Refuse a call with values in any other field, since they would be ignored."""
        others = self.given.difference(names)
        for name in self.fields:
            if name in others:
                raise Refusal(INCORRECT_REQUEST, field=name)


def is_empty(value: object) -> bool:
    """Whether a field counts as omitted."""
    return value is None or value in ("", [], {}) or (isinstance(value, str) and value.strip() in {"", *_NOTHING})


def _ids(value: object, *, name: str) -> list[str]:
    """The ids of a list such as `1,2,3`, of a JSON list, or of several fields of one name."""
    refusal = Refusal(INCORRECT_REQUEST, field=name)
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise refusal from error
    given = value if isinstance(value, list) else [value]
    if len(given) > MAX_IDS or not all(isinstance(each, str | int) and not isinstance(each, bool) for each in given):
        raise refusal
    words = [word.strip() for each in given for word in str(each).split(",", MAX_IDS)]
    ids = list(dict.fromkeys(word for word in words if word))
    if len(words) > MAX_IDS or not ids:
        raise refusal
    return ids


def text_of(fields: Fields, name: str) -> str | None:
    """The field as text without spaces around it, or None. Refuses what is neither text nor a whole number."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refusal(INCORRECT_REQUEST, field=name)
    text = str(value).strip()
    return "" if text in _NOTHING else text


def number_of(word: str) -> int | None:
    """The id that is written so, or None when no id is."""
    return int(word) if _NUMBER.fullmatch(word) else None


def numbers_of(words: Iterable[str]) -> dict[str, int]:
    """The ids by how they are written. A word that is no id becomes 0, which no order has."""
    return {word: int(word) if _NUMBER.fullmatch(word) else 0 for word in words}


def fields_of(request: Request) -> Fields:
    """All fields of the call; the body overrides the query string. Refuses what can't be parsed."""
    fields: dict[str, object] = {}
    try:
        if request.query_string:
            fields.update(form_of(request.query_string))
        if request.mimetype == "multipart/form-data":
            fields.update(_by_name(request.form.items(multi=True)))
        else:
            fields.update(_body(request.get_data(cache=False), is_json="json" in request.mimetype))
        _check_storable(fields)
    except (HTTPException, ValueError, RecursionError) as error:
        raise Refusal(INCORRECT_REQUEST) from error
    return fields


def _check_storable(value: object) -> None:
    """Raises ValueError for text anywhere in it that no database can store."""
    if isinstance(value, str) and not is_storable(value):
        raise ValueError("text with NUL or half of a surrogate pair")
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for each in value:
            _check_storable(each)


def _body(body: bytes, *, is_json: bool) -> dict[str, object]:
    if is_json or body.lstrip()[:1] == b"{":
        found = json.loads(body)
        if not isinstance(found, dict):
            raise ValueError("a JSON body that is no object")
        return found
    return form_of(body)


def form_of(text: bytes) -> dict[str, object]:
    """The fields of a form or a query string, as `_by_name` gives them. Raises ValueError."""
    # Clients escape the commas of a hundred ids, and `parse_qsl` takes longer for each escape than for the whole text.
    plain = text.replace(b"%2C", b",").decode(errors="replace")
    pairs = parse_qsl(plain, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    _check_storable([each for pair in pairs for each in pair])
    return _by_name(pairs)


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """The fields by name; of one that comes twice, the last. Ids are all taken: `orders=1&orders=2`, `orders[0]=1`."""
    fields: dict[str, object] = {}
    ids: dict[str, list[str]] = {}
    for name, value in pairs:
        plain = name.partition("[")[0] if name.endswith("]") else name
        if plain in _IDS:
            ids.setdefault(plain, []).append(value)
        else:
            fields[name] = value
    return fields | {name: values if len(values) > 1 else values[0] for name, values in ids.items()}


@dataclass(frozen=True, slots=True, eq=False)
class PlainCall:
    """A call that only asks for statuses, the balance or the tools. Of its body, which has the key, it has a digest."""

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
    if not (length.isascii() and length.isdigit() and int(length) <= MAX_PLAIN_BODY):
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
        action, key = text_of(fields, "action"), key_hash(text_of(fields, "key") or "")
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

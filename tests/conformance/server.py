"""The server under test: calls it, and says what is wrong with an answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

TIMEOUT_SECONDS = 60
MAX_SHOWN = 120


class NotConforming(Exception):
    """The server does something else than the contract says; the message says what."""


class NotApplicable(Exception):
    """The check does not concern this server or tool; the message says why."""


@dataclass(frozen=True)
class Server:
    """An API v2 server, with the key that calls it."""

    url: str
    key: str

    def call(self, action: str, fields: dict[str, str] | None = None, *, key: str | None = None) -> Any:
        """The answer as JSON. Raises NotConforming if it is none."""
        pairs = [("key", self.key if key is None else key), ("action", action), *(fields or {}).items()]
        return self.call_with(pairs)

    def call_with(self, pairs: Sequence[tuple[str, str]]) -> Any:
        """As `call`, with fields that may stand more than once."""
        form = str(httpx.QueryParams(list(pairs)))
        try:
            answer = httpx.post(
                self.url,
                content=form,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
                timeout=TIMEOUT_SECONDS,
                follow_redirects=False,
            )
        except httpx.HTTPError as error:
            raise NotConforming(f"no answer: {error}") from error
        if answer.status_code != 200:
            raise NotConforming(f"HTTP status {answer.status_code} instead of 200")
        try:
            return answer.json()
        except ValueError as error:
            raise NotConforming(f"no JSON: {shown(answer.text)}") from error

    def balance(self) -> Decimal:
        answer = fields_of(self.call("balance"), balance=str, currency=str)
        return decimal_of(answer["balance"], name="balance")


def fields_of(answer: Any, **kinds: type) -> dict[str, Any]:
    """The answer as an object with at least these fields, of these types. Raises NotConforming."""
    if not isinstance(answer, dict):
        raise NotConforming(f"no object: {shown(answer)}")
    for name, kind in kinds.items():
        if name not in answer:
            raise NotConforming(f"the field {name} is missing: {shown(answer)}")
        if type(answer[name]) is not kind:
            raise NotConforming(f"the field {name} is no {kind.__name__}: {shown(answer)}")
    return answer


def expect_error(answer: Any) -> None:
    """Raise NotConforming unless the answer is an object with an `error` text and no other field."""
    if list(fields_of(answer, error=str)) != ["error"]:
        raise NotConforming(f"an error with other fields: {shown(answer)}")


def decimal_of(text: str, *, name: str) -> Decimal:
    """An amount in plain digits. Raises NotConforming for an exponent, a sign or anything else."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise NotConforming(f"{name} is no amount: {shown(text)}") from None
    if not text.replace(".", "", 1).isdigit():
        raise NotConforming(f"{name} is not written in plain digits: {shown(text)}")
    return amount


def shown(value: object) -> str:
    """What was answered, short enough for a line of the report."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"

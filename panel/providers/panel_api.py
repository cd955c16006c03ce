"""Client for upstream panels with the de-facto panel API ("API v2"). Responses are parsed strictly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from panel.domain import resale
from panel.domain.provider_report import Report, read_count
from panel.providers import http
from panel.providers.base import Accepted, NewOrder, NotSent, Outcome, ProviderSilent, StatusRequest, Unclear
from panel.providers.http import CallFailed, ErrorStatus
from panel.providers.refusals import (
    FINAL,
    FINAL_FOR_CANCEL,
    FINAL_FOR_REFILL,
    error_of,
    has_error,
    read_refusal,
    shorten,
    silence_of,
)

# A catalogue of more than 10,000 services is one response.
MAX_BYTES_OF_SERVICES = 16 * http.MEBIBYTE
TIMES_AS_LONG_FOR_SERVICES = 3


@dataclass(frozen=True)
class PanelApi:
    """One upstream panel. The API key never appears in this object's repr."""

    url: str
    key: str = field(repr=False)
    timeout_seconds: float

    def add(self, order: NewOrder, *, now: datetime) -> Outcome:
        """Place the order, once. Any answer that is no proof is Unclear."""
        fields = {"service": order.service, "link": order.link, **dict(order.fields)}
        if order.quantity is not None:
            fields["quantity"] = str(order.quantity)
        return self._once("add", fields, named="order", final=FINAL)

    def refill(self, ask: StatusRequest, *, now: datetime) -> Outcome:
        return self._once("refill", {"order": ask.provider_order_id}, named="refill", final=FINAL_FOR_REFILL)

    def cancel(self, ask: StatusRequest, *, now: datetime) -> Outcome:
        """Request a cancellation. The response is a list with one item per order."""
        try:
            answer = self._call("cancel", {"orders": ask.provider_order_id})
        except CallFailed as failure:
            return _failed(failure, final=FINAL_FOR_CANCEL)
        lines = answer if isinstance(answer, list) else [answer]
        for line in lines:
            if isinstance(line, dict) and _is_id(line.get("order"), ask.provider_order_id):
                outcome = line.get("cancel")
                if isinstance(outcome, dict):
                    return read_refusal(outcome, final=FINAL_FOR_CANCEL)
                if read_count(outcome) and not has_error(line):
                    return Accepted(ask.provider_order_id)
                return read_refusal(line | {"order": None}, final=FINAL_FOR_CANCEL)
        return read_refusal(answer, final=FINAL_FOR_CANCEL)

    def status(self, asks: Sequence[StatusRequest], *, now: datetime) -> Mapping[int, Report]:
        """Status reports of these orders; reports about other orders are ignored. Raises ProviderSilent."""
        answer = self._question("status", {"orders": ",".join(ask.provider_order_id for ask in asks)}, may_repeat=True)
        if not isinstance(answer, dict) or error_of(answer) is not None:
            raise silence_of(answer, text=f"the answer to status is not a list of orders: {shorten(answer)}")
        reports = {}
        for ask in asks:
            if ask.provider_order_id in answer:
                reports[ask.order_id] = _report(answer[ask.provider_order_id])
        return reports

    def refill_status(self, refill_id: str, *, now: datetime) -> object:
        answer = self._question("refill_status", {"refill": refill_id})
        return answer["status"] if isinstance(answer, dict) and "status" in answer else shorten(answer)

    def services(self) -> list[Any]:
        """The provider's catalogue, unparsed. Raises ProviderSilent unless it is a non-empty list."""
        answer = self._question(
            "services",
            {},
            timeout_seconds=TIMES_AS_LONG_FOR_SERVICES * self.timeout_seconds,
            most_bytes=MAX_BYTES_OF_SERVICES,
        )
        if not isinstance(answer, list) or not answer:
            raise ProviderSilent(f"the provider's catalogue is empty or no list: {shorten(answer)}")
        return answer

    def balance(self) -> tuple[str, str]:
        """Our balance there and its currency, as text. Raises ProviderSilent."""
        answer = self._question("balance", {})
        if not isinstance(answer, dict) or not isinstance(answer.get("balance"), str | int):
            raise silence_of(answer, text=f"the answer to balance is not one: {shorten(answer)}")
        return _printable(answer["balance"])[:40], _printable(answer.get("currency", ""))[:10]

    def _call(self, action: str, fields: Mapping[str, str], **bounds: Any) -> Any:
        bounds = {"timeout_seconds": self.timeout_seconds} | bounds
        return http.post(self.url, {"key": self.key, "action": action, **fields}, **bounds)

    def _question(self, action: str, fields: Mapping[str, str], **bounds: Any) -> Any:
        try:
            return self._call(action, fields, **bounds)
        except CallFailed as failure:
            if isinstance(failure, ErrorStatus):
                raise silence_of(failure.answer, text=failure.text, status=failure.status) from failure
            raise ProviderSilent(failure.text, concerns_provider=not failure.was_sent) from failure

    def _once(self, action: str, fields: Mapping[str, str], *, named: str, final: Sequence[str]) -> Outcome:
        try:
            answer = self._call(action, fields)
        except CallFailed as failure:
            return _failed(failure, final=final)
        if isinstance(answer, dict) and not has_error(answer):
            given = answer.get(named)
            if isinstance(given, dict):
                return read_refusal(given, final=final)
            number = read_count(given)
            if number:
                return Accepted(str(number))
        return read_refusal(answer, final=final)


def _failed(failure: CallFailed, *, final: Sequence[str]) -> Outcome:
    """Outcome of a failed call: known error messages count under any HTTP status."""
    if isinstance(failure, ErrorStatus):
        outcome = read_refusal(failure.answer, final=final, status=failure.status)
        return outcome if failure.answer is not None else Unclear(failure.text)
    return Unclear(failure.text) if failure.was_sent else NotSent(failure.text)


def _report(row: object) -> Report:
    if not isinstance(row, dict) or "status" not in row:
        return Report(status=shorten(row), is_error=error_of(row) is not None)
    return Report(
        status=_word(row["status"], most=60),
        remains=_count(row.get("remains")),
        start_count=_count(row.get("start_count")),
        charge=resale.read_charge(row.get("charge"), row.get("currency")),
    )


def _word(value: object, *, most: int) -> str:
    """A short text unchanged; else its beginning, which never equals a known word."""
    return value if isinstance(value, str) and len(value) <= most else shorten(value)


def _count(value: object) -> object:
    """The value itself if it can be parsed as a count, else its short text."""
    return value if value is None or isinstance(value, int) else _word(value, most=40)


def _is_id(value: object, asked: str) -> bool:
    given = read_count(value)
    return given is not None and given == read_count(asked)


def _printable(value: object) -> str:
    return "".join(sign if sign.isprintable() else "·" for sign in str(value)[:200])

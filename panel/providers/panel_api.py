"""An upstream panel spoken to over the de-facto panel API ("API v2"), with strict reading of what it answers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from panel.domain.report import Report, read_count
from panel.providers import http
from panel.providers.base import Accepted, Ask, NewOrder, NotSent, Outcome, ProviderSilent, Refused, Unclear
from panel.providers.http import CallFailed, TooManyRequests

# Refusals are believed only in these words; any other text leaves it open whether the order was taken.
FINAL = (
    r"incorrect service id",
    r"(bad|invalid|incorrect) link",
    r"quantity less than minimal( [0-9]+)?",
    r"quantity more than maximum( [0-9]+)?",
)
FINAL_FOR_REFILL = (r"refill is not available", r"incorrect order id")
FINAL_FOR_CANCEL = (r"cancel is not available", r"incorrect order id")
WAIT = (r"too many requests",)
STOP = (r"not enough funds( on balance)?", r"invalid api key")


@dataclass(frozen=True)
class PanelApi:
    """One upstream panel. The key is kept out of every text this object can turn into."""

    url: str
    key: str = field(repr=False)
    timeout_seconds: float

    def add(self, order: NewOrder, *, now: datetime) -> Outcome:
        """Hand the order over, once. Anything but a proof is Unclear."""
        fields = {"service": order.service, "link": order.link, "quantity": str(order.quantity)}
        return self._once("add", fields, named="order", final=FINAL)

    def refill(self, ask: Ask, *, now: datetime) -> Outcome:
        return self._once("refill", {"order": ask.provider_order_id}, named="refill", final=FINAL_FOR_REFILL)

    def cancel(self, ask: Ask, *, now: datetime) -> Outcome:
        """Ask for the order to be stopped. The answer is a list with one line an order."""
        try:
            answer = self._call("cancel", {"orders": ask.provider_order_id})
        except CallFailed as failure:
            return _failed(failure)
        lines = answer if isinstance(answer, list) else [answer]
        for line in lines:
            if isinstance(line, dict) and _is_id(line.get("order"), ask.provider_order_id):
                said = line.get("cancel")
                if isinstance(said, dict):
                    return _refusal(said, final=FINAL_FOR_CANCEL)
                return Accepted(ask.provider_order_id) if read_count(said) else Unclear(_short(answer))
        return _refusal(answer, final=FINAL_FOR_CANCEL)

    def status(self, asks: Sequence[Ask], *, now: datetime) -> Mapping[int, Report]:
        """Reports about these orders. What the provider says about others is not read. Raises ProviderSilent."""
        answer = self._question("status", {"orders": ",".join(ask.provider_order_id for ask in asks)})
        if not isinstance(answer, dict) or ("error" in answer and len(answer) == 1):
            raise ProviderSilent(f"the answer to status is not a list of orders: {_short(answer)}")
        told = {}
        for ask in asks:
            if ask.provider_order_id in answer:
                told[ask.order_id] = _report(answer[ask.provider_order_id])
        return told

    def refill_status(self, refill_id: str, *, now: datetime) -> object:
        answer = self._question("refill_status", {"refill": refill_id})
        return answer["status"] if isinstance(answer, dict) and "status" in answer else _short(answer)

    def services(self) -> list[Any]:
        """The provider's catalogue, unread. Raises ProviderSilent unless it is a list with something in it."""
        answer = self._question("services", {})
        if not isinstance(answer, list) or not answer:
            raise ProviderSilent(f"the provider's catalogue is empty or no list: {_short(answer)}")
        return answer

    def balance(self) -> tuple[str, str]:
        """The balance we have there and its currency, as text. Raises ProviderSilent."""
        answer = self._question("balance", {})
        if not isinstance(answer, dict) or not isinstance(answer.get("balance"), str | int):
            raise ProviderSilent(f"the answer to balance is not one: {_short(answer)}")
        return _printable(answer["balance"])[:40], _printable(answer.get("currency", ""))[:10]

    def _call(self, action: str, fields: Mapping[str, str]) -> Any:
        return http.post(self.url, {"key": self.key, "action": action, **fields}, timeout_seconds=self.timeout_seconds)

    def _question(self, action: str, fields: Mapping[str, str]) -> Any:
        try:
            return self._call(action, fields)
        except CallFailed as failure:
            raise ProviderSilent(failure.text) from failure

    def _once(self, action: str, fields: Mapping[str, str], *, named: str, final: Sequence[str]) -> Outcome:
        try:
            answer = self._call(action, fields)
        except CallFailed as failure:
            return _failed(failure)
        if isinstance(answer, dict) and "error" not in answer:
            given = read_count(answer.get(named))
            if given:
                return Accepted(str(given))
        return _refusal(answer, final=final)


def _failed(failure: CallFailed) -> Outcome:
    if isinstance(failure, TooManyRequests):
        # Some proxies answer so after they have passed the call on: only known words prove that it was not taken.
        return _refusal(failure.answer, final=())
    return Unclear(failure.text) if failure.was_sent else NotSent(failure.text)


def _refusal(answer: object, *, final: Sequence[str]) -> Outcome:
    """The refusal, if it is exactly an error in words we know; else nothing is proved."""
    text = answer.get("error") if isinstance(answer, dict) and len(answer) == 1 else None
    if not isinstance(text, str):
        return Unclear(_short(answer))
    words = text.strip().rstrip(".").lower()
    if _matches(words, final):
        return Refused(f"The provider refused it: {text.strip()[:80]}.", is_final=True)
    if _matches(words, STOP):
        return Refused(text[:80], is_final=False, stops_provider=True)
    if _matches(words, WAIT):
        return Refused(text[:80], is_final=False)
    return Unclear(_short(text))


def _matches(words: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(pattern, words, re.ASCII) for pattern in patterns)


def _report(row: object) -> Report:
    if not isinstance(row, dict) or "status" not in row:
        return Report(status=_short(row))
    return Report(
        status=_word(row["status"], most=60),
        remains=_count(row.get("remains")),
        start_count=_count(row.get("start_count")),
    )


def _word(value: object, *, most: int) -> str:
    """Text as it came where it is short; else what it looked like, which is never a word we know."""
    return value if isinstance(value, str) and len(value) <= most else _short(value)


def _count(value: object) -> object:
    """A value as it came where a count could be read from it, else its short text."""
    return value if value is None or isinstance(value, int) else _word(value, most=40)


def _is_id(value: object, asked: str) -> bool:
    given = read_count(value)
    return given is not None and given == read_count(asked)


def _short(answer: object) -> str:
    """The beginning of what came, for operators to read; never the whole of it."""
    return repr(answer)[:160]


def _printable(value: object) -> str:
    return "".join(sign if sign.isprintable() else "·" for sign in str(value)[:200])

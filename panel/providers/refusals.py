"""Known error messages of upstream panels that prove a refusal, and what each means for the order.

Only texts on these lists are trusted; with any other it stays unknown whether the order was accepted. The lists hold
the messages of the de-facto panel API and the codes that some panels send instead.
"""

import re
from collections.abc import Mapping, Sequence

from panel.providers import http
from panel.providers.base import Outcome, ProviderSilent, Refused, Unclear

LINK = "Bad link"
NO_SERVICE = "The service is not available"
# Customer-facing text for each code.
CODES: Mapping[str, str] = {
    "neworder.error.link": LINK,
    "neworder.error.invalid_link": LINK,
    "neworder.error.link_not_found": "The link was not found",
    "neworder.error.link_duplicate": "Another order for this link is still running",
    "neworder.error.min_quantity": "The quantity is below the minimum",
    "neworder.error.max_quantity": "The quantity is above the maximum",
    "neworder.error.invalid_quantity": "The quantity is not valid",
    "neworder.error.service_inactive": NO_SERVICE,
    "neworder.error.service_not_found": NO_SERVICE,
    "neworder.error.comment": "The comments are not valid",
    "error.incorrect_service_id": NO_SERVICE,
    "error.invalid_service": NO_SERVICE,
    "error.invalid_link": LINK,
}
INCORRECT_SERVICE = "incorrect service id"
FINAL = (
    INCORRECT_SERVICE,
    r"(bad|invalid|incorrect) link",
    r"quantity less than minimal( [0-9]+)?",
    r"quantity more than maximum( [0-9]+)?",
    r"you have active order with this link\b.*",
    *map(re.escape, CODES),
)
FINAL_FOR_REFILL = (r"refill is not available", r"incorrect order id")
FINAL_FOR_CANCEL = (
    r"cancel(lation)? is not (available|allowed|possible)",
    r"incorrect order id",
    r"(the )?order (can ?not|can't) be cancell?ed",
    r"(the )?order ((is|was|has been) )?already (completed|cancell?ed|partial)",
)
WAIT = (r"too many requests", r"ordering is closed")
STOP = (r"not enough funds( on balance)?", r"invalid api key", r"neworder\.error\.not_enough_funds")

SHOWN_LENGTH = 80
# Fields allowed beside an error. Any other non-empty field could be the order's id.
BESIDE = frozenset({"error", "status", "success", "code", "message"})
# Non-2xx statuses that concern this call, not the provider's server or our account.
ABOUT_THE_CALL = (400, 402, 409, 422)


def has_error(answer: Mapping[str, object]) -> bool:
    """Whether the response has a non-empty error. Many panels send an empty error field with every response."""
    error = answer.get("error")
    return not (error is None or error is False or error == [] or (isinstance(error, str) and not error.strip()))


def error_of(answer: object) -> str | None:
    """Error text of a response that contains nothing but an error."""
    if not isinstance(answer, dict) or any(value for name, value in answer.items() if name not in BESIDE):
        return None
    text = answer.get("error")
    return text if isinstance(text, str) and text.strip() else None


def read_refusal(answer: object, *, final: Sequence[str], status: int = 200) -> Outcome:
    """The refusal, if the response is a known error; anything else proves nothing.

    A refusal in unknown words is marked, so that the provider isn't counted as failing.
    """
    text = error_of(answer)
    if text is None:
        return Unclear(shorten(answer))
    words = text.strip().rstrip(".!").lower()
    if _matches(words, final):
        shown = f"The provider refused it: {_shown(text.strip(), words)}."
        return Refused(shown, is_final=True, has_no_service=_has_no_service(words))
    if _matches(words, STOP):
        return Refused(text[:SHOWN_LENGTH], is_final=False, stops_provider=True)
    if _matches(words, WAIT):
        return Refused(text[:SHOWN_LENGTH], is_final=False)
    return Unclear(shorten(text), is_in_words=status in http.OK or status in ABOUT_THE_CALL)


def silence_of(answer: object, *, text: str, status: int = 200) -> ProviderSilent:
    """Reason for an unusable response: the provider's own error text if there is one, else this text."""
    match read_refusal(answer, final=(), status=status):
        case Refused(text=words, stops_provider=True):
            return ProviderSilent(words, concerns_provider=True)
        case Refused(text=words):
            return ProviderSilent(words, concerns_provider=True, asks_to_wait=True)
        case Unclear(text=words, is_in_words=True):
            return ProviderSilent(words, is_in_words=True)
    return ProviderSilent(text)


def shorten(answer: object) -> str:
    """The beginning of a response, for operators."""
    return repr(answer)[:160]


def _shown(text: str, words: str) -> str:
    """Customer-facing text: the provider's sentence, or the meaning of its code."""
    meaning = CODES.get(words)
    return f"{meaning} ({words})" if meaning else text.rstrip(".!")[:SHOWN_LENGTH]


def _has_no_service(words: str) -> bool:
    return words == INCORRECT_SERVICE or CODES.get(words) == NO_SERVICE


def _matches(words: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(pattern, words, re.ASCII) for pattern in patterns)

"""Error messages of upstream panels: which ones prove that a call was refused, and what each means for the order.

Only a text that is on one of these lists is believed; any other leaves it open whether the order was taken. The lists
know the sentences of the de-facto panel API and the codes that panels of this field send instead of them.
"""

import re
from collections.abc import Mapping, Sequence

from panel.providers import http
from panel.providers.base import Outcome, ProviderSilent, Refused, Unclear

LINK = "Bad link"
NO_SERVICE = "The service is not available"
# What a customer reads for a code.
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
FINAL = (
    r"incorrect service id",
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
WAIT = (r"too many requests",)
STOP = (r"not enough funds( on balance)?", r"invalid api key", r"neworder\.error\.not_enough_funds")

SHOWN_LENGTH = 80
# Fields that may stand beside an error without a word about the order. Any other that is not empty could be its id.
BESIDE = frozenset({"error", "status", "success", "code", "message"})
# The statuses other than 2xx that speak of this very call, not of the provider's server or of us.
ABOUT_THE_CALL = (400, 402, 409, 422)


def has_error(answer: Mapping[str, object]) -> bool:
    """Whether the answer speaks of an error. Many panels send the field with every answer, and leave it empty."""
    said = answer.get("error")
    return not (said is None or said is False or said == [] or (isinstance(said, str) and not said.strip()))


def error_of(answer: object) -> str | None:
    """The error text of an answer that is an error and nothing else."""
    if not isinstance(answer, dict) or any(value for name, value in answer.items() if name not in BESIDE):
        return None
    text = answer.get("error")
    return text if isinstance(text, str) and text.strip() else None


def read_refusal(answer: object, *, final: Sequence[str], status: int = 200) -> Outcome:
    """The refusal, if the answer is an error in words we know; anything else proves nothing.

    A refusal in other words is marked as one, so that it isn't taken for a provider that fails.
    """
    text = error_of(answer)
    if text is None:
        return Unclear(shorten(answer))
    words = text.strip().rstrip(".!").lower()
    if _matches(words, final):
        return Refused(f"The provider refused it: {_shown(text.strip(), words)}.", is_final=True)
    if _matches(words, STOP):
        return Refused(text[:SHOWN_LENGTH], is_final=False, stops_provider=True)
    if _matches(words, WAIT):
        return Refused(text[:SHOWN_LENGTH], is_final=False)
    return Unclear(shorten(text), is_in_words=status in http.OK or status in ABOUT_THE_CALL)


def silence_of(answer: object, *, text: str, status: int = 200) -> ProviderSilent:
    """Why an answer to a question is of no use: the provider's own words where it gave some, else this text."""
    match read_refusal(answer, final=(), status=status):
        case Refused(text=words, stops_provider=True):
            return ProviderSilent(words, concerns_provider=True)
        case Refused(text=words):
            return ProviderSilent(words, concerns_provider=True, asks_to_wait=True)
        case Unclear(text=words, is_in_words=True):
            return ProviderSilent(words, is_in_words=True)
    return ProviderSilent(text)


def shorten(answer: object) -> str:
    """The beginning of what came, for operators to read; never the whole of it."""
    return repr(answer)[:160]


def _shown(text: str, words: str) -> str:
    """What a customer reads: the provider's sentence, or what its code means."""
    meaning = CODES.get(words)
    return f"{meaning} ({words})" if meaning else text.rstrip(".!")[:SHOWN_LENGTH]


def _matches(words: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(pattern, words, re.ASCII) for pattern in patterns)

"""Filters of the ledger: parsed strictly from the query string, and written back in one canonical form."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from panel.domain import money
from panel.domain.errors import BadMoney
from panel.domain.lists.list_filters import BadFilters, DaysAndPage, days_of, is_row_number
from panel.models import AccountKind, TransferKind
from panel.services.accounts import users

MAX_WORDS_LENGTH = 200


@dataclass(frozen=True, slots=True)
class LedgerFilters(DaysAndPage):
    """Filters of the ledger, and its pagination cursor `after`."""

    line: int | None = None
    order: int | None = None
    customer: int | None = None
    kind: TransferKind | None = None
    account: AccountKind | None = None
    words: str = ""
    amount_nanos: int | None = None

    @property
    def has_words(self) -> bool:
        """Whether lines are searched for a text or an amount."""
        return bool(self.words) or self.amount_nanos is not None

    def named(self) -> Iterable[tuple[str, object]]:
        return (
            ("line", self.line),
            ("order", self.order),
            ("customer", self.customer),
            ("kind", self.kind and self.kind.value),
            ("account", self.account and self.account.value),
            ("q", self.words),
            ("amount", None if self.amount_nanos is None else money.plain(self.amount_nanos)),
        )


def parse(given: Mapping[str, str]) -> LedgerFilters:
    """Parse the query string; empty values are ignored. Raises BadFilters with a message for each invalid field."""
    errors: dict[str, str] = {}
    words = given.get("q", "").strip()
    if len(words) > MAX_WORDS_LENGTH or not words.isprintable():
        errors["q"] = f"Search for a part of a reason or a note, {MAX_WORDS_LENGTH} characters at most."
    first, last = days_of(given, errors)
    filters = LedgerFilters(
        line=_number(given, "line", errors),
        order=_number(given, "order", errors),
        customer=_customer(given.get("customer", "").strip(), errors),
        kind=_kind(given.get("kind", ""), errors),
        account=_account(given.get("account", ""), errors),
        words=words,
        amount_nanos=_amount(given.get("amount", "").strip(), errors),
        first=first,
        last=last,
        after=_number(given, "after", errors),
    )
    if errors:
        raise BadFilters(errors)
    return filters


def _number(given: Mapping[str, str], name: str, errors: dict[str, str]) -> int | None:
    text = given.get(name, "").strip().removeprefix("#")
    if not text:
        return None
    if not is_row_number(text):
        errors[name] = "Write a whole number above 0."
        return None
    return int(text)


def _customer(text: str, errors: dict[str, str]) -> int | None:
    """A user by id or by complete email."""
    if not text or (text.isascii() and text.isdigit()):
        return _number({"customer": text}, "customer", errors)
    found = users.id_by_email(text)
    if found is None:
        errors["customer"] = "There is no account with this email. Write the whole email, or the number."
    return found


def _kind(text: str, errors: dict[str, str]) -> TransferKind | None:
    if text and text not in list(TransferKind):
        errors["kind"] = "There is no such kind. Choose one from the list."
    return TransferKind(text) if text in list(TransferKind) else None


def _account(text: str, errors: dict[str, str]) -> AccountKind | None:
    if text and text not in list(AccountKind):
        errors["account"] = "There is no such account. Choose one from the list."
    return AccountKind(text) if text in list(AccountKind) else None


def _amount(text: str, errors: dict[str, str]) -> int | None:
    try:
        return money.parse_nanos(text) if text else None
    except BadMoney as error:
        errors["amount"] = error.message
        return None

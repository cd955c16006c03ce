"""Writes what another panel had: accounts with a link for a password, one deposit each, tools, and open orders.

The deposit is the balance and what the open orders hold, so that after their charges the balance is the one of the
file. Only orders that their provider has are taken, under its number: they are asked about, and never sent.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import yaml
from sqlalchemy import select, update

from panel.db import db
from panel.domain import links, money, plain_text, pricing
from panel.domain.errors import BadCatalogue, BadInput
from panel.domain.provider_kind import ProviderKind
from panel.domain.status import FIRST, Status
from panel.models import AccountKind, EventSource, MailKind, Order, Tool, TransferKind
from panel.services import audit_log
from panel.services.accounts import email_links, users
from panel.services.accounts.sessions import token_hash
from panel.services.accounts.users import NOBODYS_HASH
from panel.services.catalogue import file_format, tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.mail import outbox
from panel.services.mail import templates as mail_templates
from panel.services.money import ledger
from panel.services.money.ledger import Posting
from panel.services.moving_in import files
from panel.services.moving_in.files import Faults, Line
from panel.services.orders import past_orders
from panel.services.orders.past_orders import PastOrder, PastStep
from panel.services.providers import registry as provider_registry

LINK_LASTS = timedelta(days=14)
# A catalogue file has a largest size.
TOOLS_AT_ONCE = 200
# Rows of one statement: row by row, the write lock would be held for minutes.
USERS_AT_ONCE = 500
NOTE = "Your balance, moved here from another panel."
EVENT = "Moved here from another panel."
_Row = TypeVar("_Row")
_WHOLE = re.compile(r"[0-9]{1,10}", re.ASCII)
_STATUSES = {status.value: status for status in Status if status.is_open}


@dataclass(frozen=True, slots=True)
class MovedIn:
    """Counts of what was moved in, and its money. `balances_nanos`: after the charges of the open orders."""

    users: int
    tools: int
    orders: int
    balances_nanos: int
    held_nanos: int


@dataclass(frozen=True, slots=True)
class _OpenOrder:
    """An open order of the file. `email` is canonical."""

    email: str
    line: Line
    offer: ToolOffer
    quantity: int
    status: Status
    remains: int
    start_count: int | None
    placed_at: datetime

    @property
    def charge_nanos(self) -> int:
        return self.offer.charge_nanos(self.quantity)


def move_in(path: Path, *, actor: str, now: datetime) -> MovedIn:
    """Write everything that the files say, or nothing. Raises BadInput, which names file and line of each fault."""
    found, faults = files.read(path), Faults()
    _write_tools(found["tools.csv"], faults, now=now)
    balances = _balances(found["users.csv"], faults)
    orders = _orders(found["orders.csv"], faults, emails=balances, now=now)
    held: Counter[str] = Counter()
    for order in orders:
        held[order.email] += order.charge_nanos
        if balances[order.email] + held[order.email] > ledger.MAX_BALANCE_NANOS:
            faults.add(order.line, f"With this order, {order.email} has more than an account can hold.")
    faults.check()
    ids: dict[str, int] = {}
    for emails in _batches(list(balances)):
        ids |= zip(emails, users.add_users(emails, password_hash=NOBODYS_HASH, now=now), strict=True)
    _write_money_and_orders(ids, balances, orders, held, now=now)
    for pairs in _batches(list(ids.items())):
        _mail_links({user_id: email for email, user_id in pairs}, now=now)
    did = MovedIn(len(ids), len(found["tools.csv"]), len(orders), sum(balances.values()), held.total())
    detail = f"{did.users} users, {did.tools} tools, {did.orders} open orders, {money.plain(did.balances_nanos)} in all"
    audit_log.write("migrate-in", actor=actor, subject=path.name, detail=detail, now=now)
    return did


def _write_tools(lines: Sequence[Line], faults: Faults, *, now: datetime) -> None:
    """Each tool is checked as one of a catalogue file is."""
    known = set(db.session.scalars(select(Tool.slug)))
    providers = {provider.name for provider in provider_registry.listed()}
    written = []
    for line in lines:
        with faults.of(line):
            if line["slug"] in known:
                raise BadInput(f"There is a tool {line['slug']} already.")
            known.add(line["slug"])
            if line["provider"] not in providers:
                raise BadInput(f"There is no provider called {line['provider']}. Add it first: flask providers add.")
            written.append(_as_catalogue(line))
    for start in range(0, len(written), TOOLS_AT_ONCE):
        tools.import_tools("".join(written[start : start + TOOLS_AT_ONCE]).encode(), name="tools.csv", now=now)


def _as_catalogue(line: Line) -> str:
    """The tool as a catalogue file has it. Raises BadInput."""
    tool: dict[str, object] = {
        name: line[name]
        for name in (
            "slug",
            "name",
            "category",
            "summary",
            "unit",
            "price_per_thousand",
            "provider",
            "provider_service",
        )
    }
    tool["cancel"] = {"yes": True, "no": False}.get(line["cancel"].lower(), line["cancel"])
    tool |= {name: int(line[name]) if _WHOLE.fullmatch(line[name]) else line[name] for name in ("minimum", "maximum")}
    tool["link"] = {name: line[f"link_{name}"] for name in ("pattern", "example", "counter_example", "hint")}
    days = line["refill_days"]
    tool["refill"] = {"days": int(days) if _WHOLE.fullmatch(days) else days} if days else None
    text = yaml.safe_dump([tool], allow_unicode=True)
    try:
        file_format.read(text.encode(), name=line.file)
    except BadCatalogue as error:
        # Its own line is one of the text that was made here.
        raise BadInput(re.sub(r"^.*?, line [0-9]+, ", "", error.message)) from error
    return text


def _balances(lines: Sequence[Line], faults: Faults) -> dict[str, int]:
    """Nanos by email."""
    found: dict[str, int] = {}
    taken = users.taken(email for line in lines if (email := _email_or_nothing(line)))
    for line in lines:
        with faults.of(line):
            email = users.normalize_email(line["email"])
            if email in found:
                raise BadInput(f"{email} is in the file twice.")
            if email in taken:
                raise BadInput(f"There is an account with the email {email} already.")
            found[email] = money.parse_nanos(line["balance"])
    return found


def _email_or_nothing(line: Line) -> str:
    try:
        return users.normalize_email(line["email"])
    except BadInput:
        return ""


def _orders(lines: Iterable[Line], faults: Faults, *, emails: Mapping[str, int], now: datetime) -> list[_OpenOrder]:
    offers: dict[str, ToolOffer | None] = {}
    numbers: set[tuple[int, str]] = set()
    found = []
    for line in lines:
        with faults.of(line):
            slug = line["tool"]
            offer = offers[slug] if slug in offers else offers.setdefault(slug, tools.find_any(slug))
            if offer is None:
                raise BadInput(f"There is no tool {slug}.")
            order = _order(line, offer, emails=emails, now=now)
            number = (offer.provider_id, line["provider_order_id"])
            if number in numbers or _is_taken(*number):
                raise BadInput(f"The provider’s order {number[1]} is here already.")
            numbers.add(number)
            found.append(order)
    return found


def _order(line: Line, offer: ToolOffer, *, emails: Mapping[str, int], now: datetime) -> _OpenOrder:
    """Raises BadInput for what can't be taken as it is."""
    email = users.normalize_email(line["email"])
    if email not in emails:
        raise BadInput(f"{email} is not in users.csv.")
    if offer.is_package or offer.form.names or offer.provider_kind == ProviderKind.MANUAL:
        raise BadInput("Only orders by link and quantity that a provider delivers can be moved in.")
    status = _STATUSES.get(line["status"].lower().replace(" ", "_"))
    if status is None:
        raise BadInput(f"The status of an open order is one of {', '.join(each.label for each in _STATUSES.values())}.")
    number = line["provider_order_id"]
    if not 1 <= len(number) <= 100 or not number.isprintable():
        raise BadInput("The provider’s number is missing. An order that the provider may not have can’t be moved in.")
    quantity = _count(line, "quantity") or 0
    pricing.check_quantity(quantity, minimum=1, maximum=pricing.MAX_QUANTITY)
    remains = _count(line, "remains")
    if remains is None or remains > quantity or (status is FIRST and remains != quantity):
        raise BadInput("What remains is a whole number, at most the quantity, and all of it while Pending.")
    price = pricing.parse_price(line["price_per_thousand"], is_package=False)
    if not line["link"] or len(line["link"]) > links.MAX_LENGTH or not line["link"].isprintable():
        raise BadInput("The link is missing, or longer than a link can be.")
    bought = replace(offer, price_micros_per_thousand=price)
    return _OpenOrder(email, line, bought, quantity, status, remains, _count(line, "start_count"), _time(line, now=now))


def _count(line: Line, column: str) -> int | None:
    text = line[column]
    if text and not _WHOLE.fullmatch(text):
        raise BadInput(f"{column} is no whole number: {plain_text.one_line(text, most=40)}.")
    return int(text) if text else None


def _time(line: Line, *, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(line["placed_at"])
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise BadInput("Write placed_at as 2026-11-28T14:05:00Z.") from error
    if at > now:
        raise BadInput("placed_at is in the future.")
    return at


def _is_taken(provider_id: int, number: str) -> bool:
    same = select(Order.id).where(Order.provider_id == provider_id, Order.provider_order_id == number)
    return db.session.scalar(same) is not None


def _write_money_and_orders(
    ids: Mapping[str, int],
    balances: Mapping[str, int],
    orders: list[_OpenOrder],
    held: Mapping[str, int],
    *,
    now: datetime,
) -> None:
    first: dict[str, datetime] = {}
    for order in orders:
        first[order.email] = min(first.get(order.email, now), order.placed_at)
    deposits, at_once = [], []
    for email, user_id in ids.items():
        nanos = balances[email] + held.get(email, 0)
        if not nanos:
            continue
        reason = f"{TransferKind.DEPOSIT}:moved-in:{user_id}"
        posting = Posting(AccountKind.DEPOSITS, user_id, nanos, TransferKind.DEPOSIT, reason, note=NOTE)
        if email in first:
            deposits.append(replace(posting, at=first[email]))
        else:
            at_once.append(posting)
    for postings in _batches(at_once):
        ledger.post(postings, now=now)
    orders = sorted(orders, key=lambda order: order.placed_at)
    moved = past_orders.insert_orders([_past(order, ids[order.email], now=now) for order in orders], postings=deposits)
    if moved:
        db.session.execute(update(Order).where(Order.id.in_(moved)).values(sync_at=now))


def _past(order: _OpenOrder, customer_id: int, *, now: datetime) -> PastOrder:
    line = order.line
    to = None if order.status is FIRST else order.status
    step = PastStep(now, to, order.remains, order.start_count, EventSource.US, EVENT)
    return PastOrder(
        customer_id=customer_id,
        offer=order.offer,
        link=line["link"],
        quantity=order.quantity,
        request_id=f"moved-in:{order.offer.provider_id}:{line['provider_order_id']}",
        placed_at=order.placed_at,
        handed_over_at=order.placed_at,
        provider_order_id=line["provider_order_id"],
        steps=(step,),
    )


def _batches(rows: Sequence[_Row]) -> list[Sequence[_Row]]:
    return [rows[start : start + USERS_AT_ONCE] for start in range(0, len(rows), USERS_AT_ONCE)]


def _mail_links(emails: Mapping[int, str], *, now: datetime) -> None:
    rows = []
    for user_id, token in email_links.make_resets(emails, lasts=LINK_LASTS, now=now).items():
        written = mail_templates.write(MailKind.MOVED_IN, path=f"/reset-password/{token}", until=now + LINK_LASTS)
        key = f"moved-in:{token_hash(token)}"
        rows.append(outbox.row_of(emails[user_id], written, user_id=user_id, key=key, is_secret=True, now=now))
    outbox.queue_new(rows)

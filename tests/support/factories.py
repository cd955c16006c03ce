"""Test factories, one plain function each. Arguments name only what matters to the test.

Each function commits. It returns objects of the test's session: pass ids to other threads.
"""

import itertools
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TypeVar

from flask import current_app
from flask.testing import FlaskClient
from sqlalchemy import update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain import money
from panel.domain.accounts.roles import Role
from panel.domain.status import USUAL_PATH, Status
from panel.models import Catalogue, Order, Provider, Terms, Tool, User
from panel.services.accounts import sessions, two_factor, users
from panel.services.money import ledger
from panel.services.orders import placing as order_placing
from panel.services.orders import transitions
from panel.services.orders.placing import Placing
from panel.services.providers import registry as provider_registry

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

PASSWORD = "seven green lanterns"
LINK = "https://example.com/page-1"
LINK_PATTERN = r"https://example\.com/[a-z0-9-]+"

Row = TypeVar("Row")

_numbers = itertools.count(1)


@cache
def _password_hash() -> str:
    return users.hash_password(PASSWORD)


def a_customer(balance: str = "10.00", *, email: str | None = None) -> User:
    """A customer with this balance, whose password is PASSWORD."""
    return _a_user(email or f"customer-{next(_numbers)}@example.com", balance=balance)


def an_operator(*, email: str | None = None, role: Role = Role.OWNER) -> User:
    """Somebody of the staff; without a role an owner, who may do everything in the office."""
    return _a_user(email or f"operator-{next(_numbers)}@example.com", role=role)


def _a_user(email: str, *, balance: str = "0", role: Role = Role.CUSTOMER) -> User:
    password_hash, amount_nanos = _password_hash(), money.parse_nanos(balance)
    with transaction():
        user = users.add_user(email, password_hash=password_hash, role=role, now=NOON)
        if amount_nanos:
            reason = f"deposit:test:{user.id}"
            ledger.deposit(user.id, amount_nanos=amount_nanos, reason=reason, note="A first deposit.", now=NOON)
    return user


def logged_in(
    client: FlaskClient, user: User, *, at: datetime | None = None, second_factor: bool | None = None
) -> FlaskClient:
    """Log this user in: the client, with a new session.

    An operator's session has passed two-factor authentication, unless `second_factor` says otherwise.
    """
    has_second_factor = user.is_staff if second_factor is None else second_factor
    with transaction():
        device = sessions.log_in(
            user,
            device="Test browser",
            network="127.0.0.1",
            has_shown_second_factor=has_second_factor,
            now=at or utc_now(),
        )
    with client.session_transaction() as session:
        session[sessions.TOKEN_KEY] = device.token
    return client


def with_second_factor(user: User, *, at: datetime | None = None) -> str:
    """Turn on two-factor authentication for this user, half a minute before `at` (now); returns the secret."""
    secret, settings = two_factor.new_secret(), current_app.config["PANEL"]
    then = (at or utc_now()) - timedelta(seconds=two_factor.STEP_SECONDS)
    with transaction():
        code = two_factor.code_at(secret, at=then)
        two_factor.enable(user.id, secret=secret, code=code, settings=settings, now=then)
    return secret


def a_provider(kind: str = "simulated", *, name: str | None = None, url: str = "", encrypted_key: str = "") -> Provider:
    """Get or create a provider with this name, or of this kind."""
    name = name or kind
    if (known := provider_registry.find(name)) is not None:
        return known
    if kind == "panel_api":
        url, encrypted_key = url or "https://provider.example/api/v2", encrypted_key or "ciphertext"
    with transaction():
        return provider_registry.add_provider(name, kind=kind, url=url, encrypted_key=encrypted_key, now=NOON)


def a_tool(
    slug: str | None = None,
    *,
    price: str = "0.90",
    minimum: int = 10,
    maximum: int = 100_000,
    refill_days: int | None = 30,
    can_cancel: bool = True,
    provider: str | Provider = "simulated",
    provider_service: str = "usual",
    link_pattern: str = LINK_PATTERN,
    is_hidden: bool = False,
) -> Tool:
    """A tool with its first terms. `provider` is a provider or a kind."""
    provider_id = (a_provider(provider) if isinstance(provider, str) else provider).id
    slug = slug or f"tool-{next(_numbers)}"
    tool = Tool(
        slug=slug,
        name=slug.replace("-", " ").capitalize(),
        category="Pages",
        summary="Visits to a page.",
        unit="visits",
        provider_id=provider_id,
        provider_service=provider_service,
        is_hidden=is_hidden,
        changed_at=NOON,
    )
    with transaction():
        db.session.add(tool)
        db.session.flush()
        terms = Terms(
            tool_id=tool.id,
            version=1,
            price_micros_per_thousand=money.parse_price_micros(price),
            minimum=minimum,
            maximum=maximum,
            link_pattern=link_pattern,
            link_example=LINK,
            link_counter_example="https://example.com/",
            link_hint="Copy the address of one page.",
            refill_days=refill_days,
            can_cancel=can_cancel,
            since=NOON,
            name=tool.name,
            category=tool.category,
            unit=tool.unit,
        )
        _hold(tool, terms)
    return tool


def new_terms(tool: Tool, *, now: datetime = NOON, **changes: object) -> Terms:
    """New terms for the tool: the current ones with these changes."""
    with transaction():
        present = db.session.get_one(Terms, tool.terms_id)
        columns = {column.key for column in Terms.__mapper__.column_attrs} - {"id"}
        same = {column: getattr(present, column) for column in columns}
        terms = Terms(**same | {"version": present.version + 1, "since": now} | changes)
        _hold(tool, terms)
    return terms


def _hold(tool: Tool, terms: Terms) -> None:
    db.session.add(terms)
    db.session.flush()
    tool.terms_id = terms.id
    db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))


def an_order(
    *,
    customer: User | None = None,
    tool: Tool | None = None,
    quantity: int = 1_000,
    status: Status = Status.PENDING,
    remains: int | None = None,
    link: str = LINK,
    request_id: str | None = None,
    now: datetime = NOON,
    **terms: object,
) -> Order:
    """An order in this status, with its events and transfers. Other keywords go to `a_tool`."""
    customer = customer or a_customer("1000")
    tool = tool or a_tool(**terms)  # type: ignore[arg-type]
    request_id = request_id or f"request-{next(_numbers):06d}"
    placing = Placing(tool=tool.slug, link=link, quantity=str(quantity), request_id=request_id)
    with transaction():
        order = order_placing.place_order(customer.id, asked=placing, now=now)
    for step in _way_to(status):
        left = remains if step is status and remains is not None else _usual_remains(step, quantity)
        with transaction():
            transitions.move_order(transitions.lock_order(order.id), step, remains=left, now=now)
    return reload(order)


def _way_to(status: Status) -> tuple[Status, ...]:
    """The transitions that lead from the first status to this one."""
    if status in USUAL_PATH:
        return USUAL_PATH[1 : USUAL_PATH.index(status) + 1]
    if status is Status.REFILL:
        return (*USUAL_PATH[1:], status)
    return (status,) if status is Status.CANCELED else (*USUAL_PATH[1:-1], status)


def _usual_remains(status: Status, quantity: int) -> int:
    if status in (Status.IN_PROGRESS, Status.PARTIAL):
        return quantity // 2
    return 0 if status in (Status.COMPLETED, Status.REFILL) else quantity


def reload(row: Row) -> Row:
    """The row's current state in the database."""
    db.session.rollback()
    db.session.refresh(row)
    return row

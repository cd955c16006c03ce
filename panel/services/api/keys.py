"""API keys: random, shown once, stored as hashes, looked up with one indexed read.

A wrong key, a revoked one and one used from another network all get the same error.
"""

import hashlib
import ipaddress
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, func, literal_column, or_, select, update

from panel.db import db, table_of
from panel.db.compiled_statements import CompiledStatement
from panel.domain.accounts.key_scope import KeyScope
from panel.domain.errors import ActionRefused, BadInput, NotFound, StaleForm
from panel.models import Account, ApiKey, ApiTestCustomer, Catalogue, GroupMember, User
from panel.services.accounts import email_confirmation
from panel.services.api import test_customers
from panel.services.closed_accounts import check_open
from panel.services.money import ledger

PREFIX = "smm_"
RANDOM_BYTES = 32
SHOWN_CHARACTERS = 10
MAX_NAME_LENGTH = 60
MAX_KEYS = 20
MAX_NETWORKS = 20
# The last use is recorded at most this often.
USE_NOTED_EVERY = timedelta(minutes=1)

KEYS = table_of(ApiKey)
USERS = table_of(User)
_TEST_CUSTOMERS = table_of(ApiTestCustomer)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Holder:
    """The authenticated caller: the key, and the customer whose orders and balance it is for.

    That is the key's owner, or the owner's test customer.
    """

    key_id: int
    user_id: int
    networks: str
    used_at: datetime | None
    scope: str
    daily_cap_nanos: int | None
    has_confirmed_email: bool
    # As read with the key.
    catalogue_version: int

    @property
    def can_order(self) -> bool:
        return KeyScope(self.scope).can_order

    @property
    def is_test(self) -> bool:
        return KeyScope(self.scope).is_test


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to create. `networks` as typed; without a daily spend cap the balance is the only limit."""

    name: str
    networks: str = ""
    scope: KeyScope = KeyScope.ORDER
    daily_cap_nanos: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A new key. `text` is the key itself, which isn't stored."""

    key_id: int
    text: str


# Keys of a disabled account are rejected until it is enabled again; a closed account has none.
_IS_HOLDER_IN = and_(USERS.c.id == KEYS.c.user_id, USERS.c.disabled_at.is_(None), USERS.c.closed_at.is_(None))
_IS_TEST = KEYS.c.scope == literal_column(f"'{KeyScope.TEST}'")
_FIND = CompiledStatement(
    lambda: (
        select(
            KEYS.c.id,
            func.coalesce(_TEST_CUSTOMERS.c.user_id, KEYS.c.user_id),
            KEYS.c.networks,
            KEYS.c.used_at,
            KEYS.c.scope,
            KEYS.c.daily_cap_nanos,
            USERS.c.email_confirmed_at.is_not(None),
            Catalogue.version,
        )
        .join(USERS, _IS_HOLDER_IN)
        .join(Catalogue, Catalogue.id == literal_column("1"))
        .outerjoin(_TEST_CUSTOMERS, and_(_TEST_CUSTOMERS.c.owner_id == KEYS.c.user_id, _IS_TEST))
        .where(KEYS.c.key_hash == bindparam("key_hash"), KEYS.c.revoked_at.is_(None))
    )
)
# The same read for those who write nothing down, with all that the API's reads depend on: no row while the last use is
# to be noted. Test keys, whose owner is another customer, are none of them.
FIND_NOTED = (
    select(
        KEYS.c.networks,
        KEYS.c.id,
        KEYS.c.user_id,
        USERS.c.state_version,
        Catalogue.version,
        GroupMember.group_id,
        Account.balance_nanos,
    )
    .join(USERS, _IS_HOLDER_IN)
    .join(Account, Account.user_id == USERS.c.id)
    .outerjoin(GroupMember, GroupMember.user_id == USERS.c.id)
    .join(Catalogue, Catalogue.id == literal_column("1"))
    .where(
        KEYS.c.key_hash == bindparam("key_hash"),
        KEYS.c.revoked_at.is_(None),
        ~_IS_TEST,
        KEYS.c.used_at > bindparam("since", type_=KEYS.c.used_at.type),
    )
)
_NOTE = (
    update(KEYS)
    .where(
        KEYS.c.id == bindparam("key_id"),
        or_(
            KEYS.c.used_at.is_(None),
            KEYS.c.used_at <= bindparam("long_ago", type_=KEYS.c.used_at.type),
            KEYS.c.used_at > bindparam("at", type_=KEYS.c.used_at.type),
        ),
    )
    .values(used_at=bindparam("at", type_=KEYS.c.used_at.type))
)


def key_hash(key: str) -> str:
    """Hash of a key, as stored. Keys are long and random, so a plain hash is enough."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def find(key: str, *, address: str | None) -> Holder | None:
    """The owner of this key, if it is valid and allowed from this IP address."""
    rows = _FIND.fetch({"key_hash": key_hash(key)})
    if not rows:
        return None
    holder = Holder(*rows[0])
    return holder if is_allowed(address, networks=holder.networks) else None


def rate_name(key_id: int) -> str:
    """Rate limit key of an API key."""
    return f"key:{key_id}"


def is_use_due(holder: Holder, *, now: datetime) -> bool:
    """Whether `note_use` would write anything."""
    return holder.used_at is None or not timedelta() <= now - holder.used_at < USE_NOTED_EVERY


def note_use(holder: Holder, *, now: datetime) -> None:
    """Record the last use, at most once a minute."""
    db.session.execute(_NOTE, {"key_id": holder.key_id, "long_ago": now - USE_NOTED_EVERY, "at": now})


def make(user_id: int, *, asked: NewKey, newest_id: int | None = None, now: datetime) -> Made:
    """Create a key. `newest_id`: only if the user's newest key is still this one.

    Raises BadInput for the name or a network, EmailNotConfirmed, Refused beyond MAX_KEYS, and StaleForm if another
    key was created in the meantime, so that a form sent twice creates one key.
    """
    checked = _checked(asked)
    email_confirmation.hold_confirmed(user_id)
    return _make(user_id, asked=checked, newest_id=newest_id, now=now)


def make_for(user_id: int, *, asked: NewKey, now: datetime) -> Made:
    """Create a key for another user by command, also before the email is confirmed."""
    ledger.lock_accounts([user_id])
    return _make(user_id, asked=_checked(asked), newest_id=None, now=now)


def _checked(asked: NewKey) -> NewKey:
    return replace(asked, name=_checked_name(asked.name), networks=checked_networks(asked.networks))


def _make(user_id: int, *, asked: NewKey, newest_id: int | None, now: datetime) -> Made:
    check_open([user_id])
    if newest_id is not None and newest_id != newest(user_id):
        raise StaleForm(
            "A key was made since this form was opened, perhaps by it. It can’t be shown again. No other was made."
        )
    if len(listed(user_id)) >= MAX_KEYS:
        raise ActionRefused(f"You have {MAX_KEYS} keys, the most there can be. Revoke one that you no longer use.")
    if asked.scope.is_test:
        test_customers.ensure(user_id, now=now)
    text = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    key = ApiKey(
        user_id=user_id,
        name=asked.name,
        key_hash=key_hash(text),
        starts_with=text[:SHOWN_CHARACTERS],
        networks=asked.networks,
        scope=asked.scope,
        daily_cap_nanos=asked.daily_cap_nanos,
        made_at=now,
    )
    db.session.add(key)
    db.session.flush()
    return Made(key.id, text)


def listed(user_id: int) -> list[ApiKey]:
    """Active keys of this user, newest first."""
    statement = select(ApiKey).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    return list(db.session.scalars(statement.order_by(ApiKey.id.desc())))


def newest(user_id: int) -> int:
    """Id of this user's newest key, revoked or not; 0 without one."""
    return db.session.scalar(select(func.max(ApiKey.id)).where(ApiKey.user_id == user_id)) or 0


def revoke(key_id: int, *, user_id: int, now: datetime) -> None:
    """Revoke one of this user's keys immediately. Raises NotFound."""
    ended = db.session.execute(
        update(KEYS)
        .where(KEYS.c.id == key_id, KEYS.c.user_id == user_id, KEYS.c.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(KEYS.c.id)
    )
    if ended.first() is None:
        raise NotFound(f"You have no key {key_id}.")


def revoke_all(user_id: int, *, now: datetime) -> None:
    """Revoke all keys of this user immediately."""
    db.session.execute(
        update(KEYS).where(KEYS.c.user_id == user_id, KEYS.c.revoked_at.is_(None)).values(revoked_at=now)
    )


def checked_networks(text: str) -> str:
    """Validate and normalize the networks, separated by spaces. Raises BadInput."""
    networks: dict[str, None] = {}
    for word in re.split(r"[\s,;]+", text.strip()):
        if word:
            networks[_network(word).compressed] = None
    if len(networks) > MAX_NETWORKS:
        raise BadInput(f"A key can have at most {MAX_NETWORKS} networks.", field="networks")
    return " ".join(networks)


def _network(word: str) -> Network:
    try:
        return ipaddress.ip_network(word)
    except ValueError as error:
        shown = word if len(word) <= 50 else f"{word[:50]}…"
        raise BadInput(
            f"{shown} is no address and no network. Write 203.0.113.7 or 203.0.113.0/24, each separated by a space.",
            field="networks",
        ) from error


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name:
        raise BadInput("The name is missing. It tells this key from your others.", field="name")
    if len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadInput(f"A name has at most {MAX_NAME_LENGTH} characters, on one line.", field="name")
    return name


def is_allowed(address: str | None, *, networks: str) -> bool:
    """Whether the IP address is in one of these networks; without networks every address is allowed."""
    if not networks:
        return True
    try:
        caller: Address = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    if isinstance(caller, ipaddress.IPv6Address) and caller.ipv4_mapped is not None:
        caller = caller.ipv4_mapped
    return any(caller in ipaddress.ip_network(network) for network in networks.split())

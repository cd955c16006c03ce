"""The panel's writes without hash chains, as before revision 0017, to measure what the chains cost."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from sqlalchemy import bindparam, insert, update
from sqlalchemy.util import immutabledict

from panel.db.compiled_statements import CompiledStatement
from panel.domain import chain
from panel.services.money import ledger
from panel.services.orders import event_chain, transitions

ACCOUNTS = ledger.ACCOUNTS


@contextlib.contextmanager
def unchained() -> Iterator[None]:
    """Turn hashing off inside this block: the rows' hashes stay empty."""
    with contextlib.ExitStack() as stack:
        for module, name, value in _REPLACED:
            stack.enter_context(patch.object(module, name, value))
        yield


def _no_hash(*_given: object, **_more: object) -> str:
    return ""


def _without_hash(statement: CompiledStatement) -> CompiledStatement:
    """The same UPDATE without this column."""
    made = statement._make()._clone()
    made._values = immutabledict({key: value for key, value in made._values.items() if _name_of(key) != "chain_hash"})
    return CompiledStatement(lambda: made)


def _name_of(column: Any) -> str:
    return column if isinstance(column, str) else column.name


def _insert(table: Any) -> CompiledStatement:
    columns = [column.name for column in table.c if column.name not in ("id", "chain_hash")]
    return CompiledStatement(lambda: insert(table).inline(), columns=columns)


_balance = ACCOUNTS.c.balance_nanos + bindparam("delta")
_TAKE = CompiledStatement(
    lambda: update(ACCOUNTS).where(ACCOUNTS.c.id == bindparam("account"), _balance >= 0).values(balance_nanos=_balance)
)
_REPLACED: tuple[tuple[Any, str, object], ...] = (
    (chain, "transfer_hash", _no_hash),
    (chain, "event_hash", _no_hash),
    (ledger, "_TAKE", _TAKE),
    (ledger, "_ADD", _insert(ledger.TRANSFERS)),
    (event_chain, "_INSERT", _insert(event_chain.EVENTS)),
    (transitions, "_CLAIM", _without_hash(transitions._CLAIM)),
    (transitions, "_END", _without_hash(transitions._END)),
)

"""Hash chain: each row's hash covers its fields and the previous hash, so that a change shows in all later hashes.

The format is versioned and fixed: rows written under version 1 are verified under version 1 forever. Numbers are
separated by commas and texts are length-prefixed, so two different rows never serialize to the same text. The row's id
isn't covered, since it isn't known before the row is written; the order of the rows is.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any

# The previous hash of a chain's first row, and the hash of a row that belongs to no chain.
START = ""
DIGEST_BYTES = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

TRANSFER_FIELDS = ("from_account_id", "to_account_id", "amount_nanos", "kind", "order_id", "reason", "note", "at")
EVENT_FIELDS = (
    "order_id",
    "kind",
    "source",
    "old_status",
    "status",
    "remains",
    "start_count",
    "kept_nanos",
    "returned_nanos",
    "version",
    "text",
    "raw",
    "at",
)


def transfer_hash(previous: str, row: Mapping[str, Any], *, account_id: int) -> str:
    """Hash of a transfer in the chain of this customer's account. `row` has all TRANSFER_FIELDS."""
    kind, reason, note = row["kind"], row["reason"], row["note"]
    return _digest(
        f"{previous}\ntransfer/1 {account_id},{row['from_account_id']},{row['to_account_id']},{row['amount_nanos']},"
        f"{row['order_id']},{_microseconds(row['at'])} "
        f"{len(kind)}:{kind}{len(reason)}:{reason}{len(note)}:{note}"
    )


def event_hash(previous: str, row: Mapping[str, Any]) -> str:
    """Hash of an event in the chain of its order. `row` has all EVENT_FIELDS."""
    kind, source, old, status = row["kind"], row["source"], row["old_status"], row["status"]
    text, raw = row["text"], row["raw"]
    return _digest(
        f"{previous}\nevent/1 {row['order_id']},{row['remains']},{row['start_count']},{row['kept_nanos']},"
        f"{row['returned_nanos']},{row['version']},{_microseconds(row['at'])} "
        f"{len(kind)}:{kind}{len(source)}:{source}{'-' if old is None else len(old)}:{old}"
        f"{len(status)}:{status}{len(text)}:{text}{len(raw)}:{raw}"
    )


def running_digest(previous: str, row_id: int, row_hash: str) -> str:
    """Running digest over all rows of a table up to this one, for checkpoints."""
    return _digest(f"{previous}\nrow/1 {row_id} {row_hash}")


def _digest(text: str) -> str:
    # surrogatepass: text that can't be stored is for the database to reject, so it must not fail here.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).hexdigest()


@lru_cache(maxsize=64)
def _microseconds(at: datetime) -> int:
    """The timestamp in microseconds, as both engines store it. Cached, since a batch repeats the same one."""
    return (at - _EPOCH) // _MICROSECOND

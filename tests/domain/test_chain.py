"""Hash chains: a changed field, changed order, or a dropped or added row gives another head."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from panel.domain import chain

whole = st.integers(min_value=-(2**63), max_value=2**63 - 1)
texts = st.text(max_size=20) | st.sampled_from(["", "1:a", "-:None", "None", ",", " ", "0:0:", "\ud800", "\x00"])
moments = st.datetimes(timezones=st.just(UTC))

transfers = st.fixed_dictionaries(
    {
        "from_account_id": whole,
        "to_account_id": whole,
        "amount_nanos": whole,
        "kind": texts,
        "order_id": whole | st.none(),
        "reason": texts,
        "note": texts,
        "at": moments,
    }
)
events = st.fixed_dictionaries(
    {
        "order_id": whole,
        "kind": texts,
        "source": texts,
        "old_status": texts | st.none(),
        "status": texts,
        "remains": whole,
        "start_count": whole | st.none(),
        "kept_nanos": whole,
        "returned_nanos": whole,
        "version": whole,
        "text": texts,
        "raw": texts,
        "at": moments,
    }
)


def head(rows: list[dict[str, Any]]) -> str:
    """Head of a chain of these transfers or events."""
    found = chain.START
    for row in rows:
        is_transfer = "amount_nanos" in row
        found = chain.transfer_hash(found, row, account_id=1) if is_transfer else chain.event_hash(found, row)
    return found


@given(transfers, transfers)
def test_two_transfers_have_one_hash_only_when_all_fields_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert set(one) == set(chain.TRANSFER_FIELDS)
    assert (head([one]) == head([other])) == (one == other)


@given(events, events)
def test_two_events_have_one_hash_only_when_all_fields_are_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert set(one) == set(chain.EVENT_FIELDS)
    assert (head([one]) == head([other])) == (one == other)


@given(st.data(), st.sampled_from([(transfers, chain.TRANSFER_FIELDS), (events, chain.EVENT_FIELDS)]))
def test_one_changed_field_of_one_row_changes_the_head(data: st.DataObject, of: tuple[Any, tuple[str, ...]]) -> None:
    rows = data.draw(st.lists(of[0], min_size=1, max_size=5))
    place, name = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from(of[1]))
    other = data.draw(of[0])

    changed = [*rows[:place], rows[place] | {name: other[name]}, *rows[place + 1 :]]

    assert (head(changed) == head(rows)) == (changed == rows)


@given(st.lists(transfers, max_size=5), st.lists(transfers, max_size=5))
def test_dropped_added_and_reordered_rows_change_the_head(one: list[Any], other: list[Any]) -> None:
    assert (head(one) == head(other)) == (one == other)
    for place in range(len(one)):
        assert head([*one[:place], *one[place + 1 :]]) != head(one)
    assert (head(one[::-1]) == head(one)) == (one[::-1] == one)


@given(texts, texts, texts, texts)
def test_a_text_that_moves_from_one_field_to_the_next_changes_the_hash(a: str, b: str, c: str, d: str) -> None:
    row = {
        "from_account_id": 1,
        "to_account_id": 2,
        "amount_nanos": 3,
        "order_id": None,
        "kind": "deposit",
        "at": datetime(2026, 11, 20, tzinfo=UTC),
    }

    one, other = row | {"reason": a, "note": b}, row | {"reason": c, "note": d}

    assert (head([one]) == head([other])) == ((a, b) == (c, d))


def test_a_microsecond_and_the_owner_of_the_chain_are_covered() -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    row = dict.fromkeys(chain.TRANSFER_FIELDS, 1) | {"kind": "", "reason": "", "note": "", "at": at}

    later = row | {"at": at + timedelta(microseconds=1)}

    assert chain.transfer_hash("", row, account_id=1) != chain.transfer_hash("", later, account_id=1)
    assert chain.transfer_hash("", row, account_id=1) != chain.transfer_hash("", row, account_id=2)


def test_version_1_of_the_format_stays_as_it_is() -> None:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    transfer = {"from_account_id": 3, "to_account_id": 5, "amount_nanos": 10, "kind": "deposit", "order_id": None}
    event = dict.fromkeys(chain.EVENT_FIELDS, 1) | dict.fromkeys(("kind", "source", "status", "text", "raw"), "é")

    first = chain.transfer_hash(chain.START, transfer | {"reason": "r", "note": "é", "at": at}, account_id=5)
    second = chain.event_hash(first, event | {"old_status": None, "at": at})

    assert first == "a9987c1ba7ef0b07fe30ca228d0aacc2de3ffc8f"
    assert second == "4495f45e0ad5a6d1b689ddced6331bc9b9c18b1b"
    assert chain.running_digest("", 7, second) == "1b522497a70d830ae739e0c7a263157cd7f8fede"

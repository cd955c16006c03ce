"""Provider import: tools that the provider dropped are hidden, and an operator's edits are kept."""

import pytest
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused
from panel.domain.review_kind import ReviewKind
from panel.models import AuditLogEntry, Review, Tool
from panel.services.catalogue import terms_history, tool_settings, tools
from tests.support.catalogue_imports import a_row, imported, offered
from tests.support.factories import NOON

pytestmark = pytest.mark.both_engines


def by_hand(field: str, value: str) -> None:
    with transaction():
        tool_settings.set_field("page-visits-1", field, value, actor="anna", now=NOON)


def test_a_service_becomes_a_tool_that_can_be_ordered() -> None:
    before = tools.version()

    did = imported(a_row())

    tool = offered()
    assert did.added == ["page-visits-1"]
    assert (tool.name, tool.category, tool.provider_service) == ("Page visits", "Pages", "1")
    assert (tool.price_micros_per_thousand, tool.minimum, tool.maximum) == (900_000, 50, 10_000)
    assert (tool.refill_days, tool.can_cancel, tool.is_hidden) == (30, True, False)
    assert tools.version() > before


@pytest.mark.parametrize("answer", [[], ["nothing"], [a_row(rate="0")]])
def test_a_catalogue_without_a_usable_row_changes_nothing(answer: list[object]) -> None:
    imported(a_row())

    with pytest.raises(ActionRefused):
        imported(*answer)

    assert not offered().is_hidden


def test_a_second_import_updates_price_and_limits_as_new_terms() -> None:
    imported(a_row())

    did = imported(a_row(rate="0.95", max="20000", refill=False))

    tool = offered()
    assert did.changed == ["page-visits-1"]
    assert (tool.price_micros_per_thousand, tool.maximum, tool.refill_days) == (950_000, 20_000, None)
    assert [each.version for each in terms_history.terms_log(tool.tool_id)] == [2, 1]


def test_the_same_catalogue_again_changes_nothing() -> None:
    imported(a_row(), a_row(2))
    before = tools.version()

    did = imported(a_row(), a_row(2))

    assert (did.added, did.changed, len(did.unchanged)) == ([], [], 2)
    assert tools.version() == before


@pytest.mark.parametrize(
    ("field", "value", "column", "kept"),
    [
        ("price_per_thousand", "2.50", "price_micros_per_thousand", 2_500_000),
        ("minimum", "100", "minimum", 100),
        ("maximum", "500", "maximum", 500),
        ("refill_days", "7", "refill_days", 7),
        ("refill_days", "none", "refill_days", None),
        ("cancel", "false", "can_cancel", False),
        ("name", "Visits to your page", "name", "Visits to your page"),
        ("summary", "Real visits.", "summary", "Real visits."),
        ("category", "Sites", "category", "Sites"),
        ("hidden", "true", "is_hidden", True),
    ],
)
def test_import_never_changes_hand_set_values(field: str, value: str, column: str, kept: object) -> None:
    imported(a_row())
    by_hand(field, value)

    imported(a_row(rate="1.00", min="60", max="900", name="Other", category="Else"))

    assert getattr(offered(), column) == kept
    assert db.session.scalars(select(AuditLogEntry.action)).all() == ["tools set"]


def test_a_field_given_back_follows_the_provider_again() -> None:
    imported(a_row())
    by_hand("minimum", "100")
    with transaction():
        tool_settings.leave_to_import("page-visits-1", "minimum", actor="anna", now=NOON)

    imported(a_row(min="60"))

    assert offered().minimum == 60


def test_limits_that_conflict_with_manual_ones_are_ignored_and_reported() -> None:
    imported(a_row())
    by_hand("minimum", "5000")

    did = imported(a_row(max="1000"))

    assert len(did.skipped) == 1
    assert (offered().minimum, offered().maximum) == (5_000, 10_000)


def test_a_service_that_vanished_is_hidden_until_it_returns() -> None:
    imported(a_row(), a_row(2))

    gone = imported(a_row(2))
    was_hidden = offered().is_hidden
    back = imported(a_row(), a_row(2))

    assert (gone.hidden, was_hidden) == (["page-visits-1"], True)
    assert back.returned == ["page-visits-1"]
    assert not offered().is_hidden


def test_a_rate_that_moved_over_a_fifth_opens_a_review() -> None:
    imported(a_row(rate="1.00"), a_row(2, rate="1.00"))

    imported(a_row(rate="1.20"), a_row(2, rate="1.200001"))

    reviews = db.session.scalars(select(Review).where(Review.kind == "price_moved")).all()
    assert [review.raw for review in reviews] == ["service=2"]
    assert "from 1.00 to 1.200001" in reviews[0].text


def test_a_tool_that_an_operator_made_for_the_same_service_stays_theirs() -> None:
    imported(a_row())
    with transaction():
        tool = db.session.scalars(select(Tool)).one()
        tool.provider_rate_micros = None

    did = imported(a_row(rate="5"), a_row(2))

    assert len(did.skipped) == 1
    assert offered().price_micros_per_thousand == 900_000


def test_names_in_other_scripts_and_taken_slugs_still_give_addresses() -> None:
    imported(a_row(1, name="Посещения 👨‍👩‍👧"), a_row(2, name="a" * 150), a_row(3, name="Visits | R30 < 5 days"))

    slugs = sorted(db.session.scalars(select(Tool.slug)))
    assert slugs == ["a" * 46 + "-2", "service-1", "visits-r30-5-days-3"]


def losses() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Review.text).where(Review.kind == ReviewKind.UPSTREAM_CHARGE)))


@pytest.mark.parametrize(("rate", "is_loss"), [("0.95", False), ("0.950001", True)])
def test_a_price_set_by_hand_that_falls_below_the_cost_opens_one_review(rate: str, is_loss: bool) -> None:
    imported(a_row(), margin="20%")
    by_hand("price_per_thousand", "0.95")

    imported(a_row(rate=rate), margin="20%")
    found = losses()
    imported(a_row(rate="0.96"), margin="20%")

    assert len(found) == is_loss
    assert len(losses()) == 1
    assert "customers pay 0.95 per 1,000. Raise its price, or hide it." in losses()[0]

"""A provider's catalogue as tools: exact prices, hostile rows skipped, and the operator's hand respected."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain import resale
from panel.domain.errors import BadInput, Refused
from panel.models import AuditLine, Review, Tool
from panel.services import catalogue, provider_imports, tool_settings
from panel.services.catalogue import ToolOffer
from panel.services.provider_imports import Import
from panel.services.provider_markup import Markup, PriceChange, PricesWouldFall
from tests.factories import NOON, a_provider

pytestmark = pytest.mark.both_engines


def a_row(service: object = 1, **fields: object) -> dict[str, object]:
    row: dict[str, object] = {
        "service": service,
        "name": "Page visits",
        "type": "Default",
        "category": "Pages",
        "rate": "0.90",
        "min": "50",
        "max": "10000",
        "refill": True,
        "cancel": True,
    }
    return row | fields


def imported(*rows: object, margin: str = "0%", exchange: str = "1", may_fall: bool = True) -> Import:
    provider = a_provider("panel_api")
    markup = Markup(resale.read_margin(margin), resale.read_exchange(exchange))
    with transaction():
        return provider_imports.import_services(provider, list(rows), markup=markup, may_fall=may_fall, now=NOON)


def offered(slug: str = "page-visits-1") -> ToolOffer:
    db.session.rollback()
    found = catalogue.find_any(slug)
    assert found is not None
    return found


def by_hand(field: str, value: str) -> None:
    with transaction():
        tool_settings.set_field("page-visits-1", field, value, actor="anna", now=NOON)


def test_a_service_becomes_a_tool_that_can_be_ordered() -> None:
    before = catalogue.version()

    did = imported(a_row())

    tool = offered()
    assert did.added == ["page-visits-1"]
    assert (tool.name, tool.category, tool.provider_service) == ("Page visits", "Pages", "1")
    assert (tool.price_micros_per_thousand, tool.minimum, tool.maximum) == (900_000, 50, 10_000)
    assert (tool.refill_days, tool.can_cancel, tool.is_hidden) == (30, True, False)
    assert catalogue.version() > before


@pytest.mark.parametrize(
    ("rate", "margin", "micros"),
    [
        ("0.90", "20%", 1_080_000),
        ("0.000001", "1%", 2),
        ("0.333333", "12.5%", 375_000),
        ("0.1", "0", 100_000),
        (3, "0.0001%", 3_000_003),
        ("1.1", "33.3333", 1_466_667),
        ("0.5000000000", "0", 500_000),
        ("0.50000000000000000000000000000000000", "0", 500_000),
        ("1e-05", "0", 10),
        ("1E-05", "0", 10),
        ("2.5e2", "0", 250_000_000),
        ("1e3", "0", 1_000_000_000),
        (".5", "0", 500_000),
        ("1.", "0", 1_000_000),
        ("0.0000001", "0", 1),
        ("0.0000011", "0", 2),
        # Rounded once: a cost of 1.0000001 with 10 % is 1.10000011, not 1.100001100001.
        ("1.0000001", "10%", 1_100_001),
    ],
)
def test_the_price_is_the_rate_and_the_margin_rounded_up_to_a_micro(rate: object, margin: str, micros: int) -> None:
    imported(a_row(rate=rate), margin=margin)

    assert offered().price_micros_per_thousand == micros


@pytest.mark.parametrize(
    ("rate", "exchange", "margin", "micros"),
    [
        ("1.00", "1.0825", "0", 1_082_500),
        ("90.50", "0.011", "20%", 1_194_600),
        ("0.000001", "0.000000001", "0", 1),
        ("20000", "0.00004", "12.5%", 900_000),
        ("0.333333", "3", "0", 999_999),
        ("0.3333333", "3", "0", 1_000_000),
    ],
)
def test_the_price_of_another_currency_is_exchanged_exactly_and_rounded_once(
    rate: str, exchange: str, margin: str, micros: int
) -> None:
    imported(a_row(rate=rate), exchange=exchange, margin=margin)

    assert offered().price_micros_per_thousand == micros


def test_old_and_new_prices_are_told() -> None:
    imported(a_row(), a_row(2), a_row(3))
    by_hand("price_per_thousand", "5")

    did = imported(a_row(rate="1"), a_row(2, rate="1"), a_row(3), a_row(4))

    assert did.prices == [PriceChange("page-visits-2", 900_000, 1_000_000)]


@pytest.mark.parametrize(("falling", "rising"), [(11, 40), (2, 1), (1, 0)])
def test_many_prices_that_would_fall_change_nothing_until_somebody_agrees(falling: int, rising: int) -> None:
    numbers = range(1, falling + rising + 1)
    imported(*[a_row(number) for number in numbers], margin="20%")
    after = [a_row(number, rate="0.89" if number <= falling else "0.91") for number in numbers]

    with pytest.raises(PricesWouldFall) as refused:
        imported(*after, margin="20%", may_fall=False)

    assert f"{falling} prices would fall" in refused.value.message
    assert len(refused.value.changes) == falling + rising
    assert offered().price_micros_per_thousand == 1_080_000
    imported(*after, margin="20%")
    assert offered().price_micros_per_thousand == 1_068_000


@pytest.mark.parametrize(("falling", "rising"), [(10, 10), (1, 1), (0, 30)])
def test_few_prices_fall_without_a_question(falling: int, rising: int) -> None:
    numbers = range(1, falling + rising + 1)
    imported(*[a_row(number) for number in numbers])

    did = imported(*[a_row(n, rate="0.89" if n <= falling else "0.91") for n in numbers], may_fall=False)

    assert len(did.changed) == falling + rising


HARMLESS = [
    (a_row(1, name="Likes &amp; Views"), "Likes & Views", "Pages"),
    (a_row(1, name="&lt;b&gt;Fast&lt;/b&gt; &#9889;"), "<b>Fast</b> ⚡", "Pages"),
    (a_row(1, name="Likes &amp;amp; Views"), "Likes &amp; Views", "Pages"),
    (a_row(1, name="Visits <5 days> -> fast"), "Visits <5 days> -> fast", "Pages"),
    (a_row(1, name="<script>alert(1)</script>"), "<script>alert(1)</script>", "Pages"),
    (a_row(1, name="a\x00b\ud800c\u202ed\te\n"), "abcd e", "Pages"),
    (a_row(1, name="x" * 201), f"{'x' * 199}…", "Pages"),
    (a_row(1, category=None), "Page visits", "Other"),
    (a_row(1, category=" "), "Page visits", "Other"),
    ({name: value for name, value in a_row(1).items() if name != "category"}, "Page visits", "Other"),
    (a_row(1, category="<Music> &amp; more"), "Page visits", "<Music> & more"),
]


@pytest.mark.parametrize(("row", "name", "category"), HARMLESS, ids=range(len(HARMLESS)))
def test_harmless_text_is_taken_as_text(client: FlaskClient, row: object, name: str, category: str) -> None:
    did = imported(row)

    tool = db.session.scalars(select(Tool)).one()
    assert (did.skipped, tool.name, tool.category) == ([], name, category)
    pages = [client.get(path).text for path in ("/tools", f"/tools/{tool.slug}", "/search?q=visits")]
    assert all(str(escape(name)) in page for page in pages[:2])
    assert not [page for page in pages if "<script>alert(1)" in page or "<b>Fast" in page]


@pytest.mark.parametrize("margin", ["", "-5%", "abc", "1001%", "1e2", "20%%", "٢%", "0.00001%"])
def test_a_margin_that_is_none_is_refused(margin: str) -> None:
    with pytest.raises(BadInput):
        resale.read_margin(margin)


@pytest.mark.parametrize("rate", ["", "0", "0.0", "-1", "1e2", "abc", "1.0000000001", "1,08", "٢"])
def test_a_rate_of_exchange_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(BadInput):
        resale.read_exchange(rate)


@pytest.mark.parametrize("text", ["0.9", "12.5", "1", "0.000000001", "100"])
def test_a_rate_of_exchange_is_shown_as_it_is_read(text: str) -> None:
    assert resale.shown_exchange(resale.read_exchange(text)) == text


HOSTILE: list[Any] = [
    "a text",
    None,
    [],
    {},
    a_row(2, rate="1e4"),
    a_row(2, rate="1e99"),
    a_row(2, rate="1e-99"),
    a_row(2, rate="1e"),
    a_row(2, rate="."),
    a_row(2, rate="0x1"),
    a_row(2, rate="1_0"),
    a_row(2, rate="NaN"),
    a_row(2, rate="Infinity"),
    a_row(2, rate="0,90"),
    # As long as the reader of an answer leaves a number: its end may be missing.
    a_row(2, rate="1." + "0" * 38),
    a_row(2, rate="1" * 5_000),
    a_row(2, rate="-1"),
    a_row(2, rate="0"),
    a_row(2, rate=True),
    a_row(2, rate=None),
    a_row(2, rate=10**30),
    a_row(2, min="10", max="5"),
    a_row(2, min="0"),
    a_row(2, min=-1),
    a_row(2, max="1,000"),
    a_row(2, max=10**30),
    a_row(2, min="1.5"),
    a_row(0),
    a_row("abc"),
    a_row(None),
    a_row(2, name=""),
    a_row(2, name="\x00"),
    a_row(2, name="\ud800"),
    a_row(2, name=["a"]),
    a_row(2, name=None),
    a_row(2, category=["a"]),
    a_row(2, type="Custom Comments"),
    a_row(2, refill="perhaps"),
    a_row(2, refill=[]),
    a_row(1, name="The same again"),
    {name: value for name, value in a_row(2).items() if name != "rate"},
]


@pytest.mark.parametrize("row", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_row_is_skipped_with_a_reason_and_stops_nothing(row: object) -> None:
    did = imported(a_row(), row, a_row(3))

    assert did.added == ["page-visits-1", "page-visits-3"]
    assert len(did.skipped) == 1
    assert did.skipped[0].startswith(("Row 2", "Service 2"))
    assert len(did.skipped[0]) < 200


@pytest.mark.parametrize("answer", [[], ["nothing"], [a_row(rate="0")]])
def test_a_catalogue_without_a_usable_row_changes_nothing(answer: list[object]) -> None:
    imported(a_row())

    with pytest.raises(Refused):
        imported(*answer)

    assert not offered().is_hidden


def test_a_second_import_updates_price_and_limits_as_new_terms() -> None:
    imported(a_row())

    did = imported(a_row(rate="0.95", max="20000", refill=False))

    tool = offered()
    assert did.changed == ["page-visits-1"]
    assert (tool.price_micros_per_thousand, tool.maximum, tool.refill_days) == (950_000, 20_000, None)
    assert [each.version for each in catalogue.terms_log(tool.tool_id)] == [2, 1]


def test_the_same_catalogue_again_changes_nothing() -> None:
    imported(a_row(), a_row(2))
    before = catalogue.version()

    did = imported(a_row(), a_row(2))

    assert (did.added, did.changed, len(did.unchanged)) == ([], [], 2)
    assert catalogue.version() == before


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
def test_what_was_set_by_hand_is_never_touched(field: str, value: str, column: str, kept: object) -> None:
    imported(a_row())
    by_hand(field, value)

    imported(a_row(rate="1.00", min="60", max="900", name="Other", category="Else"))

    assert getattr(offered(), column) == kept
    assert db.session.scalars(select(AuditLine.act)).all() == ["tools set"]


def test_a_field_given_back_follows_the_provider_again() -> None:
    imported(a_row())
    by_hand("minimum", "100")
    with transaction():
        tool_settings.leave_to_import("page-visits-1", "minimum", actor="anna", now=NOON)

    imported(a_row(min="60"))

    assert offered().minimum == 60


def test_limits_that_do_not_fit_those_set_by_hand_are_left_and_told() -> None:
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

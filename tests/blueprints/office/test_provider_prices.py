"""Price rules of a provider in the office: old and new prices come first, prices set by hand stay."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db, transaction
from panel.models import AuditLogEntry, CategoryMargin, Provider, Terms
from panel.services.catalogue import tool_settings
from panel.services.catalogue.imports import price_rules
from tests.support.catalogue_imports import a_row, imported, offered
from tests.support.factories import NOON, a_provider
from tests.support.page_text import text_of

PAGE = "/office/providers/1/prices"
RULES = {"margin": "20", "fixed": "", "step": "1", "floor": ""}


def send(office: FlaskClient, given: dict[str, str], path: str = PAGE) -> tuple[str, int]:
    """Send the form, confirm what the page shows, and return that page's text and the last status."""
    asked = office.post(path, data=given)
    assert asked.status_code == 200, asked.text
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', asked.text)
    assert digest is not None
    done = office.post(path, data=given | {"confirmed": "yes", "digest": digest[1]})
    return text_of(asked.text), done.status_code


def price(slug: str = "page-visits-1") -> int:
    return offered(slug).price_micros_per_thousand


def set_price_by_hand(slug: str) -> None:
    with transaction():
        tool_settings.set_field(slug, "price_per_thousand", "5", actor="anna", now=NOON)


def test_rules_are_previewed_and_then_kept_for_the_next_import(office: FlaskClient) -> None:
    imported(a_row(), a_row(2, rate="0.0000011"), a_row(3))
    set_price_by_hand("page-visits-3")

    shown, status = send(office, RULES | {"fixed": "0.05", "step": "10000", "floor": "0.10"})

    assert "page-visits-1 0.90 → 1.13 per 1,000" in shown
    assert "page-visits-2 0.000002 → 0.10 per 1,000" in shown
    assert "Prices that change 2" in shown and "Set by hand, not touched 1" in shown
    assert status == 303
    assert (price(), price("page-visits-2"), price("page-visits-3")) == (1_130_000, 100_000, 5_000_000)
    assert "providers price rules" in db.session.scalars(select(AuditLogEntry.action)).all()
    page = office.get(PAGE).text
    assert 'name="margin" type="text" value="20%"' in page and 'value="0.05"' in page


def test_preview_alone_changes_nothing(office: FlaskClient) -> None:
    imported(a_row())

    office.post(PAGE, data=RULES)

    db.session.rollback()
    assert (price(), db.session.scalars(select(Provider.margin_millionths)).all()) == (900_000, [0])


def test_preview_is_exact_where_the_rate_is_finer_than_a_price(office: FlaskClient) -> None:
    imported(a_row(rate="1.0000001"))

    send(office, RULES | {"margin": "10"})

    # 1.10000011 and not 1.000001 with 10 %.
    assert price() == 1_100_001


def test_categories_have_a_margin_of_their_own(office: FlaskClient) -> None:
    imported(a_row(), a_row(2, category="Videos & <b>"))
    of_category = {"category": "Videos & <b>", "category_margin": "50", "category_fixed": "0.01"}

    shown, _status = send(office, of_category, f"{PAGE}/category")
    with_category = price("page-visits-2")
    send(office, RULES)
    with_both = (price(), price("page-visits-2"))
    send(office, {"category": "Videos & <b>"}, f"{PAGE}/category-removal")

    assert "1 category has its own margin" in shown
    assert with_category == 1_360_000
    assert with_both == (1_080_000, 1_360_000)
    assert price("page-visits-2") == 1_080_000
    assert db.session.scalars(select(CategoryMargin)).all() == []


def test_another_preview_is_asked_for_when_prices_changed_since(office: FlaskClient) -> None:
    imported(a_row(), a_row(2))
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', office.post(PAGE, data=RULES).text)
    assert digest is not None
    set_price_by_hand("page-visits-2")

    refused = office.post(PAGE, data=RULES | {"confirmed": "yes", "digest": digest[1]})

    assert refused.status_code == 409 and "Check again" in refused.text
    assert price() == 900_000


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("margin", ""),
        ("margin", "-5"),
        ("margin", "1001"),
        ("fixed", "-1"),
        ("fixed", "0.0000001"),
        ("step", "7"),
        ("floor", "1e3"),
        ("floor", "1001"),
    ],
)
def test_wrong_rules_are_refused_beside_their_field(office: FlaskClient, field: str, text: str) -> None:
    imported(a_row())

    refused = office.post(PAGE, data=RULES | {field: text})

    assert refused.status_code == 422 and f'id="{field}-error"' in refused.text
    assert price() == 900_000


def test_a_price_above_all_that_can_be_charged_is_not_saved(office: FlaskClient) -> None:
    imported(a_row(rate="900"))

    asked = office.post(PAGE, data=RULES | {"margin": "1000"})

    assert "These rules can’t be saved" in asked.text and 'name="confirmed"' not in asked.text


def test_rate_of_exchange_is_asked_for_where_the_currency_is_another(office: FlaskClient) -> None:
    imported(a_row(rate="90"), exchange="0.01")
    with transaction():
        provider = a_provider("panel_api")
        provider.balance, provider.catalogue_currency = "12.5 INR", ""

    assert "What 1 INR is worth in USD" in office.get(PAGE).text
    send(office, RULES | {"rate": "0.02"})

    db.session.rollback()
    assert price() == 2_160_000
    assert db.session.scalars(select(Provider.catalogue_currency)).all() == ["INR"]


def test_only_upstream_panels_have_price_rules(office: FlaskClient) -> None:
    a_provider("simulated")

    assert office.get(PAGE).status_code == 404


@pytest.mark.both_engines
def test_new_prices_are_new_terms() -> None:
    imported(a_row())
    provider, present = price_rules.of_provider(1)
    rules = price_rules.read(provider, present, RULES)
    with transaction():
        price_rules.save(1, lambda *_: rules, digest=price_rules.preview(1, rules).digest, actor="anna", now=NOON)

    versions = db.session.execute(select(Terms.version, Terms.price_micros_per_thousand).order_by(Terms.version)).all()
    assert [tuple(row) for row in versions] == [(1, 900_000), (2, 1_080_000)]

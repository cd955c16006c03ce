"""Renamed tools: an order keeps the name and description under which it was bought, wherever it is shown."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import Order, Review, Terms, Tool, User
from panel.services.catalogue import provider_import, tool_settings, tools
from panel.services.catalogue.provider_markup import Markup
from panel.services.mail import order_notifications
from panel.services.office import order_table, tool_editor
from panel.services.privacy import data_export_tables
from panel.services.tickets import customer_context, subjects
from tests.support.factories import NOON, a_customer, a_provider, a_tool, an_operator, an_order, logged_in, new_terms

OLD, NEW = "Article reads", "Video views"


def bought(status: Status = Status.PARTIAL) -> tuple[User, Tool, Order]:
    """An order of a tool that was named OLD when it was placed and is named NEW now."""
    customer, tool = a_customer("1000"), a_tool("reads")
    with transaction():
        tool.name, tool.unit, tool.category = OLD, "reads", "Articles"
    new_terms(tool, name=OLD, unit="reads", category="Articles")
    order = an_order(customer=customer, tool=tool, status=status, now=utc_now())
    rename(tool.slug, NEW)
    return customer, tool, order


def rename(slug: str, name: str) -> None:
    with transaction():
        tool_settings.set_field(slug, "name", name, actor="anna", now=utc_now())


@pytest.mark.parametrize("path", ["/orders", "/orders/{id}", "/orders/{id}/receipt", "/orders.csv"])
def test_customers_pages_and_export_show_the_tool_name_at_purchase(client: FlaskClient, path: str) -> None:
    customer, _tool, order = bought()
    logged_in(client, customer)

    text = client.get(path.format(id=order.id)).text

    assert OLD in text
    without_choices = text.replace(f'<option value="reads">{NEW}</option>', "").replace(f"Now called {NEW}", "")
    assert NEW not in without_choices


def test_page_that_was_rendered_before_says_the_same_after_the_change(client: FlaskClient) -> None:
    customer, tool = a_customer("1000"), a_tool("reads")
    an_order(customer=customer, tool=tool, now=utc_now())
    logged_in(client, customer)
    before = client.get("/orders").text

    rename("reads", NEW)

    row = '<td class="order-table__tool">Reads</td>'
    assert row in before and row in client.get("/orders").text


def test_order_page_says_what_the_tool_is_called_now(client: FlaskClient) -> None:
    customer, _tool, order = bought()
    logged_in(client, customer)

    assert f"Now called {NEW}" in client.get(f"/orders/{order.id}").text


def test_data_export_shows_the_tool_name_at_purchase() -> None:
    customer, _tool, _order = bought()

    [row] = db.session.execute(data_export_tables._orders(customer.id)).mappings()
    assert (row["tool"], row["tool_name"]) == ("reads", OLD)


def test_office_and_tickets_show_the_tool_name_at_purchase(client: FlaskClient) -> None:
    customer, _tool, order = bought()
    logged_in(client, an_operator())

    assert order_table.of_ids([order.id], now=utc_now())[order.id].tool == OLD
    assert OLD in client.get(f"/office/orders/{order.id}").text
    assert OLD in client.get(f"/office/customers/{customer.id}").text
    assert subjects._order(order.id, customer_id=customer.id).tool_name == OLD
    assert [each.tool_name for each in customer_context._newest_orders(customer.id)] == [OLD]


def test_mail_about_a_final_status_shows_the_tool_name_at_purchase() -> None:
    _customer, _tool, order = bought()
    with transaction():
        db.session.execute(update(Order).where(Order.id == order.id).values(notice_at=utc_now()))

    assert [row.name for row in db.session.execute(order_notifications._MARKED)] == [OLD]


@pytest.mark.both_engines
def test_each_way_to_rename_makes_new_terms() -> None:
    tool = a_tool("reads")
    first = tool.terms_id
    rename("reads", NEW)
    shown = tools.find_any("reads")
    assert shown is not None and shown.terms_id != first

    typed = tool_editor.typed_of(shown) | {"unit": "plays"}
    with transaction():
        version = tool_editor.version_of(shown)
        did = tool_editor.save("reads", typed, version=version, reason="Better.", actor="anna", now=utc_now())
    assert did.has_new_terms
    names = db.session.execute(
        select(Terms.name, Terms.unit).where(Terms.tool_id == tool.id).order_by(Terms.version)
    ).all()
    assert [tuple(row) for row in names] == [("Reads", "visits"), (NEW, "visits"), (NEW, "plays")]


def row_of(**more: object) -> dict[str, object]:
    return {"service": 1, "name": OLD, "category": "Articles", "rate": "0.90", "min": 10, "max": 100} | more


def imported(*rows: dict[str, object]) -> None:
    provider = a_provider("panel_api")
    with transaction():
        provider_import.import_services(provider, list(rows), markup=Markup(0), actor="test", now=NOON)


@pytest.mark.both_engines
def test_import_that_renames_a_service_keeps_the_names_of_its_orders() -> None:
    imported(row_of())
    slug = db.session.scalars(select(Tool.slug)).one()

    imported(row_of(name=NEW))

    assert db.session.scalars(select(Terms.name).order_by(Terms.version)).all() == [OLD, NEW]
    assert db.session.scalars(select(Tool.slug)).one() == slug
    assert db.session.scalars(select(Review.kind)).all() == []


def test_service_id_with_another_name_and_category_opens_one_review() -> None:
    imported(row_of())
    with transaction():
        tool_settings.set_field(db.session.scalars(select(Tool.slug)).one(), "name", "Ours", actor="anna", now=NOON)

    imported(row_of(name=NEW, category="Videos"))
    imported(row_of(name=NEW, category="Videos"))

    [review] = db.session.scalars(select(Review)).all()
    assert review.kind == "service_changed"
    assert OLD in review.text and NEW in review.text and "Videos" in review.text
    assert db.session.scalars(select(Tool.name)).one() == "Ours"


@pytest.mark.both_engines
def test_tool_of_a_service_that_may_be_another_is_hidden_until_an_operator_shows_it() -> None:
    imported(row_of())
    slug = db.session.scalars(select(Tool.slug)).one()

    imported(row_of(name=NEW, category="Videos"))
    imported(row_of(name=NEW, category="Videos", rate="1.00"))
    hidden = db.session.scalars(select(Tool.is_hidden)).one()
    with transaction():
        tool_editor.show_or_hide(slug, is_hidden=False, reason="It is the same.", actor="anna", now=NOON)
    imported(row_of(name=NEW, category="Videos", rate="1.10"))

    db.session.rollback()
    assert (hidden, db.session.scalars(select(Tool.is_hidden)).one()) == (True, False)


def test_tool_is_hidden_too_where_its_new_row_can_not_be_imported() -> None:
    imported(row_of())
    with transaction():
        tool_settings.set_field(db.session.scalars(select(Tool.slug)).one(), "minimum", "50", actor="anna", now=NOON)

    imported(row_of(name=NEW, category="Videos", max=20))

    assert db.session.scalars(select(Tool.is_hidden)).one() is True
    assert db.session.scalars(select(Review.kind)).all() == ["service_changed"]
    assert (db.session.scalars(select(Tool.name)).one(), db.session.scalars(select(Tool.provider_name)).one()) == (
        OLD,
        NEW,
    )

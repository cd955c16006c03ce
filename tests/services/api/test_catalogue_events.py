"""Webhooks about tools: each change of the API's list of services is announced once, to every endpoint."""

import json

import pytest
from flask import Flask
from sqlalchemy import select, update

from panel.db import db, transaction
from panel.jobs.catalogue import events as sweep
from panel.models import Catalogue, Tool, Webhook, WebhookDelivery
from panel.services.api import catalogue_events
from panel.services.catalogue import tool_settings
from panel.services.office import tool_editor
from tests.services.test_webhooks import an_endpoint
from tests.support.factories import NOON, a_customer, a_tool

pytestmark = pytest.mark.both_engines


def announced() -> list[dict[str, object]]:
    """Sweep; returns the bodies of the events it queued."""
    before = len(bodies())
    sweep.sweep(worker="test")
    return bodies()[before:]


def bodies() -> list[dict[str, object]]:
    db.session.rollback()
    return [json.loads(body) for body in db.session.scalars(select(Webhook.body).order_by(Webhook.id))]


def set_field(tool: Tool, field: str, text: str) -> None:
    with transaction():
        tool_settings.set_field(tool.slug, field, text, actor="test", now=NOON)


def test_first_list_is_stored_and_not_announced(app: Flask) -> None:
    an_endpoint(app, a_customer())
    a_tool()

    assert announced() == []
    assert announced() == []


def test_change_of_a_price_is_announced_once_with_the_price_before(app: Flask) -> None:
    an_endpoint(app, a_customer())
    tool = a_tool("visits", price="0.90")
    announced()

    set_field(tool, "price_per_thousand", "1.25")

    (event,) = announced()
    assert (event["kind"], event["currency"]) == ("tool.price_changed", "USD")
    assert event["tools"] == [{"service": tool.id, "name": tool.name, "rate_before": "0.90", "rate": "1.25"}]
    assert announced() == []


def test_new_changed_and_hidden_tools_are_announced_as_services_lists_them(app: Flask) -> None:
    an_endpoint(app, a_customer())
    kept, gone = a_tool("kept", minimum=10), a_tool("gone")
    announced()

    set_field(kept, "minimum", "20")
    with transaction():
        tool_editor.show_or_hide("gone", is_hidden=True, reason="Not sold any more.", actor="test", now=NOON)
    added = a_tool("added")

    (event,) = announced()
    assert event["kind"] == "tool.changed"
    tools = {(each["service"], each["change"]): each for each in event["tools"]}  # type: ignore[attr-defined]
    assert set(tools) == {(kept.id, "changed"), (gone.id, "removed"), (added.id, "added")}
    assert tools[kept.id, "changed"]["min"] == "20"
    assert "average_time" not in tools[added.id, "added"]


def test_change_that_is_undone_before_the_sweep_is_not_announced(app: Flask) -> None:
    an_endpoint(app, a_customer())
    tool = a_tool(price="0.90")
    announced()

    for price in ("1.25", "0.90"):
        set_field(tool, "price_per_thousand", price)

    assert announced() == []


def test_version_that_changes_for_another_reason_announces_nothing(app: Flask) -> None:
    an_endpoint(app, a_customer())
    a_tool()
    announced()

    with transaction():
        db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))

    assert catalogue_events.is_due()
    assert announced() == []
    assert not catalogue_events.is_due()


def test_every_customer_with_an_endpoint_is_sent_each_event_on_each_endpoint(app: Flask) -> None:
    first, second = a_customer(), a_customer()
    an_endpoint(app, first)
    an_endpoint(app, first, url="https://panel.example.com/other")
    an_endpoint(app, second)
    a_customer()
    tool = a_tool()
    announced()

    set_field(tool, "price_per_thousand", "3")

    assert len(announced()) == 2
    assert len(db.session.scalars(select(WebhookDelivery.id)).all()) == 3


def test_many_changes_are_announced_in_events_of_a_hundred_tools(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_events, "TOOLS_AN_EVENT", 2)
    an_endpoint(app, a_customer())
    announced()
    a_tool("first")
    announced()

    for slug in ("one", "two", "three", "four", "five"):
        a_tool(slug)

    assert [len(event["tools"]) for event in announced()] == [2, 2, 1]  # type: ignore[arg-type]

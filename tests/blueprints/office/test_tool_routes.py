"""Providers of a tool in the office: add, order, cheapest first, remove; wrong input changes nothing."""

from flask.testing import FlaskClient
from sqlalchemy import select

from panel.db import db
from panel.models import AuditLogEntry, ToolRoute
from panel.services.catalogue import routes
from tests.support.factories import a_provider, a_tool
from tests.support.page_text import text_of

PATH = "/office/tools/routed/providers"
SECOND = {"route_provider": "second", "service": "70", "route_rate": "0.40"}


def names() -> list[str]:
    db.session.rollback()
    return [route.provider_name for route in routes.of_tool(1)]


def test_providers_are_added_ordered_and_removed(office: FlaskClient) -> None:
    a_tool("routed", provider=a_provider("panel_api", name="first"), provider_service="7", price="0.30")
    for name in ("second", "third"):
        a_provider("panel_api", name=name)

    assert office.post(PATH, data=SECOND).status_code == 303
    assert office.post(PATH, data=SECOND | {"route_provider": "third", "route_rate": ""}).status_code == 303
    third = db.session.scalars(select(ToolRoute.id).order_by(ToolRoute.id.desc())).first()
    page = text_of(office.get(PATH).text)
    assert office.post(f"{PATH}/{third}/up").status_code == 303
    moved = names()
    assert office.post(f"{PATH}/order", data={"cheapest_first": "yes"}).status_code == 303
    cheapest = names()
    assert office.post(f"{PATH}/{third}/removal").status_code == 303

    assert "Customers pay $0.30 for 1,000." in page
    assert "2. second 70 $0.40 Above your price Takes orders" in page
    assert "3. third 70 Not known Takes orders" in page
    assert (moved, cheapest, names()) == (
        ["first", "third", "second"],
        ["second", "first", "third"],
        ["second", "first"],
    )
    assert "Its orders go to second, then to first." in text_of(office.get("/office/tools/routed").text)
    actions = db.session.scalars(select(AuditLogEntry.action).order_by(AuditLogEntry.id)).all()
    assert actions == ["tools route add", "tools route add", "tools route up", "tools routes", "tools route remove"]


def test_wrong_provider_service_and_price_are_named_and_kept(office: FlaskClient) -> None:
    a_tool("routed", provider=a_provider("panel_api", name="first"))
    a_provider("panel_api", name="second")

    answer = office.post(PATH, data=SECOND | {"route_rate": "cheap"})

    assert answer.status_code == 422
    assert "Write an amount in digits" in text_of(answer.text) and 'value="cheap"' in answer.text
    assert office.post(PATH, data=SECOND | {"route_provider": "nobody"}).status_code == 422
    assert office.post(PATH, data=SECOND | {"service": ""}).status_code == 422
    assert office.post(f"{PATH}/99/removal").status_code == 404
    assert office.get("/office/tools/unknown/providers").status_code == 404
    assert names() == ["first"]


def test_simulated_tool_has_only_simulated_providers(office: FlaskClient) -> None:
    a_tool("routed")
    a_provider("panel_api", name="second")
    alone = office.get(PATH).text
    a_provider("simulated", name="other")

    page = office.get(PATH).text

    assert "only other simulated providers can take its orders" in page
    assert "You have no other provider" in alone and '<option value="other"' in page
    assert '<option value="second"' not in page
    assert office.post(PATH, data=SECOND).status_code == 422
    assert office.post(PATH, data=SECOND | {"route_provider": "other", "service": "usual"}).status_code == 303
    assert names() == ["simulated", "other"]

"""“What happens next”: the order's page and the list agree, also for a paused provider and an open cancellation."""

import re

from flask import Flask
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.platform.component_states import State
from panel.domain.platform.incidents import Phase
from panel.domain.status import Status
from panel.models import Incident, Order, Provider, Tool, User
from panel.providers.base import Accepted, Unclear
from panel.services.orders import cancellations
from panel.services.platform import incidents
from panel.services.platform.incidents import UpdateText
from panel.services.providers import health as provider_health
from tests.support.factories import LINK, a_customer, a_tool, an_order, logged_in

MOVES_ON = "It moves on when it is picked up"


def next_steps(client: FlaskClient, order: Order) -> tuple[str, str]:
    """What the order's page and its row in the list say happens next."""
    row = re.search(rf'id="status-{order.id}">(.*?)</td>', client.get("/orders/live").text, re.S)
    assert row is not None
    return client.get(f"/orders/{order.id}").text, row[1]


def test_order_of_a_paused_provider_says_that_it_waits_and_again_when_it_goes_on(client: FlaskClient) -> None:
    customer = a_customer("1000")
    order = an_order(customer=customer, now=utc_now())
    logged_in(client, customer)
    before, tag = next_steps(client, order), client.get("/orders/live").headers["HX-PTag"]
    with transaction():
        provider_health.pause(order.provider_id, reason="Funds", now=utc_now())

    paused = next_steps(client, order)
    answer = client.get("/orders/live", headers={"HX-PTag": tag})
    with transaction():
        provider_health.resume(order.provider_id, now=utc_now())

    assert MOVES_ON in before[0] and "this order waits" not in before[0] and "Waiting" not in before[1]
    assert "takes no new orders at the moment, so this order waits" in paused[0] and MOVES_ON not in paused[0]
    assert "Waiting for provider" in paused[1]
    assert answer.status_code == 200
    after = next_steps(client, order)
    assert MOVES_ON in after[0] and after[1] == before[1]


def test_order_of_a_provider_that_gets_one_at_a_time_waits_too(client: FlaskClient) -> None:
    customer = a_customer("1000")
    order = an_order(customer=customer, now=utc_now())
    logged_in(client, customer)
    tag = client.get("/orders/live").headers["HX-PTag"]
    for _ in range(provider_health.UNCLEAR_AFTER):
        with transaction():
            provider_health.heard_of_order(order.provider_id, Unclear("502"), now=utc_now())

    page, row = next_steps(client, order)

    assert "this order waits" in page and "Waiting for provider" in row and MOVES_ON not in page
    assert client.get("/orders/live", headers={"HX-PTag": tag}).status_code == 200
    with transaction():
        provider_health.heard_of_order(order.provider_id, Accepted("7"), now=utc_now())
    assert MOVES_ON in next_steps(client, order)[0]


def asked_to_stop(customer: User, status: Status) -> Order:
    order = an_order(customer=customer, status=status, now=utc_now())
    with transaction():
        db.session.get_one(Order, order.id).provider_order_id = "7"
        cancellations.request_cancellation(order.id, customer_id=customer.id, now=utc_now())
    return order


def test_open_cancellation_is_shown_on_the_page_and_in_the_list(client: FlaskClient) -> None:
    customer = a_customer("1000")
    logged_in(client, customer)
    an_order(customer=customer, now=utc_now())
    client.get("/orders/live")
    order = asked_to_stop(customer, Status.IN_PROGRESS)

    page, row = next_steps(client, order)

    assert "It may still start or go on until the provider answers" in page
    assert "Cancellation requested" in row


def test_mass_order_keeps_the_true_reason_of_a_line_that_failed_its_check(client: FlaskClient) -> None:
    tool = a_tool("page-visits")
    lines = f"page-visits | {LINK} | 100\nno-such-tool | {LINK} | 100"
    form = {"lines": lines, "request_id": "one-form-of-lines", "step": "place", "terms": f"page-visits={tool.terms_id}"}

    page = logged_in(client, a_customer()).post("/orders/mass", data=form).text

    assert "was not part of what you checked" not in page
    assert "There is no such tool" in page


def test_help_and_the_closing_page_agree_about_pay_outs(client: FlaskClient) -> None:
    logged_in(client, a_customer("5"))

    closing = client.get("/account/closing").text

    assert "We don’t pay out balances." in closing and "give it up" in closing
    for path in ("/faq", "/refund-policy", "/terms-of-service"):
        assert re.search(r"panel doesn['’]t pay\s[^.]*out", client.get(path).text), path


def update_text(phase: Phase, parts: dict[str, State]) -> UpdateText:
    return UpdateText(phase, "Orders start late.", parts)


def opened(*components: str) -> Incident:
    with transaction():
        words = update_text(Phase.INVESTIGATING, dict.fromkeys(components, State.DEGRADED))
        return incidents.open_incident(
            "Late starts", words, request_id=f"form-{components}", actor="operator", now=utc_now()
        )


def test_open_incident_is_shown_in_the_banner_the_list_and_the_order_until_resolved(client: FlaskClient) -> None:
    customer = a_customer("1000")
    order = an_order(customer=customer, now=utc_now())
    logged_in(client, customer)
    before, tag = next_steps(client, order), client.get("/orders/live").headers["HX-PTag"]
    incident = opened("dispatch")

    page, row = next_steps(client, order)
    pages = [client.get(path).text for path in ("/orders", "/balance", "/tools")]
    answer = client.get("/orders/live", headers={"HX-PTag": tag})
    with transaction():
        incidents.update(incident.id, update_text(Phase.RESOLVED, {}), actor="operator", now=utc_now())

    link = f'href="/platform-status/incidents/{incident.slug}"'
    assert "Incident open" in row and "An incident is open that can delay this order." in page
    assert all("Open incident: " in text and link in text for text in [page, *pages])
    assert answer.status_code == 200
    assert next_steps(client, order)[1] == before[1]
    assert all("Open incident: " not in text for text in (before[0], client.get("/orders").text))


def test_incident_of_one_provider_concerns_only_those_who_use_its_tools(client: FlaskClient, app: Flask) -> None:
    mine, theirs = a_customer("1000"), a_customer("1000")
    with transaction():
        db.session.add(other := Provider(name="other", kind="manual", created_at=utc_now()))
    tool = a_tool("other-visits")
    order = an_order(customer=mine, now=utc_now())
    with transaction():
        db.session.get_one(Tool, tool.id).provider_id = other.id
    an_order(customer=theirs, tool=tool, now=utc_now())
    with transaction():
        provider = db.session.get_one(Provider, order.provider_id)
        provider.kind = "simulated"
    opened(f"provider-{order.provider_id}")

    pages = [logged_in(app.test_client(), each).get("/orders").text for each in (mine, theirs)]
    visitor = app.test_client().get("/tools").text

    assert ["Open incident: " in page for page in pages] == [True, False]
    assert ["Incident open" in page for page in pages] == [True, False]
    assert "Open incident: " not in visitor

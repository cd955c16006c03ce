"""Size of the office's largest page: a full table of orders with everything that it loads, as it is transferred."""

import re

from flask.testing import FlaskClient

from panel.assets import asset
from panel.domain.status import Status
from panel.services.office.order_table import MOST_TOOLS, PAGE_SIZE
from tests.support.factories import a_customer, a_tool, an_order

MAX_BYTES = 80_000
# htmx and its extension, compressed. Their hash is pinned; panels of tests don't download them.
HTMX_BYTES = 13_520
LOADED = re.compile(r'(?:href|src)="(/static/[^"]+\.(?:css|js))[^"]*"')
# A page of a panel that works: most orders have ended.
MIX = (*[Status.COMPLETED] * 5, Status.PARTIAL, Status.CANCELED, Status.REFILL, *[Status.IN_PROGRESS] * 2)


def transferred(office: FlaskClient, path: str) -> int:
    page = office.get(path)
    assert page.text.count('<tr id="order-') == PAGE_SIZE
    # Private pages aren't compressed: what a stranger typed stands beside secrets.
    assert "Content-Encoding" not in page.headers
    addresses = {*LOADED.findall(page.text), asset("live.js") or ""}
    parts = [office.get(address, headers={"Accept-Encoding": "gzip"}) for address in sorted(addresses)]
    assert len(parts) == 4
    return len(page.data) + sum(len(part.data) for part in parts) + HTMX_BYTES


def test_tool_is_typed_where_there_are_too_many_to_choose_from(office: FlaskClient) -> None:
    none_yet = office.get("/office/orders").text
    order = an_order(tool=a_tool("press-release"))
    few = office.get("/office/orders").text
    for number in range(MOST_TOOLS):
        a_tool(f"tool-of-many-{number}")

    many = office.get("/office/orders?tool=press-release").text

    assert ['<select id="tool"' in page for page in (none_yet, few, many)] == [True, True, False]
    assert '<input id="tool" name="tool" type="text" value="press-release"' in many and "tool-of-many" not in many
    assert f'<tr id="order-{order.id}"' in many


def test_full_table_of_orders_is_within_the_budget_with_and_without_filters(office: FlaskClient) -> None:
    customer = a_customer("10000", email="customer.of.ours@example.com")
    tools = [a_tool(f"newsletter-sign-ups-{number}") for number in range(20)]
    for number in range(PAGE_SIZE + 2):
        tool, status = tools[number % len(tools)], MIX[number % len(MIX)]
        link = f"https://example.com/newsletter-of-autumn-2026-{number}"
        an_order(customer=customer, tool=tool, status=status, link=link)

    plain = transferred(office, "/office/orders")
    filtered = transferred(office, "/office/orders?customer=customer.of.ours@example.com")

    assert plain <= MAX_BYTES and filtered <= MAX_BYTES, (plain, filtered)

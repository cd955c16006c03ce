"""Tool editor with a date: checked, listed, canceled, and read by customers at their own prices ahead."""

import html
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import db, transaction
from panel.models import ScheduledTerms, User
from panel.services.catalogue import scheduled_terms
from panel.services.office import price_groups
from tests.blueprints.office.test_tools import form, offer, save
from tests.support.factories import LINK, NOON, a_customer, a_tool, an_order, logged_in
from tests.support.page_text import text_of

DAY = timedelta(days=1)
DATE = f"{utc_now() + 7 * DAY:%Y-%m-%d} 09:00"
SHOWN = f"{datetime.fromisoformat(DATE):%-d %B %Y}, 09:00 UTC"


def schedule(office: FlaskClient, **changes: str) -> ScheduledTerms:
    assert save(office, form(effective_from=DATE, **changes), reason="Costs rose.") == 303
    (made,) = scheduled_terms.of_tool(offer().tool_id)
    return made


def customers_pages(app: Flask, customer: User) -> dict[str, str]:
    """What this customer reads, and what a visitor reads."""
    client, visitor = logged_in(app.test_client(), customer), app.test_client()
    order = {"tool": "page-visits", "link": LINK, "quantity": "1000", "request_id": "request-1"}
    addresses = ("/tools", "/tools/page-visits", "/updates")
    return {
        **{f"customer {each}": text_of(client.get(each).text) for each in (*addresses, "/orders/new?tool=page-visits")},
        "customer check": text_of(client.post("/orders/check", data=order).text),
        **{f"visitor {each}": text_of(visitor.get(each).text) for each in addresses},
        "feed": html.unescape(visitor.get("/updates.atom").text),
    }


def test_check_page_names_the_date_and_nothing_changes_before_it(office: FlaskClient) -> None:
    a_tool("page-visits", price="0.90")

    page = office.post(
        "/office/tools/page-visits/check", data=form(effective_from=DATE, price_per_thousand="1.20")
    ).text
    made = schedule(office, price_per_thousand="1.20")

    assert "Schedule the change" in page and SHOWN in page and f'value="{DATE}"' in page
    assert offer().price_micros_per_thousand == 900_000
    assert made.effective_at == datetime.fromisoformat(DATE).replace(tzinfo=UTC)
    assert f"{SHOWN} : Price per 1,000: 1.20. Pending" in text_of(office.get("/office/tools/page-visits").text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"effective_from": "tomorrow", "maximum": "500"}, "Write day and time in UTC"),
        ({"effective_from": "2001-01-01 10:00", "maximum": "500"}, "from 1 hour to 365 days ahead"),
        ({"effective_from": DATE, "name": "Other"}, "Save by itself: Name."),
        ({"effective_from": DATE, "maximum": "5"}, "is below the minimum"),
    ],
)
def test_wrong_dates_and_fields_that_take_none_save_nothing(
    office: FlaskClient, changes: dict[str, str], message: str
) -> None:
    a_tool("page-visits")

    checked = office.post("/office/tools/page-visits/check", data=form(**changes))
    saved = office.post("/office/tools/page-visits", data=form(**changes) | {"reason": "Costs rose."})

    assert (checked.status_code, saved.status_code) == (422, 422)
    assert message in html.unescape(checked.text) and message in html.unescape(saved.text)
    assert f'value="{changes["effective_from"]}"' in checked.text
    assert scheduled_terms.of_tool(offer().tool_id) == []


def test_customers_and_visitors_read_it_until_it_is_canceled(office: FlaskClient, app: Flask) -> None:
    a_tool("page-visits", price="1.00", minimum=10)
    member = a_customer("100")
    with transaction():
        group_id = price_groups.add("Resellers", "10", actor="operator", now=NOON)
        price_groups.give(member.id, group_id, actor="operator", now=NOON)
    before = customers_pages(app, member)
    made = schedule(office, price_per_thousand="2.00", minimum="100")

    pages = customers_pages(app, member)

    day = SHOWN.partition(",")[0]
    for name, page in pages.items():
        price = "$1.80" if name.startswith("customer") else "$2.00"
        expected = "Price per 1,000: $2.00, now $1.00" if name == "feed" else f"{price} per 1,000, minimum order 100"
        if name.endswith("/updates"):
            expected = f"{price} per 1,000, now ${'0.90' if name.startswith('customer') else '1.00'}"
        assert expected in page and day in page, (name, page)
        assert expected not in before[name]
    wrong = office.post(f"/office/tools/page-visits/scheduled/{made.id}/cancel")
    assert (wrong.status_code, "Write a reason" in wrong.text) == (422, True)
    canceled = office.post(f"/office/tools/page-visits/scheduled/{made.id}/cancel", data={"cancel_reason": "A slip."})
    assert canceled.status_code == 303
    for name, page in customers_pages(app, member).items():
        assert day not in page.replace("Last updated", ""), (name, page)
    assert "Canceled on" in text_of(office.get("/office/tools/page-visits").text)
    again = office.post(f"/office/tools/page-visits/scheduled/{made.id}/cancel", data={"cancel_reason": "Again."})
    assert again.status_code == 409


def test_change_that_leaves_a_customers_own_price_is_no_news_for_them(office: FlaskClient, app: Flask) -> None:
    a_tool("page-visits", price="1.00")
    member = a_customer("100")
    with transaction():
        group_id = price_groups.add("Resellers", "", actor="operator", now=NOON)
        price_groups.set_price(group_id, "page-visits", "0.80", actor="operator", now=NOON)
        price_groups.give(member.id, group_id, actor="operator", now=NOON)

    schedule(office, price_per_thousand="2.00")

    for name, page in customers_pages(app, member).items():
        assert (SHOWN.partition(",")[0] in page and "2.00" in page) != name.startswith("customer"), name


def test_pages_follow_as_soon_as_it_takes_effect(office: FlaskClient, app: Flask) -> None:
    a_tool("page-visits", price="1.00")
    schedule(office, price_per_thousand="2.00")
    client, visitor = logged_in(app.test_client(), a_customer("100")), app.test_client()
    for browser in (client, visitor):
        assert "From" in text_of(browser.get("/tools").text)

    with transaction():
        assert scheduled_terms.apply_next(now=utc_now() + 8 * DAY)

    db.session.rollback()
    for browser in (client, visitor):
        page = text_of(browser.get("/tools").text)
        assert "$2.00 per 1,000" in page and "From" not in page
    assert "Price per 1,000 $2.00, was $1.00" in text_of(visitor.get("/updates").text)
    assert "Took effect on" in text_of(office.get("/office/tools/page-visits").text)


def test_retirement_shows_whom_it_concerns_and_is_read_everywhere_until_withdrawn(
    app: Flask, office: FlaskClient
) -> None:
    tool = a_tool("page-visits")
    customer = a_customer("10")
    an_order(customer=customer, tool=tool)
    fields = {"retires_from": DATE, "retire_reason": "The provider ends it."}

    asked = text_of(office.post("/office/tools/page-visits/retirement", data=fields).text)
    pages = customers_pages(app, customer)
    answer = office.post("/office/tools/page-visits/retirement", data={**fields, "confirmed": "yes"})

    assert "Open orders, which go on 1" in asked and "Schedule the retirement" in asked
    assert not any("no longer accepted" in page for page in pages.values())
    assert answer.status_code == 303
    announced = customers_pages(app, customer)
    assert {name for name, page in announced.items() if "no longer accepted" not in page} == set()
    editor = text_of(office.get("/office/tools/page-visits").text)
    assert "Retired: no new orders" in editor and "Retire this tool later" not in editor
    (made,) = scheduled_terms.of_tool(tool.id)
    form = {"cancel_reason": "It stays."}
    assert office.post(f"/office/tools/page-visits/scheduled/{made.id}/cancel", data=form).status_code == 303
    assert not any("no longer accepted" in page for page in customers_pages(app, customer).values())


@pytest.mark.parametrize("wrong", ["soon", "2001-01-01 10:00"])
def test_a_wrong_date_of_retirement_keeps_what_was_typed(office: FlaskClient, wrong: str) -> None:
    a_tool("page-visits")

    form = {"retire_reason": "It ends.", "retires_from": wrong}
    page = office.post("/office/tools/page-visits/retirement", data=form)

    assert page.status_code == 422 and 'id="retires_from-error"' in page.text
    assert 'value="It ends."' in page.text and f'value="{wrong}"' in page.text

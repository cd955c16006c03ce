"""Navigation of visitors, customers and operators, as it is without scripts."""

import re
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.application import create_app
from panel.blueprints.shared import navigation, template_globals
from panel.blueprints.shared.navigation import Link
from tests.support import databases
from tests.support.factories import a_customer, an_operator, logged_in
from tests.support.ticket_factories import a_ticket

VISITOR = ["SmmPanelUS", "Tools", "Order statuses", "FAQ", "API", "Platform status", "Log in", "Sign up"]
CUSTOMER = ["Orders", "New order", "Tools"]
HELP = ["Getting started", "Order statuses", "FAQ", "Platform status", "Tickets"]
ACCOUNT = ["Add funds", "Statement", "Mass order", "API keys", "Webhooks", "Security", "Notifications"]


def _links(html: str) -> list[str]:
    found = re.findall(r"<a [^>]*>(.*?)</a>", html, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", words)).split()) for words in found]


def _bar(page: str) -> str:
    return page.split("<header", 1)[1].split("</header>", 1)[0]


def test_every_link_of_the_navigation_leads_to_a_page(app: Flask) -> None:
    footer = [link for _heading, links in navigation.FOOTER for link in links]
    links: list[Link] = [*navigation.BAR, *navigation.HELP, *navigation.ACCOUNT, *navigation.OFFICE, *footer]

    with app.app_context():
        assert [link.path for link in links if not template_globals.has_page(link.path)] == []


def test_visitor_has_the_public_pages_and_two_ways_in(client: FlaskClient) -> None:
    assert _links(_bar(client.get("/faq").text)) == VISITOR


def test_customer_has_orders_help_balance_and_account(client: FlaskClient) -> None:
    customer = a_customer(balance="12.50", email="ada@example.com")

    bar = _bar(logged_in(client, customer).get("/orders").text)

    assert _links(bar) == ["SmmPanelUS", "Balance $12.50", "Add funds", *CUSTOMER, *HELP, *ACCOUNT]
    assert re.findall(r'<span class="menu__label">(.*?)</span>', bar) == ["Help", "ada@example.com"]
    assert bar.index('href="/account/notices"') < bar.index('name="theme"') < bar.index('action="/log-out"')


def test_menus_close_each_other_without_scripts(client: FlaskClient) -> None:
    bar = _bar(logged_in(client, a_customer()).get("/orders").text)

    assert bar.count('<details class="menu" name="bar"') + bar.count('data-kind="account" name="bar"') == 2


def test_operator_has_a_way_to_the_office(client: FlaskClient) -> None:
    bar = _bar(logged_in(client, an_operator()).get("/orders").text)

    assert "Office" in _links(bar)
    assert "Office" not in _links(_bar(logged_in(client, a_customer()).get("/orders").text))


def test_office_has_a_bar_of_its_own_and_counts_what_waits(office: FlaskClient) -> None:
    a_ticket()

    page = office.get("/office").text
    side = page.split('aria-label="Office"')[1].split("</nav>")[0]

    assert _links(_bar(page))[0] == "SmmPanelUS Office"
    assert "/orders/new" not in _bar(page)
    assert "<footer" not in page
    labels = [link.label for link in navigation.OFFICE]
    labels[labels.index("Tickets")] = "Tickets 1 waiting"
    assert _links(side) == [*labels, "Customer site"]
    assert 'id="office-total">1<' in side


@pytest.mark.parametrize(
    ("path", "words"),
    [("/faq", "FAQ"), ("/orders", "Orders"), ("/balance/statement", "Statement"), ("/account", "Security")],
)
def test_current_page_is_marked_in_the_bar(client: FlaskClient, path: str, words: str) -> None:
    bar = _bar(logged_in(client, a_customer()).get(path).text)

    assert re.findall(r'aria-current="page">(.*?)</a>', bar) == [words]


def test_menu_that_holds_the_current_page_is_marked(client: FlaskClient) -> None:
    browser = logged_in(client, a_customer())

    assert "<summary data-current>" in browser.get("/faq").text
    assert "<summary data-current>" not in browser.get("/orders").text


def test_bar_never_says_status_guide(client: FlaskClient) -> None:
    assert "Status guide" not in client.get("/").text + logged_in(client, a_customer()).get("/orders").text


def test_sign_up_and_footer_lead_to_the_terms(client: FlaskClient) -> None:
    page = client.get("/sign-up").text
    form, footer = page.split("<form", 1)[1].split("</form>")[0], page.split("<footer", 1)[1]

    for path in ("/terms-of-service", "/refund-policy", "/privacy", "/acceptable-use", "/contact"):
        assert f'href="{path}"' in form, path
        assert f'href="{path}"' in footer, path


def test_footer_names_the_company_only_where_it_is_set(app: Flask, tmp_path: Path) -> None:
    unnamed = app.test_client().get("/faq").text.split("<footer", 1)[1]
    ours = {"company_name": "Example Reach", "company_address": "1 Main Street", "contact_email": "hi@example.com"}
    other = create_app(databases.settings_for(tmp_path / "instance", **ours))

    named = other.test_client().get("/faq").text.split("<footer", 1)[1]
    databases.close(other)

    assert "<p>Example Reach, 1 Main Street</p>" in named
    assert 'href="mailto:hi@example.com"' in named
    assert "mailto:" not in unnamed
    assert unnamed.count("<p>") == 1

"""Machine-readable data: structured data of each page, sitemap, robots.txt and security.txt."""

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.blueprints.shared.template_globals import has_page
from panel.clock import utc_now
from panel.db import transaction
from panel.services.catalogue import tools
from tests.content.pages import PAGES, page, words
from tests.support.factories import a_tool

NAME = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
# Properties of structured data that must also be visible on the page.
SHOWN = {"name", "description", "text", "price", "unitText"}


def graph_of(html: str) -> list[dict[str, Any]]:
    blocks = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.S)
    assert len(blocks) == 1
    nodes: list[dict[str, Any]] = json.loads(blocks[0])["@graph"]
    return nodes


def texts_in(node: object) -> Iterator[str]:
    """Every text of the structured data that must be visible."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in SHOWN and isinstance(value, str):
                yield value
            else:
                yield from texts_in(value)
    elif isinstance(node, list):
        for each in node:
            yield from texts_in(each)


def in_sitemap(client: FlaskClient) -> dict[str, str | None]:
    tree = ElementTree.fromstring(client.get("/sitemap.xml").data)
    return {urlsplit(str(url.findtext(f"{NAME}loc"))).path or "/": url.findtext(f"{NAME}lastmod") for url in tree}


def types_of(client: FlaskClient, path: str) -> set[str]:
    text = json.dumps(graph_of(page(client, path)))
    return set(re.findall(r'"@type": "(\w+)"', text))


def test_link_previews_say_what_their_page_says(client: FlaskClient) -> None:
    with transaction():
        tools.import_demo(now=utc_now())

    for path in in_sitemap(client):
        html = page(client, path)
        seen = words(html)
        assert [text for text in texts_in(graph_of(html)) if " ".join(text.split()) not in seen] == [], path


@pytest.mark.parametrize(
    ("path", "types"),
    [
        ("/", {"WebSite", "SearchAction", "Organization"}),
        ("/order-statuses", {"DefinedTermSet", "DefinedTerm", "BreadcrumbList"}),
        ("/order-statuses/refill", {"DefinedTerm", "BreadcrumbList"}),
        ("/faq", {"FAQPage", "Question", "Answer", "BreadcrumbList"}),
        ("/privacy", {"WebPage", "BreadcrumbList"}),
        ("/tools/sold", {"Service", "Offer", "UnitPriceSpecification", "BreadcrumbList"}),
    ],
)
def test_a_page_says_what_it_is(client: FlaskClient, path: str, types: set[str]) -> None:
    a_tool("sold")

    assert types <= types_of(client, path)


def test_the_search_that_the_graph_names_is_there(client: FlaskClient) -> None:
    site = graph_of(page(client, "/"))[0]

    template = site["potentialAction"]["target"]["urlTemplate"]
    assert client.get(template.replace("{search_term_string}", "partial").removeprefix("http://127.0.0.1:8000")).data


def test_the_sitemap_names_every_help_page_with_its_day(client: FlaskClient) -> None:
    days = in_sitemap(client)

    assert set(PAGES) <= set(days)
    assert all(date.fromisoformat(str(days[path])) <= utc_now().date() for path in [*PAGES, "/", "/api"])


def test_the_sitemap_follows_the_catalogue(client: FlaskClient) -> None:
    tool = a_tool("new-here")

    assert in_sitemap(client)["/tools/new-here"] == tool.changed_at.date().isoformat()

    with transaction():
        tool.is_hidden = True
    assert "/tools/new-here" not in in_sitemap(client)


def test_the_sitemap_holds_only_pages_that_may_be_indexed(client: FlaskClient) -> None:
    for path in in_sitemap(client):
        assert 'name="robots" content="index, follow"' in page(client, path), path


def test_robots_may_read_all_but_fragments(client: FlaskClient) -> None:
    lines = client.get("/robots.txt").text.splitlines()

    assert "Sitemap: http://127.0.0.1:8000/sitemap.xml" in lines
    assert "Disallow: /orders/live" in lines
    assert "Disallow: /" not in lines and "Disallow: /orders" not in lines


def test_security_txt_names_the_operator_or_else_a_ticket(app: Flask, client: FlaskClient) -> None:
    without = client.get("/.well-known/security.txt")
    assert without.status_code == (200 if has_page("/tickets/new") else 404)

    app.config["PANEL"].support_email = "help@example.com"
    # The footer reads its settings once, when the application is created.
    app.jinja_env.globals["contact_email"] = "help@example.com"

    text = client.get("/.well-known/security.txt").text
    assert "Contact: mailto:help@example.com" in text and "Expires: 20" in text
    assert "mailto:help@example.com" in page(client, "/order-statuses/pending")

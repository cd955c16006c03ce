"""Links of all public pages: each target exists in the running app, anchors included."""

import re
from functools import cache
from html import unescape
from urllib.parse import urlsplit
from xml.etree import ElementTree

from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import transaction
from panel.services.catalogue import tools

NAME = "{http://www.sitemaps.org/schemas/sitemap/0.9}loc"
# The anchors of a page that requires a login are not visible to visitors.
FOUND = (200, 303)


def public_pages(client: FlaskClient) -> list[str]:
    with transaction():
        tools.import_demo(now=utc_now())
    tree = ElementTree.fromstring(client.get("/sitemap.xml").data)
    return [urlsplit(str(each.text)).path or "/" for each in tree.iter(NAME)]


def test_every_link_and_every_place_on_a_page_is_there(client: FlaskClient) -> None:
    paths = public_pages(client)

    @cache
    def page(path: str) -> tuple[int, set[str]]:
        answer = client.get(path)
        is_page = answer.mimetype == "text/html"
        return answer.status_code, set(re.findall(r'\bid="([^"]+)"', answer.text)) if is_page else set()

    lost = []
    for path in paths:
        for address in set(re.findall(r'(?:href|src|action)="([^"]+)"', client.get(path).text)):
            target = urlsplit(unescape(address))
            if target.scheme in ("http", "https", "mailto") and not target.netloc.startswith("127.0.0.1"):
                continue
            status, places = page(target._replace(scheme="", netloc="", fragment="").geturl() or path)
            is_place = not target.fragment or target.fragment in places or status == 303
            if status not in FOUND or not is_place:
                lost.append(f"{path}: {address} is {status}")

    assert len(paths) > 30
    assert lost == []

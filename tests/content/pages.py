"""Help pages, and their visible text."""

import re
from html import unescape

from flask.testing import FlaskClient

from panel.domain.status import Status
from panel.services.help.content import GUIDES

STATUS_PAGES = [f"/order-statuses/{status.slug}" for status in Status]
PAGES = [*STATUS_PAGES, *(f"/{name}" for name in GUIDES)]


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.text


def words(html: str) -> str:
    """The visible text, with single spaces."""
    seen = re.sub(r"<(script|style|title)\b.*?</\1>", " ", html, flags=re.S)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", seen)).split())


def main_of(html: str) -> str:
    """The part between the navigation bar and the footer."""
    found = re.search(r"<main.*</main>", html, re.S)
    assert found
    return found[0]

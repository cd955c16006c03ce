"""Facts on help pages: figures, statuses and time windows are filled in from the code, never typed."""

import re
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from panel.blueprints.shared import help_texts as help_pages
from panel.domain import money
from panel.domain.status import Status
from panel.services import delivery_times
from panel.services.help.facts import WCAG, facts_for_prose
from panel.services.help.worked_examples import worked_sum
from panel.services.privacy.data_export_tables import tables
from panel.settings import ROOT, Settings
from tests.content.pages import PAGES, main_of, page, words
from tests.support.factories import a_customer

TEXTS = [path for folder in ("statuses", "guides", "faq") for path in sorted((ROOT / "content" / folder).glob("*.md"))]
TEMPLATES = [path for folder in ("help", "search") for path in sorted((ROOT / "templates" / folder).glob("*.html"))]
LABELS = re.compile(rf"\b(?:{'|'.join(status.label for status in Status)})\b")
NUMBER = re.compile(r"(?<![\w#])\$?\d[\d,.:]*\d|(?<![\w#])\$?\d")
COUNTED = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|twenty|thirty|half|hundred|thousand"
    r"|twice a|per cent|percent|minutes?|hours?|seconds|days|weeks?|months?)\b",
    re.IGNORECASE,
)
# Words about time that state no duration.
NO_LENGTH = ("number of days",)
# The unit of all prices: `Terms.price_micros_per_thousand`.
PRICED_PER = "1,000"


def typed(path: Path) -> str:
    """The typed text of a file, without filled-in facts, addresses, and keys that aren't prose."""
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", " ", path.read_text(), flags=re.S)
    text = re.sub(r"^(changed|remains|position|owner|next|  -): .*$|^  - /.*$|^## \d\. ", " ", text, flags=re.M)
    return re.sub(r"\]\([^)]*\)", "]", text)


def test_no_text_types_a_status_or_a_figure() -> None:
    guilty = {path.name: LABELS.findall(typed(path)) + re.findall(r"\d+", typed(path)) for path in TEXTS}

    assert {name: found for name, found in guilty.items() if found} == {}


def test_no_text_types_a_count_or_a_length_in_words() -> None:
    guilty = {path.name: COUNTED.findall(_without_other_times(typed(path))) for path in TEXTS}

    assert {name: found for name, found in guilty.items() if found} == {}


def _without_other_times(text: str) -> str:
    plain = " ".join(text.lower().split())
    for phrase in NO_LENGTH:
        plain = plain.replace(phrase, "")
    return plain


def test_no_template_types_a_status_or_a_figure() -> None:
    seen = {path.name: re.sub(r"<[^>]*>", " ", typed(path)).replace(PRICED_PER, "") for path in TEMPLATES}

    guilty = {name: LABELS.findall(text) + re.findall(r"\b\d+\b", text) for name, text in seen.items()}
    assert {name: found for name, found in guilty.items() if found} == {}


def accounted(path: str, settings: Settings) -> set[str]:
    """Every number that the page may show, computed from the code."""
    facts = " ".join(facts_for_prose(settings).values())
    numbers = set(NUMBER.findall(facts)) | set(NUMBER.findall(WCAG)) | {PRICED_PER}
    numbers |= {str(delivery_times.WINDOW.days), str(delivery_times.MIN_SAMPLE), f"{delivery_times.NEWEST_ORDERS:,}"}
    for status, text in help_pages.texts().statuses.items():
        if path in ("/order-statuses", f"/order-statuses/{status.slug}"):
            worked = worked_sum(status, remains=text.keys.remains)
            numbers |= {f"{worked.quantity:,}", f"{worked.delivered:,}", f"{worked.remains:,}"}
            numbers |= {money.shown(nanos) for nanos in (worked.charge_nanos, worked.held_nanos)}
            numbers |= {money.shown(nanos) for nanos in (worked.kept_nanos, worked.returned_nanos)}
            numbers.add(money.shown_price(worked.price_micros_per_thousand))
    return numbers


def shown(html: str) -> list[str]:
    """Every number between the navigation bar and the footer, except dates and step numbers."""
    main = re.sub(r"<time.*?</time>|<svg.*?</svg>", " ", main_of(html), flags=re.S)
    return NUMBER.findall(re.sub(r"(^|\s)\d\. ", " ", words(main)))


def test_every_number_on_a_page_is_accounted_for(app: Flask, client: FlaskClient) -> None:
    for path in PAGES:
        numbers = accounted(path, app.config["PANEL"])
        assert [number for number in shown(page(client, path)) if number.rstrip(".,:") not in numbers] == [], path


def test_the_texts_follow_the_table_and_the_settings() -> None:
    facts = facts_for_prose(Settings(_env_file=None, unconfirmed_hours=1, dispatch_hours=2.5, sync_seconds=7))

    assert (facts["unconfirmed_hours"], facts["dispatch_hours"]) == ("1 hour", "2.5 hours")
    assert facts["sync_seconds"] == "7 seconds"
    assert facts["status_count"] == "seven" and facts["ends"] == "Partial and Canceled"
    assert facts["held"] == "Pending, Processing or In progress"
    assert facts["canceled_page"] == "[Canceled](/order-statuses/canceled)"


# Every table with a customer's data, with the privacy page's words for it.
NAMED_IN_PRIVACY = {
    "account": "Your email address, when you opened the account",
    "log_ins": "For each log-in: a short name of the browser",
    "orders": "Tool, link, quantity, price, counts and statuses",
    "order_fields": "what else you entered for the order",
    "drip_feed_runs": "the runs of a drip-feed",
    "order_events": "each report about them",
    "refills": "each refill or cancellation you asked for",
    "cancellations": "each refill or cancellation you asked for",
    "statement": "Every amount that moved",
    "deposits": "your deposits",
    "tickets": "Your tickets",
    "ticket_messages": "what you wrote, and what we answered",
    "ticket_images": "with the images attached",
    "api_keys": "a hash of each key",
    "webhook_endpoints": "the addresses you gave",
    "webhooks": "what was sent there",
    "webhook_deliveries": "what was sent there",
    "mails": "Emails that we sent you",
    "telegram_messages": "which notifications go there, and the messages that we sent",
    "favorites": "Your favorite tools",
    "public_links": "Public links to your orders",
}


def test_the_privacy_page_names_everything_that_is_kept(client: FlaskClient) -> None:
    seen = words(page(client, "/privacy"))

    assert {table.name for table in tables(a_customer().id)} == set(NAMED_IN_PRIVACY)
    assert [words for words in NAMED_IN_PRIVACY.values() if words not in seen] == []


def test_no_other_cookies_are_set_than_the_privacy_page_names(client: FlaskClient) -> None:
    for path in [*PAGES, "/", "/tools", "/api", "/search?q=partial", "/log-in", "/sign-up", "/forgot-password"]:
        client.get(path)
    client.post("/sign-up", data={"email": "cookies@example.com", "password": "walks in by herself"})
    client.get("/appearance?theme=dark")

    kept = list(client._cookies.values())  # type: ignore[union-attr]
    assert {cookie.key for cookie in kept} == {"session", "theme", "device"}
    assert [cookie.key for cookie in kept if not cookie.http_only] == []


def test_no_help_page_sets_a_cookie(client: FlaskClient) -> None:
    assert [path for path in PAGES if "Set-Cookie" in client.get(path).headers] == []

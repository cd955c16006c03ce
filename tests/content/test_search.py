"""Search of help and tools: results, their order, and escaped input."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import transaction
from panel.domain.status import Status
from panel.services.catalogue import tools
from panel.services.help.search import MAX_HITS, MAX_QUERY_LENGTH, Document, Index
from tests.content.pages import main_of, words
from tests.support.factories import a_customer, a_tool, logged_in, new_terms


def found(client: FlaskClient, asked: str) -> list[str]:
    """Addresses of the results, in order."""
    answer = client.get("/search", query_string={"q": asked})
    assert answer.status_code == 200
    return [unescape(each) for each in re.findall(r'<h2><a href="([^"]+)"', answer.text)]


@pytest.mark.parametrize("status", list(Status))
def test_the_name_of_a_status_leads_to_its_page_first(client: FlaskClient, status: Status) -> None:
    assert found(client, status.label)[0] == f"/order-statuses/{status.slug}"


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("cancelled order money", "/faq#canceled-money"),
        ("why is my order pending", "/faq#is-pending-wrong"),
        ("cookies", "/privacy#cookies"),
        ("screen reader", "/accessibility#what-we-havent-checked"),
        ("add funds", "/getting-started#add-funds"),
        ("podcast", "/tools/podcast-plays"),
        ("api key", "/api"),
    ],
)
def test_common_queries_find_their_page_among_the_first(client: FlaskClient, asked: str, path: str) -> None:
    with transaction():
        tools.import_demo(now=utc_now())

    assert path in found(client, asked)[:3]


def test_a_tool_is_found_from_when_it_is_there_until_it_is_hidden(client: FlaskClient) -> None:
    assert found(client, "zeppelin") == []
    tool = a_tool("zeppelin-rides")

    assert found(client, "zeppelin") == ["/tools/zeppelin-rides"]

    with transaction():
        tool.is_hidden = True
    new_terms(tool)
    assert found(client, "zeppelin") == []


def test_words_in_other_forms_and_beginnings_are_found(client: FlaskClient) -> None:
    assert found(client, "refunds") and found(client, "cancelling") and found(client, "REFIL")


@pytest.mark.parametrize("asked", ["<script>alert(1)</script> partial", '"><b>partial', "partial\x01", "%00", "'"])
def test_hostile_words_stay_text(client: FlaskClient, asked: str) -> None:
    answer = client.get("/search", query_string={"q": asked})

    assert answer.status_code == 200
    assert "<script>alert" not in answer.text and "<b>" not in main_of(answer.text)


def test_hostile_text_of_a_tool_is_marked_and_stays_text(client: FlaskClient) -> None:
    tool = a_tool("odd-tool")
    with transaction():
        tool.name = "<i>Xylophone</i> & more"
    new_terms(tool)

    html = client.get("/search?q=xylophone").text

    assert "&lt;i&gt;<mark>Xylophone</mark>&lt;/i&gt; &amp; more" in html


def test_nothing_asked_and_nothing_found_say_what_to_do(client: FlaskClient) -> None:
    nothing, none = client.get("/search").text, client.get("/search?q=qqqzzz").text

    assert "Enter one or more words" in words(nothing) and "No results for “qqqzzz”" in words(none)
    for html in (nothing, none, client.get("/search?q=the").text):
        assert 'content="noindex' in html and 'href="/order-statuses"' in html


def test_an_endless_question_is_cut_and_answered(client: FlaskClient) -> None:
    answer = client.get("/search", query_string={"q": "partial " * 5_000})

    assert answer.status_code == 200
    assert len(re.search(r'name="q"[^>]*value="([^"]*)"', answer.text)[1]) <= MAX_QUERY_LENGTH


def test_a_missing_page_offers_the_search(client: FlaskClient) -> None:
    for reader in (client, logged_in(client, a_customer())):
        answer = reader.get("/order-statuses/nowhere")
        assert answer.status_code == 404 and 'action="/search"' in answer.text


def test_a_place_with_all_the_words_comes_before_one_with_one_of_them() -> None:
    both = Document("/both", "Help", "Something else", "A refill of an old order costs nothing.")
    one = Document("/one", "Help", "Refill refill refill", "Refill, refill, refill.")

    hits = Index([one, both]).find("refill costs")

    assert [hit.document.path for hit in hits] == ["/both", "/one"]
    assert [piece.text for piece in hits[0].excerpt if piece.is_match] == ["refill", "costs"]


def test_a_long_text_is_shown_around_the_first_word() -> None:
    text = " ".join(["before"] * 100 + ["needle"] + ["after"] * 100)

    hit = Index([Document("/", "Help", "Hay", text)]).find("needle")[0]

    shown = "".join(piece.text for piece in hit.excerpt)
    assert "needle" in shown and len(shown) < 300 and shown.startswith("… ") and shown.endswith(" …")


def test_no_more_than_a_page_of_places_is_shown() -> None:
    index = Index([Document(f"/{number}", "Help", "Same", "Same words.") for number in range(100)])

    assert len(index.find("same")) == MAX_HITS


def test_page_says_how_many_results_there_are(client: FlaskClient) -> None:
    few, many = words(client.get("/search?q=cookies").text), words(client.get("/search?q=order").text)

    assert re.search(r"\b\d+ results? for “cookies”", few)
    assert f"{MAX_HITS} best results for “order”" in many

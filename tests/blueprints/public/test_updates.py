"""Updates page and feed: every change of tools and terms, and announcements for those they are meant for."""

from datetime import timedelta
from xml.etree import ElementTree

from flask.testing import FlaskClient

from panel.clock import utc_now
from panel.db import transaction
from panel.models import Tool
from panel.services import announcements
from panel.services.catalogue import terms_changes, tool_settings
from panel.services.catalogue.terms_changes import ChangeKind
from panel.services.office import tool_editor
from tests.support.factories import NOON, a_customer, a_tool, logged_in, new_terms
from tests.support.page_text import text_of

DAY = timedelta(days=1)


def hide(tool: Tool) -> None:
    with transaction():
        tool_editor.show_or_hide(tool.slug, is_hidden=True, reason="Too slow.", actor="operator", now=NOON + DAY)


def publish(title: str, audience: str = "everyone", *, is_pinned: bool = False) -> int:
    with transaction():
        made = announcements.draft(title=title, text="Line one.\nLine two.", audience=audience, actor="x", now=NOON)
        announcements.publish(made.id, is_pinned=is_pinned, with_mail=False, seen=1, actor="x", now=utc_now())
        return made.id


def test_new_tools_changed_terms_and_retired_tools_are_listed_newest_first() -> None:
    plays, visits = a_tool("podcast-plays", price="0.90"), a_tool("page-visits")
    new_terms(plays, price_micros_per_thousand=1_200_000)
    hide(visits)

    found = terms_changes.newest()

    assert [(change.kind, change.name) for change in found] == [
        (ChangeKind.RETIRED, "Page visits"),
        (ChangeKind.TERMS, "Podcast plays"),
        (ChangeKind.NEW, "Podcast plays"),
    ]
    assert [(field.label, field.before, field.after) for field in found[1].fields] == [
        ("Price per 1,000", "$0.90", "$1.20")
    ]


def test_drafts_of_tools_that_were_never_shown_stay_private(client: FlaskClient) -> None:
    a_tool("secret-plan", is_hidden=True)

    assert terms_changes.newest() == []
    assert "Secret plan" not in client.get("/updates").text + client.get("/updates.atom").text


def test_page_and_feed_follow_the_next_change(client: FlaskClient) -> None:
    tool = a_tool("podcast-plays", price="0.90")
    for _ in range(2):
        assert "was $0.90" not in client.get("/updates").text

    with transaction():
        tool_settings.set_field(tool.slug, "price_per_thousand", "1.20", actor="operator", now=utc_now())

    assert "Podcast plays : Price per 1,000 $1.20, was $0.90" in text_of(client.get("/updates").text)
    feed = ElementTree.fromstring(client.get("/updates.atom").data)
    titles = [title.text for title in feed.iter("{http://www.w3.org/2005/Atom}title")]
    assert titles == ["SmmPanelUS: updates", "Changed terms: Podcast plays", "New tool: Podcast plays"]


def test_announcements_reach_their_audience_alone(client: FlaskClient) -> None:
    publish("News for all")
    publish("News for customers", "customers", is_pinned=True)

    visitor, feed = client.get("/updates").text, client.get("/updates.atom").text
    customer = logged_in(client, a_customer()).get("/updates").text

    assert "News for all" in visitor and "News for all" in feed and "News for all" in customer
    assert "News for customers" not in visitor + feed
    assert "News for customers" in customer
    assert "News for customers" in client.get("/orders").text


def test_banner_and_announcement_end_with_their_withdrawal(client: FlaskClient) -> None:
    number = publish("News for all", is_pinned=True)
    assert client.get("/updates").text.count("News for all") == 1
    logged_in(client, a_customer())
    assert [client.get("/orders").text.count("News for all") for _ in range(2)] == [1, 1]

    with transaction():
        announcements.pin(number, is_pinned=False, seen=2, actor="x", now=NOON)
    assert client.get("/orders").text.count("News for all") == 0
    assert client.get("/updates").text.count("News for all") == 1

    with transaction():
        announcements.withdraw(number, seen=3, actor="x", now=NOON)
    assert client.get("/updates").text.count("News for all") == 0


def test_visitors_pages_have_the_banner_from_publishing_until_it_is_unpinned(client: FlaskClient) -> None:
    a_tool("podcast-plays")
    paths = ("/", "/faq", "/tools", "/tools/podcast-plays", "/log-in")
    for _ in range(2):
        assert not [path for path in paths if "News for all" in client.get(path).text]
    publish("News for customers", "customers", is_pinned=True)
    number = publish("News for all", is_pinned=True)

    shown = [[path for path in paths if "News for all" in client.get(path).text] for _ in range(2)]
    page = client.get("/faq").text
    customers = [path for path in paths if "News for customers" in client.get(path).text]
    with transaction():
        announcements.pin(number, is_pinned=False, seen=2, actor="x", now=NOON)

    assert shown == [list(paths)] * 2 and customers == []
    assert f'href="/updates#announcement-{number}"' in page
    assert not [path for path in paths if "News for all" in client.get(path).text]
    assert "News for all" not in client.get("/no-such-page").text


def test_the_newest_three_banners_are_shown(client: FlaskClient) -> None:
    for number in range(5):
        publish(f"News {number}", is_pinned=True)

    page = client.get("/faq").text

    assert [number for number in range(5) if f">News {number}<" in page] == [2, 3, 4]

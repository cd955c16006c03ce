"""Public page cache: the same page for every visitor, never stale, never a user's own page."""

import gzip
import re
from collections.abc import Iterator
from datetime import timedelta

import brotli
import pytest
from flask import Flask, request, session
from flask.testing import FlaskClient
from sqlalchemy import update

from panel.assets.encodings import encoding_for
from panel.blueprints.public import theme
from panel.clock import utc_now
from panel.db import db, transaction
from panel.middleware import public_page_cache
from panel.middleware.public_page_cache import PAGES
from panel.models import Catalogue
from panel.security.request_identity import theme_of
from panel.services import delivery_times
from panel.services.providers import health as provider_health
from tests.support.factories import a_customer, a_tool, logged_in

INDEXABLE = '<meta name="robots" content="index, follow">'


@pytest.fixture
def rendered(app: Flask) -> Iterator[list[str]]:
    """Paths that Flask rendered."""
    paths: list[str] = []

    @app.before_request
    def note() -> None:
        paths.append(request.path)

    yield paths


def tag_of(client: FlaskClient, path: str = "/tools") -> str:
    return client.get(path).headers["ETag"]


def bump_catalogue() -> None:
    with transaction():
        db.session.execute(update(Catalogue).values(version=Catalogue.version + 1))


def test_a_page_is_rendered_once_for_all_visitors(app: Flask, rendered: list[str]) -> None:
    a_tool()
    answers = [app.test_client().get("/tools") for _ in range(3)]

    assert rendered == ["/tools"]
    assert {answer.data for answer in answers} == {answers[0].data}
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.both_engines
def test_visitors_get_304_for_the_page_they_have(client: FlaskClient, rendered: list[str]) -> None:
    tag = tag_of(client)

    answer = client.get("/tools", headers={"If-None-Match": f'"other", {tag}'})

    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    assert rendered == ["/tools"]


def test_asking_for_the_head_alone_brings_no_body(client: FlaskClient) -> None:
    first, kept = client.head("/tools"), client.get("/tools")
    head = client.head("/tools")

    assert (first.status_code, first.data) == (200, b"")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == kept.headers["Content-Length"] == str(len(kept.data))


@pytest.mark.parametrize("wanted", ["br", "gzip"])
def test_compressions_hold_the_same_page(client: FlaskClient, wanted: str) -> None:
    plain = client.get("/faq")
    packed = client.get("/faq", headers={"Accept-Encoding": wanted})

    unpack = {"br": brotli.decompress, "gzip": gzip.decompress}[wanted]
    assert unpack(packed.data) == plain.data
    assert packed.headers["Content-Encoding"] == wanted
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding, Cookie"
    assert len(packed.data) < len(plain.data) / 2


@pytest.mark.parametrize(
    ("accepted", "given"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip;q=1.0, *;q=0.5", "gzip"),
        ("br;q=0, GZIP", "gzip"),
        ("br; q=0.0", ""),
        ("identity", ""),
        ("", ""),
        ("brotli", ""),
    ],
)
def test_only_an_encoding_that_was_asked_for_is_given(accepted: str, given: str) -> None:
    assert encoding_for(accepted) == given


@pytest.mark.both_engines
def test_changed_catalogue_shows_immediately(
    client: FlaskClient, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_page_cache, "VERSION_READS_A_SECOND", 0)
    client.get("/tools")
    tool = a_tool("visits-of-pages")
    bump_catalogue()

    answer = client.get("/tools")

    assert f"/tools/{tool.slug}" in answer.text
    assert rendered == ["/tools", "/tools"]


@pytest.mark.both_engines
def test_change_by_another_process_is_shown_a_moment_later(
    client: FlaskClient, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write outside of `transaction` looks to this process like one of another process."""
    monkeypatch.setattr(public_page_cache, "VERSION_READS_A_SECOND", 0)
    client.get("/tools")
    with db.engine.begin() as connection:
        connection.execute(update(Catalogue).values(version=Catalogue.version + 1))

    client.get("/tools")
    assert rendered == ["/tools"]

    monkeypatch.setattr(public_page_cache, "VERSION_READS_A_SECOND", 10**9)
    client.get("/tools")
    assert rendered == ["/tools", "/tools"]


@pytest.mark.both_engines
def test_paused_and_resumed_providers_show_immediately(client: FlaskClient) -> None:
    tool = a_tool()
    waits = "wait right now"
    shown = []
    for change in (
        lambda: None,
        lambda: provider_health.pause(tool.provider_id, reason="no funds", now=utc_now()),
        lambda: provider_health.resume(tool.provider_id, now=utc_now()),
    ):
        with transaction():
            change()
        shown.append(waits in client.get(f"/tools/{tool.slug}").text)

    assert shown == [False, True, False]


def test_recomputed_figures_show_immediately(client: FlaskClient, rendered: list[str]) -> None:
    a_tool()
    client.get("/tools")
    client.get("/tools")
    delivery_times.clear_cache()

    client.get("/tools")

    assert rendered == ["/tools", "/tools"]


def test_a_page_lasts_a_minute_and_its_tag_as_long_as_its_words(
    client: FlaskClient, rendered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = tag_of(client, "/faq")
    monkeypatch.setattr(public_page_cache, "utc_now", lambda: utc_now() + timedelta(minutes=1))

    later = client.get("/faq", headers={"If-None-Match": tag})

    assert rendered == ["/faq", "/faq"]
    assert later.status_code == 304


def test_users_with_a_session_get_their_own_page(app: Flask, rendered: list[str]) -> None:
    visitor, customer = app.test_client(), logged_in(app.test_client(), a_customer("12.50"))
    for_visitors = visitor.get("/tools")

    answer = customer.get("/tools", headers={"If-None-Match": for_visitors.headers["ETag"]})

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "$12.50" in answer.text
    assert "ETag" not in answer.headers
    assert visitor.get("/tools").data == for_visitors.data
    assert rendered == ["/tools", "/tools"]


def test_filters_strangers_and_forms_are_rendered_each_time(client: FlaskClient, rendered: list[str]) -> None:
    asked = ["/tools?refill=yes", "/tools/no-such-tool", "/log-in"]
    for path in asked * 2:
        answer = client.get(path)
        assert "ETag" not in answer.headers
        client.delete_cookie("session")

    assert rendered == [path.partition("?")[0] for path in asked * 2]


def test_each_choice_of_colors_is_kept_by_itself(app: Flask, rendered: list[str]) -> None:
    clients = {choice: app.test_client() for choice in ("", "light", "dark")}
    for choice, client in clients.items():
        if choice:
            client.set_cookie("theme", choice)

    pages = {choice: [client.get("/faq").text for _ in range(2)] for choice, client in clients.items()}

    found = {choice: set(re.findall(r'<html lang="en"(.*)>', "".join(texts))) for choice, texts in pages.items()}
    assert found == {"": {""}, "light": {' data-theme="light"'}, "dark": {' data-theme="dark"'}}
    assert len(rendered) == 3


@pytest.mark.parametrize(
    ("cookies", "chosen"),
    [
        ("", ""),
        ("theme=dark", "dark"),
        ('a=b; theme="light"', "light"),
        ("theme=dark; theme=light", "dark"),
        ("theme=<script>", ""),
        ("mytheme=dark", ""),
    ],
)
def test_the_choice_is_read_as_flask_reads_it(app: Flask, cookies: str, chosen: str) -> None:
    with app.test_request_context("/", headers={"Cookie": cookies} if cookies else {}):
        assert theme_of({"HTTP_COOKIE": cookies}) == theme.theme() == chosen


def test_visitors_input_is_on_no_cached_page(app: Flask) -> None:
    client, spy = app.test_client(), "visitor-typed-this"
    headers = {"Host": spy, "X-Forwarded-Host": spy, "User-Agent": spy, "Referer": f"http://{spy}/", "X-Spy": spy}
    for path in ("/", "/tools", "/faq", "/api", "/order-statuses"):
        assert spy not in client.get(path, headers=headers).text


def test_kept_answers_have_every_protecting_header_and_nothing_of_one_request(client: FlaskClient) -> None:
    tag = tag_of(client, "/")
    for headers in ({}, {"If-None-Match": tag}):
        answer = client.get("/", headers=headers)

        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "Set-Cookie" not in answer.headers


def test_a_database_that_cannot_be_asked_is_for_flask_to_explain(client: FlaskClient) -> None:
    tag = tag_of(client, "/faq")
    with transaction():
        db.session.connection().exec_driver_sql("ALTER TABLE catalogue RENAME TO elsewhere")

    answer = client.get("/faq", headers={"If-None-Match": tag})

    assert (answer.status_code, "ETag" in answer.headers) == (200, False)


def test_every_page_for_search_engines_is_kept_and_no_other(app: Flask) -> None:
    a_tool("visits")
    values = {"/order-statuses/<slug>": "pending", "/tools/<slug>": "visits"}
    asked = {
        rule.rule: app.test_client().get(rule.rule.replace("<slug>", values.get(rule.rule, "")))
        for rule in app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and (not rule.arguments or rule.rule in values)
    }
    indexable = {rule for rule, answer in asked.items() if answer.status_code == 200 and INDEXABLE in answer.text}

    assert indexable == {rule for rule in PAGES if rule in asked and asked[rule].status_code == 200}
    assert indexable == {rule for rule, answer in asked.items() if "ETag" in answer.headers and "<html" in answer.text}


def test_page_that_began_a_session_is_rendered_for_each_visitor(app: Flask, rendered: list[str]) -> None:
    @app.before_request
    def begin_session() -> None:
        session["visit"] = request.path

    answers = [app.test_client().get("/tools") for _ in range(2)]

    assert rendered == ["/tools", "/tools"]
    assert all("Set-Cookie" in answer.headers for answer in answers)

"""Request checks: Host, number of fields, unstorable text; idle operator sessions; what log-out clears."""

import json
import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import EnvironBuilder, run_wsgi_app

from panel.clock import utc_now
from panel.db import db, transaction
from panel.middleware.session_lookup import SessionLookup
from panel.models import LoginSession, User
from panel.security import MAX_FORM_PARTS
from panel.services.accounts import sessions
from tests.support.api_clients import PATH, a_key
from tests.support.factories import LINK, NOON, a_customer, a_tool, an_operator, logged_in
from tests.support.session_cookies import session_cookie

BAD_TEXTS = ("a\x00b", "\x00")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (None, 400),
        ("", 400),
        ("a.example,b.example", 400),
        ("a.example, a.example", 400),
        ("a.example/", 400),
        ("a b", 400),
        ("a@b", 400),
        ("a.example:", 400),
        ("a.example:80:80", 400),
        ("a.example", 200),
        ("a.example:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:8000", 200),
    ],
)
@pytest.mark.parametrize("path", ["/faq", "/healthz", "/log-in"])
def test_a_request_names_one_host(app: Flask, host: str | None, status: int, path: str) -> None:
    environ = EnvironBuilder(path=path).get_environ()
    del environ["HTTP_HOST"]
    if host is not None:
        environ["HTTP_HOST"] = host

    with app.app_context():
        body, line, headers = run_wsgi_app(app.wsgi_app, environ, buffered=True)

    assert line.startswith(f"{status} ")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert (b"Host header" in b"".join(body)) == (status == 400)


@pytest.mark.both_engines
@pytest.mark.parametrize("bad", BAD_TEXTS)
def test_text_that_cannot_be_stored_is_refused_in_every_field_of_every_form(
    app: Flask, client: FlaskClient, bad: str
) -> None:
    logged_in(client, an_operator())
    asked = addresses(app, "POST")

    for path in asked:
        for fields in ({"email": bad}, {f"field{bad}": "x"}, {"q": "x", "lines": bad}):
            answers = [
                client.post(path, data=fields),
                client.post(path, data=fields, content_type="multipart/form-data"),
            ]
            answers.append(client.post(path, query_string=fields))
            assert {answer.status_code for answer in answers} == {422}, path
    assert len(asked) > 60


def addresses(app: Flask, method: str) -> list[str]:
    """One address per route, except the API's, which has its own errors."""
    rules = [rule for rule in app.url_map.iter_rules() if method in (rule.methods or ())]
    found = {re.sub(r"<any\((\w+).*?>", r"\1", rule.rule) for rule in rules if not rule.endpoint.startswith("api.")}
    return sorted(re.sub(r"<[^>]+>", "1", path) for path in found)


@pytest.mark.both_engines
def test_text_that_cannot_be_stored_is_refused_in_every_query(app: Flask, client: FlaskClient) -> None:
    logged_in(client, an_operator())
    asked = addresses(app, "GET")

    found = {path: client.get(path, query_string={"q": "a\x00b", "tool": "\x00"}).status_code for path in asked}

    assert set(found.values()) == {422}, found
    assert len(asked) > 80


@pytest.mark.parametrize("name", ["Referer", "User-Agent", "HX-PTag", "Origin", "Authorization", "X-Anything"])
def test_text_that_cannot_be_stored_is_refused_in_headers(client: FlaskClient, name: str) -> None:
    for bad in ("a\x00b", "\ud800"):
        assert (
            client.get("/log-in", environ_overrides={f"HTTP_{name.upper().replace('-', '_')}": bad}).status_code == 422
        )


def test_unstorable_character_gets_an_error_that_says_so(client: FlaskClient) -> None:
    page = client.post("/log-in", data={"email": "a\x00@example.com", "password": "x"})

    assert "contains a character that can’t be stored" in page.text
    assert "Nothing was changed" in page.text


BAD_JSON: tuple[dict[str, object], ...] = (
    {"request_id": "a\x00b"},
    {"request_id": "\ud800"},
    {"comments": ["fine", "\udfff"]},
    {"a": {"b": ["\x00"]}},
    {"\ud800": "x"},
    {"action": "balance\x00"},
)


@pytest.mark.both_engines
@pytest.mark.parametrize("bad", BAD_JSON)
def test_the_api_refuses_it_in_its_own_words(client: FlaskClient, bad: dict[str, object]) -> None:
    key, tool = a_key(a_customer("10")), a_tool()
    whole = {"key": key, "action": "add", "service": tool.id, "link": LINK, "quantity": 100}

    answer = client.post(PATH, data=json.dumps(whole | bad), content_type="application/json")

    assert answer.get_json() == {"error": "Incorrect request"}


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_the_api_refuses_it_in_forms(client: FlaskClient, content_type: str) -> None:
    fields = {"key": a_key(a_customer("10")), "action": "status", "order": "1"}

    well, bad = (client.post(PATH, data=fields | more, content_type=content_type) for more in ({}, {"z": "\x00"}))

    assert well.get_json() == {"error": "Incorrect order ID"}
    assert bad.get_json() == {"error": "Incorrect request"}
    assert client.post(PATH, data=fields, query_string={"z": "\x00"}).get_json() == {"error": "Incorrect request"}


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_has_so_many_fields_at_most(client: FlaskClient, content_type: str) -> None:
    def post(count: int) -> int:
        fields = {f"field{number}": "x" for number in range(count)}
        return client.post("/log-in", data=fields, content_type=content_type).status_code

    assert (post(MAX_FORM_PARTS), post(MAX_FORM_PARTS + 1)) == (422, 413)


def test_too_many_fields_are_never_parsed(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("werkzeug.formparser.parse_qsl", lambda *_args, **_more: pytest.fail("parsed"))

    answers = [client.post("/log-in", data=b"&" * 500_000, content_type="application/x-www-form-urlencoded")]
    answers.append(client.get("/log-in?" + "&" * MAX_FORM_PARTS))

    assert [answer.status_code for answer in answers] == [413, 413]
    assert "too large" in answers[0].text


@pytest.mark.both_engines
@pytest.mark.parametrize(
    ("is_staff", "idle", "is_in"),
    [
        (True, timedelta(hours=11, minutes=59), True),
        (True, timedelta(hours=12), False),
        (False, timedelta(hours=13), True),
        (False, timedelta(days=29), True),
    ],
)
def test_an_operators_session_ends_without_use(app: Flask, is_staff: bool, idle: timedelta, is_in: bool) -> None:
    user = an_operator() if is_staff else a_customer()
    cookie = session_cookie(app, user)
    with transaction():
        db.session.execute(update(LoginSession).values(seen_at=utc_now() - idle))

    layers = SessionLookup(app)
    environ = {"HTTP_COOKIE": f"session={cookie}"}
    client = app.test_client()
    client.set_cookie("session", cookie)

    assert (layers.page_versions(environ) is not None, layers.logged_in(environ) is not None) == (is_in, is_in)
    assert client.get("/account").status_code == (200 if is_in else 303)
    assert len(sessions.devices(user.id, now=utc_now())) == is_in


def seen_at(user: User) -> object:
    return db.session.scalar(select(LoginSession.seen_at).where(LoginSession.user_id == user.id))


@pytest.mark.both_engines
@pytest.mark.parametrize(("path", "counts"), [("/office", True), ("/orders", True), ("/orders/live", False)])
def test_only_a_person_keeps_an_operators_session_alive(client: FlaskClient, path: str, counts: bool) -> None:
    operator = an_operator()
    logged_in(client, operator)
    before = utc_now() - timedelta(hours=1)
    with transaction():
        db.session.execute(update(LoginSession).values(seen_at=before))

    for _ in range(2):
        client.get(path)

    db.session.rollback()
    assert (seen_at(operator) != before) == counts


def test_a_customers_session_is_not_written_at_each_use(client: FlaskClient) -> None:
    customer = a_customer()
    logged_in(client, customer, at=NOON)
    with transaction():
        db.session.execute(update(LoginSession).values(seen_at=NOON, logged_in_at=utc_now()))

    client.get("/account")

    db.session.rollback()
    assert seen_at(customer) == NOON


@pytest.mark.parametrize("path", ["/log-out", "/account/devices/{device}/log-out"])
def test_logging_out_clears_what_the_browser_kept_and_not_the_colors(client: FlaskClient, path: str) -> None:
    logged_in(client, a_customer())
    client.set_cookie("theme", "dark")
    device = db.session.scalar(select(LoginSession.id))

    answer = client.post(path.replace("{device}", str(device)))

    assert answer.status_code == 303
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert 'data-theme="dark"' in client.get("/log-in").text
    assert "Clear-Site-Data" not in client.get("/log-in").headers

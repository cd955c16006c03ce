"""Authentication: the session cookie, who is let in, and redirects after login."""

import re
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from panel.blueprints.shared.auth import is_local_page
from panel.clock import utc_now
from panel.db import db
from panel.models import LoginSession, User
from panel.services.accounts import sessions
from tests.support.browsing import is_logged_in
from tests.support.factories import PASSWORD, a_customer, an_order, logged_in, reload
from tests.support.statements import traced

NEW = {"email": "Ada@Example.com", "password": PASSWORD}


def log_in(client: FlaskClient, user: User, password: str = PASSWORD, **form: str) -> TestResponse:
    return client.post("/log-in", data={"email": user.email, "password": password, **form})


def token_of(client: FlaskClient) -> str | None:
    with client.session_transaction() as session:
        return session.get(sessions.TOKEN_KEY)


def test_logged_in_users_are_redirected_from_log_in_and_sign_up(client: FlaskClient) -> None:
    logged_in(client, a_customer())

    for path in ("/log-in", "/sign-up"):
        answer = client.get(f"{path}?next=/balance")
        assert (answer.status_code, answer.location) == (303, "/balance")


def test_log_in_begins_a_new_session(client: FlaskClient) -> None:
    user = a_customer()
    with client.session_transaction() as session:
        session["planted"] = "by a stranger"
        session[sessions.TOKEN_KEY] = "a token that a stranger knows"

    log_in(client, user)

    token = token_of(client)
    assert token not in (None, "a token that a stranger knows")
    with client.session_transaction() as session:
        assert "planted" not in session
    log_out_and_in = client.post("/log-out")
    assert log_out_and_in.status_code == 303
    log_in(client, user)
    assert token_of(client) not in (None, token)


def test_cookie_is_kept_from_scripts_and_holds_no_more_than_a_token(client: FlaskClient) -> None:
    answer = log_in(client, a_customer())

    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie
    with client.session_transaction() as session:
        assert set(session) == {sessions.TOKEN_KEY, "_permanent"}


def test_log_out_ends_the_device_on_the_server_too(client: FlaskClient, app: Flask) -> None:
    user = a_customer()
    log_in(client, user)
    stolen = token_of(client)

    answer = client.post("/log-out")

    assert (answer.status_code, answer.location) == (303, "/log-in")
    thief = app.test_client()
    with thief.session_transaction() as session:
        session[sessions.TOKEN_KEY] = stolen
    assert not is_logged_in(thief)
    assert client.get("/log-out").status_code == 405


def test_log_out_works_with_the_token_of_the_page(client: FlaskClient, csrf: None) -> None:
    logged_in(client, a_customer())

    assert client.post("/log-out").status_code == 400
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/account").text)
    assert token is not None
    assert client.post("/log-out", data={"csrf_token": token[1]}).status_code == 303


@pytest.mark.parametrize(
    "path", ["/account", "/balance", "/balance/add", "/balance/statement?from=2026-11-01&to=2026-11-02"]
)
def test_logged_out_pages_lead_to_log_in_and_back(client: FlaskClient, path: str) -> None:
    user = a_customer()

    asked = client.get(path)

    assert asked.status_code == 303 and urlsplit(asked.location).path == "/log-in"
    assert parse_qs(urlsplit(asked.location).query)["next"] == [path]
    page = client.get(asked.location)
    assert f'name="next" value="{path.replace("&", "&amp;")}"' in page.text
    assert log_in(client, user, next=path).location == path


def test_form_sent_while_logged_out_leads_back_to_its_page(client: FlaskClient) -> None:
    path = "/account/notices"

    answer = client.post(path, headers={"Referer": f"http://localhost{path}"})

    assert answer.location == f"/log-in?next={path}"
    other = client.post(path, headers={"Referer": f"https://evil.example{path}"})
    assert other.location == "/log-in"


def test_part_of_a_page_is_401_without_a_body_when_logged_out(client: FlaskClient) -> None:
    answer = client.get("/balance", headers={"HX-Request": "true"})

    assert answer.status_code == 401
    assert answer.data == b""


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "\n//evil.example",
        "javascript:alert(1)",
        "evil.example",
        "///evil.example",
        "/log-out",
        "/log-in?next=/orders",
        "/orders?search=" + "a" * 1_000,
        "",
    ],
)
def test_next_to_another_site_or_back_to_the_door_is_ignored(client: FlaskClient, wanted: str) -> None:
    answer = log_in(client, a_customer(), next=wanted)

    assert not is_local_page(wanted)
    assert answer.location == "/orders"


def test_next_keeps_the_tool_through_sign_up(client: FlaskClient) -> None:
    page = client.get("/sign-up?next=/orders/new?tool%3Dpage-visits")
    assert 'name="next" value="/orders/new?tool=page-visits"' in page.text

    answer = client.post("/sign-up", data=NEW | {"next": "/orders/new?tool=page-visits"})

    assert answer.location == "/orders/new?tool=page-visits"


def test_session_older_than_thirty_days_has_ended(client: FlaskClient) -> None:
    logged_in(client, a_customer(), at=utc_now() - timedelta(days=31))

    assert not is_logged_in(client)


def test_looking_writes_nothing_and_asks_once_who_is_there(app: Flask) -> None:
    user = a_customer()
    an_order(customer=user)
    with traced(app) as statements:
        client = logged_in(app.test_client(), user)
        statements.clear()

        for path in ("/account", "/balance", "/balance/add", "/balance/statement"):
            assert client.get(path).status_code == 200

    assert [text for text in statements.texts if not text.lstrip().upper().startswith("SELECT")] == []
    assert sum("sessions.token_hash" in text for text in statements.texts if "JOIN users" in text) == 4
    assert reload(db.session.query(LoginSession).one()).seen_at is not None


def test_endless_address_makes_no_endless_header(client: FlaskClient) -> None:
    answer = client.get("/orders?search=" + "%26" * 5_000)

    assert (answer.status_code, answer.location) == (303, "/log-in")


@pytest.mark.parametrize("path", ["/orders/live", "/orders/1/live", "/tickets/1/live"])
def test_a_poll_after_log_out_gets_a_response_marked_as_ours(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.data, answer.headers["HX-PTag"]) == (401, b"", "logged-out")


def test_every_answer_to_a_poll_says_that_it_is_ours(client: FlaskClient) -> None:
    customer = a_customer("100")
    order = an_order(customer=customer)
    logged_in(client, customer)

    for path in ("/orders/live", f"/orders/{order.id}/live"):
        region = client.get(path)
        same = client.get(path, headers={"HX-PTag": region.headers["HX-PTag"], "X-Past": "the layer"})
        assert (region.status_code, same.status_code) == (200, 304)
        assert same.headers["HX-PTag"] == region.headers["HX-PTag"]

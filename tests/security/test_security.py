"""Security headers, cookies, CSRF protection, and rate limits."""

import threading
from pathlib import Path

import pytest
from flask import Flask, session
from flask.testing import FlaskClient

from panel.application import create_app
from panel.assets import asset
from panel.security import HEADERS, REQUESTS_A_MINUTE, rate_limits
from panel.security.body_limits import MAX_BODY_BYTES
from panel.security.rate_limits import ProcessMemoryStorage
from tests.support import databases

PRODUCTION = {"env": "production", "secret_key": "x" * 32, "base_url": "https://panel.example"}


def add_routes(app: Flask) -> None:
    """A page that fails, a page that sets a cookie, and a change."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/-/failure", "failure", _fail)
    app.add_url_rule("/-/cookie", "cookie", _set_cookie)
    app.add_url_rule("/-/change", "change", lambda: "changed", methods=["POST"])


def _fail() -> str:
    raise RuntimeError("on purpose")


def _set_cookie() -> str:
    session["mark"] = "here"
    return "set"


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/no-such-page", 404), ("/-/failure", 500)])
def test_every_answer_carries_the_headers(app: Flask, client: FlaskClient, path: str, status: int) -> None:
    add_routes(app)

    answer = client.get(path)

    assert answer.status_code == status
    for name, value in HEADERS:
        assert answer.headers.getlist(name) == [value]
    assert "Strict-Transport-Security" not in answer.headers
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_static_files_carry_the_headers_and_may_be_kept(client: FlaskClient) -> None:
    address = asset("site.css")
    assert address is not None
    client.set_cookie("session", "anything")

    answer, missing = client.get(address), client.get("/static/no-such-file.css")

    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "immutable" in answer.headers["Cache-Control"]
    # Five of them on a page, each with half a kilobyte that says nothing about a stylesheet or script.
    assert "Content-Security-Policy" not in answer.headers and "Permissions-Policy" not in answer.headers
    assert missing.status_code == 404 and "Content-Security-Policy" in missing.headers


def test_answers_to_a_session_and_answers_that_set_a_cookie_are_not_stored(app: Flask, client: FlaskClient) -> None:
    add_routes(app)

    first = client.get("/-/cookie")
    second = client.get("/no-such-page")

    assert first.headers["Cache-Control"] == "no-store"
    assert second.headers["Cache-Control"] == "no-store"
    cookie = first.headers["Set-Cookie"]
    assert cookie.startswith("session=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_https_has_a_host_cookie_and_strict_transport(tmp_path: Path) -> None:
    app = create_app(databases.settings_for(tmp_path / "production", **PRODUCTION))
    add_routes(app)

    answer = app.test_client().get("/-/cookie", base_url="https://panel.example")

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-session=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")
    databases.close(app)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
    ],
)
def test_change_that_another_site_asks_for_is_refused(app: Flask, client: FlaskClient, headers: dict[str, str]) -> None:
    add_routes(app)

    assert client.post("/-/change", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}]
)
def test_change_from_our_own_pages_is_let_through(app: Flask, client: FlaskClient, headers: dict[str, str]) -> None:
    add_routes(app)

    assert client.post("/-/change", headers=headers).text == "changed"


@pytest.mark.usefixtures("csrf")
def test_change_without_a_token_is_refused(app: Flask, client: FlaskClient) -> None:
    add_routes(app)

    assert client.post("/-/change").status_code == 400


def test_body_that_is_too_large_is_refused(app: Flask, client: FlaskClient) -> None:
    add_routes(app)
    app.config["WTF_CSRF_ENABLED"] = True

    answer = client.post("/-/change", data={"text": "x" * (MAX_BODY_BYTES + 1)})

    assert answer.status_code == 413


def test_one_network_may_not_ask_without_end_but_this_machine_may(app: Flask, client: FlaskClient) -> None:
    away = {"REMOTE_ADDR": "203.0.113.9"}

    answers = [client.get("/healthz", environ_base=away).status_code for _ in range(REQUESTS_A_MINUTE + 1)]

    assert answers[:-1] == [200] * REQUESTS_A_MINUTE
    assert answers[-1] == 429
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(("trusted", "status"), [(0, 404), (1, 404)])
def test_metrics_are_not_read_through_a_proxy(tmp_path: Path, trusted: int, status: int) -> None:
    app = create_app(databases.settings_for(tmp_path / "proxied", trusted_proxies=trusted))

    answer = app.test_client().get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"})

    assert answer.status_code == status
    databases.close(app)


def test_counting_requests_starts_no_threads_and_old_counts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limits, "FORGET_SECONDS", 0.0)
    storage = ProcessMemoryStorage()
    started: list[object] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)

    counts = [storage.incr("somebody", 60) for _ in range(50)]
    for number in range(50):
        storage.incr(f"visitor {number}", 0)
    storage.incr("another", 60)

    assert counts == list(range(1, 51))
    assert started == []
    assert set(storage.windows) == {"somebody", "another"}
    assert (storage.get("somebody"), storage.get("visitor 1")) == (50, 0)


def test_no_answer_leads_to_the_host_that_a_request_made_up(client: FlaskClient) -> None:
    for path in ("/orders//1", "/orders", "/faq/", "/platform-status/", "/account"):
        answer = client.get(path, headers={"Host": "evil.example"})

        assert "evil.example" not in (answer.location or "")
        assert "evil.example" not in answer.text

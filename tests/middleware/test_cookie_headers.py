"""Malformed Cookie headers and addresses: no page is cached for another user, and all layers see the same user."""

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app
from werkzeug.wrappers import Request

from panel.blueprints.shared import template_globals
from panel.middleware.public_page_cache import PublicPageCache
from panel.middleware.session_lookup import SessionLookup
from panel.models import User
from panel.security.request_identity import cookies_of, theme_of
from tests.support.factories import a_customer
from tests.support.session_cookies import session_cookie as a_session_cookie

# `{}` is the value of a customer's own session cookie.
OWN_SESSION = (
    "session={}",
    "session ={}",
    "session\t={}",
    "session= {}",
    "session=\t{}",
    " session={}",
    "\tsession={}",
    ";session={}",
    ",;session ={}",
    'session="{}"',
    'session ="{}"',
    "a=b;session={}",
    "a=b; session ={}; c=d",
    "a=b ;\tsession\t=\t{} ;c",
    "theme=dark;session ={}",
    "session ={}; Path=/; HttpOnly",
    "$Version=1; session ={}; $Path=/",
    "session={}; session=other",
    "session ={}; session=",
    "=;session ={}",
    "a; session ={}",
    'a="b; session ={}',
)
# Not that session for Flask, but a sloppy parser may think so.
NO_SESSION = (
    "\x0bsession={}",
    "\x0csession ={}",
    "\x1fsession={}",
    "\xa0session ={}",
    "session\xa0={}",
    "session\x0b={}",
    "session={}\xa0",
    "session=\xe9{}",
    "session={}=",
    "Session={}",
    "xsession={}",
    "session",
    "session=",
    "session=; session={}",
    "session=nonsense; session={}",
    "session=nonsense",
    "session =nonsense",
    "__Host-session={}",
    'session="nonsense',
    "theme=session={}",
)


@pytest.fixture
def customer() -> User:
    return a_customer("12.50")


def ask(
    app: Flask, path: str = "/faq", *, cookies: str | None = None, method: str = "GET", **more: str
) -> TestResponse:
    """Call the raw WSGI application with exactly these headers."""
    environ = EnvironBuilder(path=path, method=method).get_environ()
    environ.update(more)
    if cookies is not None:
        environ["HTTP_COOKIE"] = cookies
    with app.app_context():
        body, status, headers = run_wsgi_app(app.wsgi_app, environ, buffered=True)
    return TestResponse(body, status, headers, Request(environ))


def seen_by_flask(app: Flask, cookies: str) -> str | None:
    """Email of the user that Flask considers logged in."""
    with app.app_context(), app.test_request_context("/faq", environ_overrides={"HTTP_COOKIE": cookies}):
        person = template_globals.me()
        return None if person is None else person.email


def is_visitors_page(answer: TestResponse, customer: User) -> bool:
    """Whether the page has nothing of this customer, and a public page's headers."""
    own = (customer.email, "12.50", "csrf_token", "Log out")
    return answer.headers["Cache-Control"] == "no-cache" and not any(text in answer.text for text in own)


@pytest.mark.parametrize("spelled", [*OWN_SESSION, *NO_SESSION])
def test_a_visitor_gets_the_visitors_page_whatever_cookies_a_customer_sent_before(
    app: Flask, customer: User, spelled: str
) -> None:
    cookies = spelled.replace("{}", a_session_cookie(app, customer))
    seen = seen_by_flask(app, cookies)

    heads = ask(app, cookies=cookies, method="HEAD")
    own = ask(app, cookies=cookies)
    visitors = ask(app)

    assert is_visitors_page(visitors, customer)
    if seen is None:
        assert customer.email not in own.text
    else:
        assert customer.email in own.text
        assert own.headers["Cache-Control"] == heads.headers["Cache-Control"] == "no-store"
        assert "ETag" not in own.headers


def test_the_table_has_spellings_that_are_a_session_and_others_that_are_none(app: Flask, customer: User) -> None:
    own = a_session_cookie(app, customer)

    seen = {spelled: seen_by_flask(app, spelled.replace("{}", own)) for spelled in (*OWN_SESSION, *NO_SESSION)}

    assert [spelled for spelled in OWN_SESSION if seen[spelled] is None] == []
    assert [spelled for spelled in NO_SESSION if seen[spelled] is not None] == []


NAMES = st.sampled_from(["session", "theme", "Session", "xsession", "remember_token", "a", ""])
SPACE = st.sampled_from(["", "", " ", "\t", "\x0b", "\xa0", '"', ",", "\\"])
VALUES = st.one_of(
    st.sampled_from(["{first}", "{second}", '"{first}"', "{first}x", "nonsense", "dark", '"light"', ""]),
    st.text('ab;="\\ ,\t0', max_size=6),
)
COOKIES = st.builds("{}{}{}={}{}{}".format, SPACE, NAMES, SPACE, SPACE, VALUES, SPACE)
HEADERS = st.builds(
    lambda parts, ends: "".join(part + end for part, end in zip(parts, ends * len(parts), strict=False)),
    st.lists(COOKIES, max_size=4),
    st.lists(st.sampled_from([";", "; ", " ;", ",", ";;", "; Path=/; "]), min_size=1, max_size=4),
)


@pytest.fixture
def two_sessions(app: Flask) -> tuple[str, str]:
    return a_session_cookie(app, a_customer()), a_session_cookie(app, a_customer())


@pytest.fixture
def session_lookup(app: Flask) -> SessionLookup:
    return SessionLookup(app)


@given(header=HEADERS)
def test_middleware_and_flask_identify_the_same_user(
    app: Flask, two_sessions: tuple[str, str], session_lookup: SessionLookup, header: str
) -> None:
    cookies = header.replace("{first}", two_sessions[0]).replace("{second}", two_sessions[1])
    environ = {"HTTP_COOKIE": cookies}
    with app.app_context(), app.test_request_context("/faq", environ_overrides=environ) as context:
        flask_sees, flask_has = template_globals.me(), dict(context.request.cookies)

    seen = session_lookup.logged_in(environ)

    assert dict(cookies_of(environ)) == flask_has
    assert theme_of(environ) == (flask_has.get("theme") if flask_has.get("theme") in ("light", "dark") else "")
    assert seen == flask_sees


@pytest.mark.parametrize(
    "path", ["//faq", "/faq/", "/FAQ", "/faq//", "/./faq", "/faq;a", "/faq%2f", "/order-statuses/Pending", "/faq\0"]
)
def test_an_odd_spelling_of_an_address_is_no_page_of_its_own(app: Flask, path: str) -> None:
    layer = PublicPageCache(app.wsgi_app, SessionLookup(app), app)
    app.wsgi_app = layer  # type: ignore[method-assign]

    ask(app, PATH_INFO=path)

    assert not layer.entries


def test_headers_that_change_a_page_change_no_kept_page(app: Flask) -> None:
    others = {
        "HTTP_HOST": "evil.example",
        "HTTP_X_FORWARDED_HOST": "evil.example",
        "HTTP_X_FORWARDED_PROTO": "gopher",
        "HTTP_X_FORWARDED_PREFIX": "/evil.example",
        "HTTP_ACCEPT_LANGUAGE": "evil.example",
        "HTTP_USER_AGENT": "evil.example",
        "HTTP_REFERER": "http://evil.example/",
        "HTTP_X_HTTP_METHOD_OVERRIDE": "POST",
        "wsgi.url_scheme": "gopher",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": "0",
    }
    for path in ("/", "/faq", "/tools", "/platform-status", "/api"):
        poisoned = ask(app, path, **others)
        visitors = ask(app, path)

        assert poisoned.text == visitors.text
        assert "evil.example" not in visitors.text
        assert "gopher" not in visitors.text


def test_a_part_of_a_page_is_never_kept_as_the_page(app: Flask) -> None:
    part = ask(app, "/tools", HTTP_HX_REQUEST="true")
    page = ask(app, "/tools")

    assert page.text.startswith("<!DOCTYPE html>")
    assert "ETag" not in part.headers


def test_an_answer_without_the_mark_of_a_visitor_is_neither_kept_nor_stored(app: Flask) -> None:
    """For example from an extension before the session is read, or from a route that read a session."""
    app.session_interface = SecureCookieSessionInterface()

    answers = [ask(app) for _ in range(2)]

    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    assert not any("ETag" in answer.headers for answer in answers)

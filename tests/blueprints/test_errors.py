"""Error responses: a page, a fragment or JSON, without internal details."""

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient

from panel.db import db
from panel.domain.errors import NotFound, StaleOrder, TooManyTries
from tests.support.factories import a_customer, logged_in

HTMX = {"HX-Request": "true"}


@pytest.fixture
def failing(app: Flask) -> FlaskClient:
    """A client of a site with routes that fail in every way."""
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail(how: str) -> str:
        if how == "bug":
            raise RuntimeError("an inner detail")
        if how == "stale":
            raise StaleOrder("Order 7 was moved by someone else.")
        if how == "gone":
            raise NotFound("There is no such order.")
        if how == "tries":
            raise TooManyTries("Too many tries. Wait a while.", retry_after_seconds=90)
        abort(int(how))

    app.add_url_rule("/fails/<how>", "fails", fail)
    app.add_url_rule("/fails/<how>/live", "fails_live", fail)
    app.add_url_rule("/api/fails/<how>", "fails_api", fail)
    return app.test_client()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429])
def test_page_of_a_refusal_has_its_status_the_bar_and_a_way_on(failing: FlaskClient, status: int) -> None:
    answer = failing.get(f"/fails/{status}")

    assert answer.status_code == status
    assert '<meta name="robots" content="noindex">' in answer.text
    assert answer.text.count("<h1>") == 1
    assert "Other pages" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


def test_address_that_does_not_exist_is_a_plain_not_found(client: FlaskClient) -> None:
    answer = client.get("/no-such-page")

    assert answer.status_code == 404
    assert "<h1>Page not found</h1>" in answer.text


def test_error_page_says_where_the_money_is_and_has_a_reference(failing: FlaskClient) -> None:
    answer = failing.get("/fails/bug")

    assert answer.status_code == 500
    assert "Something failed on our side" in answer.text
    assert "it is there, or nothing was charged" in answer.text
    assert answer.headers["X-Request-ID"] in answer.text
    assert "an inner detail" not in answer.text


@pytest.mark.parametrize("how", ["bug", "503"])
def test_page_of_a_fault_reads_no_database(failing: FlaskClient, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    logged_in(failing, a_customer())

    def broken(*_given: object, **_named: object) -> None:
        raise AssertionError("the page of a fault asked the database")

    monkeypatch.setattr(type(db.session()), "execute", broken)

    assert failing.get(f"/fails/{how}").status_code == (500 if how == "bug" else 503)


def test_fragment_gets_a_line_and_not_a_page(failing: FlaskClient) -> None:
    answer = failing.get("/fails/stale", headers=HTMX)

    assert answer.status_code == 409
    assert "Order 7 was moved by someone else." in answer.text
    assert "<html" not in answer.text


def test_logged_out_poll_gets_a_401_without_a_body(failing: FlaskClient) -> None:
    answer = failing.get("/fails/401/live")

    assert answer.status_code == 401
    assert answer.data == b""


def test_program_gets_json_with_a_code(failing: FlaskClient) -> None:
    answer = failing.get("/api/fails/gone")

    assert answer.status_code == 404
    assert answer.json == {"error": "There is no such order."}
    assert answer.headers["X-Error-Code"] == "not_found"


def test_too_many_tries_says_when_to_try_again(failing: FlaskClient) -> None:
    tries, requests = failing.get("/fails/tries"), failing.get("/fails/429")

    assert (tries.status_code, tries.headers["Retry-After"]) == (429, "90")
    assert (requests.status_code, requests.headers["Retry-After"]) == (429, "60")


def test_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.post("/")

    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


@pytest.mark.usefixtures("csrf")
def test_form_without_its_token_is_refused_with_a_way_back_to_the_form(client: FlaskClient) -> None:
    form = "http://localhost/account/notices?of=orders"

    answer = client.post("/account/notices", headers={"Referer": form})

    assert answer.status_code == 400
    assert "This form is too old" in answer.text
    assert 'href="/account/notices?of=orders"' in answer.text


def test_way_back_never_leads_to_another_site(failing: FlaskClient) -> None:
    answer = failing.get("/fails/409", headers={"Referer": "https://elsewhere.example/form"})

    assert "elsewhere.example" not in answer.text

"""Color scheme setting: remembered without a session, on every page, with and without scripts."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.factories import a_customer, logged_in


def test_the_choice_is_remembered_and_leads_back_to_the_page(client: FlaskClient) -> None:
    answer = client.get("/appearance?next=/tools%3Frefill%3Dyes&theme=dark")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/tools?refill=yes")
    page = client.get(answer.headers["Location"]).text
    assert '<html lang="en" data-theme="dark">' in page
    assert '<meta name="color-scheme" content="dark">' in page
    assert page.count('name="theme-color"') == 1
    assert 'value="dark" aria-pressed="true"' in page
    assert page.count('aria-pressed="true"') == 1


def test_leaving_it_to_the_system_forgets_the_choice(client: FlaskClient) -> None:
    client.set_cookie("theme", "dark")

    client.get("/appearance?next=/&theme=")

    assert client.get_cookie("theme") is None
    page = client.get("/").text
    assert '<html lang="en">' in page
    assert page.count('name="theme-color"') == 2


@pytest.mark.parametrize("next_", ["//elsewhere.example", "https://elsewhere.example/", "/log-out", ""])
def test_the_way_back_never_leaves_the_site(client: FlaskClient, next_: str) -> None:
    answer = client.get("/appearance", query_string={"theme": "light", "next": next_})

    assert answer.headers["Location"] == "/"


def test_the_cookie_is_no_session_and_names_nobody(client: FlaskClient) -> None:
    answer = client.get("/appearance?theme=light")

    assert [cookie.partition(";")[0] for cookie in answer.headers.getlist("Set-Cookie")] == ["theme=light"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_page_that_a_form_was_answered_with_leads_back_to_one_that_can_be_asked_for(app: Flask) -> None:
    client = logged_in(app.test_client(), a_customer())
    refused = client.post("/orders/check", data={"tool": "none", "link": "", "quantity": ""})

    back = re.search('name="next" value="(.*)"', refused.text)

    assert back is not None
    assert client.get(back[1], follow_redirects=True).status_code == 200

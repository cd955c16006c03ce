"""Public order page: what it shows to anyone, its live region, and that wrong and revoked links get one answer."""

import html
import re

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from panel.blueprints.public import public_order
from panel.db import transaction
from panel.domain.status import Status
from panel.models import Order
from panel.services.orders import transitions
from tests.support.factories import NOON, a_customer, an_order, logged_in

AFAR = {"REMOTE_ADDR": "203.0.113.77"}
WRONG = "A" * 22


def shared(client: FlaskClient, order: Order, **form: str) -> str:
    """Share the order by its form; the path of its public page."""
    assert client.post(f"/orders/{order.id}/public-link", data=form).status_code == 303
    found = re.search(r'href="(/public-orders/[\w-]+)"', client.get(f"/orders/{order.id}").text)
    assert found is not None
    return found[1]


def answer_of(response: TestResponse) -> tuple[int, str, str | None]:
    return response.status_code, re.sub(r"\d\d:\d\d:\d\d|T[\d:]+Z", "", response.text), response.headers.get("HX-PTag")


def test_anyone_with_the_link_sees_the_order_and_nothing_else_of_its_customer(app: Flask, client: FlaskClient) -> None:
    customer = a_customer("10", email="ada@example.com")
    other = an_order(customer=customer)
    order = an_order(
        customer=customer, status=Status.PARTIAL, quantity=1_000, remains=360, link="https://example.com/ada"
    )
    path = shared(logged_in(client, customer), order)

    response = app.test_client().get(path, environ_base=AFAR)

    page = html.unescape(response.text)
    assert response.status_code == 200
    assert "640 of 1,000" in page and "Partial" in page
    assert 'content="noindex, nofollow"' in page and response.headers["X-Robots-Tag"] == "noindex"
    assert response.headers["Cache-Control"] == "no-store"
    for private in ("ada@example.com", "example.com/ada", f">#{other.id}<", f"/orders/{other.id}", "$"):
        assert private not in page, private
    # The address is in no link, no tag for other sites and no header.
    assert path.rpartition("/")[2] not in page


def test_money_is_shown_if_the_customer_chose_it(app: Flask, client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=Status.PARTIAL, quantity=1_000, remains=360, price="0.90")
    path = shared(logged_in(client, customer), order, shows_money="yes")

    page = app.test_client().get(path).text

    for label, amount in (("Kept", r"\$0\.576"), ("Returned", r"\$0\.324"), ("Charged", r"\$0\.90")):
        assert re.search(rf"<dt>{label}.*</dt><dd><data[^>]*>{amount}<", page), label


def test_page_is_live_and_its_region_alone_is_the_one_in_the_page(app: Flask, client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=Status.IN_PROGRESS, quantity=1_000)
    path = shared(logged_in(client, customer), order)
    visitor = app.test_client()

    first = visitor.get(f"{path}/live")
    tag = {"HX-PTag": first.headers["HX-PTag"]}
    same = visitor.get(f"{path}/live", headers=tag)
    with transaction():
        transitions.move_order(transitions.lock_order(order.id), Status.COMPLETED, remains=0, now=NOON)
    moved = visitor.get(f"{path}/live", headers=tag)

    assert first.text.strip() in client.get(path).text or f'data-polls="{path}/live"' in first.text
    assert (first.status_code, same.status_code, moved.status_code) == (200, 304, 200)
    assert first.headers["Cache-Control"] == "no-store"
    assert "1,000 of 1,000" in moved.text
    # Nothing can change any more, so the page stops asking.
    assert "data-polls" in first.text and "data-polls" not in moved.text


def test_revoked_link_and_wrong_link_get_one_answer_at_once(app: Flask, client: FlaskClient) -> None:
    customer = a_customer("10")
    order = an_order(customer=customer, status=Status.IN_PROGRESS)
    path = shared(logged_in(client, customer), order)
    visitor = app.test_client()
    tag = {"HX-PTag": visitor.get(f"{path}/live").headers["HX-PTag"]}
    assert visitor.get(path).status_code == 200

    assert client.post(f"/orders/{order.id}/public-link/revocation").status_code == 303

    wrong = f"/public-orders/{WRONG}"
    assert answer_of(visitor.get(path)) == answer_of(visitor.get(wrong))
    gone = visitor.get(f"{path}/live", headers=tag)
    assert answer_of(gone) == answer_of(visitor.get(f"{wrong}/live", headers=tag))
    # With our mark the open page takes it, shows it, and stops asking.
    assert (gone.status_code, gone.headers["HX-PTag"]) == (404, public_order.GONE)
    assert "This link doesn’t work" in html.unescape(gone.text) and "data-polls" not in gone.text
    assert "Create public link" in client.get(f"/orders/{order.id}").text


def test_guessing_is_limited_by_network_and_hides_right_links_too(app: Flask, client: FlaskClient) -> None:
    customer = a_customer("10")
    path = shared(logged_in(client, customer), an_order(customer=customer))
    visitor = app.test_client()

    answers = [
        visitor.get(f"/public-orders/{number:022}", environ_base=AFAR).status_code
        for number in range(public_order.MAX_WRONG_A_MINUTE + 1)
    ]

    assert answers == [404] * public_order.MAX_WRONG_A_MINUTE + [429]
    assert visitor.get(path, environ_base=AFAR).status_code == 429
    assert visitor.get(path, environ_base={"REMOTE_ADDR": "203.0.113.78"}).status_code == 200


def test_forms_of_another_customer_find_no_order(client: FlaskClient) -> None:
    order = an_order()
    logged_in(client, a_customer())

    assert client.post(f"/orders/{order.id}/public-link").status_code == 404

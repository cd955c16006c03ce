"""Images of tickets as browsers see them: forms with files, who may open an image, and headers that run nothing."""

import io
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse, encode_multipart

from panel.blueprints.shared import ticket_images
from panel.db import db, transaction
from panel.domain.accounts.roles import Role
from panel.models import Ticket, TicketEntry, TicketImage, User
from panel.security.body_limits import MAX_UPLOAD_BYTES
from panel.services.tickets import customer_actions
from panel.services.tickets.images import MAX_BYTES
from tests.support.factories import NOON, a_customer, an_operator, logged_in, reload
from tests.support.images import PAGE, SVG, a_bomb, a_photo, a_picture, attachments
from tests.support.ticket_factories import a_request_id, a_ticket

TYPED = "It looks like this."
THUMBNAIL = re.compile(r'<a href="(/[^"]+)"><img src="([^"]+)" width="(\d+)" height="(\d+)" alt="([^"]+)"')


def sent(client: FlaskClient, address: str, *files: tuple[bytes, str], **fields: str) -> TestResponse:
    data: dict[str, object] = {"text": TYPED, "request_id": a_request_id(), **fields}
    data["images"] = [FileStorage(io.BytesIO(content), name) for content, name in files]
    return posted(client, address, data)


def posted(client: FlaskClient, address: str, data: dict[str, object]) -> TestResponse:
    """Send a form with files. The test client would put a large one into a temporary file and leave it open."""
    boundary, body = encode_multipart(MultiDict(data))
    return client.post(address, data=body, content_type=f'multipart/form-data; boundary="{boundary}"')


def stored() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(TicketImage)) or 0


@pytest.fixture
def customer() -> User:
    return a_customer("10")


@pytest.fixture
def ticket(customer: User) -> Ticket:
    return a_ticket(customer=customer)


@pytest.fixture
def image(ticket: Ticket) -> str:
    """The path of an image, below the address of tickets."""
    number, customer_id = ticket.id, ticket.customer_id
    with transaction():
        customer_actions.answer(
            number, customer_id=customer_id, text=TYPED, request_id=a_request_id(), attachments=attachments(), now=NOON
        )
    return f"/tickets/{number}/images/{db.session.scalars(select(TicketImage.id)).one()}"


def test_new_ticket_with_images_shows_thumbnails_of_known_size(client: FlaskClient, customer: User) -> None:
    logged_in(client, customer)
    assert 'enctype="multipart/form-data"' in client.get("/tickets/new").text

    answer = sent(
        client, "/tickets", (a_photo(), "IMG_1.jpg"), (a_picture(), "b.png"), kind="other", subject="A question"
    )

    assert answer.status_code == 303
    first, second = THUMBNAIL.findall(client.get(answer.location).text)
    assert first[2:] == ("40", "80", "Image 1 of 2 from you, full size")
    assert (second[1], second[4]) == (f"{second[0]}?size=small", "Image 2 of 2 from you, full size")
    for address in (*first[:2], *second[:2]):
        assert client.get(address).status_code == 200
    assert "IMG_1" not in client.get(answer.location).text


def test_reply_of_the_customer_is_seen_by_staff_and_the_other_way_round(
    client: FlaskClient, ticket: Ticket, app: Flask
) -> None:
    staff = logged_in(app.test_client(), an_operator(role=Role.SUPPORT))
    assert (
        sent(
            logged_in(client, db.session.get_one(User, ticket.customer_id)),
            f"/tickets/{ticket.id}/answers",
            (a_picture(), "a.png"),
        ).status_code
        == 303
    )

    [theirs] = THUMBNAIL.findall(staff.get(f"/office/tickets/{ticket.id}").text)
    answer = sent(staff, f"/office/tickets/{ticket.id}/answers", (a_photo(), "b.jpg"), seen="2")

    assert theirs[4] == "Image 1 of 1 from the customer, full size" and staff.get(theirs[0]).status_code == 200
    assert answer.status_code == 303
    ours = THUMBNAIL.findall(client.get(f"/tickets/{ticket.id}/live").text)[1]
    assert ours[4] == "Image 1 of 1 from us, full size" and client.get(ours[0]).mimetype == "image/jpeg"


def test_form_without_files_is_sent_as_before(client: FlaskClient, customer: User, ticket: Ticket) -> None:
    logged_in(client, customer)

    with_empty_part = sent(client, f"/tickets/{ticket.id}/answers", (b"", ""))

    assert with_empty_part.status_code == 303
    assert stored() == 0


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("bomb.png", a_bomb(), "has too many pixels"),
        ("cut.jpg", a_photo()[:-80], "is damaged or incomplete"),
        ("drawing.svg", SVG, "is an SVG, which can contain scripts"),
        ("page.png", PAGE, "isn’t a PNG, JPEG, WebP or GIF image"),
        ("nothing.png", b"", "is empty"),
        ("large.png", b"\x89PNG" + b"x" * MAX_BYTES, "is larger than 5 MB"),
        ("../../etc/<b>.png", PAGE, "isn’t a PNG, JPEG, WebP or GIF image"),
    ],
)
def test_refused_image_keeps_the_text_and_is_named_with_the_reason(
    client: FlaskClient, customer: User, ticket: Ticket, name: str, content: bytes, reason: str
) -> None:
    logged_in(client, customer)
    shown = name.replace("<", "&lt;").replace(">", "&gt;")

    reply = sent(client, f"/tickets/{ticket.id}/answers", (a_picture(), "fine.png"), (content, name))
    new = sent(client, "/tickets", (content, name), kind="other", subject="My subject")

    for answer in (reply, new):
        assert answer.status_code == 422
        assert f"“{shown}” {reason}" in answer.text
        assert f">\n{TYPED}</textarea>" in answer.text
        assert (
            'id="images" name="images" type="file" aria-describedby="images-error images-hint" aria-invalid'
            in answer.text
        )
    assert 'value="My subject"' in new.text
    assert (stored(), db.session.scalar(select(func.count()).select_from(TicketEntry))) == (0, 1)


def test_refused_image_of_an_operator_keeps_the_answer(client: FlaskClient, ticket: Ticket) -> None:
    logged_in(client, an_operator())

    answer = sent(client, f"/office/tickets/{ticket.id}/answers", (SVG, "a.svg"), seen="1")

    assert answer.status_code == 422
    assert "“a.svg” is an SVG" in answer.text and f">\n{TYPED}</textarea>" in answer.text


def test_six_images_are_refused(client: FlaskClient, customer: User, ticket: Ticket) -> None:
    logged_in(client, customer)

    answer = sent(client, f"/tickets/{ticket.id}/answers", *[(a_picture(), f"{n}.png") for n in range(6)])

    assert answer.status_code == 422 and "You chose 6 images. A message takes at most 5." in answer.text


def test_five_images_of_the_largest_size_are_read(client: FlaskClient, customer: User, ticket: Ticket) -> None:
    logged_in(client, customer)
    padded = a_picture("JPEG") + b"\0" * MAX_BYTES

    answer = sent(client, f"/tickets/{ticket.id}/answers", *[(padded[:MAX_BYTES], f"{n}.jpg") for n in range(5)])

    assert answer.status_code == 303 and stored() == 5


def test_larger_bodies_are_refused_and_other_forms_keep_their_limit(
    client: FlaskClient, customer: User, ticket: Ticket
) -> None:
    logged_in(client, customer)
    more = {"text": TYPED, "images": FileStorage(io.BytesIO(b"x" * MAX_UPLOAD_BYTES), "a.png")}
    elsewhere = {"text": TYPED, "images": FileStorage(io.BytesIO(b"x" * 2_000_000), "a.png")}

    assert posted(client, f"/tickets/{ticket.id}/answers", more).status_code == 413
    assert posted(client, f"/tickets/{ticket.id}/closing", elsewhere).status_code == 413
    assert client.post(f"/tickets/{ticket.id}/answers", data={"text": "x" * 2_000_000}).status_code == 413


def test_error_about_the_text_says_that_images_must_be_chosen_again(
    client: FlaskClient, customer: User, ticket: Ticket
) -> None:
    logged_in(client, customer)

    reply = sent(client, f"/tickets/{ticket.id}/answers", (a_picture(), "a.png"), text=" ")
    new = sent(client, "/tickets", (a_picture(), "a.png"), kind="other", subject="")

    assert "The text is missing" in reply.text and ticket_images.CHOOSE_AGAIN in reply.text
    assert "The subject is missing" in new.text and ticket_images.CHOOSE_AGAIN in new.text


def test_sixth_form_with_images_in_a_minute_is_refused(client: FlaskClient, customer: User, ticket: Ticket) -> None:
    logged_in(client, customer)
    for _ in range(ticket_images.MAX_FORMS_A_MINUTE):
        sent(client, f"/tickets/{ticket.id}/answers", (PAGE, "a.png"))

    answer = sent(client, f"/tickets/{ticket.id}/answers", (a_picture(), "a.png"))

    assert answer.status_code == 429 and 0 < int(answer.headers["Retry-After"]) <= 60
    assert f">\n{TYPED}</textarea>" in answer.text


def test_image_is_served_so_that_it_can_only_be_an_image(client: FlaskClient, customer: User, image: str) -> None:
    logged_in(client, customer)

    for address, suffix in ((image, ""), (f"{image}?size=small", "-small")):
        answer = client.get(address)

        _empty, _tickets, ticket_id, _images, image_id = image.split("/")
        assert answer.headers["Content-Type"] == "image/png"
        assert (
            answer.headers["Content-Disposition"] == f"inline; filename=ticket-{ticket_id}-image-{image_id}{suffix}.png"
        )
        assert answer.headers.getlist("Content-Security-Policy") == ["default-src 'none'; sandbox"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.CUSTOMER])
def test_every_role_that_reads_tickets_opens_their_images(client: FlaskClient, image: str, role: Role) -> None:
    logged_in(client, an_operator(role=role))

    assert client.get(f"/office{image}").status_code == client.get(f"/office{image}?size=small").status_code == 200
    # An operator is no customer.
    assert client.get(image).status_code == 404


def test_read_only_staff_can_attach_nothing(client: FlaskClient, ticket: Ticket) -> None:
    logged_in(client, an_operator(role=Role.READ_ONLY))

    answer = sent(client, f"/office/tickets/{ticket.id}/answers", (a_picture(), "a.png"), seen="1")

    assert answer.status_code == 403 and stored() == 0
    assert 'type="file"' not in client.get(f"/office/tickets/{ticket.id}").text


def test_others_get_what_a_missing_ticket_gets(app: Flask, image: str) -> None:
    stranger = logged_in(app.test_client(), a_customer())
    missing = stranger.get("/tickets/99999/images/1")

    for address in (image, f"{image}?size=small"):
        theirs = stranger.get(address)
        assert (theirs.status_code, theirs.mimetype) == (404, missing.mimetype)
        assert stranger.get(f"/office{address}").status_code == 404
        assert app.test_client().get(address).status_code == 303
        assert app.test_client().get(f"/office{address}").status_code == 404
    assert missing.status_code == 404


def test_image_ends_with_the_session(client: FlaskClient, customer: User, image: str) -> None:
    logged_in(client, customer)
    tag = client.get(image).headers["ETag"]
    client.post("/log-out")

    assert client.get(image, headers={"If-None-Match": tag}).status_code == 303


def test_staff_who_see_as_the_customer_see_the_images_and_cannot_attach(
    client: FlaskClient, customer: User, ticket: Ticket, image: str
) -> None:
    logged_in(client, an_operator(role=Role.SUPPORT))
    client.post(f"/office/customers/{customer.id}/view")

    page = client.get(f"/office/customers/{customer.id}/view/tickets/{ticket.id}").text

    [shown] = THUMBNAIL.findall(page)
    assert shown[:2] == (f"/office{image}", f"/office{image}?size=small")
    assert client.get(shown[1]).status_code == 200
    assert "<fieldset disabled>" in page and 'method="post"' not in page


def test_images_change_the_customers_open_page(client: FlaskClient, customer: User, ticket: Ticket) -> None:
    before = reload(customer).state_version
    logged_in(client, customer)

    sent(client, f"/tickets/{ticket.id}/answers", (a_picture(), "a.png"))

    assert reload(customer).state_version == before + 1

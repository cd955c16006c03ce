"""Images of tickets: stored with their message, bounded, backed up, exported, and deleted with the account."""

import io
import zipfile
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import BadInput, PanelError, RequestIdUsed, TooManyTries
from panel.models import Mail, Ticket, TicketEntry, TicketImage, User
from panel.services.privacy import closing
from panel.services.tickets import customer_actions, detail, images, opening, operator_actions
from panel.services.tickets.images import Attachment
from panel.services.tickets.operator_actions import Operator
from tests.support.factories import NOON, a_customer, an_operator, logged_in, reload
from tests.support.images import a_picture, attachments
from tests.support.ticket_factories import a_request_id, a_ticket, asking


def reply(ticket: Ticket, *, with_images: list[Attachment], request_id: str = "", now: object = NOON) -> int:
    number, customer_id = ticket.id, ticket.customer_id
    with transaction():
        return customer_actions.answer(
            number,
            customer_id=customer_id,
            text="See this.",
            request_id=request_id or a_request_id(),
            attachments=with_images,
            now=now,  # type: ignore[arg-type]
        ).id


def stored() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(TicketImage)) or 0


@pytest.mark.both_engines
def test_images_stand_with_their_message_in_order() -> None:
    customer = a_customer()
    pair = attachments(a_picture(size=(600, 300)), a_picture("JPEG"))

    with transaction():
        ticket_id = opening.open_ticket(customer.id, asked=asking(), attachments=pair, now=NOON).id

    [line] = detail.thread(ticket_id).lines
    assert [(image.number, image.width, image.height) for image in line.images] == [(1, 240, 120), (2, 64, 48)]
    whole = images.find(line.images[0].id, ticket_id=ticket_id, customer_id=customer.id)
    small = images.find(line.images[1].id, ticket_id=ticket_id, small=True)
    assert whole is not None and whole.content == pair[0].image.content and whole.media_type == "image/png"
    assert small is not None and small.content == pair[1].thumbnail.content and small.name.endswith("-small.jpg")


def test_image_is_found_only_in_its_ticket_and_only_for_its_customer() -> None:
    ticket, other = a_ticket(), a_ticket()
    reply(ticket, with_images=attachments())
    number = db.session.scalars(select(TicketImage.id)).one()

    assert images.find(number, ticket_id=ticket.id, customer_id=ticket.customer_id) is not None
    assert images.find(number, ticket_id=ticket.id, customer_id=other.customer_id) is None
    assert images.find(number, ticket_id=other.id) is None
    assert images.find(number + 1, ticket_id=ticket.id) is None
    assert images.find(2**63, ticket_id=ticket.id) is None


def test_same_form_again_stores_nothing_and_other_images_are_refused() -> None:
    ticket, request_id = a_ticket(), a_request_id()
    first = reply(ticket, with_images=attachments(), request_id=request_id)

    assert reply(ticket, with_images=attachments(), request_id=request_id) == first
    with pytest.raises(RequestIdUsed, match="with other images or none"):
        reply(ticket, with_images=attachments(a_picture(size=(9, 9))), request_id=request_id)
    assert stored() == 1


def test_same_new_ticket_with_other_images_is_refused() -> None:
    customer, asked = a_customer(), asking()
    with transaction():
        opening.open_ticket(customer.id, asked=asked, attachments=attachments(), now=NOON)

    with pytest.raises(RequestIdUsed), transaction():
        opening.open_ticket(customer.id, asked=asked, now=NOON)


def test_six_images_are_refused_before_any_is_decoded() -> None:
    with pytest.raises(BadInput, match="You chose 6 images"):
        attachments(*[b"not an image"] * 6)


def refusal(ticket: Ticket, *, adding: int = 1, now: object = NOON) -> PanelError | None:
    try:
        images.check_limits(ticket.customer_id, adding=adding, ticket_id=ticket.id, now=now)  # type: ignore[arg-type]
    except PanelError as error:
        return error
    return None


@pytest.mark.both_engines
def test_images_are_limited_for_an_hour_a_ticket_and_a_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket = a_ticket()
    reply(ticket, with_images=attachments(a_picture(), a_picture()))
    later = NOON + timedelta(minutes=20)

    monkeypatch.setattr(images, "MAX_IN_WINDOW", 2)
    an_hour = refusal(ticket, now=later)
    assert isinstance(an_hour, TooManyTries) and an_hour.retry_after_seconds == 40 * 60
    assert "try again in 40 minutes" in an_hour.message
    assert refusal(ticket, now=NOON + timedelta(hours=1)) is None
    assert refusal(ticket, adding=0, now=later) is None

    monkeypatch.setattr(images, "MAX_IN_WINDOW", 30)
    monkeypatch.setattr(images, "MAX_IN_TICKET", 2)
    in_ticket = refusal(ticket)
    assert in_ticket is not None and "A ticket holds at most 2 images" in in_ticket.message
    assert refusal(a_ticket(customer=db.session.get_one(User, ticket.customer_id))) is None

    monkeypatch.setattr(images, "MAX_IN_TICKET", 50)
    monkeypatch.setattr(images, "MAX_OF_CUSTOMER", 2)
    of_customer = refusal(ticket)
    assert of_customer is not None and "Your tickets hold at most 2 images together" in of_customer.message


def test_operators_images_count_for_the_ticket_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ticket, staff = a_ticket(), an_operator()
    operator = Operator(staff.id, staff.email)
    monkeypatch.setattr(images, "MAX_IN_TICKET", 1)

    with transaction():
        operator_actions.answer(
            ticket.id,
            operator=operator,
            text="Here.",
            request_id=a_request_id(),
            seen=1,
            attachments=attachments(),
            now=NOON,
        )

    monkeypatch.setattr(images, "MAX_OF_CUSTOMER", 1)
    with pytest.raises(BadInput, match="A ticket holds"), transaction():
        operator_actions.answer(
            ticket.id,
            operator=operator,
            text="More.",
            request_id=a_request_id(),
            seen=2,
            attachments=attachments(),
            now=NOON,
        )
    monkeypatch.setattr(images, "MAX_IN_TICKET", 50)
    assert refusal(reload(ticket)) is None


def test_email_to_support_says_how_many_images_came(app: Flask) -> None:
    app.config["PANEL"] = app.config["PANEL"].model_copy(update={"support_email": "help@example.com"})

    reply(a_ticket(), with_images=attachments(a_picture(), a_picture()))

    texts = db.session.scalars(select(Mail.text).order_by(Mail.id)).all()
    assert "attached" not in texts[0]
    assert "See this.\n\n2 images are attached to the message.\n\nRead the whole ticket" in texts[1]


@pytest.mark.both_engines
def test_closing_the_account_deletes_the_images_of_both_sides_and_no_others() -> None:
    ticket, kept, staff = a_ticket(customer=a_customer("0")), a_ticket(), an_operator()
    customer_id = ticket.customer_id
    reply(ticket, with_images=attachments())
    reply(kept, with_images=attachments())
    with transaction():
        operator_actions.answer(
            ticket.id,
            operator=Operator(staff.id, staff.email),
            text="Here.",
            request_id=a_request_id(),
            seen=2,
            attachments=attachments(),
            now=NOON,
        )

    with transaction():
        closing.close(customer_id, given_up_nanos=0, now=utc_now())

    assert db.session.scalars(select(TicketImage.ticket_id)).all() == [kept.id]


def test_data_export_has_each_image_as_a_file(client: FlaskClient) -> None:
    ticket, other = a_ticket(), a_ticket()
    pair = attachments(a_picture("JPEG"), a_picture())
    entry = db.session.get_one(TicketEntry, reply(ticket, with_images=pair))
    reply(other, with_images=attachments(a_picture(size=(7, 7))))
    numbers = db.session.scalars(select(TicketImage.id).where(TicketImage.ticket_id == ticket.id)).all()

    answer = logged_in(client, db.session.get_one(User, ticket.customer_id)).get("/account/data.zip")

    names = [f"ticket_images/ticket-{ticket.id}-image-{numbers[0]}.jpg"]
    names.append(f"ticket_images/ticket-{ticket.id}-image-{numbers[1]}.png")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as found:
        assert found.testzip() is None
        assert [name for name in found.namelist() if name.startswith("ticket_images/")] == names
        assert [found.read(name) for name in names] == [each.image.content for each in pair]
        listed = found.read("ticket_images.csv").decode().splitlines()
    assert listed[1:] == [
        f"{ticket.id},{entry.number},{names[0]},64,48",
        f"{ticket.id},{entry.number},{names[1]},64,48",
    ]

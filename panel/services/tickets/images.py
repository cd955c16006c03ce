"""Images attached to ticket messages: validation and limits, storage with the message, and access by ticket.

They are rows of the database, so backup, restore, several machines and account closing need nothing of their own.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, delete, func, select

from panel.db import db
from panel.domain.errors import BadInput, TooManyTries
from panel.domain.lists.list_filters import MAX_ID
from panel.models import Ticket, TicketEntry, TicketImage
from panel.services import uploaded_images
from panel.services.uploaded_images import EncodedImage, ImageRules, Upload

FIELD = "images"
MAX_IMAGES = 5
MAX_BYTES = 5 * 1024 * 1024
RULES = ImageRules(("PNG", "JPEG", "WEBP", "GIF"), max_bytes=MAX_BYTES, max_side=2048, max_stored_bytes=1024 * 1024)
THUMBNAIL_SIDE = 240
MAX_THUMBNAIL_BYTES = 40 * 1024
MAX_IN_TICKET = 50
MAX_OF_CUSTOMER = 200
WINDOW = timedelta(hours=1)
MAX_IN_WINDOW = 30
_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg"}


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image to be stored, with its thumbnail."""

    image: EncodedImage
    thumbnail: EncodedImage


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image in the thread: its id, and its thumbnail's size in pixels."""

    id: int
    number: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A stored file, as it is served; the name is ours."""

    content: bytes
    media_type: str
    etag: str
    name: str


def encode_all(uploads: Sequence[Upload]) -> list[Attachment]:
    """Validate and re-encode what was chosen, outside of any transaction. Raises BadInput or TooManyTries."""
    if len(uploads) > MAX_IMAGES:
        raise BadInput(f"You chose {len(uploads)} images. A message takes at most {MAX_IMAGES}.", field=FIELD)
    return [_attachment(upload) for upload in uploads]


def check_limits(customer_id: int, *, adding: int, ticket_id: int | None = None, now: datetime) -> None:
    """Raises TooManyTries or BadInput beyond the limits of an hour, a customer or a ticket."""
    if not adding:
        return
    theirs = (
        select(func.count(), func.min(TicketEntry.at))
        .select_from(TicketImage)
        .join(TicketEntry, TicketEntry.id == TicketImage.entry_id)
        .where(TicketEntry.author_id == customer_id, TicketEntry.is_ours.is_(False))
    )
    count, oldest = db.session.execute(theirs.where(TicketEntry.at > now - WINDOW, TicketEntry.at <= now)).one()
    if count + adding > MAX_IN_WINDOW:
        raise _too_many_an_hour(oldest + WINDOW - now)
    total, _oldest = db.session.execute(theirs).one()
    if total + adding > MAX_OF_CUSTOMER:
        raise BadInput(
            f"Your tickets hold at most {MAX_OF_CUSTOMER} images together. Send the text without them.", field=FIELD
        )
    if ticket_id is not None:
        check_ticket(ticket_id, adding=adding)


def check_ticket(ticket_id: int, *, adding: int) -> None:
    """Raises BadInput beyond the limit of a ticket."""
    if adding and _count(TicketImage.ticket_id == ticket_id) + adding > MAX_IN_TICKET:
        raise BadInput(
            f"A ticket holds at most {MAX_IN_TICKET} images. Send the text without them, or open another ticket.",
            field=FIELD,
        )


def add(entry: TicketEntry, attachments: Iterable[Attachment]) -> None:
    """Store the images of a new message, in their order."""
    for number, each in enumerate(attachments, start=1):
        image, thumbnail = each.image, each.thumbnail
        db.session.add(
            TicketImage(
                ticket_id=entry.ticket_id,
                entry_id=entry.id,
                number=number,
                media_type=image.media_type,
                width=image.width,
                height=image.height,
                digest=image.digest,
                content=image.content,
                thumbnail_type=thumbnail.media_type,
                thumbnail_width=thumbnail.width,
                thumbnail_height=thumbnail.height,
                thumbnail=thumbnail.content,
            )
        )
    db.session.flush()


def are_those_of(entry_id: int, attachments: Iterable[Attachment]) -> bool:
    """Whether the message has exactly these images (the form was sent twice)."""
    stored = select(TicketImage.digest).where(TicketImage.entry_id == entry_id).order_by(TicketImage.number)
    return list(db.session.scalars(stored)) == [each.image.digest for each in attachments]


def by_entry(entry_ids: Sequence[int]) -> dict[int, tuple[ShownImage, ...]]:
    """The images of these messages, without their contents."""
    found: dict[int, list[ShownImage]] = defaultdict(list)
    if entry_ids:
        columns = (TicketImage.entry_id, TicketImage.id, TicketImage.number)
        sizes = (TicketImage.thumbnail_width, TicketImage.thumbnail_height)
        ordered = select(*columns, *sizes).order_by(TicketImage.entry_id, TicketImage.number)
        for entry_id, *image in db.session.execute(ordered.where(TicketImage.entry_id.in_(entry_ids))):
            found[entry_id].append(ShownImage(*image))
    return {entry_id: tuple(images) for entry_id, images in found.items()}


def find(image_id: int, *, ticket_id: int, customer_id: int | None = None, small: bool = False) -> ImageFile | None:
    """An image of this ticket, or its thumbnail, for its customer or, without `customer_id`, for the staff."""
    if not (0 < image_id <= MAX_ID and 0 < ticket_id <= MAX_ID):
        return None
    large = (TicketImage.content, TicketImage.media_type)
    wanted = (TicketImage.thumbnail, TicketImage.thumbnail_type) if small else large
    statement = (
        select(*wanted, TicketImage.digest)
        .join(Ticket, Ticket.id == TicketImage.ticket_id)
        .where(TicketImage.id == image_id, TicketImage.ticket_id == ticket_id)
    )
    if customer_id is not None:
        statement = statement.where(Ticket.customer_id == customer_id)
    row = db.session.execute(statement).one_or_none()
    if row is None:
        return None
    content, media_type, digest = row
    size, suffix = "-small" if small else "", _SUFFIXES[media_type]
    name = f"ticket-{ticket_id}-image-{image_id}{size}.{suffix}"
    return ImageFile(content, media_type, f"{digest}{size}", name)


def files_of(customer_id: int) -> Iterator[ImageFile]:
    """Every image in the customer's tickets, one at a time, for the data export."""
    of_customer = (
        select(TicketImage.id, TicketImage.ticket_id)
        .join(Ticket, Ticket.id == TicketImage.ticket_id)
        .where(Ticket.customer_id == customer_id)
        .order_by(TicketImage.id)
    )
    pairs = db.session.execute(of_customer).all()
    for image_id, ticket_id in pairs:
        image = find(image_id, ticket_id=ticket_id, customer_id=customer_id)
        # No transaction is open while the reader takes the file.
        db.session.rollback()
        if image is not None:
            yield image


def delete_all(customer_id: int) -> None:
    """Delete all images in the customer's tickets, when the account is closed."""
    mine = select(Ticket.id).where(Ticket.customer_id == customer_id)
    db.session.execute(delete(TicketImage).where(TicketImage.ticket_id.in_(mine)))


def _attachment(upload: Upload) -> Attachment:
    picture = uploaded_images.read(upload, rules=RULES, field=FIELD)
    return Attachment(
        uploaded_images.encode(picture, max_size=(RULES.max_side, RULES.max_side), max_bytes=RULES.max_stored_bytes),
        uploaded_images.encode(picture, max_size=(THUMBNAIL_SIDE, THUMBNAIL_SIDE), max_bytes=MAX_THUMBNAIL_BYTES),
    )


def _too_many_an_hour(wait: timedelta) -> TooManyTries:
    seconds = max(1, -(-wait // timedelta(seconds=1)))
    minutes = -(-seconds // 60)
    return TooManyTries(
        f"You can attach {MAX_IN_WINDOW} images within an hour. Nothing was sent. Send the text without them, or try "
        f"again in {'1 minute' if minutes == 1 else f'{minutes} minutes'}.",
        retry_after_seconds=seconds,
    )


def _count(which: ColumnElement[bool]) -> int:
    return db.session.scalar(select(func.count()).select_from(TicketImage).where(which)) or 0

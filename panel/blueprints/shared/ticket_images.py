"""Images of tickets: reading what a form brought, and serving a stored one so that no browser runs it."""

from dataclasses import dataclass

from flask import Response, abort, current_app, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import FileStorage

from panel.blueprints.shared.forms import by_field
from panel.domain.errors import PanelError, TooManyTries
from panel.security import hit_rate_limit
from panel.services.tickets import images
from panel.services.tickets.images import FIELD, MAX_BYTES, MAX_IMAGES, Attachment, ImageFile
from panel.services.uploaded_images import Upload

# Tries count too: a refused file costs as much as a stored one.
MAX_FORMS_A_MINUTE = 5
POLICY = "default-src 'none'; sandbox"


@dataclass(frozen=True, slots=True)
class ImageFieldRules:
    """What the file field says of its limits, and what the browser checks before it sends."""

    hint: str
    max_files: int
    max_bytes: int


FIELD_RULES = ImageFieldRules(
    f"PNG, JPEG, WebP or GIF; up to {MAX_IMAGES} images, {MAX_BYTES // 1024 // 1024} MB each. "
    "We remove hidden data such as the location.",
    max_files=MAX_IMAGES,
    max_bytes=MAX_BYTES,
)
CHOOSE_AGAIN = "Choose the images again: a browser doesn’t keep them when a form comes back."


def received(user_id: int) -> list[Attachment]:
    """The images of this request's form, re-encoded. Raises BadInput or TooManyTries."""
    files = _files()
    if not files:
        return []
    use = hit_rate_limit(current_app, f"ticket images of user {user_id}", most_a_minute=MAX_FORMS_A_MINUTE)
    if use.is_over:
        raise TooManyTries(
            "You have sent images too often within a minute. Nothing was sent. Try again in a minute.",
            retry_after_seconds=use.seconds_left,
        )
    return images.encode_all([Upload(file.filename or "", file.stream.read(MAX_BYTES + 1)) for file in files])


def errors_of(error: PanelError | None) -> dict[str, str]:
    """The error by field, with a reminder to choose the images again where it isn't about them."""
    errors = by_field(error)
    if FIELD in errors and len(_files()) > 1:
        return errors | {FIELD: f"{errors[FIELD]} Then choose all images again."}
    return errors | {FIELD: CHOOSE_AGAIN} if errors and FIELD not in errors and _files() else errors


def is_thumbnail() -> bool:
    """Whether this request is for the thumbnail of an image."""
    return request.args.get("size") == "small"


def response(image: ImageFile | None) -> ResponseReturnValue:
    """The image, or a 404. The browser asks each time, so that it shows nothing to the next person."""
    if image is None:
        abort(404)
    answer = Response(image.content, mimetype=image.media_type)
    answer.headers.set("Content-Disposition", "inline", filename=image.name)
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.set_etag(image.etag)
    return answer.make_conditional(request)


def _files() -> list[FileStorage]:
    """The chosen files. A browser sends an empty part without a name if none is."""
    return [file for file in request.files.getlist(FIELD) if file.filename]

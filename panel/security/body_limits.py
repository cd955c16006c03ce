"""Size limits of request bodies by path: 1 MB, and more for the forms that take image files."""

import re

from flask import request

MAX_BODY_BYTES = 1024 * 1024
# Five images of 5 MB and the rest of the form. README's client_max_body_size is the same.
MAX_UPLOAD_BYTES = 26 * 1024 * 1024
FORM_WITH_FILES = "multipart/form-data"
_UPLOADS = re.compile(r"/tickets|(?:/office)?/tickets/[0-9]{1,19}/answers")


def max_bytes(path: str, content_type: str) -> int:
    """The limit for a request to this path. A form without files never needs more than the usual."""
    is_upload = content_type.startswith(FORM_WITH_FILES) and _UPLOADS.fullmatch(path) is not None
    return MAX_UPLOAD_BYTES if is_upload else MAX_BODY_BYTES


def limit_body(_endpoint: str | None, _values: dict[str, object] | None) -> None:
    """Set the limit before anything reads the form."""
    request.max_content_length = max_bytes(request.path, request.content_type or "")

"""URL converter for row ids: ASCII digits only, and no more than a BIGINT can hold."""

from flask import Flask
from werkzeug.routing import IntegerConverter


class RowNumber(IntegerConverter):
    """Replaces `<int:…>`. Non-ASCII digits and numbers that are too large give a 404."""

    regex = "[0-9]{1,18}"


def init_app(app: Flask) -> None:
    app.url_map.converters["int"] = RowNumber

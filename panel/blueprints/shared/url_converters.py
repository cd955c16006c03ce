"""Numbers of rows in addresses: plain digits, and no more of them than a column can hold."""

from flask import Flask
from werkzeug.routing import IntegerConverter


class RowNumber(IntegerConverter):
    """What `<int:…>` takes. Other digits than ours, and endless numbers, are addresses that do not exist."""

    regex = "[0-9]{1,18}"


def init_app(app: Flask) -> None:
    app.url_map.converters["int"] = RowNumber

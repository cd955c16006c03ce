"""CSV downloads, protected against formula injection in spreadsheets.

`for=excel` in the query string adds a byte-order mark: without it, Excel does not recognize UTF-8.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from flask import Response, request, stream_with_context

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
_LINES_A_PIECE = 500
_BYTE_ORDER_MARK = "\ufeff"


def csv_file(name: str, *, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """The table as a CSV download in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    answer = Response(_mark() + text.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def csv_stream(name: str, *, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """Like `csv_file`, but streamed while the rows are read, for tables of any length."""
    pieces = chain(filter(None, [_mark()]), csv_pieces(head, rows))
    answer = Response(stream_with_context(pieces), content_type="text/csv; charset=utf-8")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def _mark() -> str:
    return _BYTE_ORDER_MARK if request.args.get("for") == "excel" else ""


def csv_pieces(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The table as CSV text, some hundred lines at a time."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    for number, row in enumerate(rows, start=1):
        writer.writerow([safe_cell(cell) for cell in row])
        if number % _LINES_A_PIECE == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def safe_cell(cell: object) -> str:
    """The cell as text, with an apostrophe in front of anything a spreadsheet would run as a formula."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text

"""CSV files that a spreadsheet opens as text and figures, never as formulas."""

import csv
import io
from collections.abc import Iterable, Sequence

from flask import Response

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_file(name: str, *, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Response:
    """The table as a CSV download in UTF-8."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    answer = Response(text.getvalue(), content_type="text/csv; charset=utf-8")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def safe_cell(cell: object) -> str:
    """The cell as text. What a spreadsheet would run as a formula gets an apostrophe in front."""
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(_FORMULA_SIGNS) else text

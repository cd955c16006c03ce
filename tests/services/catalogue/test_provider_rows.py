"""Provider catalogue rows: text stays text, and a hostile row doesn't stop the import."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import select

from panel.db import db
from panel.models import Tool
from tests.support.catalogue_imports import a_row, imported

pytestmark = pytest.mark.both_engines


HARMLESS = [
    (a_row(1, name="Likes &amp; Views"), "Likes & Views", "Pages"),
    (a_row(1, name="&lt;b&gt;Fast&lt;/b&gt; &#9889;"), "<b>Fast</b> ⚡", "Pages"),
    (a_row(1, name="Likes &amp;amp; Views"), "Likes &amp; Views", "Pages"),
    (a_row(1, name="Visits <5 days> -> fast"), "Visits <5 days> -> fast", "Pages"),
    (a_row(1, name="<script>alert(1)</script>"), "<script>alert(1)</script>", "Pages"),
    (a_row(1, name="a\x00b\ud800c\u202ed\te\n"), "abcd e", "Pages"),
    (a_row(1, name="x" * 201), f"{'x' * 199}…", "Pages"),
    (a_row(1, category=None), "Page visits", "Other"),
    (a_row(1, category=" "), "Page visits", "Other"),
    ({name: value for name, value in a_row(1).items() if name != "category"}, "Page visits", "Other"),
    (a_row(1, category="<Music> &amp; more"), "Page visits", "<Music> & more"),
]


@pytest.mark.parametrize(("row", "name", "category"), HARMLESS, ids=range(len(HARMLESS)))
def test_harmless_text_is_taken_as_text(client: FlaskClient, row: object, name: str, category: str) -> None:
    did = imported(row)

    tool = db.session.scalars(select(Tool)).one()
    assert (did.skipped, tool.name, tool.category) == ([], name, category)
    pages = [client.get(path).text for path in ("/tools", f"/tools/{tool.slug}", "/search?q=visits")]
    assert all(str(escape(name)) in page for page in pages[:2])
    assert not [page for page in pages if "<script>alert(1)" in page or "<b>Fast" in page]


HOSTILE: list[Any] = [
    "a text",
    None,
    [],
    {},
    a_row(2, rate="1e4"),
    a_row(2, rate="1e99"),
    a_row(2, rate="1e-99"),
    a_row(2, rate="1e"),
    a_row(2, rate="."),
    a_row(2, rate="0x1"),
    a_row(2, rate="1_0"),
    a_row(2, rate="NaN"),
    a_row(2, rate="Infinity"),
    a_row(2, rate="0,90"),
    # As long as the reader of an answer leaves a number: its end may be missing.
    a_row(2, rate="1." + "0" * 38),
    a_row(2, rate="1" * 5_000),
    a_row(2, rate="-1"),
    a_row(2, rate="0"),
    a_row(2, rate=True),
    a_row(2, rate=None),
    a_row(2, rate=10**30),
    a_row(2, min="10", max="5"),
    a_row(2, min="0"),
    a_row(2, min=-1),
    a_row(2, max="1,000"),
    a_row(2, max=10**30),
    a_row(2, min="1.5"),
    a_row(0),
    a_row("abc"),
    a_row(None),
    a_row(2, name=""),
    a_row(2, name="\x00"),
    a_row(2, name="\ud800"),
    a_row(2, name=["a"]),
    a_row(2, name=None),
    a_row(2, category=["a"]),
    a_row(2, type="Subscriptions"),
    a_row(2, type=["Default"]),
    a_row(2, refill="perhaps"),
    a_row(2, refill=[]),
    a_row(1, name="The same again"),
    {name: value for name, value in a_row(2).items() if name != "rate"},
]


@pytest.mark.parametrize("row", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_row_is_skipped_with_a_reason_and_affects_no_other(row: object) -> None:
    did = imported(a_row(), row, a_row(3))

    assert did.added == ["page-visits-1", "page-visits-3"]
    assert len(did.skipped) == 1
    assert did.skipped[0].startswith(("Row 2", "Service 2"))
    assert len(did.skipped[0]) < 200

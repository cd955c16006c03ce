"""Undo of imports: nothing else of the provider runs until it ends, and it fails if a tool can't be restored."""

from collections.abc import Callable

import pytest
from sqlalchemy import delete, select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused
from panel.models import CatalogueImport, ImportedTool
from panel.services.catalogue.imports import lifecycle, undoing
from tests.support.catalogue_imports import a_preview, a_row, imported, offered
from tests.support.factories import NOON

pytestmark = pytest.mark.both_engines


def an_undo_under_way() -> tuple[int, int]:
    """An import whose undo the worker has not begun, and a newer one whose preview is open; returns their ids."""
    imported(a_row(), a_row(2), a_row(3))
    imported(*[a_row(number, rate="2.00") for number in (1, 2, 3)])
    preview = a_preview(*[a_row(number, rate="4.00") for number in (1, 2, 3)])
    with transaction():
        last = lifecycle.undoable(1)
        assert last is not None
        undone = lifecycle.undo(last.id, actor="anna", now=NOON).id
    return undone, preview


def undo_all(import_id: int) -> CatalogueImport:
    is_going_on = True
    while is_going_on:
        with transaction():
            is_going_on = undoing.undo_some(import_id, now=NOON)
    return db.session.get_one(CatalogueImport, import_id)


def prices() -> list[int]:
    return [offered(f"page-visits-{number}").price_micros_per_thousand for number in (1, 2, 3)]


@pytest.mark.parametrize(
    "other",
    [
        lambda preview: lifecycle.apply(preview, ["1", "2", "3"], actor="anna", now=NOON),
        lambda preview: lifecycle.undo(preview, actor="anna", now=NOON),
        lambda _preview: lifecycle.request_import(1, actor="anna", now=NOON),
        lambda _preview: lifecycle.make_way(1, now=NOON),
    ],
    ids=["apply", "undo", "ask", "import by command"],
)
def test_nothing_else_of_the_provider_begins_while_an_older_import_is_undone(other: Callable[[int], object]) -> None:
    undone, preview = an_undo_under_way()

    with pytest.raises(ActionRefused, match="is running"), transaction():
        other(preview)
    done = undo_all(undone)

    assert (done.state, done.done, done.left_alone) == ("undone", 3, 0)
    assert prices() == [900_000] * 3
    assert db.session.get_one(CatalogueImport, preview).state == "ready"


@pytest.mark.parametrize("step", [1, 500])
def test_undo_fails_where_it_is_not_known_what_tools_were(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undoing, "TOOLS_A_STEP", step)
    undone, _preview = an_undo_under_way()
    if step == 1:
        with transaction():
            undoing.undo_some(undone, now=NOON)
    with transaction():
        db.session.execute(delete(ImportedTool))

    with pytest.raises(ActionRefused, match=r"^What \d tools were before the import is no longer known\."):
        undo_all(undone)

    db.session.rollback()
    assert db.session.scalars(select(CatalogueImport.state).where(CatalogueImport.id == undone)).one() == "undoing"

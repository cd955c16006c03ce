"""Races of imports: two operators at one provider's catalogue."""

import pytest
from flask import Flask

from panel.db import db, transaction
from panel.domain.errors import ActionRefused
from panel.models import CatalogueImport
from panel.services.catalogue.imports import lifecycle
from tests.support.catalogue_imports import a_preview, a_row, imported
from tests.support.concurrently import start_in_thread
from tests.support.factories import NOON

pytestmark = pytest.mark.both_engines


def test_import_that_is_applied_is_not_dropped_for_another_one(app: Flask) -> None:
    imported(a_row())
    preview = a_preview(a_row(rate="2.00"))

    def ask_again() -> object:
        try:
            with transaction():
                return lifecycle.ask(1, actor="bob", now=NOON).id
        except ActionRefused as refused:
            return refused.message

    with transaction():
        lifecycle.apply(preview, ["1"], actor="anna", now=NOON)
        asked = start_in_thread(app, ask_again)
    answer = asked.result(30)

    applied = db.session.get_one(CatalogueImport, preview)
    assert (applied.state, applied.chosen) == ("applying", '["1"]')
    assert answer == "An import of this provider is running. Wait until it ends."

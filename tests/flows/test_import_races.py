"""Races of imports and price rules: two operators at one provider."""

import re

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import ActionRefused
from panel.models import CatalogueImport, CategoryMargin, Provider
from panel.services.catalogue.imports import lifecycle, price_rules
from panel.services.catalogue.provider_markup import Markup
from panel.services.providers import registry as provider_registry
from tests.support.catalogue_imports import a_preview, a_row, imported, offered
from tests.support.concurrently import start_in_thread
from tests.support.factories import NOON, an_operator, logged_in
from tests.support.hostile_provider import KEY, hostile_provider, http_response

pytestmark = pytest.mark.both_engines


def test_import_that_is_applied_is_not_dropped_for_another_one(app: Flask) -> None:
    imported(a_row())
    preview = a_preview(a_row(rate="2.00"))

    def ask_again() -> object:
        try:
            with transaction():
                return lifecycle.request_import(1, actor="bob", now=NOON).id
        except ActionRefused as refused:
            return refused.message

    with transaction():
        lifecycle.apply(preview, ["1"], actor="anna", now=NOON)
        asked = start_in_thread(app, ask_again)
    answer = asked.result(30)

    applied = db.session.get_one(CatalogueImport, preview)
    assert (applied.state, applied.chosen) == ("applying", '["1"]')
    assert answer == "An import of this provider is running. Wait until it ends."


def test_margins_of_two_categories_that_are_saved_together_are_both_kept(app: Flask) -> None:
    # No tool has the other category yet, so that no price of the preview changes.
    imported(a_row())
    client, page = logged_in(app.test_client(), an_operator()), "/office/providers/1/prices/category"
    form = {"category": "Pages", "category_margin": "20"}
    digest = re.search(r'name="digest" value="([0-9a-f]+)"', client.post(page, data=form).text)
    assert digest is not None

    def with_videos(_provider: Provider, present: Markup) -> Markup:
        return price_rules.with_category(present, {"category": "Videos", "category_margin": "50"})

    with transaction():
        price_rules.save(1, with_videos, digest=price_rules.Repricing().digest, actor="bob", now=NOON)
        saved = start_in_thread(app, lambda: client.post(page, data=form | {"confirmed": "yes", "digest": digest[1]}))
    status = saved.result(30).status_code

    kept = db.session.scalars(select(CategoryMargin.category).order_by(CategoryMargin.category)).all()
    assert (status, kept) == (303, ["Pages", "Videos"])
    assert offered().price_micros_per_thousand == 1_080_000


def test_import_by_command_uses_a_margin_that_is_saved_meanwhile(app: Flask) -> None:
    with hostile_provider() as server:
        server.answers["services"] = http_response([a_row()])
        server.answers["balance"] = http_response({"balance": "9", "currency": "USD"})
        with transaction():
            key = provider_registry.encrypt(KEY, settings=app.config["PANEL"])
            added = provider_registry.add_provider(
                "upstream", kind="panel_api", url=server.url, encrypted_key=key, now=NOON
            )
            added.margin_millionths = 0
        with transaction():
            price_rules.save(
                1, lambda *_: Markup(1_000_000), digest=price_rules.Repricing().digest, actor="anna", now=NOON
            )
            command = ["providers", "import", "upstream"]
            done = start_in_thread(app, lambda: app.test_cli_runner().invoke(args=command))
        exit_code = done.result(30).exit_code

    assert (exit_code, offered().price_micros_per_thousand) == (0, 1_800_000)

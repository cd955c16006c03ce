"""Import of a catalogue in the office: previewed, chosen, applied by the worker, undone; what was set by hand stays."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.jobs.catalogue import imports
from panel.models import AuditLogEntry, CatalogueImport, ImportedTool, Provider, Review, Terms, Tool
from panel.services.catalogue import tool_settings
from panel.services.catalogue.imports import applying
from panel.services.providers import registry as provider_registry
from tests.support.catalogue_imports import a_row, offered
from tests.support.hostile_provider import KEY, HostileProvider, hostile_provider, http_response
from tests.support.page_text import text_of

PAGE = "/office/providers/1/import"
YES = {"confirmed": "yes"}
LIST = {"scope": "list"}


@pytest.fixture
def server(app: Flask) -> Iterator[HostileProvider]:
    with hostile_provider() as server:
        with transaction():
            key = provider_registry.encrypt(KEY, settings=app.config["PANEL"])
            provider = provider_registry.add_provider(
                "upstream", kind="panel_api", url=server.url, encrypted_key=key, now=utc_now()
            )
            provider.margin_millionths = 200_000
        server.answers["balance"] = http_response({"balance": "100.84292", "currency": "USD"})
        yield server


def work() -> None:
    db.session.rollback()
    imports.sweep(worker="test", wait=True)
    db.session.rollback()


def fetched(office: FlaskClient, server: HostileProvider, *rows: object) -> dict[str, str]:
    """Get this catalogue; returns what the preview's forms name."""
    server.answers["services"] = http_response(list(rows))
    assert office.post(PAGE).status_code == 303
    work()
    return {"import": str(newest().id)}


def import_all(office: FlaskClient, server: HostileProvider, *rows: object) -> None:
    chosen = fetched(office, server, *rows) | LIST | YES
    assert office.post(f"{PAGE}/rows", data=chosen).status_code == 303
    work()


def newest() -> CatalogueImport:
    db.session.rollback()
    return db.session.scalars(select(CatalogueImport).order_by(CatalogueImport.id.desc()).limit(1)).one()


def undo(office: FlaskClient) -> None:
    assert "Nothing has changed yet" in office.post(f"{PAGE}/undo").text
    assert office.post(f"{PAGE}/undo", data=YES).status_code == 303
    work()


def slugs() -> list[str]:
    return list(db.session.scalars(select(Tool.slug).order_by(Tool.id)))


def test_catalogue_is_previewed_before_anything_changes(office: FlaskClient, server: HostileProvider) -> None:
    import_all(office, server, a_row(), a_row(2), a_row(3), a_row(4))

    now = [a_row(rate="1.00"), a_row(2, name="Page reads"), a_row(4), a_row(5), a_row(6, rate="free")]
    fetched(office, server, *now)

    shown = text_of(office.get(PAGE).text)
    assert "1.08 → 1.20 per 1,000" in shown
    assert "Renamed Name: Page visits → Page reads" in shown
    assert "No longer there It is hidden until the provider has it again." in shown
    assert "New 50–10,000 1.08 per 1,000" in shown
    assert "Row 5 (service 6) was skipped" in shown
    assert "Import all 4 of this list" in shown
    assert len(slugs()) == 4 and offered().price_micros_per_thousand == 1_080_000


def test_chosen_rows_alone_are_imported(office: FlaskClient, server: HostileProvider) -> None:
    chosen = fetched(office, server, a_row(), a_row(2), a_row(3))

    asked = office.post(f"{PAGE}/rows", data=chosen | {"scope": "selected", "service": ["1", "3"]})
    office.post(f"{PAGE}/rows", data=chosen | YES | {"scope": "selected", "service": ["1", "3"]})
    work()

    assert "New 2" in text_of(asked.text) and asked.text.count('name="service"') == 2
    assert slugs() == ["page-visits-1", "page-visits-3"]
    assert (newest().state, newest().added) == ("applied", 2)
    assert list(db.session.scalars(select(AuditLogEntry.action))) == ["providers import"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"category": "Videos"}, ["page-visits-2"]),
        ({"q": "reads"}, ["reads-3"]),
        ({"q": "READS", "category": "Videos"}, []),
        ({"kind": "added"}, ["page-visits-1", "page-visits-2", "reads-3"]),
        ({"kind": "vanished"}, []),
    ],
)
def test_all_of_a_list_are_those_under_its_filters(
    office: FlaskClient, server: HostileProvider, filters: dict[str, str], expected: list[str]
) -> None:
    rows = (a_row(), a_row(2, category="Videos"), a_row(3, name="Reads"))
    chosen = fetched(office, server, *rows) | LIST | YES | filters

    answer = office.post(f"{PAGE}/rows", data=chosen)
    work()

    assert answer.status_code == (303 if expected else 422)
    assert slugs() == expected


def test_import_twice_changes_nothing_the_second_time(office: FlaskClient, server: HostileProvider) -> None:
    import_all(office, server, a_row(), a_row(2))

    chosen = fetched(office, server, a_row(), a_row(2))

    assert "No rows match." in office.get(PAGE).text
    assert office.post(f"{PAGE}/rows", data=chosen | LIST | YES).status_code == 422


def test_what_was_set_by_hand_stays(office: FlaskClient, server: HostileProvider) -> None:
    import_all(office, server, a_row(), a_row(2))
    by_hand = {"price_per_thousand": "5", "name": "Ours", "minimum": "100", "refill_days": "7", "cancel": "false"}
    with transaction():
        for name, text in by_hand.items():
            tool_settings.set_field("page-visits-1", name, text, actor="anna", now=utc_now())
        tool_settings.set_field("page-visits-2", "hidden", "false", actor="anna", now=utc_now())

    import_all(office, server, a_row(rate="9", name="Theirs", min=1, refill=False, max=777))
    undo(office)

    tool = offered()
    assert (tool.price_micros_per_thousand, tool.name, tool.minimum) == (5_000_000, "Ours", 100)
    assert (tool.refill_days, tool.can_cancel, tool.maximum) == (7, False, 10_000)
    assert offered("page-visits-2").is_hidden is False


def test_import_is_undone(office: FlaskClient, server: HostileProvider) -> None:
    import_all(office, server, a_row(), a_row(2), a_row(3))
    import_all(office, server, a_row(rate="2"), a_row(2, name="Renamed", rate="3"), a_row(4))
    after = {slug: (offered(slug).price_micros_per_thousand, offered(slug).is_hidden) for slug in slugs()}
    with transaction():
        tool_settings.set_field("page-visits-2", "summary", "Ours.", actor="anna", now=utc_now())

    undo(office)

    assert after == {
        "page-visits-1": (2_400_000, False),
        "page-visits-2": (3_600_000, False),
        "page-visits-3": (1_080_000, True),
        "page-visits-4": (1_080_000, False),
    }
    assert (offered().price_micros_per_thousand, offered("page-visits-3").is_hidden) == (1_080_000, False)
    # Changed since the import, so it stays.
    assert (offered("page-visits-2").name, offered("page-visits-2").price_micros_per_thousand) == ("Renamed", 3_600_000)
    assert offered("page-visits-4").is_hidden
    assert (newest().state, newest().left_alone) == ("undone", 1)
    assert db.session.scalars(select(ImportedTool)).all() == []


def test_undone_names_are_those_of_before(office: FlaskClient, server: HostileProvider) -> None:
    import_all(office, server, a_row())
    import_all(office, server, a_row(name="Renamed"))

    undo(office)

    names = db.session.scalars(select(Terms.name).order_by(Terms.version)).all()
    assert names == ["Page visits", "Renamed", "Page visits"]
    assert offered().name == "Page visits"


def test_only_the_last_import_can_be_undone_and_once(office: FlaskClient, server: HostileProvider) -> None:
    import_all(office, server, a_row())
    undo(office)

    again = office.post(f"{PAGE}/undo", data=YES)

    assert again.status_code == 409 and "no import that can be undone" in again.text


def test_undo_under_way_is_shown_instead_of_a_newer_preview(office: FlaskClient, server: HostileProvider) -> None:
    import_all(office, server, a_row())
    chosen = fetched(office, server, a_row(rate="2"))
    assert office.post(f"{PAGE}/undo", data=YES).status_code == 303

    shown = office.get(PAGE).text
    refused = office.post(f"{PAGE}/rows", data=chosen | LIST | YES)
    work()

    assert "Undoing: 0 of 1" in text_of(shown) and "Import this row" not in shown
    assert refused.status_code == 409 and "Wait until it ends" in refused.text
    assert offered().is_hidden and "Import this row" in office.get(PAGE).text


def test_other_currency_without_a_rate_is_refused(office: FlaskClient, server: HostileProvider) -> None:
    server.answers["balance"] = http_response({"balance": "9", "currency": "INR"})

    fetched(office, server, a_row())

    assert newest().state == "failed"
    assert "upstream sells in INR" in text_of(office.get(PAGE).text)
    assert slugs() == []


def test_without_a_margin_nothing_is_fetched(office: FlaskClient, server: HostileProvider) -> None:
    with transaction():
        db.session.execute(update(Provider).values(margin_millionths=None))

    refused = office.post(PAGE)

    assert refused.status_code == 409 and "Set the margin first" in refused.text
    assert server.calls == []


def test_what_a_provider_answers_instead_of_a_catalogue_is_shown_as_text(
    office: FlaskClient, server: HostileProvider
) -> None:
    server.answers["services"] = http_response({"error": "<script>alert(1)</script>"})
    office.post(PAGE)
    work()

    page = office.get(PAGE).text

    assert "&lt;script&gt;" in page and "<script>alert" not in page


def test_silent_provider_fails_the_import_alone(office: FlaskClient, server: HostileProvider) -> None:
    server.answers["services"] = http_response({"error": "Invalid API key"})
    office.post(PAGE)

    work()

    assert newest().state == "failed" and "Failed" in office.get(PAGE).text
    import_all(office, server, a_row())
    assert slugs() == ["page-visits-1"]


def test_service_that_may_be_another_is_hidden_with_any_import(office: FlaskClient, server: HostileProvider) -> None:
    import_all(office, server, a_row(), a_row(2))

    chosen = fetched(office, server, a_row(name="Video views", category="Videos"), a_row(2), a_row(3))
    shown = text_of(office.get(PAGE).text)
    office.post(f"{PAGE}/rows", data=chosen | YES | {"scope": "selected", "service": "3"})
    work()

    assert "Maybe another service It was Page visits in Pages." in shown
    assert offered().is_hidden and not offered("page-visits-3").is_hidden
    assert list(db.session.scalars(select(Review.kind))) == ["service_changed"]


def test_markup_and_emoji_in_names_are_text(office: FlaskClient, server: HostileProvider) -> None:
    fetched(office, server, a_row(name="<b>Views</b> &amp; 🚀", category="<script>"))

    page = office.get(PAGE).text

    assert "&lt;b&gt;Views&lt;/b&gt; &amp; 🚀" in page and "<script>" not in page.split("<main", 1)[1]


def test_preview_that_was_displaced_is_not_applied(office: FlaskClient, server: HostileProvider) -> None:
    old = fetched(office, server, a_row())
    fetched(office, server, a_row(2))

    refused = office.post(f"{PAGE}/rows", data=old | LIST | YES)

    assert refused.status_code == 409 and "no longer current" in refused.text


def test_dropped_preview_changes_nothing(office: FlaskClient, server: HostileProvider) -> None:
    chosen = fetched(office, server, a_row())

    office.post(f"{PAGE}/drop", data=chosen)

    assert newest().state == "dropped" and slugs() == []


def test_worker_goes_on_where_another_one_died(
    office: FlaskClient, server: HostileProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "ROWS_A_STEP", 2)
    chosen = fetched(office, server, *[a_row(number) for number in range(1, 6)])
    office.post(f"{PAGE}/rows", data=chosen | LIST | YES)
    with transaction():
        applying.apply_some(newest().id, now=utc_now())
    live = text_of(office.get(f"{PAGE}/live").text)
    with transaction():
        newest_due = db.session.scalars(select(CatalogueImport)).one()
        newest_due.due_at = utc_now()

    work()

    assert "Importing: 2 of 5" in live
    assert len(slugs()) == 5 and (newest().state, newest().added) == ("applied", 5)


def test_only_upstream_panels_have_a_catalogue(office: FlaskClient, server: HostileProvider) -> None:
    assert office.get("/office/providers/99/import").status_code == 404
    assert office.get("/office/providers/99/import/live").status_code == 404
    assert office.post("/office/providers/99/import").status_code == 404

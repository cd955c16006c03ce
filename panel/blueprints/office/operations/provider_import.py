"""Import of a provider's catalogue in the office: get it, look at what would change, choose rows, apply, undo."""

from collections import Counter
from dataclasses import dataclass

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from panel.blueprints.office import confirmation, layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.confirmation import Confirmation
from panel.blueprints.office.forms import number, status_of, typed
from panel.blueprints.shared.forms import by_field
from panel.clock import utc_now
from panel.db import transaction
from panel.domain import formatting
from panel.domain.accounts.roles import Action
from panel.domain.errors import ActionRefused, BadInput, NotFound, PanelError
from panel.models import CatalogueImport, ImportState
from panel.services.catalogue.imports import lifecycle, price_rules, row_words, schedule
from panel.services.catalogue.imports.import_row import RowKind
from panel.services.catalogue.imports.planning import ImportPlan, PlannedRow

bp = office_blueprint("provider_import", reads=Action.MANAGE_PROVIDERS, changes=Action.MANAGE_PROVIDERS)

# On a phone a row is a card, and a page of more of them would be very long.
ROWS_A_PAGE = 40
CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class _Filters:
    """Which rows of the preview are listed; also which ones "all of this list" means."""

    kind: str
    category: str
    q: str

    def rows(self, plan: ImportPlan) -> list[PlannedRow]:
        words = self.q.lower()
        return [
            each
            for each in plan.rows
            if (each.kind.does_something if self.kind == CHANGES else self.kind in ("", each.kind))
            and self.category in ("", each.category)
            and words in f"{each.service} {each.name} {each.slug} {each.category}".lower()
        ]


def _filters() -> _Filters:
    given = {name: request.values.get(name, "").strip()[:200] for name in ("kind", "category", "q")}
    kind = given["kind"] if "kind" in request.values else CHANGES
    return _Filters(kind if kind in (CHANGES, "", *RowKind) else CHANGES, given["category"], given["q"])


@bp.get("/providers/<int:upstream_id>/import")
def show(upstream_id: int) -> ResponseReturnValue:
    return _page(upstream_id)


@bp.get("/providers/<int:upstream_id>/import/live")
def live(upstream_id: int) -> ResponseReturnValue:
    """The state of the import alone, while the worker is at it."""
    price_rules.of_provider(upstream_id)
    return layout.region_alone(_region(upstream_id))


@bp.post("/providers/<int:upstream_id>/import")
def ask(upstream_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            lifecycle.request_import(upstream_id, actor=layout.actor(), now=utc_now())
    except NotFound:
        raise
    except PanelError as error:
        return _page(upstream_id, error), status_of(error)
    return _to_page(upstream_id)


@bp.post("/providers/<int:upstream_id>/import/rows")
def apply(upstream_id: int) -> ResponseReturnValue:
    """Import the chosen rows, after their number was confirmed."""
    try:
        found = _ready(upstream_id)
        plan = lifecycle.preview(found, now=utc_now())
        chosen = _chosen(plan)
        if not confirmation.is_confirmed():
            return confirmation.page(_confirmation(upstream_id, chosen, plan))
        with transaction():
            services = {each.service for each in chosen}
            lifecycle.apply(found.id, services, actor=layout.actor(), now=utc_now())
    except NotFound:
        raise
    except PanelError as error:
        return _page(upstream_id, error), status_of(error)
    return _to_page(upstream_id)


@bp.get("/providers/<int:upstream_id>/import/rows")
def back(upstream_id: int) -> ResponseReturnValue:
    """Redirect a reload of the check page's address to the preview."""
    return _to_page(upstream_id)


@bp.post("/providers/<int:upstream_id>/import/drop")
def drop(upstream_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            lifecycle.drop(_ready(upstream_id).id, now=utc_now())
    except PanelError as error:
        return _page(upstream_id, error), status_of(error)
    flash("The preview is dropped. Nothing was imported.")
    return _to_page(upstream_id)


@bp.post("/providers/<int:upstream_id>/import/undo")
def undo(upstream_id: int) -> ResponseReturnValue:
    """Undo the last import, after a page that shows what that means."""
    provider, _rules = price_rules.of_provider(upstream_id)
    hours, found = provider.import_hours, lifecycle.undoable(upstream_id)
    try:
        if found is None:
            raise ActionRefused("There is no import that can be undone.")
        if not confirmation.is_confirmed():
            return confirmation.page(_undo_confirmation(found, hours=hours))
        with transaction():
            lifecycle.undo(found.id, actor=layout.actor(), now=utc_now())
    except PanelError as error:
        return _page(upstream_id, error), status_of(error)
    if hours is not None:
        flash("The schedule is off, so that the next import doesn’t make the same changes again.")
    return _to_page(upstream_id)


def _undo_confirmation(found: CatalogueImport, *, hours: int | None) -> Confirmation:
    facts = [
        ("New tools to hide", formatting.count(found.added)),
        ("Changed", formatting.count(found.changed)),
        ("Hidden", formatting.count(found.hidden)),
    ]
    lead = (
        "Tools get back the names, prices and limits that they had before. Tools that were changed since the "
        "import stay as they are. Orders keep the price they were placed at."
    )
    if hours is not None:
        facts.append(("Schedule", f"Every {hours} {'hour' if hours == 1 else 'hours'}; it is turned off"))
        lead += (
            " This also turns the schedule off: the next scheduled import would make the same changes again. "
            "You can turn it on again afterwards."
        )
    away = f"/office/providers/{found.provider_id}/import"
    return Confirmation("Undo the import", facts, "Undo the import", away, lead, is_danger=True)


@bp.post("/providers/<int:upstream_id>/import/schedule")
def set_schedule(upstream_id: int) -> ResponseReturnValue:
    try:
        with transaction():
            schedule.set_hours(upstream_id, typed("hours"), actor=layout.actor(), now=utc_now())
    except NotFound:
        raise
    except PanelError as error:
        return _page(upstream_id, error), status_of(error)
    flash("The schedule is saved." if typed("hours") else "The catalogue is no longer imported on a schedule.")
    return _to_page(upstream_id)


def _ready(upstream_id: int) -> CatalogueImport:
    price_rules.of_provider(upstream_id)
    found = lifecycle.latest(upstream_id)
    if found is None or found.state != ImportState.READY or typed("import") != str(found.id):
        raise ActionRefused("This preview is no longer current. Get the catalogue again.")
    return found


def _chosen(plan: ImportPlan) -> list[PlannedRow]:
    """The selected rows, or all of the list, of those that change something."""
    services = set(request.form.getlist("service"))
    rows = _filters().rows(plan) if typed("scope") == "list" else [row for row in plan.rows if row.service in services]
    chosen = [row for row in rows if row.kind.does_something]
    if not chosen:
        raise BadInput("Choose at least one row that changes something.", field="service")
    return chosen


def _confirmation(upstream_id: int, chosen: list[PlannedRow], plan: ImportPlan) -> Confirmation:
    counts = Counter(each.kind for each in chosen)
    counts[RowKind.REPLACED] = len(plan.of(RowKind.REPLACED))
    facts: list[tuple[str, object]] = [
        (kind.label, formatting.count(counts[kind])) for kind in RowKind if kind.does_something and counts[kind]
    ]
    falls = sum(each.price.falls for each in chosen if each.price is not None)
    facts.append(("Prices that fall", formatting.count(falls)))
    lead = (
        "Prices and limits apply to new orders. Orders keep their name and price. You can undo the import afterwards."
    )
    away = f"/office/providers/{upstream_id}/import"
    return Confirmation("Check the import", facts, "Import rows", away, lead, is_danger=bool(falls))


def _to_page(upstream_id: int) -> ResponseReturnValue:
    return redirect(f"/office/providers/{upstream_id}/import", code=303)


def _region(upstream_id: int) -> tuple[Markup, str]:
    """The state of an import, which is polled while the worker is at it."""
    found = lifecycle.current(upstream_id)
    return layout.region(
        "office/providers/_import_state.html",
        live_url=url_for("office_provider_import.live", upstream_id=upstream_id),
        label="State of the import",
        is_polled=found is not None and ImportState(found.state).is_worked_on,
        found=found,
        states=ImportState,
        upstream_id=upstream_id,
    )


def _page(upstream_id: int, error: PanelError | None = None) -> str:
    provider, present = price_rules.of_provider(upstream_id)
    found = lifecycle.current(upstream_id)
    is_ready = found is not None and found.state == ImportState.READY
    preview = _preview(found) if found is not None and is_ready else {"plan": None}
    if found is not None and is_ready and preview["plan"] is None:
        error = error or ActionRefused("These price rules can’t be used for this catalogue. Look at the rate.")
    return render_template(
        "office/providers/import.html",
        provider=provider,
        rules=price_rules.words(present) if provider.margin_millionths is not None else "",
        found=found,
        region=None if is_ready else _region(upstream_id)[0],
        undoable=lifecycle.undoable(upstream_id),
        errors=by_field(error),
        hours=request.form.get("hours", "" if provider.import_hours is None else str(provider.import_hours)),
        max_hours=schedule.MAX_HOURS,
        **preview,
    )


def _preview(found: CatalogueImport) -> dict[str, object]:
    """Template data of a page of planned rows."""
    try:
        plan = lifecycle.preview(found, now=utc_now())
    except ActionRefused:
        return {"plan": None}
    filters = _filters()
    rows = filters.rows(plan)
    page = max(1, number(request.args.get("page", "")) or 1)
    counts = Counter(each.kind for each in plan.rows)
    some = rows[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE]
    return {
        "plan": plan,
        "filters": filters,
        "kinds": [
            (CHANGES, f"All changes ({sum(counts[kind] for kind in RowKind if kind.does_something):,})"),
            *((kind.value, f"{kind.label} ({counts[kind]:,})") for kind in RowKind),
        ],
        "categories": [("", "All categories"), *((name, name) for name in sorted({row.category for row in plan.rows}))],
        "rows": [(each, row_words.price(each), row_words.changes(each)) for each in some],
        "matching": sum(each.kind.does_something for each in rows),
        "shown_from": (page - 1) * ROWS_A_PAGE + 1,
        "total": len(rows),
        "page": page,
        "has_more": len(rows) > page * ROWS_A_PAGE,
        "skipped": lifecycle.skipped_of(found),
    }

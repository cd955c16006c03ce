"""Updates: announcements, and every change of tools and terms, as a page and as an Atom feed."""

from datetime import datetime
from itertools import groupby

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.shared import structured_data
from panel.blueprints.shared.feeds import EMPTY_FEED_UPDATED_AT, for_machines
from panel.blueprints.shared.own_prices import own_prices
from panel.blueprints.shared.template_globals import me
from panel.services import announcements
from panel.services.catalogue import scheduled_terms, terms_changes
from panel.services.catalogue.customer_prices import LIST_PRICES, PriceList
from panel.services.catalogue.scheduled_terms import PendingChange
from panel.services.catalogue.terms_changes import CatalogueChange, FieldChange

PATH, TITLE = "/updates", "Updates"
MAX_IN_FEED = 50

bp = Blueprint("updates", __name__)


@bp.get(PATH)
def show() -> ResponseReturnValue:
    changes = terms_changes.newest()
    return render_template(
        "updates/show.html",
        announcements=announcements.published(is_customer=me() is not None),
        upcoming=_upcoming(own_prices()),
        days=[(at, list(each)) for at, each in groupby(changes, key=lambda change: change.at.date())],
        count=len(changes),
        most=terms_changes.MAX_CHANGES,
        data=structured_data.graph(
            structured_data.web_page(PATH, name=TITLE, changed=changes[0].at.date() if changes else None),
            structured_data.breadcrumbs(("Home", "/"), (TITLE, PATH)),
        ),
    )


@bp.get(f"{PATH}.atom")
def as_atom() -> ResponseReturnValue:
    """The feed is public, so it has what is for everyone."""
    entries = sorted(
        [
            *((each.published_at, None, each, None) for each in announcements.published(is_customer=False)),
            *((change.at, change, None, None) for change in terms_changes.newest()),
            *((change.made_at, None, None, (change, fields)) for change, fields in _upcoming(LIST_PRICES)),
        ],
        key=_at,
        reverse=True,
    )[:MAX_IN_FEED]
    body = render_template(
        "updates/feed.xml",
        entries=entries,
        updated=entries[0][0] if entries else EMPTY_FEED_UPDATED_AT,
        site=structured_data.absolute(""),
        page=structured_data.absolute(PATH),
    )
    return for_machines(Response(body, mimetype="application/atom+xml"), request)


def _upcoming(prices: PriceList) -> list[tuple[PendingChange, tuple[FieldChange, ...]]]:
    """Announced changes that differ at these prices, the next first."""
    found = [(change, change.fields(prices)) for change in scheduled_terms.pending()]
    return [(change, fields) for change, fields in found if fields][: terms_changes.MAX_CHANGES]


def _at(entry: tuple[datetime | None, CatalogueChange | None, object, object]) -> datetime:
    assert entry[0] is not None, "only published announcements are listed"
    return entry[0]

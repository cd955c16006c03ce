"""Updates: announcements, and every change of tools and terms, as a page and as an Atom feed."""

from datetime import datetime
from itertools import groupby

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from panel.blueprints.shared import structured_data
from panel.blueprints.shared.feeds import EMPTY_FEED_UPDATED_AT, for_machines
from panel.blueprints.shared.template_globals import me
from panel.services import announcements
from panel.services.catalogue import terms_changes
from panel.services.catalogue.terms_changes import CatalogueChange

PATH, TITLE = "/updates", "Updates"
MAX_IN_FEED = 50

bp = Blueprint("updates", __name__)


@bp.get(PATH)
def show() -> ResponseReturnValue:
    changes = terms_changes.newest()
    return render_template(
        "updates/show.html",
        announcements=announcements.published(is_customer=me() is not None),
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
            *((each.published_at, None, each) for each in announcements.published(is_customer=False)),
            *((change.at, change, None) for change in terms_changes.newest()),
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


def _at(entry: tuple[datetime | None, CatalogueChange | None, object]) -> datetime:
    assert entry[0] is not None, "only published announcements are listed"
    return entry[0]

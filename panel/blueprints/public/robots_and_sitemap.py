"""sitemap.xml, robots.txt and security.txt."""

from datetime import date, timedelta

from flask import Blueprint, Response, abort, render_template

from panel import app_context
from panel.blueprints.api.docs import changed
from panel.blueprints.shared.help_texts import texts
from panel.blueprints.shared.structured_data import absolute
from panel.blueprints.shared.template_globals import has_page
from panel.clock import utc_now
from panel.services.catalogue import tools as catalogue_tools
from panel.services.platform import incident_reads

bp = Blueprint("machines", __name__)

# Fragments, which are of no use alone. Nothing else is disallowed: crawlers can't see noindex on a blocked page.
FRAGMENTS = ("/orders/live", "/orders/price", "/test-order/live")
MAX_INCIDENTS = 1_000
STATUS = "/platform-status"
TICKET = "/tickets/new"
SECURITY_VALID_FOR = timedelta(days=90)


@bp.get("/sitemap.xml")
def sitemap() -> Response:
    """sitemap.xml: every page that may be indexed, with the day of its last update."""
    body = render_template("help/sitemap.xml", pages=[(absolute(path), changed) for path, changed in _pages()])
    return Response(body, mimetype="application/xml")


@bp.get("/robots.txt")
def robots() -> Response:
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in FRAGMENTS),
        "",
        f"Sitemap: {absolute('/sitemap.xml')}",
    ]
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


@bp.get("/.well-known/security.txt")
def security() -> Response:
    """security.txt: the operator's email or a ticket form as contact; 404 when there is neither."""
    address = app_context.settings().support_email
    if not address and not has_page(TICKET):
        abort(404)
    expires = (utc_now() + SECURITY_VALID_FOR).strftime("%Y-%m-%dT00:00:00Z")
    lines = [
        f"Contact: mailto:{address}" if address else f"Contact: {absolute(TICKET)}",
        f"Expires: {expires}",
        "Preferred-Languages: en",
        f"Policy: {absolute('/acceptable-use')}",
        f"Canonical: {absolute('/.well-known/security.txt')}",
    ]
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


def _pages() -> list[tuple[str, date | None]]:
    """Pages with the day of their last update; a page that lists others has the newest of theirs."""
    content, tools, incidents = texts(), catalogue_tools.listed(), incident_reads.newest_published(limit=MAX_INCIDENTS)
    newest_tool = max((tool.changed_at.date() for tool in tools), default=None)
    first_changes = (newest_tool, content.guides["order-statuses"].keys.changed)
    pages: dict[str, date | None] = {
        "/": max(day for day in first_changes if day is not None),
        "/faq": content.questions_changed,
        "/api": changed(),
        "/tools": newest_tool,
        "/updates": newest_tool,
        STATUS: max((each.changed_at.date() for each in incidents), default=None),
    }
    for name, guide in content.guides.items():
        pages.setdefault(f"/{name}", guide.keys.changed)
    pages |= {f"/order-statuses/{status.slug}": page.keys.changed for status, page in content.statuses.items()}
    pages |= {f"/tools/{tool.slug}": tool.changed_at.date() for tool in tools}
    pages |= {f"{STATUS}/incidents/{each.slug}": each.changed_at.date() for each in incidents}
    return [(path, day) for path, day in pages.items() if has_page(path)]

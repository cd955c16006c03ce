"""What machines ask a site for: the sitemap, robots.txt, and whom to tell about a weakness."""

from datetime import date, timedelta

from flask import Blueprint, Response, abort, current_app, render_template

from panel.blueprints.api_docs import changed
from panel.blueprints.help import texts
from panel.blueprints.json_ld import absolute
from panel.clock import utc_now
from panel.services import catalogue

bp = Blueprint("machines", __name__)

# Pieces of pages, which are of no use alone. All else may be read: a blocked page's noindex never is.
FRAGMENTS = ("/orders/live", "/orders/price")
SECURITY_VALID_FOR = timedelta(days=90)


@bp.get("/sitemap.xml")
def sitemap() -> Response:
    """Every page that may be indexed, with the day of its last change in substance."""
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
    """Where to report a weakness; not there while the operator has set no address."""
    address = current_app.config["PANEL"].support_email
    if not address:
        abort(404)
    expires = (utc_now() + SECURITY_VALID_FOR).strftime("%Y-%m-%dT00:00:00Z")
    lines = [
        f"Contact: mailto:{address}",
        f"Expires: {expires}",
        f"Canonical: {absolute('/.well-known/security.txt')}",
    ]
    return Response("\n".join(lines) + "\n", mimetype="text/plain")


def _pages() -> list[tuple[str, date | None]]:
    content, tools = texts(), catalogue.listed()
    pages: dict[str, date | None] = {"/": None, "/faq": content.questions_changed, "/api": changed()}
    for name, guide in content.guides.items():
        pages.setdefault(f"/{name}", guide.keys.changed)
    for status, page in content.statuses.items():
        pages[f"/order-statuses/{status.slug}"] = page.keys.changed
    pages["/tools"] = max((tool.changed_at.date() for tool in tools), default=None)
    for tool in tools:
        pages[f"/tools/{tool.slug}"] = tool.changed_at.date()
    return list(pages.items())

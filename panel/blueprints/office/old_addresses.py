"""Permanent redirects from former office URLs to the current ones, for bookmarks and old emails."""

from flask import redirect, request
from flask.typing import ResponseReturnValue

from panel.blueprints.office.access import PREFIX, office_blueprint
from panel.domain.accounts.roles import Action

bp = office_blueprint("old_addresses", reads=Action.LOOK)

NEW_NAMES = {
    "top-ups": "deposits",
    "figures": "reports",
    "log": "audit-log",
    "log.csv": "audit-log.csv",
    "proposals": "approvals",
}


def moved(rest: str = "") -> ResponseReturnValue:
    """Redirect (301) to the new URL, with the query string."""
    old = request.path.removeprefix(f"{PREFIX}/").partition("/")[0]
    path = f"{PREFIX}/{NEW_NAMES[old]}{f'/{rest}' if rest else ''}"
    query = request.query_string.decode("latin-1")
    return redirect(f"{path}?{query}" if query else path, code=301)


for _old in NEW_NAMES:
    bp.add_url_rule(f"/{_old}", endpoint=f"{_old.replace('.', '-')}", view_func=moved)
    bp.add_url_rule(f"/{_old}/<path:rest>", endpoint=f"{_old.replace('.', '-')}-below", view_func=moved)

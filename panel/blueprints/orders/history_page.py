"""Page around the history's region: rendered once without anything of the person, and then filled in.

What it shows of no person is in the key of the shell. A page that shows more, such as a message after a form, or that
isn't cached, is rendered as any other.
"""

from types import SimpleNamespace

from flask import current_app, render_template, request, session
from markupsafe import Markup, escape

from panel import app_context
from panel.blueprints.shared import incident_banner, page_frame
from panel.blueprints.shared.shells import Shell, places
from panel.blueprints.shared.template_globals import me
from panel.db.lru_cache import LRUCache
from panel.domain.formatting import STAMP_MARKS
from panel.security import csrf_token
from panel.security.request_identity import theme_of

# Some 5 kB each, one for each address of a page and theme that is asked for.
MAX_SHELLS = 2_000

_TEMPLATE, _BAR = "orders/index.html", "components/site_bar.html"
_FLASHES = "_flashes"
_PLACES = places(("bar", "footer", "email", "csrf_token", "push_url", "form", "region"))
# Instead of the globals of these names, which say what is this person's.
_WITHOUT_PERSON = {
    "me": SimpleNamespace(email=_PLACES["email"], has_confirmed_email=True),
    "account_bar": lambda _template: _PLACES["bar"],
    "site_footer": lambda: _PLACES["footer"],
    "csrf_token": lambda: _PLACES["csrf_token"],
    "form": _PLACES["form"],
    "region": _PLACES["region"],
}


def rendered(*, form: Markup, region: Markup, **shown: object) -> str:
    """The page with this region. `shown`: all else that it shows, each hashable."""
    person = me()
    push_url = current_app.jinja_env.globals["push_url"]()  # type: ignore[operator]
    is_usual = STAMP_MARKS in request.environ and _FLASHES not in session
    if person is None or not (is_usual and person.has_confirmed_email):
        return render_template(_TEMPLATE, form=form, region=region, errors={}, **shown)
    key = (
        theme_of(request.environ),
        # Settings, colors and announcements change with it.
        person.catalogue_version,
        incident_banner.closed_ordering(),
        tuple(incident_banner.my_incidents()),
        push_url != "",
        *shown.items(),
    )
    shells = app_context.once_per_app("panel.shells_of_history", lambda: LRUCache[object, Shell](MAX_SHELLS))
    push = _PLACES["push_url"] if push_url else ""
    shell = shells.get_or_make(
        key,
        lambda: Shell(render_template(_TEMPLATE, errors={}, push_url=lambda: push, **_WITHOUT_PERSON, **shown)),
    )
    context = {**current_app.jinja_env.globals, "me": person}
    return shell.filled(
        {
            "bar": page_frame.account_bar(context, _BAR),
            "footer": page_frame.site_footer(context),
            "email": escape(person.email),
            "csrf_token": csrf_token(),
            "push_url": escape(push_url),
            "form": form,
            "region": region,
        }
    )

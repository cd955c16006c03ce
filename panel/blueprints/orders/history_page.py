"""Page around the history's region: rendered once without anything of the person, and then filled in.

What it shows of no person is in the key of the shell. A page that shows more, such as a message after a form, or that
isn't cached, is rendered as any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace

from flask import current_app, render_template, request, session
from markupsafe import Markup, escape

from panel import app_context
from panel.blueprints.shared import incident_banner, page_frame
from panel.blueprints.shared.shells import Shell, places
from panel.blueprints.shared.template_globals import me, push_url_of
from panel.db.lru_cache import NewestVersionCache
from panel.domain.formatting import STAMP_MARKS
from panel.security import csrf_token
from panel.services.accounts.sessions import LoggedIn

# Some 10 kB each, one for each address of a page, role and theme that is asked for.
MAX_SHELLS = 1_000

TEMPLATE = "orders/index.html"
_BAR, _FOOTER = "components/site_bar.html", "components/site_footer.html"
_OF_BAR = ("email", "balance_nanos", "balance_plain", "balance", "csrf_token", "back_to")
_OF_FOOTER = ("back_to",)
_FLASHES = "_flashes"
_PLACES = places((*_OF_BAR, "push_url", "form", "region"))


@dataclass(frozen=True, slots=True)
class PersonsPage:
    """The page's shell, and the texts of a person that a change of orders or balance leaves as they are."""

    shell: Shell
    texts: Mapping[str, str]

    def filled(self, person: LoggedIn, region: Markup) -> str:
        parts = page_frame.parts_of_person(person.email, person.balance_nanos)
        now = {name: escape(part) for name, part in parts.items()}
        return self.shell.filled({**self.texts, **now, "push_url": escape(push_url_of(person)), "region": region})


def of_person(form: Markup, **shown: object) -> PersonsPage | None:
    """The page for who is logged in. `shown`: all else that it shows, each hashable. None: only its template has it."""
    person = me()
    is_usual = STAMP_MARKS in request.environ and _FLASHES not in session
    if person is None or not (is_usual and person.has_confirmed_email):
        return None
    bar, footer = page_frame.frame(_BAR, _OF_BAR), page_frame.frame(_FOOTER, _OF_FOOTER)
    key = (
        # Each is another one for another role, theme or name of the site.
        (bar, footer),
        # Settings, colors and announcements change with it.
        person.catalogue_version,
        incident_banner.closed_ordering(),
        tuple(incident_banner.my_incidents()),
        push_url_of(person) != "",
        *shown.items(),
    )
    shells = app_context.once_per_app("panel.shells_of_history", lambda: NewestVersionCache[object, Shell](MAX_SHELLS))
    shell = shells.at(person.catalogue_version).get_or_make(
        key, lambda: _shell(bar, footer, has_push=push_url_of(person) != "", **shown)
    )
    back_to = current_app.jinja_env.globals["page_to_come_back_to"]()  # type: ignore[operator]
    return PersonsPage(shell, {"csrf_token": csrf_token(), "back_to": escape(back_to), "form": form})


def _shell(bar: Shell, footer: Shell, *, has_push: bool, **shown: object) -> Shell:
    # Instead of the globals of these names, which say what is this person's.
    without_person = {
        "me": SimpleNamespace(email=_PLACES["email"], has_confirmed_email=True),
        "account_bar": lambda _template: bar.filled(_PLACES),
        "site_footer": lambda: footer.filled(_PLACES),
        "csrf_token": lambda: _PLACES["csrf_token"],
        "push_url": lambda: _PLACES["push_url"] if has_push else "",
        "form": _PLACES["form"],
        "region": _PLACES["region"],
    }
    return Shell(render_template(TEMPLATE, errors={}, **without_person, **shown))

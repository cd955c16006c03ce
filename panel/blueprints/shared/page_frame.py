"""Frame of every page: header, menus and footer, each rendered without anything of the person and then filled in.

A frame is cached by everything else that it shows: the links of a role, the part of the site that is marked, the theme,
and what the settings say. Links to pages that don't exist are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flask import Flask, current_app, request
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from panel import app_context
from panel.blueprints.shared.navigation import ACCOUNT, BAR, FOOTER, HELP, OFFICE, Link
from panel.blueprints.shared.shells import Shell, places
from panel.blueprints.shared.template_globals import contact_email, has_page, me
from panel.db.lru_cache import LRUCache
from panel.domain import money
from panel.security import csrf_token
from panel.security.request_identity import theme_of
from panel.services.stored_settings import logo

EXTENSION = "panel.page_frame"
# At most 6 kB each. There are some 50 parts of the site, for each role and theme.
MAX_FRAMES = 1_000

_MARKED = (*BAR, *HELP, *ACCOUNT, *OFFICE)
_PATHS = frozenset({"/balance", *(link.path for link in _MARKED)})


@dataclass(frozen=True, slots=True)
class FrameLinks:
    """Links of the frame, as a visitor, a customer or the staff sees them."""

    bar: list[Link]
    help: list[Link]
    account: list[Link]
    footer: list[tuple[str, list[Link]]]

    @property
    def is_help_current(self) -> bool:
        return any(aria_current(link.path) for link in self.help)


def init_app(app: Flask) -> None:
    """Register the template globals."""
    app.extensions[EXTENSION] = LRUCache[tuple[object, ...], Shell](MAX_FRAMES)
    app.jinja_env.globals.update(
        account_bar=account_bar, bar_links=bar_links, aria_current=aria_current, site_footer=site_footer
    )


@pass_context
def account_bar(context: Context | Mapping[str, Any], template: str) -> Markup:
    """A header with the account menu of who is logged in."""
    if context["me"] is None:
        return framed(template, {})
    parts = parts_of_person(context["me"].email, context["my_balance_nanos"]())
    return framed(template, parts | {"csrf_token": csrf_token(), "back_to": context["page_to_come_back_to"]()})


def parts_of_person(email: str, balance_nanos: int) -> dict[str, object]:
    """What a header shows of who is logged in."""
    return {
        "email": email,
        "balance_nanos": balance_nanos,
        "balance_plain": money.plain(balance_nanos),
        "balance": app_context.money_text(balance_nanos),
    }


@pass_context
def site_footer(context: Context | Mapping[str, Any]) -> Markup:
    return framed("components/site_footer.html", {"back_to": context["page_to_come_back_to"]()})


def framed(template: str, parts: Mapping[str, object]) -> Markup:
    """The template, with texts of this person filled into what all of the same role see."""
    return frame(template, tuple(parts)).filled({name: escape(part) for name, part in parts.items()})


def frame(template: str, names: tuple[str, ...]) -> Shell:
    """What all of the same role see of the template, with places for the parts of these names."""
    frames: LRUCache[tuple[object, ...], Shell] = current_app.extensions[EXTENSION]
    person, theme, settings, image = me(), theme_of(request.environ), app_context.settings(), logo.current()
    shown = (settings.site_name, settings.company_name, settings.company_address, contact_email(), image and image.path)
    key = (template, names, person and person.role, part_of_site(request.path), theme, shown)
    return frames.get_or_make(key, lambda: _frame(template, names, theme=theme, site_name=settings.site_name))


def _frame(template: str, names: tuple[str, ...], **shared: object) -> Shell:
    html = current_app.jinja_env.get_template(template).render(parts=places(names), links=_links(), **shared)
    return Shell(html.strip())


def bar_links() -> list[Link]:
    return _links().bar


def _links() -> FrameLinks:
    person = me()
    is_logged_in, is_staff = person is not None, person is not None and person.is_staff

    def shown(links: tuple[Link, ...]) -> list[Link]:
        return [
            link
            for link in links
            if link.logged_in in (None, is_logged_in) and (is_staff or not link.operators) and has_page(link.path)
        ]

    footer = [(heading, found) for heading, links in FOOTER if (found := shown(links))]
    return FrameLinks(shown(BAR), shown(HELP), shown(ACCOUNT), footer)


def aria_current(path: str) -> Markup:
    """The `aria-current` of a link in the bar: this very page, or the part of the site around it."""
    page, around = part_of_site(request.path)
    if page == path:
        return Markup(' aria-current="page"')
    return Markup(' aria-current="true"') if around == path and not page else Markup("")


@lru_cache(maxsize=1024)
def part_of_site(path: str) -> tuple[str, str]:
    """For `aria-current`: the page's path if a link leads to it, and otherwise the part of the site around it."""
    if path in _PATHS:
        return path, ""
    if path.startswith("/office/canned-answers"):
        path = "/office/tickets/canned-answers"
    # The dashboard is one page, not the whole office.
    within = [link.path for link in _MARKED if f"{path}/".startswith(f"{link.path}/") and link.path != "/office"]
    return "", max(within, key=len, default="")

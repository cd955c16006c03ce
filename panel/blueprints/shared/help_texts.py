"""Texts of the help in force: those of `content/`, with the settings filled in, and those written in the office."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog
from flask import Flask, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from panel import app_context
from panel.blueprints.shared.template_globals import me
from panel.domain.status import from_slug
from panel.services.help import own_texts
from panel.services.help.content import Content, WrongContent, load
from panel.services.help.facts import facts_for_prose
from panel.services.help.own_texts import OwnTexts
from panel.services.stored_settings.texts import GUIDE_TEXTS
from panel.settings import ROOT, Settings

CONTENT = "panel_content"

log = structlog.get_logger("panel.help")


def init_app(app: Flask) -> None:
    """Load the texts at the start. Called after all routes are registered, so that every link can be checked."""
    settings: Settings = app.config["PANEL"]
    content = load(ROOT / "content", facts=facts_for_prose(settings))
    content.check_links(leads_somewhere(app))
    app.extensions[CONTENT] = _Loaded(settings, (None,) * len(GUIDE_TEXTS), content)


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The texts, and the settings and own texts that they were made from."""

    settings: Settings
    own: OwnTexts
    content: Content


def texts() -> Content:
    """The texts with the settings and own texts in force: made again, in some 30 ms, after a change."""
    # Loading the person brings the version that the settings follow.
    me()
    settings, own = app_context.settings(), own_texts.current()
    known = cast(_Loaded, current_app.extensions[CONTENT])
    if known.settings is not settings or known.own != own:
        known = current_app.extensions[CONTENT] = _Loaded(settings, own, _made(settings, own) or known.content)
    return known.content


def _made(settings: Settings, own: OwnTexts) -> Content | None:
    """The texts with these settings; None, and a line in the log, where they would be wrong."""
    facts = facts_for_prose(settings)
    try:
        return own_texts.placed_in(load(ROOT / "content", facts=facts), own, facts=facts)
    except WrongContent as error:
        log.error("texts_not_changed", why=str(error))
        return None


def leads_somewhere(app: Flask) -> Callable[[str], bool]:
    """Whether a path of the site has a page, for links in texts."""
    urls = app.url_map.bind("localhost")

    def leads(path: str) -> bool:
        try:
            endpoint, values = urls.match(path, method="GET")
        except (HTTPException, RequestRedirect):
            return False
        return endpoint != "help.show_status" or from_slug(values["slug"]) is not None

    return leads

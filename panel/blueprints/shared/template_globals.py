"""Template globals and filters.

The current user and the balance are read at most once per request, and only when a page uses them.
"""

from collections.abc import Mapping

from flask import Flask, current_app, g, has_request_context, request
from flask_login import current_user
from jinja2 import StrictUndefined, pass_context
from werkzeug.local import LocalProxy

from panel import app_context
from panel.assets import asset
from panel.blueprints.shared import template_compiler
from panel.clock import utc_now
from panel.domain import formatting, links, money, status_diagram
from panel.domain.status import Status
from panel.security import push_address
from panel.security.request_identity import theme_of
from panel.services.accounts.sessions import LoggedIn
from panel.services.money import ledger
from panel.services.stored_settings import logo
from panel.settings import Settings

EXTENSION = "panel.rendering"


def init_app(app: Flask) -> None:
    """Register the globals and filters."""
    settings: Settings = app.config["PANEL"]
    environment = app.jinja_env
    template_compiler.init_environment(environment)
    environment.undefined = StrictUndefined
    environment.trim_blocks = True
    environment.lstrip_blocks = True
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}
    environment.filters.update(
        money=pass_context(lambda _context, nanos: app_context.money_text(nanos)),
        price=pass_context(lambda _context, micros: app_context.price_text(micros)),
        count=formatting.count,
        short=lambda at, year: formatting.short(at, year=year),
        short_link=links.shorten,
        without_scheme=links.without_scheme,
        plain_money=money.plain,
        plain_price=money.plain_price,
        when=formatting.when,
        clock=formatting.clock,
        day=formatting.day,
        iso=formatting.iso,
        duration=formatting.duration,
    )
    environment.tests["web_link"] = links.is_web_link
    environment.globals.update(
        site_name=LocalProxy(lambda: app_context.settings().site_name),
        currency=settings.currency,
        company_name=LocalProxy(lambda: app_context.settings().company_name),
        company_address=LocalProxy(lambda: app_context.settings().company_address),
        contact_email=LocalProxy(contact_email),
        site_logo=logo.current,
        amounts_have_code=lambda: app_context.amount_format(app_context.settings()).after != "",
        Status=Status,
        asset=asset,
        push_url=lambda: "" if (person := me()) is None else push_url_of(person),
        topic_url=lambda topic, *, seen: push_address.url(settings, seen=seen, topic=topic),
        lifecycle_drawing=status_diagram.drawing,
        logged_in=LocalProxy(lambda: me() is not None),
        me=LocalProxy(me),
        my_balance_nanos=my_balance_nanos,
        canonical=LocalProxy(lambda: settings.public_url + request.path),
        page_stamp=page_stamp,
        has_page=has_page,
    )
    app.context_processor(lambda: _page_values(settings))


def _page_values(settings: Settings) -> dict[str, object]:
    """Values that nearly every page reads several times, looked up once a page: the globals look them up each time."""
    if not has_request_context():
        return {}
    person, in_force = me(), app_context.settings()
    return {
        "me": person,
        "logged_in": person is not None,
        "site_name": in_force.site_name,
        "theme": theme_of(request.environ),
        "canonical": settings.public_url + request.path,
    }


def contact_email() -> str:
    """The address that customers write to; empty if there is none."""
    settings = app_context.settings()
    return settings.contact_email or settings.support_email


def me() -> LoggedIn | None:
    """The logged-in user, or None."""
    if not has_request_context():
        return None
    # Read from Flask-Login's `g` attribute first: pages call this a dozen times.
    user = g.get("_login_user") or current_user._get_current_object()
    return user if user.is_authenticated else None


def my_balance_nanos() -> int:
    """The user's balance in nanos: from the session query, or read again if this request may have changed it."""
    if request.method in ("GET", "HEAD"):
        return int(current_user.balance_nanos)
    if "my_balance_nanos" not in g:
        g.my_balance_nanos = ledger.balance_nanos(current_user.id)
    balance: int = g.my_balance_nanos
    return balance


def push_url_of(person: LoggedIn) -> str:
    """Where this person's page listens to the push hub, with the versions that it shows; empty without a hub."""
    return push_address.url(app_context.start_settings(), seen=person.page_versions.as_text)


def page_stamp(form: str) -> str:
    """When this page was rendered, in a format of `formatting.STAMPS`; a placeholder in a page that may be cached."""
    marks: Mapping[str, str] | None = request.environ.get(formatting.STAMP_MARKS)
    return formatting.STAMPS[form](utc_now()) if marks is None else marks[form]


def has_page(path: str) -> bool:
    """Whether a route answers GET at the path."""
    known: dict[str, bool] = current_app.extensions.setdefault(EXTENSION, {})
    if path not in known:
        known[path] = current_app.url_map.bind("").test(path, method="GET")
    return known[path]

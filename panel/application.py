"""Puts the parts together: `create_app()` is the whole site, ready for any WSGI server."""

from flask import Blueprint, Flask

from panel import assets, cli, instance, logs, security
from panel import db as database
from panel import models as _models  # noqa: F401  (the tables must be known before a migration looks)
from panel import settings as settings_module
from panel.blueprints import (
    accounts,
    api,
    api_docs,
    appearance,
    balance,
    emails,
    errors,
    health,
    help,
    home,
    htmx,
    keys,
    log_in_code,
    login,
    machines,
    mass_orders,
    notices,
    order,
    ordering,
    orders,
    own_data,
    passwords,
    pictures,
    platform_status,
    receivers,
    rendering,
    row_numbers,
    search,
    second_factor,
    tickets,
    tools,
)
from panel.blueprints.api_quick import QuickStatus
from panel.blueprints.office import canned_answers as office_canned_answers
from panel.blueprints.office import customers as office_customers
from panel.blueprints.office import figures as office_figures
from panel.blueprints.office import gate as office_gate
from panel.blueprints.office import home as office_home
from panel.blueprints.office import incidents as office_incidents
from panel.blueprints.office import ledger as office_ledger
from panel.blueprints.office import log as office_log
from panel.blueprints.office import order as office_order
from panel.blueprints.office import orders as office_orders
from panel.blueprints.office import proposals as office_proposals
from panel.blueprints.office import providers as office_providers
from panel.blueprints.office import refills as office_refills
from panel.blueprints.office import reviews as office_reviews
from panel.blueprints.office import tickets as office_tickets
from panel.blueprints.office import time_rules as office_time_rules
from panel.blueprints.office import tools as office_tools
from panel.blueprints.office import top_ups as office_top_ups
from panel.kept_history import KeptHistory
from panel.kept_pages import KeptPages
from panel.settings import ROOT, Settings
from panel.unchanged import Unchanged

BLUEPRINTS: tuple[Blueprint, ...] = (
    accounts.bp,
    api.bp,
    api_docs.bp,
    appearance.bp,
    balance.bp,
    emails.bp,
    health.bp,
    help.bp,
    home.bp,
    keys.bp,
    log_in_code.bp,
    machines.bp,
    mass_orders.bp,
    notices.bp,
    order.bp,
    ordering.bp,
    orders.bp,
    own_data.bp,
    passwords.bp,
    platform_status.bp,
    pictures.bp,
    receivers.bp,
    search.bp,
    second_factor.bp,
    tickets.bp,
    tools.bp,
    office_home.bp,
    office_tickets.bp,
    office_canned_answers.bp,
    office_customers.bp,
    office_ledger.bp,
    office_log.bp,
    office_order.bp,
    office_orders.bp,
    office_proposals.bp,
    office_providers.bp,
    office_refills.bp,
    office_reviews.bp,
    office_time_rules.bp,
    office_tools.bp,
    office_top_ups.bp,
    office_incidents.bp,
    office_figures.bp,
)


def create_app(settings: Settings | None = None, *, is_web: bool = False) -> Flask:
    """The site with the given settings, or those of the environment. Raises WrongSetting.

    `is_web`: in a process that answers requests, where nobody waits long for the database.
    """
    settings = settings or settings_module.load()
    instance.prepare(settings)
    app = Flask(
        "panel",
        root_path=str(ROOT),
        instance_path=str(settings.instance),
        template_folder=str(ROOT / "templates"),
        static_folder=None,
    )
    app.config.update(
        SECRET_KEY=settings_module.secret_key(settings),
        PANEL=settings,
        MIGRATIONS=ROOT / "panel" / "migrations",
    )
    logs.init_app(app)
    database.init_app(app, url=settings.database, is_web=is_web)
    office_gate.init_app(app)
    security.init_app(app)
    api.init_app(app)
    api_docs.init_app(app)
    assets.init_app(app)
    login.init_app(app)
    htmx.init_app(app)
    rendering.init_app(app)
    row_numbers.init_app(app)
    errors.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    help.init_app(app)
    cli.init_app(app)
    app.wsgi_app = QuickStatus(app.wsgi_app, app)  # type: ignore[method-assign]
    app.wsgi_app = KeptPages(app.wsgi_app, app)  # type: ignore[method-assign]
    app.wsgi_app = KeptHistory(app.wsgi_app, app)  # type: ignore[method-assign]
    app.wsgi_app = Unchanged(app.wsgi_app, app)  # type: ignore[method-assign]
    security.wrap(app)
    return app

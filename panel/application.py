"""Application factory: `create_app()` returns the whole site for any WSGI server."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask

from panel import assets, cli, logs, middleware, security
from panel import db as database
from panel import models as _models  # noqa: F401  (the tables must be known before a migration looks)
from panel import settings as settings_module
from panel.blueprints import errors, tickets
from panel.blueprints.account import (
    api_keys,
    balance,
    data_and_closing,
    deposits,
    email,
    invitation,
    log_in_two_factor,
    notifications,
    password_reset,
    pretend_card,
    sign_up_and_log_in,
    two_factor,
    vouchers,
    webhooks,
    welcome,
)
from panel.blueprints.api import docs as api_docs
from panel.blueprints.api import endpoint as api_endpoint
from panel.blueprints.api import payment_events
from panel.blueprints.office import access as office_gate
from panel.blueprints.office import approvals as office_approvals
from panel.blueprints.office import audit_log as office_audit_log
from panel.blueprints.office import canned_answers as office_canned_answers
from panel.blueprints.office import customers as office_customers
from panel.blueprints.office import dashboard as office_home
from panel.blueprints.office import deposits as office_deposits
from panel.blueprints.office import incidents as office_incidents
from panel.blueprints.office import ledger as office_ledger
from panel.blueprints.office import old_addresses as office_old_addresses
from panel.blueprints.office import order as office_order
from panel.blueprints.office import orders as office_orders
from panel.blueprints.office import profit as office_profit
from panel.blueprints.office import providers as office_providers
from panel.blueprints.office import refills as office_refills
from panel.blueprints.office import reports as office_reports
from panel.blueprints.office import reviews as office_reviews
from panel.blueprints.office import tickets as office_tickets
from panel.blueprints.office import time_rules as office_time_rules
from panel.blueprints.office import tools as office_tools
from panel.blueprints.office import vouchers as office_vouchers
from panel.blueprints.office.operations import alerts as office_alerts
from panel.blueprints.office.operations import announcements as office_announcements
from panel.blueprints.office.operations import appearance as office_appearance
from panel.blueprints.office.operations import customer_view as office_customer_view
from panel.blueprints.office.operations import maintenance as office_maintenance
from panel.blueprints.office.operations import payment_methods as office_payment_methods
from panel.blueprints.office.operations import price_groups as office_price_groups
from panel.blueprints.office.operations import provider_import as office_provider_import
from panel.blueprints.office.operations import provider_prices as office_provider_prices
from panel.blueprints.office.operations import setting_texts as office_setting_texts
from panel.blueprints.office.operations import settings as office_settings
from panel.blueprints.office.operations import staff as office_staff
from panel.blueprints.office.operations import tool_bulk as office_tool_bulk
from panel.blueprints.office.operations import tool_categories as office_tool_categories
from panel.blueprints.office.operations import tool_retirement as office_tool_retirement
from panel.blueprints.office.operations import tool_routes as office_tool_routes
from panel.blueprints.orders import detail as orders_detail
from panel.blueprints.orders import history as orders_history
from panel.blueprints.orders import mass as orders_mass
from panel.blueprints.orders import new as orders_new
from panel.blueprints.orders import public_link as orders_public_link
from panel.blueprints.orders import selection as orders_selection
from panel.blueprints.public import (
    health,
    help,
    home,
    logo,
    platform_status,
    platform_status_for_programs,
    public_order,
    robots_and_sitemap,
    search,
    share_images,
    theme,
    tools,
    updates,
)
from panel.blueprints.shared import (
    auth,
    help_texts,
    htmx,
    incident_banner,
    own_prices,
    page_frame,
    template_globals,
    template_loader,
    tool_state,
    url_converters,
)
from panel.security import instance_folder
from panel.services.stored_settings import live as live_settings
from panel.settings import ROOT, Settings

BLUEPRINTS: tuple[Blueprint, ...] = (
    sign_up_and_log_in.bp,
    api_endpoint.bp,
    api_docs.bp,
    theme.bp,
    balance.bp,
    deposits.bp,
    pretend_card.bp,
    vouchers.bp,
    payment_events.bp,
    email.bp,
    health.bp,
    help.bp,
    home.bp,
    api_keys.bp,
    log_in_two_factor.bp,
    robots_and_sitemap.bp,
    orders_mass.bp,
    notifications.bp,
    orders_detail.bp,
    orders_public_link.bp,
    orders_new.bp,
    orders_history.bp,
    orders_selection.bp,
    data_and_closing.bp,
    invitation.bp,
    password_reset.bp,
    platform_status.bp,
    platform_status_for_programs.bp,
    public_order.bp,
    logo.bp,
    share_images.bp,
    webhooks.bp,
    search.bp,
    two_factor.bp,
    welcome.bp,
    tickets.bp,
    tools.bp,
    updates.bp,
    office_home.bp,
    office_tickets.bp,
    office_canned_answers.bp,
    office_customers.bp,
    office_ledger.bp,
    office_profit.bp,
    office_audit_log.bp,
    office_order.bp,
    office_orders.bp,
    office_approvals.bp,
    office_providers.bp,
    office_refills.bp,
    office_reviews.bp,
    office_time_rules.bp,
    office_tools.bp,
    office_tool_routes.bp,
    office_price_groups.bp,
    office_provider_prices.bp,
    office_provider_import.bp,
    office_tool_bulk.bp,
    office_tool_categories.bp,
    office_vouchers.bp,
    office_payment_methods.bp,
    office_deposits.bp,
    office_incidents.bp,
    office_maintenance.bp,
    office_tool_retirement.bp,
    office_announcements.bp,
    office_alerts.bp,
    office_settings.bp,
    office_appearance.bp,
    office_setting_texts.bp,
    office_staff.bp,
    office_customer_view.bp,
    office_reports.bp,
    office_old_addresses.bp,
)


class SyncFlask(Flask):
    """Flask without coroutines: no view or hook is one, so none is inspected in each request."""

    # All templates stay compiled. Jinja's own cache of 400 would search a list at each use of one.
    jinja_options = {"cache_size": -1}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: Settings | None = None, *, is_web: bool = False) -> Flask:
    """The site with the given settings, or those of the environment. Raises WrongSetting.

    `is_web`: in a process that answers requests, where nobody waits long for the database.
    """
    settings = settings or settings_module.load()
    instance_folder.prepare(settings)
    app = SyncFlask(
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
    if is_web:
        template_loader.read_all(app)
    with app.app_context():
        live_settings.start()
    office_gate.init_app(app)
    security.init_app(app)
    api_endpoint.init_app(app)
    payment_events.init_app(app)
    api_docs.init_app(app)
    assets.init_app(app)
    auth.init_app(app)
    htmx.init_app(app)
    template_globals.init_app(app)
    page_frame.init_app(app)
    own_prices.init_app(app)
    incident_banner.init_app(app)
    tool_state.init_app(app)
    url_converters.init_app(app)
    errors.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    help_texts.init_app(app)
    cli.init_app(app)
    middleware.init_app(app)
    security.add_middleware(app)
    return app

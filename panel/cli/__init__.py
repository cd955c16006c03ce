"""Commands of `flask`, one file a group. Values for programs go to standard output, messages to standard error.

May import `jobs`, `services`, `blueprints` and below; only `application` imports it.
"""

from flask import Flask

from panel.cli import (
    approvals,
    audit,
    backups,
    balance,
    check,
    demo,
    errors,
    incidents,
    init_and_worker,
    migrate_in,
    orders,
    payments,
    providers,
    refills,
    reviews,
    time_rules,
    tools,
    users,
    vouchers,
)


def init_app(app: Flask) -> None:
    """Give `flask` every command of the panel."""
    check.init_app(app)
    app.cli.add_command(init_and_worker.init)
    app.cli.add_command(init_and_worker.worker)
    app.cli.add_command(init_and_worker.hub)
    app.cli.add_command(demo.demo)
    app.cli.add_command(tools.tools_group)
    app.cli.add_command(providers.providers_group)
    app.cli.add_command(users.users_group)
    app.cli.add_command(migrate_in.migrate_in)
    app.cli.add_command(balance.balance_group)
    app.cli.add_command(vouchers.vouchers_group)
    app.cli.add_command(payments.payments_group)
    app.cli.add_command(approvals.approvals_group)
    app.cli.add_command(orders.orders_group)
    app.cli.add_command(refills.refills_group)
    app.cli.add_command(reviews.reviews_group)
    app.cli.add_command(time_rules.time_rules_group)
    app.cli.add_command(incidents.incidents_group)
    app.cli.add_command(audit.audit)
    app.cli.add_command(audit.export)
    app.cli.add_command(backups.backup)
    app.cli.add_command(backups.restore)
    for command in app.cli.commands.values():
        errors.catch_database_errors(command)

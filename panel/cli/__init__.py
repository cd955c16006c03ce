"""Commands. What a machine reads goes to standard output, alone; talk goes to standard error."""

from flask import Flask

from panel.cli import (
    backups,
    books,
    check,
    demo,
    incidents,
    money,
    orders,
    providers,
    refills,
    refusals,
    reviews,
    running,
    time_rules,
    tools,
    users,
)


def init_app(app: Flask) -> None:
    """Give `flask` every command of the panel."""
    check.init_app(app)
    app.cli.add_command(running.init)
    app.cli.add_command(running.worker)
    app.cli.add_command(demo.demo)
    app.cli.add_command(tools.tools_group)
    app.cli.add_command(providers.providers_group)
    app.cli.add_command(users.users_group)
    app.cli.add_command(money.balance_group)
    app.cli.add_command(orders.orders_group)
    app.cli.add_command(refills.refills_group)
    app.cli.add_command(reviews.reviews_group)
    app.cli.add_command(time_rules.time_rules_group)
    app.cli.add_command(incidents.incidents_group)
    app.cli.add_command(books.audit)
    app.cli.add_command(books.export)
    app.cli.add_command(backups.backup)
    app.cli.add_command(backups.restore)
    for command in app.cli.commands.values():
        refusals.refuse_in_one_line(command)

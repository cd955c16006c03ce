"""`flask tools`: import, list and edit the catalogue."""

import getpass
import json
from pathlib import Path

import click
from flask.cli import AppGroup

from panel.cli.errors import cli_transaction
from panel.clock import utc_now
from panel.domain import money
from panel.domain.forms import order_types
from panel.services.catalogue import tool_settings, yaml_fields
from panel.services.catalogue import tools as catalogue_tools
from panel.services.catalogue.tools import ToolOffer

tools_group = AppGroup("tools", help="What the panel sells.")


@tools_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_tools(file: Path) -> None:
    """Make the tools of a YAML file those of the panel, all of them or none."""
    with file.open("rb") as opened:
        written = opened.read(yaml_fields.MAX_BYTES + 1)
    with cli_transaction():
        did = catalogue_tools.import_tools(written, name=str(file), now=utc_now())
    for slug in (*did.added, *did.changed):
        click.echo(slug)
    words = f"{len(did.added)} added, {len(did.changed)} changed, {len(did.unchanged)} as they were."
    click.echo(words, err=True)


@tools_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list, with refill, cancel and provider.")
def list_tools(as_json: bool) -> None:
    """Print slug, id, price (per 1,000 or of one package) and limits of every tool, including hidden ones."""
    tools = catalogue_tools.listed_all()
    for tool in tools:
        if tool.link_fault:
            click.echo(f"Nobody can order {tool.slug}: its link pattern {tool.link_fault}.", err=True)
        if not tool.form.is_ready:
            click.echo(f"Nobody can order {tool.slug}: its type {tool.order_type} has no order form yet.", err=True)
    if as_json:
        click.echo(json.dumps([_as_json(tool) for tool in tools], indent=2))
        return
    for tool in tools:
        click.echo(f"{tool.slug}\t{tool.tool_id}\t{tool.rate}\t{tool.minimum}\t{tool.maximum}")


def _as_json(tool: ToolOffer) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": tool.tool_id,
        "slug": tool.slug,
        "name": tool.name,
        "price_per_thousand": money.plain_price(tool.price_micros_per_thousand),
        "minimum": tool.minimum,
        "maximum": tool.maximum,
        "refill_days": tool.refill_days,
        "cancel": tool.can_cancel,
        "provider": tool.provider_name,
    }
    if tool.order_type == order_types.DEFAULT:
        return shown
    shown |= {"type": tool.order_type}
    return shown | {"price_per_package": tool.rate} if tool.is_package else shown


@tools_group.command("set")
@click.argument("slug")
@click.argument("field", type=click.Choice(tool_settings.FIELDS))
@click.argument("value")
def set_field(slug: str, field: str, value: str) -> None:
    """Set one field of a tool. Imports no longer change this field."""
    with cli_transaction():
        tool_settings.set_field(slug, field, value, actor=getpass.getuser(), now=utc_now())
    click.echo(f"{slug}: {field} is {value}.", err=True)


@tools_group.command("unset")
@click.argument("slug")
@click.argument("field", type=click.Choice(tool_settings.FIELDS))
def unset_field(slug: str, field: str) -> None:
    """Let the provider's next import set this field again."""
    with cli_transaction():
        tool_settings.leave_to_import(slug, field, actor=getpass.getuser(), now=utc_now())
    click.echo(f"{slug}: {field} follows the provider again.", err=True)

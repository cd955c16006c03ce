"""`flask tools` and `flask providers`: what the panel sells, and who delivers it."""

import json
import sys
from pathlib import Path

import click
from flask import current_app
from flask.cli import AppGroup

from panel.cli.refusals import change, refusals
from panel.clock import utc_now
from panel.domain import money
from panel.services import catalogue, catalogue_files, providers
from panel.services.catalogue import ToolOffer
from panel.settings import Settings

tools_group = AppGroup("tools", help="What the panel sells.")
providers_group = AppGroup("providers", help="Who delivers.")


@tools_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_tools(file: Path) -> None:
    """Make the tools of a YAML file those of the panel, all of them or none."""
    with file.open("rb") as opened:
        written = opened.read(catalogue_files.MOST_BYTES + 1)
    with change():
        did = catalogue.import_tools(written, name=str(file), now=utc_now())
    for slug in (*did.added, *did.changed):
        click.echo(slug)
    words = f"{len(did.added)} added, {len(did.changed)} changed, {len(did.unchanged)} as they were."
    click.echo(words, err=True)


@tools_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list, with refill, cancel and provider.")
def list_tools(as_json: bool) -> None:
    """Print slug, id, price per thousand, least and most of every tool, hidden ones too."""
    tools = catalogue.listed_all()
    if as_json:
        click.echo(json.dumps([_as_json(tool) for tool in tools], indent=2))
        return
    for tool in tools:
        price = money.plain_price(tool.price_micros_per_thousand)
        click.echo(f"{tool.slug}\t{tool.tool_id}\t{price}\t{tool.minimum}\t{tool.maximum}")


def _as_json(tool: ToolOffer) -> dict[str, object]:
    return {
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


@providers_group.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice(providers.KINDS), required=True)
@click.option("--url", default="", help="Address of its API, for the kind panel_api.")
@click.option("--key-stdin", is_flag=True, help="Read its key from standard input, for the kind panel_api.")
def add_provider(name: str, kind: str, url: str, key_stdin: bool) -> None:
    """Add a provider and print its id."""
    settings: Settings = current_app.config["PANEL"]
    with refusals():
        sealed_key = providers.seal(sys.stdin.readline(), settings=settings) if key_stdin else ""
    with change():
        number = providers.add_provider(name, kind=kind, url=url, sealed_key=sealed_key, now=utc_now()).id
    click.echo(number)


@providers_group.command("list")
def list_providers() -> None:
    """Print name, id, kind and address of every provider; never a key."""
    for provider in providers.listed():
        click.echo(f"{provider.name}\t{provider.id}\t{provider.kind}\t{provider.url}")

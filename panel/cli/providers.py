"""`flask providers`: who delivers, whether they answer, and their catalogues as tools."""

import getpass
import sys

import click
from flask import current_app
from flask.cli import AppGroup

from panel.cli.refusals import change, refusals
from panel.clock import utc_now
from panel.db import db
from panel.domain.errors import NotFound, Refused
from panel.jobs.calls import provider_of
from panel.models import Provider
from panel.providers.base import ProviderSilent
from panel.providers.panel_api import PanelApi
from panel.services import audit_log, provider_health, provider_imports, provider_rows, providers
from panel.settings import Settings

providers_group = AppGroup("providers", help="Who delivers.")


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
        _note("providers add", name, f"kind {kind}")
    click.echo(number)


@providers_group.command("list")
def list_providers() -> None:
    """Print name, id, kind and address of every provider; never a key."""
    for provider in providers.listed():
        click.echo(f"{provider.name}\t{provider.id}\t{provider.kind}\t{provider.url}")


@providers_group.command("test")
@click.argument("name")
def test_provider(name: str) -> None:
    """Ask the provider for our balance there and print it with its currency, or say what went wrong."""
    with refusals():
        upstream = _upstream(name)
    try:
        balance, currency = upstream.balance()
    except ProviderSilent as silence:
        raise click.ClickException(f"{name} gave no usable answer: {silence}.") from silence
    click.echo(f"{balance} {currency}".strip())


@providers_group.command("import")
@click.argument("name")
@click.option("--margin", default="0%", show_default=True, help="What to add to the provider's rates, in percent.")
def import_provider(name: str, margin: str) -> None:
    """Make the provider's catalogue tools of the panel, all of it or nothing, and print the slugs that changed."""
    with refusals():
        millionths = provider_rows.read_margin(margin)
        upstream = _upstream(name)
    click.echo(f"Asking {name} for its catalogue.", err=True)
    try:
        answer = upstream.services()
    except ProviderSilent as silence:
        raise click.ClickException(f"Nothing was changed: {silence}.") from silence
    click.echo(f"{len(answer):,} rows came.", err=True)
    with change():
        did = provider_imports.import_services(
            _found(name), answer, margin=millionths, on_progress=_progress, now=utc_now()
        )
        _note("providers import", name, f"{len(did.added)} added, {len(did.changed)} changed, margin {margin}")
    _tell(did)


def _tell(did: provider_imports.Import) -> None:
    for sentence in did.skipped:
        click.echo(sentence, err=True)
    for slug in (*did.added, *did.changed, *did.hidden):
        click.echo(slug)
    counts = {
        "added": did.added,
        "changed": did.changed,
        "as they were": did.unchanged,
        "hidden": did.hidden,
        "back again": did.returned,
        "skipped": did.skipped,
    }
    click.echo(", ".join(f"{len(each)} {word}" for word, each in counts.items()) + ".", err=True)


def _progress(done: int, of: int) -> None:
    click.echo(f"{done:,} of {of:,} terms written.", err=True)


@providers_group.command("pause")
@click.argument("name")
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
def pause(name: str, reason: str) -> None:
    """Hand no more orders over to this provider; those it has are followed on."""
    with change():
        if not provider_health.pause(_found(name).id, reason=reason, now=utc_now()):
            raise Refused(f"{name} is paused already.")
        _note("providers pause", name, reason)
    click.echo(f"{name} is paused.", err=True)


@providers_group.command("resume")
@click.argument("name")
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
def resume(name: str, reason: str) -> None:
    """Hand orders over again: those that waited go first, at once."""
    with change():
        if not provider_health.resume(_found(name).id, now=utc_now()):
            raise Refused(f"{name} is not paused.")
        _note("providers resume", name, reason)
    click.echo(f"{name} takes orders again.", err=True)


def _found(name: str) -> Provider:
    provider = providers.find(name)
    if provider is None:
        raise NotFound(f"There is no provider called {name}.")
    return provider


def _upstream(name: str) -> PanelApi:
    upstream = provider_of(_found(name).id)
    db.session.rollback()
    if not isinstance(upstream, PanelApi):
        raise Refused(f"{name} is no upstream panel: only the kind panel_api has a balance and a catalogue.")
    return upstream


def _note(act: str, name: str, detail: str) -> None:
    audit_log.write(act, actor=getpass.getuser(), subject=f"provider {name}", detail=detail[:200], now=utc_now())

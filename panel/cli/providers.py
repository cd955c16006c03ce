"""`flask providers`: add, list and test providers, import their catalogues, pause and resume them."""

import getpass
import sys
from collections.abc import Sequence

import click
from flask import current_app
from flask.cli import AppGroup

from panel.cli.errors import clean_errors, cli_transaction
from panel.clock import utc_now
from panel.db import db
from panel.domain import resale
from panel.domain.errors import ActionRefused, NotFound
from panel.domain.provider_kind import ProviderKind
from panel.jobs.provider_calls import connect_provider
from panel.models import Provider
from panel.providers.base import ProviderSilent
from panel.providers.panel_api import PanelApi
from panel.services import audit_log
from panel.services.catalogue import provider_import, provider_markup, provider_rows
from panel.services.catalogue.imports import lifecycle, price_rules, undoing
from panel.services.catalogue.provider_markup import Markup, PriceChange, PricesWouldFall
from panel.services.office import providers_view
from panel.services.providers import health as provider_health
from panel.services.providers import registry as provider_registry
from panel.settings import Settings

providers_group = AppGroup("providers", help="Who delivers.")


@providers_group.command("add")
@click.argument("name")
@click.option("--kind", type=click.Choice([kind.value for kind in ProviderKind]), required=True)
@click.option("--url", default="", help="Address of its API, for the kind panel_api.")
@click.option("--key-stdin", is_flag=True, help="Read its key from standard input, for the kind panel_api.")
@click.option("--calls-at-once", help="How many orders may be on their way to it at the same time; 8 by default.")
def add_provider(name: str, kind: str, url: str, key_stdin: bool, calls_at_once: str | None) -> None:
    """Add a provider and print its id."""
    settings: Settings = current_app.config["PANEL"]
    with clean_errors():
        encrypted_key = provider_registry.encrypt(sys.stdin.readline(), settings=settings) if key_stdin else ""
    with cli_transaction():
        provider = provider_registry.add_provider(name, kind=kind, url=url, encrypted_key=encrypted_key, now=utc_now())
        _note("providers add", name, f"kind {kind}")
        if calls_at_once is not None:
            _set_calls_at_once(provider, calls_at_once)
        number = provider.id
    click.echo(number)


@providers_group.command("set")
@click.argument("name")
@click.option("--calls-at-once", required=True, help="How many orders, and how many status requests, at a time.")
def set_provider(name: str, calls_at_once: str) -> None:
    """Change a setting of the provider."""
    with cli_transaction():
        _set_calls_at_once(_found(name), calls_at_once)
    click.echo(f"{name} gets up to {calls_at_once.strip()} calls at once.", err=True)


@providers_group.command("list")
def list_providers() -> None:
    """Print name, id, kind and address of every provider; never a key."""
    for provider in provider_registry.listed():
        click.echo(f"{provider.name}\t{provider.id}\t{provider.kind}\t{provider.url}")


@providers_group.command("test")
@click.argument("name")
def test_provider(name: str) -> None:
    """Ask the provider for our balance there and print it with its currency, or say what went wrong."""
    with clean_errors():
        upstream = _upstream(name)
    try:
        balance, currency = upstream.balance()
    except ProviderSilent as silence:
        raise click.ClickException(f"{name} gave no usable answer: {silence}.") from silence
    click.echo(f"{balance} {currency}".strip())


@providers_group.command("import")
@click.argument("name")
@click.option("--margin", help="What to add to its rates, in percent; by default as stored with the provider.")
@click.option("--rate", help="What one of its currency is worth in ours, where they differ; by default as remembered.")
@click.option("--yes", is_flag=True, help="Go on although many prices fall.")
def import_provider(name: str, margin: str | None, rate: str | None, yes: bool) -> None:
    """Make the provider's catalogue tools of the panel, all of it or nothing, and print the slugs that changed.

    A price is its rate in our currency with the provider's price rules (margin, fixed sum, lowest price), rounded up.
    """
    settings: Settings = current_app.config["PANEL"]
    with clean_errors():
        margin_millionths = None if margin is None else resale.read_margin(margin)
        exchange_nanos = None if rate is None else resale.read_exchange(rate)
        upstream = _upstream(name)
    click.echo(f"Asking {name} for its catalogue.", err=True)
    answer, balance_currency = _catalogue(upstream, is_rate_given=rate is not None)
    try:
        with cli_transaction():
            provider_import.lock_catalogue()
            provider = _found(name)
            currency = provider_markup.currency_of(answer, balance_currency=balance_currency)
            markup = provider_markup.choose(
                provider,
                margin_millionths=margin_millionths,
                exchange_nanos=exchange_nanos,
                catalogue_currency=currency,
                our_currency=settings.currency,
            )
            words = _words(markup, ours=settings.currency)
            click.echo(words, err=True)
            did = provider_import.import_services(
                provider,
                answer,
                markup=markup,
                may_fall=yes,
                on_progress=_progress,
                actor=getpass.getuser(),
                now=utc_now(),
            )
            _note("providers import", name, f"{len(did.added)} added, {len(did.changed)} changed. {words}")
    except click.ClickException as refusal:
        if isinstance(refusal.__cause__, PricesWouldFall):
            _print_price_changes(refusal.__cause__.changes)
        raise
    _print_import(did)


@providers_group.command("undo-import")
@click.argument("name")
def undo_import(name: str) -> None:
    """Undo the provider's last import, whether it was made here or in the office.

    Tools get back what they had before, new ones are hidden, and tools that were changed since stay as they are. The
    schedule of imports ends, because the next one would make the same changes again.
    """
    with cli_transaction():
        provider = _found(name)
        was_scheduled, found = provider.import_hours is not None, lifecycle.undoable(provider.id)
        if found is None:
            raise ActionRefused(f"There is no import of {name} that can be undone.")
        number = found.id
        lifecycle.undo(number, actor=getpass.getuser(), now=utc_now())
        # Leased, so that the worker leaves it to this command, and takes it over if the command dies.
        lifecycle.take(found.provider_id, now=utc_now())
    is_going_on = True
    while is_going_on:
        with cli_transaction():
            is_going_on = undoing.undo_some(number, now=utc_now())
            found = lifecycle.held(number)
            restored, left_alone = found.done - found.left_alone, found.left_alone
    if was_scheduled:
        click.echo("The schedule is off, so that the next import doesn't make the same changes again.", err=True)
    click.echo(f"{restored:,} undone, {left_alone:,} left as they are, because they were changed since.", err=True)


def _catalogue(upstream: PanelApi, *, is_rate_given: bool) -> tuple[list[object], str]:
    """The provider's rows and the currency of our balance there, which is that of its prices."""
    try:
        answer = upstream.services()
    except ProviderSilent as silence:
        raise click.ClickException(f"Nothing was changed: {silence}.") from silence
    click.echo(f"{len(answer):,} rows came.", err=True)
    try:
        return answer, upstream.balance()[1]
    except ProviderSilent as silence:
        if is_rate_given or provider_rows.currencies(answer):
            return answer, ""
        raise click.ClickException(
            f"Nothing was changed: the currency of these prices isn't known. Asked for our balance there: {silence}. "
            "Give --rate, which is 1 where its currency is ours."
        ) from silence


def _words(markup: Markup, *, ours: str) -> str:
    margin = price_rules.words(markup).removesuffix(".")
    if markup.exchange_nanos == resale.NO_EXCHANGE:
        return f"{margin}; its prices are taken as {ours}{'' if markup.currency else ', as it names no currency'}."
    theirs = markup.currency or "of its currency"
    return f"{margin}; 1 {theirs} is {resale.shown_exchange(markup.exchange_nanos)} {ours}."


def _print_price_changes(changes: Sequence[PriceChange]) -> None:
    for each in changes:
        click.echo(f"{each.slug}: {each.words}{' (falls)' if each.falls else ''}", err=True)


def _print_import(did: provider_import.Import) -> None:
    for sentence in did.skipped:
        click.echo(sentence, err=True)
    for slug in did.replaced:
        click.echo(f"{slug} is hidden: its service has another name and category. Look at the review.", err=True)
    _print_price_changes(did.prices)
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
    """Stop sending orders to this provider; orders that it has already are still synced."""
    with cli_transaction():
        if not provider_health.pause(_found(name).id, reason=reason, now=utc_now()):
            raise ActionRefused(f"{name} is paused already.")
        _note("providers pause", name, reason)
    click.echo(f"{name} is paused.", err=True)


@providers_group.command("resume")
@click.argument("name")
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
def resume(name: str, reason: str) -> None:
    """Send orders to the provider again; waiting orders go first."""
    with cli_transaction():
        if not provider_health.resume(_found(name).id, now=utc_now()):
            raise ActionRefused(f"{name} is not paused.")
        _note("providers resume", name, reason)
    click.echo(f"{name} takes orders again.", err=True)


def _set_calls_at_once(provider: Provider, typed: str) -> None:
    providers_view.set_calls_at_once(provider.id, typed, actor=getpass.getuser(), now=utc_now())


def _found(name: str) -> Provider:
    provider = provider_registry.find(name)
    if provider is None:
        raise NotFound(f"There is no provider called {name}.")
    return provider


def _upstream(name: str) -> PanelApi:
    upstream = connect_provider(_found(name).id)
    db.session.rollback()
    if not isinstance(upstream, PanelApi):
        raise ActionRefused(f"{name} is no upstream panel: only the kind panel_api has a balance and a catalogue.")
    return upstream


def _note(action: str, name: str, detail: str) -> None:
    audit_log.write(action, actor=getpass.getuser(), subject=f"provider {name}", detail=detail[:200], now=utc_now())

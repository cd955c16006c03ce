"""How a command refuses: the panel's own sentence on standard error, and exit code 1."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from panel.db import transaction
from panel.db.errors import driver_message, has_no_tables, is_unavailable
from panel.domain.errors import PanelError
from panel.security.encryption import DecryptionFailed

NO_TABLES = "The database has no tables yet: run flask init first."
OTHER_ENCRYPTION_KEY = (
    "A secret of this panel cannot be decrypted: PANEL_SEAL_KEY, or the file seal_key in the instance folder, is not "
    "the key that encrypted it. Put the old one back."
)
_MARK = "_refuses_in_one_line"


@contextmanager
def clean_errors() -> Iterator[None]:
    """Turn an expected failure into a refusal of the command."""
    try:
        yield
    except PanelError as error:
        raise click.ClickException(error.message) from error


@contextmanager
def cli_transaction() -> Iterator[None]:
    """One transaction of a command; an expected failure undoes it and refuses the command."""
    with clean_errors(), transaction():
        yield


def catch_database_errors(command: click.Command) -> None:
    """Make this command and its subcommands report an unreachable or missing database in one line."""
    for inner in getattr(command, "commands", {}).values():
        catch_database_errors(inner)
    if command.callback is not None and not hasattr(command.callback, _MARK):
        command.callback = _refusing(command.callback)


def _refusing(callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def refusing(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs)
        except DecryptionFailed as error:
            raise click.ClickException(OTHER_ENCRYPTION_KEY) from error
        except SQLAlchemyError as error:
            if has_no_tables(error):
                raise click.ClickException(NO_TABLES) from error
            if is_unavailable(error):
                raise click.ClickException(f"The database cannot be used now: {driver_message(error)}.") from error
            raise

    setattr(refusing, _MARK, True)
    return refusing

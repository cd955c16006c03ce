"""How a command refuses: the panel's own sentence on standard error, and exit code 1."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from panel.db import transaction
from panel.db.errors import has_no_tables, in_one_line, is_unavailable
from panel.domain.errors import PanelError
from panel.security.encryption import CannotUnseal

NO_TABLES = "The database has no tables yet: run flask init first."
OTHER_SEAL_KEY = (
    "A secret of this panel does not open: PANEL_SEAL_KEY, or the file seal_key in the instance folder, is not the key "
    "that sealed it. Put the old one back."
)
_MARK = "_refuses_in_one_line"


@contextmanager
def refusals() -> Iterator[None]:
    """Turn an expected failure into a refusal of the command."""
    try:
        yield
    except PanelError as error:
        raise click.ClickException(error.message) from error


@contextmanager
def change() -> Iterator[None]:
    """One transaction of a command; an expected failure undoes it and refuses the command."""
    with refusals(), transaction():
        yield


def refuse_in_one_line(command: click.Command) -> None:
    """Let this command, and those below it, say in one line that the database is away or was never set up."""
    for inner in getattr(command, "commands", {}).values():
        refuse_in_one_line(inner)
    if command.callback is not None and not hasattr(command.callback, _MARK):
        command.callback = _refusing(command.callback)


def _refusing(callback: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(callback)
    def refusing(*args: Any, **kwargs: Any) -> Any:
        try:
            return callback(*args, **kwargs)
        except CannotUnseal as error:
            raise click.ClickException(OTHER_SEAL_KEY) from error
        except SQLAlchemyError as error:
            if has_no_tables(error):
                raise click.ClickException(NO_TABLES) from error
            if is_unavailable(error):
                raise click.ClickException(f"The database cannot be used now: {in_one_line(error)}.") from error
            raise

    setattr(refusing, _MARK, True)
    return refusing

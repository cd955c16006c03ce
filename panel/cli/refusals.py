"""How a command refuses: the panel's own sentence on standard error, and exit code 1."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from panel.db import transaction
from panel.domain.errors import PanelError


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

"""App context for services, without a request: the app's settings, secret key, templates and a store of its own.

Services import this instead of Flask's `current_app`; `create_app` and each command push the app's context.
"""

from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache, partial
from typing import Any, Protocol, TypeVar, cast

from flask import current_app
from jinja2 import Environment

from panel.domain import money
from panel.domain.money import AmountFormat, CurrencyDisplay
from panel.settings import Settings

Value = TypeVar("Value")

LIVE_SETTINGS = "panel.live_settings"


class SettingsInForce(Protocol):
    """Settings with the office's changes: `services/stored_settings/live.py`."""

    def over(self, start: Settings) -> Settings:
        """The settings in force."""

    def text(self, name: str) -> tuple[str, date] | None:
        """A text from the office and the day of its last change; None where the file holds."""

    def follow(self, catalogue_version: int) -> None:
        """Reload unless these settings are at least as new as this version."""


def settings() -> Settings:
    """The settings in force: those of the start, with what operators have changed in the office since."""
    return live_settings().over(start_settings())


def live_settings() -> SettingsInForce:
    """The running app's settings with the office's changes."""
    return cast(SettingsInForce, current_app.extensions[LIVE_SETTINGS])


def start_settings() -> Settings:
    """The settings with which the running app was created."""
    found: Settings = current_app.config["PANEL"]
    return found


def amount_format(settings_in_force: Settings) -> AmountFormat:
    """The amount format of these settings."""
    return _amount_format(settings_in_force.currency, settings_in_force.currency_display)


@cache
def _amount_format(currency: str, display: str) -> AmountFormat:
    return AmountFormat(currency, CurrencyDisplay(display))


def money_text(nanos: int) -> str:
    """The amount as the settings in force write it: `$1,204.864`. The only way from an amount to a text for people."""
    return money.shown(nanos, written=amount_format(settings()))


def money_texts() -> Callable[[int], str]:
    """A formatter like `money_text` for many amounts: it looks the settings up once."""
    return partial(_shown, written=amount_format(settings()))


# Lists show the same amounts again and again.
_shown = lru_cache(10_000)(money.shown)


def price_text(micros: int) -> str:
    """A price per thousand, as `money_text`."""
    return money.shown_price(micros, written=amount_format(settings()))


def secret_key() -> str:
    """The key that signs links and forms."""
    return str(current_app.secret_key or "")


def jinja_env() -> Environment:
    """The site's Jinja environment."""
    return current_app.jinja_env


def once_per_app(name: str, make: Callable[[], Value]) -> Value:
    """The value that `make` returned when this app asked first for this name."""
    store: dict[str, Any] = current_app.extensions
    if name not in store:
        store[name] = make()
    value: Value = store[name]
    return value

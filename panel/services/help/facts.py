"""Template variables for `content/`, used as `{{ name }}`: statuses, rules and figures, as words.

All come from the table of statuses, the settings, and the constants of the code that enforces the rule, so that a page
can't state an outdated figure.
"""

from collections.abc import Iterable
from datetime import timedelta

from panel import app_context
from panel.domain import money
from panel.domain.status import FIRST, USUAL_PATH, ChargeState, Status, possible_sources
from panel.services import delivery_times
from panel.services.accounts import sessions, throttles, users
from panel.services.mail import outbox
from panel.services.money import deposits
from panel.settings import Settings

# The accessibility standard that every page meets, with its version.
WCAG = "WCAG 2.2, level AA"

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def facts_for_prose(settings: Settings) -> dict[str, str]:
    """The facts by name."""
    written = app_context.amount_format(settings)
    return _statuses() | {
        "site_name": settings.site_name,
        "currency": settings.currency,
        "unconfirmed_hours": _hours(settings.unconfirmed_hours),
        "dispatch_hours": _hours(settings.dispatch_hours),
        "sync_seconds": f"{settings.sync_seconds} seconds",
        "shortest_password": str(users.MIN_PASSWORD_LENGTH),
        "minimum_deposit": money.shown(deposits.MIN_NANOS, written=written),
        "wcag": WCAG,
        "nothing": money.shown(0, written=written),
        "window": f"{delivery_times.WINDOW.days} days",
        "min_sample": str(delivery_times.MIN_SAMPLE),
        "newest_orders": f"{delivery_times.NEWEST_ORDERS:,}",
        "operators_idle": f"{sessions.OPERATORS_IDLE // timedelta(hours=1)} hours",
        "sign_in_days": f"{sessions.LASTS.days} days",
        "device_days": f"{throttles.DEVICE_KNOWN_FOR.days} days",
        "mail_days": f"{outbox.KEPT_FOR.days} days",
        "tries": str(throttles.PASSWORDS_PER_ACCOUNT_AND_NETWORK),
        "tries_minutes": f"{throttles.TRIES_WINDOW // timedelta(minutes=1)} minutes",
    }


def in_words(number: int) -> str:
    """A small number in words: `seven`."""
    return _NUMBERS[number] if number < len(_NUMBERS) else f"{number:,}"


def either(words: Iterable[str], *, last: str = "or") -> str:
    """Items joined with "or": `Pending, Processing or In progress`."""
    first = [*words]
    end = first.pop()
    return f"{', '.join(first)} {last} {end}" if first else end


def listed(statuses: Iterable[Status], *, last: str) -> str:
    """Names of these statuses, joined in one phrase."""
    return either([status.label for status in statuses], last=last)


def page_link(status: Status) -> str:
    """Markdown link with the status name, to its page."""
    return f"[{status.label}](/order-statuses/{status.slug})"


def _statuses() -> dict[str, str]:
    held = [status for status in Status if status.facts.money is ChargeState.HELD]
    ends = [status for status in Status if status.is_final]
    return {
        **{status.value: status.label for status in Status},
        **{f"{status.value}_page": page_link(status) for status in Status},
        "status_count": in_words(len(Status)),
        "usual_way": ", ".join(page_link(status) for status in USUAL_PATH),
        "first": FIRST.label,
        "held": listed(held, last="or"),
        "end_count": in_words(len(ends)),
        "ends": listed(ends, last="and"),
        "cancels_from": listed(possible_sources(Status.CANCELED), last="or"),
        "refills_from": listed(possible_sources(Status.REFILL), last="or"),
        "after_refill": listed(Status.REFILL.facts.next, last="or"),
        "after_completed": listed(Status.COMPLETED.facts.next, last="or"),
    }


def _hours(hours: float) -> str:
    return f"{hours:g} {'hour' if hours == 1 else 'hours'}"

"""Reports: orders per day, completion times, refunds and provider performance, each with its table."""

from flask import current_app, render_template
from flask.typing import ResponseReturnValue

from panel import app_context
from panel.blueprints.office.access import office_blueprint
from panel.clock import utc_now
from panel.domain import charts
from panel.domain.accounts.roles import Action
from panel.domain.formatting import count, day_of_year
from panel.services import delivery_times
from panel.services.platform import figures
from panel.settings import Settings

bp = office_blueprint("reports", reads=Action.SEE_FIGURES)


@bp.get("/reports")
def show() -> ResponseReturnValue:
    now = utc_now()
    settings: Settings = current_app.config["PANEL"]
    days = figures.by_day(now=now)
    placed = charts.columns([day.placed for day in days])
    returned = charts.columns([day.returned_nanos for day in days])
    times = charts.lines(
        [day.median_seconds for day in days], [day.p90_seconds for day in days], steps=charts.DURATION_STEPS
    )
    return render_template(
        "office/reports.html",
        days=days,
        ends=(day_of_year(days[0].day), day_of_year(days[-1].day)),
        placed=placed,
        placed_marks=[count(tick.value) for tick in placed.ticks],
        returned=returned,
        returned_marks=[app_context.money_text(tick.value) for tick in returned.ticks],
        times=times,
        times_marks=[_short(tick.value) for tick in times.ticks],
        providers=[
            (provider, charts.day_bars(provider.days))
            for provider in figures.providers(interval_seconds=settings.probe_seconds, now=now)
        ],
        newest_orders=figures.NEWEST_ORDERS,
        newest_ended=delivery_times.NEWEST_ORDERS,
    )


def _short(seconds: int) -> str:
    """A duration as an axis label: `40 s`, `15 min`, `2 h`, `3 d`."""
    if seconds and seconds % 86_400 == 0:
        return f"{count(seconds // 86_400)} d"
    if seconds and seconds % 3_600 == 0:
        return f"{count(seconds // 3_600)} h"
    if seconds and seconds % 60 == 0:
        return f"{seconds // 60} min"
    return f"{seconds} s"

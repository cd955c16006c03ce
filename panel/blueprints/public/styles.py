"""Component gallery at `/styles`: every component in every state, with the real macros.

For developers. `panel/processes/web.py` registers it under `python app.py --reload` alone: elsewhere it is a 404.
"""

from datetime import timedelta
from types import SimpleNamespace

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from panel.clock import utc_now
from panel.domain import charts
from panel.domain.platform.component_states import State
from panel.domain.platform.incidents import Phase
from panel.domain.platform.uptime_days import DayTimes
from panel.services.delivery_times import Measure

bp = Blueprint("styles", __name__)

EMAIL = "somebody@example.com"
BALANCE_NANOS = 1_204_864_000_000
# The amounts of a column, with different numbers of decimals.
AMOUNTS = (600_000_000, 2_592_000_000, 96_400_000, 1_204_860_000_000)


@bp.get("/styles")
def show() -> ResponseReturnValue:
    now = utc_now()
    return render_template(
        "styles/show.html",
        logged_in=True,
        me=SimpleNamespace(email=EMAIL, has_confirmed_email=True),
        my_balance_nanos=lambda: BALANCE_NANOS,
        my_incidents=lambda: [
            SimpleNamespace(slug="example", title="An example incident", phase=Phase.IDENTIFIED, changed_at=now)
        ],
        now=now,
        amounts=AMOUNTS,
        states=list(State),
        phases=list(Phase),
        measure=Measure(median_seconds=900, p90_seconds=7200, sample=240),
        bars=charts.day_bars([DayTimes(now.date() - timedelta(days=ago), _seconds(ago)) for ago in range(90)]),
        columns=charts.columns([3, 8, 5, 0, 12, 9, 4]),
        lines=charts.lines([3, 8, 5, None, 12, 9, 4], [6, 9, 8, None, 20, 14, 9]),
    )


def _seconds(day: int) -> dict[State, int]:
    """Example data of a day: every ninth has an outage of two hours, and every twentieth was not measured."""
    if day % 20 == 0:
        return {}
    return {State.PARTIAL: 7_200, State.OPERATIONAL: 79_200} if day % 9 == 0 else {State.OPERATIONAL: 86_400}

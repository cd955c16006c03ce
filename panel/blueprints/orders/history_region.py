"""Live region of the history: a shell for each combination of filters, with the customer's texts filled in."""

from collections.abc import Mapping

from flask import current_app
from markupsafe import Markup, escape

from panel import app_context
from panel.blueprints.shared.shells import Shell, shell_of
from panel.blueprints.shared.template_globals import my_balance_nanos
from panel.db.lru_cache import LRUCache
from panel.domain import formatting, money
from panel.domain.lists.order_filters import OrderFilters
from panel.domain.status import Status

# Some 3 kB each, one for each combination of filters that is asked for.
MAX_SHELLS = 2_000

_PATH, _TEMPLATE, _ALL = "/orders", "orders/_live.html", "all"
_NAMES = (
    "balance",
    "balance_plain",
    "balance_nanos",
    "shown",
    "rows",
    "following",
    _ALL,
    *(each.slug for each in Status),
)
# Links above the list: all orders, then each status. A view drops the other filters, as its count does.
_VIEWS = (
    (_ALL, "All", _PATH, None),
    *((status.slug, status.label, f"{_PATH}?{OrderFilters(status=status).query()}", status) for status in Status),
)


def rendered(
    rows: Markup,
    *,
    counts: Mapping[Status, int],
    following: str | None,
    shown: str,
    here: tuple[Status | None] | None,
    **others: object,
) -> Markup:
    """The region with these rows and numbers of orders. `here`: the view that the list is; None where it is none.

    `others`: all else that it shows, each hashable.
    """
    code = app_context.amount_format(app_context.settings()).after
    shells = app_context.once_per_app("panel.shells_of_regions", lambda: LRUCache[object, Shell](MAX_SHELLS))
    key = (bool(rows), following is not None, here, code, *others.items())
    shell = shells.get_or_make(
        key, lambda: _shell(here, has_rows=bool(rows), has_following=following is not None, **others)
    )
    nanos = my_balance_nanos()
    texts = {status.slug: formatting.count(orders) for status, orders in counts.items()}
    return shell.filled(
        {
            "balance": escape(app_context.money_text(nanos)),
            "balance_plain": money.plain(nanos),
            "balance_nanos": str(nanos),
            "shown": shown,
            "rows": rows,
            "following": escape(following or ""),
            _ALL: formatting.count(sum(counts.values())),
            **texts,
        }
    )


def _shell(here: tuple[Status | None] | None, **shown: object) -> Shell:
    views = [
        {"name": name, "label": label, "url": url, "is_here": here == (status,)} for name, label, url, status in _VIEWS
    ]
    return shell_of(current_app.jinja_env.get_template(_TEMPLATE), _NAMES, views=views, **shown)

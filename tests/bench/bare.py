"""Baselines: bare Flask + Jinja pages of 25 rows, and Flask's hello world.

No session, no database, no headers of their own: a list in memory, a template, and padding up to the size of
the real page. `/page` prints ready-made texts; `/same-rows` renders the site's own row template, with its
macros, for each row.
"""

import os

from flask import Flask, get_template_attribute, render_template
from jinja2 import ChoiceLoader, DictLoader, FileSystemLoader

from panel.domain import formatting, links, money
from panel.domain.status import Status
from panel.settings import ROOT
from tests.support.factories import NOON

ROWS = [
    {
        "id": 1_000_000 - number,
        "tool": "Product page visits",
        "link": f"https://example.com/page-{number}",
        "status": "In progress",
        "delivered": 640,
        "quantity": 1_000,
        "charge": "0.90",
        "tone": "progress",
        "placed_at": "2026-11-20T14:05:00Z",
        "placed": "20 November 2026, 14:05 UTC",
    }
    for number in range(25)
]
PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ title }}</title></head>
<body>
<h1>{{ title }}</h1>
<table class="table order-table">
  <tbody>
{% for row in rows %}
<tr id="order-{{ row.id }}" data-status="{{ row.status }}" data-delivered="{{ row.delivered }}" data-quantity="{{ row.quantity }}">
  <th scope="row" class="order-table__order"><a class="id" id="open-{{ row.id }}" href="/orders/{{ row.id }}">#{{ row.id }}</a> <small>{{ row.tool }}</small> <small class="order-table__link">{{ row.link }}</small></th>
  <td class="order-table__status" id="status-{{ row.id }}"><span class="status" data-tone="{{ row.tone }}" data-shape="moving"><svg class="status__icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false"><circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="2"/><path d="M8 3.5a4.5 4.5 0 0 1 0 9z" fill="currentColor"/></svg><span>{{ row.status }}</span></span></td>
  <td class="order-table__count"><span class="progress"><span class="progress__count" id="count-{{ row.id }}">{{ row.delivered }} of {{ row.quantity }}</span><progress max="{{ row.quantity }}" value="{{ row.delivered }}" aria-label="Delivered"></progress></span></td>
  <td class="num order-table__money" id="money-{{ row.id }}"><data class="money" value="{{ row.charge }}">${{ row.charge }}</data></td>
  <td class="order-table__placed"><time datetime="{{ row.placed_at }}">{{ row.placed }}</time></td>
</tr>
{% endfor %}
  </tbody>
</table>
<p>{{ padding }}</p>
</body>
</html>
"""  # noqa: E501

SAME_ROWS = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ title }}</title></head>
<body>
<table class="table order-table">
  <tbody>
{% for part in rows %}
{% include "orders/_row.html" %}
{% endfor %}
  </tbody>
</table>
<p>{{ padding }}</p>
</body>
</html>
"""
app = Flask(__name__)
app.jinja_loader = ChoiceLoader(
    [DictLoader({"page.html": PAGE, "same_rows.html": SAME_ROWS}), FileSystemLoader(ROOT / "templates")]
)
app.jinja_env.filters.update(
    money=money.shown, plain_money=money.plain, count=formatting.count, when=formatting.when, iso=formatting.iso
)
app.jinja_env.filters.update(clock=formatting.clock, day=formatting.day, price=money.shown_price)
app.jinja_env.filters.update(plain_price=money.plain_price)


def _shown_rows() -> list[dict[str, object]]:
    """The texts of each row."""
    badge = get_template_attribute("components/status.html", "status_badge")(Status.IN_PROGRESS)
    charge = 900_000_000
    return [
        {
            "id": row["id"],
            "status": Status.IN_PROGRESS,
            "tool": row["tool"],
            "link": row["link"],
            "short_link": links.shorten(str(row["link"])),
            "badge": badge,
            "delivered": 640,
            "delivered_count": formatting.count(640),
            "quantity": 1_000,
            "quantity_count": formatting.count(1_000),
            "charge": money.shown(charge),
            "charge_plain": money.plain(charge),
            "charge_places": 2,
            "placed": formatting.short(NOON, year=NOON.year),
            "placed_iso": formatting.iso(NOON),
            "placed_when": formatting.when(NOON),
        }
        for row in ROWS
    ]


def _rendered(padding: str) -> str:
    return render_template("page.html", title="Orders", rows=ROWS, padding=padding)


def _rendered_rows(padding: str) -> str:
    return render_template("same_rows.html", title="Orders", rows=SHOWN, padding=padding)


WANTED = int(os.environ.get("BENCH_BYTES", "0"))
with app.app_context():
    SHOWN = _shown_rows()
    PADDING = "x" * max(0, WANTED - len(_rendered("")))
    PADDING_ROWS = "x" * max(0, WANTED - len(_rendered_rows("")))


@app.get("/page")
def page() -> str:
    return _rendered(PADDING)


@app.get("/same-rows")
def same_rows() -> str:
    return _rendered_rows(PADDING_ROWS)


@app.get("/hello")
def hello() -> str:
    return "<p>Hello, World!</p>"

"""What the site is measured against: a bare Flask + Jinja page of 25 rows, and Flask's hello world.

No session, no database, no headers of its own: a list in memory, a template, and padding up to the size
of the real page.
"""

import os

from flask import Flask, render_template
from jinja2 import DictLoader

ROWS = [
    {
        "id": 1_000_000 - number,
        "tool": "Product page visits",
        "link": f"https://example.com/page-{number}",
        "status": "In progress",
        "delivered": 640,
        "quantity": 1_000,
        "charge": "0.90",
        "placed": "20 November 2026, 14:05 UTC",
    }
    for number in range(25)
]
PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ title }}</title></head>
<body>
<h1>{{ title }}</h1>
<table>
{% for row in rows %}
<tr id="order-{{ row.id }}">
  <td><a href="/orders/{{ row.id }}">{{ row.id }}</a> {{ row.tool }} {{ row.link }}</td>
  <td>{{ row.status }}</td>
  <td>{{ row.delivered }} of {{ row.quantity }}</td>
  <td>{{ row.charge }}</td>
  <td>{{ row.placed }}</td>
</tr>
{% endfor %}
</table>
<p>{{ padding }}</p>
</body>
</html>
"""

app = Flask(__name__)
app.jinja_loader = DictLoader({"page.html": PAGE})


def _rendered(padding: str) -> str:
    return render_template("page.html", title="Orders", rows=ROWS, padding=padding)


with app.app_context():
    PADDING = "x" * max(0, int(os.environ.get("BENCH_BYTES", "0")) - len(_rendered("")))


@app.get("/page")
def page() -> str:
    return _rendered(PADDING)


@app.get("/hello")
def hello() -> str:
    return "<p>Hello, World!</p>"

"""API documentation generated from the table of actions, with examples in three languages.

`/api` shows it to people, `/api/openapi.json` and `/api/postman.json` to programs.
"""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from flask import Blueprint, Flask, Response, current_app, render_template
from flask.typing import ResponseReturnValue

from panel.blueprints.api import descriptions
from panel.blueprints.api.actions import ACTIONS, ApiAction, CallVariant
from panel.blueprints.api.descriptions import PATH
from panel.blueprints.api.errors import API_ERRORS
from panel.blueprints.api.parsing import MAX_IDS
from panel.blueprints.shared import structured_data
from panel.domain.forms import order_types
from panel.domain.status import Status
from panel.providers.simulated import SCENARIOS
from panel.services.api import keys as api_keys
from panel.services.api import orders as api_orders
from panel.services.api import repeated_orders
from panel.services.help import content
from panel.services.help import facts as help_facts
from panel.services.help.content import ContentPage, PageKeys
from panel.services.help.search import Document, joined
from panel.settings import ROOT

bp = Blueprint("api_docs", __name__)

KEY = "YOUR_KEY"
MAX_LINE_LENGTH = 40
_TEXT = "panel.api_text"


@dataclass(frozen=True, slots=True)
class Example:
    """One way to call an action, as three programs do it, and what comes back."""

    variant: CallVariant
    curl: str
    python: str
    php: str
    answer: str


def init_app(app: Flask) -> None:
    """Read the page's text once, with the current limits filled in."""
    facts = {
        "requests_a_minute": f"{app.config['PANEL'].api_requests_a_minute:,}",
        "most_ids": str(MAX_IDS),
        "scenarios": help_facts.either(SCENARIOS),
        "longest_request_id": str(api_orders.MAX_REQUEST_ID_LENGTH),
        "likely_twice": f"{repeated_orders.LIKELY_TWICE.seconds} seconds",
        "max_keys": str(api_keys.MAX_KEYS),
        "api_words": help_facts.either(dict.fromkeys(status.api_word for status in Status)),
        "refill_here": Status.REFILL.api_word,
        "currency": app.config["PANEL"].currency,
    }
    app.extensions[_TEXT] = content.read_page(ROOT / "content" / "api.md", facts=facts)


def changed() -> date:
    """When the page's text was last updated."""
    page: ContentPage[PageKeys] = current_app.extensions[_TEXT]
    return page.keys.changed


def document() -> Document:
    """The page as a document of the search index."""
    page: ContentPage[PageKeys] = current_app.extensions[_TEXT]
    text = joined([page.prose.plain_intro, *(part.plain for part in page.prose.parts)])
    return Document("/api", "Help", page.keys.heading, text)


@bp.get("/api")
def show() -> ResponseReturnValue:
    page, address = current_app.extensions[_TEXT], structured_data.absolute(PATH)
    return render_template(
        "api/show.html",
        page=page,
        address=address,
        python_start=python_start(address, key=KEY),
        php_start=php_start(address, key=KEY),
        actions=[(action, _shown(examples_of(action, address=address, key=KEY))) for action in ACTIONS.values()],
        order_types=order_types.TYPES.values(),
        contents=(
            *page.prose.contents,
            ("types", "Types of tools"),
            ("start", "Before the first call"),
            *((f"action-{name}", name) for name in ACTIONS),
            ("errors", "Errors"),
        ),
        api_errors=API_ERRORS,
        data=structured_data.guide_page(page, path="/api"),
    )


def _shown(examples: list[Example]) -> list[Example]:
    return [example for example in examples if example.variant.is_shown]


@bp.get("/api/openapi.json")
def show_openapi() -> Response:
    return _described(descriptions.openapi)


@bp.get("/api/postman.json")
def show_postman() -> Response:
    return _described(descriptions.postman)


def _described(describe: Callable[..., dict[str, Any]]) -> Response:
    title = f"{current_app.config['PANEL'].site_name} API"
    text = json.dumps(describe(structured_data.absolute(""), title=title), indent=1)
    return Response(text, mimetype="application/json")


def python_start(address: str, *, key: str) -> str:
    """Imports and settings of the Python examples."""
    return f"""import json
from urllib.parse import urlencode
from urllib.request import urlopen

def call(action, **fields):
    form = urlencode({{"key": {json.dumps(key)}, "action": action, **fields}})
    with urlopen({json.dumps(address)}, form.encode(), timeout=30) as answer:
        return json.load(answer)"""


def php_start(address: str, *, key: str) -> str:
    """Settings and helper function of the PHP examples."""
    return f"""<?php
function call($action, $fields = []) {{
    $curl = curl_init({_php(address)});
    curl_setopt_array($curl, [
        CURLOPT_POSTFIELDS => http_build_query(['key' => {_php(key)}, 'action' => $action] + $fields),
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_TIMEOUT => 30,
    ]);
    return json_decode(curl_exec($curl), true);
}}"""


def examples_of(action: ApiAction, *, address: str, key: str, values: Mapping[str, str] | None = None) -> list[Example]:
    """The examples of each way to call an action. `values` stand in for those of the table, by the field's name."""
    return [_example(action, variant, address=address, key=key, values=values or {}) for variant in action.variants]


def _example(action: ApiAction, variant: CallVariant, *, address: str, key: str, values: Mapping[str, str]) -> Example:
    given = {field.name: values.get(field.name, field.example) for field in variant.fields}
    numbers = {field.name for field in variant.fields if field.is_number}
    form = {"key": key, "action": action.name, **given}
    curl = " \\\n  ".join(
        [f"curl {shlex.quote(address)}", *(f"--data-urlencode {shlex.quote(f'{name}={form[name]}')}" for name in form)]
    )
    python = [f"{name}={v if name in numbers else json.dumps(v)}" for name, v in given.items()]
    php = [f"{_php(name)} => {v if name in numbers else _php(v)}" for name, v in given.items()]
    return Example(
        variant=variant,
        curl=curl,
        python=f"print(call({_listed([json.dumps(action.name), *python])}))",
        php=f"print_r(call({_php(action.name)}{f', [{_listed(php)}]' if php else ''}));",
        answer=json.dumps(variant.answer, indent=2)
        if len(json.dumps(variant.answer)) > 60
        else json.dumps(variant.answer),
    )


def _listed(words: list[str]) -> str:
    """The words on one line, or one per line if that would be too long."""
    line = ", ".join(words)
    return line if len(line) <= MAX_LINE_LENGTH else "".join(f"\n    {word}," for word in words) + "\n"


def _php(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"

"""API documentation generated from the table of actions: examples in three languages, and OpenAPI.

`/api` shows it to people, `/api/openapi.json` to programs.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from flask import Blueprint, Flask, Response, current_app, render_template
from flask.typing import ResponseReturnValue

from panel.blueprints.api.actions import ACTIONS, ApiAction, CallVariant
from panel.blueprints.api.errors import API_ERRORS, TOO_MANY
from panel.blueprints.api.parsing import MAX_IDS
from panel.blueprints.shared import structured_data
from panel.domain.status import Status
from panel.services.api import keys as api_keys
from panel.services.api import orders as api_orders
from panel.services.help import content
from panel.services.help import facts as help_facts
from panel.services.help.content import ContentPage, PageKeys
from panel.services.help.search import Document, joined
from panel.settings import ROOT

bp = Blueprint("api_docs", __name__)

PATH = "/api/v2"
KEY = "YOUR_KEY"
OPENAPI = "3.1.0"
MAX_LINE_LENGTH = 40
FORM = "application/x-www-form-urlencoded"
_TEXT = "panel.api_text"

Schema = dict[str, Any]


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
        "longest_request_id": str(api_orders.MAX_REQUEST_ID_LENGTH),
        "likely_twice": f"{api_orders.LIKELY_TWICE.seconds} seconds",
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
        actions=[(action, examples_of(action, address=address, key=KEY)) for action in ACTIONS.values()],
        contents=(
            *page.prose.contents,
            ("start", "Before the first call"),
            *((f"action-{name}", name) for name in ACTIONS),
            ("errors", "Errors"),
        ),
        api_errors=API_ERRORS,
        data=structured_data.guide_page(page, path="/api"),
    )


@bp.get("/api/openapi.json")
def show_openapi() -> Response:
    text = json.dumps(
        openapi(structured_data.absolute(""), title=f"{current_app.config['PANEL'].site_name} API"), indent=1
    )
    return Response(text, mimetype="application/json")


def python_start(address: str, *, key: str) -> str:
    """What a Python program needs before its first call."""
    return f"""import json
from urllib.parse import urlencode
from urllib.request import urlopen

def call(action, **fields):
    form = urlencode({{"key": {json.dumps(key)}, "action": action, **fields}})
    with urlopen({json.dumps(address)}, form.encode(), timeout=30) as answer:
        return json.load(answer)"""


def php_start(address: str, *, key: str) -> str:
    """What a PHP program needs before its first call."""
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


@cache
def openapi(site: str, *, title: str) -> Schema:
    """The OpenAPI document of the API at this site."""
    variants = [(action, variant) for action in ACTIONS.values() for variant in action.variants]
    calls = {f"{action.name}{_number(action, variant)}": call_schema(action, variant) for action, variant in variants}
    answers = {
        f"{name}_answer": answer_schema(variant) for name, (_action, variant) in zip(calls, variants, strict=True)
    }
    return {
        "openapi": OPENAPI,
        "info": {"title": title, "version": "2", "description": "The panel for programs. Every call is a POST."},
        "servers": [{"url": site}],
        "paths": {
            PATH: {
                "post": {
                    "operationId": "call",
                    "summary": "Call one action.",
                    "requestBody": {
                        "required": True,
                        "content": {FORM: {"schema": {"oneOf": [_ref(name) for name in calls]}}},
                    },
                    "responses": {
                        "200": {
                            "description": "The action's answer, or why the call was refused.",
                            "headers": {
                                "X-Error-Code": _header("The code of a refusal.", [error.code for error in API_ERRORS]),
                                "X-Error-Field": _header("The field that a refusal is about, where it is about one."),
                                "X-Possible-Duplicate": _header(
                                    "On add without request_id: the number of an equal order placed shortly before."
                                ),
                            },
                            "content": _json({"anyOf": [_ref(name) for name in [*answers, "error"]]}),
                        },
                        "429": {
                            "description": TOO_MANY.means,
                            "headers": {"Retry-After": _header("Seconds to wait.")},
                            "content": _json(_ref("error")),
                        },
                    },
                }
            }
        },
        "components": {"schemas": {**calls, **answers, "error": _ERROR}},
    }


def _number(action: ApiAction, variant: CallVariant) -> str:
    return "" if variant is action.variants[0] else "_many"


def call_schema(action: ApiAction, variant: CallVariant) -> Schema:
    """JSON schema of a call of this variant."""
    fields: Schema = {"key": {"type": "string"}, "action": {"const": action.name}}
    for field in variant.fields:
        of_type: Schema = {"type": "integer"} if field.is_number else {"type": "string"}
        fields[field.name] = of_type | {"description": field.means, "examples": [field.example]}
    required = ["key", "action", *(field.name for field in variant.fields if field.is_required)]
    return {"type": "object", "description": action.means, "properties": fields, "required": required}


def answer_schema(variant: CallVariant) -> Schema:
    """JSON schema of the response to this variant, derived from its example."""
    if variant.is_by_id:
        return {"type": "object", "additionalProperties": {"anyOf": [_shape(each) for each in variant.answer.values()]}}
    return _shape(variant.answer)


_ERROR: Schema = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
    "additionalProperties": False,
}
_TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "integer"}


def _shape(example: Any) -> Schema:
    if isinstance(example, list):
        shapes: list[Schema] = []
        for each in example:
            if (shape := _shape(each)) not in shapes:
                shapes.append(shape)
        return {"type": "array", "items": {"anyOf": shapes}}
    if isinstance(example, dict):
        if set(example) == {"error"}:
            return _ref("error")
        return {
            "type": "object",
            "properties": {name: _shape(value) for name, value in example.items()},
            "required": list(example),
            "additionalProperties": False,
        }
    return {"type": _TYPES[type(example)]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _header(means: str, words: list[str] | None = None) -> Schema:
    return {"description": means, "schema": {"type": "string"} | ({"enum": words} if words else {})}

"""Descriptions of the API for programs, generated from the table of actions: OpenAPI, and a Postman collection.

OpenAPI 3.1: https://spec.openapis.org/oas/v3.1.0. Postman: https://schema.postman.com, collection format 2.1.0.
"""

from functools import cache
from typing import Any

from panel.blueprints.api.actions import ACTIONS, ApiAction, CallVariant
from panel.blueprints.api.errors import API_ERRORS, TOO_MANY

PATH = "/api/v2"
OPENAPI = "3.1.0"
POSTMAN = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
FORM = "application/x-www-form-urlencoded"

Schema = dict[str, Any]


def _header(means: str, words: list[str] | None = None) -> Schema:
    return {"description": means, "schema": {"type": "string"} | ({"enum": words} if words else {})}


_RATE_HEADERS: Schema = {
    "X-RateLimit-Limit": _header("Calls that this key may make in a minute."),
    "X-RateLimit-Remaining": _header("Calls that are left in this minute."),
    "X-RateLimit-Reset": _header("When the minute ends, in seconds of Unix time."),
}


_HEADERS: Schema = {
    "X-Error-Code": _header("The code of a refusal.", [error.code for error in API_ERRORS]),
    "X-Error-Field": _header("The field that a refusal is about, where it is about one."),
    "X-Possible-Duplicate": _header("On add without request_id: the number of an equal order placed shortly before."),
    **_RATE_HEADERS,
}


@cache
def openapi(site: str, *, title: str) -> Schema:
    """The OpenAPI document of the API at this site: one operation an action.

    All actions have one address. What follows `#` tells the operations apart and is never sent.
    """
    schemas: Schema = {"error": _ERROR}
    for action in ACTIONS.values():
        for variant in action.variants:
            schemas[_name(action, variant)] = call_schema(action, variant)
            schemas[f"{_name(action, variant)}_answer"] = response_schema(variant)
    return {
        "openapi": OPENAPI,
        "info": {"title": title, "version": "2", "description": "The panel for programs. Every call is a POST."},
        "servers": [{"url": site}],
        "paths": {f"{PATH}#{action.name}": {"post": _operation(action)} for action in ACTIONS.values()},
        "components": {"schemas": schemas},
    }


def _operation(action: ApiAction) -> Schema:
    calls = [_name(action, variant) for variant in action.variants]
    return {
        "operationId": action.name,
        "summary": action.means,
        "requestBody": {
            "required": True,
            "content": {FORM: {"schema": _one_of(calls)}},
        },
        "responses": {
            "200": {
                "description": "The action's answer, or why the call was refused.",
                "headers": _HEADERS,
                "content": _json({"anyOf": [_ref(name) for name in [*(f"{call}_answer" for call in calls), "error"]]}),
            },
            "429": {
                "description": TOO_MANY.means,
                "headers": {"Retry-After": _header("Seconds to wait."), **_RATE_HEADERS},
                "content": _json(_ref("error")),
            },
        },
    }


@cache
def postman(site: str, *, title: str) -> Schema:
    """The Postman collection: one request for each way to call an action; the key is a variable of the collection."""
    return {
        "info": {"name": title, "schema": POSTMAN, "description": "Set the variable key to your API key."},
        "variable": [{"key": "address", "value": f"{site}{PATH}"}, {"key": "key", "value": ""}],
        "item": [_request(action, variant) for action in ACTIONS.values() for variant in action.variants],
    }


def _request(action: ApiAction, variant: CallVariant) -> Schema:
    fixed = [{"key": "key", "value": "{{key}}"}, {"key": "action", "value": action.name}]
    fields = [
        {"key": field.name, "value": field.example, "description": field.means, "disabled": not field.is_required}
        for field in variant.fields
    ]
    return {
        "name": action.name if len(action.variants) == 1 else f"{action.name}: {variant.means}",
        "request": {
            "method": "POST",
            "url": "{{address}}",
            "description": action.means,
            "body": {"mode": "urlencoded", "urlencoded": [*fixed, *fields]},
        },
    }


def _name(action: ApiAction, variant: CallVariant) -> str:
    if variant is action.variants[0]:
        return action.name
    return f"{action.name}_{variant.order_type.lower().replace(' ', '_') or 'many'}"


def _one_of(calls: list[str]) -> Schema:
    return _ref(calls[0]) if len(calls) == 1 else {"oneOf": [_ref(name) for name in calls]}


def call_schema(action: ApiAction, variant: CallVariant) -> Schema:
    """JSON schema of a call of this variant."""
    fields: Schema = {"key": {"type": "string"}, "action": {"const": action.name}}
    for field in variant.fields:
        of_type: Schema = {"type": "integer"} if field.is_number else {"type": "string"}
        fields[field.name] = of_type | {"description": field.means, "examples": [field.example]}
    required = ["key", "action", *(field.name for field in variant.fields if field.is_required)]
    return {"type": "object", "description": action.means, "properties": fields, "required": required}


def response_schema(variant: CallVariant) -> Schema:
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

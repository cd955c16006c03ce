"""API docs: the page and the OpenAPI description match the table of actions, and their examples run."""

import contextlib
import io
import json
import re
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from werkzeug.serving import make_server

from panel.blueprints.api import descriptions
from panel.blueprints.api import docs as api_docs
from panel.blueprints.api.actions import ACTIONS, ApiAction, CallVariant
from panel.blueprints.api.errors import API_ERRORS
from panel.clock import utc_now
from panel.db import db
from panel.domain.forms.order_types import TYPES
from panel.domain.status import Status
from tests.support import servers
from tests.support.api_clients import PATH, a_key
from tests.support.factories import a_customer, a_tool, an_order
from tests.support.form_factories import a_tool_of

VARIANTS = [(action, variant) for action in ACTIONS.values() for variant in action.variants]


def name_of(case: object) -> str:
    return case.name if isinstance(case, ApiAction) else ""


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The site on its own port, in this process."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{PATH}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def a_reseller(status: Status) -> tuple[str, dict[str, str]]:
    """An API key, and field values with which every action returns something."""
    customer, tool = a_customer("100"), a_tool()
    order = an_order(customer=customer, tool=tool, status=status, quantity=100, now=utc_now())
    key, number, many = a_key(customer), str(order.id), f"{order.id},999"
    return key, {"service": str(tool.id), "order": number, "orders": many, "refill": "1", "refills": "1,999"}


def values_for(variant: CallVariant, values: dict[str, str]) -> dict[str, str]:
    """The values for a call of this variant; `add` gets a tool of the type that the variant is for."""
    if variant.order_type in ("", "Default"):
        return values
    return values | {"service": str(a_tool_of(variant.order_type, link_pattern=r"https://\S+").id)}


def fits(found: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether the value matches the schema. Covers what our schemas use."""
    if "$ref" in schema:
        return fits(found, schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return any(fits(found, each, schemas) for each in schema["anyOf"])
    match schema["type"]:
        case "array":
            return isinstance(found, list) and all(fits(each, schema["items"], schemas) for each in found)
        case "object" if "properties" in schema:
            known = schema["properties"]
            return (
                isinstance(found, dict)
                and set(found) == set(schema["required"]) == set(known)
                and all(fits(value, known[name], schemas) for name, value in found.items())
            )
        case "object":
            return isinstance(found, dict) and all(
                fits(each, schema["additionalProperties"], schemas) for each in found.values()
            )
    return type(found) is {"string": str, "integer": int, "boolean": bool}[schema["type"]]


def schemas_of(client: FlaskClient) -> dict[str, Any]:
    found = client.get("/api/openapi.json").get_json()["components"]["schemas"]
    assert isinstance(found, dict)
    return found


def answers_of(address: str, key: str, values: dict[str, str], action: ApiAction, variant: CallVariant) -> list[Any]:
    """Responses to the curl, Python and PHP examples, run exactly as the page shows them."""
    (example,) = (
        each
        for each in api_docs.examples_of(action, address=address, key=key, values=values)
        if each.variant is variant
    )
    ran = subprocess.run(["bash", "-c", f"{example.curl} --silent"], capture_output=True, text=True, timeout=30)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(f"{api_docs.python_start(address, key=key)}\n{example.python}", {})
    return [json.loads(ran.stdout), eval(output.getvalue(), {}), by_php(address, key, example.php)]


def by_php(address: str, key: str, example: str) -> Any:
    """Response to the PHP example, with its `print_r` replaced by JSON, which can be parsed."""
    try:
        php = servers.php()
    except servers.NotInstalled as error:
        servers.skip_or_fail(str(error))
    start, shown = api_docs.php_start(address, key=key), example.replace("print_r(call(", "echo json_encode(call(")
    assert shown != example
    ran = subprocess.run([php], input=f"{start}\n{shown}", capture_output=True, text=True, timeout=30, check=True)
    return json.loads(ran.stdout)


@pytest.mark.parametrize(("action", "variant"), VARIANTS, ids=name_of)
def test_each_example_runs_and_its_answer_has_the_shape_shown(
    client: FlaskClient, address: str, action: ApiAction, variant: CallVariant
) -> None:
    key, values = a_reseller(Status.PENDING if action.name == "cancel" else Status.COMPLETED)
    if action.name == "refill_status":
        client.post(PATH, data={"key": key, "action": "refill", "order": values["order"]})

    first, *others = answers_of(address, key, values_for(variant, values), action, variant)

    schema, schemas = descriptions.response_schema(variant), schemas_of(client)
    assert fits(variant.answer, schema, schemas)
    assert fits(first, schema, schemas), first
    assert action.name in ("refill", "cancel") or others == [first, first]
    db.session.rollback()


def test_php_examples_are_php(client: FlaskClient) -> None:
    start = api_docs.php_start("https://panel.example/api/v2", key="it's \\ a key")
    calls = [each.php for action in ACTIONS.values() for each in api_docs.examples_of(action, address="x", key="y")]
    text = "\n".join([start, *calls])

    assert r"'it\'s \\ a key'" in text
    assert text.count("(") == text.count(")")
    assert text.count("[") == text.count("]")
    assert all(call.startswith("print_r(call('") and call.endswith(");") for call in calls)


def test_page_shows_every_action_field_example_and_error(client: FlaskClient) -> None:
    page = client.get("/api")

    assert page.status_code == 200
    address = "http://127.0.0.1:8000/api/v2"
    for action in ACTIONS.values():
        assert f'id="action-{action.name}"' in page.text
        assert str(escape(action.means)) in page.text
        for example in api_docs.examples_of(action, address=address, key=api_docs.KEY):
            if not example.variant.is_shown:
                continue
            for text in (example.curl, example.python, example.php, example.answer):
                assert str(escape(text)) in page.text
            for field in example.variant.fields:
                assert f"<dt><code>{field.name}</code></dt>" in page.text
                assert str(escape(field.means)) in page.text
    for form in TYPES.values():
        row = page.text.partition(f'<th scope="row">{form.order_type}</th>')[2].partition("</tr>")[0]
        assert all(f"<code>{name}</code>" in row for name in form.names)
        assert ("<code>quantity</code>" in row) == form.takes_quantity
    for error in API_ERRORS:
        assert str(escape(error.text.replace("{limit}", "N"))) in page.text
        assert f"<code>{error.code}</code>" in page.text


def test_page_has_contents_one_language_at_a_time_and_copy_buttons(client: FlaskClient) -> None:
    page = client.get("/api").text
    main = " ".join(page.partition("<main")[2].split())

    contents = main.partition('aria-label="On this page"')[2].partition("</nav>")[0]
    assert all(f'href="#action-{name}"' in contents for name in ACTIONS)
    languages = re.findall(r'<input type="radio" name="language" id="in-(\w+)"( checked)?>', main)
    assert languages == [("curl", " checked"), ("python", ""), ("php", "")]
    examples = sum(variant.is_shown for _action, variant in VARIANTS)
    counts = {name: len(re.findall(rf'<section [^>]*data-language="{name}"', main)) for name, _ in languages}
    assert counts == {"curl": examples, "python": examples + 1, "php": examples + 1}
    assert main.count("data-copied") == main.count("<pre")
    assert main.count("services are our tools") == 1
    assert "<code>email_not_confirmed</code>" in main


def test_page_leads_only_to_pages_that_are_there(client: FlaskClient) -> None:
    page = client.get("/api").text

    inside = set(re.findall(r'href="(/[^"]*)"', page.partition("<main")[2].partition("</main>")[0]))
    assert inside >= {"/account/keys", "/api/openapi.json", "/api/postman.json", "/order-statuses"}
    assert all(client.get(path).status_code in (200, 303) for path in inside)
    anchors = set(re.findall(r'href="#([^"]+)"', page.partition("<main")[2]))
    assert anchors >= {f"action-{name}" for name in ACTIONS}
    assert all(f'id="{anchor}"' in page for anchor in anchors)
    assert "http://127.0.0.1:8000/api</loc>" in client.get("/sitemap.xml").text


def test_openapi_has_an_operation_for_each_action_and_a_schema_for_each_call(client: FlaskClient) -> None:
    answer = client.get("/api/openapi.json")
    found = answer.get_json()
    schemas = found["components"]["schemas"]

    assert (answer.mimetype, found["openapi"]) == ("application/json", "3.1.0")
    assert found["servers"] == [{"url": "http://127.0.0.1:8000"}]
    assert list(found["paths"]) == [f"{PATH}#{name}" for name in ACTIONS]
    for action in ACTIONS.values():
        call = found["paths"][f"{PATH}#{action.name}"]["post"]
        schema = call["requestBody"]["content"][descriptions.FORM]["schema"]
        named = [each["$ref"].rpartition("/")[2] for each in schema.get("oneOf", [schema])]
        for name, variant in zip(named, action.variants, strict=True):
            properties = schemas[name]["properties"]
            assert properties["action"]["const"] == call["operationId"] == action.name
            assert list(properties) == ["key", "action", *(field.name for field in variant.fields)]
            assert fits(variant.answer, schemas[f"{name}_answer"], schemas)
        assert set(call["responses"]) == {"200", "429"}
        codes = call["responses"]["200"]["headers"]["X-Error-Code"]["schema"]["enum"]
        assert codes == [error.code for error in API_ERRORS]
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', answer.text)) == set(schemas)


def test_requests_of_the_postman_collection_are_answered(client: FlaskClient) -> None:
    key, values = a_reseller(Status.COMPLETED)
    collection = client.get("/api/postman.json").get_json()
    variables = {each["key"]: each["value"] for each in collection["variable"]}

    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    assert variables == {"address": f"http://127.0.0.1:8000{PATH}", "key": ""}
    assert len(collection["item"]) == len(VARIANTS)
    for item, (_action, variant) in zip(collection["item"], VARIANTS, strict=True):
        request = item["request"]
        assert (request["method"], request["url"], request["body"]["mode"]) == ("POST", "{{address}}", "urlencoded")
        form = {each["key"]: each["value"] for each in request["body"]["urlencoded"] if not each.get("disabled")}
        assert form["key"] == "{{key}}"
        known = values_for(variant, values)
        sent = {name: known.get(name, value) for name, value in form.items()} | {"key": key}
        answer = client.post(PATH, data=sent)
        assert answer.status_code == 200
        assert answer.headers.get("X-Error-Code") in (None, "refill_not_found"), item["name"]
    db.session.rollback()

"""API client for tests: calls the API with a key, as resellers' programs do."""

from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from panel.clock import utc_now
from panel.db import db, transaction
from panel.models import User
from panel.services.api import keys as api_keys
from panel.services.api.keys import NewKey

PATH = "/api/v2"


def a_key(customer: User, *, name: str = "Shop", **options: Any) -> str:
    """Create an API key for this customer, with these options of `NewKey`."""
    with transaction():
        return api_keys.make(customer.id, asked=NewKey(name, **options), now=utc_now()).text


@dataclass
class Caller:
    """API client that sends form fields."""

    client: FlaskClient
    key: str

    def post(self, action: str, **fields: object) -> TestResponse:
        data = {"key": self.key, "action": action} | {name: str(value) for name, value in fields.items()}
        answer = self.client.post(PATH, data=data)
        db.session.rollback()
        return answer

    def call(self, action: str, **fields: object) -> Any:
        """The response's JSON, after the checks that apply to every response."""
        answer = self.post(action, **fields)
        is_answer(answer)
        return answer.get_json()

    def text(self, action: str, **fields: object) -> str:
        """The exact response body."""
        return self.post(action, **fields).text


def a_caller(client: FlaskClient, customer: User) -> Caller:
    return Caller(client, a_key(customer))


def is_answer(answer: TestResponse) -> None:
    """Every response is JSON with status 200 or 429, uncacheable, without a cookie and without a null."""
    assert answer.status_code in (200, 429)
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    found = answer.get_json()
    assert not has_null(found)
    if isinstance(found, dict) and "error" in found:
        assert list(found) == ["error"]
        assert isinstance(found["error"], str)
        assert answer.headers["X-Error-Code"]
    else:
        assert "X-Error-Code" not in answer.headers


def has_null(found: object) -> bool:
    if isinstance(found, dict):
        return any(map(has_null, found.values()))
    return any(map(has_null, found)) if isinstance(found, list) else found is None

"""Two-factor login for tests: both steps, and the codes of an authenticator app."""

import re
from datetime import timedelta

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from panel.clock import utc_now
from panel.models import User
from panel.services.accounts import two_factor
from tests.support.factories import PASSWORD

STEP = timedelta(seconds=two_factor.STEP_SECONDS)
WRONG = "000000"


def show_password(client: FlaskClient, user: User, **form: str) -> TestResponse:
    return client.post("/log-in", data={"email": user.email, "password": PASSWORD, **form})


def show_code(client: FlaskClient, code: str, **form: str) -> TestResponse:
    return client.post("/log-in/second-factor", data={"code": code, **form})


def code(secret: str, *, steps: int = 0) -> str:
    return two_factor.code_at(secret, at=utc_now() + steps * STEP)


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]

"""Fixtures for tests of several pages."""

import pytest
from flask.testing import FlaskClient

from tests.support.factories import an_operator, logged_in


@pytest.fixture
def office(client: FlaskClient) -> FlaskClient:
    """The client, logged in as an operator."""
    return logged_in(client, an_operator(email="olga@example.com"))

"""What tests of several pages ask for."""

import pytest
from flask.testing import FlaskClient

from tests.support.factories import an_operator, signed_in


@pytest.fixture
def office(client: FlaskClient) -> FlaskClient:
    """The client as the browser of an operator."""
    return signed_in(client, an_operator(email="olga@example.com"))

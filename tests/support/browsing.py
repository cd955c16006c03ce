"""Browser helpers shared by many tests."""

from flask.testing import FlaskClient


def is_logged_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def post(client: FlaskClient, address: str, **form: object) -> tuple[int, str]:
    """Send a form; returns the status code and the page."""
    answer = client.post(address, data=form)
    return answer.status_code, answer.text

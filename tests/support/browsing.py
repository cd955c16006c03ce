"""What a browser does in many tests, in a line."""

from flask.testing import FlaskClient


def is_signed_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def post(client: FlaskClient, address: str, **form: object) -> tuple[int, str]:
    """The status of the answer, and its page."""
    answer = client.post(address, data=form)
    return answer.status_code, answer.text

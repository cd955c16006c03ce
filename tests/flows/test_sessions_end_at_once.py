"""Ended sessions are rejected from the next request on, in every layer: pages, cached pages, 304s and the API.

Only the account's row is changed here: no session is ended and no key revoked, so that each layer has to check it.
"""

import re
from datetime import datetime

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.status import Status
from panel.models import User
from tests.support.api_clients import a_caller
from tests.support.factories import a_customer, an_order, logged_in

pytestmark = pytest.mark.both_engines


def change_row(user: User, **values: datetime | str) -> None:
    with transaction():
        db.session.execute(update(User).where(User.id == user.id).values(**values))


@pytest.mark.parametrize("what", ["closed_at", "disabled_at", "encrypted_totp"])
def test_closed_disabled_or_two_factor_account_loses_access_immediately(client: FlaskClient, what: str) -> None:
    user = a_customer("100")
    order = an_order(customer=user, status=Status.PENDING)
    logged_in(client, user)
    caller = a_caller(client, user)
    tag = re.search(r'data-hx-ptag="(\w+)"', client.get("/orders").text)
    assert tag is not None
    headers = {"HX-PTag": tag[1], "HX-Request": "true"}
    assert client.get("/orders/live", headers=headers).status_code == 304
    for _ in range(2):
        assert "status" in caller.call("status", order=order.id)

    change_row(user, **{what: "ciphertext" if what == "encrypted_totp" else utc_now()})

    assert client.get("/orders/live", headers=headers).status_code == 401
    for path in ("/orders", "/account", f"/orders/{order.id}", "/account/data.zip"):
        assert client.get(path).location.startswith("/log-in"), path
    answer = caller.call("status", order=order.id)
    # An API key is a separate credential and keeps working without a code.
    assert ("status" in answer) if what == "encrypted_totp" else (answer == {"error": "Invalid API key"})

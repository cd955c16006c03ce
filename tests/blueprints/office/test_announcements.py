"""Announcements in the office: from the draft to its withdrawal by the forms of its pages."""

import re

from flask.testing import FlaskClient

from tests.support.factories import an_operator, logged_in

TYPED = {"title": "New server", "text": "We moved.", "audience": "everyone"}


def seen(client: FlaskClient, path: str) -> str:
    found = re.search(r'name="seen" value="(\d+)"', client.get(path).text)
    assert found is not None
    return found[1]


def test_draft_is_written_published_unpinned_and_withdrawn(client: FlaskClient) -> None:
    logged_in(client, an_operator())

    path = client.post("/office/announcements", data=TYPED).location
    assert "New server" not in client.get("/updates").text
    client.post(path, data=TYPED | {"title": "Newer server", "seen": seen(client, path)})
    client.post(f"{path}/publication", data={"pinned": "yes", "seen": seen(client, path)})
    assert client.get("/updates").text.count("Newer server") == 2
    client.post(f"{path}/pin", data={"pinned": "no", "seen": seen(client, path)})
    assert client.get("/updates").text.count("Newer server") == 1
    assert client.post(f"{path}/withdrawal", data={"seen": seen(client, path)}).status_code == 303

    assert "Newer server" not in client.get("/updates").text
    assert "Withdrawn" in client.get("/office/announcements").text


def test_refused_forms_keep_what_was_typed(client: FlaskClient) -> None:
    logged_in(client, an_operator())

    empty = client.post("/office/announcements", data=TYPED | {"title": ""})
    path = client.post("/office/announcements", data=TYPED).location
    stale = client.post(path, data=TYPED | {"text": "Typed words.", "seen": "0"})

    assert (empty.status_code, stale.status_code) == (422, 409)
    assert "We moved.</textarea>" in empty.text
    assert "Typed words.</textarea>" in stale.text
    assert client.get("/office/announcements/999").status_code == 404

"""Email notifications: settings, and one-click unsubscribe."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from panel.domain.notification_kinds import Notice
from panel.services.mail import notifications
from tests.support.factories import a_customer, logged_in


def test_a_customer_switches_each_kind_of_notice(client: FlaskClient) -> None:
    user = a_customer()
    logged_in(client, user)
    assert client.get("/account/notices").text.count(" checked") == len(Notice)

    kept = client.post("/account/notices", data={"email_partial": "yes", "email_canceled": "yes", "evil": "yes"})

    assert kept.status_code == 303
    assert {kind for kind, wanted in notifications.preferences(user.id).items() if wanted} == {
        Notice.PARTIAL,
        Notice.CANCELED,
    }
    page = client.get("/account/notices").text
    assert page.count(" checked") == 2
    assert "We don’t send emails or Telegram messages about orders placed through the API" in page


def test_one_click_ends_the_kinds_of_a_mail_and_no_others(app: Flask, client: FlaskClient) -> None:
    user, other = a_customer(), a_customer()
    path = notifications.unsubscribe_path(user.id, [Notice.COMPLETED, Notice.PARTIAL])

    page = client.get(path)
    assert all(notifications.preferences(user.id).values()), "opening the page must change nothing"
    done = client.post(path)

    assert (page.status_code, done.status_code) == (200, 200)
    off = {kind for kind, wanted in notifications.preferences(user.id).items() if not wanted}
    assert off == {Notice.COMPLETED, Notice.PARTIAL}
    assert all(notifications.preferences(other.id).values())
    for text in (page.text, done.text):
        assert user.email not in text
    assert client.post(path).status_code == 200, "a second time does no harm"


@pytest.mark.usefixtures("csrf")
def test_a_mail_program_unsubscribes_without_cookie_or_token(client: FlaskClient) -> None:
    user = a_customer()
    path = notifications.unsubscribe_path(user.id, [Notice.TICKET])

    answer = client.post(path, data={"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert not notifications.preferences(user.id)[Notice.TICKET]


def test_changed_or_foreign_token_changes_nothing_and_reveals_nothing(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    path = notifications.unsubscribe_path(user.id, [Notice.TICKET])
    start, _, signature = path.rpartition(".")
    known = notifications.unsubscribe_path(999_999, [Notice.TICKET])

    for broken in (f"{start}.{signature[::-1]}", "/unsubscribe/x", "/unsubscribe/WzFd.x", f"{path}x"):
        assert client.get(broken).status_code == 410
        assert client.post(broken).status_code == 410
    assert all(notifications.preferences(user.id).values())
    assert client.post(known).status_code == 200, "nobody can find out who has an account"


def test_notices_are_the_accounts_own(client: FlaskClient) -> None:
    assert client.get("/account/notices").status_code == 303
    assert client.post("/account/notices").status_code == 303

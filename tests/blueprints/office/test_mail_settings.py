"""Mail server in the office: saved with its password encrypted, used by the next sweep, and tested by a real email."""

import re
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from panel import app_context
from panel.clock import utc_now
from panel.db import db, transaction
from panel.domain.errors import ActionRefused
from panel.models import AuditLogEntry, Mail, StoredSetting
from panel.security import encryption
from panel.services import encryption_key
from tests.support import mailbox
from tests.support.page_text import text_of
from tests.support.smtp_server import PASSWORD, USER, SmtpServer, mail_server

PAGE = "/office/settings/email"
GOOD = {
    "host": "smtp.example.com",
    "encryption": "smtp+starttls",
    "port": "",
    "user": USER,
    "password": PASSWORD,
    "mail_from": "hello@example.com",
}
SHOWN = "smtp.example.com, port 587, STARTTLS, user panel@example.com"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with mail_server() as running:
        yield running


def save(office: FlaskClient, **changes: str) -> tuple[int, str]:
    seen = re.search(r'name="seen" value="(\w+)"', office.get(PAGE).text)
    assert seen is not None
    answer = office.post(PAGE, data=GOOD | changes | {"seen": seen[1]})
    # The next page brings this process the settings in force.
    office.get(PAGE)
    return answer.status_code, answer.text


def details() -> list[str]:
    db.session.rollback()
    lines = select(AuditLogEntry.detail).where(AuditLogEntry.subject == "setting smtp_url")
    return list(db.session.scalars(lines.order_by(AuditLogEntry.id)))


def stored() -> str | None:
    db.session.rollback()
    return db.session.scalar(select(StoredSetting.value).where(StoredSetting.name == "smtp_url"))


def everything() -> str:
    """All that the database holds of settings and their changes."""
    db.session.rollback()
    rows = [*db.session.execute(select(StoredSetting.value)), *db.session.execute(select(AuditLogEntry.detail))]
    return " ".join(str(row) for row in rows)


def test_server_is_saved_encrypted_shown_without_password_and_in_force(app: Flask, office: FlaskClient) -> None:
    status, _page = save(office)

    pages = office.get(PAGE).text + office.get("/office/settings").text + office.get("/office/audit-log").text
    found = app_context.settings().mail_server
    assert found is not None
    assert status == 303
    assert (found.host, found.port, found.user, found.password) == ("smtp.example.com", 587, USER, PASSWORD)
    assert app_context.settings().mail_sender == "hello@example.com"
    assert SHOWN in text_of(pages)
    assert details() == [f"From empty to “{SHOWN}”."]
    for text in (pages, everything()):
        assert PASSWORD not in text and "a%20pass" not in text


def test_empty_password_is_kept_for_the_same_server_and_user_alone(office: FlaskClient) -> None:
    save(office)

    kept = save(office, password="", encryption="smtps", port="465")
    elsewhere = save(office, password="", host="smtp.example.net")
    for_another = save(office, password="", user="other@example.com")
    changed = save(office, password="another one", encryption="smtps", port="465")

    found = app_context.settings().mail_server
    assert found is not None
    assert [kept[0], elsewhere[0], for_another[0], changed[0]] == [303, 422, 422, 303]
    assert "kept only while host and user name stay the same" in text_of(elsewhere[1])
    assert (found.host, found.user, found.password) == ("smtp.example.com", USER, "another one")
    tls = SHOWN.replace("587, STARTTLS", "465, TLS")
    assert details()[1:] == [f"From “{SHOWN}” to “{tls}”.", "Password changed."]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"host": "smtp://mail.example.com"}, "Enter a host name"),
        ({"host": "mail.example.com:25"}, "Enter a host name"),
        ({"host": "user@mail"}, "Enter a host name"),
        ({"host": ""}, "Enter the mail server’s host name"),
        ({"encryption": "ftp"}, "Choose how the connection is encrypted"),
        ({"encryption": "smtp"}, "would be sent unprotected"),
        ({"port": "0"}, "Enter a port from 1 to 65535"),
        ({"port": "65536"}, "Enter a port from 1 to 65535"),
        ({"port": "²"}, "Enter a port from 1 to 65535"),
        ({"user": ""}, "Enter the user name"),
        ({"user": "two\nlines"}, "at most 200 characters on one line"),
        ({"password": ""}, "Enter the password"),
        ({"mail_from": "nobody"}, "Sender address: enter one email address"),
    ],
)
def test_wrong_field_changes_nothing_and_says_why(office: FlaskClient, changes: dict[str, str], why: str) -> None:
    status, page = save(office, **changes)

    assert (status, stored(), details()) == (422, None, [])
    assert "Nothing was changed" in text_of(page) and why in text_of(page)
    assert PASSWORD not in page


def test_without_a_host_emails_become_files_again(office: FlaskClient) -> None:
    save(office)

    status, _page = save(office, host="", user="", password="")

    assert (status, stored(), app_context.settings().mail_server) == (303, None, None)


def test_ipv6_server_on_this_machine_needs_no_encryption(office: FlaskClient) -> None:
    save(office, host="::1", encryption="smtp", port="2525")

    found = app_context.settings().mail_server
    assert found is not None
    assert (found.host, found.port, found.scheme, found.password) == ("::1", 2525, "smtp", PASSWORD)


def test_test_email_goes_through_the_worker_and_says_what_the_server_answered(
    app: Flask, office: FlaskClient, server: SmtpServer
) -> None:
    host, port = server.server_address[0], str(server.server_address[1])
    save(office, host=str(host), port=port, encryption="smtp", user="", password="")
    unused = text_of(office.get(PAGE).text)

    asked = office.post(f"{PAGE}/test")
    waiting = text_of(office.get(PAGE).text)
    server.recipient_answer = "451 try later"
    mailbox.sweep()
    failed = text_of(office.get(PAGE).text)
    server.recipient_answer = "250 fine"
    mailbox.make_retries_due()
    mailbox.sweep()
    sent = text_of(office.get(PAGE).text)

    made: EmailMessage = server.taken[0].message
    assert (asked.status_code, asked.location) == (303, f"{PAGE}#test")
    assert "last test" not in unused and "is waiting for the worker" in waiting
    assert "failed The mail server answered 451: try later" in failed
    assert "The last test was accepted by the mail server" in sent
    assert (made["To"], made["Subject"]) == ("olga@example.com", "Test email from SmmPanelUS")
    assert server.taken[0].sender == "hello@example.com"


def test_emails_that_failed_are_tried_again_with_the_next_server(office: FlaskClient) -> None:
    mailbox.a_mail("one")
    mailbox.a_mail("two")
    with transaction():
        later = utc_now() + timedelta(hours=6)
        db.session.execute(update(Mail).where(Mail.key == "one").values(due_at=later, error="unreachable", tries=6))
        db.session.execute(update(Mail).where(Mail.key == "two").values(due_at=later))

    save(office)

    db.session.rollback()
    due = dict(db.session.execute(select(Mail.key, Mail.due_at <= utc_now())).all())
    assert due == {"one": True, "two": False}


def test_start_is_refused_when_the_password_cannot_be_decrypted(app: Flask, office: FlaskClient) -> None:
    save(office)
    start = app_context.start_settings()
    encryption_key.check(start)

    other = start.model_copy(update={"seal_key": "another key of more than thirty-two characters"})

    with pytest.raises(ActionRefused, match="encrypted with another key"):
        encryption_key.check(other)
    value = stored()
    assert value is not None and encryption.decrypt(value, settings=start).startswith("smtp+starttls://")


def test_server_of_the_environment_wins(app: Flask, office: FlaskClient) -> None:
    save(office)
    app.config["PANEL"] = app.config["PANEL"].model_copy(update={"smtp_url": f"smtps://u:{'secret-word'}@mail.example"})

    page = office.get(PAGE).text
    save(office, host="smtp.example.net")

    found = app_context.settings().mail_server
    assert found is not None and found.host == "mail.example"
    assert "Set by PANEL_SMTP_URL in the environment" in text_of(page) and 'name="host"' not in page
    assert "secret-word" not in page

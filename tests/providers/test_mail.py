"""Mail transports: recipients, encryption, and no header injection."""

from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db
from panel.models import Mail
from panel.services.mail import outbox
from panel.settings import InvalidSetting, load
from tests.support import smtp_server
from tests.support.mailbox import a_mail, make_retries_due, sends_to, sweep, the_mail
from tests.support.smtp_server import mail_server


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
def test_a_password_goes_only_to_a_server_whose_certificate_is_right(
    app: Flask, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = smtp_server.certificate(tmp_path)
    with mail_server(**{"tls" if scheme == "smtps" else "starttls": context}) as server:
        log_in = "panel%40example.com:a%20pass%3Aword%2Fwith%20%40%20signs"
        sends_to(app, server, f"{scheme}://{log_in}@127.0.0.1:{server.port}")
        a_mail()

        sweep()
        assert (server.log_in, the_mail().sent_at) == (None, None)
        assert "certificate" in the_mail().error
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        make_retries_due()
        sweep()

    assert server.log_in == (smtp_server.USER, smtp_server.PASSWORD)
    assert len(server.taken) == 1


def test_a_server_without_starttls_gets_no_mail_when_it_was_asked_for(app: Flask) -> None:
    with mail_server() as server:
        sends_to(app, server, f"smtp+starttls://127.0.0.1:{server.port}")
        a_mail()

        sweep()

    assert server.taken == []
    assert the_mail().due_at is not None


@pytest.mark.parametrize(
    "to",
    [
        "a,victim@example.com",
        "<a@example.com>",
        "a@example.com,b@example.com",
        "a@example.com\r\nBcc: victim@example.com",
        "müller@example.com",
        "a" * 65 + "@" + "b" * 70 + ".com",
        "@example.com",
        "a@exa mple.com",
    ],
)
def test_an_address_that_is_none_or_several_gets_nothing(app: Flask, to: str) -> None:
    with mail_server() as server:
        sends_to(app, server)
        a_mail(to=to)
        a_mail("another")

        sweep()

    assert [taken.to for taken in server.taken] == [["customer@example.com"]]
    assert db.session.scalars(select(Mail.given_up_at).order_by(Mail.id)).first() is not None


def test_a_host_of_other_letters_is_written_as_the_name_system_has_it(app: Flask) -> None:
    with mail_server() as server:
        sends_to(app, server)
        a_mail(to="customer@bücher.example")

        sweep()

    assert server.taken[0].to == ["customer@xn--bcher-kva.example"]


def test_hostile_subjects_and_texts_stay_one_header_and_one_text(app: Flask) -> None:
    with mail_server() as server:
        sends_to(app, server)
        a_mail(
            subject="Answer\r\nBcc: victim@example.com\r\n\r\nand\u202e more\x00" + "x" * 500,
            text="One\r\n.\r\nMAIL FROM:<evil@example.com>\r\n\x1b[31mtwo\u202e" + "ü" * 2_000 + "\n",
        )

        sweep()

    (taken,) = server.taken
    assert taken.to == ["customer@example.com"]
    assert taken.message["Bcc"] is None
    assert taken.message["Subject"].startswith("Answer Bcc: victim@example.com and more")
    assert len(taken.message["Subject"]) == outbox.MAX_SUBJECT_LENGTH
    text = taken.message.get_content().replace("\r\n", "\n")
    assert text.startswith("One\n.\nMAIL FROM:<evil@example.com>\n[31mtwoüü")


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtps://user@mail.example.com",
        "smtps://mail.example.com:port",
        "smtps://mail.example.com/path",
        "smtps://mail.example.com?tls=no",
        "smtp://user:password@mail.example.com",
    ],
)
def test_a_mail_server_that_cannot_be_is_refused_at_the_start_and_no_password_is_repeated(url: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        load(smtp_url=url, _env_file=None)

    assert "PANEL_SMTP_URL" in str(refused.value)
    assert "password@" not in str(refused.value)


def test_each_kind_of_mail_server_has_its_usual_port() -> None:
    ports = [
        load(smtp_url=f"{scheme}://mail.example.com", _env_file=None).mail_server
        for scheme in ("smtp", "smtps", "smtp+starttls")
    ]

    assert [server.port for server in ports if server is not None] == [25, 465, 587]

"""Mail sweep, with an SMTP server and with files: each mail is sent once, whatever fails."""

import stat
import threading
import time
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from panel.clock import utc_now
from panel.db import db, transaction
from panel.models import Mail
from panel.providers import mail as transport
from panel.services.mail import outbox
from tests.support.mailbox import a_mail, make_retries_due, sends_to, sweep, the_mail
from tests.support.smtp_server import mail_server


def files(app: Flask) -> list[Path]:
    return sorted((app.config["PANEL"].instance / "mail").glob("*"))


def test_without_a_server_each_mail_becomes_a_file_that_only_we_read(app: Flask) -> None:
    a_mail(unsubscribe=f"/unsubscribe/{'abc' * 40}")

    assert (sweep(), sweep()) == (1, 0)

    (file,) = files(app)
    made = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert (made["To"], made["Subject"]) == ("customer@example.com", "Order 1 is Completed")
    assert made["From"] == "SmmPanelUS <no-reply@127.0.0.1>"
    assert made["Auto-Submitted"] == "auto-generated"
    assert f"\nList-Unsubscribe: <http://127.0.0.1:8000/unsubscribe/{'abc' * 40}>\n".encode() in file.read_bytes()
    assert made["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert made.get_content() == "It ran in full.\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert the_mail().sent_at is not None


@pytest.mark.both_engines
def test_same_notification_is_queued_once(app: Flask) -> None:
    assert [a_mail(), a_mail(text="Another text.\n")] == [True, False]

    sweep()

    assert [file.read_bytes().count(b"ran in full") for file in files(app)] == [1]


def test_a_mail_reaches_the_server_with_one_message_id_however_often_it_comes(app: Flask) -> None:
    with mail_server() as server:
        sends_to(app, server)
        a_mail()
        server.data_answer = "451 later"

        assert sweep() == 1
        assert (server.taken, the_mail().tries, the_mail().sent_at) == ([], 1, None)
        assert the_mail().error == "The mail server answered 451: later"
        assert sweep() == 0, "it must not be tried again at once"
        make_retries_due()
        server.data_answer = "250 taken"
        sweep()

    (taken,) = server.taken
    assert (taken.sender, taken.to) == ("no-reply@127.0.0.1", ["customer@example.com"])
    assert taken.message["Date"].datetime.replace(microsecond=0) == the_mail().queued_at.replace(microsecond=0)
    a_file = transport.message(
        transport.OutgoingMail("order:1:completed", "customer@example.com", "", "", "", utc_now()),
        settings=app.config["PANEL"],
    )
    assert taken.message["Message-ID"] == a_file["Message-ID"]
    assert (the_mail().tries, the_mail().error, the_mail().due_at) == (2, "", None)


@pytest.mark.parametrize(("at", "answer"), [("recipient_answer", "550 nobody here"), ("data_answer", "554 no")])
def test_permanently_refused_mail_is_given_up_and_affects_no_other(app: Flask, at: str, answer: str) -> None:
    with mail_server() as server:
        sends_to(app, server)
        a_mail()
        setattr(server, at, answer)

        sweep()
        assert the_mail().given_up_at is not None
        setattr(server, at, "250 fine")
        a_mail("another")
        sweep()

    assert len(server.taken) == 1
    assert outbox.outbox(given_up_since=utc_now() - timedelta(days=1)).given_up == 1


def test_after_72_hours_a_mail_is_given_up_and_its_secret_forgotten(app: Flask) -> None:
    app.config["PANEL"].smtp_url = "smtp://127.0.0.1:1"
    a_mail(text="The link is a-secret-token.\n", is_secret=True)
    with transaction():
        assert "a-secret-token" not in the_mail().text
        db.session.execute(update(Mail).values(queued_at=utc_now() - timedelta(hours=73)))

    sweep()

    assert the_mail().given_up_at is not None
    assert the_mail().text == ""
    assert "could not be reached" in the_mail().error


def test_a_secret_link_is_sent_and_then_forgotten(app: Flask) -> None:
    a_mail(text="The link is a-secret-token.\n", is_secret=True)

    sweep()

    assert b"a-secret-token" in files(app)[0].read_bytes()
    assert the_mail().text == ""


def test_a_server_that_takes_nothing_is_asked_once_a_sweep(app: Flask) -> None:
    with mail_server() as server:
        sends_to(app, server)
        server.greeting = "421 too busy"
        for number in range(3):
            a_mail(f"mail-{number}")

        assert sweep() == 1

    assert server.connections == 1


def test_many_mails_go_over_one_connection(app: Flask) -> None:
    with mail_server() as server:
        sends_to(app, server)
        for number in range(5):
            a_mail(f"mail-{number}")

        assert sweep() == 5

    assert (len(server.taken), server.connections) == (5, 1)


def test_a_link_that_was_asked_for_does_not_wait_behind_notices(app: Flask) -> None:
    with mail_server() as server:
        sends_to(app, server)
        for number in range(3):
            a_mail(f"notice-{number}", unsubscribe="/unsubscribe/x")
        a_mail("reset", subject="Your link")

        sweep()

    assert server.taken[0].message["Subject"] == "Your link"


@pytest.mark.both_engines
def test_two_workers_at_once_send_each_mail_once(app: Flask) -> None:
    with mail_server() as server:
        sends_to(app, server)
        server.pause_seconds = 0.01
        for number in range(8):
            a_mail(f"mail-{number}")
        db.session.rollback()
        both = [threading.Thread(target=_sweep_in, args=[app]) for _ in range(2)]
        for worker in both:
            worker.start()
        for worker in both:
            worker.join()

    assert sorted(taken.message["Message-ID"] for taken in server.taken) == sorted(
        {taken.message["Message-ID"] for taken in server.taken}
    )
    assert (len(server.taken), server.connections) == (8, 2)


def _sweep_in(app: Flask) -> None:
    with app.app_context():
        sweep()
        db.session.remove()


@pytest.mark.both_engines
def test_a_worker_killed_between_sending_and_its_note_makes_it_come_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mail_server() as server:
        sends_to(app, server)
        a_mail()
        with monkeypatch.context() as patch:
            patch.setattr(outbox, "note_sent", _killed)
            with pytest.raises(RuntimeError):
                sweep()
        assert sweep() == 0, "another worker must not come before the lease is over"

        make_retries_due()
        sweep()

    first, second = server.taken
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert bytes(first.message) == bytes(second.message)
    assert the_mail().sent_at is not None


def _killed(*_given: object, **_named: object) -> None:
    raise RuntimeError("as if killed here")


def test_no_database_connection_is_held_while_a_server_has_the_mail(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    a_mail()
    db.session.rollback()
    monkeypatch.setattr(transport.FileTransport, "send", lambda *_: held.append(db.engine.pool.checkedout()))  # type: ignore[attr-defined]

    sweep()

    assert held == [0]


def test_a_server_that_drips_is_cut_off_at_the_deadline(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "DEADLINE_SECONDS", 0.5)
    with mail_server() as server:
        sends_to(app, server)
        server.drips = True
        a_mail()
        began = time.monotonic()

        sweep()

    assert time.monotonic() - began < 5
    assert the_mail().sent_at is None
    assert the_mail().due_at is not None


def test_mails_done_with_are_dropped_after_30_days(app: Flask) -> None:
    a_mail()
    sweep()
    a_mail("waits still")

    with transaction():
        assert outbox.purge(now=utc_now() + timedelta(days=29)) == 0
        assert outbox.purge(now=utc_now() + timedelta(days=31)) == 1

    assert the_mail().key == "waits still"

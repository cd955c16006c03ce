"""Password reset pages: equal responses, one use, two-factor still required, and no token in the log."""

import re
import unicodedata

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from panel.db import db, transaction
from panel.jobs import mails as job
from panel.models import Mail, ResetRequest, User
from panel.security import encryption
from panel.services.accounts import throttles, two_factor, users
from tests.cli.test_commands import flask
from tests.support.factories import PASSWORD, a_customer, logged_in

NEW = "eight quiet harbours"


def ask(client: FlaskClient, email: str) -> int:
    return client.post("/forgot-password", data={"email": email}).status_code


def link(app: Flask) -> str:
    """The reset link in the newest mail, from its file, or decrypted from the table."""
    job.queue_reset_links()
    db.session.rollback()
    ciphertext = db.session.scalars(select(Mail.text).where(Mail.kind == "reset").order_by(Mail.id.desc())).first()
    assert ciphertext is not None
    found = re.search(
        r"https?://[^/]+(/reset-password/\S+)", encryption.decrypt(ciphertext, settings=app.config["PANEL"])
    )
    assert found is not None
    return found[1]


def test_forgotten_password_is_replaced_with_the_mailed_link(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    assert ask(client, user.email) == 303
    address = link(app)

    page = client.get(address)
    done = client.post(address, data={"password": NEW})

    assert (page.status_code, user.email in page.text) == (200, True)
    assert (done.status_code, done.location) == (303, "/reset-password/done")
    assert "Log in with the new password" in client.get(done.location).text
    assert client.get("/account").status_code == 303, "setting a password must not log in"
    assert client.post("/log-in", data={"email": user.email, "password": PASSWORD}).status_code == 422
    assert client.post("/log-in", data={"email": user.email, "password": NEW}).status_code == 303


def test_a_known_and_an_unknown_address_get_the_same_answer_after_the_same_work(app: Flask) -> None:
    user = a_customer()
    seen = [_answer_and_statements(app, email) for email in (user.email, "nobody@example.com")]

    assert seen[0] == seen[1]
    assert seen[0][0] == 303
    assert db.session.scalars(select(ResetRequest.email)).all() == [user.email, "nobody@example.com"]


def _answer_and_statements(app: Flask, email: str) -> tuple[int, str, str, list[str]]:
    """The response, and the statements that it ran."""
    asked: list[str] = []

    def note(*given: object) -> None:
        asked.append(str(given[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    client = app.test_client()
    answer = client.post("/forgot-password", data={"email": email})
    event.remove(db.engine, "before_cursor_execute", note)
    return answer.status_code, answer.location, client.get(answer.location).text, asked


def test_asking_too_often_is_refused_alike_for_known_and_unknown_addresses(client: FlaskClient) -> None:
    for email in (a_customer().email, "nobody@example.com"):
        answers = [ask(client, email) for _ in range(throttles.MAILS_PER_ADDRESS)]
        last = client.post("/forgot-password", data={"email": email})

        assert answers == [303] * throttles.MAILS_PER_ADDRESS
        assert last.status_code == 429
        assert 0 < int(last.headers["Retry-After"]) <= 15 * 60


def test_strangers_who_request_links_block_neither_the_owners_links_nor_the_owner(
    app: Flask, client: FlaskClient
) -> None:
    user = a_customer()
    ask(client, user.email)
    owners = link(app)

    for number in range(4 * throttles.MAILS_PER_ADDRESS):
        stranger = {"REMOTE_ADDR": f"203.0.{number}.1"}
        asked = app.test_client().post("/forgot-password", data={"email": user.email}, environ_base=stranger)
        assert asked.status_code == 303
        job.queue_reset_links()

    db.session.rollback()
    assert len(db.session.scalars(select(Mail).where(Mail.kind == "reset")).all()) == throttles.MAILS_PER_ADDRESS
    assert ask(client, user.email) == 303, "the owner gets the same response as ever"
    assert client.post(owners, data={"password": NEW}).status_code == 303


def test_invalid_address_is_kept_in_the_form_as_typed(client: FlaskClient) -> None:
    answer = client.post("/forgot-password", data={"email": 'no"<address'})

    assert answer.status_code == 422
    assert "no&#34;&lt;address" in answer.text


def test_a_reset_does_not_pass_over_the_second_factor(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    with transaction():
        db.session.get_one(User, user.id).encrypted_totp = encryption.encrypt(
            "JBSWY3DPEHPK3PXP", settings=app.config["PANEL"]
        )
    ask(client, user.email)
    client.post(link(app), data={"password": NEW})

    answer = client.post("/log-in", data={"email": user.email, "password": NEW})

    assert answer.location.startswith("/log-in/second-factor")
    assert client.get("/account").status_code == 303
    assert two_factor.is_enabled(user.id)


def test_a_refused_password_leaves_the_link_as_it_was(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    ask(client, user.email)
    address = link(app)

    for password, status in (("short", 422), ("1234567890", 422), (user.email, 422), (NEW, 303), (NEW, 410)):
        assert client.post(address, data={"password": password}).status_code == status


@pytest.mark.parametrize("token", ["x" * 43, "x", "%01"])
def test_unknown_link_says_that_it_no_longer_works(client: FlaskClient, token: str) -> None:
    assert client.get(f"/reset-password/{token}").status_code == 410
    assert client.post(f"/reset-password/{token}", data={"password": NEW}).status_code == 410


def test_the_page_of_a_link_is_not_cached_and_its_address_not_leaked(app: Flask, client: FlaskClient) -> None:
    ask(client, a_customer().email)
    address = link(app)

    page = client.get(address)

    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert address.rpartition("/")[2] not in page.text
    assert 'content="noindex' in page.text


def test_no_log_line_holds_the_key_of_a_link(app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    ask(client, a_customer().email)
    address = link(app)

    client.post(address, data={"password": "short"})
    client.post(f"{address}/", data={"password": NEW})

    assert "/reset-password/***" in caplog.text
    assert address.rpartition("/")[2] not in caplog.text


@pytest.mark.usefixtures("csrf")
def test_asking_and_setting_need_the_token_of_their_form(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    assert ask(client, user.email) == 400
    app.config["WTF_CSRF_ENABLED"] = False
    ask(client, user.email)
    address = link(app)
    app.config["WTF_CSRF_ENABLED"] = True

    assert client.post(address, data={"password": NEW}).status_code == 400
    assert users.is_password(PASSWORD, users.password_hash_by_email(user.email))


def test_changing_the_password_voids_a_link_that_was_mailed(app: Flask, client: FlaskClient) -> None:
    user = a_customer()
    ask(client, user.email)
    address = link(app)

    logged_in(client, user).post("/account/password", data={"current_password": PASSWORD, "password": NEW})

    assert client.get(address).status_code == 410
    assert db.session.scalars(select(Mail.kind)).all() == ["reset", "password_changed"]


@pytest.mark.parametrize("password", ["Sunshine2026!!", "5mmP4n3lU5!"])
def test_weak_password_is_refused_wherever_one_is_chosen(app: Flask, client: FlaskClient, password: str) -> None:
    user = a_customer()
    ask(client, user.email)
    address = link(app)
    mine = logged_in(app.test_client(), user)

    pages = [
        client.post("/sign-up", data={"email": "new@example.com", "password": password}),
        client.post(address, data={"password": password}),
        mine.post("/account/password", data={"current_password": PASSWORD, "password": password}),
    ]
    command = flask(app, "users", "add", "new@example.com", "--password-stdin", standard_input=f"{password}\n")

    assert [page.status_code for page in pages] == [422] * 3
    assert all("Choose a few words" in page.text and password not in page.text for page in pages)
    assert (command.exit_code, "Choose a few words" in command.stderr) == (1, True)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_log_in_takes_either_unicode_form_and_hashes_an_old_one_again(client: FlaskClient, form: str) -> None:
    user = a_customer()
    password = "süße Kräuter am Café"
    old = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    with transaction():
        users.set_password(user.id, password_hash=old.hash(unicodedata.normalize("NFD", password)))

    answer = client.post("/log-in", data={"email": user.email, "password": unicodedata.normalize(form, password)})

    assert answer.status_code == 303
    kept = users.password_hash_by_email(user.email)
    assert kept is not None and old.verify(kept, password)

"""Email confirmation, and email changes with a link sent to both mailboxes."""

import re
import threading
from datetime import datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from panel.db import db, transaction
from panel.domain.errors import BadInput, LinkIsSpent
from panel.models import Mail, User
from panel.security import encryption
from panel.services.accounts import email_changes, users
from panel.services.accounts.email_changes import Opened
from tests.support.factories import NOON, a_customer, reload


def a_newcomer(email: str = "new@example.com") -> User:
    """A user who has just signed up."""
    with transaction():
        return users.add_user(email, password_hash="hash", is_confirmed=False, now=NOON)


def token(app: Flask, kind: str) -> str:
    """The token in the newest mail of this kind."""
    mail = db.session.scalars(select(Mail).where(Mail.kind == kind).order_by(Mail.id.desc())).first()
    assert mail is not None and mail.is_encrypted
    found = re.search(r"/[a-z-]+/([\w-]{40,})\n", encryption.decrypt(mail.text, settings=app.config["PANEL"]))
    assert found is not None
    return found[1]


def mailed() -> list[tuple[str, str]]:
    return [(mail.kind, mail.email) for mail in db.session.scalars(select(Mail).order_by(Mail.id))]


def change_asked(user: User, new_email: str = "new@example.com", *, now: datetime = NOON) -> None:
    with transaction():
        email_changes.ask_to_change(user.id, new_email, now=now)


def opened(link: str, *, now: datetime = NOON) -> Opened:
    with transaction():
        return email_changes.open_side(link, now=now)


def test_link_of_the_sign_up_confirms_the_email_once(app: Flask) -> None:
    user = a_newcomer()
    with transaction():
        assert email_changes.ask_to_confirm(user.id, now=NOON)
    link = token(app, "confirm_email")
    state = reload(user).state_version

    with transaction():
        email_changes.confirm(link, now=NOON)

    assert reload(user).email_confirmed_at == NOON
    assert user.state_version > state
    with pytest.raises(LinkIsSpent), transaction():
        email_changes.confirm(link, now=NOON)
    with transaction():
        assert not email_changes.ask_to_confirm(user.id, now=NOON)


def test_a_confirmation_ends_after_three_days_and_with_a_newer_one(app: Flask) -> None:
    user = a_newcomer()
    links = []
    for _ in range(2):
        with transaction():
            email_changes.ask_to_confirm(user.id, now=NOON + timedelta(seconds=len(links)))
        links.append(token(app, "confirm_email"))

    for link, days in ((links[0], 0), (links[1], 4)):
        with pytest.raises(LinkIsSpent), transaction():
            email_changes.confirm(link, now=NOON + timedelta(days=days))

    assert reload(user).email_confirmed_at is None


@pytest.mark.parametrize("first", ["old", "new"])
def test_an_email_changes_when_the_links_in_both_mailboxes_were_opened(app: Flask, first: str) -> None:
    user = a_customer(email="old@example.com")
    change_asked(user, " New@Example.com ")
    second = "new" if first == "old" else "old"

    assert opened(token(app, f"change_email_{first}")) is Opened.WAITING
    assert reload(user).email == "old@example.com"
    assert opened(token(app, f"change_email_{second}"), now=NOON + timedelta(hours=23)) is Opened.DONE

    assert reload(user).email == "new@example.com"
    assert mailed() == [
        ("change_email_old", "old@example.com"),
        ("change_email_new", "new@example.com"),
        ("email_changed_old", "old@example.com"),
        ("email_changed_new", "new@example.com"),
    ]
    for kind in ("change_email_old", "change_email_new"):
        with pytest.raises(LinkIsSpent):
            opened(token(app, kind))


def test_one_link_opened_twice_is_not_both(app: Flask) -> None:
    user = a_customer(email="old@example.com")
    change_asked(user)

    assert [opened(token(app, "change_email_new")) for _ in range(2)] == [Opened.WAITING] * 2

    assert reload(user).email == "old@example.com"


def test_a_change_ends_after_a_day_and_with_a_newer_one(app: Flask) -> None:
    user = a_customer(email="old@example.com")
    change_asked(user, "first@example.com")
    first = token(app, "change_email_new")
    change_asked(user, "second@example.com", now=NOON + timedelta(seconds=1))

    for link, hours in ((first, 0), (token(app, "change_email_new"), 25)):
        with pytest.raises(LinkIsSpent):
            opened(link, now=NOON + timedelta(hours=hours))


def test_a_mistyped_email_that_nobody_confirmed_needs_the_new_mailbox_only(app: Flask) -> None:
    user = a_newcomer("mistyped@example.com")
    change_asked(user, "right@example.com")

    assert opened(token(app, "change_email_new")) is Opened.DONE

    assert (reload(user).email, user.email_confirmed_at) == ("right@example.com", NOON)
    assert "mistyped@example.com" not in [email for _, email in mailed()]


def test_an_address_with_an_account_gets_no_link_and_the_response_is_the_same(app: Flask) -> None:
    user, other = a_customer(email="old@example.com"), a_customer()

    change_asked(user, other.email)

    assert mailed() == [("change_email_old", "old@example.com"), ("change_email_taken", other.email)]
    waiting = email_changes.open_change(user.id, now=NOON)
    assert waiting is not None and waiting.new_email == other.email
    assert opened(token(app, "change_email_old")) is Opened.WAITING
    assert reload(user).email == "old@example.com"


@pytest.mark.both_engines
def test_an_address_taken_in_between_changes_nothing(app: Flask) -> None:
    user = a_customer(email="old@example.com")
    change_asked(user)
    opened(token(app, "change_email_old"))
    a_newcomer("new@example.com")

    assert opened(token(app, "change_email_new")) is Opened.TAKEN

    assert reload(user).email == "old@example.com"
    with pytest.raises(LinkIsSpent):
        opened(token(app, "change_email_new"))


@pytest.mark.both_engines
def test_both_links_opened_at_once_change_the_email_once(app: Flask) -> None:
    user = a_customer(email="old@example.com")
    change_asked(user)
    links = [token(app, f"change_email_{side}") for side in ("old", "new")]
    db.session.rollback()
    came: list[Opened] = []
    start = threading.Barrier(2)

    def open_in_thread(link: str) -> None:
        with app.app_context():
            start.wait()
            came.append(opened(link))
            db.session.remove()

    threads = [threading.Thread(target=open_in_thread, args=[link]) for link in links]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(came) == [Opened.DONE, Opened.WAITING]
    assert reload(user).email == "new@example.com"


@pytest.mark.parametrize("email", ["old@example.com", "OLD@example.com ", "no address", ""])
def test_the_same_or_no_address_is_refused(email: str) -> None:
    user = a_customer(email="old@example.com")

    with pytest.raises(BadInput):
        change_asked(user, email)

    assert mailed() == []

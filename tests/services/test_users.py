"""Accounts: what an email and a password must be, and that an account is opened once."""

import pytest
from argon2 import PasswordHasher

from panel.db import db, transaction
from panel.domain.errors import BadInput, EmailTaken
from panel.services import ledger, users
from tests.factories import NOON, PASSWORD, a_customer

WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.mark.both_engines
def test_new_account_has_a_normal_email_and_an_empty_balance() -> None:
    with transaction():
        user = users.add_user("  Ada@Example.COM ", password_hash="kept", now=NOON)

    assert user.email == "ada@example.com"
    assert not user.is_operator
    assert ledger.balance_nanos(user.id) == 0


@pytest.mark.both_engines
def test_second_account_with_the_same_email_is_refused() -> None:
    a_customer(email="ada@example.com")

    with pytest.raises(EmailTaken), transaction():
        users.add_user("ADA@example.com", password_hash="kept", now=NOON)


@pytest.mark.both_engines
def test_account_that_appears_between_check_and_insert_is_refused_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_customer(email="ada@example.com")
    monkeypatch.setattr(users, "find_by_email", lambda _email: None)

    with pytest.raises(EmailTaken), transaction():
        users.add_user("ada@example.com", password_hash="kept", now=NOON)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "ada@",
        "@example.com",
        "ada@localhost",
        "a b@example.com",
        "a@b@c.com",
        "a@b..com",
        "a" * 250 + "@x.com",
        "a\x00@example.com",
        "<ada@example.com>",
        "ada,eve@example.com",
        "\N{CYRILLIC SMALL LETTER A}da@example.com",
        "ada@\N{FULLWIDTH LATIN SMALL LETTER E}xample.com",
        "ada@stra\N{LATIN SMALL LETTER SHARP S}e.example",
        f"ada@{'a' * 64}.example",
    ],
)
def test_email_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        users.normalize_email(text)

    assert refused.value.field == "email"


def test_email_with_a_host_of_other_letters_is_taken() -> None:
    assert users.normalize_email("Ada+1@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example") == "ada+1@bücher.example"


@pytest.mark.parametrize("password", ["", "123456789", "a" * 201, "Password123", "ada@example.com", "aaaaaaaaaaaa"])
def test_password_that_is_short_long_or_easy_to_guess_is_refused(password: str) -> None:
    with pytest.raises(BadInput) as refused:
        users.check_new_password(password, email="ada@example.com")

    assert refused.value.field == "password"


@pytest.mark.parametrize("password", [PASSWORD, "ÄÖÜ ßéè 日本", "x1" * 100])
def test_any_other_password_is_taken(password: str) -> None:
    users.check_new_password(password, email="ada@example.com")


def test_password_is_kept_as_argon2id_at_the_agreed_cost() -> None:
    kept = users.hash_password(PASSWORD)

    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert users.is_password(PASSWORD, kept)
    assert not users.is_password(PASSWORD + " ", kept)


def test_without_an_account_no_password_is_right() -> None:
    assert not users.is_password(PASSWORD, None)
    assert not users.is_password(PASSWORD, "not a hash")


def test_unknown_email_costs_as_much_as_a_known_one() -> None:
    assert (
        users.NOBODYS_HASH.rpartition("$")[0].rpartition("$")[0]
        == users.hash_password(PASSWORD).rpartition("$")[0].rpartition("$")[0]
    )


def test_hash_of_other_parameters_is_made_anew() -> None:
    fresh = users.fresh_hash(PASSWORD, WEAK.hash(PASSWORD))

    assert fresh is not None and users.is_password(PASSWORD, fresh)
    assert users.fresh_hash(PASSWORD, fresh) is None


def test_new_password_replaces_the_old() -> None:
    user = a_customer()

    with transaction():
        users.set_password(user.id, password_hash="another")

    assert users.password_hash_by_email(user.email) == "another"
    db.session.rollback()

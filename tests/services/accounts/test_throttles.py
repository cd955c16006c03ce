"""Throttles: failed log-ins count by account and network; strangers are slowed down, the owner isn't locked out."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from panel.db import db, transaction
from panel.domain.errors import TooManyTries
from panel.models import ThrottleHit
from panel.services.accounts import throttles
from panel.services.accounts.throttles import Tries
from tests.support.concurrently import run_concurrently
from tests.support.factories import NOON

HOME = "203.0.113.0/24"
ELSEWHERE = "198.51.100.0/24"


def log_in(
    email: str = "ada@example.com",
    *,
    network: str = HOME,
    device: str | None = None,
    later: timedelta = timedelta(),
) -> Tries:
    with transaction():
        return throttles.count_log_in(email, network=network, device=device, now=NOON + later)


def show_code(*, network: str = HOME, device: str | None = None, later: timedelta = timedelta()) -> Tries:
    with transaction():
        return throttles.count_code(7, network=network, device=device, now=NOON + later)


def passed(call: Callable[[], object]) -> bool:
    try:
        call()
    except TooManyTries:
        return False
    return True


@pytest.mark.both_engines
def test_eleventh_try_from_one_network_is_refused_until_the_first_is_old() -> None:
    for second in range(10):
        log_in(later=timedelta(seconds=second))

    with pytest.raises(TooManyTries) as refused:
        log_in(" ADA@example.com", later=timedelta(minutes=5))

    assert refused.value.retry_after_seconds == 600
    assert "10 minutes" in refused.value.message
    log_in(later=timedelta(minutes=15))


@pytest.mark.both_engines
def test_strangers_cannot_lock_an_account_for_other_networks() -> None:
    for number in range(200):
        passed(lambda number=number: log_in(network=f"192.0.{number % 40}.0/24"))  # type: ignore[misc]

    assert passed(lambda: log_in(network=HOME)), "a network that has not tried yet is never refused"
    assert passed(lambda: log_in(network="192.0.1.0/24", device="mine")), "nor is a device that has logged in before"


def test_strangers_from_many_networks_are_slowed_down() -> None:
    spread = [f"192.0.{number}.0/24" for number in range(100)]

    tried = sum(passed(lambda network=network: log_in(network=network)) for _ in range(12) for network in spread)  # type: ignore[misc]

    assert tried <= 12 * len(spread) / 8
    assert passed(lambda: log_in(network=spread[60], later=timedelta(seconds=11))), "a short wait, not a lock"


def test_network_has_fifty_tries_over_all_accounts() -> None:
    for number in range(50):
        log_in(f"customer-{number}@example.com")

    with pytest.raises(TooManyTries):
        log_in("another@example.com")
    log_in("another@example.com", network=ELSEWHERE)
    log_in("another@example.com", device="mine")


def test_known_device_has_ten_tries_of_its_own() -> None:
    for _ in range(10):
        log_in(device="mine")

    with pytest.raises(TooManyTries):
        log_in(device="mine")
    log_in(device="another")
    log_in(network=HOME)


def test_many_known_devices_of_one_account_are_strangers() -> None:
    tried = sum(passed(lambda number=number: log_in(device=f"d{number}")) for number in range(200))  # type: ignore[misc]

    assert tried == throttles.TRIES_OF_KNOWN_DEVICES + throttles.PASSWORDS_PER_ACCOUNT_AND_NETWORK


def test_right_password_clears_its_own_count_but_not_the_failures_of_the_network() -> None:
    for _ in range(9):
        log_in()
    right = log_in()

    with transaction():
        throttles.forget(right)

    left = sorted(row.bucket.partition(":")[0] for row in db.session.query(ThrottleHit))
    assert left == ["everywhere"] * 9 + ["network"] * 9


def test_typed_emails_are_not_stored() -> None:
    log_in("my secret password")

    assert "secret" not in " ".join(row.bucket for row in db.session.query(ThrottleHit))


@pytest.mark.both_engines
def test_tries_at_once_are_not_more_than_ten(app: Flask) -> None:
    let_through = run_concurrently(app, [log_in] * 16, expected=TooManyTries)

    assert sum(isinstance(each, Tries) for each in let_through) == 10


def test_codes_of_strangers_are_few_however_many_networks_they_have() -> None:
    tried = sum(
        passed(lambda second=second: show_code(network=f"192.0.{second}.0/24", later=timedelta(seconds=second)))  # type: ignore[misc]
        for second in range(800)
    )

    assert throttles.CODES_BEFORE_SLOWING < tried < 60
    assert passed(lambda: show_code(device="mine", later=timedelta(seconds=800))), "a known device is not slowed"


@pytest.mark.both_engines
def test_sixth_code_from_one_network_or_device_is_refused() -> None:
    for device in (None, "mine"):
        for _ in range(5):
            show_code(device=device)
        with pytest.raises(TooManyTries):
            show_code(device=device)


def test_login_throttle_of_a_known_device_is_its_own() -> None:
    for _ in range(60):
        passed(log_in)

    for count in (throttles.count_own_password, throttles.count_own_code):
        with transaction():
            count(1, now=NOON)


def test_mails_are_asked_for_three_times_by_one_network_for_an_address_and_twenty_in_all() -> None:
    def ask(email: str, network: str = HOME) -> bool:
        with transaction():
            return throttles.count_reset(email, network=network, now=NOON)

    assert [ask("a@example.com") for _ in range(3)] == [True] * 3
    with pytest.raises(TooManyTries):
        ask("A@example.com ")
    assert not ask("a@example.com", ELSEWHERE), "three mails are on their way: nobody is refused, and none is sent"
    for number in range(17):
        assert ask(f"{number}@example.com")
    with pytest.raises(TooManyTries):
        ask("b@example.com")


def test_mails_of_one_person_are_counted_by_person() -> None:
    for _ in range(throttles.MAILS_PER_PERSON):
        with transaction():
            throttles.count_mail(1, network=HOME, now=NOON)
    with pytest.raises(TooManyTries), transaction():
        throttles.count_mail(1, network=ELSEWHERE, now=NOON)
    with transaction():
        throttles.count_mail(2, network=HOME, now=NOON)


@pytest.mark.both_engines
def test_sign_ups_are_counted_by_network_and_by_rare_mail_host() -> None:
    def sign_up(email: str, network: str, later: timedelta = timedelta()) -> bool:
        def count() -> None:
            with transaction():
                throttles.count_sign_up(email, network=network, most_an_hour=3, now=NOON + later)

        return passed(count)

    assert [sign_up(f"{n}@gmail.com", HOME) for n in range(4)] == [True, True, True, False]
    assert [sign_up(f"{n}@rare.example", f"n{n}") for n in range(4)] == [True, True, True, False]
    assert [sign_up(f"{n}@gmail.com", f"m{n}") for n in range(9)] == [True] * 9
    assert sign_up("late@gmail.com", HOME, timedelta(hours=1))


def test_old_tries_are_forgotten() -> None:
    log_in()

    log_in(later=timedelta(hours=1))

    assert {row.at for row in db.session.query(ThrottleHit)} == {NOON + timedelta(hours=1)}

"""`flask vouchers make`: prints codes alone, above the office's limit too."""

from flask import Flask

from panel.services.payments import vouchers
from tests.services.payments.test_vouchers import redeem
from tests.support.factories import a_customer


def test_codes_are_printed_one_a_line(app: Flask) -> None:
    result = app.test_cli_runner().invoke(
        args=["vouchers", "make", "500", "--note", "Resellers", "--codes", "2", "--uses", "3", "--until", "2099-01-31"]
    )

    assert result.exit_code == 0
    codes = result.stdout.splitlines()
    assert len(codes) == 2
    assert redeem(codes[1], a_customer("0").id) == 500 * 10**9
    assert len(vouchers.listed(after=None, most=10)) == 2


def test_a_refused_command_makes_nothing(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["vouchers", "make", "0", "--note", "Nothing"])

    assert result.exit_code == 1 and result.stdout == ""
    assert vouchers.listed(after=None, most=10) == []

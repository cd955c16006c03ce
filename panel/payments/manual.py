"""Manual payments: the operator's instructions, with one or several methods. An operator confirms what arrived."""

import re
from pathlib import Path

from panel.domain import payment
from panel.domain.payment import PaymentMethod, PaymentOption

# What a line of the payment instructions begins with that names a payment method.
METHOD = "# "


def text_of_file(instance: Path) -> str:
    """The operator's payment instructions in `payment.txt` in the instance folder; empty without the file."""
    file = instance / "payment.txt"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def paragraphs(text: str) -> list[list[str]]:
    """Payment instructions as paragraphs of lines.

    A line that begins with `# ` names a payment method and is a paragraph of its own.
    """
    text = re.sub(r"^# .*$", r"\n\g<0>\n", text, flags=re.MULTILINE)
    return [paragraph.strip().splitlines() for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()]


def options(text: str) -> list[PaymentOption]:
    """The manual methods of the instructions, in their order; one without a name if they name none.

    What stands before the first name holds for each of them. Two names that differ in spelling alone are one method.
    """
    common: list[tuple[str, ...]] = []
    named: dict[str, tuple[str, list[tuple[str, ...]]]] = {}
    mine = common
    for lines in paragraphs(text):
        if lines[0].startswith(METHOD) and (name := lines[0].removeprefix(METHOD).strip()):
            mine = named.setdefault(payment.manual_key(name), (name, []))[1]
        else:
            mine.append(tuple(lines))
    if not named:
        return [PaymentOption(PaymentMethod.MANUAL, PaymentMethod.MANUAL, PaymentMethod.MANUAL.label, tuple(common))]
    return [PaymentOption(PaymentMethod.MANUAL, key, name, (*common, *own)) for key, (name, own) in named.items()]

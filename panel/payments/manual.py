"""Manual payments: the operator's instructions, with one or several methods. An operator confirms what arrived."""

import re
from pathlib import Path

# What a line of the payment instructions begins with that names a payment method.
METHOD = "# "


def payment_instructions(instance: Path) -> list[list[str]]:
    """The operator's payment instructions, as paragraphs of lines: `payment.txt` in the instance folder.

    A line that begins with `# ` names a payment method and is a paragraph of its own.
    """
    file = instance / "payment.txt"
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    text = re.sub(r"^# .*$", r"\n\g<0>\n", text, flags=re.MULTILINE)
    return [paragraph.strip().splitlines() for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()]


def method_names(instance: Path) -> list[str]:
    """Names of the payment methods in the operator's instructions, in their order."""
    first_lines = (paragraph[0] for paragraph in payment_instructions(instance))
    return [line.removeprefix(METHOD).strip() for line in first_lines if line.startswith(METHOD)]

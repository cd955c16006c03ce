"""Manual payments: the operator's instructions, with one or several methods. An operator confirms what arrived."""

import re
from pathlib import Path

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


def method_names(text: str) -> list[str]:
    """Names of the payment methods in the instructions, in their order."""
    first_lines = (paragraph[0] for paragraph in paragraphs(text))
    return [line.removeprefix(METHOD).strip() for line in first_lines if line.startswith(METHOD)]

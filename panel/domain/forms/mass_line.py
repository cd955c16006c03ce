"""Fields in a line of a mass order: `comments=First\\nSecond`, after the parts that every order has.

In a value, a line break is written `\\n`, a bar `\\p` and a backslash `\\\\`, so that any value fits into one line;
`\\e` is nothing, and keeps the spaces before it.
"""

import re
from collections.abc import Mapping

from panel.domain.forms.order_form import OrderForm

_PART = re.compile(r"\s*([a-z][a-z0-9_]*)\s*=(.*)", re.ASCII | re.DOTALL)
_ESCAPE = re.compile(r"\\([nep\\])")
_PLAIN = {"n": "\n", "p": "|", "e": "", "\\": "\\"}


def split(form: OrderForm, rest: str) -> tuple[str, dict[str, str]]:
    """Split the parts after the tool into the ordinary ones and, at the end, fields of this form."""
    fields: dict[str, str] = {}
    while True:
        before, bar, part = rest.rpartition("|")
        match = _PART.fullmatch(part)
        if not bar or match is None or match[1] not in form.names or match[1] in fields:
            return rest, fields
        fields[match[1]] = _ESCAPE.sub(lambda escape: _PLAIN[escape[1]], match[2].removesuffix(" "))
        rest = before


def written(values: Mapping[str, str]) -> str:
    """The fields as `split` reads them, each with its bar before it."""
    return "".join(f" | {name}={_escaped(value)}" for name, value in values.items())


def pattern(form: OrderForm) -> str:
    """The parts of a line of this form, for messages: `tool | link | quantity | username=…`."""
    parts = ["tool", "link", *(["quantity"] if form.takes_quantity else []), *(f"{name}=…" for name in form.names)]
    return " | ".join(parts)


def _escaped(value: str) -> str:
    end = "" if value == value.rstrip() else "\\e"
    return value.replace("\\", "\\\\").replace("|", "\\p").replace("\n", "\\n") + end

"""Catalogue file parser: a YAML list of tools, validated field by field.

Every error is a BadCatalogue that names file, line and field. Only plain YAML is accepted: no anchors, aliases or
tags, and no nesting beyond a tool's fields.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from panel.domain import links, money, patterns, pricing
from panel.domain.errors import BadCatalogue, BadMoney

MAX_BYTES = 1_048_576
MAX_DEPTH = 3
MAX_REFILL_DAYS = 3_650

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_WHOLE = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)
_TAG = "tag:yaml.org,2002:"

LENGTHS = {
    "slug": 60,
    "name": 80,
    "category": 40,
    "summary": 300,
    "unit": 40,
    "price_per_thousand": 20,
    "provider": 60,
    "provider_service": 100,
    "link.pattern": patterns.MAX_LENGTH,
    "link.example": links.MAX_LENGTH,
    "link.counter_example": links.MAX_LENGTH,
    "link.hint": 300,
}
_OTHER_FIELDS = ("minimum", "maximum", "link", "refill", "cancel")
_FIELDS = frozenset(field for field in LENGTHS if "." not in field) | frozenset(_OTHER_FIELDS)
_LINK_FIELDS = frozenset(field.removeprefix("link.") for field in LENGTHS if "." in field)


@dataclass(frozen=True, slots=True)
class TermsWritten:
    """The terms of a tool as a file gives them; each name is a column of the terms' table."""

    price_micros_per_thousand: int
    minimum: int
    maximum: int
    link_pattern: str
    link_example: str
    link_counter_example: str
    link_hint: str
    refill_days: int | None
    can_cancel: bool


@dataclass(frozen=True, slots=True)
class ToolWritten:
    """A tool as a file gives it, and where its provider stands in the file."""

    slug: str
    name: str
    category: str
    summary: str
    unit: str
    provider: str
    provider_service: str
    terms: TermsWritten
    provider_line: int


def read(data: bytes, *, name: str) -> list[ToolWritten]:
    """Parse the tools of the file `name`, in order. Raises BadCatalogue at the first error."""
    root = _compose(_decode(data, name=name), name=name)
    if not isinstance(root, yaml.SequenceNode) or not root.value:
        raise refusal(name, 1 if root is None else _line(root), "file", "A catalogue is a list of tools.")
    tools: list[ToolWritten] = []
    lines: dict[str, int] = {}
    for node in root.value:
        fields = _Fields.of(node, name=name, allowed=_FIELDS)
        tool = _tool(fields)
        if tool.slug in lines:
            raise fields.refusal("slug", f"The slug {tool.slug} is already used on line {lines[tool.slug]}.")
        lines[tool.slug] = fields.line("slug")
        tools.append(tool)
    return tools


def refusal(name: str, line: int, field: str, sentence: str) -> BadCatalogue:
    return BadCatalogue(f"{name}, line {line}, {field}: {sentence}", field=field)


def _tool(fields: "_Fields") -> ToolWritten:
    slug = fields.text("slug")
    if not _SLUG.fullmatch(slug):
        raise fields.refusal("slug", "Write lower-case letters and digits, with single hyphens between words.")
    return ToolWritten(
        slug=slug,
        name=fields.text("name"),
        category=fields.text("category"),
        summary=fields.text("summary"),
        unit=fields.text("unit"),
        provider=fields.text("provider"),
        provider_service=fields.text("provider_service"),
        terms=_terms(fields),
        provider_line=fields.line("provider"),
    )


def _terms(fields: "_Fields") -> TermsWritten:
    minimum = fields.whole("minimum", least=1, most=pricing.MAX_QUANTITY)
    maximum = fields.whole("maximum", least=1, most=pricing.MAX_QUANTITY)
    if maximum < minimum:
        raise fields.refusal("maximum", f"The maximum {maximum} is below the minimum {minimum}.")
    link = _link(fields)
    return TermsWritten(
        price_micros_per_thousand=_price(fields),
        minimum=minimum,
        maximum=maximum,
        link_pattern=link["pattern"],
        link_example=link["example"],
        link_counter_example=link["counter_example"],
        link_hint=link["hint"],
        refill_days=_refill_days(fields),
        can_cancel=fields.truth("cancel"),
    )


def _price(fields: "_Fields") -> int:
    node = fields.value("price_per_thousand")
    if node.tag in (f"{_TAG}float", f"{_TAG}int"):
        raise fields.refusal(
            "price_per_thousand", 'Write the price in quotes, such as "0.90": a bare number loses digits.'
        )
    try:
        micros = money.parse_price_micros(fields.text("price_per_thousand"))
    except BadMoney as error:
        raise fields.refusal("price_per_thousand", error.message) from error
    if not 0 < micros <= pricing.MAX_PRICE_MICROS_PER_THOUSAND:
        most = money.plain_price(pricing.MAX_PRICE_MICROS_PER_THOUSAND)
        raise fields.refusal("price_per_thousand", f"The price must be above 0 and at most {most}.")
    return micros


def _link(fields: "_Fields") -> dict[str, str]:
    inner = _Fields.of(fields.value("link"), name=fields.name, allowed=_LINK_FIELDS, prefix="link.")
    rule = {field: inner.text(field) for field in ("pattern", "example", "counter_example", "hint")}
    try:
        links.check_rule(**rule)
    except BadCatalogue as error:
        field, _, sentence = error.message.removeprefix("link.").partition(" ")
        raise inner.refusal(field, f"The {field.replace('_', '-')} {sentence}") from error
    return rule


def _refill_days(fields: "_Fields") -> int | None:
    node = fields.value("refill")
    if node.tag == f"{_TAG}null":
        return None
    if not isinstance(node, yaml.MappingNode):
        raise fields.refusal("refill", "Write null where no refill is offered, or days under it.")
    inner = _Fields.of(node, name=fields.name, allowed=frozenset({"days"}), prefix="refill.")
    return inner.whole("days", least=1, most=MAX_REFILL_DAYS)


@dataclass(frozen=True)
class _Fields:
    """The keys of one mapping of the file, each known, present and given once."""

    name: str
    prefix: str
    start: int
    nodes: Mapping[str, yaml.Node]

    @classmethod
    def of(cls, node: yaml.Node, *, name: str, allowed: frozenset[str], prefix: str = "") -> "_Fields":
        what = prefix.removesuffix(".") or "tool"
        if not isinstance(node, yaml.MappingNode):
            raise refusal(name, _line(node), what, f"A {what} is written as fields with a colon.")
        nodes: dict[str, yaml.Node] = {}
        for key, value in node.value:
            word = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if word not in allowed:
                raise refusal(name, _line(key), f"{prefix}{_shown(word)}", "This field is not known here.")
            if word in nodes:
                raise refusal(name, _line(key), f"{prefix}{word}", "This field is given twice.")
            nodes[word] = value
        for word in sorted(allowed - set(nodes)):
            raise refusal(name, _line(node), f"{prefix}{word}", "This field is missing.")
        return cls(name=name, prefix=prefix, start=_line(node), nodes=nodes)

    def value(self, field: str) -> yaml.Node:
        return self.nodes[field]

    def line(self, field: str) -> int:
        return _line(self.nodes[field])

    def refusal(self, field: str, sentence: str) -> BadCatalogue:
        return refusal(self.name, self.line(field), f"{self.prefix}{field}", sentence)

    def text(self, field: str) -> str:
        most = LENGTHS[f"{self.prefix}{field}"]
        text = self._scalar(field, "str", "Write text here, in quotes where it looks like a number or a word of YAML.")
        text = text.strip()
        if not text or not text.isprintable():
            raise self.refusal(field, "Write one line of text without invisible characters.")
        if len(text) > most:
            raise self.refusal(field, f"This is longer than {most:,} characters.")
        return text

    def whole(self, field: str, *, least: int, most: int) -> int:
        digits = self._scalar(field, "int", "Write a whole number in plain digits, without quotes.")
        if not _WHOLE.fullmatch(digits):
            raise self.refusal(field, "Write a whole number in plain digits, without quotes.")
        if not least <= int(digits) <= most:
            raise self.refusal(field, f"The number must be from {least:,} to {most:,}.")
        return int(digits)

    def truth(self, field: str) -> bool:
        word = self._scalar(field, "bool", "Write true or false.")
        if word not in ("true", "false"):
            raise self.refusal(field, "Write true or false.")
        return word == "true"

    def _scalar(self, field: str, tag: str, otherwise: str) -> str:
        node = self.nodes[field]
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"{_TAG}{tag}":
            raise self.refusal(field, otherwise)
        return str(node.value)


def _decode(data: bytes, *, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise refusal(name, 1, "file", f"The file is larger than {MAX_BYTES:,} bytes.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refusal(name, line, "file", "The file is not text in UTF-8.") from error


def _compose(text: str, *, name: str) -> yaml.Node | None:
    """Compose the YAML tree after a first pass that rejects aliases and deep nesting."""
    try:
        _refuse_growth(text, name=name)
        return _root(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise refusal(name, line, "file", f"This is not YAML: {error.problem}.") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise refusal(name, line, "file", "The file has a character that YAML does not allow.") from error


def _refuse_growth(text: str, *, name: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if getattr(event, "anchor", None) is not None:
            raise refusal(name, _line(event), "file", "Anchors and aliases are not read: write each tool out.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise refusal(name, _line(event), "file", "The file is nested too deep for a list of tools.")


def _root(text: str) -> yaml.Node | None:
    loader = yaml.SafeLoader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def _line(part: yaml.Node | yaml.Event) -> int:
    return int(part.start_mark.line) + 1 if part.start_mark else 1


def _shown(word: str) -> str:
    """A word of the file for an error message: short and printable."""
    return "".join(sign if sign.isprintable() else "·" for sign in word)[:40]

"""YAML reader of catalogue files: mappings whose keys and values are checked one by one, with the line of each fault.

Only plain YAML is read: no anchors, aliases or tags, and no nesting beyond a tool's fields.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import yaml

from panel.domain.errors import BadCatalogue

MAX_BYTES = 1_048_576
MAX_DEPTH = 3
TAG = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"0|[1-9][0-9]{0,9}", re.ASCII)


def refusal(name: str, line: int, field: str, sentence: str) -> BadCatalogue:
    return BadCatalogue(f"{name}, line {line}, {field}: {sentence}", field=field)


@dataclass(frozen=True)
class YamlFields:
    """The keys of one mapping of the file, each known, present and given once."""

    name: str
    lengths: Mapping[str, int]
    prefix: str
    start: int
    nodes: Mapping[str, yaml.Node]

    @classmethod
    def of(
        cls,
        node: yaml.Node,
        *,
        name: str,
        lengths: Mapping[str, int],
        allowed: frozenset[str],
        optional: tuple[str, ...] = (),
        prefix: str = "",
    ) -> "YamlFields":
        what = prefix.removesuffix(".") or "tool"
        if not isinstance(node, yaml.MappingNode):
            raise refusal(name, line_of(node), what, f"A {what} is written as fields with a colon.")
        nodes: dict[str, yaml.Node] = {}
        for key, value in node.value:
            word = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if word not in allowed:
                raise refusal(name, line_of(key), f"{prefix}{_shown(word)}", "This field is not known here.")
            if word in nodes:
                raise refusal(name, line_of(key), f"{prefix}{word}", "This field is given twice.")
            nodes[word] = value
        for word in sorted(allowed - set(nodes) - set(optional)):
            raise refusal(name, line_of(node), f"{prefix}{word}", "This field is missing.")
        return cls(name, lengths, prefix, start=line_of(node), nodes=nodes)

    def __contains__(self, field: str) -> bool:
        return field in self.nodes

    def value(self, field: str) -> yaml.Node:
        return self.nodes[field]

    def line(self, field: str) -> int:
        return line_of(self.nodes[field])

    def refusal(self, field: str, sentence: str) -> BadCatalogue:
        return refusal(self.name, self.line(field), f"{self.prefix}{field}", sentence)

    def text(self, field: str) -> str:
        most = self.lengths[f"{self.prefix}{field}"]
        text = self._scalar(field, "str", "Write text here, in quotes where it looks like a number or a word of YAML.")
        text = text.strip()
        if not text or not text.isprintable():
            raise self.refusal(field, "Write one line of text without invisible characters.")
        if len(text) > most:
            raise self.refusal(field, f"This is longer than {most:,} characters.")
        return text

    def block(self, field: str) -> str:
        """Text of several lines."""
        return self._scalar(field, "str", "Write one field a line, under fields: and a vertical bar.")

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
        if not isinstance(node, yaml.ScalarNode) or node.tag != f"{TAG}{tag}":
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


def compose(data: bytes, *, name: str) -> yaml.Node | None:
    """Compose the YAML tree after a first pass that rejects aliases and deep nesting. Raises BadCatalogue."""
    text = _decode(data, name=name)
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
            raise refusal(name, line_of(event), "file", "Anchors and aliases are not read: write each tool out.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        if isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise refusal(name, line_of(event), "file", "The file is nested too deep for a list of tools.")


def _root(text: str) -> yaml.Node | None:
    loader = yaml.SafeLoader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def line_of(part: yaml.Node | yaml.Event) -> int:
    return int(part.start_mark.line) + 1 if part.start_mark else 1


def _shown(word: str) -> str:
    """A word of the file for an error message: short and printable."""
    return "".join(sign if sign.isprintable() else "·" for sign in word)[:40]

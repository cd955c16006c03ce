"""Settings table of README and `.env.example`, generated from `panel/settings.py`.

`python -m tests.rules.settings_table` prints README's table, with `--env` the file `.env.example`.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from panel.settings import Settings

_TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "folder"}


@dataclass(frozen=True)
class SettingLine:
    """One setting, as shown to people."""

    name: str
    type: str
    default: str
    meaning: str

    @property
    def in_readme(self) -> str:
        return f"| `{self.name}` | {self.type} | {f'`{self.default}`' if self.default else 'empty'} | {self.meaning} |"

    @property
    def in_env(self) -> str:
        return f"# {self.meaning[0].upper()}{self.meaning[1:]} ({self.type}).\n#{self.name}={self.default}"


def lines() -> list[SettingLine]:
    return [_line(name, field) for name, field in Settings.model_fields.items()]


def _line(name: str, field: FieldInfo) -> SettingLine:
    default = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    full = "DATABASE_URL" if name == "database_url" else f"PANEL_{name.upper()}"
    return SettingLine(name=full, type=_type(field), default=default, meaning=field.description or "")


def _type(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(field.annotation))
    word = _TYPES[field.annotation]  # type: ignore[index]
    bounds = {type(bound).__name__: bound for bound in field.metadata}
    least, most, above = bounds.get("Ge"), bounds.get("Le"), bounds.get("Gt")
    if least is not None and most is not None:
        return f"{word}, {least.ge} to {most.le}"
    if above is not None:
        return f"{word} above {above.gt}, at most {most.le}" if most is not None else f"{word} above {above.gt}"
    return word


def readme_table() -> str:
    head = "| Setting | Type | Default | Meaning |\n|---|---|---|---|"
    return "\n".join([head, *(line.in_readme for line in lines())])


def env_example() -> str:
    head = "# Copy to .env, or set these in the environment. What is commented out has the default shown."
    return "\n\n".join([head, *(line.in_env for line in lines())]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(env_example() if "--env" in sys.argv else readme_table() + "\n")

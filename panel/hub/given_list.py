"""A list of any length as one parameter of a prepared statement, named `given`: JSON on SQLite, which has no arrays."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Engine, Text, any_, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute


def is_given(engine: Engine, column: InstrumentedAttribute[Any], kind: type[Any]) -> ColumnElement[bool]:
    """Whether the column's value is in the list."""
    if engine.dialect.name == "sqlite":
        values = func.json_each(bindparam("given", type_=Text())).table_valued("value")
        return column.in_(select(values.c.value))
    return column == any_(bindparam("given", type_=ARRAY(kind)))


def as_given(engine: Engine, values: Collection[Any]) -> Any:
    """The list as the parameter takes it."""
    return json.dumps(list(values)) if engine.dialect.name == "sqlite" else list(values)

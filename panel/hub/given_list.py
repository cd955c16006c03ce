"""Values of any number as one parameter of a prepared statement, named `given`.

A list is JSON on SQLite, which has no arrays. Pairs are JSON on both engines.
"""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, Engine, Text, any_, bindparam, cast, func, select
from sqlalchemy.dialects.postgresql import JSONB
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


def given_pairs(engine: Engine) -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Columns of a table with the pairs of numbers that are given as a JSON object: first and second."""
    given = bindparam("given", type_=Text())
    rows = func.json_each(given) if engine.dialect.name == "sqlite" else func.jsonb_each_text(cast(given, JSONB))
    pairs = rows.table_valued("key", "value")
    return cast(pairs.c.key, BigInteger), cast(pairs.c.value, BigInteger)

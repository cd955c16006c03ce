"""Historic schemas: the tables of every committed version of the migrations, created from recorded SQL.

Until revision 0010 migrations were edited after they had been committed. `historic/` holds the SQL of each version of
each of them, on either engine, named by the commit that introduced it; TREES lists which versions were in the
repository together, by commit. From 0010 on migrations are pinned, and nothing is added here.
"""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Connection, text

HISTORIC = Path(__file__).parent / "historic"

_SPINE = {
    "3dca10d": ("3dca10d",),
    "19fcc6a": ("19fcc6a",),
    "ec4a468": ("19fcc6a", "ec4a468"),
    "6027b14": ("19fcc6a", "6027b14"),
    "f84f83b": ("f84f83b", "6027b14"),
}
_REST = {
    "5ab8d1e": ("5ab8d1e", "5ab8d1e", "5ab8d1e", "5ab8d1e", "5ab8d1e", "5ab8d1e", "5ab8d1e"),
    "02f0b38": ("5ab8d1e", "5ab8d1e", "5ab8d1e", "02f0b38", "5ab8d1e", "5ab8d1e", "5ab8d1e"),
    "039b2fc": ("5ab8d1e", "5ab8d1e", "5ab8d1e", "02f0b38", "039b2fc", "5ab8d1e", "5ab8d1e"),
    "ced3a93": ("5ab8d1e", "5ab8d1e", "5ab8d1e", "02f0b38", "039b2fc", "5ab8d1e", "ced3a93"),
    "c7124b4": ("5ab8d1e", "5ab8d1e", "c7124b4", "02f0b38", "039b2fc", "5ab8d1e", "ced3a93"),
    "f86298e": ("5ab8d1e", "f86298e", "c7124b4", "02f0b38", "039b2fc", "5ab8d1e", "ced3a93"),
    "0d66374": ("0d66374", "f86298e", "c7124b4", "02f0b38", "039b2fc", "5ab8d1e", "ced3a93"),
    "1e44a68": ("0d66374", "f86298e", "c7124b4", "02f0b38", "039b2fc", "1e44a68", "ced3a93"),
    "b53d600": ("0d66374", "b53d600", "c7124b4", "02f0b38", "039b2fc", "1e44a68", "ced3a93"),
    "901c1c2": ("0d66374", "b53d600", "c7124b4", "901c1c2", "039b2fc", "1e44a68", "ced3a93"),
}
TREES = _SPINE | {commit: _SPINE["f84f83b"] + rest for commit, rest in _REST.items()}
# Created at an early commit and upgraded at a later one: they keep the early version of older migrations.
UPGRADED = {
    f"{early}+{late}": _SPINE[early] + _REST[late]
    for early in ("ec4a468", "6027b14")
    for late in ("5ab8d1e", "901c1c2")
} | {
    f"{early}+{late}": (early, spine, *_REST[late])
    for early, spine, late in (("3dca10d", "ec4a468", "5ab8d1e"), ("3dca10d", "6027b14", "901c1c2"))
}


def make(connection: Connection, commits: Iterable[str]) -> None:
    """Create the tables in an empty database, from one recorded version of each revision."""
    revision = ""
    for number, commit in enumerate(commits, start=1):
        revision = f"{number:04}"
        _run(connection, (HISTORIC / connection.dialect.name / f"{revision}-{commit}.sql").read_text())
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})
    connection.commit()


def _run(connection: Connection, script: str) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    if connection.dialect.name == "sqlite":
        driver.executescript(script)
    elif script:
        connection.exec_driver_sql(script.replace("%", "%%"))

"""Damage to append-only rows, as the database's owner could do it."""

from sqlalchemy import text

from panel.db import db, transaction


def damage(*statements: str) -> None:
    """Run statements that the triggers refuse: drop the triggers, run, and restore them."""
    triggers = dict(_triggers())
    with transaction():
        for table, names in _NAMES[db.engine.dialect.name].items():  # type: ignore[attr-defined]
            for name in names:
                on_table = "" if db.engine.dialect.name == "sqlite" else f" ON {table}"
                db.session.execute(text(f"DROP TRIGGER {name}{on_table}"))
    with transaction():
        for statement in statements:
            assert db.session.execute(text(statement)).rowcount > 0, statement  # type: ignore[attr-defined]
        for made in triggers.values():
            db.session.execute(text(made))


_NAMES = {
    "sqlite": {table: (f"{table}_no_update", f"{table}_no_delete") for table in ("transfers", "events")},
    "postgresql": {table: (f"{table}_no_change",) for table in ("transfers", "events")},
}


def _triggers() -> list[tuple[str, str]]:
    """Name and definition of each of these triggers."""
    engine = db.engine.dialect.name
    queries = {
        "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    }
    ours = {name for names in _NAMES[engine].values() for name in names}  # type: ignore[attr-defined]
    return [(name, made) for name, made in db.session.execute(text(queries[engine])) if name in ours]

"""Database errors that mean "unavailable": down, locked, full or read-only. Any other error is a bug.

An unavailable database is a 503 for requests, a log line of the worker, and a one-line error of a command.
"""

import sqlite3

from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoFreeConnection

_NOT_A_DATABASE = sqlite3.SQLITE_NOTADB
_SQLITE_NOT_NOW = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        _NOT_A_DATABASE,
    }
)
# PostgreSQL: read-only, and ended while idle in a transaction; psycopg calls both internal errors.
_POSTGRESQL_NOT_NOW = frozenset({"25006", "25P03"})
_NO_TABLE = "42P01"
_SQLITE_CODE = 0xFF


class DatabaseBusy(SQLAlchemyError):
    """Too many threads are already waiting for the database."""


def is_unavailable(error: BaseException | None) -> bool:
    """Whether the error means that the database is unavailable."""
    if isinstance(error, DatabaseBusy | NoFreeConnection):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error.orig) in _SQLITE_NOT_NOW
    is_other = not isinstance(error, OperationalError | InterfaceError)
    return error.connection_invalidated or not is_other or _sqlstate(error) in _POSTGRESQL_NOT_NOW


def is_outcome_unknown(error: DBAPIError) -> bool:
    """Whether a COMMIT that failed like this may have succeeded (the connection was lost)."""
    return not isinstance(error.orig, sqlite3.Error) and _sqlstate(error) is None


def has_no_tables(error: BaseException) -> bool:
    """Whether the database has no tables yet."""
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return "no such table" in str(error.orig)
    return _sqlstate(error) == _NO_TABLE


def driver_message(error: BaseException) -> str:
    """The driver's message, without the statement and its values."""
    orig = error.orig if isinstance(error, DatabaseError | InterfaceError) and error.orig is not None else error
    lines = [line.strip() for line in str(orig).splitlines() if line.strip()]
    return lines[0] if lines else type(orig).__name__


def _sqlite_code(error: BaseException) -> int:
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & _SQLITE_CODE


def _sqlstate(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state

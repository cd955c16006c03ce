"""Instance folder: created at startup and readable by its owner only (umask 077), files in it included.

Every process and every command passes here before it opens a file: the site's application, the commands, the worker
and the supervisor.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from panel.settings import InvalidSetting, Settings

OWNER_ONLY = 0o077
# Databases with SQLite's side files, keys, locks, and mails written as files.
PRIVATE_FILES = ("panel.db*", "secret_key", "seal_key", "worker-*.lock", "mail", "mail/*")


def prepare(settings: Settings) -> None:
    """Create the folder and restrict its files to the owner. Raises InvalidSetting if that fails."""
    os.umask(OWNER_ONLY)
    folder = settings.instance
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InvalidSetting(f"Wrong setting PANEL_INSTANCE: {folder} is a file, not a folder.") from None
    except OSError as error:
        raise InvalidSetting(f"Wrong setting PANEL_INSTANCE: {folder} cannot be made ({error.strerror}).") from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidSetting(f"Wrong setting PANEL_INSTANCE: {folder} cannot be written.")
    for path in _files(settings):
        _close_to_others(path)


def _files(settings: Settings) -> Iterator[Path]:
    for pattern in PRIVATE_FILES:
        yield from settings.instance.glob(pattern)
    if settings.is_sqlite and settings.database_url:
        elsewhere = Path(settings.database_url.removeprefix("sqlite:///"))
        yield from elsewhere.parent.glob(f"{elsewhere.name}*")


def _close_to_others(path: Path) -> None:
    # Deleted in the meantime, or owned by another user.
    with suppress(OSError):
        mode = path.lstat().st_mode
        if not stat.S_ISLNK(mode) and mode & OWNER_ONLY:
            path.chmod(stat.S_IMODE(mode) & ~OWNER_ONLY)

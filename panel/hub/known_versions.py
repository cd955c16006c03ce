"""State versions of the connected users as the hub last saw them, and which of them have changed since.

The database compares, so that a look costs a tenth of what it costs to fetch and compare all (`RESULTS.md`, Push).
"""

from collections.abc import Callable

from panel.hub.watched_sessions import as_known

# A change of the parameter's text takes longer than the look, so some users that have changed since stay in it.
MAX_STALE = 50

Changed = Callable[[str], dict[int, int] | None]


class KnownVersions:
    """Versions by user. `changed` reads those that differ from a text of known ones."""

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self._versions: dict[int, int] = {}
        self._text: str | None = None

    def __getitem__(self, user_id: int) -> int:
        return self._versions[user_id]

    def add(self, user_id: int, version: int | None) -> None:
        """Know this version; None if it couldn't be read, so that the next look finds a change.

        A version that is known stays: the user's other streams have yet to hear of a change.
        """
        if version is None or user_id not in self._versions:
            self._versions[user_id], self._text = version or 0, None

    def remove(self, user_id: int) -> None:
        self._versions.pop(user_id, None)

    def look(self) -> set[int] | None:
        """The users whose version has changed since the last look; None if they can't be read."""
        if self._text is None:
            self._text = as_known(self._versions)
        found = self._changed(self._text)
        if found is None:
            return None
        if len(found) > MAX_STALE:
            self._text = None
        changed = {user_id for user_id, version in found.items() if self._versions.get(user_id, version) != version}
        self._versions.update((user_id, found[user_id]) for user_id in changed)
        return changed

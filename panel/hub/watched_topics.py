"""Topic reads of the hub: the version of what pages without a session show. Versions are hashes and name nobody."""

from collections.abc import Collection

from flask import Flask
from sqlalchemy import Text

from panel.db import db
from panel.db.read_only import reader
from panel.hub.given_list import as_given, is_given
from panel.models import PublicLink
from panel.security.push_topics import Topic
from panel.services import public_links
from panel.services.platform import current as platform
from panel.services.platform import latest_test_order


class WatchedTopics:
    """Reads for all topics that have streams."""

    def __init__(self, app: Flask) -> None:
        with app.app_context():
            self._engine = db.engine
            self._read_test_order = reader(db.engine, latest_test_order.VERSION)
            self._read_platform = reader(db.engine, platform.VERSION)
            links = public_links.VERSIONS.where(is_given(db.engine, PublicLink.token_hash, Text))
            self._read_links = reader(db.engine, links, has_many_rows=True)

    def versions(self, topics: Collection[str]) -> dict[str, str] | None:
        """The version of each topic that exists: a link that was revoked has none. None if they can't be read."""
        orders = [] if Topic.TEST_ORDER not in topics else self._read_test_order({})
        rounds = [] if Topic.PLATFORM_STATUS not in topics else self._read_platform({})
        hashes = [topic for topic in topics if not isinstance(topic, Topic)]
        links = self._read_links({"given": as_given(self._engine, hashes)}) if hashes else []
        if orders is None or rounds is None or links is None:
            return None
        found: dict[str, str] = {row[0]: public_links.version_of(*row) for row in links}
        if orders:
            found[Topic.TEST_ORDER] = latest_test_order.version_of(*orders[0])
        if rounds:
            found[Topic.PLATFORM_STATUS] = platform.version_of(*rounds[0])
        return found

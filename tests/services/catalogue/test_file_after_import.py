"""Catalogue file with a tool that was imported from a provider: what the file sets is set by hand from then on."""

from datetime import timedelta

import yaml

from panel.db import transaction
from panel.services.catalogue import tool_settings, tools
from panel.services.catalogue.imports import lifecycle, undoing
from panel.services.catalogue.tools import Imported
from tests.support.catalogue_imports import a_row, imported, offered
from tests.support.factories import NOON


def file_imported() -> Imported:
    """Import a file that says of the tool exactly what it is now."""
    tool = offered()
    link = {"pattern": tool.link_pattern, "example": tool.link_example}
    link |= {"counter_example": tool.link_counter_example, "hint": tool.link_hint}
    written = {name: getattr(tool, name) for name in ("slug", "name", "category", "summary", "unit")}
    written |= {"price_per_thousand": tool.rate, "minimum": tool.minimum, "maximum": tool.maximum, "link": link}
    written |= {"refill": {"days": tool.refill_days}, "cancel": tool.can_cancel}
    written |= {"provider": tool.provider_name, "provider_service": tool.provider_service}
    with transaction():
        return tools.import_tools(yaml.safe_dump([written]).encode(), name="tools.yaml", now=NOON + timedelta(hours=1))


def test_undo_leaves_a_tool_that_a_file_fixed_since() -> None:
    imported(a_row())
    imported(a_row(rate="2.40"))

    first, again = file_imported(), file_imported()
    with transaction():
        last = lifecycle.undoable(1)
        assert last is not None
        lifecycle.undo(last.id, actor="anna", now=NOON)
        undoing.undo_some(last.id, now=NOON)

    assert (first.changed, again.unchanged) == (("page-visits-1",), ("page-visits-1",))
    assert last.left_alone == 1
    assert offered().price_micros_per_thousand == 2_400_000


def test_tool_that_was_hidden_by_hand_stays_hidden_after_a_file() -> None:
    imported(a_row())
    with transaction():
        tool_settings.set_field("page-visits-1", "hidden", "true", actor="anna", now=NOON)

    file_imported()
    imported(a_row())

    assert offered().is_hidden

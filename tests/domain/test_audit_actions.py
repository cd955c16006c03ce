"""Labels of the audit log's actions: every action that the code records has one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from panel.domain.audit_actions import AuditAction, label_of, labeled_with
from panel.settings import ROOT

# `audit_log.write`, and the functions of other modules that pass an action on to it; a module has its own too.
RECORDERS = {"write", "record_change", "store"}
OWN_RECORDER = re.compile(r"def (\w+)\(action: str")
# What the recorder of this module writes before the action.
PREFIXES = {"account_access": "customers ", "second_approval": "approvals ", "providers_view": "providers "}
# Actions that aren't written out where they are recorded.
COMPOSED = {
    "action": {
        *("settings change", "tickets answer", "tickets answer and close", "orders ask", "orders cancel"),
        *("orders review", "second factor code used", "second factor new codes", "second factor replaced"),
        *("second factor reset", "second factor set up", "second factor turned off"),
    },
    "f'customers {what}'": {"customers credit", "customers debit", "customers deposit"},
    "_LOGGED_AS.get(change.kind, 'role')": {"customers disable", "customers enable", "customers role"},
    "ACTION": {"payments reconcile"},
    # A recorder with a prefix, whose calls are read on their own.
    "f'customers {action}'": set(),
    "f'approvals {action}'": set(),
    "f'providers {action}'": set(),
}


def recorded(path: Path) -> Iterator[str]:
    """Every action that this module records."""
    text = path.read_text()
    recorders = RECORDERS | set(OWN_RECORDER.findall(text))
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        called = ast.unparse(call.func).rpartition(".")
        if called[2] in recorders and (called[2] != "write" or called[0] == "audit_log"):
            prefix = "" if called[2] == "write" else PREFIXES.get(path.stem, "")
            for given in _given(call, called[2]):
                yield from (each if each.startswith(prefix) else f"{prefix}{each}" for each in _values(given))


def _given(call: ast.Call, recorder: str) -> list[ast.expr]:
    """The action of this call, which the log of a tool takes second and that of a setting by its name."""
    named = [each.value for each in call.keywords if each.arg == "action"]
    return named if recorder == "store" else [call.args[1 if recorder == "record_change" else 0]]


def _values(given: ast.expr) -> set[str]:
    if isinstance(given, ast.Constant):
        return {str(given.value)}
    if isinstance(given, ast.IfExp):
        return _values(given.body) | _values(given.orelse)
    return COMPOSED[ast.unparse(given)]


def test_every_action_that_the_code_records_has_a_label_and_every_label_is_recorded() -> None:
    paths = [path for path in (ROOT / "panel").rglob("*.py") if path.parts[-2] != "versions"]
    texts = {path: path.read_text() for path in paths}
    logging = [path for path, text in texts.items() if "audit_log.write(" in text or "record_change(" in text]
    logging += [path for path, text in texts.items() if "changes.store(" in text]

    found = {action for path in logging for action in recorded(path)}

    assert found == {str(action) for action in AuditAction}


def test_every_label_is_a_short_phrase_in_words() -> None:
    labels = [action.label for action in AuditAction]

    assert len(set(labels)) == len(labels)
    assert all(label[0].isupper() and len(label) <= 40 and not label.endswith(".") for label in labels)


def test_stored_name_is_read_as_the_action_with_what_follows_it_or_as_it_stands() -> None:
    assert label_of("tickets answer") == "Answered a ticket"
    assert label_of("tickets answer and close") == "Answered and closed a ticket"
    assert label_of("customers deposit T-5WKCY8") == "Confirmed a deposit"
    assert label_of("something older") == "something older"


def test_actions_are_found_by_words_of_their_label() -> None:
    assert labeled_with("ANSWERED a ") == [AuditAction.CANCELLATION_ANSWER, AuditAction.TICKET_ANSWER]
    assert labeled_with("provider's key") == [AuditAction.PROVIDER_REPLACE_KEY]

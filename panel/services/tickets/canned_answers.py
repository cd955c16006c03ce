"""Canned answers: text templates for operators, with placeholders filled from the ticket.

A template is filled in one pass, so that inserted text is never read as a placeholder.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from panel.db import db, lock_rows
from panel.domain.errors import BadInput, NotFound, StaleForm
from panel.domain.status import Status
from panel.domain.ticket import checked_text
from panel.models import CannedAnswer
from panel.services import audit_log
from panel.services.tickets.detail import OwnTicket

MAX_NAME_LENGTH = 80
MAX_ANSWERS = 200
# The placeholders and their values.
PLACEHOLDERS = {
    "ticket": "the number of the ticket",
    "order": "the number of the order",
    "tool": "the name of the order’s tool",
    "refill": "the number of the refill",
    "line": "the number of the statement’s line",
}
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_WORD = re.compile(r"[a-z]+")
_STATUSES = tuple(status.label.lower() for status in Status)


def listed() -> list[CannedAnswer]:
    """All canned answers, by name."""
    return list(db.session.scalars(select(CannedAnswer).order_by(func.lower(CannedAnswer.name), CannedAnswer.id)))


def find(answer_id: int) -> CannedAnswer | None:
    return db.session.get(CannedAnswer, answer_id) if 0 < answer_id < 2**63 else None


def fitting(own: OwnTicket) -> list[CannedAnswer]:
    """Answers this ticket can fill: one that mentions an order needs a ticket with an order."""
    known = _values(own).keys()
    return [answer for answer in listed() if set(_PLACEHOLDER.findall(answer.text)) <= known]


def suggested(own: OwnTicket) -> tuple[list[CannedAnswer], list[CannedAnswer]]:
    """The fitting answers in two parts: those whose name tells the order's status or what it is about, and the rest.

    An answer named "Partial: what was delivered" is suggested on a ticket about a Partial order. Where the order
    has another status it comes last, since the form offers the first one.
    """
    topics = _topics(own)
    first: list[CannedAnswer] = []
    rest: list[CannedAnswer] = []
    for answer in fitting(own):
        (first if _names_any(answer, topics) else rest).append(answer)
    return first, sorted(rest, key=lambda answer: _names_any(answer, _STATUSES))


def _names_any(answer: CannedAnswer, topics: Iterable[str]) -> bool:
    words = set(_WORD.findall(answer.name.lower()))
    return any(set(topic.split()) <= words for topic in topics)


def _topics(own: OwnTicket) -> list[str]:
    """Topics of the ticket, as in names of canned answers: the order's status, a refill, or a line of the statement."""
    thing, topics = own.thing, []
    if thing.order is not None:
        topics.append(thing.order.status.label.lower())
    if thing.refill is not None:
        topics.append("refill")
    if thing.line is not None:
        topics.append("statement")
    return topics


def filled(answer: CannedAnswer, own: OwnTicket) -> str:
    """The text with the ticket's values. Raises NotFound if the ticket lacks one of them."""
    values = _values(own)
    if not set(_PLACEHOLDER.findall(answer.text)) <= values.keys():
        raise NotFound("This canned answer does not fit the ticket.")
    return _PLACEHOLDER.sub(lambda found: values[found[1]], answer.text)


def add(*, name: str, text: str, actor: str, now: datetime) -> CannedAnswer:
    """Create an answer. Raises BadInput."""
    answer = CannedAnswer(name=_checked_name(name), text=_checked_text(text), version=1, changed_at=now)
    if (db.session.scalar(select(func.count()).select_from(CannedAnswer)) or 0) >= MAX_ANSWERS:
        raise BadInput(f"There are {MAX_ANSWERS} canned answers, which is the limit. Remove one first.")
    _keep(answer)
    audit_log.write(
        "canned-answers add", actor=actor, subject=f"canned answer {answer.id}", detail=answer.name, now=now
    )
    return answer


def edit(answer_id: int, *, name: str, text: str, seen: int, actor: str, now: datetime) -> CannedAnswer:
    """Change an answer. Raises NotFound, BadInput, or StaleForm if it was changed in the meantime."""
    name, text = _checked_name(name), _checked_text(text)
    answer = _held(answer_id, seen=seen)
    if (answer.name, answer.text) != (name, text):
        answer.name, answer.text, answer.version, answer.changed_at = name, text, answer.version + 1, now
        _keep(answer)
        audit_log.write("canned-answers edit", actor=actor, subject=f"canned answer {answer.id}", detail=name, now=now)
    return answer


def remove(answer_id: int, *, seen: int, actor: str, now: datetime) -> None:
    """Delete an answer. Replies already sent keep their text. Raises NotFound or StaleForm."""
    answer = _held(answer_id, seen=seen)
    audit_log.write(
        "canned-answers remove", actor=actor, subject=f"canned answer {answer.id}", detail=answer.name, now=now
    )
    db.session.delete(answer)
    db.session.flush()


def _held(answer_id: int, *, seen: int) -> CannedAnswer:
    answer: CannedAnswer | None = None
    if 0 < answer_id < 2**63:
        statement = lock_rows(select(CannedAnswer).where(CannedAnswer.id == answer_id))
        answer = db.session.scalar(statement, execution_options={"populate_existing": True})
    if answer is None:
        raise NotFound("There is no such canned answer.")
    if answer.version != seen:
        raise StaleForm("This canned answer was changed in the meantime. Nothing was saved. Check it, then try again.")
    return answer


def _keep(answer: CannedAnswer) -> None:
    taken = BadInput("There is a canned answer with this name already. Choose another name.", field="name")
    same = select(CannedAnswer.id).where(func.lower(CannedAnswer.name) == answer.name.lower())
    with db.session.no_autoflush:
        if db.session.scalar(same.where(CannedAnswer.id != (answer.id or 0)).limit(1)) is not None:
            raise taken
    try:
        with db.session.begin_nested():
            db.session.add(answer)
    except IntegrityError:
        raise taken from None


def _checked_name(typed: str) -> str:
    name = typed.strip()
    if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable():
        raise BadInput(f"Write a name of 1 to {MAX_NAME_LENGTH} characters on one line.", field="name")
    return name


def _checked_text(typed: str) -> str:
    text = checked_text(typed)
    unknown = sorted(set(_PLACEHOLDER.findall(text)) - PLACEHOLDERS.keys())
    if unknown:
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise BadInput(f"There is no placeholder {{{unknown[0]}}}. Those there are: {known}.", field="text")
    return text


def _values(own: OwnTicket) -> dict[str, str]:
    thing, values = own.thing, {"ticket": str(own.id)}
    if thing.order is not None:
        values |= {"order": str(thing.order.id), "tool": thing.order.tool_name}
    if thing.refill is not None:
        values["refill"] = str(thing.refill.id)
    if thing.line is not None:
        values["line"] = str(thing.line.id)
    return values

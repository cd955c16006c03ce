"""Tickets in the office: the queue, and one ticket with notes, customer history and actions."""

from collections.abc import Callable
from urllib.parse import urlencode

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from panel.blueprints.office import layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.shared import ticket_images
from panel.blueprints.shared.forms import whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import ExpiredForm, NotFound, PanelError, StaleForm
from panel.domain.ticket import MAX_TEXT_LENGTH
from panel.services.orders import placing
from panel.services.tickets import (
    canned_answers,
    customer_context,
    detail,
    images,
    operator_actions,
    queue,
    response_times,
)
from panel.services.tickets.detail import OwnTicket
from panel.services.tickets.operator_actions import Operator
from panel.services.tickets.queue import QueueFilters, Stage, Whose

bp = office_blueprint("tickets", reads=Action.LOOK, changes=Action.ANSWER_TICKETS)

LIST, LIVE = "/office/tickets", "/office/tickets/live"
MAX_SEARCH_LENGTH = 200
VIEWS = ((Whose.ALL, "All"), (Whose.MINE, "Mine"), (Whose.NOBODYS, "Nobody’s"))
STAGES = [(Stage.OPEN, "Open"), (Stage.CLOSED, "Closed"), (Stage.ANY, "Open and closed")]


@bp.get("/tickets")
def index() -> ResponseReturnValue:
    filters, number = _filters(), _page_number()
    if "live" in request.args:
        return layout.choose_updates(_address(LIST, filters))
    region, _shown = _queue_region(filters, number)
    return render_template(
        "office/tickets/index.html",
        region=region,
        filters=filters,
        stages=STAGES,
        page_url=_address(LIST, filters, page=number),
        kept=_pairs(filters),
        is_live=layout.is_live(),
        first_answers=response_times.first_answers(now=utc_now()),
        days=response_times.WINDOW.days,
        least=response_times.MIN_SAMPLE,
    )


@bp.get("/tickets/live")
def live() -> Response:
    """The live queue, or 304 if it hasn't changed."""
    return layout.region_alone(_queue_region(_filters(), _page_number()))


@bp.get("/tickets/<int:ticket_id>")
def show(ticket_id: int) -> ResponseReturnValue:
    own = _ticket_or_404(ticket_id)
    chosen = request.args.get("canned", "")
    if not chosen:
        return _page(own)
    answer = canned_answers.find(_number(chosen))
    if answer is None:
        abort(404)
    return _page(own, text=canned_answers.filled(answer, own), canned_id=answer.id)


@bp.post("/tickets/<int:ticket_id>/answers")
def answer(ticket_id: int) -> ResponseReturnValue:
    """Send the answer, unless the ticket has messages that the operator hasn't seen."""
    own = _ticket_or_404(ticket_id)
    closes = request.form.get("closes") == "yes"
    try:
        attachments = ticket_images.received(layout.operator_id())
    except PanelError as error:
        return _refused(ticket_id, error)

    def save() -> None:
        operator_actions.answer(
            ticket_id,
            operator=_operator(),
            text=request.form.get("text", ""),
            request_id=request.form.get("request_id", ""),
            seen=_number(request.form.get("seen", "")),
            closes=closes,
            attachments=attachments,
            now=utc_now(),
        )

    done = f"Ticket {own.id} is answered{' and closed' if closes else ''}."
    return _done(own.id, save, message=done)


@bp.get("/tickets/<int:ticket_id>/images/<int:image_id>")
def image(ticket_id: int, image_id: int) -> ResponseReturnValue:
    return ticket_images.response(images.find(image_id, ticket_id=ticket_id, small=ticket_images.is_thumbnail()))


@bp.post("/tickets/<int:ticket_id>/notes")
def note(ticket_id: int) -> ResponseReturnValue:
    own = _ticket_or_404(ticket_id)

    def save() -> None:
        text, request_id = request.form.get("note", ""), request.form.get("request_id", "")
        operator_actions.note(ticket_id, operator=_operator(), text=text, request_id=request_id, now=utc_now())

    return _done(own.id, save, message="The note is saved. The customer doesn’t see it.")


@bp.post("/tickets/<int:ticket_id>/assignee")
def assign(ticket_id: int) -> ResponseReturnValue:
    own = _ticket_or_404(ticket_id)

    def save() -> None:
        to, was = (_number(request.form.get(name, "")) or None for name in ("assignee", "was"))
        operator_actions.assign(ticket_id, operator=_operator(), assignee_id=to, was_id=was, now=utc_now())

    return _done(own.id, save, message=f"The assignment of ticket {own.id} is saved.")


@bp.post("/tickets/<int:ticket_id>/closing")
def close(ticket_id: int) -> ResponseReturnValue:
    own = _ticket_or_404(ticket_id)

    def save() -> None:
        seen = _number(request.form.get("seen", ""))
        operator_actions.close(ticket_id, operator=_operator(), seen=seen, now=utc_now())

    return _done(own.id, save, message=f"Ticket {own.id} is closed.")


@bp.post("/tickets/<int:ticket_id>/reopening")
def reopen(ticket_id: int) -> ResponseReturnValue:
    own = _ticket_or_404(ticket_id)

    def save() -> None:
        operator_actions.reopen(ticket_id, operator=_operator(), now=utc_now())

    return _done(own.id, save, message=f"Ticket {own.id} is open again and waiting for us.")


def answer_again(error: ExpiredForm) -> ResponseReturnValue:
    """The ticket with the typed values and the error."""
    ticket_id: int = (request.view_args or {})["ticket_id"]
    return _refused(ticket_id, error)


def _done(ticket_id: int, save: Callable[[], None], *, message: str) -> ResponseReturnValue:
    """Run the action and redirect to the ticket, or show the ticket with the error and the typed values."""
    try:
        with transaction():
            save()
    except NotFound:
        raise
    except PanelError as error:
        return _refused(ticket_id, error)
    flash(message)
    return redirect(url_for("office_tickets.show", ticket_id=ticket_id), code=303)


def _refused(ticket_id: int, error: PanelError) -> ResponseReturnValue:
    meanwhile: tuple[detail.ThreadLine, ...] = ()
    if isinstance(error, StaleForm) and "seen" in request.form:
        meanwhile = detail.lines_after(ticket_id, number=_number(request.form["seen"]))
    page = _page(
        _ticket_or_404(ticket_id),
        text=request.form.get("text", ""),
        note=request.form.get("note", ""),
        error=error,
        meanwhile=meanwhile,
    )
    return make_response(page, error.http_status)


def _page(
    own: OwnTicket,
    *,
    text: str = "",
    note: str = "",
    canned_id: int | None = None,
    error: PanelError | None = None,
    meanwhile: tuple[detail.ThreadLine, ...] = (),
) -> str:
    thread = detail.whole_thread(own.id, page=_page_number() if "page" in request.args else None)
    operators = operator_actions.operators()
    return render_template(
        "office/tickets/show.html",
        own=own,
        thread=thread,
        customer=customer_context.customer_of(own.ticket),
        operators=[("", "Nobody"), *((str(number), email) for number, email in operators)],
        assignee=dict(operators).get(own.ticket.assignee_id or 0, ""),
        my_id=layout.operator_id(),
        canned=_canned(own),
        canned_id=str(canned_id or ""),
        text=text,
        note=note,
        request_id=placing.new_request_id(),
        note_request_id=placing.new_request_id(),
        errors=ticket_images.errors_of(error),
        image_rules=ticket_images.FIELD_RULES,
        meanwhile=meanwhile,
        max_text_length=MAX_TEXT_LENGTH,
        back=layout.back(LIST),
    )


def _canned(own: OwnTicket) -> list[tuple[str, str | list[tuple[str, str]]]]:
    """Select options of canned answers: those for the order's status come first."""
    suggested, others = ([(str(answer.id), answer.name) for answer in part] for part in canned_answers.suggested(own))
    return [("Suggested", suggested), ("Others", others)] if suggested and others else [*(suggested or others)]


def _ticket_or_404(ticket_id: int) -> OwnTicket:
    own = detail.find_any(ticket_id)
    if own is None:
        abort(404)
    return own


def _operator() -> Operator:
    return Operator(layout.operator_id(), layout.actor())


def _queue_region(filters: QueueFilters, number: int) -> tuple[Markup, str]:
    operator_id = layout.operator_id()
    counts = queue.counts(filters=filters, operator_id=operator_id)
    page = queue.page(filters=filters, operator_id=operator_id, number=number)
    views = [
        (whose, label, _address(LIST, _with_whose(filters, whose)), counts[whose], whose is filters.whose)
        for whose, label in VIEWS
    ]
    here = _address(LIST, filters, page=number)
    return layout.region(
        "office/tickets/_queue.html",
        live_url=_address(LIVE, filters, page=number),
        label="Tickets",
        page=page,
        views=views,
        filters=filters,
        newer=_address(LIST, filters, page=number - 1) if number > 1 else None,
        older=_address(LIST, filters, page=number + 1) if page.has_more else None,
        here=here,
    )


def _filters() -> QueueFilters:
    """Filters from the query string; invalid values mean all open tickets."""
    customer = _number(request.args.get("customer", "")) or None
    whose, stage = request.args.get("whose", ""), request.args.get("stage", "")
    usual = Stage.ANY if customer else Stage.OPEN
    return QueueFilters(
        whose=Whose(whose) if whose in set(Whose) else Whose.ALL,
        stage=Stage(stage) if stage in set(Stage) else usual,
        search=request.args.get("q", "").strip()[:MAX_SEARCH_LENGTH],
        customer_id=customer,
    )


def _with_whose(filters: QueueFilters, whose: Whose) -> QueueFilters:
    return QueueFilters(whose, filters.stage, filters.search, filters.customer_id)


def _pairs(filters: QueueFilters) -> list[tuple[str, str]]:
    """Filters as query parameters, without the defaults."""
    usual = Stage.ANY if filters.customer_id else Stage.OPEN
    pairs = [
        ("whose", filters.whose.value if filters.whose is not Whose.ALL else ""),
        ("stage", filters.stage.value if filters.stage is not usual else ""),
        ("q", filters.search),
        ("customer", str(filters.customer_id or "")),
    ]
    return [(name, value) for name, value in pairs if value]


def _address(path: str, filters: QueueFilters, *, page: int = 1) -> str:
    pairs = _pairs(filters) + ([("page", str(page))] if page > 1 else [])
    return f"{path}?{urlencode(pairs)}" if pairs else path


def _number(text: str) -> int:
    """Parse a row id; 0, which no row has, for any other text."""
    return whole_number(text) or 0


def _page_number() -> int:
    return max(1, min(_number(request.args.get("page", "")), 10**6))

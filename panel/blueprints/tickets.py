"""Customer tickets: the list, the form for a new ticket, and the live thread."""

from dataclasses import dataclass

from flask import (
    Blueprint,
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required
from markupsafe import Markup

from panel.blueprints.shared import ticket_images
from panel.blueprints.shared.forms import whole_number
from panel.blueprints.shared.htmx import is_live, pause_or_resume, region_or_304
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.errors import BadInput, ExpiredForm, NotFound, PanelError, RequestIdUsed, TooManyTries
from panel.domain.ticket import MAX_SUBJECT_LENGTH, MAX_TEXT_LENGTH, TicketKind, TicketState
from panel.services.accounts.sessions import PageVersions
from panel.services.orders import placing
from panel.services.page_version import page_etag
from panel.services.tickets import customer_actions, customer_list, detail, images, opening, subjects
from panel.services.tickets.detail import OwnTicket
from panel.services.tickets.opening import Asked
from panel.services.tickets.subjects import SubjectNumbers, Thing

bp = Blueprint("tickets", __name__, url_prefix="/tickets")

KINDS = [(kind.value, kind.label) for kind in TicketKind]


@dataclass(frozen=True)
class TicketView:
    """A filter link above the list, with its number of tickets."""

    name: str
    label: str
    url: str
    tickets: int
    is_here: bool


@bp.get("")
@login_required
def index() -> ResponseReturnValue:
    slug = request.args.get("state", "")
    state = next((state for state in TicketState if state.slug == slug), None)
    if slug and state is None:
        return _list_page(None, error="This filter doesn’t exist. Choose one of the filters above the list."), 422
    return _list_page(state)


@bp.get("/new")
@login_required
def new() -> ResponseReturnValue:
    wanted = _wanted(request.args)
    thing = subjects.find(current_user.id, wanted=wanted)
    asked = Asked(thing.kind, "", "", placing.new_request_id(), wanted)
    return _form(asked, thing)


@bp.post("")
@login_required
def open_ticket() -> ResponseReturnValue:
    """Open the ticket once, however often the form is sent."""
    asked = _asked()
    try:
        attachments = ticket_images.received(current_user.id)
        with transaction():
            ticket_id = opening.open_ticket(current_user.id, asked=asked, attachments=attachments, now=utc_now()).id
    except NotFound:
        raise
    except PanelError as error:
        return _form_again(asked, error)
    flash(_done_message(f"Ticket {ticket_id} is sent.", ticket_id))
    return redirect(url_for("tickets.show", ticket_id=ticket_id), code=303)


@login_required
def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with the typed values and the error; logged-out users log in first."""
    return _form_again(_asked(), error)


@bp.get("/<int:ticket_id>")
@login_required
def show(ticket_id: int) -> ResponseReturnValue:
    versions = _versions()
    own = _own_or_404(ticket_id)
    if "live" in request.args:
        return pause_or_resume(url_for("tickets.show", ticket_id=ticket_id))
    return _page(own, versions)


@bp.get("/<int:ticket_id>/live")
@login_required
def live(ticket_id: int) -> ResponseReturnValue:
    """304 while nothing changed, otherwise the region with its new hash."""
    versions = _versions()
    own = _own_or_404(ticket_id)
    shown = _shown(ticket_id, versions)
    return region_or_304(shown, lambda: _region(own, versions))


@bp.post("/<int:ticket_id>/answers")
@login_required
def answer(ticket_id: int) -> ResponseReturnValue:
    """Send the answer once, however often the form is sent."""
    _own_or_404(ticket_id)
    try:
        attachments = ticket_images.received(current_user.id)
        with transaction():
            entry_id = customer_actions.answer(
                ticket_id,
                customer_id=current_user.id,
                text=request.form.get("text", ""),
                request_id=request.form.get("request_id", ""),
                attachments=attachments,
                now=utc_now(),
            ).id
    except PanelError as error:
        return _answer_again(ticket_id, error)
    flash(_done_message("Your reply is sent.", ticket_id))
    return redirect(url_for("tickets.show", ticket_id=ticket_id, _anchor=f"message-{entry_id}"), code=303)


@bp.get("/<int:ticket_id>/images/<int:image_id>")
@login_required
def image(ticket_id: int, image_id: int) -> ResponseReturnValue:
    small = ticket_images.is_thumbnail()
    return ticket_images.response(images.find(image_id, ticket_id=ticket_id, customer_id=current_user.id, small=small))


@login_required
def answer_again(error: ExpiredForm) -> ResponseReturnValue:
    """The thread with the typed answer and the error."""
    ticket_id: int = (request.view_args or {})["ticket_id"]
    return _answer_again(ticket_id, error)


@bp.post("/<int:ticket_id>/closing")
@login_required
def close(ticket_id: int) -> ResponseReturnValue:
    with transaction():
        customer_actions.close(ticket_id, customer_id=current_user.id, now=utc_now())
    flash(f"Ticket {ticket_id} is closed. You can reply to reopen it.")
    return redirect(url_for("tickets.show", ticket_id=ticket_id), code=303)


@bp.post("/<int:ticket_id>/reopening")
@login_required
def reopen(ticket_id: int) -> ResponseReturnValue:
    _own_or_404(ticket_id)
    try:
        with transaction():
            customer_actions.reopen(ticket_id, customer_id=current_user.id, now=utc_now())
    except TooManyTries as error:
        return _answer_again(ticket_id, error)
    flash(_done_message(f"Ticket {ticket_id} is open again.", ticket_id))
    return redirect(url_for("tickets.show", ticket_id=ticket_id), code=303)


def _done_message(done: str, ticket_id: int) -> str:
    """Flash message by the ticket's current state, which may have changed before the form is sent a second time."""
    state = _own_or_404(ticket_id).state
    return f"{done} {state.who_acts}" if state.is_open else f"{done} The ticket was closed in the meantime."


def _own_or_404(ticket_id: int) -> OwnTicket:
    own = detail.find(ticket_id, customer_id=current_user.id)
    if own is None:
        abort(404)
    return own


def _versions() -> PageVersions:
    # Versions are read first: data read later can only be newer, and the next poll then fetches it again.
    return PageVersions(current_user.id, current_user.state_version, current_user.catalogue_version)


def _wanted(fields: dict[str, str]) -> SubjectNumbers:
    """Ids of the order, refill or ledger line that the ticket is about. Anything but a whole number is a 404."""
    typed = [fields.get(name, "") for name in ("order", "refill", "line")]
    if any(text and whole_number(text) is None for text in typed):
        abort(404)
    return SubjectNumbers(*(whole_number(text) for text in typed))


def _asked() -> Asked:
    kind, subject, text, request_id = (request.form.get(name, "") for name in ("kind", "subject", "text", "request_id"))
    return Asked(kind, subject, text, request_id, _wanted(request.form))


def _form(asked: Asked, thing: Thing, errors: dict[str, str] | None = None) -> str:
    return render_template(
        "tickets/new.html",
        asked=asked,
        thing=thing,
        kinds=KINDS,
        errors=errors or {},
        image_rules=ticket_images.FIELD_RULES,
        max_subject_length=MAX_SUBJECT_LENGTH,
        max_text_length=MAX_TEXT_LENGTH,
    )


def _form_again(asked: Asked, error: PanelError) -> ResponseReturnValue:
    """The form with the typed values and errors, and a new idempotency key if the old one is used."""
    thing = subjects.find(current_user.id, wanted=asked.wanted)
    faults = opening.faults(asked) if isinstance(error, BadInput) else []
    errors = ticket_images.errors_of(error) | {fault.field or "": fault.message for fault in faults}
    if "request_id" in errors:
        errors[""] = errors.pop("request_id")
    if isinstance(error, RequestIdUsed) or not placing.is_request_id(asked.request_id):
        asked = Asked(asked.kind, asked.subject, asked.text, placing.new_request_id(), asked.wanted)
    return _with_wait(_form(asked, thing, errors), error)


def _with_wait(page: str, error: PanelError) -> Response:
    response = make_response(page, error.http_status)
    if isinstance(error, TooManyTries):
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _list_page(state: TicketState | None, *, error: str = "") -> str:
    counts = customer_list.counts(current_user.id)
    number = _page_number() or 1
    return render_template(
        "tickets/index.html",
        views=_views(counts, here=None if error else (state.slug if state else "all")),
        page=None if error else customer_list.page(current_user.id, state=state, number=number),
        state=state,
        has_any=any(counts.values()),
        error=error,
    )


def _views(counts: dict[TicketState, int], *, here: str | None) -> list[TicketView]:
    address = url_for("tickets.index")
    every = TicketView("all", "All", address, sum(counts.values()), here == "all")
    # Tickets that wait for the customer come before tickets that wait for us.
    order = (TicketState.WAITING_FOR_YOU, TicketState.WAITING_FOR_US, TicketState.CLOSED)
    return [
        every,
        *(
            TicketView(s.slug, s.label, url_for("tickets.index", state=s.slug), counts[s], here == s.slug)
            for s in order
        ),
    ]


def _page(own: OwnTicket, versions: PageVersions, *, error: PanelError | None = None) -> str:
    return render_template(
        "tickets/show.html",
        own=own,
        region=_region(own, versions),
        is_live=is_live(),
        text=request.form.get("text", ""),
        request_id=placing.new_request_id(),
        errors=ticket_images.errors_of(error),
        image_rules=ticket_images.FIELD_RULES,
        max_text_length=MAX_TEXT_LENGTH,
    )


def _answer_again(ticket_id: int, error: PanelError) -> ResponseReturnValue:
    """The current thread with the typed answer and the error."""
    versions = _versions()
    return _with_wait(_page(_own_or_404(ticket_id), versions, error=error), error)


def _region(own: OwnTicket, versions: PageVersions) -> Markup:
    """Render section#live, the only place that does. Only the newest page of the thread is live."""
    shown_thread = detail.thread(own.id, page=_page_number())
    polls = own.state.is_open and shown_thread.is_last and is_live()
    html = render_template(
        "tickets/_live_ticket.html",
        own=own,
        thread=shown_thread,
        shown=_shown(own.id, versions) if polls else None,
    )
    return Markup(html)  # noqa: S704  (rendered, and escaped, by its template)


def _shown(ticket_id: int, versions: PageVersions) -> str:
    return page_etag(versions, address=url_for("tickets.live", ticket_id=ticket_id))


def _page_number() -> int | None:
    found = whole_number(request.args.get("page", ""), digits=6)
    return None if found is None else max(1, found)

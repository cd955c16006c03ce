"""Reviews: the open list (deadlines first), and one review with its possible decisions."""

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office import confirmation, layout
from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.confirmation import Confirmation
from panel.blueprints.office.money_forms import amount, shown
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, ExpiredForm, PanelError
from panel.domain.review_kind import ReviewKind
from panel.services import audit_log
from panel.services.office import review_list, review_resolution
from panel.services.office.review_list import Cursor, ReviewRow, Stake
from panel.services.office.review_resolution import Decision, Resolution

bp = office_blueprint("reviews", reads=Action.LOOK, changes=Action.SET_ORDERS)

LIST = "/office/reviews"


@bp.get("/reviews")
def index() -> ResponseReturnValue:
    kind = _kind()
    hours = layout.limits().unconfirmed_hours
    page = review_list.open_page(kind=kind, after=_cursor(), unconfirmed_hours=hours, now=utc_now())
    return render_template(
        "office/reviews.html",
        page=page,
        kind=kind,
        kinds=review_list.counts(),
        here=request.full_path.removesuffix("?"),
        is_first=not request.args.get("after"),
    )


@bp.get("/reviews/<int:review_id>")
def show(review_id: int) -> ResponseReturnValue:
    return _page(review_id)


@bp.post("/reviews/<int:review_id>/resolution")
def resolve(review_id: int) -> ResponseReturnValue:
    """Resolve the review; a refund needs a confirmation page first."""
    line = _line(review_id)
    try:
        resolution = Resolution(
            _decision(),
            audit_log.checked_reason(request.form.get("reason", "")),
            actor=layout.actor(),
            provider_id=request.form.get("sent_as", "").strip(),
        )
        if resolution.decision is not Decision.SENT_AS:
            resolution = Resolution(resolution.decision, resolution.reason, resolution.actor)
        returns = _returns(line, resolution)
        if returns is not None and not confirmation.is_confirmed():
            return confirmation.page(_question(review_id, returns))
        with transaction():
            review_resolution.resolve(review_id, resolution, now=utc_now())
    except PanelError as error:
        return _page(review_id, error), error.http_status
    flash(f"Review {review_id} is resolved.")
    return redirect(layout.back(LIST), code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The review with the typed decision and the error."""
    return _page((request.view_args or {})["review_id"], error), error.http_status


def _kind() -> ReviewKind | None:
    """Kind of reviews to list from the query string; None, all of them, for a word that is none."""
    asked = request.args.get("kind", "")
    return ReviewKind(asked) if asked in list(ReviewKind) else None


def _decision() -> Decision:
    try:
        return Decision(request.form.get("decision", ""))
    except ValueError:
        raise BadInput("Choose what happened.", field="decision") from None


def _returns(line: ReviewRow, resolution: Resolution) -> Stake | None:
    """The refund's effect on the balance, if the decision cancels an unconfirmed order with held money."""
    order_id = line.review.order_id
    is_order = line.review.kind == ReviewKind.UNCONFIRMED and order_id is not None and line.review.resolved_at is None
    if not is_order or order_id is None or resolution.decision is not Decision.RETURN:
        return None
    stake = review_list.stake(order_id)
    return stake if stake.held_nanos else None


def _question(review_id: int, stake: Stake) -> Confirmation:
    order_id = _line(review_id).review.order_id
    return Confirmation(
        title=f"Cancel order {order_id} and return its money",
        lead="The order becomes Canceled. If the provider has it after all, its next report opens a review.",
        facts=[
            ("Customer", stake.customer),
            ("Returned to the customer’s balance", amount(stake.held_nanos)),
            ("Reason, for the audit log", request.form.get("reason", "").strip()),
        ],
        button=f"Cancel order and return {shown(stake.held_nanos)}",
        away=layout.with_back(url_for("office_reviews.show", review_id=review_id)),
        is_danger=True,
    )


def _line(review_id: int) -> ReviewRow:
    line = review_list.find(review_id, unconfirmed_hours=layout.limits().unconfirmed_hours, now=utc_now())
    if line is None:
        abort(404)
    return line


def _page(review_id: int, error: PanelError | None = None) -> str:
    line = _line(review_id)
    order_id = line.review.order_id
    return render_template(
        "office/review.html",
        line=line,
        review=line.review,
        stake=review_list.stake(order_id) if order_id is not None else None,
        waiting=review_resolution.open_request(line.review),
        asks_about_a_call=review_resolution.is_unconfirmed(line.review),
        is_refill=line.review.kind == ReviewKind.UNCONFIRMED_REFILL,
        errors=by_field(error),
        typed={name: request.form.get(name, "") for name in ("decision", "sent_as", "reason")},
        away=layout.back(LIST),
    )


def _cursor() -> Cursor | None:
    """Pagination cursor from the query string; the first page if it is invalid."""
    rank, _dash, number = request.args.get("after", "").partition("-")
    found = whole_number(number)
    return None if rank not in ("0", "1") or found is None else Cursor(int(rank), found)

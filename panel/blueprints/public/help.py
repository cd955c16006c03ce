"""The help section: order statuses, FAQ, guides, and the legal pages. Texts come from `content/`."""

from flask import Blueprint, abort, current_app, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.shared import structured_data
from panel.blueprints.shared.help_texts import texts
from panel.blueprints.shared.template_globals import me
from panel.clock import utc_now
from panel.domain.lists.order_filters import OrderFilters
from panel.domain.status import FIRST, Status, from_slug, possible_sources
from panel.services import delivery_times
from panel.services.delivery_times import Measure
from panel.services.help.content import GUIDES, PART_IDS
from panel.services.help.worked_examples import worked_sum
from panel.services.orders import history as order_history
from panel.services.platform import audit_runs, figures
from panel.services.tickets import response_times as ticket_measures

bp = Blueprint("help", __name__)

# Guides that are plain text, in the order of the footer.
PLAIN_GUIDES = (
    "getting-started",
    "how-we-work",
    "terms-of-service",
    "refund-policy",
    "acceptable-use",
    "privacy",
    "accessibility",
)
# How many of the customer's own orders a status page offers to open a ticket about.
OWN_ORDERS = 3

# The measured duration that each status page shows: how long that status or the wait before it lasts.
_WAITS_FOR_START = (Status.PENDING, Status.PROCESSING)
_WAITS_FOR_END = (Status.IN_PROGRESS, Status.COMPLETED)


@bp.context_processor
def _known() -> dict[str, object]:
    """Template data of every help page: how figures are counted."""
    return {
        "window_days": delivery_times.WINDOW.days,
        "newest_orders": delivery_times.NEWEST_ORDERS,
        "min_sample": delivery_times.MIN_SAMPLE,
    }


@bp.get("/order-statuses")
def show_statuses() -> ResponseReturnValue:
    content = texts()
    page = content.guides["order-statuses"]
    return render_template(
        "help/statuses.html",
        page=page,
        sums={status: worked_sum(status, remains=text.keys.remains) for status, text in content.statuses.items()},
        share=delivery_times.share_completed(now=utc_now()),
        data=structured_data.statuses_page(page),
    )


@bp.get("/order-statuses/<slug>")
def show_status(slug: str) -> ResponseReturnValue:
    status = from_slug(slug)
    if status is None:
        return _other_spelling(slug)
    content = texts()
    page = content.statuses[status]
    return render_template(
        "help/status.html",
        page=page,
        status=status,
        part_ids=PART_IDS,
        contents=[*((anchor, heading) for heading, anchor in PART_IDS.items()), ("related", "Related")],
        own_orders=_own_orders(status),
        before=possible_sources(status),
        is_first=status is FIRST,
        sum=worked_sum(status, remains=page.keys.remains),
        related=[(content.label_of(address), address) for address in page.keys.related],
        data=structured_data.status_page(page, status=status),
        **_measured(status),
    )


@bp.get("/faq")
def show_questions() -> ResponseReturnValue:
    content = texts()
    page = content.guides["faq"]
    groups: dict[str, list[object]] = {}
    for question in content.questions:
        groups.setdefault(question.page.keys.group, []).append(question)
    return render_template(
        "help/faq.html",
        page=page,
        groups=groups,
        contents=[(group.lower().replace(" ", "-"), group) for group in groups],
        changed=content.questions_changed,
        data=structured_data.questions_page(content),
    )


def show_guide(name: str) -> ResponseReturnValue:
    page = texts().guides[name]
    return render_template("help/guide.html", page=page, data=structured_data.guide_page(page, path=f"/{name}"))


for _name in PLAIN_GUIDES:
    bp.add_url_rule(f"/{_name}", f"show_{_name.replace('-', '_')}", show_guide, defaults={"name": _name})


@bp.get("/reliability")
def show_reliability() -> ResponseReturnValue:
    page, now = texts().guides["reliability"], utc_now()
    return render_template(
        "help/reliability.html",
        page=page,
        start=delivery_times.time_to_start(now=now),
        completion=delivery_times.time_to_completion(now=now),
        share=delivery_times.share_completed(now=now),
        returns=delivery_times.returns(now=now),
        audit=audit_runs.newest(now=now),
        uptime=figures.platform_uptime(interval_seconds=current_app.config["PANEL"].probe_seconds, now=now),
        answers=ticket_measures.first_answers(now=now),
        answer_days=ticket_measures.WINDOW.days,
        min_answers=ticket_measures.MIN_SAMPLE,
        data=structured_data.guide_page(page, path="/reliability"),
    )


@bp.get("/contact")
def show_contact() -> ResponseReturnValue:
    page = texts().guides["contact"]
    return render_template("help/contact.html", page=page, data=structured_data.guide_page(page, path="/contact"))


def without_final_slash(page: str) -> ResponseReturnValue:
    return redirect(f"/{page}", code=301)


for _name in GUIDES:
    bp.add_url_rule(f"/{_name}/", "without_final_slash", without_final_slash, defaults={"page": _name})


@bp.get("/order-statuses/<slug>/")
def status_without_final_slash(slug: str) -> ResponseReturnValue:
    if from_slug(slug) is None:
        return _other_spelling(slug)
    return redirect(url_for("help.show_status", slug=slug), code=301)


def _other_spelling(slug: str) -> ResponseReturnValue:
    """Redirect target for other spellings of a status, such as `cancelled`, `in_progress` or `Partial`."""
    status = from_slug(slug.lower().replace("_", "-").replace("cancelled", Status.CANCELED))
    if status is None:
        abort(404)
    return redirect(url_for("help.show_status", slug=status.slug), code=301)


def _own_orders(status: Status) -> list[int]:
    """The customer's newest orders with this status."""
    person = me()
    if person is None:
        return []
    page = order_history.history_page(person.id, filters=OrderFilters(status=status))
    return [row.id for row in page.rows[:OWN_ORDERS]]


def _measured(status: Status) -> dict[str, str | Measure | None]:
    """The measured duration for a status: its name, what is counted, and the value."""
    now = utc_now()
    if status in _WAITS_FOR_START:
        return _stretch("From placing an order until its count moved", delivery_times.time_to_start(now=now))
    if status in _WAITS_FOR_END:
        label = Status.COMPLETED.label
        return _stretch(f"From placing an order to {label}", delivery_times.time_to_completion(now=now))
    if status is Status.REFILL:
        return _stretch(
            f"From asking for a {status.label.lower()} to its end", delivery_times.time_of_refills(now=now), "refills"
        )
    return _stretch(f"From placing an order to {status.label}", delivery_times.time_to_end(status, now=now))


def _stretch(words: str, measure: Measure | None, what: str = "orders") -> dict[str, str | Measure | None]:
    return {"stretch": words, "measure": measure, "counted": what}

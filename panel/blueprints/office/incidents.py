"""Incidents in the office: proposals from the probes, the public text, and the forms for updates."""

from dataclasses import dataclass, field

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from panel.blueprints.office.access import office_blueprint
from panel.blueprints.office.forms import moment
from panel.blueprints.office.layout import actor
from panel.blueprints.shared.forms import by_field, whole_number
from panel.clock import utc_now
from panel.db import transaction
from panel.domain.accounts.roles import Action
from panel.domain.errors import BadInput, ExpiredForm, PanelError
from panel.domain.platform.component_states import State
from panel.domain.platform.incidents import OPEN_PHASES, Phase
from panel.services.orders import placing
from panel.services.platform import components, incident_reads, incidents
from panel.services.platform.incident_reads import IncidentWithUpdates
from panel.services.platform.incidents import UpdateText, Window

bp = office_blueprint("incidents", reads=Action.LOOK, changes=Action.RUN_SITE)

AFFECTED = (State.DEGRADED, State.PARTIAL, State.MAJOR)
CHOICES = [("", "Not affected"), *((state.value, state.label) for state in AFFECTED)]
STATE_FIELD = "state-"


@dataclass(frozen=True)
class TypedIncident:
    """Field values of an incident form, as typed or as first shown."""

    title: str = ""
    text: str = ""
    impact: str = ""
    cost: str = ""
    phase: str = ""
    since: str = ""
    until: str = ""
    request_id: str = ""
    states: dict[str, str] = field(default_factory=dict)


@bp.get("/incidents")
def index() -> ResponseReturnValue:
    now = utc_now()
    lists = incident_reads.overview(now=now)
    return render_template(
        "office/incidents/index.html",
        proposals=lists.proposals,
        open_incidents=lists.open_now,
        planned=lists.planned,
        past=lists.past,
        dismissed=lists.dismissed,
        names=components.labels(),
        now=now,
    )


@bp.get("/incidents/new", action=Action.RUN_SITE)
def new() -> ResponseReturnValue:
    return _new_page(TypedIncident(phase=Phase.INVESTIGATING, request_id=placing.new_request_id()))


@bp.get("/incidents/plan", action=Action.RUN_SITE)
def plan() -> ResponseReturnValue:
    return _new_page(TypedIncident(phase=Phase.PLANNED, request_id=placing.new_request_id()), is_plan=True)


@bp.post("/incidents")
def open_incident() -> ResponseReturnValue:
    typed = _typed()
    is_plan = typed.phase == Phase.PLANNED
    try:
        if not placing.is_request_id(typed.request_id):
            raise BadInput("This form is incomplete. Open it again.")
        window = Window(moment(typed.since, name="since"), moment(typed.until, name="until")) if is_plan else None
        with transaction():
            made = incidents.open_incident(
                typed.title,
                _words(typed),
                request_id=typed.request_id,
                window=window,
                actor=actor(),
                now=utc_now(),
            )
            incident_id = made.id
    except PanelError as error:
        return _new_page(typed, error=error, is_plan=is_plan), error.http_status
    return redirect(url_for("office_incidents.show", incident_id=incident_id), code=303)


@bp.get("/incidents/<int:incident_id>")
def show(incident_id: int) -> ResponseReturnValue:
    return _page(incident_reads.any_of(incident_id))


@bp.post("/incidents/<int:incident_id>/updates")
def update(incident_id: int) -> ResponseReturnValue:
    typed, seen = _typed(), whole_number(request.form.get("updates", ""), digits=8)
    try:
        with transaction():
            incidents.update(
                incident_id,
                _words(typed),
                seen_updates=-1 if seen is None else seen,
                actor=actor(),
                now=utc_now(),
            )
    except PanelError as error:
        return _page(incident_reads.any_of(incident_id), typed=typed, error=error), error.http_status
    return redirect(url_for("office_incidents.show", incident_id=incident_id), code=303)


@bp.post("/incidents/<int:incident_id>/publication")
def publish(incident_id: int) -> ResponseReturnValue:
    typed = _typed()
    try:
        with transaction():
            incidents.publish(incident_id, typed.title, _words(typed), actor=actor(), now=utc_now())
    except PanelError as error:
        return _page(incident_reads.any_of(incident_id), typed=typed, error=error), error.http_status
    return redirect(url_for("office_incidents.show", incident_id=incident_id), code=303)


@bp.post("/incidents/<int:incident_id>/dismissal")
def dismiss(incident_id: int) -> ResponseReturnValue:
    reason = request.form.get("reason", "")
    try:
        with transaction():
            incidents.dismiss(incident_id, reason=reason, actor=actor(), now=utc_now())
    except PanelError as error:
        return _page(incident_reads.any_of(incident_id), error=error, reason=reason), error.http_status
    return redirect(url_for("office_incidents.index"), code=303)


def form_again(error: ExpiredForm) -> ResponseReturnValue:
    """The form with the typed words and the error."""
    typed, incident_id = _typed(), (request.view_args or {}).get("incident_id")
    if incident_id is None:
        return _new_page(typed, error=error, is_plan=typed.phase == Phase.PLANNED), error.http_status
    return _page(incident_reads.any_of(incident_id), typed=typed, error=error), error.http_status


def _new_page(typed: TypedIncident, *, error: PanelError | None = None, is_plan: bool = False) -> str:
    return render_template(
        "office/incidents/new.html",
        typed=typed,
        errors=by_field(error),
        names=components.labels(),
        choices=CHOICES,
        phases=[(phase.value, phase.label) for phase in OPEN_PHASES],
        is_plan=is_plan,
        is_first=True,
    )


def _page(
    incident: IncidentWithUpdates,
    *,
    typed: TypedIncident | None = None,
    error: PanelError | None = None,
    reason: str = "",
) -> str:
    phases = [phase for phase in Phase if incident.phase.may_become(phase)]
    if incident.published_at is None:
        phases = list(OPEN_PHASES)
    shown = typed or TypedIncident(
        title=incident.title if incident.published_at is None else "",
        phase=incident.phase,
        states={key: state.value for key, state in incident.parts},
    )
    return render_template(
        "office/incidents/show.html",
        incident=incident,
        is_first=not incident.updates,
        typed=shown,
        errors=by_field(error),
        reason=reason,
        names=components.labels(),
        choices=CHOICES,
        phases=[(phase.value, phase.label) for phase in phases],
        now=utc_now(),
    )


def _typed() -> TypedIncident:
    form = request.form
    given = {name: form.get(name, "") for name in TypedIncident.__dataclass_fields__ if name != "states"}
    states = {
        name.removeprefix(STATE_FIELD): value for name, value in form.items() if name.startswith(STATE_FIELD) and value
    }
    return TypedIncident(**given, states=states)


def _words(typed: TypedIncident) -> UpdateText:
    try:
        phase = Phase(typed.phase)
    except ValueError as error:
        raise BadInput("Choose where the work on it stands.", field="phase") from error
    known = [value for value, _label in CHOICES]
    if any(value not in known for value in typed.states.values()):
        raise BadInput("Choose a state for each component that is affected.", field="components")
    parts = {key: State(value) for key, value in typed.states.items()}
    return UpdateText(phase, typed.text, parts, impact=typed.impact, cost=typed.cost)

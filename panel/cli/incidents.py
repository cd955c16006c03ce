"""`flask incidents`: publish and update incidents and planned maintenance."""

import getpass
import json
from datetime import UTC, datetime

import click
from flask.cli import AppGroup

from panel.cli.errors import clean_errors, cli_transaction
from panel.clock import utc_now
from panel.domain.errors import BadInput
from panel.domain.platform.component_states import State
from panel.domain.platform.incidents import OPEN_PHASES, Phase
from panel.services.orders import placing
from panel.services.platform import incident_reads, incidents
from panel.services.platform.incident_reads import IncidentWithUpdates
from panel.services.platform.incidents import UpdateText, Window

incidents_group = AppGroup("incidents", help="Incidents and planned work on the status page.")

AFFECTED = (State.DEGRADED, State.PARTIAL, State.MAJOR)
affects = click.option(
    "--affects", "affected", multiple=True, metavar="COMPONENT=STATE", help="Such as dispatch=partial; may be repeated."
)
impact = click.option("--impact", default="", help="What customers notice, in their words.")
cost = click.option("--cost", default="", help="What it cost them, and what was returned.")


@incidents_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_incidents(as_json: bool) -> None:
    """Print id, state, beginning and title: proposals, what is open, what is planned, and the newest that are over."""
    now = utc_now()
    found = [
        *incident_reads.proposals(),
        *incident_reads.open_now(),
        *incident_reads.planned(now=now),
        *incident_reads.past(now=now),
    ]
    if as_json:
        click.echo(json.dumps([_as_json(each, now=now) for each in found]))
        return
    for each in found:
        click.echo(f"{each.id}\t{_state(each, now=now)}\t{each.began_at.isoformat()}\t{each.title}")


@incidents_group.command("open")
@click.argument("title")
@click.option("--text", required=True, help="What to tell customers.")
@click.option("--phase", type=click.Choice([phase.value for phase in OPEN_PHASES]), default=Phase.INVESTIGATING.value)
@click.option("--from", "since", metavar="TIME", help="Planned work: when it begins, such as 2026-11-24T14:05 (UTC).")
@click.option("--until", metavar="TIME", help="Planned work: when it ends.")
@affects
@impact
@cost
def open_incident(
    title: str,
    *,
    text: str,
    phase: str,
    since: str | None,
    until: str | None,
    affected: tuple[str, ...],
    impact: str,
    cost: str,
) -> None:
    """Publish an incident, or with --from and --until announce planned work. Prints its id."""
    if (since is None) != (until is None):
        raise click.UsageError("Give both --from and --until, or neither.")
    with clean_errors():
        window = Window(_moment(since), _moment(until)) if since is not None and until is not None else None
        words = UpdateText(Phase.PLANNED if window else Phase(phase), text, _parts(affected), impact=impact, cost=cost)
    with cli_transaction():
        made = incidents.open_incident(
            title, words, request_id=placing.new_request_id(), window=window, actor=getpass.getuser(), now=utc_now()
        )
        incident_id, slug = made.id, made.slug
    click.echo(incident_id)
    click.echo(f"Published at /platform-status/incidents/{slug}.", err=True)


@incidents_group.command("update")
@click.argument("incident_id", metavar="ID", type=int)
@click.option("--text", required=True, help="What to tell customers.")
@click.option("--phase", type=click.Choice([phase.value for phase in Phase]), help="Left out: as it was.")
@affects
@impact
@cost
def update_incident(
    incident_id: int, *, text: str, phase: str | None, affected: tuple[str, ...], impact: str, cost: str
) -> None:
    """Add an update to an incident. Without --affects, no component is affected any longer."""
    with clean_errors():
        words = UpdateText(
            Phase(phase) if phase else incident_reads.any_of(incident_id).phase,
            text,
            _parts(affected),
            impact=impact,
            cost=cost,
        )
    with cli_transaction():
        incidents.update(incident_id, words, actor=getpass.getuser(), now=utc_now())
    click.echo(f"Incident {incident_id} was updated.", err=True)


@incidents_group.command("resolve")
@click.argument("incident_id", metavar="ID", type=int)
@click.option("--text", required=True, help="What to tell customers.")
@cost
def resolve_incident(incident_id: int, *, text: str, cost: str) -> None:
    """Resolve an incident or planned work."""
    with cli_transaction():
        incidents.update(
            incident_id, UpdateText(Phase.RESOLVED, text, cost=cost), actor=getpass.getuser(), now=utc_now()
        )
    click.echo(f"Incident {incident_id} is resolved.", err=True)


@incidents_group.command("dismiss")
@click.argument("incident_id", metavar="ID", type=int)
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
def dismiss_proposal(incident_id: int, *, reason: str) -> None:
    """Dismiss an incident that the probes proposed."""
    with cli_transaction():
        incidents.dismiss(incident_id, reason=reason, actor=getpass.getuser(), now=utc_now())
    click.echo(f"Proposal {incident_id} is dismissed.", err=True)


def _parts(affected: tuple[str, ...]) -> dict[str, State]:
    parts = {}
    for each in affected:
        key, _sign, word = each.partition("=")
        if word not in [state.value for state in AFFECTED]:
            known = ", ".join(state.value for state in AFFECTED)
            raise BadInput(f"{each[:40]} is not of the form COMPONENT=STATE, with a state of {known}.")
        parts[key] = State(word)
    return parts


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput("Write day and time in UTC, such as 2026-11-24T14:05.") from error
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _state(incident: IncidentWithUpdates, *, now: datetime) -> str:
    return "Proposed" if incident.published_at is None else incident.phase_label(now)


def _as_json(incident: IncidentWithUpdates, *, now: datetime) -> dict[str, object]:
    return {
        "id": incident.id,
        "slug": incident.slug,
        "title": incident.title,
        "state": _state(incident, now=now),
        "phase": incident.phase.value,
        "began_at": incident.began_at.isoformat(),
        "resolved_at": incident.resolved_at.isoformat() if incident.resolved_at else None,
        "components": {key: state.value for key, state in incident.parts},
        "updates": len(incident.updates),
    }

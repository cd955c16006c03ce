"""`flask reviews`: list and resolve reviews."""

import getpass
import json

import click
from flask.cli import AppGroup
from sqlalchemy import select

from panel.cli.errors import cli_transaction
from panel.clock import utc_now
from panel.db import db
from panel.models import Review
from panel.services.office import review_resolution
from panel.services.office.review_resolution import Decision, Resolution

reviews_group = AppGroup("reviews", help="What an operator must look at.")


@reviews_group.command("list")
@click.option("--all", "with_resolved", is_flag=True, help="Resolved ones too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_reviews(with_resolved: bool, as_json: bool) -> None:
    """Print id, kind, order and text of every open review, the oldest first."""
    statement = select(Review).order_by(Review.id)
    if not with_resolved:
        statement = statement.where(Review.resolved_at.is_(None))
    found = db.session.scalars(statement).all()
    if as_json:
        click.echo(json.dumps([_as_json(review) for review in found]))
        return
    for review in found:
        click.echo(f"{review.id}\t{review.kind}\t{review.order_id or '-'}\t{review.text}")


def _as_json(review: Review) -> dict[str, object]:
    return {
        "id": review.id,
        "kind": review.kind,
        "order": review.order_id,
        "text": review.text,
        "raw": review.raw,
        "opened_at": review.opened_at.isoformat(),
        "resolved_at": review.resolved_at.isoformat() if review.resolved_at is not None else None,
        "resolution": review.resolution,
    }


@reviews_group.command("resolve")
@click.argument("review_id", metavar="ID", type=int)
@click.option("--sent-as", metavar="PROVIDER_ID", help="The provider has it, under this id of its own.")
@click.option("--not-sent", is_flag=True, help="The provider does not have it: hand it over again.")
@click.option("--return", "is_returned", is_flag=True, help="Nobody can tell: cancel it, all money back.")
@click.option("--done", is_flag=True, help="Looked at; nothing is to be changed.")
@click.option("--reason", required=True, help="Why; the audit log keeps it.")
def resolve_review(
    review_id: int, *, sent_as: str | None, not_sent: bool, is_returned: bool, done: bool, reason: str
) -> None:
    """Resolve a review with one of four decisions."""
    chosen = {
        Decision.SENT_AS: sent_as is not None,
        Decision.NOT_SENT: not_sent,
        Decision.RETURN: is_returned,
        Decision.DONE: done,
    }
    decisions = [decision for decision, is_chosen in chosen.items() if is_chosen]
    if len(decisions) != 1:
        raise click.UsageError("Choose exactly one of --sent-as, --not-sent, --return and --done.")
    resolution = Resolution(decisions[0], reason, actor=getpass.getuser(), provider_id=sent_as or "")
    with cli_transaction():
        review_resolution.resolve(review_id, resolution, now=utc_now())
    click.echo(f"Review {review_id} is resolved.", err=True)

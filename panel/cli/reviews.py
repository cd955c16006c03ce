"""`flask reviews`: what an operator must look at."""

import json

import click
from flask.cli import AppGroup
from sqlalchemy import select

from panel.db import db
from panel.models import Review

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

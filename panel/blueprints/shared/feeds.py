"""Responses for programs: feeds and JSON that any site may read, cached for seconds, with an ETag."""

from datetime import UTC, datetime

from flask import Request, Response
from flask.typing import ResponseReturnValue

# When a feed without entries was last changed.
EMPTY_FEED_UPDATED_AT = datetime(2026, 1, 1, tzinfo=UTC)
KEPT_BY_READERS = "public, max-age=15"


def for_machines(answer: Response, request: Request) -> ResponseReturnValue:
    """The response with caching headers, or 304 if the reader has it."""
    answer.headers["Cache-Control"] = KEPT_BY_READERS
    answer.headers["Access-Control-Allow-Origin"] = "*"
    answer.add_etag()
    return answer.make_conditional(request)

"""How an order's request id says where the request came from: orders of the API have ids apart from those of forms."""

API_NAMED = "api:request:"
API_UNNAMED = "api:key:"


def named_by_reseller(request_id: str) -> str | None:
    """The request id as a program sent it to the API; None for an order that came otherwise, or without one."""
    return request_id.removeprefix(API_NAMED) if request_id.startswith(API_NAMED) else None

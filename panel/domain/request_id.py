"""How an order's request id says where the request came from: orders of the API have ids apart from those of forms."""

OF_API = "api:"
API_NAMED = f"{OF_API}request:"
API_UNNAMED = f"{OF_API}key:"


def named_by_reseller(request_id: str) -> str | None:
    """The request id as a program sent it to the API; None for an order that came otherwise, or without one."""
    return request_id.removeprefix(API_NAMED) if request_id.startswith(API_NAMED) else None

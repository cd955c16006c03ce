"""Request id namespaces: idempotency keys from the API never collide with those from forms."""

OF_API = "api:"
API_NAMED = f"{OF_API}request:"
API_UNNAMED = f"{OF_API}key:"


def named_by_reseller(request_id: str) -> str | None:
    """The request id an API client sent; None for an order without one, or from elsewhere."""
    return request_id.removeprefix(API_NAMED) if request_id.startswith(API_NAMED) else None

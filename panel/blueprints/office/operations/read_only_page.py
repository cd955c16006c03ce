"""Read-only copy of a customer's page: its HTML without scripts and forms, its links inside the view, and a banner.

What isn't known to be a page of the view loses its address, so nothing of it can be opened or sent.
"""

import re
from collections.abc import Callable
from html import unescape

from markupsafe import Markup, escape

_SCRIPT = re.compile(r"<script\b.*?</script>", re.DOTALL | re.IGNORECASE)
_FORM = re.compile(r"<form\b([^>]*)>(.*?)</form>", re.DOTALL | re.IGNORECASE)
_TOKEN = re.compile(r'<input type="hidden" name="csrf_token"[^>]*>')
_LIVE = re.compile(r'\sdata-(?:hx-[a-z-]+|push)="[^"]*"')
_LINK = re.compile(r'(<a\b[^>]*?)\shref="(/[^"]*)"')
_IMAGE = re.compile(r'(<img\b[^>]*?)\ssrc="(/tickets/[^"]*)"')
_CLASS = re.compile(r'\sclass="[^"]*"')
_ACTION = re.compile(r'\saction="([^"]*)"')
# A control can belong to a form by its id, and name an address of its own. Without its form it is of no use.
_OUTSIDE = re.compile(r'\sform(?:action|method)?="[^"]*"')
# The form that pauses live updates, which a copy has none of.
_PAUSES = 'name="live"'
_BAR = '<header class="site-bar'


def make(html: str, *, address_in_view: Callable[[str], str | None], banner: Markup) -> str:
    """The page as a read-only copy. `address_in_view`: where the view shows this address; None if it doesn't."""

    def form(match: re.Match[str]) -> str:
        attributes, inside = match[1], _TOKEN.sub("", match[2])
        action = _ACTION.search(attributes)
        wanted = address_in_view(unescape(action[1])) if action and 'method="get"' in attributes.lower() else None
        if action is None or wanted is None or _PAUSES in inside:
            # Its class, so that it has its place on the page and none on paper.
            named = _CLASS.search(attributes)
            return f"<fieldset disabled{named[0] if named else ''}>{inside}</fieldset>"
        attributes = attributes.replace(action[0], f' action="{escape(wanted)}"')
        return f"<form{attributes}>{inside}</form>"

    def link(match: re.Match[str]) -> str:
        wanted = address_in_view(unescape(match[2]))
        return (
            f'{match[1]} role="link" aria-disabled="true"' if wanted is None else f'{match[1]} href="{escape(wanted)}"'
        )

    def image(match: re.Match[str]) -> str:
        wanted = address_in_view(unescape(match[2]))
        return match[1] if wanted is None else f'{match[1]} src="{escape(wanted)}"'

    page = _FORM.sub(form, _SCRIPT.sub("", html))
    page = _IMAGE.sub(image, page)
    page = _LINK.sub(link, _OUTSIDE.sub(" disabled", _LIVE.sub("", page)))
    before, bar, after = page.partition(_BAR)
    if not bar:
        raise ValueError("a page without the site's bar has no place for the banner")
    return f"{before}{banner}{bar}{after}"

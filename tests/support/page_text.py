"""Text of a page as people read it: without tags, entities decoded, white space joined."""

import html
import re


def text_of(page: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", page)).split())

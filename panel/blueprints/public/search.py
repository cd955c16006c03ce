"""Search page over help and tools. The index is rebuilt when the catalogue changes."""

import threading
from dataclasses import dataclass

from flask import Blueprint, current_app, render_template, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from panel.blueprints.api import docs as api_docs
from panel.blueprints.shared.help_texts import texts
from panel.services.catalogue import tools
from panel.services.catalogue.tools import ToolOffer
from panel.services.help.content import Content
from panel.services.help.search import MAX_HITS, MAX_QUERY_LENGTH, Document, Index, joined

bp = Blueprint("search", __name__)

KEPT = "panel.search"


@dataclass
class _CachedIndex:
    """The search index of one catalogue version."""

    lock: threading.Lock
    version: int | None = None
    index: Index | None = None


@bp.record_once
def begin(state: BlueprintSetupState) -> None:
    state.app.extensions[KEPT] = _CachedIndex(threading.Lock())


@bp.get("/search")
def show() -> ResponseReturnValue:
    asked = " ".join(request.args.get("q", "").split())[:MAX_QUERY_LENGTH]
    hits = _index().find(asked) if asked else []
    return render_template("search/show.html", asked=asked, hits=hits, is_cut=len(hits) == MAX_HITS)


def _index() -> Index:
    kept: _CachedIndex = current_app.extensions[KEPT]
    version = tools.version()
    with kept.lock:
        if kept.index is None or kept.version != version:
            kept.index, kept.version = Index(_documents()), version
        return kept.index


def _documents() -> list[Document]:
    return [*_help(texts()), api_docs.document(), *(_tool(tool) for tool in tools.listed())]


def _help(content: Content) -> list[Document]:
    """Search documents of the help: statuses, FAQ, and guides with each section."""
    found = []
    for status, page in content.statuses.items():
        facts = status.facts
        text = joined(
            [
                page.prose.plain_intro,
                facts.means,
                facts.you_do,
                facts.money_words,
                *(part.plain for part in page.prose.parts),
            ],
        )
        found.append(Document(f"/order-statuses/{status.slug}", "Order status", page.keys.heading, text))
    for each in content.questions:
        keys = each.page.keys
        found.append(Document(f"/faq#{each.id}", "FAQ", keys.question, each.page.prose.plain_intro))
    for name, guide in content.guides.items():
        heading = guide.keys.heading
        found.append(Document(f"/{name}", "Help", heading, joined([guide.prose.plain_intro, guide.keys.description])))
        for part in guide.prose.parts:
            found.append(Document(f"/{name}#{part.id}", "Help", f"{heading}: {part.title}", part.plain))
    return found


def _tool(tool: ToolOffer) -> Document:
    offers = ["Refill." if tool.can_refill else "No refill.", "Cancel." if tool.can_cancel else "No cancel."]
    text = joined([tool.summary, f"Delivers {tool.unit}.", f"{tool.category}.", tool.link_hint, *offers])
    return Document(f"/tools/{tool.slug}", "Tool", tool.name, text)

"""What a page looks like, measured: words in one piece, the rules of its classes, what is printed, forced colors."""

import re

from playwright.sync_api import Page

from panel.assets import stylesheets
from panel.settings import ROOT

DESK = ({"width": 768, "height": 900}, {"width": 1280, "height": 900})
PHONE = {"width": 360, "height": 780}
CLASS = re.compile(r"\.([a-zA-Z][\w-]*)")
# Links, codes and what people typed may break anywhere; all else stays in one piece, an email too.
SPLIT_WORDS = r"""() => {
    const FREE = ".break, .id, code, pre";
    const found = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text; (text = texts.nextNode());) {
        const parent = text.parentElement;
        if (!parent.closest("tbody, tfoot") || !parent.checkVisibility() || parent.closest(FREE)) continue;
        for (const word of text.data.matchAll(/[\p{L}\p{N}.,:@$]{2,}/gu)) {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            const tops = [...range.getClientRects()].filter((box) => box.width > 1).map((box) => Math.round(box.top));
            if (new Set(tops).size > 1) found.push(word[0]);
        }
    }
    return found;
}"""
CLASSES = (
    """() => [...new Set([...document.querySelectorAll("main [class]")].flatMap((each) => [...each.classList]))]"""
)
RULES = """() => [...document.styleSheets]
    .flatMap((sheet) => [...sheet.cssRules]).map((rule) => rule.cssText).join(" ")"""
# A form, a button, or a heading under which nothing is left.
ON_PAPER = """() => {
    const seen = (each) => each.checkVisibility() && each.getBoundingClientRect().height > 1;
    const parts = [...document.querySelectorAll("main :is(form, button, input, select, textarea, a.button)")];
    const found = parts.filter(seen).map((each) => each.outerHTML.slice(0, 60));
    for (const heading of [...document.querySelectorAll("main :is(h2, h3)")].filter(seen)) {
        const level = heading.tagName;
        let next = heading.nextElementSibling;
        while (next && !seen(next)) next = next.nextElementSibling;
        const ends = !next || (next.matches("h2, h3") && next.tagName <= level);
        if (ends && heading.nextElementSibling) found.push(heading.textContent + " above nothing");
    }
    return found;
}"""
# In a stacked table a value is one piece that ends at the right edge, or stands under its label: never in between.
RAGGED = r"""() => {
    const found = [];
    for (const cell of document.querySelectorAll("main .table[data-stack] [data-label]")) {
        if (getComputedStyle(cell).display !== "flex" || !cell.checkVisibility()) continue;
        const range = document.createRange();
        range.selectNodeContents(cell);
        const box = cell.getBoundingClientRect();
        const words = [...range.getClientRects()].filter((each) => each.width > 1);
        const [left, right] = [Math.min(...words.map((w) => w.left)), Math.max(...words.map((w) => w.right))];
        const parts = [...cell.childNodes].filter((each) => each.nodeType === 1 || each.data?.trim());
        if (parts.length > 1 || (words.length && left - box.left > 2 && box.right - right > 10))
            found.push(cell.textContent.trim());
    }
    return found;
}"""
# A current link that differs by color alone can't be seen in forced colors, nor one that looks like the others.
ONLY_COLOR = """() => {
    const plain = (each) => {
        const style = getComputedStyle(each);
        return style.fontWeight < 600 && !style.textDecorationLine.includes("underline")
            && ["none", "hidden"].includes(style.borderBlockEndStyle);
    };
    const seen = [...document.querySelectorAll("[aria-current]")].filter((each) => each.checkVisibility());
    const here = seen.filter(plain);
    // A transparent line is painted like any other.
    const lined = (each) => getComputedStyle(each).borderBlockEndStyle !== "none";
    const others = [...document.querySelectorAll(".views a:not([aria-current])")].filter(lined);
    return [...here.filter((each) => !each.closest(".breadcrumb")), ...others].map((each) => each.textContent.trim());
}"""

_all_classes: set[str] = set()


def faults(page: Page, path: str) -> list[str]:
    """What is wrong with the looks of the page that is open. Its size and media are put back."""
    before = page.viewport_size
    found = [f"{path}: class {name} has no rules here" for name in _without_rules(page)]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    found += [f"{path}: {words} stands between the edges at 360 px" for words in page.evaluate(RAGGED)]
    for size in DESK:
        page.set_viewport_size(size)  # type: ignore[arg-type]
        found += [f"{path}: {word} is split at {size['width']} px" for word in page.evaluate(SPLIT_WORDS)]
        width = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{path}: {width} px wide at {size['width']} px"] if width > size["width"] else []
    page.emulate_media(forced_colors="active")
    found += [f"{path}: only color marks the current {words}" for words in page.evaluate(ONLY_COLOR)]
    page.emulate_media(media="print", forced_colors="none")
    found += [f"{path}: printed is {part}" for part in page.evaluate(ON_PAPER)]
    page.emulate_media(media="screen")
    if before:
        page.set_viewport_size(before)
    return found


def _without_rules(page: Page) -> set[str]:
    """Classes of this page whose rules stand in a sheet that it does not load."""
    if not _all_classes:
        _all_classes.update(CLASS.findall(b"".join(stylesheets.sheets(ROOT / "static").values()).decode()))
    return (set(page.evaluate(CLASSES)) & _all_classes) - set(CLASS.findall(page.evaluate(RULES)))

"""Screenshots of a demo: README's two, or with `--all` key pages at three widths in both color schemes.

`python -m tests.browser.screenshots` writes `.github/images/`; with `--all` it writes `instance/screenshots/`, which is
ignored by git.
"""

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.servers import ROOT, Panel, chromium, running_panel

FOLDER = ROOT / ".github" / "images"
SIZE = {"width": 1200, "height": 1000}
MAX_BYTES = 80_000
# The demo's simulator ends an order as Partial within a minute.
PARTIAL_WITHIN_MILLISECONDS = 120_000

ALL_FOLDER = ROOT / "instance" / "screenshots"
WIDTHS = (360, 768, 1280)
SCHEMES = ("light", "dark")
PAGES = {
    "visitor": (
        *("/", "/tools", "/tools/podcast-plays", "/order-statuses", "/order-statuses/partial", "/faq"),
        *("/platform-status", "/api", "/sign-up", "/refund-policy"),
    ),
    "customer": (
        *("/orders", "/orders/new", "/orders/new?tool=podcast-plays", "/orders/mass", "/balance", "/balance/add"),
        *("/balance/statement", "/account", "/account/keys", "/tickets"),
    ),
    "operator": ("/office", "/office/orders", "/office/providers", "/office/tools"),
}


def take(panel: Panel, page: Page) -> None:
    """Log in as the demo's customer; save the order history, then an order that ended as Partial."""
    _log_in(panel, page, "customer")
    page.goto("/orders")
    partial = page.locator("tr[data-status=partial]").first
    partial.wait_for(timeout=PARTIAL_WITHIN_MILLISECONDS)
    order_id = (partial.get_attribute("id") or "").removeprefix("order-")
    # Without the marks of recent changes.
    page.emulate_media(reduced_motion="reduce")
    page.reload()
    save(page.screenshot(), "order-history.png")
    page.goto(f"/orders/{order_id}")
    page.locator("section#live").wait_for()
    save(page.screenshot(), "partial-order.png")


def take_all(panel: Panel, browser: Browser) -> None:
    """Save every page of `PAGES` as the visitor, the customer or the operator it is for."""
    for role, paths in PAGES.items():
        page = browser.new_page(base_url=panel.url)
        if role != "visitor":
            _log_in(panel, page, role)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 900})
                for path in paths:
                    page.goto(path)
                    name = re.sub(r"\W+", "-", path).strip("-") or "home"
                    page.screenshot(path=ALL_FOLDER / f"{role}-{name}-{width}-{scheme}.png", full_page=True)
        page.context.close()
    print(f"{len(list(ALL_FOLDER.iterdir()))} screenshots in {ALL_FOLDER}")


def _log_in(panel: Panel, page: Page, role: str) -> None:
    email = f"{role}@example.com"
    password = re.search(rf"{re.escape(email)}  (\S+)", panel.log)
    assert password is not None
    page.goto("/log-in")
    page.fill("[name=email]", email)
    page.fill("[name=password]", password[1])
    page.click("main button[type=submit]")
    if role == "operator":
        command = (sys.executable, "-m", "flask", "--app", "app", "users", "code", email)
        code = subprocess.run(command, cwd=ROOT, env=panel.environment, check=True, capture_output=True, text=True)
        page.fill("[name=code]", code.stdout.strip())
        page.click("main button[type=submit]")


def save(png: bytes, name: str) -> None:
    """Save with a palette of 64 colors, which is enough for these pages and makes the file a third of the size."""
    file = FOLDER / name
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(file, optimize=True)
    size = file.stat().st_size
    print(f"{name}: {size:,} bytes")
    if size > MAX_BYTES:
        sys.exit(f"{name} has more than {MAX_BYTES:,} bytes.")


def main() -> None:
    takes_all = "--all" in sys.argv
    (ALL_FOLDER if takes_all else FOLDER).mkdir(parents=True, exist_ok=True)
    program = chromium()
    with tempfile.TemporaryDirectory() as instance, running_panel(Path(instance), "--demo") as panel:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=sandbox)
            if takes_all:
                take_all(panel, browser)
            else:
                take(panel, browser.new_page(base_url=panel.url, viewport=SIZE, color_scheme="light"))  # type: ignore[arg-type]
            browser.close()


if __name__ == "__main__":
    main()

"""Screenshots for README, from a demo of its own: `python -m tests.browser.screenshots` writes `.github/images/`."""

import io
import os
import re
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.support.servers import ROOT, Panel, chromium, running_panel

FOLDER = ROOT / ".github" / "images"
SIZE = {"width": 1200, "height": 1000}
MOST_BYTES = 80_000
# The demo's simulator ends an order as Partial within a minute.
PARTIAL_WITHIN_MILLISECONDS = 120_000


def take(panel: Panel, page: Page) -> None:
    """Log in as the demo's customer; save the order history, then an order that ended as Partial."""
    password = re.search(r"customer@example\.com  (\S+)", panel.log)
    assert password is not None
    page.goto("/log-in?next=/orders")
    page.fill("[name=email]", "customer@example.com")
    page.fill("[name=password]", password[1])
    page.click("main button[type=submit]")
    partial = page.locator("tr[data-status=partial]").first
    partial.wait_for(timeout=PARTIAL_WITHIN_MILLISECONDS)
    order_id = (partial.get_attribute("id") or "").removeprefix("order-")
    save(page.screenshot(), "order-history.png")
    page.goto(f"/orders/{order_id}")
    page.locator("section#live").wait_for()
    save(page.screenshot(), "partial-order.png")


def save(png: bytes, name: str) -> None:
    """Store with a palette of 64 colors: pages have few, and the file is a third of the size."""
    file = FOLDER / name
    Image.open(io.BytesIO(png)).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(file, optimize=True)
    size = file.stat().st_size
    print(f"{name}: {size:,} bytes")
    if size > MOST_BYTES:
        sys.exit(f"{name} has more than {MOST_BYTES:,} bytes.")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = chromium()
    with tempfile.TemporaryDirectory() as instance, running_panel(Path(instance), "--demo") as panel:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=sandbox)
            take(panel, browser.new_page(base_url=panel.url, viewport=SIZE, color_scheme="light"))  # type: ignore[arg-type]
            browser.close()


if __name__ == "__main__":
    main()

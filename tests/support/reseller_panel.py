"""A running panel with three manual tools and a reseller with a balance, for tests that call the API from outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers import Panel, running_panel

_TOOL = """
- slug: {slug}
  name: {name}
  category: Pages
  summary: Visits to a page.
  unit: visits
  {price}
  minimum: {minimum}
  maximum: {maximum}
  link:
    pattern: 'https://example\\.com/[a-z0-9-]+'
    example: https://example.com/page-1
    counter_example: https://example.com/
    hint: Copy the address of one page.
  refill: {{days: 30}}
  cancel: true
  provider: by-hand
  provider_service: visits
"""
PER_THOUSAND = 'price_per_thousand: "0.90"'
TOOLS = "".join(
    (
        _TOOL.format(slug="page-visits", name="Page visits", price=PER_THOUSAND, minimum=10, maximum=10_000),
        _TOOL.format(
            slug="comments",
            name="Comments",
            price=f"type: Custom Comments\n  {PER_THOUSAND}",
            minimum=2,
            maximum=20,
        ),
        _TOOL.format(
            slug="package", name="Package", price='type: Package\n  price_per_package: "3"', minimum=1, maximum=1
        ),
    )
)
EMAIL = "reseller@example.com"


@contextmanager
def reseller_panel(folder: Path) -> Iterator[Panel]:
    """The panel, started in this folder. Tool 1 is ordered by quantity, tool 2 by its lines, tool 3 as a package."""
    catalogue = folder / "tools.yaml"
    catalogue.write_text(TOOLS)
    with running_panel(folder / "instance", PANEL_WORKER="false") as panel:
        done(panel, "providers", "add", "by-hand", "--kind", "manual")
        done(panel, "tools", "import", str(catalogue))
        done(panel, "users", "add", EMAIL)
        done(panel, "balance", "add", EMAIL, "100", "--note", "A first deposit.")
        yield panel


def new_key(panel: Panel) -> str:
    """A new API key of the reseller."""
    return done(panel, "users", "api-key", EMAIL).strip()


def done(panel: Panel, *words: str) -> str:
    """The output of a command that must succeed."""
    ran = panel.flask(*words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout

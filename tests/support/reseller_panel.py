"""A running panel with one manual tool and a reseller with a balance, for tests that call the API from outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.servers import Panel, running_panel

TOOLS = """
- slug: page-visits
  name: Page visits
  category: Pages
  summary: Visits to a page.
  unit: visits
  price_per_thousand: "0.90"
  minimum: 10
  maximum: 10000
  link:
    pattern: 'https://example\\.com/[a-z0-9-]+'
    example: https://example.com/page-1
    counter_example: https://example.com/
    hint: Copy the address of one page.
  refill: {days: 30}
  cancel: true
  provider: by-hand
  provider_service: visits
"""
EMAIL = "reseller@example.com"


@contextmanager
def reseller_panel(folder: Path) -> Iterator[Panel]:
    """The panel, started in this folder; its only tool has the number 1."""
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

"""`python -m tests.mutants [PART …]`: run every mutant whose name has one of these parts; exit 1 if one survives."""

import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import POSTGRESQL, Mutant, kinds
from tests.mutants.running import Outcome, Tree, copied_tree
from tests.support import private_servers


def main(parts: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not parts or any(part in mutant.name for part in parts)]
    if not chosen:
        print("No mutant has such a name.", file=sys.stderr)
        return 2
    with ExitStack() as stack:
        needs_server = any(mutant.engine == POSTGRESQL for mutant in chosen)
        server = stack.enter_context(private_servers.postgresql_server()) if needs_server else ""
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="panel-mutants-"))
        tree = stack.enter_context(copied_tree(Path(folder), postgresql=server))
        found = _try_all(tree, chosen)
    counted = Counter(found.values())
    killed = counted[Outcome.KILLED]
    print(f"{killed} of {len(found)} mutants killed ({killed * 100 // len(found)} %).")
    for name, number in kinds(chosen).items():
        print(f"  {number:3} in {name}")
    return 0 if killed == len(found) else 1


def _try_all(tree: Tree, mutants: Sequence[Mutant]) -> dict[Mutant, Outcome]:
    found = {}
    for number, mutant in enumerate(mutants, start=1):
        found[mutant] = tree.outcome_of(mutant)
        print(f"{number:3}/{len(mutants)} {found[mutant]:8} {mutant.name}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

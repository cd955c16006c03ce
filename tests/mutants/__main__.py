"""`python -m tests.mutants [PART …]`: try every mutant whose name has one of these parts; exit 1 where one survives."""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.mutants.listed import MUTANTS
from tests.mutants.mutant import Mutant, kinds
from tests.mutants.running import PASSED, Outcome, Tree, copied_tree


def main(parts: list[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not parts or any(part in mutant.name for part in parts)]
    if not chosen:
        print("No mutant has such a name.", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="panel-mutants-") as folder, copied_tree(Path(folder)) as tree:
        tests = sorted({test for mutant in chosen for test in mutant.tests})
        code, said = tree.run(tests)
        if code != PASSED:
            print(said[-4_000:], "The tests fail without any mutant.", sep="\n", file=sys.stderr)
            return 2
        found = _try_all(tree, chosen)
    counted = Counter(found.values())
    print(
        f"{counted[Outcome.KILLED]} of {len(found)} mutants killed ({counted[Outcome.KILLED] * 100 // len(found)} %)."
    )
    for folder_name, number in kinds(chosen).items():
        print(f"  {number:3} in {folder_name}")
    return 0 if counted[Outcome.KILLED] == len(found) else 1


def _try_all(tree: Tree, mutants: list[Mutant]) -> dict[Mutant, Outcome]:
    found = {}
    for number, mutant in enumerate(mutants, start=1):
        found[mutant] = tree.outcome_of(mutant)
        print(f"{number:3}/{len(mutants)} {found[mutant]:8} {mutant.name}", flush=True)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

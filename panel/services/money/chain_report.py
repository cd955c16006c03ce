"""Result of a verification of the hash chains, and how a stopped one is stored and resumed."""

from dataclasses import dataclass, field
from typing import Any

from panel.models import CheckpointKind
from panel.services.money.audit_progress import ResumableRun


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The digest over a table's rows up to this id."""

    kind: CheckpointKind
    up_to_id: int
    digest: str


@dataclass
class ChainReport:
    """Result of a verification: differences as sentences, and the possible next checkpoints."""

    is_from_start: bool
    differences: list[str] = field(default_factory=list)
    # By table: where the run started, and where the next checkpoint can be.
    began: dict[CheckpointKind, ChainHead] = field(default_factory=dict)
    marks: dict[CheckpointKind, ChainHead] = field(default_factory=dict)
    # The chain heads that accounts had at the mark, as far as they differ from the last checkpoint.
    accounts: dict[int, str] = field(default_factory=dict)


def resumed(run: ResumableRun, report: ChainReport) -> dict[str, Any]:
    """Saved state of a stopped run, if it began at the same checkpoints; its results are added to the report."""
    began: list[Any] = [report.is_from_start, *([mark.up_to_id, mark.digest] for mark in report.began.values())]
    if run.state.chain.get("began") != began:
        run.state.chain = {"began": began}
        return {}
    saved = run.state.chain
    report.differences += saved.get("differences", [])
    report.marks = {
        CheckpointKind(name): ChainHead(CheckpointKind(name), *mark) for name, mark in saved["marks"].items()
    }
    report.accounts = {int(account): head for account, head in saved["accounts"].items()}
    return saved


def store(run: ResumableRun, report: ChainReport, **place: Any) -> None:
    """Store what has been verified, if that is due: the walks that have ended, and the place and heads of this one."""
    if run.is_due:
        run.state.chain = {
            "began": run.state.chain["began"],
            "differences": report.differences,
            "marks": {kind: [mark.up_to_id, mark.digest] for kind, mark in report.marks.items()},
            "accounts": report.accounts,
            **place,
        }
        run.save()

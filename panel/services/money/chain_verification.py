"""Verification of the hash chains of transfers and events, from the last checkpoint or from the first row.

It changes nothing; `record` saves the checkpoints later, in a transaction. Rows older than an hour are read in several
snapshots, since no row can still appear among them; the newest ones and the heads of all accounts in the last one. A
checkpoint proves nothing by itself, since an attacker who can change rows can change it too. So it is trusted for a
day; then all rows are verified again and must lead to the same digest.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, func, select, update

from panel.db import begin_snapshot, db, lock_rows, table_of, upsert
from panel.db.compiled_statements import in_list
from panel.domain import chain
from panel.models import Account, ChainCheckpoint, CheckpointKind, Order, OrderEvent, Transfer
from panel.services.money import chain_report
from panel.services.money.audit_parts import Progress, add_differences
from panel.services.money.audit_progress import ResumableRun
from panel.services.money.chain_report import ChainHead, ChainReport

TRANSFERS = table_of(Transfer)
EVENTS = table_of(OrderEvent)
ACCOUNTS = table_of(Account)
ORDERS = table_of(Order)
CHECKPOINTS = table_of(ChainCheckpoint)

ROWS_AT_ONCE = 5_000
# Pages of older rows that one snapshot reads.
PAGES_A_SNAPSHOT = 20
# On PostgreSQL a row may become visible after one with a higher id. No transaction stays open this long, so no row can
# appear before a checkpoint later.
SETTLED_AFTER = timedelta(hours=1)
FROM_START_EVERY = timedelta(days=1)
TABLES = (CheckpointKind.TRANSFERS, CheckpointKind.EVENTS)


def is_from_start_due(*, now: datetime) -> bool:
    """Whether the last verification from the first row is a day old, or there was none."""
    last = db.session.scalar(select(func.min(ChainCheckpoint.from_start_at)).where(ChainCheckpoint.kind.in_(TABLES)))
    return last is None or not now - FROM_START_EVERY < last <= now


def verify(
    *,
    from_start: bool,
    noted: Sequence[ChainHead] = (),
    now: datetime | None,
    progress: Progress,
    run: ResumableRun | None = None,
) -> ChainReport:
    """Verify the rows after the checkpoints, or all rows. `noted`: earlier digests that must match.

    Starts at the first row in any case with digests, without a checkpoint, or after a run that found a difference.
    Without `now` no new checkpoint is made. `run`: the audit that stores how far this has come.
    """
    run = run or ResumableRun("chains", now=None)
    stored = {CheckpointKind(row.kind): row for row in db.session.execute(_stored())}
    is_whole = len(stored) == len(TABLES) and all(row.broken_at is None for row in stored.values())
    report = ChainReport(is_from_start=from_start or bool(noted) or not is_whole)
    until = None if now is None else now - SETTLED_AFTER
    for kind in TABLES:
        row = stored.get(kind)
        report.began[kind] = ChainHead(kind, row.up_to_id, row.digest) if row else ChainHead(kind, 0, chain.START)
    saved = chain_report.resumed(run, report)
    expected = [mark for mark in (*report.began.values(), *noted) if mark.up_to_id]
    for kind, follow in ((CheckpointKind.TRANSFERS, _transfers), (CheckpointKind.EVENTS, _events)):
        if kind in report.marks:
            continue
        after = ChainHead(kind, 0, chain.START) if report.is_from_start else report.began[kind]
        if (place := saved.get("place")) is not None and place[0] == kind:
            after = ChainHead(kind, *place[1:])
        walk = _Walk(report, after, [mark for mark in expected if mark.kind is kind], until, progress)
        walk.run = run
        if (began := report.began[kind]).up_to_id and not _is_there(began):
            walk.differ(f"{_WORDS[kind]} {began.up_to_id} is gone: the last run verified up to it.")
        follow(walk)
        walk.end()
        chain_report.store(run, report)
    return report


def _is_there(mark: ChainHead) -> bool:
    table = TRANSFERS if mark.kind is CheckpointKind.TRANSFERS else EVENTS
    return db.session.scalar(select(table.c.id).where(table.c.id == mark.up_to_id)) is not None


class _Walk:
    """One pass over a table by id: the running digest, and the newest row a checkpoint may include."""

    def __init__(
        self,
        report: ChainReport,
        after: ChainHead,
        expected: list[ChainHead],
        until: datetime | None,
        progress: Progress,
    ) -> None:
        self.report, self.kind, self.after = report, after.kind, after.up_to_id
        self._settled_before, self._progress = until, progress
        self.mark, self._digest, self._until = after, after.digest, until
        # Those before the first row of this walk were compared when it began.
        left = [mark for mark in expected if mark.up_to_id >= after.up_to_id]
        self._expected = sorted(left, key=lambda mark: mark.up_to_id, reverse=True)
        self.run = ResumableRun("chains", now=None)
        # Of transfers: the hash of each account's newest one so far.
        self.heads: dict[int, str] = {}

    def step(self, row: Mapping[str, Any], *, right: str) -> bool:
        """Add the next row, whose hash must be `right`. Returns whether a checkpoint may include it."""
        while self._expected and self._expected[-1].up_to_id < row["id"]:
            self._compare(self._expected.pop())
        if row["chain_hash"] != right:
            self.differ(f"{_WORDS[self.kind]} {row['id']} is not what its hash says, or one before it is missing.")
        self._digest = chain.running_digest(self._digest, row["id"], row["chain_hash"])
        is_settled = self._until is not None and row["at"] < self._until
        if not is_settled:
            self._until = None
        else:
            self.mark = ChainHead(self.kind, row["id"], self._digest)
        return is_settled

    def pages(self, statement: Select[Any]) -> Iterator[list[dict[str, Any]]]:
        """The rows after the walk's first one, in batches, and a new snapshot now and then while they are settled."""
        newest = db.session.scalar(select(func.max(statement.selected_columns["id"].table.c.id))) or 0
        for number, page in enumerate(_pages(statement, after=self.after), start=1):
            yield page
            if number % PAGES_A_SNAPSHOT == 0:
                self._progress(f"Hash chain of {self.kind}", page[-1]["id"], newest)
                if self._settled_before is not None and page[-1]["at"] < self._settled_before:
                    if self._until is not None:
                        place = [self.kind, self.mark.up_to_id, self._digest]
                        chain_report.store(self.run, self.report, place=place, heads=self.heads)
                    begin_snapshot()

    def saved_heads(self) -> dict[int, str]:
        """The heads that a stopped walk had where this one begins."""
        saved = self.run.state.chain
        if saved.get("place") != [self.kind, self.after, self._digest]:
            return {}
        return {int(account): head for account, head in saved["heads"].items()}

    def end(self) -> None:
        while self._expected:
            self._compare(self._expected.pop())
        self.report.marks[self.kind] = self.mark

    def differ(self, sentence: str) -> None:
        add_differences(self.report.differences, [sentence])

    def _compare(self, noted: ChainHead) -> None:
        """Compare the digest at this point with an earlier one."""
        if noted.digest != self._digest:
            self.differ(f"The {self.kind} up to {noted.up_to_id} are not those whose digest was noted before.")


_WORDS = {CheckpointKind.TRANSFERS: "Transfer", CheckpointKind.EVENTS: "Event"}


def _stored() -> Any:
    return select(CHECKPOINTS).where(CHECKPOINTS.c.kind.in_(TABLES))


def _transfers(walk: _Walk) -> None:
    """Each customer's transfers form an unbroken chain that ends at the account's head."""
    before = _known_accounts()
    accounts = _accounts()
    heads = walk.heads
    heads |= walk.saved_heads() or ({} if walk.report.is_from_start else before)
    settled = dict(heads)
    for page in walk.pages(_CHAINED_TRANSFERS):
        if not accounts.keys() >= {row[end] for row in page for end in ("from_account_id", "to_account_id")}:
            # Made since the first snapshot.
            accounts = _accounts()
        for row in page:
            account_id = _account_of(row, accounts)
            right = chain.START
            if account_id is not None:
                right = chain.transfer_hash(heads.get(account_id, chain.START), row, account_id=account_id)
                heads[account_id] = row["chain_hash"]
            if walk.step(row, right=right) and account_id is not None:
                settled[account_id] = row["chain_hash"]
    # Read again: the heads must be those of the snapshot that had the newest rows.
    for account in _accounts().values():
        if account.chain_hash != heads.get(account.id, chain.START):
            walk.differ(f"Account {account.id} has another newest transfer than the last one of its chain.")
    walk.report.accounts = {account: head for account, head in settled.items() if before.get(account) != head}


def _accounts() -> dict[int, Any]:
    columns = (ACCOUNTS.c.id, ACCOUNTS.c.user_id, ACCOUNTS.c.chain_hash)
    return {row.id: row for row in db.session.execute(select(*columns))}


def _known_accounts() -> dict[int, str]:
    of_accounts = CHECKPOINTS.c.kind == CheckpointKind.ACCOUNT
    found = db.session.execute(select(CHECKPOINTS.c.chain_id, CHECKPOINTS.c.digest).where(of_accounts))
    return {row[0]: row[1] for row in found}


_OWN = ACCOUNTS.alias("own")
_CHAINED_TRANSFERS = (
    select(TRANSFERS, _OWN.c.id.label("own_account_id"))
    .outerjoin(ORDERS, ORDERS.c.id == TRANSFERS.c.order_id)
    .outerjoin(_OWN, _OWN.c.user_id == ORDERS.c.customer_id)
)


def _account_of(row: Mapping[str, Any], accounts: Mapping[int, Any]) -> int | None:
    """Whose chain a transfer belongs to, as in `ledger.Posting.chained_to`: None if no customer is involved."""
    for end in ("from_account_id", "to_account_id"):
        if (account := accounts.get(row[end])) is not None and account.user_id is not None:
            return int(row[end])
    own: int | None = row["own_account_id"]
    return own


def _events(walk: _Walk) -> None:
    """Each order's events form an unbroken chain. The audit compares the latest one with the order."""
    after = walk.after
    for page in walk.pages(select(EVENTS)):
        heads = _events_before(page, after=after)
        for row in page:
            right = chain.event_hash(heads.get(row["order_id"], chain.START), row)
            heads[row["order_id"]] = row["chain_hash"]
            walk.step(row, right=right)
        after = page[-1]["id"]


def _events_before(page: Sequence[Mapping[str, Any]], *, after: int) -> dict[int, str]:
    """Hash of the latest event of each of these orders, up to that event id."""
    if not after:
        return {}
    # By the index backward for each order: an aggregate would read all earlier events of it.
    newest = select(EVENTS.c.chain_hash).where(EVENTS.c.order_id == ORDERS.c.id, EVENTS.c.id <= after)
    newest = newest.order_by(EVENTS.c.id.desc()).limit(1)
    found = db.session.execute(
        select(ORDERS.c.id, func.coalesce(newest.scalar_subquery(), chain.START)).where(in_list(ORDERS.c.id, "orders")),
        {"orders": sorted({row["order_id"] for row in page})},
    )
    return {row[0]: row[1] for row in found}


def _pages(statement: Select[Any], *, after: int) -> Iterator[list[dict[str, Any]]]:
    """The rows after that id, ordered by id, in batches."""
    row_id = statement.selected_columns["id"]
    paged = statement.where(row_id > bindparam("after")).order_by(row_id).limit(ROWS_AT_ONCE)
    while found := db.session.execute(paged, {"after": after}).all():
        names = list(found[0]._fields)
        page = [dict(zip(names, row, strict=True)) for row in found]
        yield page
        after = page[-1]["id"]


def record(report: ChainReport, *, now: datetime) -> None:
    """Save the new checkpoints; after a difference, only that there was one.

    If another run has saved checkpoints in the meantime, they stay: marks of two runs must not be mixed.
    """
    rows = [{"kind": kind, "chain_id": 0, "up_to_id": 0, "digest": chain.START} for kind in TABLES]
    db.session.execute(upsert(CHECKPOINTS).on_conflict_do_nothing(), rows)
    stored = db.session.execute(lock_rows(_stored().order_by(CHECKPOINTS.c.kind))).all()
    if report.differences:
        values: dict[str, Any] = {"broken_at": func.coalesce(CHECKPOINTS.c.broken_at, now)}
        db.session.execute(update(CHECKPOINTS).where(CHECKPOINTS.c.kind.in_(TABLES)).values(values))
        return
    if any(report.began[CheckpointKind(row.kind)].up_to_id != row.up_to_id for row in stored):
        return
    for mark in report.marks.values():
        values = {"up_to_id": mark.up_to_id, "digest": mark.digest, "broken_at": None}
        if report.is_from_start:
            values["from_start_at"] = now
        db.session.execute(update(CHECKPOINTS).where(CHECKPOINTS.c.kind == mark.kind).values(values))
    _record_accounts(report.accounts, up_to_id=report.marks[CheckpointKind.TRANSFERS].up_to_id)


def _record_accounts(heads: Mapping[int, str], *, up_to_id: int) -> None:
    if not heads:
        return
    of_account = {"kind": CheckpointKind.ACCOUNT, "up_to_id": up_to_id}
    statement = upsert(CHECKPOINTS)
    given = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["kind", "chain_id"], set_={"up_to_id": given.up_to_id, "digest": given.digest}
    )
    db.session.execute(statement, [of_account | {"chain_id": key, "digest": head} for key, head in heads.items()])

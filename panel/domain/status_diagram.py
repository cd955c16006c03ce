"""Lifecycle diagram: boxes, arrows and a text alternative, all from the status table.

An arrow that only skips a status (polling can miss one) is left out of the picture and mentioned in the text.
"""

from dataclasses import dataclass

from panel.domain.status import FACTS, USUAL_PATH, ChargeState, Status

WIDTH, HEIGHT = 690, 200
BOX_WIDTH, BOX_HEIGHT = 140, 48
UPPER, LOWER = 40, 160
COLUMNS = (78, 256, 434, 612)
BOTH_WAYS_APART = 14
CORRIDOR = 100

# Positions of the boxes: the normal path on top, other final statuses and Refill below.
CENTERS: dict[Status, tuple[int, int]] = {
    **{status: (x, UPPER) for status, x in zip(USUAL_PATH, COLUMNS, strict=True)},
    Status.CANCELED: (COLUMNS[1], LOWER),
    Status.PARTIAL: (COLUMNS[2], LOWER),
    Status.REFILL: (COLUMNS[3], LOWER),
}

Pair = tuple[Status, Status]


@dataclass(frozen=True)
class Node:
    """A box; `corner` is round for active statuses and square for final ones."""

    status: Status
    left: int
    top: int
    corner: int
    is_here: bool


@dataclass(frozen=True)
class Arrow:
    """An arrow, as the `d` of an SVG path. Those outside the normal path are `is_aside`."""

    pair: Pair
    path: str
    is_aside: bool


@dataclass(frozen=True)
class Drawing:
    """All template variables."""

    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    words: str


def pairs() -> tuple[Pair, ...]:
    """All transitions in the table."""
    return tuple((before, after) for before in Status for after in FACTS[before].next)


def is_folded(pair: Pair) -> bool:
    """Whether the transition only skips a status in between. Cancellation skips none."""
    before, after = pair
    if before not in USUAL_PATH or after.facts.money is ChargeState.RETURNED:
        return False
    ahead = USUAL_PATH[USUAL_PATH.index(before) + 1 :]
    return any(stage.may_become(after) for stage in ahead if stage is not after)


def shown_pairs() -> tuple[Pair, ...]:
    return tuple(pair for pair in pairs() if not is_folded(pair))


def folded_pairs() -> tuple[Pair, ...]:
    return tuple(pair for pair in pairs() if is_folded(pair))


def drawing(here: Status | None = None) -> Drawing:
    """The diagram with this status highlighted."""
    return Drawing(
        nodes=tuple(_node(status, is_here=status is here) for status in Status),
        arrows=tuple(_arrow(pair) for pair in shown_pairs()),
        words=words(here),
    )


def words(here: Status | None = None) -> str:
    """Text alternative of the diagram, including the transitions left out of the picture."""
    moves = [f"{status.label} becomes {_either(status.facts.next)}." for status in Status if status.facts.next]
    ends = [status.label for status in Status if status.is_final]
    skips = "; ".join(f"{before.label} to {after.label}" for before, after in folded_pairs())
    parts = [*moves, f"{' and '.join(ends)} are final.", f"Not shown, since they only skip a status: {skips}."]
    if here is not None:
        parts.append(f"This page is about {here.label}.")
    return " ".join(parts)


def _either(statuses: tuple[Status, ...]) -> str:
    labels = [status.label for status in statuses]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} or {labels[-1]}"


def _node(status: Status, *, is_here: bool) -> Node:
    x, y = CENTERS[status]
    corner = BOX_HEIGHT // 2 if status.is_moving else 4
    return Node(status, x - BOX_WIDTH // 2, y - BOX_HEIGHT // 2, corner, is_here)


def _arrow(pair: Pair) -> Arrow:
    before, after = pair
    is_usual = before in USUAL_PATH and after in USUAL_PATH
    return Arrow(pair, _path(before, after), not is_usual)


def _path(before: Status, after: Status) -> str:
    (x, y), (to_x, to_y) = CENTERS[before], CENTERS[after]
    half_width, half_height = BOX_WIDTH // 2, BOX_HEIGHT // 2
    if y == to_y:
        side = half_width if to_x > x else -half_width
        return f"M{x + side} {y}H{to_x - side}"
    if x == to_x:
        aside = BOTH_WAYS_APART if after.may_become(before) else 0
        shift, up = (-aside, -1) if to_y > y else (aside, 1)
        return f"M{x + shift} {y - up * half_height}V{to_y + up * half_height}"
    if to_x > x:
        return f"M{x} {y + half_height}V{to_y}H{to_x - half_width}"
    leave, arrive = x - 2 * BOTH_WAYS_APART, to_x + 2 * BOTH_WAYS_APART
    return f"M{leave} {y + half_height}V{CORRIDOR}H{arrive}V{to_y - half_height}"

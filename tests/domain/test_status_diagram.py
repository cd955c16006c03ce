"""Status diagram: every allowed transition is shown or named, and no other."""

import pytest

from panel.domain import status_diagram
from panel.domain.status import FACTS, Status

MOVES = {(before, after) for before in Status for after in Status if before.may_become(after)}


def test_every_move_of_the_table_is_shown_or_named_and_no_other() -> None:
    shown, folded = set(status_diagram.shown_pairs()), set(status_diagram.folded_pairs())

    assert shown | folded == MOVES
    assert not shown & folded


def test_arrows_of_the_drawing_are_the_shown_moves() -> None:
    arrows = [arrow.pair for arrow in status_diagram.drawing().arrows]

    assert sorted(arrows) == sorted(status_diagram.shown_pairs())


def test_a_folded_move_is_a_way_of_shown_arrows_past_a_stage() -> None:
    for before, after in status_diagram.folded_pairs():
        assert any(
            _leads(stage, after) for stage in FACTS[before].next if (before, stage) in status_diagram.shown_pairs()
        )


def _leads(before: Status, after: Status) -> bool:
    if (before, after) in status_diagram.shown_pairs():
        return True
    return any(_leads(stage, after) for stage in FACTS[before].next if stage.is_open and stage is not before)


@pytest.mark.parametrize("status", Status)
def test_words_name_each_move_of_a_status_and_the_page(status: Status) -> None:
    words = status_diagram.words(status)

    assert f"This page is about {status.label}." in words
    for after in FACTS[status].next:
        assert after.label in words.split(f"{status.label} becomes ")[1].split(".")[0]
    for before, after in status_diagram.folded_pairs():
        assert f"{before.label} to {after.label}" in words


def test_every_status_has_one_box_inside_the_picture_and_boxes_do_not_meet() -> None:
    nodes = status_diagram.drawing(Status.PARTIAL).nodes

    assert [node.status for node in nodes] == list(Status)
    assert [node.status for node in nodes if node.is_here] == [Status.PARTIAL]
    assert all(0 <= node.left <= status_diagram.WIDTH - status_diagram.BOX_WIDTH for node in nodes)
    assert all(0 <= node.top <= status_diagram.HEIGHT - status_diagram.BOX_HEIGHT for node in nodes)
    assert len({(node.left, node.top) for node in nodes}) == len(Status)


@pytest.mark.parametrize("status", Status)
def test_boxes_are_round_while_an_order_moves_and_square_once_it_has_ended(status: Status) -> None:
    node = next(node for node in status_diagram.drawing().nodes if node.status is status)

    assert (node.corner == status_diagram.BOX_HEIGHT // 2) == status.is_moving

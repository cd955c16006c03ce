"""Contrast and shades of colors, compared with figures that others have computed."""

import pytest

from panel.assets import colors
from panel.assets.colors import Color

WHITE, BLACK = (255, 255, 255), (0, 0, 0)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        (WHITE, BLACK, 21),
        (WHITE, WHITE, 1),
        # The known limit of grey on white, by WCAG.
        ((0x76, 0x76, 0x76), WHITE, 4.54),
        ((0x77, 0x77, 0x77), WHITE, 4.48),
        ((255, 0, 0), WHITE, 4.0),
    ],
)
def test_contrast_is_that_of_wcag(one: Color, other: Color, ratio: float) -> None:
    assert colors.contrast(one, other) == pytest.approx(ratio, abs=0.01)
    assert colors.contrast(other, one) == colors.contrast(one, other)


def test_shown_contrast_never_reads_as_enough_when_it_is_not() -> None:
    assert [colors.shown_contrast(found) for found in (4.499, 4.5, 21.0)] == ["4.4", "4.5", "21.0"]


@pytest.mark.parametrize("color", [WHITE, BLACK, (10, 92, 54), (255, 0, 0), (1, 2, 3), (59, 130, 246)])
def test_oklch_and_back_is_the_same_color(color: Color) -> None:
    assert colors.rgb(*colors.oklch(color)) == color


@pytest.mark.parametrize("color", [(59, 130, 246), (255, 230, 0), (127, 209, 168), WHITE, BLACK])
def test_readable_shade_is_the_first_that_passes(color: Color) -> None:
    light, dark = colors.tokens()

    for ground, is_darker in ((light["sunk"], True), (dark["sunk"], False)):
        shade = colors.readable_shade(color, [ground], darker=is_darker)
        assert 4.5 <= colors.contrast(shade, ground) < 4.8 or shade == color


def test_only_six_digits_are_a_color() -> None:
    assert colors.parse_hex("#0a5c36") == (10, 92, 54)
    assert [colors.parse_hex(text) for text in ("", "0a5c36", "#0a5c3", "#0a5c366", "#0A5C36", "#0g5c36", "red")] == [
        None
    ] * 7
    assert colors.as_hex((10, 92, 54)) == "#0a5c36"

"""Figures hold what they were given, in the fixed colours, which a reader with any colour vision can tell apart."""

import itertools
import re
from pathlib import Path

import matplotlib
import pytest

from amp_helpers import plots
from amp_helpers.formats import FORMATS

ROOT = Path(__file__).parents[1]


pytestmark = pytest.mark.usefixtures("book_style")


def test_style_is_found_and_used():
    assert matplotlib.rcParams["axes.spines.top"] is False


def test_field_widths_draws_every_bit():
    ax = plots.field_widths(["bfloat16", "float8_e8m0fnu"])
    bars = [(bar.get_x(), bar.get_width()) for bar in ax.patches if bar.get_width()]
    assert bars == [(0, 1), (1, 8), (9, 7), (0, 8)]  # E8M0 has neither sign nor fraction
    assert [label.get_text() for label in ax.get_yticklabels()] == ["bfloat16", "float8_e8m0fnu"]


def test_field_widths_of_an_unknown_format():
    with pytest.raises(ValueError, match="unknown format 'float17'"):
        plots.field_widths(["float17"])


def test_gaps_draws_the_series_on_given_axes():
    _, ax = matplotlib.pyplot.subplots()
    assert plots.gaps({"float16": ([1.0, 2.0], [0.5, 1.0])}, ax=ax) is ax
    (line,) = ax.lines
    assert line.get_xydata().tolist() == [[1.0, 0.5], [2.0, 1.0]]
    assert line.get_color() == plots.DTYPE_STYLE["float16"]["color"]


def test_every_dtype_has_a_marker_of_its_own():
    markers = [style["marker"] for style in plots.DTYPE_STYLE.values()]
    assert len(set(markers)) == len(markers)
    assert set(plots.DTYPE_STYLE) <= set(FORMATS)


def linear(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def lab(rgb):
    """CIE L*a*b* of linear sRGB (D65), from the standard's definition."""
    matrix = [(0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)]
    xyz = [sum(m * c for m, c in zip(row, rgb, strict=True)) for row in matrix]
    f = [t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (xyz[0] / 0.9505, xyz[1], xyz[2] / 1.089)]
    return 116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])


#: Linear-RGB simulation of full protanopia and deuteranopia (Machado, Oliveira and Fernandes, 2009, severity 1.0).
VISIONS = {
    "usual": [(1, 0, 0), (0, 1, 0), (0, 0, 1)],
    "protanopia": [(0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)],
    "deuteranopia": [(0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)],
}


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize(
    "palette", [{k: v["color"] for k, v in plots.DTYPE_STYLE.items()}, plots.FIELD_COLORS], ids=["dtypes", "fields"]
)
def test_colors_can_be_told_apart(palette, vision):
    seen = {}
    for name, color in palette.items():
        rgb = linear(color)
        seen[name] = lab([max(0.0, sum(m * c for m, c in zip(row, rgb, strict=True))) for row in VISIONS[vision]])
    for a, b in itertools.combinations(seen, 2):
        distance = sum((x - y) ** 2 for x, y in zip(seen[a], seen[b], strict=True)) ** 0.5
        assert distance > 10, f"{a} and {b} look alike ({distance:.1f})"


def test_field_colors_are_the_same_in_the_style_sheet():
    light = re.search(
        r'data-theme="light"\] \{(.*?)\}', (ROOT / "book/assets/book.css").read_text(encoding="utf8"), re.S
    )[1]
    for field, color in plots.FIELD_COLORS.items():
        assert f"--amp-{field}: {color};" in light

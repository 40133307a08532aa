"""Figures are true to size, with real text in one font; layers are shades of their network, controls gray and dashed."""

import io
import re
from dataclasses import replace

import pytest
from fontTools.ttLib import TTFont
from PIL import Image
from tests import made_up_runs

from netdissect.concepts import Concept, Vocabulary
from netdissect.errors import FolderTakenError, SettingsError
from netdissect.report import figures
from netdissect.report.figures import emergence_graph, figure_fonts, network_bars, run_figures, style
from netdissect.report.figures.bargraph import ConceptBar, divide_bars
from netdissect.report.figures.series import style_series
from netdissect.results.compared import count_for_comparison
from netdissect.results.controls import ControlLayer, ControlRun

pytestmark = pytest.mark.usefixtures("real_figures")

INCHES = {"column": (3.25, 7), "text": (5.5, 8), "slide": (10.0, 14)}


@pytest.fixture(scope="module")
def run():
    result, _ = made_up_runs.make_run((24, 60), trusted=True)
    first = next(iter(result.layers))
    found = ControlLayer(5, 24, 3, 1.0, 1.0)
    return replace(result, controls=(ControlRun("random weights", "untrained", "0" * 16, 0.04, {first: found}),))


@pytest.mark.parametrize("width", INCHES)
def test_all_figures_of_a_run_have_one_width_and_one_size_of_letters(run, tmp_path, width):
    inches, letters = INCHES[width]
    paths = run_figures.write_run_figures(run, tmp_path, width)
    assert {path.stem for path in paths} >= {"layers", "detectors", "scores", "emergence", "block1-conv-concepts"}
    for path in paths:
        svg = path.read_text(encoding="utf-8")
        points = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', svg).group(1))
        assert points / 72 == pytest.approx(inches, abs=1e-3), path.name
        assert {float(size) for size in re.findall(r"font(?:-size)?: (?:bold |700 )?([\d.]+)px", svg)} == {letters}, (
            path.name
        )
        box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", path.with_suffix(".pdf").read_bytes())
        assert float(box.group(1)) / 72 == pytest.approx(inches, abs=1e-3)
        with Image.open(path.with_suffix(".png")) as image:
            assert image.width == round(inches * 200)


def test_text_is_text_in_the_bundled_font(run, tmp_path):
    figures.draw_layer_graph(run.detectors(0.04), tmp_path / "layers.svg")
    svg, pdf = (tmp_path / "layers.svg").read_text(encoding="utf-8"), (tmp_path / "layers.pdf").read_bytes()
    assert "share of the layer’s units" in svg
    assert svg.count("<text") == svg.count("'Netdissect Sans', 'Source Sans 3'") > 5
    assert svg.count("@font-face") == 1 and "data:font/woff2;base64," in svg
    assert b"NetdissectSans-Regular" in pdf and b"/Type3" not in pdf


def test_the_bundled_font_has_the_signs_of_all_figures():
    for name in figure_fonts._FILES:
        data = (figure_fonts.resources.files(figure_fonts.__package__) / "fonts" / name).read_bytes()
        known = TTFont(io.BytesIO(data)).getBestCmap()
        assert not [sign for sign in "±×−–…’αβκ≥≤■%éčßЖ" if ord(sign) not in known], name


def test_a_width_that_there_is_not_is_refused(run, tmp_path):
    with pytest.raises(SettingsError, match="--width must be column or text or slide, not 'page'"):
        figures.draw_layer_graph(run.detectors(0.04), tmp_path / "layers.svg", width="page")
    assert not list(tmp_path.iterdir())


def test_figures_are_not_written_among_files_of_others(run, tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/layers.svg").write_text("mine")
    with pytest.raises(FolderTakenError, match=r"layers.svg was not written by netdissect: move it"):
        run_figures.write_run_figures(run, tmp_path, "text")
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["layers.svg"]


def test_layers_are_shades_of_one_hue_and_controls_are_gray_and_dashed():
    first, second, last, other, control = style_series(
        [("net", False), ("net", False), ("net", False), ("other", False), ("random", True)]
    )

    def measure(color):
        return sum(int(color[at : at + 2], 16) for at in (1, 3, 5))

    assert measure(first.color) > measure(second.color) > measure(last.color)
    assert other.color not in {first.color, second.color, last.color} and other.dashes == "-"
    assert control.color == style.SOFT and control.dashes != "-"


def test_bars_that_do_not_fit_go_on_in_the_next_line():
    bars = [ConceptBar("object", f"o{n}", 1, None) for n in range(3)] + [ConceptBar("part", "p", 1, None)]
    assert [[bar.concept for bar in line] for line in divide_bars(bars, 4)] == [["o0", "o1", "o2"], ["p"]]
    assert divide_bars([], 4) == [[]]


def make_entry(network, layer, concepts, *, is_control=False):
    words = Vocabulary(("object",), tuple(Concept(n + 1, f"c{n}", "object") for n in range(9)))
    result, _ = made_up_runs.make_run((4,), 9, words=words)
    entry = count_for_comparison(f"{network} {layer}", network, layer, result[0].units, 0.04, "label")
    return replace(entry, unique={"object": concepts}, is_control=is_control)


def test_layers_of_a_network_stay_in_order_and_controls_come_last():
    entries = [
        make_entry("random", "a", 90, is_control=True), make_entry("small", "a", 3), make_entry("small", "b", 1),
        make_entry("large", "a", 2), make_entry("large", "b", 9),
    ]  # fmt: skip
    assert [entry.name for entry in network_bars.sort_entries(entries)] == [
        "large a", "large b", "small a", "small b", "random a",
    ]  # fmt: skip


def test_emergence_counts_the_units_of_every_concept_in_every_layer(run):
    found = emergence_graph.find_emergence(run, 0.04)
    for at, (name, detectors) in enumerate(run.detectors(0.04).items()):
        assert {(item.category, item.name): item.units[at] for item in found if item.units[at]} == detectors.concepts
        rows = {row.label: row.score for row in reversed(list(run[name].units))}  # best score first
        assert all(item.scores[at] == rows[item.name] for item in found if item.units[at])
    firsts = [next(at for at, units in enumerate(item.units) if units) for item in found]
    assert firsts == sorted(firsts)

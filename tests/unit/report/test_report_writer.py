import dataclasses
import html
import json
import re

import numpy as np
import pytest
from PIL import Image
from tests import made_up_runs

from netdissect import report
from netdissect.concepts import Concept, Vocabulary
from netdissect.errors import DataNotFoundError
from netdissect.protocols import NullProgress
from netdissect.report.html import script_data


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    result, probe_set = made_up_runs.make_run((24, 40))
    report.write_report(result, folder, probe_set, NullProgress(), single_file=True, classic=True)
    return result, folder


def test_the_report_has_the_released_codes_file_names(drawn):
    result, folder = drawn
    pages = folder / "html"
    for layer in result.layers.values():
        stem = layer.layer.file_stem
        assert (pages / f"{stem}.html").is_file()
        assert (pages / "image" / f"{stem}-bargraph.svg").is_file()
        for channel in range(layer.layer.units):
            assert (pages / "image" / f"{stem}-{channel:04d}.jpg").is_file()
    assert (pages / "index.html").is_file()
    assert (pages / "image" / "layer-graph.svg").is_file()


def test_every_file_the_page_links_to_is_there(drawn):
    _, folder = drawn
    page = folder / "html" / "index.html"
    links = [html.unescape(link) for link in re.findall(r'href="([^"#]+)"', page.read_text())]
    written = [link for link in links if not link.endswith("-result.csv")]  # the tables are the run's own
    assert len(written) >= 3 + 4 * 2
    for link in written:
        assert (page.parent / link).is_file(), link
    assert {f"../block{n}-conv-result.csv" for n in (1, 2)} <= set(links)
    assert "-result.csv" not in (folder / "report.html").read_text()


def test_a_layer_page_has_the_released_codes_headline(drawn):
    result, folder = drawn
    for layer in result.layers.values():
        found = layer.detectors(0.04)
        text = (folder / "html" / f"{layer.layer.file_stem}.html").read_text()
        assert f"{found.units}/{layer.layer.units} units covering {found.unique} concepts with IoU ≥ 0.04" in text


def test_a_strip_has_a_fifth_of_its_brightness_outside_the_mask(drawn):
    result, folder = drawn
    layer = next(iter(result.layers.values()))
    image = folder / "html" / "image"
    with Image.open(image / f"{layer.layer.file_stem}-0003.jpg") as opened:
        strip = np.array(opened, float)
    with Image.open(image / "probe" / f"{layer.exemplars.images[3, 0]:06d}.jpg") as opened:
        tile = np.array(opened.resize((112, 112)), float)
    ratio = strip[:, :112].sum(2) / tile.sum(2).clip(1)
    inside, outside = ratio > 0.6, ratio < 0.4
    assert 0.02 < inside.mean() < 0.9
    assert abs(np.median(ratio[outside]) - 0.2) < 0.03
    assert abs(np.median(ratio[inside]) - 1) < 0.05


def test_the_numbers_in_the_page_are_those_of_the_result(drawn):
    result, folder = drawn
    _, facts, arrays = script_data.unpack_script((folder / "html/data/run.js").read_text())
    assert facts["categories"] == ["object", "scene", "part", "material", "texture", "color"]
    for number, layer in enumerate(result.layers.values()):
        units, kinds = layer.layer.units, len(facts["categories"])
        column, score, best = (arrays[f"{number}.{name}"] for name in ("column", "score", "best"))
        for row in layer.units:
            u = row.channel
            assert facts["concepts"][column[u, best[u]]] == row.label
            assert score[u, best[u]] == row.score
            for entry in row.profile:
                kind = facts["categories"].index(entry.category)
                assert score[u, kind] == entry.iou
        assert column.shape == (units, kinds)
        _, _, counts = script_data.unpack_script((folder / f"html/data/layer-{number}-counts.js").read_text())
        np.testing.assert_array_equal(counts["I"], layer.counts.I)
        kind_of = arrays["category"]
        np.testing.assert_array_equal(counts["A"][:, kind_of], layer.counts.A)
        np.testing.assert_array_equal(arrays["G"], layer.counts.G)
        second = np.sort(layer.iou, axis=1)[:, -2]
        np.testing.assert_array_equal(arrays[f"{number}.nextScore"], second)


def test_every_unit_finds_its_grids(drawn):
    result, folder = drawn
    _, facts, _ = script_data.unpack_script((folder / "html/data/run.js").read_text())
    for number, layer in enumerate(result.layers.values()):
        _, _, arrays = script_data.unpack_script((folder / f"html/data/layer-{number}.js").read_text())
        each = facts["layers"][number]["unitsPerFile"]
        for place, unit in enumerate(arrays["rank"]):
            _, _, grids = script_data.unpack_script(
                (folder / f"html/data/layer-{number}-masks-{place // each}.js").read_text()
            )
            np.testing.assert_array_equal(grids["codes"][place % each] >= 128, layer.exemplars.grids[unit] > 0)


def test_nothing_is_loaded_from_outside_and_nothing_runs_inline(drawn):
    _, folder = drawn
    for page in folder.rglob("*.html"):
        text = html.unescape(page.read_text())
        assert "default-src 'none'" in text
        # Data blocks of a single file are never executed, and long: leave them out.
        shell = re.sub(r'<script type="(?:application/json|text/plain)".*?</script>', "", text, flags=re.DOTALL)
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", shell)
        assert not re.search(r"\son\w+=|\sstyle=", shell)
        assert "unsafe" not in shell
        if page.name != "report.html":
            assert not re.search(r"<script(?![^>]*\ssrc=)", shell)
    for script in folder.rglob("app/*"):
        if script.suffix in (".js", ".css"):
            assert not re.search(r"https?://|eval\(|innerHTML|new Function", script.read_text())


def test_names_with_markup_are_written_as_text(tmp_path):
    nasty = "<script>alert(1)</script>\u2028</script>\"'&"
    words = Vocabulary(("object", "<b>kind"), (Concept(1, nasty, "object"), Concept(2, "plain", "<b>kind")))
    result, probe_set = made_up_runs.make_run(
        (5,), 2, words=words, name=f"net {nasty}", layer_names=(f"layer {nasty}",), pictures=12
    )
    result = dataclasses.replace(result, image_names=dict.fromkeys(result.image_names, f"dir/{nasty}.jpg"))
    report.write_report(result, tmp_path, probe_set, NullProgress(), single_file=True)
    for path in tmp_path.rglob("*"):
        if path.suffix in (".html", ".js") and path.parent.name != "app":
            text = path.read_text()
            assert "<script>alert" not in text
            assert "\u2028" not in text or path.suffix == ".html"


def test_a_report_is_redrawn_without_the_probe_set(tmp_path):
    result, probe_set = made_up_runs.make_run((6,), 8, pictures=12)
    report.write_report(result, tmp_path, probe_set, NullProgress())
    before = {path: path.read_bytes() for path in (tmp_path / "html").rglob("*") if path.is_file()}
    report.write_report(result, tmp_path, made_up_runs.MissingProbeSet(), NullProgress())
    after = {path: path.read_bytes() for path in (tmp_path / "html").rglob("*") if path.is_file()}
    assert before == after


def test_missing_images_are_named_in_one_sentence(tmp_path):
    result, _ = made_up_runs.make_run((6,), 8, pictures=12)
    with pytest.raises(DataNotFoundError, match="put the probe set back"):
        report.write_report(result, tmp_path, made_up_runs.MissingProbeSet(), NullProgress())


def test_cached_images_of_another_probe_set_are_not_used(tmp_path):
    result, probe_set = made_up_runs.make_run((6,), 8, pictures=12)
    report.write_report(result, tmp_path, probe_set, NullProgress())
    other = dataclasses.replace(result, probe_set=dataclasses.replace(result.probe_set, fingerprint="e" * 64))
    with pytest.raises(DataNotFoundError, match=r"made/up_00000\.jpg is needed .* made-up"):
        report.write_report(other, tmp_path, made_up_runs.MissingProbeSet(), NullProgress())


def test_a_report_of_one_unit_without_exemplars_is_written(tmp_path):
    """One unit, one concept, no exemplars, nothing detected."""
    words = Vocabulary(("object",), (Concept(1, "thing", "object"),))
    result, probe_set = made_up_runs.make_run((1,), 1, words=words, exemplars=0, pictures=4)
    layer = next(iter(result.layers.values()))
    layer.counts.I[:] = 0
    report.write_report(result, tmp_path, probe_set, NullProgress(), single_file=True, classic=True)
    assert json.loads((tmp_path / "html/image/probe/probe-set.json").read_text())["name"] == "made-up"
    assert "<figure" in (tmp_path / "html/block1-conv.html").read_text()
    assert "-0000.jpg" not in (tmp_path / "html/block1-conv.html").read_text()


def test_a_large_image_is_cached_smaller(tmp_path):
    import io

    result, probe_set = made_up_runs.make_run((2,), 4, pictures=3, exemplars=2, input_size=112)

    class Large(made_up_runs.MadeUpProbeSet):
        def read_image_file(self, row):
            out = io.BytesIO()
            Image.new("RGB", (3000, 1500), (row, 9, 9)).save(out, format="PNG")
            return out.getvalue()

    report.write_report(
        result, tmp_path, Large(probe_set.vocabulary, probe_set.size, probe_set.label_size), NullProgress()
    )
    for path in (tmp_path / "html/image/probe").glob("*.jpg"):
        with Image.open(path) as opened:
            assert opened.size == (640, 320)


def test_images_that_were_left_out_are_listed_with_their_reasons(tmp_path):
    result, probe_set = made_up_runs.make_run((3,), 6, pictures=8)
    report.write_report(result, tmp_path, probe_set, NullProgress())
    assert "could not be read" not in (tmp_path / "html" / "index.html").read_text()
    skipped = {f"dir/<{n}>.jpg": f"image {n} does not decode" for n in range(3)}
    result = dataclasses.replace(result, journal={**result.journal, "skipped_images": skipped})
    report.write_report(result, tmp_path, probe_set, NullProgress(), classic=True)
    page = (tmp_path / "html" / "index.html").read_text()
    assert "3 images could not be read and were left out" in page
    for name, why in skipped.items():
        assert f"<b>{html.escape(name)}</b> {why}" in page
    assert "3 images could not be read" in (tmp_path / "html" / "block1-conv.html").read_text()
    many = {f"street/{n:03d}.jpg": "image x does not decode: <b>cut short</b>" for n in range(201)}
    report.write_report(
        dataclasses.replace(result, journal={**result.journal, "skipped_images": many}), tmp_path / "many", probe_set,
        NullProgress(), single_file=True,
    )  # fmt: skip
    for file in ("html/index.html", "report.html"):
        page = (tmp_path / "many" / file).read_text()
        assert "201 images could not be read and were left out" in page
        assert "<b>street/007.jpg</b> image x does not decode: &lt;b&gt;cut short&lt;/b&gt;" in page
        assert "street/200.jpg" not in page
        assert "The others are in run.json" in page
    report.write_model_card(result, tmp_path)
    assert "3 images could not be read and were left out." in (tmp_path / "model-card.md").read_text()


def test_the_head_says_network_probe_set_settings_date_and_versions(drawn):
    result, folder = drawn
    page = (folder / "html" / "index.html").read_text()
    head = page[page.index('id="about"') : page.index("</section>", page.index('id="about"'))]
    for words in (
        "made-up, 1,000 images",
        "112 × 112",
        "0.005, exact",
        "0.04",
        "2026-01-01, netdissect 0.1.0",
    ):
        assert words in head
    assert "unique concepts" in page
    assert "by category" in page
    assert f"network {result.network.fingerprint[:16]}" in page


def test_notes_are_on_the_page(tmp_path):
    result, probe_set = made_up_runs.make_run((4,), 9, pictures=12, exemplars=2)
    note = "images of 96 x 96 are scaled to 32 x 32"
    (name, entry), *_ = result.layers.items()
    layers = {name: dataclasses.replace(entry, layer=dataclasses.replace(entry.layer, note="class token <left> out"))}
    result = dataclasses.replace(result, layers=layers, journal={**result.journal, "notes": [note]})
    report.write_report(result, tmp_path, probe_set, NullProgress(), classic=True)
    assert f"<dt>Note</dt><dd>{note}</dd>" in (tmp_path / "html/index.html").read_text()
    page = (tmp_path / f"html/{entry.layer.file_stem}.html").read_text()
    assert "Note: class token &lt;left&gt; out." in page


def list_classic_files(result):
    stems = [layer.layer.file_stem for layer in result.layers.values()]
    strips = [
        f"html/image/{stem}-{channel:04d}.jpg"
        for stem, layer in zip(stems, result.layers.values(), strict=True)
        for channel in range(layer.layer.units)
    ]
    return {*strips, *(f"html/{stem}.html" for stem in stems), "html/app/layer.css"}


def list_files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_released_codes_pages_are_written_only_if_they_are_asked_for(tmp_path):
    result, probe_set = made_up_runs.make_run((4, 6), 9, pictures=12)
    report.write_report(result, tmp_path, probe_set, NullProgress())
    plain = list_files(tmp_path)
    assert not plain & list_classic_files(result)
    index = (tmp_path / "html/index.html").read_text()
    assert "a strip per unit" not in index
    assert '<a href="../block1-conv-result.csv">block1/conv</a>' in index  # without scripts
    assert not report.has_report(tmp_path, result)
    report.write_report(result, tmp_path, probe_set, NullProgress(), classic=True)
    assert list_files(tmp_path) == plain | list_classic_files(result)
    assert report.has_report(tmp_path, result)
    assert '<a href="block1-conv.html">a strip per unit</a>' in (tmp_path / "html/index.html").read_text()


def test_a_redrawn_report_keeps_the_released_codes_pages_or_removes_them_and_nothing_else(tmp_path):
    result, probe_set = made_up_runs.make_run((4,), 9, pictures=12)
    asked = dataclasses.replace(result, settings=dataclasses.replace(result.settings, classic=True))
    report.write_report(asked, tmp_path, probe_set, NullProgress())
    (tmp_path / "html/image/block1-conv-0004.jpg").write_bytes(b"of somebody else: the layer has 4 units")
    (tmp_path / "html/block1-conv.html").write_text("old")
    report.write_report(result, tmp_path, probe_set, NullProgress())
    assert "units covering" in (tmp_path / "html/block1-conv.html").read_text()
    assert list_classic_files(result) <= list_files(tmp_path)
    report.write_report(result, tmp_path, probe_set, NullProgress(), classic=False)
    assert not list_classic_files(result) & list_files(tmp_path)
    assert (tmp_path / "html/image/block1-conv-0004.jpg").is_file()

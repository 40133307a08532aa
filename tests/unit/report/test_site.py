"""A published report: what a browser loads and nothing else, in a folder of its own."""

import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image
from tests import made_up_runs

from netdissect import report
from netdissect.errors import DataNotFoundError, FolderTakenError, SettingsError
from netdissect.protocols import NullProgress
from netdissect.report import site
from netdissect.report.link_preview import summarize_run
from netdissect.results.detectors import format_deviation

pytestmark = pytest.mark.usefixtures("real_figures")

ADDRESS = "https://name.github.io/nets"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    result, probe_set = made_up_runs.make_run((24, 40), trusted=True, grouped=True)
    report.write_report(result, folder, probe_set, NullProgress(), single_file=True, classic=True)
    return result, folder / "html", probe_set


def list_files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_site_has_what_the_page_loads_and_no_strips_tables_or_figures(drawn, tmp_path):
    result, html, probe_set = drawn
    index = site.publish_report(result, html, tmp_path / "site", probe_set.read_image_file, ADDRESS)
    assert index == tmp_path / "site/index.html"
    files = list_files(tmp_path / "site")
    own = {"index.html", "preview.png", "robots.txt", ".nojekyll", "netdissect-site.json"}
    assert own <= files
    for name in files - own:
        assert (tmp_path / "site" / name).read_bytes() == (html / name).read_bytes()
    assert {f"data/labels/{row:06d}.js" for row in result.image_names} <= files
    assert {f"image/probe/{row:06d}.jpg" for row in result.image_names} <= files
    left = list_files(html) - files
    assert {"block1-conv.html", "image/block1-conv-0003.jpg", "image/layer-graph.svg"} <= left
    text = index.read_text()
    links = re.findall(r'(?:href|src)="([^"#]+)"', text)
    assert links
    for link in links:
        assert (tmp_path / "site" / link).is_file(), link


def test_a_site_names_its_preview_by_its_address(drawn, tmp_path):
    result, html, probe_set = drawn
    text = site.publish_report(result, html, tmp_path / "site", probe_set.read_image_file, ADDRESS).read_text()
    assert f'<meta property="og:image" content="{ADDRESS}/preview.png">' in text
    assert f'<meta property="og:url" content="{ADDRESS}/">' in text
    assert f'<meta property="og:description" content="{summarize_run(result)}">' in text
    assert '<meta property="og:title" content="made-up, dissected">' in text
    assert "default-src 'none'" in text.replace("&#39;", "'")
    with Image.open(tmp_path / "site/preview.png") as image:
        assert image.size == (1200, 630)
        assert len(np.unique(np.array(image.convert("RGB"))[300:450].reshape(-1, 3), axis=0)) > 5000


def test_the_preview_says_what_the_last_layer_detects(drawn):
    result, _, _ = drawn
    found, spread = result[-1].detectors(), result[-1].count_spread()
    said = summarize_run(result)
    assert said.startswith(
        f"{found.units} ± {format_deviation(spread.units_sd)} of 40 units of block2/conv detect {found.unique} concepts"
    )


def test_publishing_again_removes_what_the_site_no_longer_has_and_nothing_else(drawn, tmp_path):
    result, html, probe_set = drawn
    out = tmp_path / "site"
    shutil.copytree(html, tmp_path / "html")
    site.publish_report(result, tmp_path / "html", out, probe_set.read_image_file)
    (out / "CNAME").write_text("of the user")
    (tmp_path / "html/data/atlas.js").unlink(missing_ok=True)
    (tmp_path / "html/data/layer-1-counts.js").unlink()
    site.publish_report(result, tmp_path / "html", out, probe_set.read_image_file)
    assert not (out / "data/layer-1-counts.js").exists()
    assert (out / "CNAME").read_text() == "of the user"
    assert (out / "data/run.js").is_file()


def test_a_folder_that_holds_something_else_is_left_alone(drawn, tmp_path):
    result, html, probe_set = drawn
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(
        FolderTakenError, match=r"holds thesis\.tex and is not the folder of a published report: .* --publish"
    ):
        site.publish_report(result, html, tmp_path, probe_set.read_image_file)
    assert list_files(tmp_path) == {"thesis.tex"}
    with pytest.raises(DataNotFoundError, match="expected a report to publish"):
        site.publish_report(result, tmp_path, tmp_path / "new", probe_set.read_image_file)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "address", ["name.github.io", "ftp://a/b", "https://", "https://a/?q=1", "https://[", "https://a/\nb"]
)
def test_an_address_that_is_no_url_of_a_site_is_refused(drawn, tmp_path, address):
    result, html, probe_set = drawn
    with pytest.raises(SettingsError, match="--address takes the URL of a site"):
        site.publish_report(result, html, tmp_path / "site", probe_set.read_image_file, address)
    assert not (tmp_path / "site").exists()


def test_a_preview_without_images_has_words_only():
    result, _ = made_up_runs.make_run((4,), 9, pictures=12)
    from netdissect.report.link_preview import draw_preview

    with Image.open(io.BytesIO(draw_preview(result, lambda _: None))) as image:
        assert image.size == (1200, 630)

"""What is sent to others: citation, BibTeX, the image of a unit, prints with every image."""

import io

import pytest
from PIL import Image

from netdissect.results.citation import format_bibtex, format_citation

LAYER = "block2/conv"


def address(unit, rest=""):
    return f"#/unit/block2%2Fconv/{unit}{rest}"


def test_the_share_dialog_cites_the_unit_as_python_does_and_its_link_names_no_folder(visiting, drawn):
    result, folder = drawn
    visit = visiting(permissions=["clipboard-read", "clipboard-write"])
    visit.open(folder / "html/index.html", address(7))
    visit.page.locator("#share-open").click()
    cited = format_citation(result, LAYER, 7).replace('"', "“", 1).replace('"', "”", 1)
    assert visit.page.locator("#share .share-text").inner_text().split("\n") == [cited, f"index.html{address(7)}"]
    visit.page.get_by_role("button", name="Copy citation").last.click()
    visit.page.wait_for_function("() => document.getElementById('announcement').textContent === 'Copied'")
    assert visit.page.evaluate("navigator.clipboard.readText()") == f"{cited}\nindex.html{address(7)}"
    assert visit.page.locator("#share pre").text_content() == format_bibtex(result)
    visit.page.keyboard.press("d")  # no shortcut of the page below
    assert visit.page.evaluate("document.documentElement.dataset.theme") == "light"
    visit.page.keyboard.press("Escape")
    visit.page.locator("#share").wait_for(state="hidden", timeout=3000)
    assert visit.page.evaluate("location.hash") == address(7)


@pytest.mark.parametrize(
    ("view", "says"),
    [
        ("#/", "over 1,000 images of made-up"),
        ("#/layer/block2%2Fconv", "block2/conv, "),
        ("#/concept/3/sheep", "“sheep”"),
    ],
)
def test_every_page_is_cited(visit, drawn, view, says):
    result, folder = drawn
    visit.open(folder / "html/index.html", view)
    visit.page.locator("#share-open").click()
    cited = visit.page.locator("#share .share-text").inner_text().split("\n")[0]
    assert cited.startswith(f"{result.network.name} {says}")
    assert cited.endswith(
        f"(netdissect 0.1.0, net {result.network.fingerprint[:8]}, set {result.probe_set.fingerprint[:8]})"
    )


def test_the_single_file_saves_the_image_of_a_unit(visiting, drawn):
    visit = visiting()
    visit.open(drawn[1] / "report.html", address(5))
    visit.page.locator("#share-open").click()
    save = visit.page.get_by_role("button", name="Save image")
    visit.page.wait_for_function("() => !document.querySelector('.share-image + .share-buttons button').disabled")
    with visit.page.expect_download() as download:
        save.click()
    assert download.value.suggested_filename == f"{drawn[0].network.name} block2-conv 5.png"
    with Image.open(io.BytesIO(download.value.path().read_bytes())) as image:
        assert image.size == (1200, 630)
        middle = image.convert("RGB").crop((56, 240, 1144, 420))
        assert len(middle.getcolors(10**6)) > 5000  # photographs, not an empty frame


def test_a_folder_on_disk_shows_the_image_of_a_unit_and_says_where_it_is_saved(visit, drawn):
    visit.open(drawn[1] / "html/index.html", address(5))
    visit.page.locator("#share-open").click()
    visit.page.wait_for_selector("#share .share-image canvas")
    assert "--single-file" in visit.page.locator("#share section .fine").inner_text()
    assert visit.page.get_by_role("button", name="Save image").is_disabled()


COUNTED = """() => {
  const images = [...document.querySelectorAll("main img")].filter((image) => image.getClientRects().length);
  return [images.length, images.filter((image) => image.complete && image.naturalWidth).length];
}"""


@pytest.mark.parametrize("view", ["#/layer/block2%2Fconv", address(4)])
def test_the_print_button_prints_when_every_image_is_there(visit, drawn, view):
    visit.open(drawn[1] / "html/index.html", view)
    visit.page.evaluate(f"() => {{ window.print = () => {{ window.printed = ({COUNTED})(); }}; }}")
    visit.page.locator("#share-open").click()
    visit.page.get_by_role("button", name="Print or PDF").click()
    visit.page.wait_for_function("() => window.printed")
    images, loaded = visit.page.evaluate("window.printed")
    assert images == loaded
    assert images > 10
    if "layer" in view:  # the first sixty cards, each with its masks
        masks = visit.page.evaluate(
            "[...document.querySelectorAll('#cards canvas.masks')].map((canvas) => canvas.width > 300)"
        )
        assert len(masks) == 60
        assert all(masks)
    visit.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert not visit.page.evaluate("document.documentElement.classList.contains('printing')")


def test_the_browsers_own_print_leaves_out_what_is_not_loaded_and_says_so(visit):
    visit.page.emulate_media(media="print")
    images = visit.page.evaluate("""() => {
      window.dispatchEvent(new Event('beforeprint'));
      return [...document.querySelectorAll("main img")].filter((image) => image.getClientRects().length && !image.complete).length;
    }""")
    assert images == 0
    left = visit.page.locator(".not-printed").count()
    assert left > 0
    assert f"{left} cards whose images were not loaded yet are left out" in visit.text("#print-note")
    assert "netdissect 0.1.0, net " in visit.text("#print-foot")
    visit.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert visit.page.locator(".not-printed").count() == 0


def test_the_share_dialog_has_no_accessibility_violation(visit, drawn, axe):
    from tests.browser.conftest import find_violations

    visit.open(drawn[1] / "html/index.html", address(5))
    visit.page.locator("#share-open").click()
    visit.page.wait_for_selector("#share .share-image canvas")
    assert find_violations(axe, visit.page) == []


def test_the_page_of_a_unit_works_in_a_frame_of_a_notebook(visiting, tmp_path):
    from tests import made_up_runs

    from netdissect.analyses.finished_run import equip

    run, probe_set = made_up_runs.make_run((24, 40), 40, pictures=50, grouped=True)

    class ByIndex(made_up_runs.MadeUpProbeSet):
        def __len__(self):
            return 60

        def row(self, index):
            return index

    by_index = ByIndex(probe_set.vocabulary, probe_set.size, probe_set.label_size)
    shown = equip(run, lambda: by_index, None)[LAYER].unit(3).show()
    page = tmp_path / "notebook.html"
    page.write_text(f"<!doctype html><title>notebook</title>{shown._repr_html_()}")
    visit = visiting()
    visit.page.goto(page.as_uri())
    frame = visit.page.frames[1]
    frame.wait_for_function("() => document.documentElement.classList.contains('running')")
    frame.wait_for_function("() => document.querySelectorAll('main img').length > 8")
    assert frame.evaluate("[netdissect.state.view, netdissect.state.unit, location.hash]") == [
        "unit",
        2,
        "#/unit/block2%2Fconv/3",
    ]
    frame.evaluate("netdissect.go({ view: 'layer' })")
    assert frame.evaluate("location.hash") == "#/layer/block2%2Fconv"
    frame.evaluate("history.back()")
    frame.wait_for_function("() => netdissect.state.view === 'unit'")

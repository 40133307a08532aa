"""Panels of other packages, on the pages of a layer and of a unit."""

import pytest
from tests import made_up_runs
from tests.browser.conftest import find_violations, write_report

from netdissect.report import panels
from netdissect.report.panels import PanelContent, ReportPanel, register_report_panel

pytestmark = pytest.mark.browser

NASTY = "<script>alert(1)</script><img src=x onerror=alert(2)>"
#: An image that would run a script and load another image if it were part of the page.
SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" onload="alert(3)"><script>alert(4)</script>
<image href="http://127.0.0.1:9/outside.png"/><rect width="40" height="20" fill="#24633d"/></svg>"""


@pytest.mark.parametrize("file", ["html/index.html", "report.html"])
def test_panels_show_text_tables_and_figures_and_nothing_else(visiting, axe, tmp_path, monkeypatch, file):
    monkeypatch.setattr(panels, "_REGISTRY", {})
    table = [["concept", NASTY], ["tree", 0.25]]
    register_report_panel(
        ReportPanel(
            "nasty", "Title " + NASTY, layer=lambda layer: PanelContent(f"{layer.name} {NASTY}", table, SVG),
            unit=lambda layer, channel: PanelContent(f"channel {channel} of {layer.name}", figure=SVG, alt="green"),
        )
    )  # fmt: skip
    result, probe_set = made_up_runs.make_run((6, 4), 9, pictures=20, layer_names=("conv/a", "conv#b %c"))
    write_report(result, tmp_path, probe_set, single_file=True)
    visit = visiting()
    visit.page.on("dialog", lambda dialog: visit.wrong.append(dialog.message))
    visit.open(tmp_path / file)
    for index, name in enumerate(result.layers):
        visit.page.evaluate(f"netdissect.go({{ view: 'layer', layer: {index} }})")
        visit.page.wait_for_function(f"() => document.querySelector('#panels')?.innerText.includes({name!r})")
        assert NASTY in visit.text("#panels h2")
        assert visit.page.locator("#panels td").all_inner_texts() == ["tree", "0.25"]
        drawn = "() => { const image = document.querySelector('.panel img'); return image.naturalWidth === 40; }"
        visit.page.wait_for_function(drawn)
        visit.page.evaluate("netdissect.go({ view: 'unit', unit: 2 })")
        visit.page.wait_for_selector("#page .panel")
        assert visit.text("#page .panel p") == f"channel 2 of {name}"
        visit.page.wait_for_function(drawn.replace(".panel", "#page .panel"))
        assert visit.page.locator("#page .panel img").get_attribute("alt") == "green"
        assert find_violations(axe, visit.page) == []
    assert visit.page.locator("img[src=x]").count() == 0

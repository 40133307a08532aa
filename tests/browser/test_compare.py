"""The report of several runs."""

import pytest
from tests import made_up_runs

from netdissect import report
from netdissect.experiments.compare_runs import compare
from netdissect.protocols import NullProgress
from netdissect.results import files

pytestmark = pytest.mark.browser

LAYER = "block2/conv"


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three runs, as results, and the folder of their report."""
    folder, results = tmp_path_factory.mktemp("three"), []
    for seed, step in enumerate((1, 5, 20)):
        result, probe_set = made_up_runs.make_run((24, 60), 40, pictures=50, trusted=True, grouped=True, seed=seed)
        path = folder / "runs" / f"epoch_{step}"
        files.save_run(result, path)
        report.write_report(result, path, probe_set, NullProgress())
        results.append(result)
    compare([folder / "runs"]).write_page(folder / "out")
    return results, folder / "out"


def test_every_run_has_its_pages_and_a_switch_goes_to_the_same_place(visiting, three):
    results, folder = three
    visit = visiting()
    visit.open(folder / "index.html", "#/unit/block2%2Fconv/7")
    for number, result in enumerate(results, 1):
        visit.page.locator("#run-switch").select_option(str(number))
        visit.page.wait_for_function(f"() => window.netdissect && netdissect.currentRun === {number} && netdissect.run")
        visit.page.wait_for_selector(".running")
        assert visit.page.evaluate("location.hash") == "#/unit/block2%2Fconv/7"
        expected = result.layers[LAYER].label_scores.tolist()
        assert visit.page.evaluate("[...netdissect.run.layers[1].labelScore]") == expected
        assert visit.page.evaluate("netdissect.loadLayer(netdissect.run.layers[1]).then((layer) => [...layer.T])") == [
            float(threshold) for threshold in result.layers[LAYER].thresholds
        ]
        visit.page.wait_for_function("() => [...document.images].some((image) => image.naturalWidth > 0)")
    visit.page.go_back()
    visit.page.wait_for_function("() => window.netdissect && netdissect.currentRun === 2 && netdissect.run")
    assert visit.page.locator("#run-switch").input_value() == "2"


def test_the_report_of_one_run_has_no_switch(visit):
    assert visit.page.locator("#run-switch").count() == 0

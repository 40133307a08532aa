"""The report of a run whose units are not labeled by IoU shows its own score, under its title."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests import made_up_runs
from tests.browser.conftest import write_report
from tests.browser.test_pages import unit_address

from netdissect.results.scores import ScoreTable


def test_pages_show_the_runs_own_score(visit, tmp_path):
    run, probe_set = made_up_runs.make_run((12,), 10, pictures=20)
    layer = run[0]
    layer = replace(layer, score_table=ScoreTable("Coverage", layer.counts.I / layer.counts.G))
    run = replace(run, layers={layer.name: layer}, settings=replace(run.settings, score="coverage"))
    write_report(run, tmp_path, probe_set)
    best = layer.units[0]

    visit.open(tmp_path / "html/index.html")
    assert "Coverage ≥" in visit.page.locator("body").inner_text()
    assert "IoU" not in visit.page.locator("body").inner_text()

    visit.open(tmp_path / "html/index.html", unit_address(layer.name, best.unit))
    visit.page.wait_for_selector("table.profile tbody tr")
    heads = visit.page.locator("table.profile th[scope=col]").all_inner_texts()
    assert heads == ["Concept", "Coverage", "IoU", "Mask and label"]
    scores = np.sort(layer.scores[best.channel])[::-1][:8]
    shown = visit.page.locator("table.profile tbody td.iou").all_inner_texts()
    assert [round(float(text), 3) for text in shown] == [round(float(score), 3) for score in scores if score > 0]

"""Panels that other packages add to the report."""

import logging
import sys
from importlib import metadata

import pytest
from tests import made_up_runs

from netdissect import report
from netdissect.errors import SettingsError
from netdissect.protocols import NullProgress
from netdissect.report import panels
from netdissect.report.html import script_data
from netdissect.report.panels import PanelContent, ReportPanel, register_report_panel

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(panels, "_REGISTRY", {})


def write(folder):
    result, probe_set = made_up_runs.make_run((3,), 6, pictures=12)
    report.write_report(result, folder, probe_set, NullProgress(), single_file=True)
    path = folder / "html/data/layer-0-panels.js"
    return script_data.unpack_script(path.read_text())[1] if path.exists() else None


def test_a_panel_is_added_to_the_pages_of_a_layer_and_of_each_unit(tmp_path):
    def show_layer(layer):
        return PanelContent("words", [["unit", "IoU"], [1, 0.123456]], SVG, "a square")

    def show_unit(layer, channel):
        return PanelContent(text=f"channel {channel}", figure=SVG) if channel else None

    register_report_panel(ReportPanel("test", "Test", layer=show_layer, unit=show_unit))
    found = write(tmp_path)
    figure = "image/panels/block1-conv-test.svg"
    assert found["layer"] == [
        {"title": "Test", "text": "words", "table": [["unit", "IoU"], ["1", "0.1235"]], "figure": figure, "alt": "a square"}
    ]  # fmt: skip
    assert [[panel["text"] for panel in unit] for unit in found["units"]] == [[], ["channel 1"], ["channel 2"]]
    assert (tmp_path / "html" / figure).read_bytes() == SVG
    assert (tmp_path / "html/image/panels/block1-conv-test-0002.svg").is_file()
    assert (tmp_path / "report.html").read_text().count('id="image/panels/') == 3
    panels._REGISTRY.clear()
    assert write(tmp_path) is None


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda _: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda _: sys.exit(3), "SystemExit: 3"),
        (lambda _: "<b>text</b>", "TypeError: expected a netdissect.PanelContent or None, got str"),
        (lambda _: PanelContent(figure=b"GIF89a"), "TypeError: expected a figure as the bytes of a PNG, JPEG or SVG file"),
        (lambda _: PanelContent(table=[1]), "TypeError: 'int' object is not iterable"),
    ],
)  # fmt: skip
def test_a_panel_that_fails_is_a_sentence_in_the_report_and_a_warning(tmp_path, caplog, function, reason):
    register_report_panel(ReportPanel("broken", "Broken", layer=function))
    with caplog.at_level(logging.WARNING):
        found = write(tmp_path)
    assert found["layer"][0]["text"] == f"This panel could not be drawn ({reason})."
    assert f"panel broken of the report fails for layer block1/conv: {reason}" in caplog.text


def test_installed_packages_add_panels_through_an_entry_point(monkeypatch):
    good = metadata.EntryPoint("good", "tests.unit.report.test_panels:GOOD", panels.ENTRY_POINTS)
    bad = metadata.EntryPoint("Bad One", "tests.no_such_module:x", panels.ENTRY_POINTS)
    other = metadata.EntryPoint("other", "tests.unit.report.test_panels:SVG", panels.ENTRY_POINTS)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [good, bad, other])
    found = {panel.title: panel for panel in panels.find_panels()}
    assert found["Good"] is GOOD
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        found["Bad One"].layer(None)
    with pytest.raises(TypeError, match=r"test_panels:SVG to be a netdissect\.ReportPanel, got bytes"):
        found["other"].layer(None)


def test_a_panel_without_name_title_or_function_is_refused():
    for name, title, options, message in (
        ("a/b", "T", {"layer": print}, "lower-case letters, digits"),
        ("a", " ", {"layer": print}, "title of panel a"),
        ("a", "T", {}, "needs a function"),
    ):
        with pytest.raises(SettingsError, match=message):
            ReportPanel(name, title, **options)
    with pytest.raises(SettingsError, match=r"takes a netdissect\.ReportPanel, not str"):
        register_report_panel("panel")


GOOD = ReportPanel("good", "Good", layer=lambda _: None)

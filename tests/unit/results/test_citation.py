"""Citations: one line with hashes, and BibTeX that names the run and the paper."""

import dataclasses

import pytest
from tests import made_up_runs

from netdissect.concepts import display_name
from netdissect.errors import SettingsError, UnknownLayerError
from netdissect.results.citation import format_bibtex, format_citation


@pytest.fixture(scope="module")
def run():
    result, _ = made_up_runs.make_run((6, 8), 9, pictures=12, name="net_1 {x}")
    return result


def test_a_unit_is_cited_with_its_label_its_score_and_the_hashes_of_network_and_probe_set(run):
    unit = run["block2/conv"].unit(3)
    source = f"netdissect 0.1.0, net {run.network.fingerprint[:8]}, set {run.probe_set.fingerprint[:8]}"
    assert (
        format_citation(run, "block2/conv", 3)
        == f'net_1 {{x}} block2/conv:3 "{display_name(unit.row.label)}" {unit.row.score:.3f} ({source})'
    )
    assert format_citation(run, "block2/conv") == f"net_1 {{x}} block2/conv ({source})"
    assert format_citation(run) == f"net_1 {{x}} over {run.probe_set.images:,} images of made-up ({source})"


def test_a_unit_without_a_label_is_cited_as_such(run):
    layer = run["block1/conv"]
    layer = dataclasses.replace(layer, counts=dataclasses.replace(layer.counts, I=0 * layer.counts.I))
    bare = dataclasses.replace(run, layers={layer.name: layer})
    assert format_citation(bare, layer.name, 1).startswith("net_1 {x} block1/conv:1 no concept (")


def test_what_a_run_does_not_have_is_not_cited(run):
    with pytest.raises(UnknownLayerError, match="no layer 'conv'"):
        format_citation(run, "conv", 1)
    with pytest.raises(SettingsError, match="units 1 to 6"):
        format_citation(run, "block1/conv", 7)


def test_bibtex_names_the_run_and_the_paper_and_escapes_what_latex_reads(run):
    text = format_bibtex(run)
    assert text.startswith(f"@misc{{net-1-x-{run.network.fingerprint[:8]},\n")
    assert "title = {Network Dissection of net\\_1 \\{x\\} over 1,000 images of made-up}" in text
    assert "year = {2026}" in text
    assert "Layers block1/conv, block2/conv. netdissect 0.1.0" in text
    assert "@inproceedings{netdissect2017," in text
    plain = text.replace("\\{", "").replace("\\}", "")
    assert plain.count("{") == plain.count("}")

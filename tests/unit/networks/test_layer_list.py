"""The list of a network's layers: a list still, a table to read, and a data frame."""

from tests import nets

import netdissect as nd
from netdissect.layers import Layer


def test_the_layers_are_a_list_that_prints_as_an_aligned_table():
    layers = nd.list_layers(nd.load_network("demo"))
    assert isinstance(layers, list) and all(isinstance(layer, Layer) for layer in layers)
    heading, *rows = repr(layers).splitlines()
    assert heading.split() == ["layer", "type", "output", "units", "grid", "receptive", "field", "step", "starts", "at"]
    assert [row[2:].split()[0] for row in rows] == [layer.name for layer in layers]
    assert [row[2:].split()[0] for row in rows if row.startswith("* ")] == list(layers.suggested) != []
    assert len({row.index(str(layer.kind), 2) for row, layer in zip(rows, layers, strict=True)}) == 1


def test_a_notebook_gets_a_table_with_escaped_names_and_pandas_a_row_for_each_layer():
    layers = nd.list_layers(nets.make_small_net())
    odd = type(layers)([Layer("<i>", 4, (1, 1), layers[0].field, "grid")], ["<i>"])
    assert "<b>&lt;i&gt;</b> *" in odd._repr_html_() and "everything" in odd._repr_html_()
    frame = layers.to_pandas()
    assert list(frame["name"]) == [layer.name for layer in layers]
    assert list(frame[frame["suggested"]]["name"]) == list(layers.suggested)


def test_a_listing_says_nothing_of_preprocessing(caplog):
    assert nd.list_layers(nets.make_small_net(), 32)
    assert caplog.records == []

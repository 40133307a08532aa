"""Mistakes in asking for formulas of a run."""

from __future__ import annotations

from dataclasses import replace

from tests.errors.desk import mistake

import netdissect as nd


@mistake("formulas of a run whose network must be given")
def _(desk):
    return ["explain", desk.finished, "--data", desk.data]


@mistake("formulas with another network than the run's")
def _(desk):
    return ["explain", desk.finished, "python:tests.nets:TokenNet", "--data", desk.data]


@mistake("formulas over another probe set than the run's")
def _(desk):
    other = replace(nd.load(desk.finished).probe_set, fingerprint="0" * 64, name="other")
    return lambda: replace(nd.load(desk.finished), probe_set=other).explain(desk.net, desk.data)


@mistake("formulas of a run whose probe set is not there any more")
def _(desk):
    return ["explain", desk.finished, desk.net]


@mistake("formulas of a unit that the layer does not have")
def _(desk):
    return ["explain", desk.finished, "--units", "9999"]


@mistake("formulas of too many concepts")
def _(desk):
    return ["explain", desk.finished, "--length", "6"]

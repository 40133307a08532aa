"""What must not be lost: fields traced through many operations, in torch and in ONNX, are those that gradients show."""

from __future__ import annotations

import pytest
import torch
from tests import exports
from tests.unit.networks.trace.operations import CASES, SIZE

from netdissect.networks.load import open_network, wrap_module
from netdissect.networks.trace.field_tracer import FieldTracer
from netdissect.networks.unit_axes import GLOBAL_VIEW, find_unit_axes

RUNNABLE = [name for name, case in CASES.items() if case.exporter in ("legacy", "new")]


def make_network(case):
    torch.manual_seed(0)
    module = case.make().eval()
    for name, parameter in module.named_parameters():
        gate = "gate.weight" in name  # has no say in where a cell is
        torch.nn.init.uniform_(parameter, 0 if gate else 0.01, 0 if gate else 0.02)
    return module


def follow(module):
    image = torch.zeros(2, 3, *SIZE)
    with torch.no_grad(), FieldTracer(image) as tracer:
        output = module(image)
    return tracer.get_trace(output)


def measure_windows(module, axes, cells, level):
    """Return the first and last row and column of pixels that each cell (y, x) depends on; cells without gradient are left out.

    Pixels count if their gradient is at least `level` times the largest.
    """
    image = torch.rand(1, 3, *SIZE, dtype=torch.float64, requires_grad=True)
    values = axes(module(image), 1)[0]
    found = []
    for cell in cells:
        (gradient,) = torch.autograd.grad(values[cell].sum(), image, retain_graph=True)
        depends = gradient[0].abs().sum(0)
        seen = (depends > depends.max() * level).nonzero()
        if len(seen):
            found.append([cell, [seen.amin(0).tolist(), seen.amax(0).tolist()]])
    return [torch.tensor(numbers, dtype=torch.float64) for numbers in zip(*found, strict=True)]


@pytest.mark.parametrize("name", CASES)
def test_a_cell_depends_on_the_pixels_of_its_field(name):
    case = CASES[name]
    module = make_network(case)
    trace = follow(module)
    if case.cells == "unknown":
        assert trace.path is None
        return
    assert trace.path is not None
    assert trace.is_global == (case.cells == "placed")
    axes = find_unit_axes(trace)
    assert trace.path.fits(axes.grid)
    margin = min(axes.grid) // 6 * 2
    cells = [(i, i) for i in range(margin, min(axes.grid) - margin)]
    cells, windows = measure_windows(module.double(), axes, cells, 0.5 if case.cells == "placed" else 1e-3)
    field = trace.path.field
    off = windows.mean(1) - torch.tensor(trace.path.center) - cells * torch.tensor(field.step)
    if case.cells == "exact":
        inside = ((windows[:, 0] > 0) & (windows[:, 1] < torch.tensor(SIZE) - 1)).all(1)
        assert inside.any()
        assert off[inside].abs().max() < 1e-6
        assert (windows[:, 1] - windows[:, 0] + 1 == torch.tensor(field.size))[inside].all()
    else:
        assert off.mean(0).abs().max() < 0.4 * min(field.step)
        assert off.abs().max() <= max(trace.path.coarsest) / (1 if case.cells == "placed" else 2)


@pytest.mark.parametrize("name", RUNNABLE)
def test_the_same_operation_in_an_onnx_file_has_the_same_field(name, tmp_path):
    case = CASES[name]
    module = make_network(case)
    path = exports.write_onnx(
        tmp_path / "operation.onnx", module, legacy=case.exporter == "legacy", fixed=True, x=torch.rand(2, 3, *SIZE)
    )
    expected = follow(module)
    trace = list(open_network(str(path)).inspect(None, SIZE).values())[-1].trace
    assert (trace.field, trace.is_global, trace.grid) == (expected.field, expected.is_global, expected.grid)


def test_a_layer_that_runs_for_each_image_alone_is_not_listed():
    class OneByOne(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.alone, self.together = torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 5, 1)

        def forward(self, x):
            return self.together(torch.stack([self.alone(image[None])[0] for image in x]))

    (layer,) = wrap_module(OneByOne()).layers(SIZE)
    assert (layer.name, layer.field) == ("together", ((0, 0), (3, 3), (1, 1)))


def test_between_a_fourier_transform_and_its_inverse_nothing_is_listed():
    class Frequencies(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.inner, self.head = (torch.nn.Conv2d(c, 4, 1) for c in (3, 4, 4))

        def forward(self, x):
            x = torch.fft.fft2(self.stem(x))
            return self.head(torch.fft.ifft2(torch.complex(self.inner(x.real), x.imag)).real)

    layers = wrap_module(Frequencies()).layers(SIZE)
    assert [layer.name for layer in layers] == ["stem", "head"]
    assert layers[1].note == GLOBAL_VIEW

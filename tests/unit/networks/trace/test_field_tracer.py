"""Receptive fields traced through any torch code, checked against gradients and the released code's field maps."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netdissect.geometry.fieldmap import divide_evenly, divide_into_whole_steps
from netdissect.layers import FieldMap
from netdissect.networks.trace.field_tracer import FieldTracer


def traced(module, size=64, channels=3):
    image = torch.zeros(2, channels, *(size if isinstance(size, tuple) else (size, size)))
    module.eval()
    with torch.no_grad(), FieldTracer(image) as tracer:
        output = module(image)
    return tracer.get_trace(output), output


class Numerical:
    """Which input pixels one output cell depends on, found by gradients of a network made of positive weights."""

    def __init__(self, module, size=(64, 64), channels=3):
        for parameter in module.parameters():
            nn.init.uniform_(parameter, 0.01, 0.02)
        for part in list(module.modules()):  # a maximum depends on one pixel only
            for name, child in part.named_children():
                if isinstance(child, nn.MaxPool2d):
                    setattr(part, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
        self.module, self.size, self.channels = module.eval(), size, channels

    def extent(self, cell):
        """Return the first and the last row, and the first and the last column, that cell (y, x) depends on."""
        image = torch.rand(1, self.channels, *self.size, requires_grad=True)
        self.module(image)[0, :, cell[0], cell[1]].sum().backward()
        seen = image.grad[0].abs().sum(dim=0).nonzero()
        return list(zip(seen.amin(0).tolist(), seen.amax(0).tolist(), strict=True))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 7, stride=2, padding=3)
        self.a = nn.Conv2d(4, 4, 3, padding=2, dilation=2)
        self.b = nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        return F.relu(self.a(x) + self.b(x))


class Parallel(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(3, 2, 1)
        self.b = nn.Conv2d(3, 2, 5, padding=2)

    def forward(self, x):
        x = torch.cat([self.a(x), self.b(x), F.avg_pool2d(x, 3, 1, 1)], dim=1)
        return F.avg_pool2d(x, 2)


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 4, stride=4)
        self.norm, self.linear = nn.LayerNorm(4), nn.Linear(4, 6)

    def forward(self, x):
        return self.linear(self.norm(self.conv(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)


class SqueezeExcite(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 1)

    def forward(self, x):
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(x.mean((2, 3), keepdim=True)))


class Shuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)

    def forward(self, x):
        x = self.conv(x)
        n, c, h, w = x.shape
        a, b = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w).chunk(2, dim=1)
        return torch.cat([a, b], dim=1)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.MaxPool2d(3, 2), nn.Conv2d(4, 4, 5, padding=2)),
        nn.Sequential(nn.Conv2d(3, 4, 3, dilation=3), nn.AvgPool2d(2), nn.Conv2d(4, 4, 3, padding=1)),
        nn.Sequential(nn.ZeroPad2d((1, 2, 3, 0)), nn.Conv2d(3, 4, 3, stride=2)),
        nn.Sequential(nn.Conv2d(3, 4, (3, 7), stride=(2, 1), padding=(1, 3)), nn.AvgPool2d((1, 4), (1, 2), (0, 1))),
        nn.Sequential(nn.Conv2d(3, 4, (5, 1), padding=(4, 0), dilation=(2, 1)), nn.MaxPool2d((2, 3), (1, 3))),
        nn.Sequential(nn.Conv2d(3, 4, (1, 2), stride=(1, 2)), nn.AdaptiveAvgPool2d((16, 5)), nn.Conv2d(4, 4, (3, 1))),
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.AdaptiveAvgPool2d(8), nn.Conv2d(4, 4, 3, padding=1)),
        Residual(),
        Parallel(),
        ChannelsLast(),
    ],
    ids=[
        "conv pool conv", "dilated", "padded", "flat and broad", "tall and broad", "broad, pooled to a grid", "adaptive pool",
        "residual", "parallel", "channels last",
    ],
)  # fmt: skip
def test_the_traced_field_is_the_numerical_one_along_rows_and_columns(module):
    size = (64, 80)
    track, output = traced(module, size)
    numerical = Numerical(module, size)
    assert track.shape == tuple(output.shape)
    for further in (0, 1):
        cell = (output.shape[2] // 2 + further, output.shape[3] // 2 + further)
        first = [track.field.offset[axis] + cell[axis] * track.field.step[axis] for axis in (0, 1)]
        assert numerical.extent(cell) == [(first[axis], first[axis] + track.field.size[axis] - 1) for axis in (0, 1)]


def test_a_gate_that_saw_everything_has_no_say_in_where_a_cell_looks():
    assert traced(SqueezeExcite())[0].field == FieldMap((-1, -1), (3, 3), (2, 2))


def test_shuffled_channels_keep_their_place():
    track, _ = traced(Shuffle())
    assert track.field == FieldMap((-1, -1), (3, 3), (2, 2))
    assert track.spatial == (2, 3)


class Attention(nn.Module):
    """A stem whose cells lie at 0, 2, 4, …, and attention between them, by one operator or written out."""

    def __init__(self, *, fused):
        super().__init__()
        self.stem, self.fused = nn.Conv2d(3, 4, 3, stride=2, padding=1), fused

    def forward(self, x):
        x = self.stem(x)
        tokens = x.flatten(2).transpose(1, 2)
        if self.fused:
            mixed = F.scaled_dot_product_attention(tokens, tokens, tokens)
        else:
            mixed = (tokens @ tokens.transpose(1, 2)).softmax(dim=-1) @ tokens
        return mixed.transpose(1, 2).reshape(x.shape) + x


@pytest.mark.parametrize("fused", [True, False])
def test_after_attention_a_cell_sees_everything_and_keeps_its_place(fused):
    track, _ = traced(Attention(fused=fused), size=16)
    assert track.is_global
    assert track.field == FieldMap((-1, -1), (3, 3), (2, 2))


class FusedLayers(nn.Module):
    """Patches, then attention or a whole layer that torch computes by one operator."""

    def __init__(self, *, whole):
        super().__init__()
        self.patches, self.whole = nn.Conv2d(3, 8, 4, stride=4), whole
        self.layer = (
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            if whole
            else nn.MultiheadAttention(8, 2, batch_first=True)
        )

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        return self.layer(tokens) if self.whole else self.layer(tokens, tokens, tokens, need_weights=False)[0]


@pytest.mark.parametrize("whole", [True, False])
def test_after_a_fused_operator_of_torch_a_cell_keeps_its_place(whole):
    track, _ = traced(FusedLayers(whole=whole), size=16)
    assert track.is_global
    assert track.field == FieldMap((0, 0), (4, 4), (4, 4))
    assert track.cells == (4, 4)


def test_a_grid_that_pixels_do_not_divide_evenly_leaves_nothing_over():
    assert divide_into_whole_steps((227, 227), (57, 57)).step == (
        3,
        3,
    )  # as the released wrapper has it: 56 pixels are left over
    assert divide_evenly((227, 227), (57, 57)).step[0] * 57 == 227


def test_windows_cut_out_of_the_grid_and_pooled_are_a_pooling():
    class Windows(nn.Module):
        def forward(self, x):
            n, c, h, w = x.shape
            return x.reshape(n, c, h // 4, 4, w // 4, 4).mean(dim=(3, 5))

    track = traced(Windows())[0]
    assert track.field == FieldMap((0, 0), (4, 4), (4, 4))
    assert track.spatial == (2, 3)


def test_a_linear_layer_over_everything_loses_the_field():
    track, _ = traced(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 62 * 62, 5)))
    assert track.field is None


def test_a_constant_added_by_position_changes_nothing():
    class Position(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.table = nn.Conv2d(3, 4, 3, padding=1), nn.Parameter(torch.zeros(1, 4, 64, 64))

        def forward(self, x):
            return self.conv(x) + self.table

    assert traced(Position())[0].field == FieldMap((-1, -1), (3, 3), (1, 1))


def architectures():
    """Real architectures with few channels, which decide nothing about where a cell looks."""
    models = pytest.importorskip("torchvision.models")
    narrow = [4, 4, "M", 4, 4, "M", 4, 4, 4, "M", 4, 4, 4, "M", 4, 4, 4, "M"]
    setting = models.convnext.CNBlockConfig
    return {
        "alexnet": lambda: models.alexnet(num_classes=2).features,
        "vgg16": lambda: models.vgg.make_layers(narrow),
        "googlenet": lambda: models.googlenet(num_classes=2, aux_logits=False, init_weights=False),
        "resnet18": lambda: models.resnet18(num_classes=2),
        "resnet50": lambda: models.ResNet(models.resnet.Bottleneck, [3, 4, 6, 3], width_per_group=4, num_classes=2),
        "densenet121": lambda: models.DenseNet(4, (6, 12, 24, 16), 8, num_classes=2).features,
        "mobilenet_v2": lambda: models.mobilenet_v2(width_mult=0.1, num_classes=2).features,
        "mobilenet_v3": lambda: models.mobilenet_v3_small(width_mult=0.25, num_classes=2).features,
        "convnext_tiny": lambda: (
            models.ConvNeXt(
                [setting(4, 8, 3), setting(8, 8, 3), setting(8, 8, 9), setting(8, None, 3)], num_classes=2
            ).features
        ),
    }


def linearised(module):
    """Make every path count and none vanish: positive weights, means for maxima, constant gates, nothing else."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool2d):
                setattr(parent, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding, child.ceil_mode))
            elif (
                type(child).__name__ == "SqueezeExcitation"
                or isinstance(child, ACTIVATIONS)
                or (not list(child.children()) and "Norm" in type(child).__name__)
            ):
                setattr(parent, name, nn.Identity())
    for parameter in module.parameters():
        nn.init.constant_(parameter, 1 / max(1, parameter[0].shape.numel() if parameter.ndim > 1 else 1))
    return module.double().eval()


ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.GELU, nn.Hardswish, nn.Dropout)


def outputs_of(module, layers, image):
    seen = {}
    handles = [
        module.get_submodule(layer).register_forward_hook(lambda *call, layer=layer: seen.__setitem__(layer, call[2]))
        for layer in layers
    ]
    module(image)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize(
    ("name", "height", "layers", "known"),
    [
        ("alexnet", 260, ["4", "11", "12"], {"11": FieldMap((-66, -66), (163, 163), (16, 16))}),
        ("vgg16", 260, ["14", "29"], {"29": FieldMap((-90, -90), (196, 196), (16, 16))}),
        ("googlenet", 420, ["conv3", "inception3b", "inception5b"], {}),
        ("resnet18", 480, ["layer1", "layer3", "layer4"], {"layer4": FieldMap((-217, -217), (435, 435), (32, 32))}),
        ("resnet50", 480, ["layer3", "layer4.2"], {}),
        ("densenet121", 1100, ["denseblock1", "transition2", "denseblock4"], {"denseblock4": FieldMap((-1021, -1021), (2071, 2071), (32, 32))}),
        ("mobilenet_v2", 520, ["3", "10", "18"], {}),
        ("mobilenet_v3", 640, ["3", "12"], {}),
        ("convnext_tiny", 1000, ["1", "4", "7"], {"1": FieldMap((-36, -36), (76, 76), (4, 4))}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_traced_fields_of_real_architectures_are_the_numerical_ones(name, height, layers, known):
    module = architectures()[name]().eval()
    width = 64 if name in ("alexnet", "convnext_tiny") else 32  # narrow: columns are looked at as rows are
    image = torch.zeros(1, 3, height, width)
    with torch.no_grad(), FieldTracer(image) as tracer:
        tracks = {layer: tracer.get_trace(output) for layer, output in outputs_of(module, layers, image).items()}
    image = torch.rand(1, 3, height, width, dtype=torch.float64, requires_grad=True)
    outputs = outputs_of(linearised(module), layers, image)
    for layer, track in tracks.items():
        (offset, _), (size, _), (step, _) = track.field
        output = outputs[layer].movedim(track.spatial[0], 2)
        cells = output.shape[2]
        for cell in (0, cells // 2, cells - 1):
            (gradient,) = torch.autograd.grad(output[0, :, cell].sum(), image, retain_graph=True)
            rows = gradient[0].abs().sum((0, 2)).nonzero().ravel()
            first = offset + cell * step
            assert rows.min() == max(0, first), (layer, cell)
            if cell < cells - 1:  # a pooling may leave out the last rows, and then the last cell sees less
                assert rows.max() == min(height, first + size) - 1, (layer, cell)
        assert known.get(layer, track.field) == track.field


def test_the_true_centres_of_resnets_last_layer_lie_on_multiples_of_its_step():
    # 0, 32, 64, …, not 16, 48, …: half a cell off is what an even grid would give.
    (offset, _), (size, _), (step, _) = FieldMap((-217, -217), (435, 435), (32, 32))
    assert [offset + size // 2 + i * step for i in range(3)] == [0, 32, 64]

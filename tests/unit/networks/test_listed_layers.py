"""What is listed as units on a grid, and what is not: nothing is guessed behind operations that move positions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from netdissect.errors import ActivationError
from netdissect.networks.load import wrap_module

CPU = torch.device("cpu")
SIZE = (64, 64)


def list_layers(module, size=SIZE):
    return {layer.name: layer for layer in wrap_module(module.eval()).layers(size)}


class Patches(nn.Module):
    """Patches of 8 x 8 pixels as 8 x 8 tokens of 16 channels, then `move`, then `mlp`; `back` is added to the patches."""

    def __init__(self, move):
        super().__init__()
        self.stem, self.mlp, self.back, self.move = (
            nn.Conv2d(3, 16, 8, stride=8),
            nn.Linear(16, 12),
            nn.Linear(12, 16),
            move,
        )
        self.norm = nn.LayerNorm(16)

    def forward(self, image):
        tokens = self.stem(image).flatten(2).transpose(1, 2)
        moved = self.back(self.mlp(self.move(tokens)))
        return self.norm(tokens + moved)


def shuffle(tokens):
    """Return the tokens in the order of their norms."""
    order = tokens.norm(dim=-1).argsort(dim=1)
    return tokens.gather(1, order.unsqueeze(-1).expand_as(tokens))


def scan(tokens):
    """Return the tokens in four orders, as vision models of states do."""
    grid = tokens.unflatten(1, (8, 8))
    rows = [grid, grid.transpose(1, 2)]
    return torch.stack([one for row in rows for one in (row.flatten(1, 2), row.flatten(1, 2).flip(1))], 1).mean(1)


def write(tokens):
    """Return the tokens shifted by one, written into a buffer."""
    shifted = torch.zeros_like(tokens)
    shifted[:, 1:] = tokens[:, :-1]
    return shifted


MOVES = {
    "flipped": lambda t: t.flip(1),
    "permuted": lambda t: t[:, torch.randperm(64)],
    "selected": lambda t: t.index_select(1, torch.arange(63, -1, -1)),
    "shuffled": shuffle,
    "sorted": lambda t: t.sort(dim=1).values,
    "scattered": lambda t: torch.zeros_like(t).scatter(1, torch.randperm(64).view(1, 64, 1).expand_as(t), t),
    "scanned": scan,
    "written": write,
    "rotated": lambda t: torch.rot90(t.unflatten(1, (8, 8)), 1, (1, 2)).flatten(1, 2),
    "in frequencies": lambda t: torch.fft.fft2(t.unflatten(1, (8, 8)), dim=(1, 2)).real.flatten(1, 2),
}  # fmt: skip


@pytest.mark.parametrize("move", MOVES)
def test_moved_tokens_are_not_listed_until_a_residual_places_them(move):
    layers = list_layers(Patches(MOVES[move]))
    assert {name: layer.grid for name, layer in layers.items()} == {"stem": (8, 8), "norm": (8, 8)}
    assert layers["norm"].units == 16
    assert layers["norm"].note == "a cell may depend on the whole image and keeps its position"


def test_a_layer_whose_positions_were_lost_says_so():
    network = wrap_module(Patches(MOVES["flipped"]).eval())
    with pytest.raises(ActivationError, match=r"layer mlp .* \(2, 64, 12\), .* \(its positions were lost on the way\)"):
        network.probe(["mlp"], SIZE, geometry="receptive-field", device=CPU)


def test_a_cumulative_sum_moves_nothing():
    layers = list_layers(Patches(lambda t: t.cumsum(1)))
    assert (layers["mlp"].grid, layers["mlp"].geometry, layers["mlp"].field.step) == ((8, 8), "grid", (8, 8))
    assert layers["mlp"].note == "a cell may depend on the whole image: an even grid"


def test_values_written_at_masked_positions_change_no_place():
    class Masked(Patches):
        def forward(self, image):
            tokens = self.stem(image).flatten(2).transpose(1, 2).clone()
            tokens[tokens < 0] = 0
            return self.mlp(tokens)

    layers = list_layers(Masked(None))
    assert (layers["mlp"].grid, layers["mlp"].units) == ((8, 8), 12)


class Recurrent(nn.Module):
    """A recurrent network along rows, whose states have no place."""

    def __init__(self):
        super().__init__()
        self.stem, self.rnn, self.fc = (
            nn.Conv2d(3, 6, 8, stride=8),
            nn.LSTM(6, 5, batch_first=True, bidirectional=True),
            nn.Linear(10, 7),
        )

    def forward(self, image):
        x = self.stem(image).permute(0, 2, 3, 1)
        y, _ = self.rnn(x.flatten(0, 1))
        return self.fc(y.unflatten(0, x.shape[:2]))


def test_outputs_of_a_recurrent_network_keep_their_place_and_its_states_have_none():
    layers = list_layers(Recurrent())
    assert {name: (layer.grid, layer.units) for name, layer in layers.items()} == {
        "stem": ((8, 8), 6), "rnn": ((8, 8), 10), "fc": ((8, 8), 7),
    }  # fmt: skip
    assert layers["fc"].note == "a cell may depend on the whole image and keeps its position"
    assert layers["fc"].field.step == (8, 8)


def test_an_unknown_operator_on_an_image_keeps_rows_and_columns():
    @torch.library.custom_op("netdissect_tests::halve", mutates_args=())
    def halve(x: torch.Tensor, channels: int) -> torch.Tensor:
        return nn.functional.avg_pool2d(x, 2)[:, :channels].clone()

    class Custom(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.after = nn.Conv2d(3, 6, 8, stride=8), nn.Conv2d(4, 5, 1)

        def forward(self, image):
            return self.after(halve(self.stem(image), 4))

    layers = list_layers(Custom())
    assert (layers["after"].grid, layers["after"].units, layers["after"].geometry) == ((4, 4), 5, "grid")
    assert "an even grid" in layers["after"].note


def test_boxes_cut_out_of_a_map_are_not_listed():
    @torch.library.custom_op("netdissect_tests::roi_align", mutates_args=())
    def roi_align(x: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        return torch.stack([x[image, :, :3, :3] for image in range(len(boxes))])

    class Boxes(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.head, self.fc = (
                nn.Conv2d(3, 4, 8, stride=8),
                nn.Conv2d(4, 5, 3, padding=1),
                nn.Linear(45, 6),
            )

        def forward(self, image):
            cut = roi_align(self.stem(image), torch.zeros(2, 4))  # as many boxes as images
            return self.fc(self.head(cut).flatten(1))

    assert list(list_layers(Boxes())) == ["stem"]


class Attention(nn.Module):
    """Attention without torch's operator, whose matrix is the input of a module."""

    def __init__(self, channels: int = 16, heads: int = 2):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(channels, channels) for _ in range(3))
        self.weigh, self.out = nn.Softmax(-1), nn.Linear(channels, channels)

    def split(self, x):
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, queries, tokens):
        q, k, v = self.split(self.q(queries)), self.split(self.k(tokens)), self.split(self.v(tokens))
        x = self.weigh(q @ k.transpose(-2, -1)) @ v
        return self.out(x.transpose(1, 2).flatten(2))


class ChannelAttention(Attention):
    """Attention between channels, over all positions."""

    def forward(self, queries, tokens):
        q, k, v = (self.split(part(tokens)).transpose(-2, -1) for part in (self.q, self.k, self.v))
        x = self.weigh(q @ k.transpose(-2, -1)) @ v
        return self.out(x.permute(0, 3, 1, 2).flatten(2))


class LinearAttention(Attention):
    """Attention whose keys and values are multiplied first: a state of channels by channels."""

    def forward(self, queries, tokens):
        q, k, v = self.split(self.q(queries)), self.split(self.k(tokens)), self.split(self.v(tokens))
        return self.out((q @ self.weigh(k.transpose(-2, -1) @ v)).transpose(1, 2).flatten(2))


class Mixed(nn.Module):
    def __init__(self, attention):
        super().__init__()
        self.stem, self.attention = nn.Conv2d(3, 16, 8, stride=8), attention

    def forward(self, image):
        tokens = self.stem(image).flatten(2).transpose(1, 2)
        return self.attention(tokens, tokens)


@pytest.mark.parametrize("attention", [Attention, ChannelAttention, LinearAttention])
def test_attention_matrices_and_states_are_not_listed_and_their_results_are(attention):
    layers = list_layers(Mixed(attention()))
    names = {"stem", "attention.q", "attention.k", "attention.v", "attention.out", "attention"}
    assert set(layers) - {"attention.out:in"} == names
    assert {(layer.grid, layer.units) for layer in layers.values()} == {((8, 8), 16)}
    assert layers["attention.out"].field.step == (8, 8)
    assert layers["attention.out"].note.startswith("a cell may depend on the whole image")


class Queries(nn.Module):
    """Learned queries that attend to the image and to each other, then boxes, and masks of all queries."""

    def __init__(self, fused: bool, count: int = 4):
        super().__init__()
        self.stem, self.queries = nn.Conv2d(3, 16, 8, stride=8), nn.Parameter(torch.randn(count, 16))
        make = (lambda: nn.MultiheadAttention(16, 2, batch_first=True)) if fused else Attention
        self.cross, self.own, self.again = make(), make(), make()
        self.norm, self.mlp, self.boxes = (
            nn.LayerNorm(16),
            nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16)),
            nn.Linear(16, 4),
        )
        self.masks = nn.Identity()

    def attend(self, attention, queries, tokens):
        found = (
            attention(queries, tokens)
            if isinstance(attention, Attention)
            else attention(queries, tokens, tokens, need_weights=False)[0]
        )
        return self.norm(queries + found)

    def forward(self, image):
        tokens = self.stem(image).flatten(2).transpose(1, 2)
        queries = self.queries.expand(len(image), -1, -1)
        queries = self.mlp(self.attend(self.cross, queries, tokens))
        queries = self.attend(self.again, self.attend(self.own, queries, queries), tokens)
        masks = (queries @ tokens.transpose(1, 2)).unflatten(2, (8, 8))
        return {"boxes": self.boxes(queries).sigmoid(), "masks": self.masks(masks * 2)}


@pytest.mark.parametrize("fused", [True, False])
def test_object_queries_have_no_places(fused):
    layers = list_layers(Queries(fused))
    # Weights of queries that are the same for every image are a linear map of its cells.
    assert set(layers) == {"stem"} | (set() if fused else {"cross.k", "cross.v", "cross.weigh", "again.k", "again.v"})
    assert {layer.grid for layer in layers.values()} == {(8, 8)}


def test_a_single_query_pools_the_image():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.query, self.pool, self.fc = (
                nn.Conv2d(3, 16, 8, stride=8),
                nn.Parameter(torch.randn(1, 1, 16)),
                Attention(),
                nn.Linear(16, 3),
            )

        def forward(self, image):
            tokens = self.stem(image).flatten(2).transpose(1, 2)
            return self.fc(self.pool(self.query.expand(len(image), 1, 16), tokens)[:, 0])

    layers = list_layers(Pooled())
    assert (layers["pool.out"].grid, layers["pool.out"].units) == ((1, 1), 16)
    assert (layers["fc"].grid, layers["fc"].units) == ((1, 1), 3)


def test_tokens_of_several_scales_in_one_row_are_not_listed():
    class Scales(nn.Module):
        def __init__(self):
            super().__init__()
            self.fine, self.coarse, self.mlp = (
                nn.Conv2d(3, 16, 8, stride=8),
                nn.Conv2d(16, 16, 2, stride=2),
                nn.Linear(16, 16),
            )

        def forward(self, image):
            fine = self.fine(image)
            return self.mlp(torch.cat([fine.flatten(2), self.coarse(fine).flatten(2)], 2).transpose(1, 2))

    assert list(list_layers(Scales())) == ["fine", "coarse"]


def test_tokens_for_detection_behind_the_patches_have_no_places():
    class Detecting(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.tokens = nn.Conv2d(3, 16, 8, stride=8), nn.Parameter(torch.randn(1, 9, 16))
            self.norm, self.boxes = nn.LayerNorm(16), nn.Linear(16, 4)

        def forward(self, image):
            x = self.stem(image).flatten(2).transpose(1, 2)
            x = self.norm(torch.cat([x, self.tokens.expand(len(x), -1, -1)], 1))
            return self.boxes(x[:, -9:])

    layers = list_layers(Detecting())
    assert {name: layer.grid for name, layer in layers.items()} == {"stem": (8, 8), "norm": (8, 8)}
    assert layers["norm"].note == "9 tokens that are not patches (class, registers, distillation) left out"


@pytest.mark.parametrize("layer", ["conv", "unfold"])
def test_channels_before_tokens_are_not_read_the_wrong_way_round(layer):
    class ChannelsFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 64, 8, stride=8)
            self.conv, self.unfold, self.act = nn.Conv1d(64, 49, 1), nn.Unfold(2, stride=2), nn.ReLU()

        def forward(self, image):
            x = self.stem(image)
            return self.act(self.conv(x.flatten(2)) if layer == "conv" else self.unfold(x))

    layers = list_layers(ChannelsFirst())
    # Patches hold the cells of 2 x 2, so that they are read as these.
    grid, units = ((8, 8), 49) if layer == "conv" else ((8, 8), 64)
    assert {name: (found.grid, found.units) for name, found in layers.items()} == {
        "stem": ((8, 8), 64), layer: (grid, units), "act": (grid, units),
    }  # fmt: skip


def test_a_transform_of_patches_makes_frequencies_their_channels():
    class Frequencies(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows, self.columns, self.mix = (
                nn.Linear(8, 8, bias=False),
                nn.Linear(8, 8, bias=False),
                nn.Conv2d(64, 5, 1),
            )

        def forward(self, image):
            patches = image.unflatten(2, (8, 8)).unflatten(4, (8, 8)).permute(0, 2, 4, 1, 3, 5)
            mixed = self.rows(self.columns(patches).transpose(-1, -2))
            return self.mix(mixed.flatten(-2)[:, :, :, 0].permute(0, 3, 1, 2))

    layers = list_layers(Frequencies())
    assert (layers["rows"].grid, layers["rows"].units) == ((8, 8), 3 * 64)
    assert (layers["mix"].grid, layers["mix"].units, layers["mix"].field) == ((8, 8), 5, layers["rows"].field)
    assert (layers["mix"].field.offset, layers["mix"].field.size, layers["mix"].field.step) == ((0, 0), (8, 8), (8, 8))

"""Layers of networks against torch's own, member by member."""

import math

import numpy as np
import pytest
import torch
from scipy import special
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from smalldata.cli.summary import network_names
from smalldata.models import load_learner
from smalldata.models.networks import (
    attention,
    blocks,
    convolution,
    embeddings,
    losses,
    mixup,
    recurrence,
)
from smalldata.models.networks.layers import MemberLinear, count_products, count_values
from smalldata.models.networks.settings import Inputs

N_MEMBERS, N_ROWS, N_POSITIONS = 3, 5, 11


def make_generators(n=N_MEMBERS):
    return [torch.Generator().manual_seed(10 + i) for i in range(n)]


def make_input(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def close(found, wanted):
    torch.testing.assert_close(found, wanted, atol=2e-6, rtol=1e-5)


@torch.no_grad()
def test_linear_layer_applies_along_more_axes():
    layer = MemberLinear(4, 6, generators=make_generators())
    x = make_input(N_MEMBERS, N_ROWS, N_POSITIONS, 4)
    layer.bias.normal_(generator=torch.Generator().manual_seed(1))
    for m in range(N_MEMBERS):
        close(layer(x)[m], functional.linear(x[m], layer.weight[m].T, layer.bias[m, 0]))


@torch.no_grad()
def test_norm_equals_torch_layer_norm():
    layer = blocks.MemberNorm(8, n_members=N_MEMBERS)
    for parameter in layer.parameters():
        parameter.normal_(generator=torch.Generator().manual_seed(2))
    for shape in ((N_ROWS, 8), (N_ROWS, N_POSITIONS, 8)):
        x = make_input(N_MEMBERS, *shape)
        for m in range(N_MEMBERS):
            own = functional.layer_norm(x[m], (8,), layer.gain[m, 0], layer.bias[m, 0])
            close(layer(x)[m], own)


@pytest.mark.parametrize("kernel_size", [1, 2, 5])
@torch.no_grad()
def test_convolution_equals_torch(kernel_size):
    layer = convolution.MemberConv(
        3, 4, kernel_size=kernel_size, generators=make_generators(), init="default"
    )
    x = make_input(N_MEMBERS, N_ROWS, N_POSITIONS, 3)
    for m in range(N_MEMBERS):
        weight = layer.linear.weight[m].T.unflatten(1, (3, kernel_size))
        rows = functional.pad(x[m].transpose(1, 2), ((kernel_size - 1) // 2, kernel_size // 2))
        own = functional.conv1d(rows, weight, layer.linear.bias[m, 0])
        close(layer(x)[m], own.transpose(1, 2))


@pytest.mark.parametrize("kind", ["max", "mean"])
def test_pooling_covers_each_window_once(kind):
    x = make_input(N_MEMBERS, N_ROWS, N_POSITIONS, 2)
    found = convolution.Pool(4, kind)(x)
    for window, part in enumerate(x.split(4, dim=2)):  # the last one holds three positions
        own = part.amax(dim=2) if kind == "max" else part.mean(dim=2)
        close(found[:, :, window], own)
    assert found.shape == (N_MEMBERS, N_ROWS, 3, 2)


@torch.no_grad()
def test_attention_equals_torch():
    width, n_heads = 12, 3
    layer = attention.MemberAttention(width, n_heads, generators=make_generators(), init="default")
    x = make_input(N_MEMBERS, N_ROWS, N_POSITIONS, width)
    for m in range(N_MEMBERS):
        own = nn.MultiheadAttention(width, n_heads, batch_first=True)
        own.in_proj_weight.copy_(layer.mix.weight[m].T)
        own.in_proj_bias.copy_(layer.mix.bias[m, 0])
        own.out_proj.weight.copy_(layer.out.weight[m].T)
        own.out_proj.bias.copy_(layer.out.bias[m, 0])
        close(layer(x)[m], own(x[m], x[m], x[m], need_weights=False)[0])


@pytest.mark.parametrize("norm", ["pre", "post"])
@torch.no_grad()
def test_transformer_block_equals_torch_encoder_layer(norm):
    width, n_heads = 12, 3
    block = attention.transformer_block(
        width, n_heads, norm=norm, dropout=0.3, generators=make_generators(), init="default"
    ).eval()
    draws = torch.Generator().manual_seed(3)
    (attend, _), units = block[0].part, block[1].part
    norms = [shortcut.norm for shortcut in block]
    for layer in norms:
        layer.gain.normal_(generator=draws)
        layer.bias.normal_(generator=draws)
    x = make_input(N_MEMBERS, N_ROWS, N_POSITIONS, width)
    for m in range(N_MEMBERS):
        own = nn.TransformerEncoderLayer(
            width, n_heads, 2 * width, batch_first=True, norm_first=norm == "pre"
        ).eval()
        own.self_attn.in_proj_weight.copy_(attend.mix.weight[m].T)
        own.self_attn.in_proj_bias.copy_(attend.mix.bias[m, 0])
        own.self_attn.out_proj.weight.copy_(attend.out.weight[m].T)
        own.self_attn.out_proj.bias.copy_(attend.out.bias[m, 0])
        for theirs, ours in ((own.linear1, units[0]), (own.linear2, units[3])):
            theirs.weight.copy_(ours.weight[m].T)
            theirs.bias.copy_(ours.bias[m, 0])
        for theirs, ours in ((own.norm1, norms[0]), (own.norm2, norms[1])):
            theirs.weight.copy_(ours.gain[m, 0])
            theirs.bias.copy_(ours.bias[m, 0])
        close(block(x)[m], own(x[m]))


@torch.no_grad()
def test_gru_equals_torch():
    layer = recurrence.MemberGRU(4, 6, generators=make_generators(), init="default")
    x = make_input(N_MEMBERS, N_ROWS, N_POSITIONS, 4)
    for m in range(N_MEMBERS):
        own = nn.GRU(4, 6, batch_first=True)
        own.weight_ih_l0.copy_(layer.read.weight[m].T)
        own.bias_ih_l0.copy_(layer.read.bias[m, 0])
        own.weight_hh_l0.copy_(layer.recall.weight[m].T)
        own.bias_hh_l0.copy_(layer.recall.bias[m, 0])
        close(layer(x)[m], own(x[m])[0].mean(dim=1))


@pytest.mark.parametrize(("n_columns", "n_tokens"), [(10, 4), (7, 20), (9, 3), (1, 4)])
@torch.no_grad()
def test_group_tokens_are_linear_maps_of_neighbouring_columns(n_columns, n_tokens):
    layer = blocks.GroupTokens(
        n_columns, 2, n_tokens=n_tokens, width=5, generators=make_generators(), init="kaiming"
    )
    x = make_input(N_MEMBERS, N_ROWS, n_columns, 2)
    found = layer(x)
    groups = x.split(layer.size, dim=2)
    assert found.shape == (N_MEMBERS, N_ROWS, len(groups), 5)
    assert len(groups) <= n_tokens
    for token, group in enumerate(groups):
        flat = group.flatten(2)
        own = flat @ layer.weight[:, token, : flat.shape[2]] + layer.bias[:, token]
        close(found[:, :, token], own)


@torch.no_grad()
def test_a_class_token_comes_before_the_others():
    layer = attention.ClassToken(4, generators=make_generators())
    x = make_input(N_MEMBERS, N_ROWS, N_POSITIONS, 4)
    found = layer(x)
    close(found[:, :, 1:], x)
    for row in range(N_ROWS):
        close(found[:, row, 0], layer.token[:, 0, 0])
    assert len({tuple(token.flatten().tolist()) for token in layer.token}) == N_MEMBERS


# ---------------------------------------------------------------- embeddings


def test_piecewise_linear_embedding_follows_its_definition():
    edges = np.array([[-1.0, 0.0], [0.0, 0.0], [2.0, 0.0], [3.0, 1.0]])
    layer = embeddings.PiecewiseLinear(edges)
    x = torch.tensor([[-2.0, -1.0], [-0.5, 0.0], [1.0, 0.5], [5.0, 3.0]])
    wanted = [
        [[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]],  # of the second column two bins are empty
        [[0.5, 0.0, 0.0], [0.0, 0.0, 0.0]],
        [[1.0, 0.5, 0.0], [0.0, 0.0, 0.5]],
        [[1.0, 1.0, 3.0], [0.0, 0.0, 3.0]],
    ]
    found = layer(x)
    # The outer bins go on beyond their ends, except below the last and above the first one.
    wanted[0][1][2] = 0.0
    close(found, torch.tensor(wanted))


def test_periodic_embedding_follows_its_definition():
    layer = embeddings.Periodic(2, 3, spread=0.5, generators=make_generators())
    x = make_input(N_ROWS, 2)
    found = layer(x)
    assert found.shape == (N_MEMBERS, N_ROWS, 2, 7)
    close(found, layer(x.expand(N_MEMBERS, -1, -1)))
    for m in range(N_MEMBERS):
        turns = 2 * math.pi * layer.frequency[m, 0] * x[:, :, None]
        close(found[m], torch.cat([x[:, :, None], turns.sin(), turns.cos()], dim=2))


# ---------------------------------------------------------------- mixtures


def test_mixup_mixes_rows_and_targets_by_the_same_share():
    table, targets = make_input(20, 4), torch.arange(20.0)[:, None]
    rows = torch.stack([torch.randperm(20, generator=g)[:8] for g in make_generators()])
    found, wanted, weights = mixup.mix_rows(
        rows, table, targets, torch.ones(20), alpha=0.4, generators=make_generators()
    )
    close(weights, torch.ones(N_MEMBERS, 8))
    shares = []
    for m in range(N_MEMBERS):
        generator = make_generators()[m]
        torch.rand(1, generator=generator, dtype=torch.float64)
        partner = rows[m][torch.randperm(8, generator=generator)]
        moves = rows[m] != partner
        share = ((wanted[m, :, 0] - partner) / (rows[m] - partner))[moves]
        close(share, share[:1].expand(len(share)))
        shares.append(share[0].item())
        close(found[m], shares[m] * table[rows[m]] + (1 - shares[m]) * table[partner])
    assert len(set(shares)) == N_MEMBERS
    assert all(0 < share < 1 for share in shares)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_mixup_loss_weights_both_labels(n_outputs):
    labels = torch.eye(3)[torch.arange(12) % 3][:, :n_outputs]
    row_weights, outputs = torch.arange(1.0, 13.0), make_input(N_MEMBERS, 12, n_outputs)
    loss = losses.binary_cross_entropy if n_outputs == 1 else losses.cross_entropy
    rows = torch.arange(12).expand(N_MEMBERS, -1)
    places = torch.arange(12.0)[:, None]
    mix = {"alpha": 0.7, "generators": make_generators()}
    _, wanted, weights = mixup.mix_rows(rows, places, labels, row_weights, **mix)
    for m, generator in enumerate(make_generators()):
        drawn = torch.rand(1, generator=generator, dtype=torch.float64)
        share = float(special.betaincinv(0.7, 0.7, drawn.item()))
        partner = torch.randperm(12, generator=generator)
        own = loss(outputs[m][None], labels[None])[0] * row_weights
        other = loss(outputs[m][None], labels[partner][None])[0] * row_weights[partner]
        found = loss(outputs[m][None], wanted[m][None])[0] * weights[m]
        close(found, share * own + (1 - share) * other)


def test_mixup_shares_follow_the_beta_distribution():
    generators = make_generators(400)
    rows = torch.tensor([0, 1]).expand(400, -1)
    ends, ones = torch.tensor([[0.0], [1.0]]), torch.ones(2)
    found, _, _ = mixup.mix_rows(rows, ends, ends, ones, alpha=2.0, generators=generators)
    shares = found[:, 1][(found[:, 1] > 0) & (found[:, 1] < 1)]
    assert 0.4 < shares.mean() < 0.6  # Beta(2, 2): mean 1/2, variance 1/20
    assert 0.03 < shares.var() < 0.07


def test_training_without_mixup_draws_no_shares():
    generators = make_generators()
    before = [generator.get_state() for generator in generators]
    tables, rows = (make_input(9, 2), make_input(9, 1), make_input(9)), torch.tensor([[1, 2]] * 3)
    found = mixup.mix_rows(rows, *tables, alpha=0, generators=generators)
    for mixed, table in zip(found, tables, strict=True):
        close(mixed, table[rows])
    for generator, state in zip(generators, before, strict=True):
        assert torch.equal(generator.get_state(), state)


# ---------------------------------------------------------------- how they begin


@pytest.mark.parametrize(("n_in", "scale_rate"), [(40, None), (400, None), (400, 5.0), (40, 5.0)])
def test_layer_starts_at_its_init_whatever_its_scale_factors(n_in, scale_rate):
    n_out = 300

    def begin(init):
        layer = MemberLinear(
            n_in, n_out, generators=make_generators(), init=init, gain=1.5, scale_rate=scale_rate
        )
        with torch.no_grad():
            bias = layer(torch.zeros(1, n_in))
            return layer(torch.eye(n_in)) - bias, bias

    weight, bias = begin("xavier")
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (n_in + n_out)), rel=0.02)
    assert not bias.any()
    weight, bias = begin("kaiming")
    assert weight.std().item() == pytest.approx(1.5 / math.sqrt(n_in), rel=0.02)
    for drawn in begin("default"):
        assert drawn.abs().max().item() == pytest.approx(1 / math.sqrt(n_in), rel=0.02)


# ---------------------------------------------------------------- what a row costs


@pytest.mark.parametrize("name", network_names())
def test_count_products_equals_torch_flop_counter(name):
    learner = load_learner(name)
    network = learner.network(Inputs(n_columns=37), 3, generators=make_generators()).eval()
    x = make_input(2, 37)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        network(x)
    assert count_products(network, x) == counter.get_total_flops() / 2 > 0


def test_count_cells_counts_layer_outputs():
    linear = MemberLinear(7, 4, generators=make_generators())
    network = nn.Sequential(linear, nn.Sequential(nn.ReLU()))
    assert count_values(network, make_input(2, 7)) == 2 * N_MEMBERS * (4 + 4)

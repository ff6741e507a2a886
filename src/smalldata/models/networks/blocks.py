"""Parts of networks larger than one layer: how columns enter, normalisation, shortcuts, tokens.

Imports torch: load it inside functions. Step in the line: recipe -> **network** -> training.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from smalldata.models.networks.embeddings import Periodic, PiecewiseLinear
from smalldata.models.networks.layers import MemberDropout, draw_weights
from smalldata.models.networks.settings import Init, Inputs, Settings


class MemberNorm(nn.Module):
    """Layer normalisation (Ba, Kiros & Hinton 2016) of the last axis, with one gain per member."""

    def __init__(self, width: int, *, n_members: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(n_members, 1, width))
        self.bias = nn.Parameter(torch.zeros(n_members, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, …, width) to the same shape."""
        if x.dim() > 3:
            return self.forward(x.flatten(1, -2)).reshape(*x.shape[:-1], -1)
        return functional.layer_norm(x, x.shape[-1:]) * self.gain + self.bias


class Residual(nn.Module):
    """x + F(x) (He et al. 2016)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Return x plus the output of the inner network."""
        outputs: Tensor = x + self.inner(x)
        return outputs


class Dense(nn.Module):
    """x and F(x) concatenated: later layers see all earlier outputs (Huang et al. 2017)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """Return x with the output of the inner network appended."""
        return torch.cat([x, self.inner(x)], dim=-1)


class GroupTokens(nn.Module):
    """Groups of neighbouring columns as tokens; each group has its own linear map.

    Parameters
    ----------
    n_columns, n_channels : int
        Columns, and channels per column.
    n_tokens : int
        Maximum number of tokens; with no more columns than that, every column is a token.
    width : int
    generators : sequence of torch.Generator
        One per member.
    init : {"kaiming", "xavier", "default"}
    """

    def __init__(
        self,
        n_columns: int,
        n_channels: int,
        *,
        n_tokens: int,
        width: int,
        generators: Sequence[torch.Generator],
        init: Init,
    ) -> None:
        super().__init__()
        self.size = -(-n_columns // n_tokens)
        self.n_tokens = -(-n_columns // self.size)
        self.n_lacking = self.n_tokens * self.size - n_columns
        n_in = self.size * n_channels
        shape = (self.n_tokens, n_in, width)
        drawn = [
            draw_weights(shape, n_in=n_in, init=init, gain=1.0, generator=g) for g in generators
        ]
        self.weight = nn.Parameter(torch.stack(drawn))
        places = [torch.randn((self.n_tokens, 1, width), generator=g) for g in generators]
        self.bias = nn.Parameter(torch.stack(places) / math.sqrt(width))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, n_columns, n_channels) to (…, n_rows, n_tokens, width)."""
        padded = functional.pad(x, (0, 0, 0, self.n_lacking))
        groups = padded.reshape(*x.shape[:2], self.n_tokens, -1).transpose(1, 2)
        tokens: Tensor = groups @ self.weight + self.bias
        return tokens.transpose(1, 2)

    def products(self, outputs: Tensor) -> int:
        """Count the multiplications needed for these outputs."""
        return outputs.numel() * self.weight.shape[2]


class Columns(nn.Module):
    """The first layer of a network that keeps columns apart: each value becomes its channels.

    Columns are dropped after they are embedded: dropout scales up the columns that are kept, and an
    embedding is not linear in the scale of its input.

    Parameters
    ----------
    embedding : PiecewiseLinear or Periodic, optional
        Maps (…, n_columns) to (…, n_columns, n_channels); without one, the value is
        the only channel.
    dropout : float
        Share of the columns dropped while training.
    n_members : int
    """

    def __init__(
        self, embedding: PiecewiseLinear | Periodic | None, *, dropout: float, n_members: int
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.n_channels = 1 if embedding is None else embedding.n_channels
        self.drop = MemberDropout(dropout, whole=True)
        self.n_members = n_members

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, n_columns), or shared rows, to (…, n_columns, n_channels)."""
        if x.dim() == 2:
            x = x.expand(self.n_members, -1, -1)
        embedded: Tensor = x.unsqueeze(-1) if self.embedding is None else self.embedding(x)
        kept: Tensor = self.drop(embedded)
        return kept


def embed_columns(
    recipe: Settings, inputs: Inputs, *, generators: Sequence[torch.Generator]
) -> Columns:
    """Build the first layer of a network that keeps columns apart.

    Parameters
    ----------
    recipe : Settings
    inputs : Inputs
    generators : sequence of torch.Generator
        One per member.
    """
    embedding: PiecewiseLinear | Periodic | None = None
    if recipe.embedding == "piecewise_linear":
        assert inputs.edges is not None
        embedding = PiecewiseLinear(inputs.edges)
    elif recipe.embedding == "periodic":
        embedding = Periodic(
            inputs.n_columns,
            recipe.embedding_size,
            spread=recipe.embedding_spread,
            generators=generators,
        )
    return Columns(embedding, dropout=recipe.dropped_columns(inputs), n_members=len(generators))


def enter(
    recipe: Settings, inputs: Inputs, *, generators: Sequence[torch.Generator]
) -> tuple[list[nn.Module], int]:
    """Build the layers before the first linear layer; return them and the inputs it gets.

    Parameters
    ----------
    recipe, inputs, generators
        See `embed_columns`.
    """
    if recipe.embedding == "none":  # the members share their rows when there is no noise
        return [MemberDropout(recipe.dropped_columns(inputs))], inputs.n_columns
    columns = embed_columns(recipe, inputs, generators=generators)
    return [columns, nn.Flatten(-2)], inputs.n_columns * columns.n_channels


class Pick(nn.Module):
    """Selects one position of an axis."""

    def __init__(self, axis: int, position: int) -> None:
        super().__init__()
        self.axis = axis
        self.position = position

    def forward(self, x: Tensor) -> Tensor:
        """Return x at this position, without the axis."""
        return x.select(self.axis, self.position)

"""Attention between tokens, for all members at once.

Tokens lie as (n_members, n_rows, n_tokens, width). Imports torch: load it inside functions.
Step in the line: part of a network.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from smalldata.models.networks.blocks import MemberNorm
from smalldata.models.networks.layers import MemberDropout, MemberLinear
from smalldata.models.networks.settings import Init


class MemberAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017).

    Parameters
    ----------
    width, n_heads : int
        ``n_heads`` divides the width.
    generators : sequence of torch.Generator
        One per member.
    init : {"kaiming", "xavier", "default"}
    """

    def __init__(
        self, width: int, n_heads: int, *, generators: Sequence[torch.Generator], init: Init
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.mix = MemberLinear(width, 3 * width, generators=generators, init=init, gain=1.0)
        self.out = MemberLinear(width, width, generators=generators, init=init, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, n_tokens, width) to the same shape."""
        heads = self.mix(x).reshape(-1, x.shape[2], 3, self.n_heads, x.shape[3] // self.n_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        outputs: Tensor = self.out(seen.transpose(1, 2).reshape(x.shape))
        return outputs

    def products(self, outputs: Tensor) -> int:
        """Count the multiplications of queries, keys and values behind these outputs."""
        return 2 * outputs.numel() * outputs.shape[2]


class Shortcut(nn.Module):
    """A part of a block with a shortcut around it, normalised before or after.

    Parameters
    ----------
    part : Module
        Maps tokens to tokens.
    width : int
    norm : {"pre", "post"}
        x + part(norm(x)) (Xiong et al. 2020), or norm(x + part(x)), the original form.
    n_members : int
    """

    def __init__(
        self, part: nn.Module, width: int, *, norm: Literal["pre", "post"], n_members: int
    ) -> None:
        super().__init__()
        self.pre = norm == "pre"
        self.norm = MemberNorm(width, n_members=n_members)
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, n_tokens, width) to the same shape."""
        outputs: Tensor = x + self.part(self.norm(x)) if self.pre else self.norm(x + self.part(x))
        return outputs


def transformer_block(
    width: int,
    n_heads: int,
    *,
    norm: Literal["pre", "post"],
    dropout: float,
    generators: Sequence[torch.Generator],
    init: Init,
) -> nn.Sequential:
    """Build attention between tokens, then two linear layers per token, both with a shortcut.

    Parameters
    ----------
    width, n_heads : int
    norm : {"pre", "post"}
        See `Shortcut`.
    dropout : float
    generators : sequence of torch.Generator
        One per member.
    init : {"kaiming", "xavier", "default"}
    """
    attention = nn.Sequential(
        MemberAttention(width, n_heads, generators=generators, init=init), MemberDropout(dropout)
    )
    units = nn.Sequential(
        MemberLinear(width, 2 * width, generators=generators, init=init, gain=math.sqrt(2.0)),
        nn.ReLU(),
        MemberDropout(dropout),
        MemberLinear(2 * width, width, generators=generators, init=init, gain=1.0),
        MemberDropout(dropout),
    )
    n_members = len(generators)
    return nn.Sequential(
        *(Shortcut(part, width, norm=norm, n_members=n_members) for part in (attention, units))
    )


class ClassToken(nn.Module):
    """An extra token before the others, which learns to collect their content."""

    def __init__(self, width: int, *, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        drawn = [torch.randn((1, 1, width), generator=g) / math.sqrt(width) for g in generators]
        self.token = nn.Parameter(torch.stack(drawn))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, n_tokens, width) to the same with one more token."""
        return torch.cat([self.token.expand(-1, x.shape[1], -1, -1), x], dim=2)

"""Convolution and pooling along the columns, for all members at once.

Columns are positions with channels: (n_members, n_rows, n_positions, n_channels). Imports torch:
load it inside functions. Step in the line: part of a network.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from smalldata.models.networks.layers import MemberLinear
from smalldata.models.networks.settings import Init


class MemberConv(nn.Module):
    """A linear map of each window of neighbours, the same at every position.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel_size : int
        Positions in a window; the ends are padded with 0 to get one window per position.
    generators : sequence of torch.Generator
        One per member.
    init : {"kaiming", "xavier", "default"}
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        kernel_size: int,
        generators: Sequence[torch.Generator],
        init: Init,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.linear = MemberLinear(
            n_in * kernel_size, n_out, generators=generators, init=init, gain=math.sqrt(2.0)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, n_positions, n_in) to (…, n_positions, n_out)."""
        before = (self.kernel_size - 1) // 2
        padded = functional.pad(x, (0, 0, before, self.kernel_size - 1 - before))
        outputs: Tensor = self.linear(padded.unfold(2, self.kernel_size, 1).flatten(3))
        return outputs


class Pool(nn.Module):
    """The maximum or mean of every ``size`` neighbouring positions.

    Parameters
    ----------
    size : int
    kind : {"max", "mean"}
    """

    def __init__(self, size: int, kind: Literal["max", "mean"]) -> None:
        super().__init__()
        self.size = size
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, n_positions, n_channels) to fewer positions."""
        rows = x.flatten(0, 1).transpose(1, 2)
        pool = functional.max_pool1d if self.kind == "max" else functional.avg_pool1d
        pooled: Tensor = pool(rows, self.size, ceil_mode=True)
        return pooled.transpose(1, 2).reshape(*x.shape[:2], -1, x.shape[3])

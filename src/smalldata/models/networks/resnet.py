"""Residual network: blocks that add to their input.

The shape of Gorishniy et al. (2021), Revisiting deep learning models for tabular data, NeurIPS 34:
x + dropout(linear(dropout(rectifier(linear(norm(x)))))), with layer normalisation, because a batch
of a few dozen rows says little about a mean; the columns enter as in the mlp.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from smalldata.models.networks.recipe import Network
from smalldata.models.networks.settings import Inputs
from smalldata.models.values import Range

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class ResNet(Network):
    """Learner of an ensemble of residual networks; see `Network` for what all networks share.

    Attributes
    ----------
    n_blocks, width : int
        Residual blocks, and units per block.
    scale_rate : float
        How many times faster a column's learned factor moves than a weight.
    """

    n_blocks: Annotated[int, Range(low=1)]
    width: Annotated[int, Range(low=1)]
    scale_rate: Annotated[float, Range(low=0, above=True)]

    def network(
        self, inputs: Inputs, n_outputs: int, *, generators: "Sequence[torch.Generator]"
    ) -> "torch.nn.Module":
        """Build the members' network; all random numbers come from the generators."""
        from torch import nn

        from smalldata.models.networks.blocks import MemberNorm, Residual, enter
        from smalldata.models.networks.layers import MemberDropout, MemberLinear

        n_members, width = len(generators), self.width

        def linear(n_out: int, gain: float) -> nn.Module:
            return MemberLinear(width, n_out, generators=generators, init=self.init, gain=gain)

        blocks = [
            Residual(
                nn.Sequential(
                    MemberNorm(width, n_members=n_members),
                    linear(width, math.sqrt(2.0)),
                    nn.ReLU(),
                    MemberDropout(self.dropout),
                    linear(width, 1.0 / math.sqrt(self.n_blocks)),
                    MemberDropout(self.dropout),
                )
            )
            for _ in range(self.n_blocks)
        ]
        columns, n_in = enter(self, inputs, generators=generators)
        first = MemberLinear(
            n_in, width, generators=generators, init=self.init, scale_rate=self.scale_rate
        )
        return nn.Sequential(
            *columns,
            first,
            *blocks,
            MemberNorm(width, n_members=n_members),
            nn.ReLU(),
            linear(n_outputs, 1.0),
        )

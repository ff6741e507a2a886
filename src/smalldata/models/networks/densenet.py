"""Densely connected network: each block sees the outputs of all earlier ones.

The shortcut of Huang et al. (2017), Densely connected convolutional networks, CVPR, between linear
layers; the columns enter as in the mlp.
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
class DenseNet(Network):
    """Learner of an ensemble of densely connected networks; see `Network` for what all share.

    Attributes
    ----------
    n_blocks, width : int
        Blocks, and the units of the first layer.
    growth : int
        Units that a block adds.
    scale_rate : float
        How many times faster a column's learned factor moves than a weight.
    """

    n_blocks: Annotated[int, Range(low=1)]
    width: Annotated[int, Range(low=1)]
    growth: Annotated[int, Range(low=1)]
    scale_rate: Annotated[float, Range(low=0, above=True)]

    def network(
        self, inputs: Inputs, n_outputs: int, *, generators: "Sequence[torch.Generator]"
    ) -> "torch.nn.Module":
        """Build the members' network; all random numbers come from the generators."""
        from torch import nn

        from smalldata.models.networks.blocks import Dense, enter
        from smalldata.models.networks.layers import MemberDropout, MemberLinear

        def linear(n_in: int, n_out: int, gain: float) -> nn.Module:
            return MemberLinear(n_in, n_out, generators=generators, init=self.init, gain=gain)

        columns, n_in = enter(self, inputs, generators=generators)
        first = MemberLinear(
            n_in,
            self.width,
            generators=generators,
            init=self.init,
            gain=math.sqrt(2.0),
            scale_rate=self.scale_rate,
        )
        layers = [*columns, first, nn.ReLU(), MemberDropout(self.dropout)]
        n_seen = self.width
        for _ in range(self.n_blocks):
            added = [linear(n_seen, self.growth, math.sqrt(2.0)), nn.ReLU()]
            layers.append(Dense(nn.Sequential(*added, MemberDropout(self.dropout))))
            n_seen += self.growth
        return nn.Sequential(*layers, linear(n_seen, n_outputs, 1.0))

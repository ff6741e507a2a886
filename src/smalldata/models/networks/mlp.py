"""Multilayer perceptron: an ensemble of small ones in one batched network.

Learned column factors, input dropout, ``n_layers`` times (linear, rectifier, dropout), one linear
output. benchmarks/mlp_defaults/ and benchmarks/deep/ show the effect of each default.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from smalldata.models.networks.recipe import Network
from smalldata.models.networks.settings import Inputs, When
from smalldata.models.values import Range

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class MLP(Network):
    """Learner of an ensemble of multilayer perceptrons; see `Network` for what all networks share.

    Attributes
    ----------
    n_layers, width : int
        Hidden layers, and units per layer.
    scale_rate : float
        How many times faster a column's learned factor moves than a weight; a high rate picks few
        columns.
    linear_path : {"values", "always", "never"}
        When a linear model of the (embedded) columns is added to the hidden layers; it starts at
        0. ``values``: in regressions only. It harms classifications and helps some regressions.
    """

    n_layers: Annotated[int, Range(low=1)]
    width: Annotated[int, Range(low=1)]
    scale_rate: Annotated[float, Range(low=0, above=True)]
    linear_path: When

    def network(
        self, inputs: Inputs, n_outputs: int, *, generators: "Sequence[torch.Generator]"
    ) -> "torch.nn.Module":
        """Build the members' network; all random numbers come from the generators."""
        from torch import nn

        from smalldata.models.networks.blocks import enter
        from smalldata.models.networks.layers import Beside, MemberDropout, MemberLinear

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
        layers = [first, nn.ReLU(), MemberDropout(self.dropout)]
        for _ in range(1, self.n_layers):
            layers += [
                linear(self.width, self.width, math.sqrt(2.0)),
                nn.ReLU(),
                MemberDropout(self.dropout),
            ]
        layers.append(linear(self.width, n_outputs, 1.0))
        if self.linear_path != "always":  # "values" is settled before a network is built
            return nn.Sequential(*columns, *layers)
        path = MemberLinear(n_in, n_outputs, generators=generators, scale_rate=self.scale_rate)
        nn.init.zeros_(path.weight)
        return nn.Sequential(*columns, Beside(nn.Sequential(*layers), path))

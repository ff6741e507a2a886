"""Convolutional network along the columns: the same small filters everywhere, then pooling.

As in LeNet (LeCun et al. 1998) and AlexNet (Krizhevsky, Sutskever & Hinton 2012), in one dimension:
``n_blocks`` times (convolution, rectifier, pooling), one hidden layer, one linear output. Sharing
weights pays when neighbours are related, as in a spectrum; other columns are reordered so that
those that correlate on the training rows are neighbours.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from smalldata.learner import Array
from smalldata.models.networks.ordering import Order, order_columns
from smalldata.models.networks.recipe import Network
from smalldata.models.networks.settings import Inputs
from smalldata.models.values import Range

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class CNN1d(Network):
    """Learner of an ensemble of convolutional networks; see `Network` for what all share.

    Attributes
    ----------
    order : {"auto", "given", "correlation"}
        Order of the columns: as given, by correlation, or as given if that is about as good
        (``auto``), which holds for spectra. If the order is as given, no column is dropped
        (``input_dropout``).
    n_blocks, n_channels, kernel_size : int
        Convolutions, the channels of the first (each later one doubles them), and the columns that
        a filter sees.
    n_positions : int
        Maximum number of positions left after all pooling.
    pooling : {"max", "mean"}
    width : int
        Units of the hidden layer.
    """

    order: Order
    n_blocks: Annotated[int, Range(low=1)]
    n_channels: Annotated[int, Range(low=1)]
    kernel_size: Annotated[int, Range(low=1)]
    n_positions: Annotated[int, Range(low=1)]
    pooling: Literal["max", "mean"]
    width: Annotated[int, Range(low=1)]

    def order_columns(self, X: Array) -> NDArray[np.int64] | None:
        """Return the order of the columns; None: unchanged."""
        return order_columns(X, self.order)

    def dropped_columns(self, inputs: Inputs) -> float:
        """Return the share of the columns dropped while training; 0 for a spectrum.

        To a filter, a missing column of a spectrum looks like a peak.
        """
        return 0.0 if inputs.order is None else super().dropped_columns(inputs)

    def network(
        self, inputs: Inputs, n_outputs: int, *, generators: "Sequence[torch.Generator]"
    ) -> "torch.nn.Module":
        """Build the members' network; all random numbers come from the generators."""
        from torch import nn

        from smalldata.models.networks.blocks import embed_columns
        from smalldata.models.networks.convolution import MemberConv, Pool
        from smalldata.models.networks.layers import MemberDropout, MemberLinear

        columns = embed_columns(self, inputs, generators=generators)
        layers: list[nn.Module] = [columns]
        n_in, length = columns.n_channels, inputs.n_columns
        for block in range(self.n_blocks):
            n_out = self.n_channels * 2**block
            layers += [
                MemberConv(
                    n_in,
                    n_out,
                    kernel_size=self.kernel_size,
                    generators=generators,
                    init=self.init,
                ),
                nn.ReLU(),
            ]
            shrink = (length / self.n_positions) ** (1.0 / (self.n_blocks - block))
            if shrink > 1.0:
                size = math.ceil(shrink - 1e-9)
                layers.append(Pool(size, self.pooling))
                length = -(-length // size)
            n_in = n_out

        def linear(n_in: int, n_out: int, gain: float) -> nn.Module:
            return MemberLinear(n_in, n_out, generators=generators, init=self.init, gain=gain)

        return nn.Sequential(
            *layers,
            nn.Flatten(2),
            MemberDropout(self.dropout),
            linear(length * n_in, self.width, math.sqrt(2.0)),
            nn.ReLU(),
            MemberDropout(self.dropout),
            linear(self.width, n_outputs, 1.0),
        )

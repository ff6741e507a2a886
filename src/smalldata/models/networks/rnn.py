"""Recurrent network over groups of columns: a gated recurrent unit reads them in turn.

The predecessor of attention (Cho et al. 2014). Columns are reordered by correlation on the training
rows, or left in place if neighbours are similar, and cut into equal groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

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
class RNN(Network):
    """Learner of an ensemble of recurrent networks; see `Network` for what all networks share.

    Attributes
    ----------
    n_tokens : int
        Maximum number of groups of columns, the length of the sequence.
    order : {"auto", "given", "correlation"}
        Order of the columns, see `CNN1d`.
    width : int
        Size of a token, and of the state.
    """

    n_tokens: Annotated[int, Range(low=1)]
    order: Order
    width: Annotated[int, Range(low=1)]

    def order_columns(self, X: Array) -> NDArray[np.int64] | None:
        """Return the order of the columns; None: unchanged."""
        return order_columns(X, self.order)

    def network(
        self, inputs: Inputs, n_outputs: int, *, generators: "Sequence[torch.Generator]"
    ) -> "torch.nn.Module":
        """Build the members' network; all random numbers come from the generators."""
        from torch import nn

        from smalldata.models.networks.blocks import GroupTokens, embed_columns
        from smalldata.models.networks.layers import MemberDropout, MemberLinear
        from smalldata.models.networks.recurrence import MemberGRU

        columns = embed_columns(self, inputs, generators=generators)
        tokens = GroupTokens(
            inputs.n_columns,
            columns.n_channels,
            n_tokens=self.n_tokens,
            width=self.width,
            generators=generators,
            init=self.init,
        )
        return nn.Sequential(
            columns,
            tokens,
            MemberDropout(self.dropout),
            MemberGRU(self.width, self.width, generators=generators, init=self.init),
            MemberDropout(self.dropout),
            MemberLinear(self.width, n_outputs, generators=generators, init=self.init, gain=1.0),
        )

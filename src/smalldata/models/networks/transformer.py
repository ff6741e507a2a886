"""Transformer over columns: each column, or group of columns, is a token that attends to others.

The FT-Transformer of Gorishniy et al. (2021), Revisiting deep learning models for tabular data,
NeurIPS 34. The cost of attention grows with the square of the tokens. More columns than
``n_tokens`` are grouped by correlation on the training rows, and each group becomes a token by its
own linear map, so that the cost is linear in the columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from smalldata.errors import ConfigError
from smalldata.learner import Array
from smalldata.models.networks.ordering import Order, order_columns
from smalldata.models.networks.recipe import Network
from smalldata.models.networks.settings import Inputs
from smalldata.models.values import Range

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Transformer(Network):
    """Learner of an ensemble of transformers; see `Network` for what all networks share.

    Attributes
    ----------
    n_tokens : int
        Maximum number of tokens; more columns are put into this many groups.
    order : {"auto", "given", "correlation"}
        Order in which columns are grouped, see `CNN1d`; no effect if every column is a token.
    n_blocks, width, n_heads : int
        Blocks, size of a token, and attention heads; ``n_heads`` divides ``width``.
    norm : {"pre", "post"}
        Whether tokens are normalised before or after each part of a block.
    """

    n_tokens: Annotated[int, Range(low=1)]
    order: Order
    n_blocks: Annotated[int, Range(low=1)]
    width: Annotated[int, Range(low=1)]
    n_heads: Annotated[int, Range(low=1)]
    norm: Literal["pre", "post"]

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if self.width % self.n_heads:
            raise ConfigError(
                f"transformer.width must be a multiple of n_heads; got width={self.width} and "
                f"n_heads={self.n_heads}."
            )

    def order_columns(self, X: Array) -> NDArray[np.int64] | None:
        """Return the order of the columns; None: unchanged."""
        return None if X.shape[1] <= self.n_tokens else order_columns(X, self.order)

    def network(
        self, inputs: Inputs, n_outputs: int, *, generators: "Sequence[torch.Generator]"
    ) -> "torch.nn.Module":
        """Build the members' network; all random numbers come from the generators."""
        from torch import nn

        from smalldata.models.networks.attention import ClassToken, transformer_block
        from smalldata.models.networks.blocks import GroupTokens, MemberNorm, Pick, embed_columns
        from smalldata.models.networks.layers import MemberLinear

        columns = embed_columns(self, inputs, generators=generators)
        tokens = GroupTokens(
            inputs.n_columns,
            columns.n_channels,
            n_tokens=self.n_tokens,
            width=self.width,
            generators=generators,
            init=self.init,
        )
        blocks = [
            transformer_block(
                self.width,
                self.n_heads,
                norm=self.norm,
                dropout=self.dropout,
                generators=generators,
                init=self.init,
            )
            for _ in range(self.n_blocks)
        ]
        return nn.Sequential(
            columns,
            tokens,
            ClassToken(self.width, generators=generators),
            *blocks,
            Pick(2, 0),
            MemberNorm(self.width, n_members=len(generators)),
            nn.ReLU(),
            MemberLinear(self.width, n_outputs, generators=generators, init=self.init, gain=1.0),
        )

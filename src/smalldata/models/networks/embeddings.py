"""Numerical embeddings: each column as several channels, before any layer mixes columns.

Gorishniy, Rubachev & Babenko (2022), On embeddings for numerical features in tabular deep learning,
NeurIPS 35. Imports torch: load it inside functions. Step in the line: part of a network.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

NARROWEST = 1e-4
"""Bins narrower than this hold a single value and get no slope."""


class PiecewiseLinear(nn.Module):
    """How far a value is through each bin, 0 to 1; the outer bins continue linearly.

    Parameters
    ----------
    edges : ndarray of shape (n_channels + 1, n_columns)
        Edges of the bins, ascending, on the scale that the network gets.
    """

    low: Tensor
    per_width: Tensor
    least: Tensor
    most: Tensor

    def __init__(self, edges: NDArray[np.float64]) -> None:
        super().__init__()
        self.n_channels = len(edges) - 1
        widths = np.diff(edges, axis=0).T
        empty = widths < NARROWEST
        low = torch.as_tensor(edges[:-1].T.copy(), dtype=torch.float32)
        per_width = np.where(empty, 0.0, 1.0 / np.where(empty, 1.0, widths))
        self.register_buffer("low", low)
        self.register_buffer("per_width", torch.as_tensor(per_width, dtype=torch.float32))
        least, most = torch.zeros(self.n_channels), torch.ones(self.n_channels)
        least[0], most[-1] = -math.inf, math.inf
        self.register_buffer("least", least)
        self.register_buffer("most", most)

    def forward(self, x: Tensor) -> Tensor:
        """Map (…, n_columns) to (…, n_columns, n_channels)."""
        through = (x.unsqueeze(-1) - self.low) * self.per_width
        return torch.minimum(torch.maximum(through, self.least), self.most)


class Periodic(nn.Module):
    """The value itself, and its sines and cosines at learned frequencies.

    Parameters
    ----------
    n_columns : int
    n_frequencies : int
        Frequencies per column, which becomes 1 + 2 n_frequencies channels.
    spread : float
        Standard deviation of the initial frequencies, in periods per standard deviation of the
        column.
    generators : sequence of torch.Generator
        One per member.
    """

    def __init__(
        self,
        n_columns: int,
        n_frequencies: int,
        *,
        spread: float,
        generators: Sequence[torch.Generator],
    ) -> None:
        super().__init__()
        self.n_channels = 1 + 2 * n_frequencies
        drawn = [torch.randn((1, n_columns, n_frequencies), generator=g) for g in generators]
        self.frequency = nn.Parameter(spread * torch.stack(drawn))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, n_columns), or shared rows, to (…, n_columns, n_channels)."""
        value = x.unsqueeze(-1)
        turns = 2.0 * math.pi * self.frequency * value
        value = value.expand(*turns.shape[:-1], 1)
        return torch.cat([value, torch.sin(turns), torch.cos(turns)], dim=-1)

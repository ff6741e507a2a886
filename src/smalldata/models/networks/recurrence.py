"""A gated recurrent unit along a sequence of tokens, for all members at once.

Imports torch: load it inside functions. Step in the line: part of a network.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from smalldata.models.networks.layers import MemberLinear
from smalldata.models.networks.settings import Init


class MemberGRU(nn.Module):
    """Gated recurrent unit (Cho et al. 2014), torch's equations; returns the mean of its states.

    Parameters
    ----------
    n_in, width : int
        Size of a token, and of a state.
    generators : sequence of torch.Generator
        One per member.
    init : {"kaiming", "xavier", "default"}
    """

    def __init__(
        self, n_in: int, width: int, *, generators: Sequence[torch.Generator], init: Init
    ) -> None:
        super().__init__()
        self.width = width
        self.read = MemberLinear(n_in, 3 * width, generators=generators, init=init, gain=1.0)
        self.recall = MemberLinear(width, 3 * width, generators=generators, init=init, gain=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, n_tokens, n_in) to (n_members, n_rows, width)."""
        state, n_gates = x.new_zeros(*x.shape[:2], self.width), 2 * self.width
        states = []
        for token in self.read(x).unbind(dim=2):
            recalled = self.recall(state)
            gates = torch.sigmoid(token[..., :n_gates] + recalled[..., :n_gates])
            reset, update = gates.chunk(2, dim=-1)
            new = torch.tanh(token[..., n_gates:] + reset * recalled[..., n_gates:])
            state = new + update * (state - new)
            states.append(state)
        return torch.stack(states).mean(dim=0)

"""What one architecture gives; training, members and targets are the same for all.

Step in the line: **architecture** + Plan -> estimator.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from smalldata.learner import Array
from smalldata.models.networks.plan import Inputs

if TYPE_CHECKING:
    import torch


class Architecture(Protocol):
    """What tells one network from another; all else is shared."""

    def inputs(self, X: Array) -> Inputs:
        """Say what the network must know of the columns of the training rows."""
        ...

    def network(
        self, inputs: Inputs, n_outputs: int, *, generators: "Sequence[torch.Generator]"
    ) -> "torch.nn.Module":
        """Build a member-batched network; every random number comes from the generators."""
        ...

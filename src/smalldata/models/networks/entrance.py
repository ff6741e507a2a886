"""How all columns enter a network at once: dropped, and embedded where that is asked for.

Shared by the mlp, the resnet and the densenet. Imports torch: load it inside functions.
Step in the line: part of a network.
"""

from collections.abc import Sequence

import torch
from torch import nn

from smalldata.models.networks.layers import MemberDropout
from smalldata.models.networks.plan import Inputs
from smalldata.models.networks.recipe import Network


def enter(
    learner: Network, inputs: Inputs, *, generators: Sequence[torch.Generator]
) -> tuple[list[nn.Module], int]:
    """Build the layers from the columns to what the first linear layer gets, and count that.

    Parameters
    ----------
    learner : Network
    inputs : Inputs
    generators : sequence of torch.Generator
        One per member.
    """
    if learner.embedding == "none":  # the members share their rows when there is no noise
        return [MemberDropout(learner.dropped_columns(inputs))], inputs.n_columns
    columns = learner.embed_columns(inputs, generators=generators)
    return [columns, nn.Flatten(-2)], inputs.n_columns * columns.n_channels

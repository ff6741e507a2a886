"""How all columns enter a network at once: dropped, embedded where asked for, mixed by one layer.

Shared by the mlp, the resnet and the densenet. Imports torch: load it inside functions.
Step in the line: part of a network.
"""

from collections.abc import Sequence

import torch
from torch import nn

from smalldata.models.networks.blocks import Columns
from smalldata.models.networks.layers import MemberLinear
from smalldata.models.networks.plan import Inputs
from smalldata.models.networks.recipe import Network


def enter(
    learner: Network,
    inputs: Inputs,
    width: int,
    *,
    scale_rate: float,
    gain: float,
    generators: Sequence[torch.Generator],
) -> list[nn.Module]:
    """Build the layers from the columns to the first hidden units.

    Parameters
    ----------
    learner : Network
    inputs : Inputs
    width : int
        Hidden units.
    scale_rate, gain : float
        See `MemberLinear`.
    generators : sequence of torch.Generator
        One per member.
    """
    layers = [learner.drop_columns(inputs)]
    n_in = inputs.n_columns
    embedding = learner.embed_columns(inputs, generators=generators)
    if embedding is not None:
        layers += [Columns(embedding, n_members=len(generators)), nn.Flatten(-2)]
        n_in *= int(embedding.n_channels)  # type: ignore[arg-type]
    first = MemberLinear(
        n_in,
        width,
        generators=generators,
        init=learner.init,
        gain=gain,
        scale_rate=scale_rate,
    )
    return [*layers, first]

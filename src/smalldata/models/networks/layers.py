"""Layers with a leading member axis: networks with different weights and noise run as one product.

Every parameter has the shape (n_members, …) and every layer maps (n_members, n_rows, …, n_in) to
(n_members, n_rows, …, n_out). The first layer of a network also takes rows that all members
share, (n_rows, n_columns). Members never mix, so each learns what it would learn alone.
Imports torch: load it inside functions. Step in the line: recipe -> **network** -> training.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from smalldata.models.networks.settings import Init

FEW_COLUMNS = 100


def draw_weights(
    shape: tuple[int, ...],
    *,
    n_in: int,
    init: Init,
    gain: float,
    generator: torch.Generator,
    n_held: int | None = None,
) -> Tensor:
    """Draw the weights of one member's layer; the last axis of the shape counts its outputs.

    `MemberLinear` explains the names. If factors shrink the weights by sqrt(n_held / n_in), they
    are drawn larger to compensate.
    """
    n_held = n_held or n_in
    if init == "default":
        bound = 1.0 / math.sqrt(n_held)
        return torch.empty(shape).uniform_(-bound, bound, generator=generator)
    drawn = torch.randn(shape, generator=generator)
    if init == "xavier":
        return drawn * math.sqrt(2.0 / (n_in + shape[-1]) * (n_in / n_held))
    return drawn * (gain / math.sqrt(n_held))


class MemberLinear(nn.Module):
    """x W + b for every member.

    Parameters
    ----------
    n_in, n_out : int
    generators : sequence of torch.Generator
        One per member; draws the weights.
    init : {"kaiming", "xavier", "default"}
        ``kaiming``: weights are normal with variance gain^2 / n_in (He et al. 2015); ``xavier``:
        normal with variance 2 / (n_in + n_out) (Glorot & Bengio 2010); biases are 0 with both.
        ``default``: torch's own, weights and biases uniform within ±1 / sqrt(n_in).
    gain : float
        Of ``kaiming``: sqrt(2) before a rectifier, 1 before an output.
    scale_rate : float, optional
        Each input gets a learned factor, 1 at the start, that moves this many times faster than a
        weight under Adam: a soft choice of columns (the scaling layer of Holzmüller, Grinsztajn &
        Steinwart 2024). With more than `FEW_COLUMNS` inputs, the weights are also
        larger and the factors smaller, so that a step of Adam moves the product less. At one rate
        for all widths, the updates of thousands of columns would swamp the initial weights.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        generators: Sequence[torch.Generator],
        init: Init = "kaiming",
        gain: float = 1.0,
        scale_rate: float | None = None,
    ) -> None:
        super().__init__()
        fan_in = max(n_in, 1)
        n_held = fan_in if scale_rate is None else min(fan_in, FEW_COLUMNS)
        drawn = [
            draw_weights(
                (n_in, n_out),
                n_in=fan_in,
                init=init,
                gain=gain,
                generator=generator,
                n_held=n_held,
            )
            for generator in generators
        ]
        self.weight = nn.Parameter(torch.stack(drawn))
        self.bias = nn.Parameter(torch.zeros(len(drawn), 1, n_out))
        if init == "default":
            for bias, generator in zip(self.bias.detach(), generators, strict=True):
                bias.uniform_(-1.0, 1.0, generator=generator).mul_(1.0 / math.sqrt(fan_in))
        self.rate = None if scale_rate is None else scale_rate * math.sqrt(n_held / fan_in)
        if scale_rate is not None:
            self.scale = nn.Parameter(torch.full((len(drawn), 1, n_in), 1.0 / scale_rate))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n_members, n_rows, …, n_in), or shared (n_rows, n_in), to (…, n_rows, …, n_out)."""
        if x.dim() > 3:  # every position of every row is a row of the product
            return self.forward(x.flatten(1, -2)).reshape(*x.shape[:-1], -1)
        weight: Tensor = self.weight
        shared = x.dim() == 2
        if self.rate is not None:
            scale = self.scale * self.rate
            if shared:  # thousands of rows: cheaper to scale the weights once
                weight = weight * scale.transpose(1, 2)
            else:
                x = x * scale
        if shared:
            x = x.expand(len(weight), -1, -1)
        return torch.baddbmm(self.bias, x, weight)

    def products(self, outputs: Tensor) -> int:
        """Count the multiplications needed for these outputs."""
        return outputs.numel() * self.weight.shape[1]


class MemberDropout(nn.Module):
    """Dropout whose masks come from one generator per member, not from torch's global one.

    The training loop lends the generators (`set_noise`). They are on the CPU, so that every
    device gets the same masks.

    Parameters
    ----------
    share : float
        Share of the entries dropped while training.
    whole : bool
        Drop the entries of the last axis, the channels of a column, together.
    """

    def __init__(self, share: float, *, whole: bool = False) -> None:
        super().__init__()
        self.share = share
        self.whole = whole
        self.strength = 1.0
        self.generators: Sequence[torch.Generator] = ()

    def forward(self, x: Tensor) -> Tensor:
        """Drop a share of the entries and scale up the others; return x if not training."""
        share = self.share * self.strength
        if not self.training or share == 0.0:
            return x
        drawn = torch.empty((*x.shape[:-1], 1) if self.whole else x.shape)
        for member, generator in enumerate(self.generators):
            drawn[member].uniform_(generator=generator)
        kept = (drawn >= share).to(x.dtype).div_(1.0 - share)
        return x * kept.to(x.device, non_blocking=True)


class Beside(nn.Module):
    """The sum of two networks with the same inputs."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both outputs."""
        outputs: Tensor = self.first(x) + self.second(x)
        return outputs


def set_noise(
    network: nn.Module, generators: Sequence[torch.Generator], *, strength: float = 1.0
) -> None:
    """Lend every dropout layer the members' generators and set how much of its dropout applies."""
    for layer in network.modules():
        if isinstance(layer, MemberDropout):
            layer.generators = generators
            layer.strength = strength


def count_products(network: nn.Module, x: Tensor) -> int:
    """Count the multiplications in the layers' products for these rows, over all members."""
    layers = [layer for layer in network.modules() if hasattr(layer, "products")]
    return _count(network, x, layers, lambda layer, outputs: layer.products(outputs))


def count_values(network: nn.Module, x: Tensor) -> int:
    """Count the numbers that the layers return for these rows, over all members."""
    layers = [layer for layer in network.modules() if next(layer.children(), None) is None]
    return _count(network, x, layers, lambda _, outputs: outputs.numel())


def _count(
    network: nn.Module,
    x: Tensor,
    layers: Sequence[nn.Module],
    measure: Callable[[Any, Tensor], int],
) -> int:
    """Sum a measurement over all calls of the layers."""
    counts: list[int] = []
    hooks = [
        layer.register_forward_hook(
            lambda layer, _, outputs: counts.append(measure(layer, outputs))
        )
        for layer in layers
    ]
    try:
        with torch.no_grad():
            network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return sum(counts)

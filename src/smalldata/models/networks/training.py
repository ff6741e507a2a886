"""The one training loop of all networks: members side by side, in one batched product.

Each member has its own rows, noise, gradient clipping and best epoch. The tables are small enough
to be on the device as a whole, so a batch is an index into them: a DataLoader with workers would
spend more time passing rows around than a step takes. Imports torch: load it inside functions.
Step in the line: network + rows of one training fold -> **trained network + loss curves**.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smalldata.errors import FitError
from smalldata.models.networks.layers import set_noise
from smalldata.models.networks.mixup import mix_rows
from smalldata.models.networks.optimization import make_optimizer, make_scheduler
from smalldata.models.networks.settings import Settings

Loss = Callable[[Tensor, Tensor], Tensor]
"""(outputs, targets) of shape (n_members, n_rows, n_outputs) -> losses (n_members, n_rows)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curves:
    """Losses per epoch and member.

    Attributes
    ----------
    train : ndarray of shape (n_epochs_run, n_members)
        Mean over the batches of the epoch, with dropout.
    held_out : ndarray of shape (n_epochs_run, n_members) or None
    best_epoch : ndarray of shape (n_members,)
        Zero-based epoch whose weights were kept.
    timed_out : bool
        Whether the time limit stopped a member that had patience left.
    """

    train: NDArray[np.float64]
    held_out: NDArray[np.float64] | None
    best_epoch: NDArray[np.int64]
    timed_out: bool = False


def train(
    network: nn.Module,
    x: Tensor,
    targets: Tensor,
    row_weights: Tensor,
    *,
    loss: Loss,
    recipe: Settings,
    train_rows: Sequence[NDArray[np.int64]],
    held_out_rows: Sequence[NDArray[np.int64]] | None,
    generators: Sequence[torch.Generator],
    steps: tuple[int, int] | None = None,
    n_parts: int = 1,
    stops: bool = True,
) -> Curves:
    """Train all members of a network in place and leave each with its best weights.

    Parameters
    ----------
    network : Module
        Maps (n_members, n_rows, n_columns) to (n_members, n_rows, n_outputs); the first axis
        of every parameter is the member.
    x : Tensor of shape (n_rows, n_columns)
        On the device of the network.
    targets : Tensor of shape (n_rows, n_outputs)
    row_weights : Tensor of shape (n_rows,)
        Weight of each row in both losses.
    loss : Loss
    recipe : Settings
    train_rows : sequence of ndarray
        Row positions each member learns from.
    held_out_rows : sequence of ndarray, or None
        Row positions whose loss selects each member's best epoch; None: all epochs are run and
        the last weights are kept.
    generators : sequence of torch.Generator
        One per member, on the CPU; they draw the order of the rows and the dropout masks.
    steps : (n_steps, n_batch), optional
        Steps per epoch and rows per step; default: `count_steps` of these members.
    n_parts : int
        The rows of a step are cut into this many parts, whose gradients are summed: it takes less
        memory and draws different noise.
    stops : bool
        Stop when no member has patience left; False: run all epochs. The weights that are kept are
        the same.

    Returns
    -------
    Curves

    Raises
    ------
    FitError
        If a loss stops being finite; the message names the epoch.
    """
    n_steps, n_batch = steps or count_steps(train_rows, recipe.batch_size)
    optimizer = make_optimizer(network, recipe)
    scheduler = make_scheduler(optimizer, recipe, n_steps=recipe.n_epochs * n_steps)
    parameters = list(network.parameters())
    held_out = None if held_out_rows is None else _Held(held_out_rows, device=x.device)
    best = _Best(parameters, n_members=len(generators), patience=recipe.early_stopping)
    train_curve: list[NDArray[np.float64]] = []
    held_out_curve: list[NDArray[np.float64]] = []
    ends = time.monotonic() + recipe.time_limit if recipe.time_limit else math.inf
    timed_out, waiting = False, True
    try:
        for epoch in range(recipe.n_epochs):
            network.train()
            set_noise(network, generators, strength=_noise_strength(recipe, epoch))
            epoch_loss = torch.zeros(len(generators), device=x.device)
            for rows in _batches(train_rows, n_steps, n_batch, generators, x.device):
                optimizer.zero_grad()
                for part in rows.tensor_split(n_parts, dim=1):
                    columns, wanted, weights = mix_rows(
                        part, x, targets, row_weights, alpha=recipe.mixup, generators=generators
                    )
                    with _products(recipe, x.device):
                        outputs = network(columns)
                    row_loss = loss(outputs.float(), wanted)
                    member_loss = (row_loss * weights).sum(dim=1) / n_batch
                    # Members share no weights, so the gradient of the sum is each member's own.
                    torch.autograd.backward(member_loss.sum())
                    epoch_loss += member_loss.detach()
                _clip(parameters, recipe.clip_norm)
                optimizer.step()
                scheduler.step()
            train_curve.append((epoch_loss / n_steps).double().cpu().numpy())
            _check_finite(train_curve[-1], epoch)
            if held_out is not None:
                network.eval()
                with torch.no_grad():
                    held_out_loss = held_out.mean_loss(network, x, targets, row_weights, loss)
                held_out_curve.append(held_out_loss.double().cpu().numpy())
                _check_finite(held_out_curve[-1], epoch)
                waiting = best.keep(epoch, held_out_loss)
                if not waiting and stops:
                    break
            if time.monotonic() > ends:
                timed_out = waiting and epoch + 1 < recipe.n_epochs
                break
    finally:
        set_noise(network, ())
    network.eval()
    if held_out is None:
        best.epoch[:] = len(train_curve) - 1
    else:
        best.restore()
    if not all(bool(torch.isfinite(parameter).all()) for parameter in parameters):
        raise FitError(_DIVERGED.format(value="nan", epoch=len(train_curve)))
    return Curves(
        train=np.array(train_curve),
        held_out=np.array(held_out_curve) if held_out_curve else None,
        best_epoch=best.epoch.cpu().numpy(),
        timed_out=timed_out,
    )


def count_steps(train_rows: Sequence[NDArray[np.int64]], batch_size: int) -> tuple[int, int]:
    """Return the steps per epoch and the rows per step, the same for all members."""
    n_largest = max(len(rows) for rows in train_rows)
    n_steps = math.ceil(n_largest / batch_size)
    return n_steps, math.ceil(n_largest / n_steps)


class _Best:
    """Each member's weights at its lowest held-out loss, within its patience."""

    def __init__(self, parameters: Sequence[nn.Parameter], *, n_members: int, patience: int):
        device = parameters[0].device
        self.parameters, self.patience = parameters, patience
        self.kept = [parameter.detach().clone() for parameter in parameters]
        self.loss = torch.full((n_members,), math.inf, device=device)
        self.epoch = torch.zeros(n_members, dtype=torch.int64, device=device)

    def keep(self, epoch: int, losses: Tensor) -> bool:
        """Keep the weights of members at a new best; return whether any has patience left."""
        waiting = epoch - self.epoch <= self.patience
        better = (losses < self.loss) & waiting
        self.loss = torch.where(better, losses, self.loss)
        self.epoch[better] = epoch
        for kept, parameter in zip(self.kept, self.parameters, strict=True):
            kept[better] = parameter.detach()[better]
        return bool((epoch - self.epoch < self.patience).any())

    def restore(self) -> None:
        """Give every member its best weights."""
        with torch.no_grad():
            for kept, parameter in zip(self.kept, self.parameters, strict=True):
                parameter.copy_(kept)


def _products(recipe: Settings, device: torch.device) -> torch.autocast:
    """Return the context in which layers multiply: bfloat16 on a GPU if the precision is mixed.

    bfloat16 has the range of float32, so gradients need no scaling.
    """
    mixed = recipe.precision == "mixed" and device.type == "cuda"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed)


_DIVERGED = (
    "the loss must stay finite while training; it became {value} in epoch {epoch}. "
    "Lower the learning rate."
)


def _check_finite(losses: NDArray[np.float64], epoch: int) -> None:
    wild = losses[~np.isfinite(losses)]
    if len(wild):
        raise FitError(_DIVERGED.format(value=wild[0], epoch=epoch + 1))


def _noise_strength(recipe: Settings, epoch: int) -> float:
    return max(0.0, 1.0 - 1.2 * epoch / recipe.n_epochs) if recipe.noise_fades == "always" else 1.0


def _batches(
    train_rows: Sequence[NDArray[np.int64]],
    n_steps: int,
    n_batch: int,
    generators: Sequence[torch.Generator],
    device: torch.device,
) -> Iterator[Tensor]:
    """Yield each member's rows in its own random order: n_steps tensors (n_members, n_batch).

    Every batch is full: a member with fewer rows than n_steps * n_batch repeats its order.
    """
    orders = []
    for rows, generator in zip(train_rows, generators, strict=True):
        order = torch.from_numpy(rows)[torch.randperm(len(rows), generator=generator)]
        orders.append(order.repeat(math.ceil(n_steps * n_batch / len(rows)))[: n_steps * n_batch])
    dealt = torch.stack(orders).to(device)
    yield from dealt.view(len(orders), n_steps, n_batch).unbind(dim=1)


class _Held:
    """Each member's held-out rows, padded to one length; the padding has weight 0."""

    def __init__(self, rows: Sequence[NDArray[np.int64]], *, device: torch.device) -> None:
        n_longest = max(len(some) for some in rows)
        padded = np.stack([np.resize(some, n_longest) for some in rows])
        share = np.stack([(np.arange(n_longest) < len(some)) / len(some) for some in rows])
        self.rows = torch.from_numpy(padded).to(device)
        self.share = torch.from_numpy(share).to(device, torch.float32)

    def mean_loss(
        self, network: nn.Module, x: Tensor, targets: Tensor, row_weights: Tensor, loss: Loss
    ) -> Tensor:
        """Return the mean loss of each member over its held-out rows, shape (n_members,)."""
        row_loss = loss(network(x[self.rows]), targets[self.rows]) * row_weights[self.rows]
        return (row_loss * self.share).sum(dim=1)


def _clip(parameters: Sequence[nn.Parameter], largest: float) -> None:
    """Scale each member's gradient, over all its parameters, to at most the largest norm."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    norms = torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients])
    scale = (largest / torch.linalg.vector_norm(norms, dim=0)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(scale.view(-1, *[1] * (gradient.dim() - 1)))

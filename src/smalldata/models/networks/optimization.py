"""Optimizers and learning-rate schedules, by their names in the settings.

All of them work elementwise, so members batched in one tensor are optimised independently.
Imports torch: load it inside functions. Step in the line: recipe -> **optimizer, scheduler** ->
training.
"""

from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler

from smalldata.models.networks.settings import Settings


def make_optimizer(network: nn.Module, recipe: Settings) -> torch.optim.Optimizer:
    """Make the optimizer of all parameters; biases do not decay."""
    biases = [p for name, p in network.named_parameters() if name.endswith("bias")]
    weights = [p for name, p in network.named_parameters() if not name.endswith("bias")]
    groups: list[dict[str, Any]] = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": biases, "weight_decay": 0.0},
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
    if recipe.optimizer == "adam":
        return torch.optim.Adam(groups, lr=recipe.learning_rate, fused=True)
    if recipe.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=recipe.learning_rate)
    return torch.optim.SGD(
        groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=recipe.momentum > 0
    )


def make_scheduler(
    optimizer: torch.optim.Optimizer, recipe: Settings, *, n_steps: int
) -> lr_scheduler.LRScheduler:
    """Make the schedule of ``n_steps`` steps; call its ``step`` after each."""
    total = n_steps + 1
    if recipe.scheduler == "one_cycle":
        # Only for the Adam variants, whose momentum is not a setting; sgd keeps its own.
        cycles = recipe.optimizer in ("adam", "adamw")
        return lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=total, cycle_momentum=cycles
        )
    if recipe.scheduler == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, T_max=total)
    if recipe.scheduler == "linear":
        return lr_scheduler.LinearLR(optimizer, start_factor=1.0, end_factor=0.0, total_iters=total)
    return lr_scheduler.ConstantLR(optimizer, factor=1.0)

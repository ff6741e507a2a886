"""Mixup: rows of a step and their targets mixed in pairs (Zhang et al. 2018, ICLR).

Imports torch: load it inside functions. Step in the line: part of training.
"""

from collections.abc import Sequence

import torch
from scipy.special import betaincinv
from torch import Tensor


def mix_rows(
    rows: Tensor,
    x: Tensor,
    targets: Tensor,
    row_weights: Tensor,
    *,
    alpha: float,
    generators: Sequence[torch.Generator],
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows of a step, each mixed with another row of the same step and member.

    Row weights also weight the targets, so that the cross-entropy of a mixture is the sum over its
    two labels, each with its share and its weight.

    Parameters
    ----------
    rows : Tensor of shape (n_members, n_batch)
        Positions in the tables.
    x : Tensor of shape (n_rows, n_columns)
    targets : Tensor of shape (n_rows, n_outputs)
    row_weights : Tensor of shape (n_rows,)
        Above 0.
    alpha : float
        One share per member is drawn from Beta(alpha, alpha); 0 draws and mixes nothing.
    generators : sequence of torch.Generator
        One per member, on the CPU.

    Returns
    -------
    x : Tensor of shape (n_members, n_batch, n_columns)
    targets : Tensor of shape (n_members, n_batch, n_outputs)
    weights : Tensor of shape (n_members, n_batch)
    """
    if alpha == 0:
        return x[rows], targets[rows], row_weights[rows]
    n_batch = rows.shape[1]
    drawn = torch.stack([torch.rand(1, generator=g, dtype=torch.float64) for g in generators])
    shares = torch.as_tensor(betaincinv(alpha, alpha, drawn.numpy()), dtype=torch.float32)
    partners = torch.stack([torch.randperm(n_batch, generator=g) for g in generators])
    others = rows.gather(1, partners.to(rows.device))
    share = shares.to(x.device)
    own = share * row_weights[rows]
    weights = own + (1.0 - share) * row_weights[others]
    mixed_x = torch.lerp(x[others], x[rows], share.unsqueeze(-1))
    mixed_targets = torch.lerp(targets[others], targets[rows], (own / weights).unsqueeze(-1))
    return mixed_x, mixed_targets, weights

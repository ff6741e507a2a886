"""Mixup: rows of a step and their targets mixed in pairs (Zhang et al. 2018, ICLR).

Imports torch: load it inside functions. Step in the line: part of training.
"""

from collections.abc import Sequence

import torch
from scipy.special import betaincinv
from torch import Tensor


def mix_rows(
    rows: Tensor, tables: Sequence[Tensor], *, alpha: float, generators: Sequence[torch.Generator]
) -> list[Tensor]:
    """Return the rows of some tables, each mixed with another row of the same step and member.

    Parameters
    ----------
    rows : Tensor of shape (n_members, n_batch)
        Positions in the tables.
    tables : sequence of Tensor of shape (n_rows, …)
    alpha : float
        One share for each member is drawn from Beta(alpha, alpha); 0 draws nothing and mixes
        nothing.
    generators : sequence of torch.Generator
        One per member, on the CPU.

    Returns
    -------
    list of Tensor of shape (n_members, n_batch, …)
        share * row + (1 - share) * partner, of each table.
    """
    if alpha == 0:
        return [table[rows] for table in tables]
    n_batch = rows.shape[1]
    drawn = torch.stack([torch.rand(1, generator=g, dtype=torch.float64) for g in generators])
    shares = torch.as_tensor(betaincinv(alpha, alpha, drawn.numpy()), dtype=torch.float32)
    partners = torch.stack([torch.randperm(n_batch, generator=g) for g in generators])
    others = rows.gather(1, partners.to(rows.device))
    mixed = []
    for table in tables:
        share = shares.to(table.device).view(-1, *[1] * table.dim())
        mixed.append(share * table[rows] + (1.0 - share) * table[others])
    return mixed

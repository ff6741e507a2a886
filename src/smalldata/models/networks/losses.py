"""Losses of networks, row by row.

(outputs, targets) of shape (n_members, n_rows, n_outputs) -> losses of shape (n_members, n_rows).
Imports torch: load it inside functions. Step in the line: part of training.
"""

from torch import Tensor
from torch.nn import functional


def binary_cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of one log-odds and the probability of the second class."""
    rows = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return rows.squeeze(-1)


def cross_entropy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of logits and class probabilities."""
    return -(targets * functional.log_softmax(outputs, dim=-1)).sum(dim=-1)


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared error of a standardised value."""
    return (outputs - targets).square().mean(dim=-1)


def huber(outputs: Tensor, targets: Tensor) -> Tensor:
    """Huber's loss of a standardised value: half the squared error up to 1, linear beyond."""
    return functional.huber_loss(outputs, targets, reduction="none").mean(dim=-1)

"""Rows through fitted members, in parts that fit: the mean of their outputs, and its gradient.

Imports torch when something is computed. Step in the line: fitted network -> **outputs** ->
predictions, Shapley values.
"""

from typing import TYPE_CHECKING

import numpy as np

from smalldata.devices import one_torch_thread
from smalldata.learner import Array
from smalldata.memory import map_rows
from smalldata.models.networks.plan import Inputs

if TYPE_CHECKING:
    import torch

CHUNK_ROWS = 2048
"""Most rows given to a network at once."""

CHUNK_CELLS = 10_000_000
"""Numbers that they fill on their way through it, in float32: more leave the cache, and beyond some
ten MB each array is asked of the system anew.
"""

CARD_CHUNKS = 16
"""So many times the rows on a graphics card, which has many more units to keep busy."""

LARGEST = 1e15
"""Columns are cut here before smooth clipping, so that their squares stay finite in float32."""


def give_columns(
    X: "Array | torch.Tensor", inputs: Inputs, *, clip: float, device: str
) -> "torch.Tensor":
    """Return the columns as a network gets them: float32, in its order, smoothly clipped."""
    import torch

    x = torch.as_tensor(X, dtype=torch.float32, device=device).clamp(-LARGEST, LARGEST)
    if inputs.order is not None:
        x = x[:, torch.as_tensor(inputs.order, device=x.device)]
    return x * torch.rsqrt(1.0 + (x / clip).square())


def mean_outputs(
    network: "torch.nn.Module",
    X: Array,
    *,
    inputs: Inputs,
    clip: float,
    device: str,
    n_cells: int,
) -> Array:
    """Return the mean of the members' outputs, (n_samples, n_outputs); float32 products.

    Parameters
    ----------
    network : Module
        Maps (n_rows, n_columns) to (n_members, n_rows, n_outputs).
    X : ndarray of shape (n_samples, n_columns)
    inputs, clip, device
        As in `give_columns`.
    n_cells : int
        Numbers that one row fills on its way.
    """
    import torch

    def compute(start: int, stop: int) -> Array:
        outputs = network(give_columns(X[start:stop], inputs, clip=clip, device=device))
        found: Array = outputs.mean(dim=0, dtype=torch.float64).cpu().numpy()
        return found

    size = chunk_rows(n_cells) * (1 if device == "cpu" else CARD_CHUNKS)
    with one_torch_thread(), torch.inference_mode():
        return np.concatenate(map_rows(compute, n_rows=len(X), size=size))


def mean_gradients(
    network: "torch.nn.Module",
    X: Array,
    *,
    inputs: Inputs,
    clip: float,
    device: str,
    n_cells: int,
) -> Array:
    """Return the derivative of `mean_outputs` by each column, before it is clipped.

    Parameters as there; shape (n_samples, n_outputs, n_columns).
    """
    import torch

    def compute(start: int, stop: int) -> Array:
        x = torch.tensor(X[start:stop], dtype=torch.float32, device=device).requires_grad_()
        outputs = network(give_columns(x, inputs, clip=clip, device=device)).mean(dim=0)
        n_outputs = outputs.shape[1]
        slopes = [
            torch.autograd.grad(outputs[:, output].sum(), x, retain_graph=output < n_outputs - 1)[0]
            for output in range(n_outputs)
        ]
        found: Array = torch.stack(slopes, dim=1).cpu().numpy()
        return found

    with one_torch_thread(), torch.enable_grad():
        chunks = map_rows(compute, n_rows=len(X), size=chunk_rows(n_cells))
    return np.concatenate(chunks).astype(np.float64)


def chunk_rows(n_cells: int) -> int:
    """Return the rows given to a network at once, by the numbers that one fills.

    Examples
    --------
    >>> chunk_rows(100), chunk_rows(100_000)
    (2048, 100)
    """
    return max(1, min(CHUNK_ROWS, CHUNK_CELLS // max(n_cells, 1)))

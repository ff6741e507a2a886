"""Predictions of fitted members, in chunks that fit in memory: their mean and its gradient.

Imports torch when something is computed. Step in the line: fitted network -> **outputs** ->
predictions, Shapley values.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from smalldata.learner import Array
from smalldata.models.networks.settings import Inputs
from smalldata.runtime.devices import one_torch_thread
from smalldata.runtime.memory import map_rows

if TYPE_CHECKING:
    import torch

CHUNK_ROWS = 2048
"""Maximum number of rows given to a network at once."""

CHUNK_VALUES = 10_000_000
"""Maximum number of float32 numbers that these rows fill in all layers. More would not fit in the
cache, and arrays above some 10 MB are allocated by the system again each time.
"""

CARD_CHUNKS = 16
"""A GPU gets this many times the rows, because it has many more units to keep busy."""

LARGEST = 1e15
"""Limit of columns before smooth clipping; keeps their squares finite in float32."""


def give_columns(
    X: "Array | torch.Tensor", inputs: Inputs, *, clip: float, device: str
) -> "torch.Tensor":
    """Return the columns as a network gets them: float32, in its order, smoothly clipped."""
    import torch

    x = torch.as_tensor(X, dtype=torch.float32, device=device).clamp(-LARGEST, LARGEST)
    if inputs.order is not None:
        x = x[:, torch.as_tensor(inputs.order, device=x.device)]
    return x * torch.rsqrt(1.0 + (x / clip).square())


@dataclass(frozen=True, kw_only=True, eq=False)
class Passage:
    """Fitted members, ready to predict.

    Attributes
    ----------
    network : Module
        Maps (n_rows, n_columns) to (n_members, n_rows, n_outputs).
    inputs, clip, device
        As in `give_columns`.
    n_values : int
        Numbers that one row fills in all layers.
    """

    network: "torch.nn.Module"
    inputs: Inputs
    clip: float
    device: str
    n_values: int

    def mean_outputs(self, X: Array) -> Array:
        """Return the mean of the members' outputs, (n_samples, n_outputs), computed in float32."""
        import torch

        def compute(start: int, stop: int) -> Array:
            outputs = self._outputs(X[start:stop])
            found: Array = outputs.mean(dim=0, dtype=torch.float64).cpu().numpy()
            return found

        size = chunk_rows(self.n_values) * (1 if self.device == "cpu" else CARD_CHUNKS)
        with one_torch_thread(), torch.inference_mode():
            return np.concatenate(map_rows(compute, n_rows=len(X), size=size))

    def mean_gradients(self, X: Array) -> Array:
        """Return the derivative of `mean_outputs` with respect to each column before clipping.

        Shape (n_samples, n_outputs, n_columns).
        """
        import torch

        def compute(start: int, stop: int) -> Array:
            x = torch.tensor(X[start:stop], dtype=torch.float32, device=self.device)
            outputs = self._outputs(x.requires_grad_()).mean(dim=0)
            n_outputs = outputs.shape[1]
            slopes = [
                torch.autograd.grad(
                    outputs[:, output].sum(), x, retain_graph=output < n_outputs - 1
                )[0]
                for output in range(n_outputs)
            ]
            found: Array = torch.stack(slopes, dim=1).cpu().numpy()
            return found

        with one_torch_thread(), torch.enable_grad():
            chunks = map_rows(compute, n_rows=len(X), size=chunk_rows(self.n_values))
        return np.concatenate(chunks).astype(np.float64)

    def _outputs(self, X: "Array | torch.Tensor") -> "torch.Tensor":
        columns = give_columns(X, self.inputs, clip=self.clip, device=self.device)
        outputs: torch.Tensor = self.network(columns)
        return outputs


def chunk_rows(n_values: int) -> int:
    """Return the number of rows given to a network at once, if one row fills ``n_values`` numbers.

    Examples
    --------
    >>> chunk_rows(100), chunk_rows(100_000)
    (2048, 100)
    """
    return max(1, min(CHUNK_ROWS, CHUNK_VALUES // max(n_values, 1)))

"""A network on one training fold: its layers, its parameters, the memory that training takes.

Measured, not computed from formulas: the network is trained on the fold for one epoch, and the
tensors that autograd and the optimizer keep are counted. This works for any architecture.
Step in the line: learner + preprocessed rows -> **Outline**, for the verb ``summary``.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from smalldata.learner import Array
from smalldata.models.networks.recipe import Network
from smalldata.task import TaskInfo

if TYPE_CHECKING:
    import torch

FLOAT_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One line of the outline.

    Attributes
    ----------
    depth : int
        0: the network itself.
    name : str
        Name of its attribute in the layer that contains it.
    kind : str
        Name of its class.
    output : tuple of int
        Shape of its output for one batch of all members.
    n_parameters : int
        Parameters of all members, without those of the layers inside it.
    n_calls : int
        Consecutive calls, as in a recurrent layer.
    """

    depth: int
    name: str
    kind: str
    output: tuple[int, ...]
    n_parameters: int
    n_calls: int = 1


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes that training all members side by side takes, in float32.

    Attributes
    ----------
    weights, gradients : int
    best_weights : int
        Copy of the weights of the best epoch.
    optimizer : int
        State of the optimizer after its first step.
    activations : int
        Peak of what autograd keeps for the gradients in one step.
    data : int
        The preprocessed rows, targets and weights, all on the device.
    """

    weights: int
    gradients: int
    best_weights: int
    optimizer: int
    activations: int
    data: int

    @property
    def total(self) -> int:
        """Return the sum of all parts, close to the peak because all exist during a step."""
        return sum(dataclasses.asdict(self).values())


@dataclass(frozen=True, kw_only=True)
class Outline:
    """A network on one training fold.

    Attributes
    ----------
    layers : tuple of Layer
        In the order of their calls.
    n_members, n_rows, n_columns, n_outputs : int
        Rows of the training fold, columns after its preprocessing.
    n_batch : int
        Rows per step.
    n_parameters : int
        Parameters of one member.
    memory : Memory
    """

    layers: tuple[Layer, ...]
    n_members: int
    n_rows: int
    n_columns: int
    n_outputs: int
    n_batch: int
    n_parameters: int
    memory: Memory


def outline_network(
    learner: Network,
    X: Array,
    y: NDArray[Any],
    groups: NDArray[Any] | None,
    *,
    info: TaskInfo,
    seed: int,
) -> Outline:
    """Train a network for one epoch on the rows of a fold and describe it.

    Parameters
    ----------
    learner : Network
    X : ndarray of shape (n_rows, n_columns)
        Preprocessed.
    y : ndarray of shape (n_rows,)
        Class codes or values.
    groups : ndarray of shape (n_rows,) or None
    info : TaskInfo
    seed : int

    Returns
    -------
    Outline
    """
    import torch
    from torch.autograd.graph import saved_tensors_hooks

    estimator = dataclasses.replace(learner, n_epochs=1).build(info, seed=seed, device="cpu")
    kept = _Kept()
    with saved_tensors_hooks(kept.pack, kept.unpack):
        estimator.fit(X, y, groups=groups)
    network = estimator.network_
    parameters = list(network.parameters())
    n_all = sum(parameter.numel() for parameter in parameters)
    _, n_batch = estimator.prepare(X, y, groups).steps
    x = torch.zeros(learner.n_members, n_batch, X.shape[1])
    layers = _layers(network, x)
    n_outputs = layers[0].output[-1]
    weights = sum(_storage(parameter).nbytes() for parameter in parameters)
    return Outline(
        layers=layers,
        n_members=learner.n_members,
        n_rows=len(X),
        n_columns=X.shape[1],
        n_outputs=n_outputs,
        n_batch=n_batch,
        n_parameters=n_all // learner.n_members,
        memory=Memory(
            weights=weights,
            gradients=weights,
            best_weights=weights,
            optimizer=_optimizer_bytes(network, learner),
            activations=kept.peak(without=parameters),
            data=len(X) * (X.shape[1] + n_outputs + 1) * FLOAT_BYTES,
        ),
    )


def _layers(network: "torch.nn.Module", x: "torch.Tensor") -> tuple[Layer, ...]:
    """Call the network once, without training, and list its layers in the order of their calls."""
    import torchinfo

    called = torchinfo.summary(network, input_data=x, mode="eval", verbose=0)
    layers: list[Layer] = []
    before = None
    for layer in called.summary_list:
        if layer.is_recursive and layer.layer_id == before and layer.is_leaf_layer:
            layers[-1] = dataclasses.replace(layers[-1], n_calls=layers[-1].n_calls + 1)
            continue
        before = layer.layer_id
        layers.append(
            Layer(
                depth=layer.depth,
                name=layer.var_name if layer.depth else "",
                kind=layer.class_name,
                output=tuple(layer.output_size),
                n_parameters=_own_parameters(layer),
            )
        )
    return tuple(layers)


def _own_parameters(layer: Any) -> int:
    """Count the parameters of a line without those inside it or already counted."""
    if layer.is_recursive:  # called again
        return 0
    return int(layer.num_params if layer.is_leaf_layer else layer.leftover_params())


def _optimizer_bytes(network: "torch.nn.Module", learner: Network) -> int:
    """Return the bytes that an optimizer holds after its first step."""
    import torch

    from smalldata.models.networks.optimization import make_optimizer

    optimizer = make_optimizer(network, learner)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    held = (value for state in optimizer.state.values() for value in state.values())
    return sum(value.nbytes for value in held if isinstance(value, torch.Tensor))


def _storage(tensor: "torch.Tensor") -> "torch.UntypedStorage":
    return tensor.untyped_storage()


class _Kept:
    """Follows the memory that autograd keeps from the forward to the backward pass.

    Views of one storage count once. Every tensor kept or released is logged, because which storages
    are parameters, whose memory is already counted, is only known after the fit.
    """

    def __init__(self) -> None:
        self._events: list[tuple[int, int]] = []

    def pack(self, tensor: "torch.Tensor") -> "_Held":
        storage = _storage(tensor)
        return _Held(tensor, storage.data_ptr(), storage.nbytes(), self._events.append)

    def unpack(self, held: "_Held") -> "torch.Tensor":
        return held.tensor

    def peak(self, *, without: "list[torch.nn.Parameter]") -> int:
        """Return the most bytes kept at one time, parameters excluded."""
        known = {_storage(parameter).data_ptr() for parameter in without}
        n_holders: dict[int, int] = {}
        kept = most = 0
        for key, n_bytes in self._events:
            if key in known:
                continue
            before = n_holders.get(key, 0)
            n_holders[key] = before + (1 if n_bytes > 0 else -1)
            if before == 0 or n_holders[key] == 0:
                kept += n_bytes
                most = max(most, kept)
        return most


class _Held:
    """A tensor that autograd keeps; it notes when it is kept and when it is released."""

    def __init__(
        self,
        tensor: "torch.Tensor",
        key: int,
        n_bytes: int,
        note: Callable[[tuple[int, int]], None],
    ) -> None:
        self.tensor = tensor
        self._gone = (key, -n_bytes)
        self._note = note
        note((key, n_bytes))

    def __del__(self) -> None:
        self._note(self._gone)
